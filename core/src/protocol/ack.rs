//! PUBACK, PUBREC, PUBREL and PUBCOMP: the steps that follow a PUBLISH of QoS 1 or 2.

use super::{
    EncodeError, Frame, PacketId, PacketType, Place, Properties, ReasonCode, Version, Violation,
    wire::write_packet,
};

/// Which of the four packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckKind {
    /// Ends QoS 1.
    Puback,
    /// The first answer of QoS 2.
    Pubrec,
    /// The second step of QoS 2.
    Pubrel,
    /// Ends QoS 2.
    Pubcomp,
}

impl AckKind {
    /// The packet's type.
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::Puback => PacketType::Puback,
            Self::Pubrec => PacketType::Pubrec,
            Self::Pubrel => PacketType::Pubrel,
            Self::Pubcomp => PacketType::Pubcomp,
        }
    }

    const fn place(self) -> Place {
        match self {
            Self::Puback => Place::Puback,
            Self::Pubrec => Place::Pubrec,
            Self::Pubrel => Place::Pubrel,
            Self::Pubcomp => Place::Pubcomp,
        }
    }

    /// [MQTT-3.6.1-1] PUBREL alone has a flag set: where 3.1 has its QoS 1.
    const fn flags(self) -> u8 {
        match self {
            Self::Pubrel => 0b0010,
            Self::Puback | Self::Pubrec | Self::Pubcomp => 0,
        }
    }

    const fn first_byte(self) -> u8 {
        (self.packet_type() as u8) << 4 | self.flags()
    }

    fn check(self, reason: ReasonCode) -> Result<(), Violation> {
        if reason.allowed_in(self.packet_type()) {
            return Ok(());
        }
        let statement = match self {
            Self::Puback => "MQTT-3.4.2-1",
            Self::Pubrec => "MQTT-3.5.2-1",
            Self::Pubrel => "MQTT-3.6.2-1",
            Self::Pubcomp => "MQTT-3.7.2-1",
        };
        let detail = "with a reason code that is not one of its own";
        Err(Violation::protocol_error(detail, statement).on(self.packet_type()))
    }
}

/// One of the four packets; which one, says its [`AckKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The packet identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// How it went; always [`ReasonCode::Success`] before 5.0.
    pub reason: ReasonCode,
    /// Reason string and user properties.
    pub properties: Properties<'a>,
}

impl<'a> Ack<'a> {
    /// All went well.
    pub const fn success(packet_id: PacketId) -> Self {
        Self { packet_id, reason: ReasonCode::Success, properties: Properties::EMPTY }
    }

    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(kind: AckKind, frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(kind.packet_type(), version)?;
        let mut ack = Self::success(reader.packet_id()?);
        // Under 5.0 a packet may end here, or after the reason code.
        if version.is_v5() && !reader.is_empty() {
            ack.reason = ReasonCode::read(&mut reader, kind.packet_type())?;
            // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
            kind.check(ack.reason)?;
            if !reader.is_empty() {
                ack.properties = reader.properties(version, kind.place())?;
            }
        }
        reader.finish()?;
        Ok(ack)
    }

    /// Appends the packet in its shortest form to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode_to(
        &self,
        kind: AckKind,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let with_reason = self.reason != ReasonCode::Success;
        if self.properties.is_empty() && !with_reason {
            encode_short(kind, self.packet_id, out);
            return Ok(());
        }
        if with_reason && !version.is_v5() {
            return Err(EncodeError::NotInVersion("reason codes"));
        }
        kind.check(self.reason)?;
        write_packet(kind.packet_type(), kind.flags(), out, |writer| {
            writer.packet_id(self.packet_id);
            if !version.is_v5() {
                return self.properties.check_absent();
            }
            writer.byte(self.reason.as_u8())?;
            if self.properties.is_empty() {
                return Ok(());
            }
            writer.properties(version, kind.place(), self.properties)
        })
    }
}

/// Reads one of the four bytes that say success in every version; nothing when the packet is longer,
/// or another one.
#[inline]
pub fn decode_short(frame: Frame<'_>) -> Option<(AckKind, PacketId)> {
    let &[high, low] = frame.body else { return None };
    let kind = [AckKind::Puback, AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp]
        .into_iter()
        .find(|kind| frame.first == kind.first_byte())?;
    Some((kind, PacketId::new(u16::from_be_bytes([high, low]))?))
}

/// Appends the four bytes that say success in every version.
#[inline]
pub fn encode_short(kind: AckKind, id: PacketId, out: &mut Vec<u8>) {
    write_short(kind.first_byte(), id, out);
}

/// Appends a PUBREL that is sent again on a connection of MQTT 3.1, which alone marks it with DUP.
#[inline]
pub fn encode_pubrel_again(id: PacketId, out: &mut Vec<u8>) {
    write_short((PacketType::Pubrel as u8) << 4 | 0b1010, id, out);
}

#[inline]
fn write_short(first: u8, id: PacketId, out: &mut Vec<u8>) {
    let [high, low] = id.get().to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}
