//! Files in memory that fail as real ones do: full, read-only, with writes that were torn or lost because
//! nobody had synced them. What a store does on them is what it does on a disk; tests decide when the
//! power goes.

mod disk;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::disk::SimulatedDisk;
use super::{File, FileSystem};
use crate::{
    error::{Code, Result},
    sync::{Mutex, MutexGuard},
};

/// A file system in memory. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct SimulatedFiles(Arc<Mutex<SimulatedDisk>>);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// So many more bytes can be written; what goes beyond is written in part, and fails.
    Full(u64),
    /// Nothing can be written.
    ReadOnly,
    /// No file can be opened or made: the process has as many as it may.
    Open,
    /// Syncing fails, once. What the file had not synced by then is lost when the power goes, unless it
    /// is written again, whatever is synced later.
    Sync,
    /// After so many more changes and syncs nothing does anything any more: the process stands still
    /// there until it is killed or the power is cut, which ends this fault.
    Halt(u64),
}

impl SimulatedFiles {
    /// From now on this goes wrong; `None` makes everything well again.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.disk().fault = fault;
    }

    /// The process dies: what was written stays, locks are gone, and objects made before have no effect
    /// any more.
    pub fn kill(&self) {
        self.disk().end_process();
    }

    /// The machine goes down: of what was not synced, `survives` decides for each write whether it reached
    /// the disk whole, in part (its first bytes; a part ends where a sector of 512 bytes does) or not at
    /// all, whatever the order; it is given the length of the write. A change of a file's length, and one of
    /// a directory that was not synced, count as writes of one byte. Locks are gone, and
    /// [`machine`](FileSystem::machine) is another.
    pub fn cut_power(&self, survives: &mut dyn FnMut(usize) -> usize) {
        let mut disk = self.disk();
        disk.end_process();
        disk.cut_power(survives);
    }

    /// How many times something was synced.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// What a file holds, written or synced; nothing where there is none.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.disk().find(path).map(|content| content.now.clone())
    }

    /// Gives a file this content, as another program would, or damage; synced.
    pub fn set_content(&self, path: &Path, bytes: &[u8]) {
        self.disk().set_content(path, bytes);
    }

    /// Every file, in the order of the names.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.disk().paths()
    }

    fn disk(&self) -> MutexGuard<'_, SimulatedDisk> {
        self.0.lock()
    }
}

impl FileSystem for SimulatedFiles {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        let file = disk.open(path, create)?;
        let life = disk.life;
        drop(disk);
        Ok(Arc::new(SimulatedFile { files: self.clone(), file, life }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk().create_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk().list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk().remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.disk().sync_directory(path)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send + Sync>> {
        let mut disk = self.disk();
        if !disk.locks.insert(path.to_owned()) {
            return Err(Code::StoreLocked.into());
        }
        let held = SimulatedLock { files: self.clone(), path: path.to_owned(), life: disk.life };
        Ok(Box::new(held))
    }

    fn machine(&self) -> String {
        format!("machine {}", self.disk().machine)
    }
}

struct SimulatedLock {
    files: SimulatedFiles,
    path: PathBuf,
    life: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut disk = self.files.disk();
        if disk.life == self.life {
            disk.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimulatedFile {
    files: SimulatedFiles,
    file: usize,
    /// The process that opened it.
    life: u64,
}

impl SimulatedFile {
    fn with<R>(
        &self,
        work: impl FnOnce(&mut SimulatedDisk, usize) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut disk = self.files.disk();
        if disk.life != self.life {
            return Err(io::Error::other("the process that opened this file is dead"));
        }
        work(&mut disk, self.file)
    }
}

impl File for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.with(|disk, file| {
            let content = &disk.content(file).now;
            let from = usize::try_from(position).unwrap_or(usize::MAX);
            let read = from.checked_add(buffer.len()).and_then(|to| content.get(from..to));
            buffer.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, slices: &[io::IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let position = usize::try_from(position).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.with(|disk, file| disk.write(file, bytes, position))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.with(|disk, file| disk.set_length(file, length))
    }

    fn length(&self) -> io::Result<u64> {
        self.with(|disk, file| Ok(disk.content(file).now.len() as u64))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|disk, file| disk.sync(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Arc<dyn File>, bytes: &[u8], position: u64) -> io::Result<()> {
        file.write_at(&[io::IoSlice::new(bytes)], position)
    }

    #[test]
    fn the_power_takes_what_was_not_synced_and_a_kill_does_not() {
        let files = SimulatedFiles::default();
        let (directory, path) = (Path::new("d"), Path::new("d/file"));
        files.create_directory(directory).unwrap();
        let file = files.open(path, true).unwrap();
        write(&file, &[1; 1000], 0).unwrap();
        file.sync().unwrap();
        // The content is on the disk, and nothing leads there.
        files.cut_power(&mut |_| 0);
        assert_eq!(files.content(path), None);
        assert!(write(&file, b"x", 0).is_err(), "its process is dead");

        let file = files.open(path, true).unwrap();
        files.sync_directory(directory).unwrap();
        write(&file, &[1; 1000], 0).unwrap();
        file.sync().unwrap();
        write(&file, &[2; 1000], 100).unwrap();
        write(&file, &[3; 10], 2000).unwrap();
        files.kill();
        assert_eq!(files.content(path).unwrap().len(), 2010);
        // The first write is torn within its second sector, the later one is whole.
        let mut survive = [700, 10].into_iter();
        files.cut_power(&mut |_| survive.next().unwrap());
        let content = files.content(path).unwrap();
        assert_eq!(content[..100], [1; 100]);
        assert_eq!(content[100..512], [2; 412]);
        assert_eq!(content[512..1000], [1; 488]);
        assert_eq!(content[1000..2000], [0; 1000]);
        assert_eq!(content[2000..], [3; 10]);
    }

    #[test]
    fn names_are_as_durable_as_their_directory() {
        let files = SimulatedFiles::default();
        let (directory, old, new) = (Path::new("d"), Path::new("d/old"), Path::new("d/new"));
        files.create_directory(directory).unwrap();
        for path in [old, new] {
            let file = files.open(path, true).unwrap();
            write(&file, path.as_os_str().as_encoded_bytes(), 0).unwrap();
            file.sync().unwrap();
        }
        files.sync_directory(directory).unwrap();
        files.rename(old, new).unwrap();
        assert_eq!(files.paths(), [new]);
        files.cut_power(&mut |_| 0);
        assert_eq!(files.paths(), [new, old]);
        files.rename(old, new).unwrap();
        files.sync_directory(directory).unwrap();
        files.cut_power(&mut |_| 0);
        assert_eq!(files.content(new).unwrap(), b"d/old");
        assert_eq!(files.paths(), [new]);
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let files = SimulatedFiles::default();
        let path = Path::new("d/file");
        files.create_directory("d".as_ref()).unwrap();
        let file = files.open(path, true).unwrap();
        files.sync_directory("d".as_ref()).unwrap();
        files.set_fault(Some(Fault::Full(3)));
        let full = write(&file, b"abcd", 0).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(files.content(path).unwrap(), b"abc");
        files.set_fault(Some(Fault::ReadOnly));
        let refused = files.open(path, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
        files.set_fault(Some(Fault::Open));
        assert!(files.open(path, false).is_err());
        write(&file, b"abc", 0).unwrap();
        // What a failing sync did not take no later one brings to the disk, unless it is written again.
        files.set_fault(Some(Fault::Sync));
        file.sync().unwrap_err();
        write(&file, b"d", 3).unwrap();
        file.sync().unwrap();
        files.set_fault(Some(Fault::Halt(1)));
        write(&file, b"e", 4).unwrap();
        write(&file, b"f", 5).unwrap_err();
        files.cut_power(&mut |length| length);
        assert_eq!(files.content(path).unwrap(), b"\0\0\0de");
        assert!(files.open(path, false).is_ok(), "it stands still no more");
    }
}
