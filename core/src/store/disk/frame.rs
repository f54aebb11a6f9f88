//! The frame round each batch of records in a log.
//!
//! ```text
//!   0      3      4       8          16       24     32       40            44             48
//!   ├──────┼──────┼───────┼──────────┼────────┼──────┼────────┼─────────────┼──────────────┼─────────
//!   │magic │ kind │ chain │ sequence │ synced │ time │ length │ payload CRC │ header's CRC │ payload
//! ```
//!
//! `chain` is the header's CRC of the frame before (of the first: of the log's header), so that a frame
//! that an earlier life of the store has left behind cannot follow a new one. `synced` is the last frame
//! that was known to have been synced when this one was written: a hole below it is damage, one above it
//! what a loss of power leaves. The CRCs begin with the store's salt: a payload that looks like a frame is
//! none.

use crc32fast::Hasher;

use crate::engine::UnixMillis;

/// The bytes in front of a payload.
pub(super) const HEAD: usize = 48;

/// What a scan looks for.
pub(super) const MAGIC: [u8; 3] = [0xF7, b'm', b'q'];

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A batch of records.
    Batch = 1,
    /// The store was opened; in this life of the machine.
    Opened = 2,
    /// The session has ended in good order.
    Closed = 3,
}

impl Kind {
    /// Nothing for one that a newer version of the library has written.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Batch, Self::Opened, Self::Closed].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What stands in front of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) chain: u32,
    pub(super) sequence: u64,
    pub(super) synced: u64,
    pub(super) time: UnixMillis,
    pub(super) length: u64,
    pub(super) payload_crc: u32,
}

impl Head {
    /// Its bytes, of which the last four are what the next frame has as `chain`.
    pub(super) fn encode(&self, salt: u32) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..3].copy_from_slice(&MAGIC);
        bytes[3] = self.kind;
        bytes[4..8].copy_from_slice(&self.chain.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.synced.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.time.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.length.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = checksum(salt, &[&bytes[..44]]);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Nothing when these bytes are not the head of a frame of this store.
    pub(super) fn decode(bytes: &[u8; HEAD], salt: u32) -> Option<Self> {
        if bytes[..3] != MAGIC || checksum(salt, &[&bytes[..44]]) != crc_of(bytes) {
            return None;
        }
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        let short = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        Some(Self {
            kind: bytes[3],
            chain: short(4),
            sequence: number(8),
            synced: number(16),
            time: number(24),
            length: number(32),
            payload_crc: short(40),
        })
    }
}

/// The CRC of a head itself.
pub(super) fn crc_of(head: &[u8; HEAD]) -> u32 {
    u32::from_le_bytes([head[44], head[45], head[46], head[47]])
}

/// The CRC of bytes that stand in pieces.
pub(super) fn checksum(salt: u32, pieces: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_no_other_way() {
        let head = Head {
            kind: Kind::Batch as u8,
            chain: 1,
            sequence: 2,
            synced: 3,
            time: 4,
            length: 5,
            payload_crc: 6,
        };
        let bytes = head.encode(7);
        assert_eq!(Head::decode(&bytes, 7), Some(head));
        assert_eq!(Head::decode(&bytes, 8), None, "another store's");
        for at in 0..HEAD * 8 {
            let mut damaged = bytes;
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(Head::decode(&damaged, 7), None, "bit {at}");
        }
        assert_eq!(Kind::from_byte(3), Some(Kind::Closed));
        assert_eq!(Kind::from_byte(4), None);
    }
}
