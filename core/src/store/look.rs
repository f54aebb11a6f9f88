//! A look into a store that no session has open.

mod export;

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    FileSystem, SystemFiles,
    disk::{self, Contents, Place},
};
use crate::{
    engine::{RecoveredMessage, UnixMillis},
    error::{Code, Error, Result},
    protocol::{self, Cut, Properties, Publish, QoS},
};

/// The client ids that have a store below this directory.
///
/// # Errors
/// `STORE_FAILED` when it cannot be read.
pub fn stores(directory: &Path) -> Result<Vec<String>> {
    let names = match SystemFiles.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let sentence = format!("The directory {} could not be read", directory.display());
            return Err(Error::new(Code::StoreFailed, sentence).with_source(error));
        }
    };
    let files: Arc<dyn FileSystem> = Arc::new(SystemFiles);
    let mut ids: Vec<_> =
        names.iter().filter_map(|name| disk::client_id(&files, &directory.join(name))).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The store of one client id, opened to be looked into. It is locked as long as this lives: no session
/// can open it meanwhile.
pub struct Store {
    place: Place,
    contents: Contents,
    _lock: Box<dyn Send + Sync>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("place", &self.place).finish_non_exhaustive()
    }
}

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
    /// A packet that cannot be read is shown as the payload: its record is what was written.
    fn new(number: u64, message: &RecoveredMessage) -> Self {
        let state = match (message.released, message.packet_id) {
            (Some(_), _) => StoredState::Released,
            (None, Some(_)) => StoredState::Sent,
            (None, None) => StoredState::Waiting,
        };
        let ends = [message.expiry.give_up, message.expiry.interval_ends];
        let mut stored = Self {
            number,
            state,
            accepted: system_time(message.accepted),
            expires: ends.into_iter().flatten().min().map(system_time),
            topic: String::new(),
            payload: message.packet.clone(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Bytes::new(),
        };
        let packet = &message.packet;
        if let Ok(Cut::Whole { frame, .. }) = protocol::cut(packet, u32::MAX)
            && let Ok(publish) = Publish::decode(frame, message.version)
        {
            publish.topic.clone_into(&mut stored.topic);
            stored.payload = packet.slice_ref(publish.payload);
            stored.properties = packet.slice_ref(publish.properties.as_bytes());
            (stored.qos, stored.retain) = (publish.qos, publish.retain);
        }
        stored
    }

    /// Its properties (MQTT 5.0; empty before).
    pub fn properties(&self) -> Properties<'_> {
        // They have been read before.
        Properties::parse(&self.properties, protocol::Place::Publish).unwrap_or(Properties::EMPTY)
    }
}

/// A time that no clock can show is as late as one can.
fn system_time(at: UnixMillis) -> SystemTime {
    let checked = |millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    checked(at).or_else(|| checked(i64::MAX as u64)).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl Store {
    /// Opens the store of a client id below this directory; it must be there.
    ///
    /// # Errors
    /// `STORE_FAILED` where there is none; `STORE_LOCKED` while a session has it open, in this or another
    /// process; `STORE_CORRUPT`, `STORE_VERSION`, `STORE_FOREIGN`, `STORE_READ_ONLY`.
    pub fn open(directory: &Path, client_id: &str) -> Result<Self> {
        Self::open_on(Arc::new(SystemFiles), directory, client_id)
    }

    /// [`open`](Self::open) on other files than the operating system's.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open_on(files: Arc<dyn FileSystem>, directory: &Path, client_id: &str) -> Result<Self> {
        Self::read(Place::new(files, directory, client_id), Contents::read)
    }

    /// Opens a damaged one: takes what can be read for the whole, after the damaged files have been given
    /// names that end with `.damaged`. A store that is not damaged is just opened.
    ///
    /// # Errors
    /// Those of `open` but `STORE_CORRUPT`; `STORE_FULL`.
    pub fn repair(directory: &Path, client_id: &str) -> Result<Self> {
        Self::repair_on(Arc::new(SystemFiles), directory, client_id)
    }

    /// [`repair`](Self::repair) on other files than the operating system's.
    ///
    /// # Errors
    /// Those of `repair`.
    pub fn repair_on(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        client_id: &str,
    ) -> Result<Self> {
        Self::read(Place::new(files, directory, client_id), disk::repair)
    }

    fn read(place: Place, read: impl Fn(&Place) -> Result<Option<Contents>>) -> Result<Self> {
        // The lock's file is not put where there is no store.
        if !place.has_store()? {
            return Err(place.missing());
        }
        let lock = place.lock()?;
        let contents = read(&place)?.ok_or_else(|| place.missing())?;
        Ok(Self { place, contents, _lock: lock })
    }

    /// What it holds.
    pub fn summary(&self) -> StoreSummary {
        let recovered = &self.contents.recovered;
        let messages = || recovered.messages.values();
        StoreSummary {
            messages: recovered.messages.len(),
            bytes: messages().map(|message| message.packet.len() as u64).sum(),
            in_flight: messages().filter(|message| message.packet_id.is_some()).count(),
            released: messages().filter(|message| message.released.is_some()).count(),
            oldest: messages().map(|message| message.accepted).min().map(system_time),
            received: recovered.received.len(),
            subscriptions: recovered.granted.keys().cloned().collect(),
            last_number: recovered.last_number,
            size: self.contents.size,
        }
    }

    /// The own messages that have not ended, in the order of their numbers.
    pub fn messages(&self) -> impl Iterator<Item = StoredMessage> {
        let messages = self.contents.recovered.messages.iter();
        messages.map(|(number, message)| StoredMessage::new(*number, message))
    }

    /// Writes the messages into a new file, one JSON object a line (`number`, `state`, `accepted` and
    /// `expires` in milliseconds since 1970, `topic`, `qos`, `retain`, `payload` in base64,
    /// `user_properties` and other `properties` by name); how many.
    ///
    /// # Errors
    /// `STORE_FAILED`, also when there is such a file already; `STORE_FULL`, `STORE_READ_ONLY`.
    pub fn export(&self, file: &Path) -> Result<usize> {
        export::write(self.messages(), file)
    }

    /// Forgets every message, received id and subscription; the numbers go on from where they were.
    ///
    /// # Errors
    /// `STORE_FULL`, `STORE_READ_ONLY`, `STORE_FAILED`.
    pub fn clear(&mut self) -> Result<()> {
        self.contents = disk::clear(&self.place, &self.contents)?;
        Ok(())
    }
}
