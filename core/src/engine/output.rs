//! What is to be written next: one buffer of encoded packets, with large payloads beside it.

use std::io::IoSlice;

use bytes::Bytes;

/// A payload from this size on is queued beside the buffer as shared bytes instead of being copied
/// into it: below it, a copy costs less than a slice more in the system call.
pub const LARGE_PAYLOAD: usize = 16 << 10;

/// The most slices given to one vectored write; systems allow at least this many.
const SLICES: usize = 64;

/// Encoded bytes in the order in which they must leave.
///
/// The whole value is swapped out of the engine by whoever writes it, so that encoding goes on
/// while the system call runs.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Payloads that belong in front of the byte at this position of `bytes`.
    large: Vec<(usize, Bytes)>,
    large_length: usize,
    /// How much of it has been written.
    written: usize,
    /// The messages of QoS 0 in it, which end when it has been written.
    pub(super) qos0: Numbers,
    /// The last batch of records that has to be stored before any of it may leave.
    gate: u64,
    /// It holds a PINGREQ.
    pub(super) holds_ping: bool,
}

impl Output {
    /// The bytes that are still to be written.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.large_length - self.written
    }

    /// The bytes without the large payloads.
    pub(super) fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer to encode into.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What it holds follows from the records of this batch, and leaves only when they have been stored.
    #[inline]
    pub(super) fn require(&mut self, batch: u64) {
        self.gate = self.gate.max(batch);
    }

    /// The last batch that it depends on; 0 for none.
    #[inline]
    pub(super) fn gate(&self) -> u64 {
        self.gate
    }

    pub(super) fn push_large(&mut self, payload: Bytes) {
        self.large_length += payload.len();
        self.large.push((self.bytes.len(), payload));
    }

    /// Calls `write` with the slices that are next; its answer is how many bytes it took.
    pub fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        if self.large.is_empty() {
            return write(&[IoSlice::new(&self.bytes[self.written..])]);
        }
        let mut slices = Vec::with_capacity(SLICES.min(2 * self.large.len() + 1));
        let mut skip = self.written;
        let mut from = 0;
        let tail = (self.bytes.len(), &[][..]);
        let large = self.large.iter().map(|(at, payload)| (*at, &payload[..]));
        for (at, payload) in large.chain([tail]) {
            for part in [&self.bytes[from..at], payload] {
                let skipped = skip.min(part.len());
                skip -= skipped;
                if skipped < part.len() {
                    slices.push(IoSlice::new(&part[skipped..]));
                }
            }
            from = at;
            if slices.len() + 2 > SLICES {
                break;
            }
        }
        write(&slices)
    }

    /// All that it holds, in order, with what may have been written.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (self.bytes.len(), &[][..]);
        let large = self.large.iter().map(|(at, payload)| (*at, &payload[..]));
        let mut from = 0;
        large.chain([tail]).flat_map(move |(at, payload)| {
            let before = &self.bytes[std::mem::replace(&mut from, at)..at];
            [before, payload].into_iter().filter(|part| !part.is_empty())
        })
    }

    /// Counts bytes as written.
    pub fn advance(&mut self, written: usize) {
        self.written += written;
        debug_assert!(self.written <= self.bytes.len() + self.large_length);
    }

    /// Empties it and keeps the memory for reuse, up to `keep` bytes.
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.large.clear();
        self.large.shrink_to(keep / 64);
        self.large_length = 0;
        self.written = 0;
        self.gate = 0;
        self.holds_ping = false;
        self.qos0.clear();
    }
}

impl From<Vec<Bytes>> for Output {
    /// These bytes one after the other, none of them copied.
    fn from(parts: Vec<Bytes>) -> Self {
        let mut output = Self::default();
        parts.into_iter().for_each(|part| output.push_large(part));
        output
    }
}

/// Message numbers in ascending order, as runs of consecutive ones, and the bytes of the messages.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    runs: Vec<(u64, u64)>,
    bytes: usize,
}

impl Numbers {
    /// Adds a number above all others, of a message with so many bytes.
    #[inline]
    pub(super) fn push(&mut self, number: u64, bytes: usize) {
        self.bytes += bytes;
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.runs.push((number, number)),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.runs.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The bytes of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.runs.first().map(|(first, _)| *first)
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.runs.last().map(|(_, last)| *last)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let run = self.runs.partition_point(|(_, last)| *last < number);
        self.runs.get(run).is_some_and(|(first, _)| *first <= number)
    }

    /// The numbers from this one on.
    pub(super) fn iter_from(&self, number: u64) -> impl Iterator<Item = u64> {
        let run = self.runs.partition_point(move |(_, last)| *last < number);
        self.runs[run..].iter().flat_map(move |&(first, last)| first.max(number)..=last)
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.bytes = 0;
    }

    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to(16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(output: &Output) -> Vec<u8> {
        output.with_slices(|slices| slices.concat_bytes())
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for [IoSlice<'_>] {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|slice| slice.iter().copied()).collect()
        }
    }

    #[test]
    fn numbers_are_those_that_were_added() {
        let mut numbers = Numbers::default();
        let added = [3, 4, 5, 9, 12, 13];
        added.into_iter().for_each(|number| numbers.push(number, 10));
        assert_eq!((numbers.len(), numbers.bytes()), (6, 60));
        assert_eq!(numbers.runs, [(3, 5), (9, 9), (12, 13)]);
        for number in 0..20 {
            assert_eq!(numbers.contains(number), added.contains(&number), "{number}");
            let from: Vec<u64> = added.into_iter().filter(|&n| n >= number).collect();
            assert_eq!(numbers.iter_from(number).collect::<Vec<_>>(), from);
        }
        assert_eq!((numbers.first(), numbers.last()), (Some(3), Some(13)));
    }

    #[test]
    fn large_payloads_keep_their_place_at_every_split() {
        let mut output = Output::default();
        output.buffer().extend_from_slice(b"ab");
        output.push_large(Bytes::from_static(b"CDE"));
        output.push_large(Bytes::from_static(b"F"));
        output.buffer().extend_from_slice(b"gh");
        output.push_large(Bytes::from_static(b"IJ"));
        let whole = b"abCDEFghIJ";
        for written in 0..whole.len() {
            assert_eq!(output.len(), whole.len() - written);
            assert_eq!(flat(&output), &whole[written..]);
            assert_eq!(output.parts().collect::<Vec<_>>().concat(), whole);
            output.advance(1);
        }
        assert!(output.is_empty());
        output.clear(0);
        assert_eq!(flat(&output), b"");
        let shared = Output::from(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]);
        assert_eq!((flat(&shared), shared.len()), (b"abc".to_vec(), 3));
    }
}
