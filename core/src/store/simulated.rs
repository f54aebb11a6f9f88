//! Files in memory that fail as real ones do: full, read-only, with writes that were torn or lost because
//! nobody had synced them. What a store does on them is what it does on a disk; tests decide when the
//! power goes.

/// A file system in memory. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct SimulatedFiles {}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// So many more bytes can be written; what goes beyond is written in part, and fails.
    Full(u64),
    /// Nothing can be written.
    ReadOnly,
    /// Syncing fails, once.
    Sync,
}

impl SimulatedFiles {
    /// From now on this goes wrong; `None` makes everything well again.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let _ = fault;
        todo!()
    }

    /// The process dies: what was written stays, locks are gone, and objects made before have no effect
    /// any more.
    pub fn kill(&self) {
        todo!()
    }

    /// The machine goes down: of what was not synced, `survives` decides for each write whether it reached
    /// the disk whole, in part (its first bytes; a part of a write is a multiple of 512 bytes or ends where the write
    /// ends) or not at all, whatever the order. Locks are gone, and [`machine`](super::FileSystem::machine)
    /// is another.
    pub fn cut_power(&self, survives: &mut dyn FnMut(usize) -> usize) {
        let _ = survives;
        todo!()
    }

    /// How many times something was synced.
    pub fn syncs(&self) -> u64 {
        todo!()
    }
}
