//! Options of the store on disk.

use std::{path::Path, time::Duration};

use super::{Options, not_zero};
use crate::error::{Code, Error, Result};

/// When what the store has written is made to survive the machine. Under each of them what is stored
/// survives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before it counts as stored: nothing that [`wait_stored`](crate::client::Session::wait_stored)
    /// has confirmed is lost with the machine. Messages that are published together share one sync.
    #[default]
    Message,
    /// At most this much later: a message counts as stored when it is written.
    Interval(Duration),
    /// When the operating system likes: a message counts as stored when it is written.
    System,
}

impl Options {
    /// Where the session's store is: a directory, which is made where it is missing, with one directory
    /// in it for each client id, so that sessions can share it. `None`, the default, keeps everything in
    /// memory.
    ///
    /// With a store, accepted messages of QoS 1 and 2 survive the process, and so does what the session
    /// knows of received messages of QoS 2 and of its subscriptions: a session that is made later with the
    /// same directory and client id goes on where this one ended. It needs a client id, and
    /// [`set_clean_session`](Self::set_clean_session)`(false)` for the broker's half of the promise (MQTT
    /// 5.0: a session expiry interval, too). The store is opened when the session is made, and belongs to
    /// that session until it has been closed.
    ///
    /// A received message of QoS 2 is recorded before its handlers are called, and again when they have
    /// returned; where callbacks run on the I/O thread ([`Dispatch::Inline`](super::Dispatch)) it is that
    /// thread which writes.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an empty path.
    pub fn set_store(&mut self, directory: Option<&Path>) -> Result<&mut Self> {
        if directory.is_some_and(|directory| directory.as_os_str().is_empty()) {
            return Err(Error::new(
                Code::InvalidOption,
                "The path of the store's directory must not be empty",
            ));
        }
        self.store = directory.map(Path::to_owned);
        Ok(self)
    }

    /// The store's directory.
    pub fn store(&self) -> Option<&Path> {
        self.store.as_deref()
    }

    /// Whether the broker keeps its half of the session from one process to the next.
    pub(in crate::client) fn broker_keeps_session(&self) -> bool {
        let settings = &self.settings;
        let expiry = settings.properties.as_properties().session_expiry_interval();
        !settings.clean_session && (!settings.version.is_v5() || expiry.unwrap_or(0) > 0)
    }

    /// When the store syncs. Default: each message, before it counts as stored.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an interval of zero.
    pub fn set_durability(&mut self, durability: Durability) -> Result<&mut Self> {
        if durability == Durability::Interval(Duration::ZERO) {
            return Err(Error::new(
                Code::InvalidOption,
                "The interval between two syncs must not be zero",
            ));
        }
        self.habits.durability = durability;
        Ok(self)
    }

    /// The most messages of QoS 1 and 2 that the store holds, and the most bytes of their packets;
    /// what goes beyond is treated as the outgoing policy says. Default 1,000,000 messages and 1 GiB,
    /// beside the limits of the outgoing queue, which count, too. Its files may for a while take twice as
    /// much, and 64 MiB.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_store_limit(&mut self, messages: usize, bytes: usize) -> Result<&mut Self> {
        not_zero(messages, bytes)?;
        self.settings.store_limit = (messages, bytes);
        Ok(self)
    }
}
