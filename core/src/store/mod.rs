//! Where unfinished messages survive the process: what a session needs of a store, the store on disk,
//! and a look into one that no session has open.
//!
//! The records are the engine's ([`Record`](crate::engine::Record)); a store keeps them in their order,
//! gives back what they come to, and knows nothing of MQTT beyond that.

mod disk;
mod file;
mod look;
mod simulated;

use crate::{engine::Output, error::Result};

pub use disk::{Disk, DiskOptions};
pub use file::{File, FileSystem, SystemFiles};
pub use look::{Store, StoreSummary, StoredMessage, StoredState, stores};
pub use simulated::{Fault, SimulatedFiles};

/// What a session needs of a store. Any thread may call it; `append` is called by one at a time.
pub trait Storage: Send + Sync {
    /// Writes a batch of records behind all that was written before. When it returns the bytes are with
    /// the operating system: they survive the process, not yet the machine. After an error nothing of the
    /// batch counts as written, and the same batch may be offered again.
    ///
    /// # Errors
    /// `STORE_FULL`, `STORE_READ_ONLY`, `STORE_FAILED`.
    fn append(&self, batch: &Output) -> Result<()>;

    /// Returns when everything that `append` had written before the call survives the machine, too. May
    /// run beside `append`.
    ///
    /// # Errors
    /// `STORE_FAILED`: what had been written since the last success may be lost with the machine, and
    /// nothing more can be written by this object (a disk that failed to take something may have
    /// forgotten that it did). Opening the store anew shows what it holds.
    fn sync(&self) -> Result<()>;

    /// Makes the store smaller where that is worth it. Called on a thread that may wait, when there is
    /// nothing to write; never needed for `append` and `sync` to be right.
    ///
    /// # Errors
    /// `STORE_FULL`, `STORE_FAILED`; the store is as good as before.
    fn tidy(&self) -> Result<()>;

    /// Writes that the session ended in good order, syncs, and lets go of the store. Nothing may be called
    /// afterwards. Dropping it without this leaves the store as the death of the process would.
    ///
    /// # Errors
    /// Those of `append` and `sync`.
    fn close(&self) -> Result<()>;

    /// Whether a sync has failed, after which nothing more can be written.
    fn is_failed(&self) -> bool;

    /// How many bytes its files take.
    fn size(&self) -> u64;
}
