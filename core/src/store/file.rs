//! What a store needs of a file system, and the real one. The simulated one can lose what was not synced.

mod lock;
mod system;

use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use system::SystemFiles;

use crate::error::Result;

/// A directory tree as a store sees it.
pub trait FileSystem: Debug + Send + Sync + 'static {
    /// Opens a file for reading and writing, and makes it where it is missing and `create` says so.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>>;

    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// The operating system's.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a directory, without the directory's.
    ///
    /// # Errors
    /// The operating system's.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Gives a file another name, in place of one that may have that name.
    ///
    /// # Errors
    /// The operating system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The operating system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes what was created, renamed and removed in a directory survive the machine.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock on a file, for as long as the answer lives. No other process and nobody else in
    /// this one holds it meanwhile; a child of fork does not inherit it.
    ///
    /// # Errors
    /// `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FAILED`.
    fn lock(&self, path: &Path) -> Result<Box<dyn Send + Sync>>;

    /// Something that differs between two lives of the machine; empty where that cannot be told.
    fn machine(&self) -> String;
}

/// An open file. Positions count from its beginning.
pub trait File: Debug + Send + Sync {
    /// Fills `buffer` from this position.
    ///
    /// # Errors
    /// The operating system's; `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    /// Writes all of these slices from this position on.
    ///
    /// # Errors
    /// The operating system's; some of it may have been written.
    fn write_at(&self, slices: &[io::IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Cuts the file off, or lengthens it with zeros.
    ///
    /// # Errors
    /// The operating system's.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn length(&self) -> io::Result<u64>;

    /// Makes what was written survive the machine.
    ///
    /// # Errors
    /// The operating system's.
    fn sync(&self) -> io::Result<()>;
}
