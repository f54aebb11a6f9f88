//! What the program wants of the session, and when a farewell is due.

use std::time::Instant;

use super::Core;
use crate::{
    client::keeper::Health,
    protocol::{PropertyBlock, ReasonCode},
};

/// What the program wants the driver to do.
#[derive(Clone, Debug, Default)]
pub(in crate::client) enum Goal {
    /// Stay as it is: offline before connect, or after a disconnect.
    #[default]
    Rest,
    /// Be connected.
    Connect,
    /// Wait until what was accepted has ended, at most until then, and disconnect.
    Disconnect(Box<Farewell>),
    /// Disconnect at once and end.
    Close,
}

/// How to disconnect.
#[derive(Clone, Debug)]
pub(in crate::client) struct Farewell {
    pub(in crate::client) until: Instant,
    /// Whether completions must have been called, too.
    pub(in crate::client) called: bool,
    pub(in crate::client) reason: ReasonCode,
    pub(in crate::client) properties: PropertyBlock,
}

impl Farewell {
    /// Whether nothing is left to wait for, or time is up.
    pub(in crate::client) fn is_due(&self, core: &Core, now: Instant) -> bool {
        // What waits for a disk that takes nothing would only have been an acknowledgement.
        let stored = core.engine.is_stored() || core.store != Health::Well;
        // Behind a store that never again takes anything, nothing that has not left ever will.
        let ended = core.engine.outstanding(self.called) == 0 || core.store == Health::Lost;
        now >= self.until || (ended && stored && !core.has_output() && !core.is_writing())
    }
}
