//! What the simulated machine has in its memory and on its disk.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
};

use super::Fault;

/// A part of a write that reaches the disk ends at a multiple of this.
const SECTOR: usize = 512;

/// All files, as the process sees them and as they are on the disk.
#[derive(Debug, Default)]
pub(super) struct SimulatedDisk {
    /// By number; a name refers to one.
    contents: Vec<Content>,
    /// The names as the process sees them.
    names: BTreeMap<PathBuf, usize>,
    /// The names on the disk.
    durable_names: BTreeMap<PathBuf, usize>,
    /// What has been done to names since their directories were synced, in order.
    renamed: Vec<NameChange>,
    directories: HashSet<PathBuf>,
    pub(super) locks: HashSet<PathBuf>,
    pub(super) fault: Option<Fault>,
    pub(super) syncs: u64,
    /// Counts processes.
    pub(super) life: u64,
    /// Counts the machine's lives.
    pub(super) machine: u64,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    /// What the process reads.
    pub(super) now: Vec<u8>,
    /// What is on the disk without the changes.
    durable: Vec<u8>,
    /// What has not been synced, in order.
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    Length(usize),
}

/// One step of a directory, which happens or does not; a rename takes a name and gives one.
#[derive(Debug)]
struct NameChange {
    gone: Option<PathBuf>,
    new: Option<(PathBuf, usize)>,
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, file)) = &self.new {
            names.insert(name.clone(), *file);
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        let new = self.new.as_ref().map(|(name, _)| name);
        self.gone.iter().chain(new).any(|name| name.parent() == Some(directory))
    }
}

impl Content {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            change.apply(&mut self.durable);
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.changes.push(change);
    }

    fn cut_power(&mut self, survives: &mut dyn FnMut(usize) -> usize) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write { position, mut bytes } => {
                    let reached = survives(bytes.len());
                    if reached < bytes.len() {
                        let end = (position + reached) / SECTOR * SECTOR;
                        bytes.truncate(end.saturating_sub(position));
                    }
                    if !bytes.is_empty() {
                        Change::Write { position, bytes }.apply(&mut self.durable);
                    }
                }
                Change::Length(_) if survives(1) > 0 => change.apply(&mut self.durable),
                Change::Length(_) => {}
            }
        }
        self.now.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { position, bytes } => {
                let end = position + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*position..end].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl SimulatedDisk {
    pub(super) fn end_process(&mut self) {
        self.life += 1;
        self.locks.clear();
        self.fault = self.fault.filter(|fault| !matches!(fault, Fault::Halt(_)));
    }

    pub(super) fn cut_power(&mut self, survives: &mut dyn FnMut(usize) -> usize) {
        self.machine += 1;
        for change in std::mem::take(&mut self.renamed) {
            if survives(1) > 0 {
                change.apply(&mut self.durable_names);
            }
        }
        self.names.clone_from(&self.durable_names);
        // What has no name any more is gone.
        let mut kept = Vec::with_capacity(self.names.len());
        for file in self.names.values_mut() {
            kept.push(std::mem::take(&mut self.contents[*file]));
            *file = kept.len() - 1;
        }
        self.contents = kept;
        self.durable_names.clone_from(&self.names);
        self.contents.iter_mut().for_each(|content| content.cut_power(survives));
    }

    pub(super) fn content(&self, file: usize) -> &Content {
        &self.contents[file]
    }

    pub(super) fn find(&self, path: &Path) -> Option<&Content> {
        self.names.get(path).map(|file| &self.contents[*file])
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn set_content(&mut self, path: &Path, bytes: &[u8]) {
        self.contents.push(Content {
            now: bytes.to_vec(),
            durable: bytes.to_vec(),
            changes: Vec::new(),
        });
        let file = self.contents.len() - 1;
        self.names.insert(path.to_owned(), file);
        self.durable_names.insert(path.to_owned(), file);
    }

    pub(super) fn open(&mut self, path: &Path, create: bool) -> io::Result<usize> {
        if self.fault == Some(Fault::Open) {
            return Err(io::Error::other("too many open files"));
        }
        if let Some(&file) = self.names.get(path) {
            self.check_writable()?;
            return Ok(file);
        }
        if !create || !path.parent().is_some_and(|parent| self.directories.contains(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.begin_change()?;
        self.contents.push(Content::default());
        let file = self.contents.len() - 1;
        self.change_name(NameChange { gone: None, new: Some((path.to_owned(), file)) });
        Ok(file)
    }

    /// A directory is on the disk at once: a store makes one only before everything else.
    pub(super) fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        if !self.directories.contains(path) {
            self.begin_change()?;
            self.directories.extend(path.ancestors().map(Path::to_owned));
        }
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if !self.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = self.names.keys().chain(&self.directories);
        let within = names.filter(|name| name.parent() == Some(path));
        Ok(within.filter_map(|name| name.file_name()).map(PathBuf::from).collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = *self.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.begin_change()?;
        self.change_name(NameChange {
            gone: Some(from.to_owned()),
            new: Some((to.to_owned(), file)),
        });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        if !self.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.begin_change()?;
        self.change_name(NameChange { gone: Some(path.to_owned()), new: None });
        Ok(())
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.renamed.push(change);
    }

    pub(super) fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        self.begin_sync()?;
        for change in std::mem::take(&mut self.renamed) {
            if change.is_in(path) {
                change.apply(&mut self.durable_names);
            } else {
                self.renamed.push(change);
            }
        }
        Ok(())
    }

    /// What has no room is written as far as it has.
    pub(super) fn write(
        &mut self,
        file: usize,
        mut bytes: Vec<u8>,
        position: usize,
    ) -> io::Result<()> {
        self.begin_change()?;
        let mut result = Ok(());
        if let Some(Fault::Full(room)) = &mut self.fault {
            let length = bytes.len() as u64;
            if length > *room {
                bytes.truncate(usize::try_from(*room).expect("less than a length in memory"));
                result = Err(io::ErrorKind::StorageFull.into());
            }
            *room -= length.min(*room);
        }
        if !bytes.is_empty() {
            self.contents[file].change(Change::Write { position, bytes });
        }
        result
    }

    pub(super) fn set_length(&mut self, file: usize, length: usize) -> io::Result<()> {
        self.begin_change()?;
        self.contents[file].change(Change::Length(length));
        Ok(())
    }

    /// As on a real system, what was not taken when a sync fails is not offered to the disk again: it
    /// is read from memory until the power goes.
    pub(super) fn sync(&mut self, file: usize) -> io::Result<()> {
        let fails = self.fault == Some(Fault::Sync);
        let synced = self.begin_sync();
        let content = &mut self.contents[file];
        if fails {
            content.changes.clear();
        } else if synced.is_ok() {
            content.sync();
        }
        synced
    }

    fn begin_sync(&mut self) -> io::Result<()> {
        self.halt()?;
        if self.fault == Some(Fault::Sync) {
            self.fault = None;
            return Err(io::Error::other("the disk did not take it"));
        }
        self.syncs += 1;
        Ok(())
    }

    fn begin_change(&mut self) -> io::Result<()> {
        self.check_writable()?;
        self.halt()
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.fault {
            Some(Fault::ReadOnly) => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            _ => Ok(()),
        }
    }

    fn halt(&mut self) -> io::Result<()> {
        match &mut self.fault {
            Some(Fault::Halt(0)) => Err(io::Error::other("the process stands still")),
            Some(Fault::Halt(left)) => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
