//! What is in a store's directory, read without changing it.
//!
//! The base and the logs behind it, in order, come to what has survived. The first place where a log
//! does not go on as it was written is a *hole*. What is behind a hole is lost, which is right when it had
//! not been synced, and damage when it had:
//!
//! - in the same life of the machine only the end of the last log can be missing: a process died within a
//!   write, or the disk was full;
//! - after the machine went down anything that was not synced can be missing. Each frame says what had been
//!   synced when it was written: a frame behind the hole that counts what is missing among it is proof of
//!   damage.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{File, FileSystem},
    base::{self, Folded, Source, Trouble},
    frame::Kind,
    header::{self, Header, Start},
    log::{self, Link, Step, Walk},
    name,
    place::Place,
    scan,
};
use crate::{
    engine::{Record, Recovered},
    error::Result,
};

/// What a directory holds, and what has to be done to go on with it.
#[derive(Debug)]
pub(in crate::store) struct Contents {
    pub(in crate::store) recovered: Recovered,
    /// The logs that are not in the base, in order; the last is written to.
    pub(super) logs: Vec<Source>,
    /// What the next frame follows.
    pub(super) next: Link,
    /// The last frame that is known to have been synced.
    pub(super) synced: u64,
    /// Files that do not count any more, and whether they are worth keeping.
    pub(super) surplus: Vec<(PathBuf, bool)>,
    /// The bytes of the files that count.
    pub(in crate::store) size: u64,
    /// The highest number that a log has had.
    pub(super) highest: u64,
}

/// The files of a directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) base: bool,
    pub(super) logs: Vec<u64>,
    pub(super) drafts: Vec<PathBuf>,
    strange: Option<PathBuf>,
}

impl Listing {
    /// Nothing where the directory is missing.
    pub(super) fn read(place: &Place) -> Result<Option<Self>> {
        let names = match place.files.list(&place.directory) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(place.failed("read", error)),
        };
        let mut listing = Self::default();
        for name in names {
            match name::kind(&name) {
                name::Kind::Base => listing.base = true,
                name::Kind::Log(number) => listing.logs.push(number),
                name::Kind::Draft => listing.drafts.push(name),
                name::Kind::Strange => listing.strange = Some(name),
                name::Kind::Lock | name::Kind::Damaged => {}
            }
        }
        listing.logs.sort_unstable();
        Ok(Some(listing))
    }

    /// Whether there is a store.
    ///
    /// # Errors
    /// `STORE_FOREIGN` where there is something else instead.
    pub(super) fn has_store(&self, place: &Place) -> Result<bool> {
        match &self.strange {
            _ if self.base || !self.logs.is_empty() => Ok(true),
            Some(strange) => {
                let what = format!("files that are no store's ({})", strange.display());
                Err(place.foreign(&what))
            }
            None => Ok(false),
        }
    }
}

/// A log's file with its header.
pub(super) struct Opened {
    pub(super) file: Arc<dyn File>,
    pub(super) header: Header,
    /// Where the first frame begins.
    pub(super) position: u64,
    pub(super) first: Link,
}

pub(super) enum Unread {
    Flaw(header::Flaw),
    Failed(io::Error),
}

impl From<header::Flaw> for Unread {
    fn from(flaw: header::Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// Opens a log and reads its header.
pub(super) fn open_log(
    place: &Place,
    number: u64,
) -> Result<std::result::Result<Opened, header::Flaw>> {
    let failed = |error| place.failed("read", error);
    let file = place.files.open(&place.path(&name::of_log(number)), false).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    let read = Header::decode(|count| {
        if count as u64 > length {
            return Ok(None);
        }
        let mut bytes = vec![0; count];
        file.read_at(&mut bytes, 0).map_err(Unread::Failed)?;
        Ok(Some(bytes))
    });
    match read {
        Ok((header, length, chain)) if header.number == number => {
            let first = Link { sequence: header.first, chain, salt: header.salt };
            Ok(Ok(Opened { file, header, position: length as u64, first }))
        }
        Ok(_) => Ok(Err(header::Flaw::Damaged)),
        Err(Unread::Flaw(flaw)) => Ok(Err(flaw)),
        Err(Unread::Failed(error)) => Err(failed(error)),
    }
}

/// Where the first frame is missing.
struct Hole {
    /// The log in which it is, as an index; it may be behind the end of one.
    log: usize,
    position: u64,
    /// The file ends there, and there is no later one.
    at_end: bool,
}

/// Whose store is in a directory, where there is one that a client id can be read of.
pub(in crate::store) fn client_id(files: &Arc<dyn FileSystem>, directory: &Path) -> Option<String> {
    let place =
        Place { files: files.clone(), directory: directory.to_owned(), client_id: "".into() };
    let listing = Listing::read(&place).ok()??;
    let mut logs = listing.logs.iter().filter_map(|log| open_log(&place, *log).ok()?.ok());
    logs.next().map(|log| log.header.client_id)
}

impl Place {
    /// Whether there is a store.
    ///
    /// # Errors
    /// `STORE_FOREIGN`, `STORE_FAILED`.
    pub(in crate::store) fn has_store(&self) -> Result<bool> {
        Listing::read(self)?.map_or(Ok(false), |listing| listing.has_store(self))
    }
}

impl Contents {
    /// Reads a directory; nothing where it has no store.
    ///
    /// # Errors
    /// `STORE_CORRUPT`, `STORE_VERSION`, `STORE_FOREIGN`, `STORE_READ_ONLY`, `STORE_FAILED`.
    pub(in crate::store) fn read(place: &Place) -> Result<Option<Self>> {
        let Some(listing) = Listing::read(place)? else { return Ok(None) };
        if !listing.has_store(place)? {
            return Ok(None);
        }
        let mut logs = BTreeMap::new();
        for &number in &listing.logs {
            logs.insert(number, open_log(place, number)?);
        }
        check_owner(place, &logs)?;
        if let Some(contents) = Self::read_fresh(place, &listing, &logs)? {
            return Ok(Some(contents));
        }
        let (folded, recovered, base_size) = read_base(place, &listing)?;
        let mut reading = Reading::new(place, recovered, folded);
        reading.surplus(&listing, &logs);
        let live: Vec<_> = logs.into_iter().filter(|(number, _)| *number > folded.log).collect();
        reading.check_first(&live, listing.base)?;
        reading.go_through(live)?;
        Ok(Some(reading.finish(base_size, listing.logs.last().copied().unwrap_or(0))))
    }

    /// A store that has just been cleared or repaired: nobody has opened it since, so whatever else is
    /// there does not count, and need not be readable.
    fn read_fresh(
        place: &Place,
        listing: &Listing,
        logs: &BTreeMap<u64, std::result::Result<Opened, header::Flaw>>,
    ) -> Result<Option<Self>> {
        let Some((&number, Ok(last))) = logs.last_key_value() else { return Ok(None) };
        let start = last.header.start;
        if !matches!(start, Start::Cleared | Start::Repaired) {
            return Ok(None);
        }
        let mut reading = Reading::new(place, Recovered::default(), Folded::default());
        let opened = Opened {
            file: last.file.clone(),
            header: last.header.clone(),
            position: last.position,
            first: last.first,
        };
        reading.go_through(vec![(number, Ok(opened))])?;
        if reading.has_been_opened {
            return Ok(None);
        }
        let keep = start == Start::Repaired;
        reading.surplus.extend(listing.drafts.iter().map(|name| (name.clone(), false)));
        reading.surplus.extend(
            listing
                .logs
                .iter()
                .filter(|log| **log != number)
                .map(|log| (name::of_log(*log).into(), keep)),
        );
        if listing.base {
            reading.surplus.push((name::BASE.into(), keep));
        }
        let mut contents = reading.finish(0, number);
        contents.recovered.doubtful |= keep;
        Ok(Some(contents))
    }
}

/// That the directory is this client id's, as far as its headers can be read.
fn check_owner(
    place: &Place,
    logs: &BTreeMap<u64, std::result::Result<Opened, header::Flaw>>,
) -> Result<()> {
    for log in logs.values() {
        match log {
            Ok(log) if log.header.client_id != *place.client_id => {
                let whose = format!("the store of the client id {:?}", log.header.client_id);
                return Err(place.foreign(&whose));
            }
            Err(header::Flaw::Newer) => return Err(place.newer()),
            _ => {}
        }
    }
    // A log of which the machine left nothing comes after one that it left whole.
    if let Some((number, Err(header::Flaw::Strange))) = logs.first_key_value() {
        let what = format!("a file {} that is no store's", name::of_log(*number));
        return Err(place.foreign(&what));
    }
    Ok(())
}

/// The base, and its size.
fn read_base(place: &Place, listing: &Listing) -> Result<(Folded, Recovered, u64)> {
    if !listing.base {
        return Ok((Folded::default(), Recovered::default(), 0));
    }
    let failed = |error| place.failed("read", error);
    let file = place.files.open(&place.path(name::BASE), false).map_err(failed)?;
    let size = file.length().map_err(failed)?;
    let (folded, recovered) = match base::read(file, &place.client_id) {
        Ok(read) => read,
        Err(Trouble::Failed(error)) => return Err(failed(error)),
        Err(Trouble::Newer) => return Err(place.newer()),
        Err(Trouble::Foreign) => return Err(place.foreign("the store of another client id")),
        Err(Trouble::Damaged) if listing.logs.is_empty() => {
            return Err(place.foreign("a file base that is no store's"));
        }
        Err(Trouble::Damaged) => return Err(place.damaged("its base cannot be read")),
    };
    Ok((folded, recovered, size))
}

/// Goes through the logs.
struct Reading<'a> {
    place: &'a Place,
    recovered: Recovered,
    folded: Folded,
    sources: Vec<Source>,
    next: Link,
    end: u64,
    synced: u64,
    size: u64,
    /// The last life of the machine in which the store was written.
    machine: String,
    has_been_opened: bool,
    is_closed: bool,
    surplus: Vec<(PathBuf, bool)>,
}

impl<'a> Reading<'a> {
    fn new(place: &'a Place, recovered: Recovered, folded: Folded) -> Self {
        let next = Link { sequence: folded.sequence + 1, chain: folded.chain, salt: 0 };
        Self {
            place,
            recovered,
            folded,
            sources: Vec::new(),
            next,
            end: 0,
            synced: folded.sequence,
            size: 0,
            machine: String::new(),
            has_been_opened: false,
            is_closed: false,
            surplus: Vec::new(),
        }
    }

    /// What is in the base already, and what was not finished.
    fn surplus(
        &mut self,
        listing: &Listing,
        logs: &BTreeMap<u64, std::result::Result<Opened, header::Flaw>>,
    ) {
        self.surplus.extend(listing.drafts.iter().map(|name| (name.clone(), false)));
        let folded =
            logs.range(..=self.folded.log).map(|(log, _)| (name::of_log(*log).into(), false));
        self.surplus.extend(folded);
    }

    /// That nothing is missing before the first log.
    fn check_first(
        &self,
        logs: &[(u64, std::result::Result<Opened, header::Flaw>)],
        has_base: bool,
    ) -> Result<()> {
        let missing = |number| self.place.damaged(&format!("{} is missing", name::of_log(number)));
        let Some((number, first)) = logs.first() else {
            return Err(missing(self.folded.log + 1));
        };
        let Ok(first) = first else {
            let name = name::of_log(*number);
            return Err(self.place.damaged(&format!("{name} cannot be read from its beginning")));
        };
        let follows = match has_base {
            true => {
                first.header.start == Start::Continued
                    && *number == self.folded.log + 1
                    && self.follows(&first.header)
            }
            false => first.header.start != Start::Continued,
        };
        match follows {
            true => Ok(()),
            false if has_base => Err(missing(self.folded.log + 1)),
            false => Err(self.place.damaged("its base is missing")),
        }
    }

    fn follows(&self, header: &Header) -> bool {
        header.first == self.next.sequence && header.chain == self.next.chain
    }

    fn go_through(
        &mut self,
        logs: Vec<(u64, std::result::Result<Opened, header::Flaw>)>,
    ) -> Result<()> {
        let mut hole = None;
        for (at, (number, log)) in logs.iter().enumerate() {
            let last = at + 1 == logs.len();
            let opened = match log {
                Ok(opened) if at == 0 || self.is_next(*number, opened) => opened,
                log => {
                    let at_end = last && matches!(log, Err(header::Flaw::CutOff));
                    hole = Some(Hole { log: at, position: 0, at_end });
                    break;
                }
            };
            let found = self.go_through_one(*number, opened)?;
            if let Some((position, flaw)) = found {
                let at_end = last && flaw == log::Flaw::CutOff;
                hole = Some(Hole { log: at, position, at_end });
                break;
            }
        }
        if let Some(hole) = hole {
            self.judge(&hole, &logs)?;
            self.is_closed = false;
            let behind = logs.get(self.sources.len()..).unwrap_or_default();
            self.surplus.extend(behind.iter().map(|(log, _)| (name::of_log(*log).into(), false)));
        }
        Ok(())
    }

    fn is_next(&self, number: u64, log: &Opened) -> bool {
        let before = self.sources.last().map_or(self.folded.log, |source| source.number);
        number == before + 1
            && log.header.start == Start::Continued
            && log.header.salt == self.next.salt
            && self.follows(&log.header)
    }

    /// Adds a log; where it has a hole.
    fn go_through_one(&mut self, number: u64, log: &Opened) -> Result<Option<(u64, log::Flaw)>> {
        let failed = |error| self.place.failed("read", error);
        self.machine.clone_from(&log.header.machine);
        let mut walk = Walk::new(log.file.clone(), log.position, log.first).map_err(failed)?;
        let hole = loop {
            match walk.step().map_err(failed)? {
                Step::Frame(head, payload) => {
                    self.synced = self.synced.max(head.synced);
                    self.is_closed = false;
                    match Kind::from_byte(head.kind) {
                        Some(Kind::Batch) => {
                            for record in Record::all(payload) {
                                let record = record.map_err(|_| self.place.newer())?;
                                self.recovered.apply(&record, head.time);
                            }
                        }
                        Some(Kind::Opened) => {
                            self.machine = String::from_utf8_lossy(payload).into_owned();
                            self.has_been_opened = true;
                        }
                        Some(Kind::Closed) => self.is_closed = true,
                        None => return Err(self.place.newer()),
                    }
                }
                Step::End => break None,
                Step::Hole(flaw) => break Some(flaw),
            }
        };
        self.end = walk.position();
        self.next = walk.next;
        self.size += self.end;
        self.sources.push(Source {
            number,
            file: log.file.clone(),
            position: log.position,
            first: log.first,
            end: self.next.sequence,
            bytes: self.end,
        });
        Ok(hole.map(|flaw| (self.end, flaw)))
    }

    /// Whether what is missing can be what a dying process or machine leaves.
    fn judge(
        &self,
        hole: &Hole,
        logs: &[(u64, std::result::Result<Opened, header::Flaw>)],
    ) -> Result<()> {
        let name = name::of_log(logs[hole.log].0);
        let damaged = || {
            let what = match hole.position {
                0 => format!("{name} cannot be read from its beginning"),
                position => format!("{name} cannot be read from byte {position} on"),
            };
            self.place.damaged(&what)
        };
        let machine = self.place.files.machine();
        if !machine.is_empty() && machine == self.machine {
            return if hole.at_end { Ok(()) } else { Err(damaged()) };
        }
        let mut claimed = 0;
        for (at, (number, log)) in logs.iter().enumerate().skip(hole.log) {
            let position = if at == hole.log { hole.position } else { 0 };
            let file = match log {
                Ok(log) => log.file.clone(),
                Err(_) => {
                    let path = self.place.path(&name::of_log(*number));
                    self.place
                        .files
                        .open(&path, false)
                        .map_err(|error| self.place.failed("read", error))?
                }
            };
            scan::frames(file, position, self.next.salt, true, &mut |head, _| {
                claimed = claimed.max(head.synced);
            })
            .map_err(|error| self.place.failed("read", error))?;
        }
        if claimed >= self.next.sequence { Err(damaged()) } else { Ok(()) }
    }

    fn finish(mut self, base_size: u64, highest: u64) -> Contents {
        let machine = self.place.files.machine();
        let same_life = !machine.is_empty() && machine == self.machine;
        self.recovered.doubtful = !self.is_closed && !same_life;
        Contents {
            recovered: self.recovered,
            logs: self.sources,
            next: self.next,
            synced: self.synced,
            surplus: self.surplus,
            size: self.size + base_size,
            highest,
        }
    }
}
