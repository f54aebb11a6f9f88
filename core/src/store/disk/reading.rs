//! Goes through the logs behind the base, and judges what is missing.
//!
//! The first place where a log does not go on as it was written is a *hole*. What is behind a hole is
//! lost, which is right when it had not been synced, and damage when it had:
//!
//! - in the same life of the machine only the end of the last log can be missing: a process died within a
//!   write, or the disk was full;
//! - after the machine went down anything that was not synced can be missing. Each frame says what had been
//!   synced when it was written: a frame behind the hole that counts what is missing among it is proof of
//!   damage.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use super::{
    base::{Folded, Source},
    contents::Contents,
    frame::Kind,
    header::{self, Header, Start},
    listing::{Candidate, Listing, Opened},
    log::{self, Link, Step, Walk},
    name,
    place::Place,
    scan,
};
use crate::{
    engine::{Record, Recovered},
    error::Result,
};

/// Where the first frame is missing.
struct Hole {
    /// The log in which it is, as an index; it may be behind the end of one.
    log: usize,
    position: u64,
    /// The file ends there, and there is no later one.
    at_end: bool,
}

/// Goes through the logs.
pub(super) struct Reading<'a> {
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
    pub(super) has_been_opened: bool,
    is_closed: bool,
    pub(super) surplus: Vec<(PathBuf, bool)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(place: &'a Place, recovered: Recovered, folded: Folded) -> Self {
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
    pub(super) fn surplus(&mut self, listing: &Listing, logs: &BTreeMap<u64, Candidate>) {
        self.surplus.extend(listing.drafts.iter().map(|name| (name.clone(), false)));
        let folded =
            logs.range(..=self.folded.log).map(|(log, _)| (name::of_log(*log).into(), false));
        self.surplus.extend(folded);
    }

    /// That nothing is missing before the first log.
    pub(super) fn check_first(&self, logs: &[(u64, Candidate)], has_base: bool) -> Result<()> {
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

    pub(super) fn go_through(&mut self, logs: &[(u64, Candidate)]) -> Result<()> {
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
            self.judge(&hole, logs)?;
            self.is_closed = false;
            let behind = logs.get(self.sources.len()..).unwrap_or_default();
            self.surplus.extend(behind.iter().map(|(log, _)| (name::of_log(*log).into(), false)));
        }
        Ok(())
    }

    /// The number of the next log.
    fn expected(&self) -> u64 {
        self.sources.last().map_or(self.folded.log, |source| source.number) + 1
    }

    fn is_next(&self, number: u64, log: &Opened) -> bool {
        number == self.expected()
            && log.header.start == Start::Continued
            && log.header.salt == self.next.salt
            && self.follows(&log.header)
    }

    /// Adds a log; where it has a hole.
    fn go_through_one(&mut self, number: u64, log: &Opened) -> Result<Option<(u64, log::Flaw)>> {
        let failed = |error| self.place.failed("read", error);
        self.machine.clone_from(&log.header.machine);
        let mut walk = Walk::new(log.file.clone(), log.position, log.first).map_err(failed)?;
        // Where each frame stands that nothing yet says has been synced; the header stands with the first.
        let mut unsynced = VecDeque::new();
        let mut synced_to = 0;
        let hole = loop {
            let position = walk.position();
            match walk.step().map_err(failed)? {
                Step::Frame(head, payload) => {
                    self.synced = self.synced.max(head.synced);
                    unsynced.push_back((head.sequence, position));
                    while unsynced.pop_front_if(|(frame, _)| *frame <= self.synced).is_some() {
                        synced_to = unsynced.front().map_or(position, |(_, position)| *position);
                    }
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
            unsynced: synced_to,
        });
        Ok(hole.map(|flaw| (self.end, flaw)))
    }

    /// Whether what is missing can be what a dying process or machine leaves.
    fn judge(&self, hole: &Hole, logs: &[(u64, Candidate)]) -> Result<()> {
        let damaged = || {
            let number = logs[hole.log].0;
            let name = name::of_log(number);
            let what = match hole.position {
                0 if self.expected() != number => {
                    format!("{} is missing", name::of_log(self.expected()))
                }
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

    pub(super) fn finish(mut self, base_size: u64, highest: u64) -> Contents {
        let machine = self.place.files.machine();
        let same_life = !machine.is_empty() && machine == self.machine;
        self.recovered.doubtful |= !self.is_closed && !same_life;
        for source in &mut self.sources {
            // A later log speaks for what is before it.
            if source.end > source.first.sequence && source.end <= self.synced + 1 {
                source.unsynced = source.bytes;
            }
        }
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
