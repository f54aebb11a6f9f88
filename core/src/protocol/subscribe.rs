//! SUBSCRIBE and SUBACK: the client asks for messages, the server grants.

use std::fmt;

use super::{
    EncodeError, Frame, PacketId, PacketType, Place, Properties, QoS, ReasonCode, Version,
    Violation, topic,
    wire::{Reader, Writer, write_packet},
};

const PACKET: PacketType = PacketType::Subscribe;

const NO_FILTER: Violation =
    Violation::protocol_error("without a topic filter", "MQTT-3.8.3-2").on(PACKET);
const RESERVED_BITS: Violation =
    Violation::malformed("with reserved option bits set", "MQTT-3.8.3-5").on(PACKET);
const QOS_3: Violation = Violation::protocol_error("with QoS 3", "").on(PACKET);
const RETAIN_HANDLING_3: Violation =
    Violation::protocol_error("with retain handling 3", "").on(PACKET);
const NO_LOCAL_SHARED: Violation =
    Violation::protocol_error("with no local on a shared subscription", "MQTT-3.8.3-4").on(PACKET);

/// When the server sends the messages that it has kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    Send = 0,
    /// When the subscription did not exist yet.
    SendIfNew = 1,
    /// Never at a SUBSCRIBE.
    DoNotSend = 2,
}

/// How messages are to come; all but the QoS exists in 5.0 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest quality of service.
    pub qos: QoS,
    /// Leave out what this very client publishes.
    pub no_local: bool,
    /// Leave the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// When to send the messages that the server has kept.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    const QOS: u8 = 0b0000_0011;
    const NO_LOCAL: u8 = 0b0000_0100;
    const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
    const RETAIN_HANDLING_SHIFT: u8 = 4;
    const RESERVED: u8 = 0b1100_0000;

    /// The byte behind a filter. Before 5.0 it is the requested QoS.
    pub const fn to_byte(self) -> u8 {
        let no_local = if self.no_local { Self::NO_LOCAL } else { 0 };
        let retain_as_published =
            if self.retain_as_published { Self::RETAIN_AS_PUBLISHED } else { 0 };
        let retain_handling = (self.retain_handling as u8) << Self::RETAIN_HANDLING_SHIFT;
        self.qos as u8 | no_local | retain_as_published | retain_handling
    }

    /// The options of a byte, if it is valid under 5.0.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::read(byte, Version::V5).ok()
    }

    fn read(byte: u8, version: Version) -> Result<Self, Violation> {
        // [MQTT-3.8.3-5] [3.1.1 MQTT-3.8.3-4]
        let reserved = if version.is_v5() { Self::RESERVED } else { !Self::QOS };
        if byte & reserved != 0 {
            return Err(RESERVED_BITS);
        }
        Ok(Self {
            // Section 3.8.3.1. [3.1.1 MQTT-3.8.3-4]
            qos: QoS::from_u8(byte & Self::QOS).ok_or(QOS_3)?,
            no_local: byte & Self::NO_LOCAL != 0,
            retain_as_published: byte & Self::RETAIN_AS_PUBLISHED != 0,
            retain_handling: match byte >> Self::RETAIN_HANDLING_SHIFT {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(RETAIN_HANDLING_3),
            },
        })
    }
}

/// What the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// SUBACK repeats it.
    pub packet_id: PacketId,
    /// The subscription identifier and user properties.
    pub properties: Properties<'a>,
    /// The filters; at least one.
    pub filters: Filters<'a>,
}

/// The filters of a SUBSCRIBE with their options, as they stand there; all have been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a> {
    raw: &'a [u8],
}

impl<'a> Filters<'a> {
    /// Filter and options, in the order in which SUBACK answers.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, SubscriptionOptions)> + Clone + use<'a> {
        let mut reader = Reader::new(PACKET, self.raw);
        std::iter::from_fn(move || {
            let filter = reader.text().ok()?;
            Some((filter, SubscriptionOptions::from_byte(reader.byte().ok()?)?))
        })
    }
}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> Subscribe<'a> {
    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PACKET, version)?;
        let packet_id = reader.packet_id()?;
        let properties = reader.properties(version, Place::Subscribe)?;
        let filters = Filters { raw: reader.rest() };
        // [MQTT-3.8.3-2]
        if reader.is_empty() {
            return Err(NO_FILTER);
        }
        while !reader.is_empty() {
            let filter = reader.binary()?;
            check(filter, SubscriptionOptions::read(reader.byte()?, version)?)?;
        }
        Ok(Self { packet_id, properties, filters })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode_subscribe(version, false, self.packet_id, self.properties, self.filters.iter(), out)
    }
}

/// Appends a SUBSCRIBE with these filters to `out`.
///
/// `duplicate` marks a SUBSCRIBE that is sent again; only 3.1 knows the mark, and elsewhere it is not
/// written.
///
/// # Errors
///
/// What the receiver would have to refuse is not written; `out` is then as it was.
pub fn encode_subscribe<'f>(
    version: Version,
    duplicate: bool,
    packet_id: PacketId,
    properties: Properties<'_>,
    filters: impl IntoIterator<Item = (&'f str, SubscriptionOptions)>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    write_packet(PACKET, request_flags(version, duplicate), out, |writer| {
        writer.packet_id(packet_id);
        writer.properties(version, Place::Subscribe, properties)?;
        let mut filters = filters.into_iter().peekable();
        // [MQTT-3.8.3-2]
        if filters.peek().is_none() {
            return Err(NO_FILTER.into());
        }
        filters.try_for_each(|(filter, options)| write_filter(writer, version, filter, options))
    })
}

fn write_filter(
    writer: &mut Writer<'_>,
    version: Version,
    filter: &str,
    options: SubscriptionOptions,
) -> Result<(), EncodeError> {
    check(filter.as_bytes(), options)?;
    let byte = options.to_byte();
    if !version.is_v5() && byte != options.qos as u8 {
        return Err(EncodeError::NotInVersion("subscription options besides the QoS"));
    }
    writer.binary(filter.as_bytes())?;
    writer.byte(byte)
}

fn check(filter: &[u8], options: SubscriptionOptions) -> Result<(), Violation> {
    // [MQTT-3.8.3-1]
    let filter = topic::check_filter(filter).map_err(|error| error.violation().on(PACKET))?;
    // [MQTT-3.8.3-4]
    if options.no_local && topic::share_filter(filter).is_some() {
        return Err(NO_LOCAL_SHARED);
    }
    Ok(())
}

/// The flags of SUBSCRIBE [MQTT-3.8.1-1] and UNSUBSCRIBE [MQTT-3.10.1-1]: under 3.1 they are QoS 1 and
/// DUP.
pub(super) fn request_flags(version: Version, duplicate: bool) -> u8 {
    if duplicate && version == Version::V31 { 0b1010 } else { 0b0010 }
}

/// What the server grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Reason string and user properties.
    pub properties: Properties<'a>,
    /// One for each filter, in their order: the granted QoS, or from 0x80 up why there is none. 3.1.1
    /// has 0x80 only, 3.1 cannot refuse.
    pub codes: &'a [u8],
}

impl<'a> Suback<'a> {
    /// Reads the packet. Whether there is a code for each filter is the receiver's to compare.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PacketType::Suback, version)?;
        let packet_id = reader.packet_id()?;
        let properties = reader.properties(version, Place::Suback)?;
        let codes = reader.rest();
        check_suback(codes, version)?;
        Ok(Self { packet_id, properties, codes })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        check_suback(self.codes, version)?;
        write_packet(PacketType::Suback, 0, out, |writer| {
            writer.packet_id(self.packet_id);
            writer.properties(version, Place::Suback, self.properties)?;
            writer.raw(self.codes);
            Ok(())
        })
    }
}

fn check_suback(codes: &[u8], version: Version) -> Result<(), Violation> {
    // [MQTT-3.9.3-2]
    match version {
        Version::V31 => check_returns(codes, |code| code <= 2),
        Version::V311 => check_returns(codes, |code| matches!(code, 0..=2 | 0x80)),
        Version::V5 => check_reasons(codes, PacketType::Suback),
    }
}

/// The return codes of a SUBACK before 5.0.
fn check_returns(codes: &[u8], allowed: impl Fn(u8) -> bool) -> Result<(), Violation> {
    const NONE: Violation = Violation::protocol_error("without a return code", "MQTT-3.8.4-6");
    const FOREIGN: Violation =
        Violation::malformed("with a return code that is not one of its own", "MQTT-3.9.3-2");
    check_codes(codes, PacketType::Suback, NONE, FOREIGN, allowed)
}

/// The reason codes of a SUBACK or UNSUBACK of 5.0.
pub(super) fn check_reasons(codes: &[u8], packet: PacketType) -> Result<(), Violation> {
    let (each, of_its_own) = match packet {
        PacketType::Unsuback => ("MQTT-3.11.3-1", "MQTT-3.11.3-2"),
        _ => ("MQTT-3.8.4-6", "MQTT-3.9.3-2"),
    };
    let none = Violation::protocol_error("without a reason code", each);
    let foreign = Violation::malformed("with a reason code that is not one of its own", of_its_own);
    check_codes(codes, packet, none, foreign, |code| {
        ReasonCode::from_u8(code).is_some_and(|reason| reason.allowed_in(packet))
    })
}

fn check_codes(
    codes: &[u8],
    packet: PacketType,
    none: Violation,
    foreign: Violation,
    allowed: impl Fn(u8) -> bool,
) -> Result<(), Violation> {
    // [MQTT-3.8.4-6] One for each filter, and there was at least one.
    if codes.is_empty() {
        return Err(none.on(packet));
    }
    if codes.iter().all(|&code| allowed(code)) { Ok(()) } else { Err(foreign.on(packet)) }
}
