//! UNSUBSCRIBE and UNSUBACK: the client ends subscriptions.

use std::fmt;

use super::{
    EncodeError, Frame, PacketId, PacketType, Place, Properties, Version, Violation,
    subscribe::{check_reasons, request_flags},
    topic,
    wire::{Reader, write_packet},
};

const PACKET: PacketType = PacketType::Unsubscribe;

const NO_FILTER: Violation =
    Violation::protocol_error("without a topic filter", "MQTT-3.10.3-2").on(PACKET);

/// The subscriptions that the client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// UNSUBACK repeats it.
    pub packet_id: PacketId,
    /// User properties.
    pub properties: Properties<'a>,
    /// The filters, letter by letter as they were subscribed to; at least one.
    pub filters: BareFilters<'a>,
}

/// The filters of an UNSUBSCRIBE, as they stand there; all have been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BareFilters<'a> {
    raw: &'a [u8],
}

impl<'a> BareFilters<'a> {
    /// The filters, in the order in which UNSUBACK answers.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let mut reader = Reader::new(PACKET, self.raw);
        std::iter::from_fn(move || reader.text().ok())
    }
}

impl fmt::Debug for BareFilters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Unsubscribe<'a> {
    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PACKET, version)?;
        let packet_id = reader.packet_id()?;
        let properties = reader.properties(version, Place::Unsubscribe)?;
        let filters = BareFilters { raw: reader.rest() };
        // [MQTT-3.10.3-2]
        if reader.is_empty() {
            return Err(NO_FILTER);
        }
        while !reader.is_empty() {
            check(reader.binary()?)?;
        }
        Ok(Self { packet_id, properties, filters })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode_unsubscribe(
            version,
            false,
            self.packet_id,
            self.properties,
            self.filters.iter(),
            out,
        )
    }
}

/// Appends an UNSUBSCRIBE with these filters to `out`.
///
/// `duplicate` marks an UNSUBSCRIBE that is sent again; only 3.1 knows the mark, and elsewhere it is
/// not written.
///
/// # Errors
///
/// What the receiver would have to refuse is not written; `out` is then as it was.
pub fn encode_unsubscribe<'f>(
    version: Version,
    duplicate: bool,
    packet_id: PacketId,
    properties: Properties<'_>,
    filters: impl IntoIterator<Item = &'f str>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    write_packet(PACKET, request_flags(version, duplicate), out, |writer| {
        writer.packet_id(packet_id);
        writer.properties(version, Place::Unsubscribe, properties)?;
        let mut filters = filters.into_iter().peekable();
        // [MQTT-3.10.3-2]
        if filters.peek().is_none() {
            return Err(NO_FILTER.into());
        }
        filters.try_for_each(|filter| {
            check(filter.as_bytes())?;
            writer.binary(filter.as_bytes())
        })
    })
}

fn check(filter: &[u8]) -> Result<(), Violation> {
    // [MQTT-3.10.3-1]
    topic::check_filter(filter).map(|_| ()).map_err(|error| error.violation().on(PACKET))
}

/// The server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// Reason string and user properties.
    pub properties: Properties<'a>,
    /// Under 5.0 a reason code for each filter, in their order; before it none.
    pub codes: &'a [u8],
}

impl<'a> Unsuback<'a> {
    /// Reads the packet. Whether there is a code for each filter is the receiver's to compare.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PacketType::Unsuback, version)?;
        let packet_id = reader.packet_id()?;
        let properties = reader.properties(version, Place::Unsuback)?;
        if !version.is_v5() {
            reader.finish()?;
            return Ok(Self { packet_id, properties, codes: &[] });
        }
        let codes = reader.rest();
        // [MQTT-3.11.3-2]
        check_reasons(codes, PacketType::Unsuback)?;
        Ok(Self { packet_id, properties, codes })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if version.is_v5() {
            check_reasons(self.codes, PacketType::Unsuback)?;
        } else if !self.codes.is_empty() {
            return Err(EncodeError::NotInVersion("reason codes"));
        }
        write_packet(PacketType::Unsuback, 0, out, |writer| {
            writer.packet_id(self.packet_id);
            writer.properties(version, Place::Unsuback, self.properties)?;
            writer.raw(self.codes);
            Ok(())
        })
    }
}
