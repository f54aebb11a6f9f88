//! Who waits for the end of something: a thread, a future or a callback, each behind its cell.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    client::{Granted, Unsubscribed, operation::Cell},
    engine::{Connected, Ticket},
    error::Result,
};

/// A subscribe that has not been answered.
pub(in crate::client) enum Subscribing {
    One(Arc<Cell<Granted>>),
    Many(Arc<Cell<Vec<Result<Granted>>>>),
}

/// An unsubscribe that has not been answered.
pub(in crate::client) enum Unsubscribing {
    One(Arc<Cell<Unsubscribed>>),
    Many(Arc<Cell<Vec<Result<Unsubscribed>>>>),
}

/// Those of a session.
#[derive(Default)]
pub(in crate::client) struct Callers {
    pub(in crate::client) connecting: Vec<Arc<Cell<Connected>>>,
    pub(in crate::client) disconnecting: Vec<Arc<Cell<usize>>>,
    pub(in crate::client) reauthenticating: Option<Arc<Cell<()>>>,
    pub(in crate::client) subscribing: BTreeMap<Ticket, Subscribing>,
    pub(in crate::client) unsubscribing: BTreeMap<Ticket, Unsubscribing>,
    pub(in crate::client) flushing: BTreeMap<Ticket, Arc<Cell<()>>>,
    /// Who waits for a message to be stored.
    pub(in crate::client) awaiting_store: BTreeMap<Ticket, Arc<Cell<()>>>,
}

impl Callers {
    pub(in crate::client) fn is_empty(&self) -> bool {
        self.connecting.is_empty()
            && self.disconnecting.is_empty()
            && self.reauthenticating.is_none()
            && self.subscribing.is_empty()
            && self.unsubscribing.is_empty()
            && self.flushing.is_empty()
            && self.awaiting_store.is_empty()
    }
}
