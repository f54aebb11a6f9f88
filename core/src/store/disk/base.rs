//! The base: what the logs came to that have been folded, in an embedded database.
//!
//! | table | key | value |
//! |---|---|---|
//! | `messages` | number | checksum, when it was accepted, its record |
//! | `progress` | number | packet id (0 for none), place among the releases |
//! | `about` | `format`, `client id`, `folded`, `releases`, `bytes`, `rest` | see the constants |
//!
//! `rest` holds records that make everything but the messages.

use std::{collections::HashSet, io, sync::Arc};

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::{
    super::File,
    backend::{Direct, View},
    frame::{self, Kind},
    header::FORMAT,
    log::{Link, Step, Walk},
};
use crate::engine::{Receiving, Record, Recovered, UnixMillis};
use crate::protocol::PacketId;

const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
const PROGRESS: TableDefinition<u64, (u16, Option<u64>)> = TableDefinition::new("progress");
const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");

/// In `about`: the format of the store.
const FORMAT_KEY: &str = "format";
/// Whose it is.
const CLIENT_KEY: &str = "client id";
/// The last log that was folded, its last frame and the chain.
const FOLDED_KEY: &str = "folded";
/// How many messages have been released so far.
const RELEASES_KEY: &str = "releases";
/// The bytes of `messages`.
const BYTES_KEY: &str = "bytes";
/// Records of everything but messages.
const REST_KEY: &str = "rest";

/// What the database may keep in memory while it is open, which it is only while a log is folded, or
/// the store opened.
const CACHE: usize = 8 << 20;

/// A base that takes this much more than twice its content is made smaller.
const SLACK: u64 = 4 << 20;

/// How far the logs have been folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// The last log.
    pub(super) log: u64,
    /// Its last frame.
    pub(super) sequence: u64,
    /// The chain that the next log follows.
    pub(super) chain: u32,
}

impl Folded {
    fn encode(self) -> Vec<u8> {
        let mut bytes = self.log.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.chain.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 20] = bytes.try_into().ok()?;
        Some(Self {
            log: number_in(&bytes[..8])?,
            sequence: number_in(&bytes[8..16])?,
            chain: u32::from_le_bytes(bytes[16..].try_into().ok()?),
        })
    }
}

fn number_in(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Why a base, or a log that is to be folded, could not be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The operating system did not do its part.
    Failed(io::Error),
    /// It is not what was written.
    Damaged,
    /// A newer version has written it.
    Newer,
    /// Another client id's.
    Foreign,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Anything that the database says.
fn trouble(error: impl Into<redb::Error>) -> Trouble {
    match error.into() {
        // Not a database at all, or one that points beyond its end.
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidInput
            ) =>
        {
            Trouble::Damaged
        }
        redb::Error::Io(error) => Trouble::Failed(error),
        redb::Error::PreviousIo | redb::Error::LockPoisoned(_) | redb::Error::DatabaseClosed => {
            Trouble::Failed(io::Error::other("the database has failed before"))
        }
        _ => Trouble::Damaged,
    }
}

/// What a base holds; the file is not changed.
pub(super) fn read(file: Arc<dyn File>, client_id: &str) -> Result<(Folded, Recovered), Trouble> {
    guarded(|| {
        // An empty file would be made a database.
        if file.length()? == 0 {
            return Err(Trouble::Damaged);
        }
        let database = Database::builder()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create_with_backend(View::new(file)?)
            .map_err(trouble)?;
        let mut recovered = Recovered::default();
        let folded = read_all(&database, client_id, &mut recovered, false)?;
        Ok((folded, recovered))
    })
}

/// What can be read of a damaged one, added to what comes out. How far it had been folded, if that much
/// can be read.
pub(super) fn salvage(file: Arc<dyn File>, client_id: &str) -> (Option<Folded>, Recovered) {
    let mut recovered = Recovered::default();
    let folded = guarded(|| {
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(View::new(file)?)
            .map_err(trouble)?;
        read_all(&database, client_id, &mut recovered, true)
    });
    (folded.ok(), recovered)
}

/// The database does not promise to survive every damage without a panic.
fn guarded<R>(work: impl FnOnce() -> Result<R, Trouble>) -> Result<R, Trouble> {
    let work = std::panic::AssertUnwindSafe(work);
    std::panic::catch_unwind(work).unwrap_or(Err(Trouble::Damaged))
}

fn read_all(
    database: &Database,
    client_id: &str,
    recovered: &mut Recovered,
    whatever: bool,
) -> Result<Folded, Trouble> {
    let reading = database.begin_read().map_err(trouble)?;
    let about = reading.open_table(ABOUT).map_err(trouble)?;
    let text = |key| match about.get(key).map_err(trouble)? {
        Some(value) => Ok(value.value().to_vec()),
        None => Err(Trouble::Damaged),
    };
    let format = text(FORMAT_KEY)?;
    match format.try_into().map(u32::from_le_bytes) {
        Ok(FORMAT) => {}
        Ok(format) if format > FORMAT => return Err(Trouble::Newer),
        _ => return Err(Trouble::Damaged),
    }
    if text(CLIENT_KEY)? != client_id.as_bytes() {
        return Err(Trouble::Foreign);
    }
    let folded = Folded::decode(&text(FOLDED_KEY)?).ok_or(Trouble::Damaged)?;
    let messages = reading.open_table(MESSAGES).map_err(trouble)?;
    for entry in messages.iter().map_err(trouble)? {
        let (number, value) = entry.map_err(trouble)?;
        match (decode(number.value(), value.value()), whatever) {
            (Some((record, accepted)), _) => recovered.apply(&record, accepted),
            (None, true) => {}
            (None, false) => return Err(Trouble::Damaged),
        }
    }
    let progress = reading.open_table(PROGRESS).map_err(trouble)?;
    for entry in progress.iter().map_err(trouble)? {
        let (number, value) = entry.map_err(trouble)?;
        if let Some(message) = recovered.messages.get_mut(&number.value()) {
            let (packet_id, released) = value.value();
            (message.packet_id, message.released) = (PacketId::new(packet_id), released);
        }
    }
    for record in Record::all(&text(REST_KEY)?) {
        recovered.apply(&record.map_err(|_| Trouble::Damaged)?, 0);
    }
    recovered.releases = number_in(&text(RELEASES_KEY)?).ok_or(Trouble::Damaged)?;
    Ok(folded)
}

/// The value of a message: a checksum of its own, by which a repair knows it for whole.
fn encode(record: &Record<'_>, accepted: UnixMillis) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&accepted.to_le_bytes());
    record.encode(&mut bytes);
    let crc = frame::checksum(0, &[&bytes[4..]]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(key: u64, value: &[u8]) -> Option<(Record<'_>, UnixMillis)> {
    let (crc, rest) = value.split_first_chunk::<4>()?;
    let (accepted, mut record) = rest.split_first_chunk::<8>()?;
    if frame::checksum(0, &[rest]) != u32::from_le_bytes(*crc) {
        return None;
    }
    let record = Record::decode(&mut record).ok()?;
    matches!(record, Record::Message { number, .. } if number == key)
        .then(|| (record, u64::from_le_bytes(*accepted)))
}

/// Everything but messages, as records.
pub(super) fn rest(recovered: &Recovered) -> Vec<u8> {
    let mut bytes = Vec::new();
    Record::Numbered { last: recovered.last_number }.encode(&mut bytes);
    if recovered.doubtful {
        Record::Doubtful.encode(&mut bytes);
    }
    for &packet_id in &recovered.retired {
        Record::Retired { packet_id }.encode(&mut bytes);
    }
    for (&packet_id, receiving) in &recovered.received {
        match receiving {
            Receiving::Delivering => Record::Delivering { packet_id },
            Receiving::Handled => Record::Handled { packet_id },
        }
        .encode(&mut bytes);
    }
    for (filter, grant) in &recovered.granted {
        let (options, identifier, qos) = (grant.options, grant.identifier, grant.qos);
        Record::Granted { filter, options, identifier, qos }.encode(&mut bytes);
    }
    bytes
}

/// A log that is to be folded.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) number: u64,
    pub(super) file: Arc<dyn File>,
    /// Behind its header.
    pub(super) position: u64,
    /// Its first frame.
    pub(super) first: Link,
    /// The log after it begins with this frame.
    pub(super) end: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// From here on no frame says that it has been synced.
    pub(super) unsynced: u64,
}

/// A base that logs are folded into.
#[derive(Debug)]
pub(super) struct Base {
    file: Arc<dyn File>,
    database: Database,
    bytes: u64,
}

impl Base {
    /// Opens it; an empty file becomes one.
    pub(super) fn open(file: Arc<dyn File>) -> Result<Self, Trouble> {
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(Direct(file.clone()))
            .map_err(trouble)?;
        Ok(Self { file, database, bytes: 0 })
    }

    /// Adds a log, in one transaction that survives the machine. What ended within the log never gets
    /// here.
    pub(super) fn fold(&mut self, log: &Source, client_id: &str) -> Result<(), Trouble> {
        let mut ended = HashSet::new();
        walk(log, |record, _| {
            if let Record::Ended { number } = record {
                ended.insert(*number);
            }
            Ok(())
        })?;
        let mut writing = self.database.begin_write().map_err(trouble)?;
        // What others wrote into our messages stands in the database, whose checksums are not made to
        // withstand them: the second phase does not rely on these.
        writing.set_two_phase_commit(true);
        {
            let mut about = writing.open_table(ABOUT).map_err(trouble)?;
            let folded = match about.get(FOLDED_KEY).map_err(trouble)? {
                Some(value) => Folded::decode(value.value()).ok_or(Trouble::Damaged)?,
                None => Folded::default(),
            };
            self.bytes = read_number(&about, BYTES_KEY)?;
            if folded.log >= log.number {
                // An attempt that failed later.
                return Ok(());
            }
            let mut addition = Addition {
                messages: writing.open_table(MESSAGES).map_err(trouble)?,
                progress: writing.open_table(PROGRESS).map_err(trouble)?,
                bytes: self.bytes,
                rest: Recovered::default(),
                ended,
            };
            if let Some(rest) = about.get(REST_KEY).map_err(trouble)? {
                for record in Record::all(rest.value()) {
                    addition.rest.apply(&record.map_err(|_| Trouble::Damaged)?, 0);
                }
            }
            addition.rest.releases = read_number(&about, RELEASES_KEY)?;
            let last = walk(log, |record, time| addition.add(record, time))?;
            if last.sequence != log.end {
                return Err(Trouble::Damaged);
            }
            let folded = Folded { log: log.number, sequence: last.sequence - 1, chain: last.chain };
            self.bytes = addition.bytes;
            for (key, value) in [
                (FORMAT_KEY, &FORMAT.to_le_bytes()[..]),
                (CLIENT_KEY, client_id.as_bytes()),
                (FOLDED_KEY, &folded.encode()),
                (RELEASES_KEY, &addition.rest.releases.to_le_bytes()),
                (BYTES_KEY, &addition.bytes.to_le_bytes()),
                (REST_KEY, &rest(&addition.rest)),
            ] {
                about.insert(key, value).map_err(trouble)?;
            }
        }
        writing.commit().map_err(trouble)
    }

    /// Makes it smaller where that is worth it, and lets go of it.
    pub(super) fn close(mut self) -> Result<(), Trouble> {
        if self.file.length()? > 2 * self.bytes + SLACK {
            self.database.compact().map_err(trouble)?;
        }
        self.database.close().map_err(trouble)?;
        self.file.sync()?;
        Ok(())
    }
}

fn read_number(about: &Table<'_, &str, &[u8]>, key: &str) -> Result<u64, Trouble> {
    match about.get(key).map_err(trouble)? {
        Some(value) => number_in(value.value()).ok_or(Trouble::Damaged),
        None => Ok(0),
    }
}

/// Every record of a log with the time of its batch; what the next log follows.
fn walk(
    log: &Source,
    mut each: impl FnMut(&Record<'_>, UnixMillis) -> Result<(), Trouble>,
) -> Result<Link, Trouble> {
    let mut walk = Walk::new(log.file.clone(), log.position, log.first)?;
    loop {
        match walk.step()? {
            Step::Frame(head, payload) if head.kind == Kind::Batch as u8 => {
                for record in Record::all(payload) {
                    each(&record.map_err(|_| Trouble::Newer)?, head.time)?;
                }
            }
            Step::Frame(..) => {}
            Step::End => return Ok(walk.next),
            Step::Hole(_) => return Err(Trouble::Damaged),
        }
    }
}

/// What a log adds.
struct Addition<'a> {
    messages: Table<'a, u64, &'static [u8]>,
    progress: Table<'a, u64, (u16, Option<u64>)>,
    bytes: u64,
    rest: Recovered,
    /// The messages that end in this log.
    ended: HashSet<u64>,
}

impl Addition<'_> {
    fn add(&mut self, record: &Record<'_>, time: UnixMillis) -> Result<(), Trouble> {
        match *record {
            Record::Message { number, .. } => {
                self.rest.apply(&Record::Numbered { last: number }, time);
                if !self.ended.contains(&number) {
                    let value = encode(record, time);
                    self.bytes += value.len() as u64;
                    self.messages.insert(number, &value[..]).map_err(trouble)?;
                }
            }
            Record::Launched { number, packet_id } if !self.ended.contains(&number) => {
                let known = self.progress.get(number).map_err(trouble)?;
                let released = known.and_then(|known| known.value().1);
                self.progress.insert(number, (packet_id.get(), released)).map_err(trouble)?;
            }
            Record::Released { number } => {
                let place = self.rest.releases;
                self.rest.releases += 1;
                if !self.ended.contains(&number) {
                    let known = self.progress.get(number).map_err(trouble)?;
                    let packet_id = known.map_or(0, |known| known.value().0);
                    self.progress.insert(number, (packet_id, Some(place))).map_err(trouble)?;
                }
            }
            Record::Ended { number } => {
                if let Some(value) = self.messages.remove(number).map_err(trouble)? {
                    self.bytes = self.bytes.saturating_sub(value.value().len() as u64);
                }
                self.progress.remove(number).map_err(trouble)?;
            }
            Record::SessionLost => {
                self.progress.retain(|_, _| false).map_err(trouble)?;
                self.rest.apply(record, time);
            }
            _ => self.rest.apply(record, time),
        }
        Ok(())
    }
}
