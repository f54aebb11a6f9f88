//! DISCONNECT: the last packet of a connection.

use super::{
    EncodeError, Frame, PacketType, Place, Properties, ReasonCode, Version, Violation,
    wire::write_packet,
};

const PACKET: PacketType = PacketType::Disconnect;

const FOREIGN_REASON: Violation =
    Violation::protocol_error("with a reason code that is not one of its own", "MQTT-3.14.2-1")
        .on(PACKET);

/// One end leaves; before 5.0 only the client can say so, and only in peace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why; always [`ReasonCode::Success`], that is normal disconnection, before 5.0.
    pub reason: ReasonCode,
    /// Session expiry interval, reason string, user properties, server reference.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// Normal disconnection.
    pub const NORMAL: Disconnect<'static> =
        Disconnect { reason: ReasonCode::Success, properties: Properties::EMPTY };

    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PACKET, version)?;
        let mut disconnect = Self::NORMAL;
        // Under 5.0 a packet may be empty, or end after the reason code.
        if version.is_v5() && !reader.is_empty() {
            disconnect.reason = ReasonCode::read(&mut reader, PACKET)?;
            // [MQTT-3.14.2-1]
            if !disconnect.reason.allowed_in(PACKET) {
                return Err(FOREIGN_REASON);
            }
            if !reader.is_empty() {
                disconnect.properties = reader.properties(version, Place::Disconnect)?;
            }
        }
        reader.finish()?;
        Ok(disconnect)
    }

    /// Appends the packet in its shortest form to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        // [MQTT-3.14.2-1]
        if !self.reason.allowed_in(PACKET) {
            return Err(FOREIGN_REASON.into());
        }
        let with_reason = self.reason != ReasonCode::Success;
        if with_reason && !version.is_v5() {
            return Err(EncodeError::NotInVersion("reason codes"));
        }
        write_packet(PACKET, 0, out, |writer| {
            if with_reason || !self.properties.is_empty() && version.is_v5() {
                writer.byte(self.reason.as_u8())?;
            }
            if self.properties.is_empty() {
                return Ok(());
            }
            writer.properties(version, Place::Disconnect, self.properties)
        })
    }
}
