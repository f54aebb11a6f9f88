//! Making, opening, clearing and repairing a store.
//!
//! A log that begins a store, or begins it anew, is made under another name, synced, and renamed: it is
//! there whole or not at all.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    Closed, Writer, base,
    contents::Contents,
    frame::Kind,
    header::{Header, Start},
    listing::{Listing, open_log},
    log::{Log, unix_now, write_again},
    name,
    place::Place,
    scan,
};
use crate::{
    engine::{Record, Recovered, UnixMillis},
    error::{Code, Result},
};

/// Opens a store, or makes it.
pub(super) fn open(place: &Place, below: &Path) -> Result<(Writer, Recovered)> {
    match Listing::read(place)? {
        // Before the lock is put into a directory that is not ours.
        Some(listing) => drop(listing.has_store(place)?),
        None => make_directory(place, below)?,
    }
    let lock = place.lock()?;
    let machine = place.files.machine();
    let (mut writer, recovered) = match Contents::read(place)? {
        Some(contents) => go_on(place, contents, machine)?,
        None => (make(place, machine)?, Recovered::default()),
    };
    writer.lock = Some(lock);
    Ok((writer, recovered))
}

fn make_directory(place: &Place, below: &Path) -> Result<()> {
    let failed = |error| place.failed("made", error);
    let is_new = place.files.list(below).is_err();
    place.files.create_directory(&place.directory).map_err(failed)?;
    place.files.sync_directory(below).map_err(failed)?;
    if is_new && let Some(above) = below.parent() {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        place.files.sync_directory(above).map_err(failed)?;
    }
    Ok(())
}

/// A store that holds nothing.
fn make(place: &Place, machine: String) -> Result<Writer> {
    let draft = Draft::begin(place, 1, Start::New)?;
    let log = draft.finish()?;
    Ok(Writer {
        synced: log.next.sequence - 1,
        synced_log: log.number,
        log,
        closed: Vec::new(),
        failed: false,
        fold_at: 0,
        base_bytes: 0,
        machine,
        lock: None,
    })
}

/// Does away with what does not count, and says that it has been opened.
fn go_on(place: &Place, contents: Contents, machine: String) -> Result<(Writer, Recovered)> {
    let failed = |error| place.failed("written", error);
    let live: u64 = contents.logs.iter().map(|log| log.bytes).sum();
    let base_bytes = contents.size - live;
    if !contents.surplus.is_empty() {
        secure(place, base_bytes > 0).map_err(failed)?;
    }
    set_aside(place, &contents.surplus, contents.logs.last().map_or(0, |log| log.number))?;
    let mut sources = contents.logs;
    let last = sources.pop().expect("contents have a log");
    let mut log = Log::go_on(&last, contents.next);
    if log.file.length().map_err(failed)? > log.end {
        // What is behind the end must not come back behind what is written there now.
        log.file.set_length(log.end).and_then(|()| log.file.sync()).map_err(failed)?;
    }
    // What the process before has written and not synced counts as stored from now on.
    let (now, synced) = (unix_now(), contents.synced);
    let mut appended = sources
        .iter()
        .chain([&last])
        .try_for_each(|log| write_again(&*log.file, log.unsynced, log.bytes));
    if contents.recovered.doubtful {
        // The next process would not see it in the machine's name any more.
        let mut doubt = Vec::new();
        Record::Doubtful.encode(&mut doubt);
        appended = appended.and_then(|()| log.append(Kind::Batch, now, synced, &[&doubt]));
    }
    let appended =
        appended.and_then(|()| log.append(Kind::Opened, now, synced, &[machine.as_bytes()]));
    appended
        .and_then(|()| sources.iter().try_for_each(|source| source.file.sync()))
        .and_then(|()| log.file.sync())
        .and_then(|()| place.files.sync_directory(&place.directory))
        .map_err(failed)?;
    let closed = sources.into_iter().map(|source| Closed { source, is_synced: true }).collect();
    let writer = Writer {
        synced: log.next.sequence - 1,
        synced_log: log.number,
        log,
        closed,
        failed: false,
        fold_at: 0,
        base_bytes,
        machine,
        lock: None,
    };
    Ok((writer, contents.recovered))
}

/// Makes survive what takes the place of files that are about to be removed: the process before may have
/// died, or been told that the disk failed, before it had.
fn secure(place: &Place, has_base: bool) -> io::Result<()> {
    if has_base {
        let base = place.files.open(&place.path(name::BASE), false)?;
        write_again(&*base, 0, base.length()?)?;
        base.sync()?;
    }
    place.files.sync_directory(&place.directory)
}

/// Removes files, or gives those that are worth keeping a name that says so.
fn set_aside(place: &Place, surplus: &[(PathBuf, bool)], number: u64) -> Result<()> {
    if surplus.is_empty() {
        return Ok(());
    }
    for (file, keep) in surplus {
        let path = place.directory.join(file);
        let done = match keep {
            true => {
                let kept = format!("{}.{number}{}", file.display(), name::DAMAGED);
                place.files.rename(&path, &place.path(&kept))
            }
            false => place.files.remove(&path),
        };
        done.map_err(|error| place.failed("written", error))?;
    }
    let synced = place.files.sync_directory(&place.directory);
    synced.map_err(|error| place.failed("written", error))
}

/// A log with which a store begins, while it is made.
struct Draft<'a> {
    place: &'a Place,
    log: Log,
}

impl<'a> Draft<'a> {
    fn begin(place: &'a Place, number: u64, start: Start) -> Result<Self> {
        let header = Header {
            number,
            start,
            first: 1,
            chain: 0,
            salt: salt(),
            created: unix_now(),
            client_id: place.client_id.as_ref().to_owned(),
            machine: place.files.machine(),
        };
        let log = place
            .files
            .open(&place.path(name::LOG_DRAFT), true)
            .and_then(|file| Log::create(file, &header))
            .map_err(|error| place.failed("written", error))?;
        Ok(Self { place, log })
    }

    fn append(&mut self, time: UnixMillis, records: &[u8]) -> Result<()> {
        let appended = self.log.append(Kind::Batch, time, 0, &[records]);
        appended.map_err(|error| self.place.failed("written", error))
    }

    fn finish(self) -> Result<Log> {
        let (place, log) = (self.place, self.log);
        let named = place.path(&name::of_log(log.number));
        log.file
            .sync()
            .and_then(|()| place.files.rename(&place.path(name::LOG_DRAFT), &named))
            .and_then(|()| place.files.sync_directory(&place.directory))
            .map_err(|error| place.failed("written", error))?;
        Ok(log)
    }
}

/// What a payload cannot know that was written by somebody else.
fn salt() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.subsec_nanos() ^ (since.as_secs() as u32).rotate_left(16) ^ std::process::id()
}

/// Begins a store anew, with nothing but the numbers.
pub(in crate::store) fn clear(place: &Place, contents: &Contents) -> Result<Contents> {
    let mut records = Vec::new();
    Record::Numbered { last: contents.recovered.last_number }.encode(&mut records);
    let mut draft = Draft::begin(place, contents.highest + 1, Start::Cleared)?;
    draft.append(unix_now(), &records)?;
    draft.finish()?;
    begun_anew(place)
}

/// What a store holds that has been begun anew, without what was there before.
fn begun_anew(place: &Place) -> Result<Contents> {
    let mut contents = Contents::read(place)?.ok_or_else(|| place.missing())?;
    set_aside(place, &contents.surplus, contents.highest)?;
    contents.surplus.clear();
    Ok(contents)
}

/// Opens a store for reading; a damaged one is begun anew with what can be read.
pub(in crate::store) fn repair(place: &Place) -> Result<Option<Contents>> {
    match Contents::read(place) {
        Err(error) if error.code() == Code::StoreCorrupt => {}
        read => return read,
    }
    let Some(listing) = Listing::read(place)? else { return Ok(None) };
    let recovered = salvage(place, &listing)?;
    let number = listing.logs.last().copied().unwrap_or(0) + 1;
    let mut draft = Draft::begin(place, number, Start::Repaired)?;
    write(&recovered, &mut draft)?;
    draft.finish()?;
    begun_anew(place).map(Some)
}

/// What can be read: of the base each message that is whole, of the logs each frame.
fn salvage(place: &Place, listing: &Listing) -> Result<Recovered> {
    let failed = |error| place.failed("read", error);
    let (folded, mut recovered) = match listing.base {
        true => {
            let file = place.files.open(&place.path(name::BASE), false).map_err(failed)?;
            base::salvage(file, &place.client_id)
        }
        false => (None, Recovered::default()),
    };
    let folded = folded.map_or(0, |folded| folded.log);
    let mut salt = 0;
    let mut logs = Vec::new();
    for &number in listing.logs.iter().filter(|number| **number > folded) {
        let opened = open_log(place, number)?.ok();
        salt = opened.as_ref().map_or(salt, |opened| opened.first.salt);
        logs.push((number, opened));
    }
    for (number, opened) in logs {
        let (file, position, salt) = match opened {
            Some(opened) => (opened.file, opened.position, opened.first.salt),
            None => {
                let path = place.path(&name::of_log(number));
                (place.files.open(&path, false).map_err(failed)?, 0, salt)
            }
        };
        scan::frames(file, position, salt, false, &mut |head, payload| {
            if head.kind == Kind::Batch as u8 {
                let records = Record::all(payload).map_while(|record| record.ok());
                records.for_each(|record| recovered.apply(&record, head.time));
            }
        })
        .map_err(failed)?;
    }
    give_each_id_once(&mut recovered);
    Ok(recovered)
}

/// What could not be read may have ended a message, or freed a retired id, before the id was given to
/// another message: that one keeps it, and the earlier one is sent as new.
fn give_each_id_once(recovered: &mut Recovered) {
    let mut given = HashSet::new();
    for message in recovered.messages.values_mut().rev() {
        if message.packet_id.is_some_and(|packet_id| !given.insert(packet_id)) {
            (message.packet_id, message.released) = (None, None);
        }
    }
    recovered.retired.retain(|packet_id| given.insert(*packet_id));
}

/// Everything, as records that come to the same.
fn write(recovered: &Recovered, draft: &mut Draft<'_>) -> Result<()> {
    let mut records = Vec::new();
    for (&number, message) in &recovered.messages {
        let (version, expiry, packet) = (message.version, message.expiry, &message.packet[..]);
        records.clear();
        Record::Message { number, version, expiry, packet }.encode(&mut records);
        if let Some(packet_id) = message.packet_id {
            Record::Launched { number, packet_id }.encode(&mut records);
        }
        draft.append(message.accepted, &records)?;
    }
    records.clear();
    let released = recovered
        .messages
        .iter()
        .filter_map(|(number, message)| message.released.map(|place| (place, *number)));
    let mut released: Vec<_> = released.collect();
    released.sort_unstable();
    for (_, number) in released {
        Record::Released { number }.encode(&mut records);
    }
    records.extend_from_slice(&base::rest(recovered));
    draft.append(unix_now(), &records)
}
