//! Takes the parts of a packet off its bytes, strictly.

use std::{error::Error, fmt};

/// Why bytes are not a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed: {}", self.0)
    }
}

impl Error for Malformed {}

/// What has not been read yet.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| {
            Malformed::new(format!("cut short: {count} bytes wanted, {} there", self.0.len()))
        })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn two(&mut self) -> Result<u16, Malformed> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn four(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from(self.two()?) << 16 | u32::from(self.two()?))
    }

    /// A packet id, which is never 0 [MQTT-2.2.1-3].
    pub(crate) fn id(&mut self) -> Result<u16, Malformed> {
        match self.two()? {
            0 => Err(Malformed::new("the packet id is 0")),
            id => Ok(id),
        }
    }

    pub(crate) fn variable(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                // The encoded value must use the least number of bytes [MQTT-1.5.5-1].
                return match byte == 0 && shift > 0 {
                    true => Err(Malformed::new("a number takes more bytes than it needs")),
                    false => Ok(value),
                };
            }
        }
        Err(Malformed::new("a number of more than four bytes"))
    }

    pub(crate) fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.two()?;
        self.bytes(length.into())
    }

    /// UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.counted()?;
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => Err(Malformed::new("a text with U+0000")),
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Malformed::new("a text that is not UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
            let bytes = crate::wire::variable(value as usize);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.variable(), Ok(value));
            assert!(reader.is_empty());
        }
        assert_eq!(Reader::new(&[1, 2, 3, 4]).four(), Ok(0x0102_0304));
    }

    #[test]
    fn what_breaks_a_rule_is_malformed() {
        assert!(Reader::new(&[0x80, 0x00]).variable().is_err(), "more bytes than needed");
        assert!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 1]).variable().is_err(), "five bytes");
        assert!(Reader::new(&[0, 2, b'a']).text().is_err(), "cut short");
        assert!(Reader::new(&[0, 1, 0]).text().is_err(), "U+0000");
        assert!(Reader::new(&[0, 2, 0xC0, 0x80]).text().is_err(), "overlong UTF-8");
        assert!(Reader::new(&[0, 3, 0xED, 0xA0, 0x80]).text().is_err(), "a surrogate");
        assert!(Reader::new(&[0, 0]).id().is_err(), "packet id 0");
    }
}
