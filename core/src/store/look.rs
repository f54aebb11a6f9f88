//! A look into a store that no session has open.

use std::{path::Path, time::SystemTime};

use bytes::Bytes;

use crate::{
    error::Result,
    protocol::{Properties, QoS},
};

/// The client ids that have a store below this directory.
///
/// # Errors
/// `STORE_FAILED` when it cannot be read.
pub fn stores(directory: &Path) -> Result<Vec<String>> {
    let _ = directory;
    todo!()
}

/// The store of one client id, opened to be looked into. It is locked as long as this lives: no session
/// can open it meanwhile.
#[derive(Debug)]
pub struct Store {}

/// What a store holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreSummary {
    /// Own messages that have not ended.
    pub messages: usize,
    /// The bytes of their packets.
    pub bytes: u64,
    /// Those of them that may have been sent.
    pub in_flight: usize,
    /// Those of them that the broker has taken (QoS 2) and that only have to be completed.
    pub released: usize,
    /// When the oldest was accepted.
    pub oldest: Option<SystemTime>,
    /// Received messages of QoS 2 that the broker has not released.
    pub received: usize,
    /// The filters that the broker had granted.
    pub subscriptions: Vec<String>,
    /// The highest message number given so far.
    pub last_number: u64,
    /// The bytes that its files take.
    pub size: u64,
}

/// How far a stored message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredState {
    /// It has not been sent.
    Waiting,
    /// It may have been sent, and is not confirmed.
    Sent,
    /// The broker has taken it; only the end of the exchange is missing. What it carried is still here.
    Released,
}

/// An own message that has not ended.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its number.
    pub number: u64,
    /// How far it has come.
    pub state: StoredState,
    /// When it was accepted.
    pub accepted: SystemTime,
    /// When it is not worth sending any more.
    pub expires: Option<SystemTime>,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// 1 or 2.
    pub qos: QoS,
    /// Whether the broker is to keep it.
    pub retain: bool,
    pub(super) properties: Bytes,
}

impl StoredMessage {
    /// Its properties (MQTT 5.0; empty before).
    pub fn properties(&self) -> Properties<'_> {
        let _ = &self.properties;
        todo!()
    }
}

impl Store {
    /// Opens the store of a client id below this directory; it must be there.
    ///
    /// # Errors
    /// `STORE_FAILED` where there is none; `STORE_LOCKED` while a session has it open, in this or another
    /// process; `STORE_CORRUPT`, `STORE_VERSION`, `STORE_FOREIGN`, `STORE_READ_ONLY`.
    pub fn open(directory: &Path, client_id: &str) -> Result<Self> {
        let _ = (directory, client_id);
        todo!()
    }

    /// Opens a damaged one: takes what can be read for the whole, after the damaged files have been given
    /// names that end with `.damaged`. A store that is not damaged is just opened.
    ///
    /// # Errors
    /// Those of `open` but `STORE_CORRUPT`.
    pub fn repair(directory: &Path, client_id: &str) -> Result<Self> {
        let _ = (directory, client_id);
        todo!()
    }

    /// What it holds.
    pub fn summary(&self) -> StoreSummary {
        todo!()
    }

    /// The own messages that have not ended, in the order of their numbers.
    pub fn messages(&self) -> impl Iterator<Item = StoredMessage> {
        std::iter::empty()
    }

    /// Writes the messages into a new file, one JSON object a line (`number`, `state`, `accepted` and
    /// `expires` in milliseconds since 1970, `topic`, `qos`, `retain`, `payload` in base64,
    /// `user_properties` and other `properties` by name); how many.
    ///
    /// # Errors
    /// `STORE_FAILED`, also when there is such a file already; `STORE_FULL`, `STORE_READ_ONLY`.
    pub fn export(&self, file: &Path) -> Result<usize> {
        let _ = file;
        todo!()
    }

    /// Forgets every message, received id and subscription; the numbers go on from where they were.
    ///
    /// # Errors
    /// `STORE_FULL`, `STORE_READ_ONLY`, `STORE_FAILED`.
    pub fn clear(&mut self) -> Result<()> {
        todo!()
    }
}
