//! The data representations of section 1.5: integers, texts, binary data.
//!
//! Reader and writer name each representation alike, so that the table of properties can name the
//! representation once.

use super::{
    EncodeError, MAXIMUM_REMAINING_LENGTH, PacketId, PacketType, Place, Properties, Version,
    Violation,
};

pub(super) const OVERRUN: Violation =
    Violation::malformed("that ends in the middle of a field", "");
const TRAILING: Violation = Violation::malformed("with more bytes than belong to it", "");
pub(super) const NOT_UTF8: Violation =
    Violation::malformed("with a text that is not valid UTF-8", "MQTT-1.5.4-1");
pub(super) const NUL: Violation = Violation::malformed("with U+0000 in a text", "MQTT-1.5.4-2");
pub(super) const LONG_VARIABLE: Violation =
    Violation::malformed("with a variable byte integer of more than four bytes", "");
pub(super) const PADDED_VARIABLE: Violation = Violation::malformed(
    "with a variable byte integer in more bytes than it needs",
    "MQTT-1.5.5-1",
);

/// The value of a variable byte integer and the number of its bytes; nothing while its last byte has
/// not arrived.
#[inline]
pub(super) fn read_variable(input: &[u8]) -> Result<Option<(u32, usize)>, Violation> {
    let mut value = 0;
    for (at, &byte) in input.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte < 0x80 {
            // [MQTT-1.5.5-1] The table of lengths in 3.1 and 3.1.1 leaves no room for padding either.
            if byte == 0 && at > 0 {
                return Err(PADDED_VARIABLE);
            }
            return Ok(Some((value, at + 1)));
        }
    }
    if input.len() < 4 { Ok(None) } else { Err(LONG_VARIABLE) }
}

/// How many bytes a variable byte integer takes.
#[inline]
pub(super) const fn variable_length(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Takes the fields off a packet's body, front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    packet: PacketType,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) const fn new(packet: PacketType, body: &'a [u8]) -> Self {
        Self { rest: body, packet }
    }

    #[cold]
    fn overrun(&self) -> Violation {
        OVERRUN.on(self.packet)
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    #[inline]
    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything that is left.
    #[inline]
    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Ends the packet: nothing may be left.
    #[inline]
    pub(super) fn finish(self) -> Result<(), Violation> {
        if self.rest.is_empty() { Ok(()) } else { Err(TRAILING.on(self.packet)) }
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Violation> {
        let Some((field, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.overrun());
        };
        self.rest = rest;
        Ok(field)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let Some((field, rest)) = self.rest.split_first_chunk() else {
            return Err(self.overrun());
        };
        self.rest = rest;
        Ok(*field)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Violation> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn two_byte(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn four_byte(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn variable(&mut self) -> Result<u32, Violation> {
        match read_variable(self.rest) {
            Ok(Some((value, length))) => {
                self.take(length)?;
                Ok(value)
            }
            Ok(None) => Err(self.overrun()),
            Err(violation) => Err(violation.on(self.packet)),
        }
    }

    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], Violation> {
        let length = self.two_byte()?;
        self.take(length.into())
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Violation> {
        let bytes = self.binary()?;
        // [MQTT-1.5.4-1] What is valid UTF-8 holds no surrogates. U+FEFF stays, wherever it
        // stands [MQTT-1.5.4-3].
        let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8.on(self.packet))?;
        // [MQTT-1.5.4-2]
        if bytes.contains(&0) {
            return Err(NUL.on(self.packet));
        }
        Ok(text)
    }

    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<PacketId, Violation> {
        const CUT_OFF: &str = "that ends before the end of its packet id";
        let number = self.two_byte().map_err(|violation| violation.said(CUT_OFF))?;
        PacketId::new(number).ok_or_else(|| self.zero_id())
    }

    #[cold]
    fn zero_id(&self) -> Violation {
        let statement = match self.packet {
            // Of a client's PUBLISH it is [MQTT-2.2.1-3] that says so.
            PacketType::Publish => "MQTT-2.2.1-4",
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                "MQTT-2.2.1-5"
            }
            PacketType::Suback | PacketType::Unsuback => "MQTT-2.2.1-6",
            _ => "MQTT-2.2.1-3",
        };
        Violation::protocol_error("with packet id 0", statement).on(self.packet)
    }

    /// The property length and the properties behind it; nothing at all before 5.0.
    #[inline]
    pub(super) fn properties(
        &mut self,
        version: Version,
        place: Place,
    ) -> Result<Properties<'a>, Violation> {
        if !version.is_v5() {
            return Ok(Properties::EMPTY);
        }
        let length = self.variable().map_err(in_property_length)?;
        if length == 0 {
            return Ok(Properties::EMPTY);
        }
        const TOO_LONG: &str = "with a property length that goes beyond its end";
        let raw = self.take(length as usize).map_err(|violation| violation.said(TOO_LONG))?;
        Properties::parse(raw, place)
    }
}

#[cold]
fn in_property_length(violation: Violation) -> Violation {
    violation.said(match (Violation { packet: None, ..violation }) {
        LONG_VARIABLE => "with a property length of more than four bytes",
        PADDED_VARIABLE => "with a property length in more bytes than it needs",
        _ => "that ends before the end of its property length",
    })
}

/// Appends fields to a buffer.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    packet: Option<PacketType>,
}

impl<'o> Writer<'o> {
    /// A writer of fields that stand in no packet yet.
    #[inline]
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, packet: None }
    }

    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn byte(&mut self, value: u8) -> Result<(), EncodeError> {
        self.out.push(value);
        Ok(())
    }

    #[inline]
    pub(super) fn two_byte(&mut self, value: u16) -> Result<(), EncodeError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    #[inline]
    pub(super) fn four_byte(&mut self, value: u32) -> Result<(), EncodeError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    #[inline]
    pub(super) fn variable(&mut self, value: u32) -> Result<(), EncodeError> {
        if value > MAXIMUM_REMAINING_LENGTH {
            return Err(EncodeError::PacketTooLarge);
        }
        let mut rest = value;
        while rest > 0x7F {
            self.out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
        Ok(())
    }

    #[inline]
    pub(super) fn binary(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let length = u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong)?;
        self.two_byte(length)?;
        self.raw(bytes);
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        // [MQTT-1.5.4-2]
        if text.as_bytes().contains(&0) {
            return Err(Violation { packet: self.packet, ..NUL }.into());
        }
        self.binary(text.as_bytes())
    }

    #[inline]
    pub(super) fn packet_id(&mut self, id: PacketId) {
        self.raw(&id.get().to_be_bytes());
    }

    /// The property length and the properties; before 5.0 there must be none, and none are written.
    pub(super) fn properties(
        &mut self,
        version: Version,
        place: Place,
        properties: Properties<'_>,
    ) -> Result<(), EncodeError> {
        if !version.is_v5() {
            return properties.check_absent();
        }
        properties.check_place(place)?;
        // [MQTT-2.2.2-1] The length is there even when it is zero.
        let bytes = properties.as_bytes();
        self.variable(u32::try_from(bytes.len()).map_err(|_| EncodeError::PacketTooLarge)?)?;
        self.raw(bytes);
        Ok(())
    }
}

/// Appends a packet whose body `body` writes. On an error `out` is as it was.
///
/// For every packet but the hot ones: the length is known when the body stands behind it, so a body
/// of 128 bytes or more is moved once to make room for it.
pub(super) fn write_packet(
    packet: PacketType,
    flags: u8,
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[(packet as u8) << 4 | flags, 0]);
    let written = body(&mut Writer { out, packet: Some(packet) })
        .and_then(|()| write_remaining_length(start + 1, out));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_remaining_length(at: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let remaining = out.len() - at - 1;
    if let short @ 0..=0x7F = remaining {
        out[at] = short as u8;
        return Ok(());
    }
    let mut length = Vec::with_capacity(4);
    let value = u32::try_from(remaining).map_err(|_| EncodeError::PacketTooLarge)?;
    Writer::new(&mut length).variable(value)?;
    out.splice(at..=at, length);
    Ok(())
}
