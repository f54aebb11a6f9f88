//! A descriptor that is readable while something is queued, for the event loops of others.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use crate::error::{Code, Error, Result};

/// A pipe with one byte in it, or none; so neither end ever blocks.
pub(super) struct Readiness {
    reader: PipeReader,
    writer: PipeWriter,
    set: bool,
}

impl Readiness {
    pub(super) fn new() -> Result<Self> {
        let (reader, writer) = pipe().map_err(|error| {
            Error::new(Code::OutOfMemory, "The descriptor could not be made").with_source(error)
        })?;
        Ok(Self { reader, writer, set: false })
    }

    pub(super) fn set(&mut self) {
        if !self.set {
            self.set = self.writer.write_all(&[1]).is_ok();
        }
    }

    pub(super) fn clear(&mut self) {
        if self.set {
            self.set = self.reader.read_exact(&mut [0]).is_err();
        }
    }

    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd;
        self.reader.as_raw_fd()
    }
}
