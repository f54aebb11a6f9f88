//! A log: a header, and frames one behind the other.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    time::SystemTime,
};

use super::{
    super::File,
    base::Source,
    frame::{self, HEAD, Head, Kind},
    header::Header,
};
use crate::engine::UnixMillis;

/// Now.
pub(super) fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What the next frame follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The number of the frame.
    pub(super) sequence: u64,
    /// The chain of the one before.
    pub(super) chain: u32,
    pub(super) salt: u32,
}

/// A log that frames are written to.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) file: Arc<dyn File>,
    pub(super) number: u64,
    /// Where the first frame is, and what it follows.
    first: (u64, Link),
    /// Where the next frame goes.
    pub(super) end: u64,
    pub(super) next: Link,
    /// Something stands behind the end that a failed write has left.
    torn: bool,
}

impl Log {
    /// Begins one in a file whose content does not count.
    pub(super) fn create(file: Arc<dyn File>, header: &Header) -> io::Result<Self> {
        let bytes = header.encode();
        file.set_length(0)?;
        file.write_at(&[IoSlice::new(&bytes)], 0)?;
        let chain = u32::from_le_bytes(*bytes.last_chunk().expect("a header ends with its CRC"));
        let next = Link { sequence: header.first, chain, salt: header.salt };
        let end = bytes.len() as u64;
        Ok(Self { file, number: header.number, first: (end, next), end, next, torn: false })
    }

    /// Goes on with one that has been read.
    pub(super) fn go_on(source: &Source, next: Link) -> Self {
        Self {
            file: source.file.clone(),
            number: source.number,
            first: (source.position, source.first),
            end: source.bytes,
            next,
            torn: false,
        }
    }

    /// What is read when it is folded.
    pub(super) fn into_source(self) -> Source {
        let (position, first) = self.first;
        let (number, end, bytes) = (self.number, self.next.sequence, self.end);
        Source { number, file: self.file, position, first, end, bytes, unsynced: 0 }
    }

    /// Writes a frame. After an error the log is as it was, if need be before the next frame.
    pub(super) fn append(
        &mut self,
        kind: Kind,
        time: UnixMillis,
        synced: u64,
        payload: &[&[u8]],
    ) -> io::Result<()> {
        self.mend()?;
        let length = payload.iter().map(|slice| slice.len() as u64).sum();
        let head = Head {
            kind: kind as u8,
            chain: self.next.chain,
            sequence: self.next.sequence,
            synced,
            time,
            length,
            payload_crc: frame::checksum(self.next.salt, payload),
        }
        .encode(self.next.salt);
        let slices: Vec<_> =
            [&head[..]].iter().chain(payload).map(|slice| IoSlice::new(slice)).collect();
        if let Err(error) = self.file.write_at(&slices, self.end) {
            self.torn = true;
            // Where this fails it is done before the next frame.
            let _ = self.mend();
            return Err(error);
        }
        self.end += HEAD as u64 + length;
        self.next.sequence += 1;
        self.next.chain = frame::crc_of(&head);
        Ok(())
    }

    /// Cuts off what a failed write has left.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_length(self.end)?;
            self.torn = false;
        }
        Ok(())
    }
}

/// How much is read at once.
const CHUNK: u64 = 256 << 10;

/// Writes what a file has from one position on once more. A system whose disk failed to take it may count
/// it as written and have it in memory only, where the process before was told, and this one would not
/// be: a sync would do nothing.
pub(super) fn write_again(file: &dyn File, mut position: u64, end: u64) -> io::Result<()> {
    while position < end {
        let length = (end - position).min(CHUNK);
        let mut bytes = vec![0; usize::try_from(length).expect("no more than CHUNK")];
        file.read_at(&mut bytes, position)?;
        file.write_at(&[IoSlice::new(&bytes)], position)?;
        position += length;
    }
    Ok(())
}

/// Reads a file from one position on.
#[derive(Debug)]
pub(super) struct Reader {
    file: Arc<dyn File>,
    length: u64,
    /// Where the buffer's first byte stands in the file.
    base: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl Reader {
    pub(super) fn new(file: Arc<dyn File>, position: u64) -> io::Result<Self> {
        let length = file.length()?;
        Ok(Self { file, length, base: position, buffer: Vec::new(), taken: 0 })
    }

    pub(super) fn position(&self) -> u64 {
        self.base + self.taken as u64
    }

    pub(super) fn left(&self) -> u64 {
        self.length.saturating_sub(self.position())
    }

    /// The next bytes, which stay the next ones; nothing when the file ends before.
    pub(super) fn peek(&mut self, count: u64) -> io::Result<Option<&[u8]>> {
        if count > self.left() {
            return Ok(None);
        }
        let wanted = usize::try_from(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if self.buffer.len() - self.taken < wanted {
            let position = self.position();
            let length = self.left().min(CHUNK.max(count));
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?, 0);
            self.file.read_at(&mut buffer, position)?;
            (self.buffer, self.base, self.taken) = (buffer, position, 0);
        }
        Ok(Some(&self.buffer[self.taken..self.taken + wanted]))
    }

    pub(super) fn skip(&mut self, count: u64) {
        let count = usize::try_from(count).expect("no more than has been looked at");
        debug_assert!(self.taken + count <= self.buffer.len());
        self.taken += count;
    }
}

/// Why the next bytes of a log are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The file ends within it.
    CutOff,
    /// It is not what was written.
    Damaged,
}

/// What is next in a log.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Frame(Head, &'a [u8]),
    End,
    Hole(Flaw),
}

/// Goes from frame to frame.
#[derive(Debug)]
pub(super) struct Walk {
    reader: Reader,
    pub(super) next: Link,
    /// The frame that was given last.
    given: u64,
}

impl Walk {
    /// Begins behind the header.
    pub(super) fn new(file: Arc<dyn File>, position: u64, next: Link) -> io::Result<Self> {
        Ok(Self { reader: Reader::new(file, position)?, next, given: 0 })
    }

    /// Where the frames that have been given end.
    pub(super) fn position(&self) -> u64 {
        self.reader.position() + self.given
    }

    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        self.reader.skip(std::mem::take(&mut self.given));
        if self.reader.left() == 0 {
            return Ok(Step::End);
        }
        let Some(head) = self.reader.peek(HEAD as u64)? else {
            return Ok(Step::Hole(Flaw::CutOff));
        };
        let bytes: &[u8; HEAD] = head.try_into().expect("so many were asked for");
        let crc = frame::crc_of(bytes);
        let head = Head::decode(bytes, self.next.salt)
            .filter(|head| head.sequence == self.next.sequence && head.chain == self.next.chain);
        let Some(head) = head else { return Ok(Step::Hole(Flaw::Damaged)) };
        let whole = (HEAD as u64).saturating_add(head.length);
        let (salt, next) = (self.next.salt, self.next.sequence + 1);
        let Some(frame) = self.reader.peek(whole)? else {
            return Ok(Step::Hole(Flaw::CutOff));
        };
        let payload = &frame[HEAD..];
        if frame::checksum(salt, &[payload]) != head.payload_crc {
            return Ok(Step::Hole(Flaw::Damaged));
        }
        self.next = Link { sequence: next, chain: crc, salt };
        self.given = whole;
        Ok(Step::Frame(head, payload))
    }
}
