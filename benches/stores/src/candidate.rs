//! What every candidate has to do, in the words of the library's journal.

use std::{error::Error, path::Path};

/// Whatever a library calls an error; the report quotes it.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One change of what has to survive.
pub enum Change<'a> {
    /// A message has been accepted.
    Insert(u64, &'a [u8]),
    /// It may have been sent, under this packet id.
    Launch(u64, u16),
    /// It has ended.
    Remove(u64),
}

/// When [`Candidate::apply`] returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// When the changes survive the machine.
    Synced,
    /// When the candidate says that they are written; whether they survive the process is asked.
    Written,
}

/// A store with a single writer, as a session is one.
pub trait Candidate {
    /// Makes all of these changes or none. None of the candidates gathers what several threads write
    /// at once into one sync by itself, so the library does: what came during a sync is the next batch.
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()>;

    /// Visits the messages that have not ended.
    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()>;
}

/// The names under which [`open`] knows them; what was not compiled is missing.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "redb")]
    "redb",
    #[cfg(feature = "fjall")]
    "fjall",
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "sqlite")]
    "sqlite-normal",
    #[cfg(feature = "ours")]
    "ours",
];

/// Opens a candidate in an existing directory, with little cache: a session's store is written, and
/// read once.
pub fn open(name: &str, directory: &Path, level: Level) -> Result<Box<dyn Candidate>> {
    Ok(match name {
        #[cfg(feature = "redb")]
        "redb" => Box::new(crate::redb::Redb::open(directory, level)?),
        #[cfg(feature = "fjall")]
        "fjall" => Box::new(crate::fjall::Fjall::open(directory, level)?),
        #[cfg(feature = "sqlite")]
        "sqlite" => Box::new(crate::sqlite::Sqlite::open(
            directory,
            if level == Level::Synced { "FULL" } else { "OFF" },
        )?),
        #[cfg(feature = "sqlite")]
        "sqlite-normal" => Box::new(crate::sqlite::Sqlite::open(directory, "NORMAL")?),
        #[cfg(feature = "ours")]
        "ours" => Box::new(crate::ours::Ours::open(directory, level)?),
        _ => return Err(format!("{name} is not compiled in").into()),
    })
}
