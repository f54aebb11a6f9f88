//! An append-only log of checksummed frames with redb behind it: a batch is a frame; a log that has grown
//! is folded into the base, which what ended within it never sees.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    candidate::{Candidate, Change, Level, Result},
    redb::Redb,
};

/// When a log is folded.
const LONGEST: u64 = 8 << 20;
/// Length and checksum.
const HEAD: usize = 8;

pub struct Log {
    directory: PathBuf,
    base: Redb,
    /// The number of the log that is written.
    number: u64,
    file: File,
    end: u64,
    level: Level,
    frame: Vec<u8>,
}

impl Log {
    pub fn open(directory: &Path, level: Level) -> Result<Self> {
        let base = Redb::open(directory, Level::Synced)?;
        let mut number = 1;
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            if let Some(found) = name.to_str().and_then(|name| name.strip_prefix("log-")) {
                number = found.parse()?;
            }
        }
        let path = directory.join(format!("log-{number}"));
        let file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        let end = read(&path, &mut |_| Ok(()))?;
        // What stands behind the last whole frame has been torn, and was confirmed to nobody.
        file.set_len(end)?;
        let directory = directory.to_owned();
        Ok(Self { directory, base, number, file, end, level, frame: Vec::new() })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("log-{number}"))
    }

    /// Moves what has not ended into the base, and begins a new log.
    fn fold(&mut self) -> Result<()> {
        let old = self.path(self.number);
        let (mut inserted, mut launched, mut removed) =
            (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let bytes = fs::read(&old)?;
        frames(&bytes, &mut |change| {
            match change {
                Change::Insert(number, payload) => drop(inserted.insert(number, payload)),
                Change::Launch(number, id) => drop(launched.insert(number, id)),
                Change::Remove(number) => {
                    launched.remove(&number);
                    if inserted.remove(&number).is_none() {
                        removed.push(number);
                    }
                }
            }
            Ok(())
        })?;
        let mut changes: Vec<Change<'_>> = Vec::new();
        changes
            .extend(inserted.into_iter().map(|(number, payload)| Change::Insert(number, payload)));
        changes.extend(launched.into_iter().map(|(number, id)| Change::Launch(number, id)));
        changes.extend(removed.into_iter().map(Change::Remove));
        self.number += 1;
        self.file = File::create_new(self.path(self.number))?;
        File::open(&self.directory)?.sync_all()?;
        self.end = 0;
        self.base.apply(&changes)?;
        Ok(fs::remove_file(old)?)
    }
}

impl Candidate for Log {
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()> {
        if self.end > LONGEST {
            self.fold()?;
        }
        self.frame.clear();
        self.frame.extend([0; HEAD]);
        for change in changes {
            match *change {
                Change::Insert(number, payload) => {
                    self.frame.push(b'I');
                    self.frame.write_all(&number.to_le_bytes())?;
                    self.frame.write_all(&(payload.len() as u32).to_le_bytes())?;
                    self.frame.write_all(payload)?;
                }
                Change::Launch(number, id) => {
                    self.frame.push(b'L');
                    self.frame.write_all(&number.to_le_bytes())?;
                    self.frame.write_all(&id.to_le_bytes())?;
                }
                Change::Remove(number) => {
                    self.frame.push(b'R');
                    self.frame.write_all(&number.to_le_bytes())?;
                }
            }
        }
        let length = (self.frame.len() - HEAD) as u32;
        let checksum = crc32fast::hash(&self.frame[HEAD..]);
        self.frame[..4].copy_from_slice(&length.to_le_bytes());
        self.frame[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
        self.file.write_all_at(&self.frame, self.end)?;
        if self.level == Level::Synced {
            self.file.sync_data()?;
        }
        self.end += self.frame.len() as u64;
        Ok(())
    }

    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let mut pending = BTreeMap::new();
        self.base.pending(&mut |number, payload| drop(pending.insert(number, payload.to_vec())))?;
        read(&self.path(self.number), &mut |change| {
            match change {
                Change::Insert(number, payload) => drop(pending.insert(number, payload.to_vec())),
                Change::Launch(..) => {}
                Change::Remove(number) => drop(pending.remove(&number)),
            }
            Ok(())
        })?;
        pending.iter().for_each(|(number, payload)| visit(*number, payload));
        Ok(())
    }
}

/// Reads a log; where its last whole frame ends.
fn read(path: &Path, visit: &mut dyn FnMut(Change<'_>) -> Result<()>) -> Result<u64> {
    let bytes = fs::read(path)?;
    frames(&bytes, &mut |change| visit(change))
}

fn frames<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(Change<'a>) -> Result<()>) -> Result<u64> {
    let mut left = bytes;
    while let Some((head, rest)) = left.split_at_checked(HEAD) {
        let length = u32::from_le_bytes(head[..4].try_into()?) as usize;
        let checksum = u32::from_le_bytes(head[4..].try_into()?);
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        if length == 0 || crc32fast::hash(frame) != checksum {
            break;
        }
        let mut frame = frame;
        let mut take = |count: usize| {
            let (taken, rest) = frame.split_at_checked(count)?;
            frame = rest;
            Some(taken)
        };
        while let Some(kind) = take(1) {
            let number = u64::from_le_bytes(take(8).ok_or("a short number")?.try_into()?);
            visit(match kind {
                b"I" => {
                    let length = u32::from_le_bytes(take(4).ok_or("a short length")?.try_into()?);
                    Change::Insert(number, take(length as usize).ok_or("a short payload")?)
                }
                b"L" => Change::Launch(
                    number,
                    u16::from_le_bytes(take(2).ok_or("a short id")?.try_into()?),
                ),
                _ => Change::Remove(number),
            })?;
        }
        left = rest;
    }
    Ok((bytes.len() - left.len()) as u64)
}
