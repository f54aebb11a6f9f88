//! What a log begins with: whose it is, and what it follows.

use super::frame::checksum;
use crate::engine::UnixMillis;

/// What every file of ours begins with.
const MAGIC: [u8; 8] = *b"MQTTSESS";

/// The format of the whole directory. A new kind of frame or record is a new format.
pub(super) const FORMAT: u32 = 1;

/// Magic, format, the length of the rest, and the CRC of these. Every later format keeps this much.
const FIXED: usize = 20;

/// More than the longest client id and the longest name of a machine.
const LONGEST: usize = 2 * (2 + 65_535) + 64;

/// What comes before a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Start {
    /// The log before it, or the base into which that was folded.
    Continued = 0,
    /// Nothing: the store was made.
    New = 1,
    /// Nothing that counts: the store was cleared.
    Cleared = 2,
    /// Nothing that counts: the store was repaired, and what could be read is here.
    Repaired = 3,
}

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) start: Start,
    /// The number of the first frame. Frames are counted over all logs.
    pub(super) first: u64,
    /// The chain of the log before.
    pub(super) chain: u32,
    /// What the CRCs of the store's frames begin with.
    pub(super) salt: u32,
    pub(super) created: UnixMillis,
    pub(super) client_id: String,
    /// The life of the machine in which it was made.
    pub(super) machine: String,
}

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The file ends within it.
    CutOff,
    /// It was ours.
    Damaged,
    /// A later format.
    Newer,
    /// It was never ours.
    Strange,
}

impl Header {
    /// Its bytes, of which the last four are the chain of the first frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        rest.push(self.start as u8);
        rest.extend_from_slice(&self.number.to_le_bytes());
        rest.extend_from_slice(&self.first.to_le_bytes());
        rest.extend_from_slice(&self.chain.to_le_bytes());
        rest.extend_from_slice(&self.salt.to_le_bytes());
        rest.extend_from_slice(&self.created.to_le_bytes());
        for text in [&self.client_id, &self.machine] {
            let length = u16::try_from(text.len()).expect("at most 65,535 bytes");
            rest.extend_from_slice(&length.to_le_bytes());
            rest.extend_from_slice(text.as_bytes());
        }
        let length = u32::try_from(rest.len() + 4).expect("at most LONGEST");
        let mut bytes = fixed(FORMAT, length);
        bytes.extend_from_slice(&rest);
        let crc = checksum(0, &[&bytes]);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads one, with its length and the chain of the first frame; `take` gives the first so many bytes
    /// of the file, or nothing when it has fewer.
    pub(super) fn decode<E: From<Flaw>>(
        mut take: impl FnMut(usize) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(Self, usize, u32), E> {
        let Some(head) = take(FIXED)? else { return Err(Flaw::CutOff.into()) };
        let short = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let (format, length) = (short(8), short(12));
        let expected = fixed(format, length);
        if head != expected {
            // Damage rarely hits the magic and the CRC both.
            let ours = head[..8] == MAGIC || head[16..] == expected[16..];
            return Err(if ours { Flaw::Damaged } else { Flaw::Strange }.into());
        }
        if format > FORMAT {
            return Err(Flaw::Newer.into());
        }
        let length = length as usize;
        if length > LONGEST {
            return Err(Flaw::Damaged.into());
        }
        let Some(bytes) = take(FIXED + length)? else { return Err(Flaw::CutOff.into()) };
        let (header, chain) = Self::read(&bytes).ok_or(Flaw::Damaged)?;
        Ok((header, bytes.len(), chain))
    }

    fn read(bytes: &[u8]) -> Option<(Self, u32)> {
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        let chain = u32::from_le_bytes(*crc);
        if checksum(0, &[checked]) != chain {
            return None;
        }
        let mut rest = checked.get(FIXED..)?;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(taken)
        };
        let all = [Start::Continued, Start::New, Start::Cleared, Start::Repaired];
        let start = take(1).and_then(|byte| all.into_iter().find(|s| *s as u8 == byte[0]))?;
        let number = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let first = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let chain_before = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let salt = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let created = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let mut text = || {
            let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
            std::str::from_utf8(take(length.into())?).ok().map(str::to_owned)
        };
        let (client_id, machine) = (text()?, text()?);
        let header =
            Self { number, start, first, chain: chain_before, salt, created, client_id, machine };
        rest.is_empty().then_some((header, chain))
    }
}

/// The part of fixed length.
fn fixed(format: u32, length: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    let crc = checksum(0, &[&bytes]);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<(Header, usize, u32), Flaw> {
        Header::decode(|length| Ok::<_, Flaw>(bytes.get(..length).map(<[u8]>::to_vec)))
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_every_damage_is_seen() {
        let header = Header {
            number: 3,
            start: Start::Repaired,
            first: 9,
            chain: 8,
            salt: 7,
            created: 6,
            client_id: "cliënt".to_owned(),
            machine: "m".to_owned(),
        };
        let bytes = header.encode();
        let chain = u32::from_le_bytes(*bytes.last_chunk().unwrap());
        assert_eq!(decode(&bytes), Ok((header, bytes.len(), chain)));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), Err(Flaw::CutOff));
        }
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(decode(&damaged), Err(Flaw::Damaged), "bit {at}");
        }
        assert_eq!(decode(&fixed(FORMAT + 1, 7)), Err(Flaw::Newer));
        assert_eq!(decode(&[b'#'; 100]), Err(Flaw::Strange));
    }
}
