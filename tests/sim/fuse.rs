//! Files under which the process dies at a chosen operation: before it, or in the middle of it.

use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use mqttsession::{
    error::Result,
    store::{File, FileSystem, SimulatedFiles},
};

const OUT: u64 = u64::MAX;
const DEAD: u64 = u64::MAX - 1;

/// The simulated files, and after how many operations that change something the process dies.
#[derive(Clone, Debug)]
pub(crate) struct FusedFiles {
    files: SimulatedFiles,
    /// So many operations are left; [`OUT`] when the fuse does not burn, [`DEAD`] when it has burnt.
    left: Arc<AtomicU64>,
    /// How many thousandths of the last write are written.
    part: Arc<AtomicU64>,
    /// How many files have been removed.
    removals: Arc<AtomicU64>,
}

/// What to do with an operation.
enum Step {
    Go,
    Die,
}

impl FusedFiles {
    pub(crate) fn new(files: SimulatedFiles) -> Self {
        Self {
            files,
            left: Arc::new(AtomicU64::new(OUT)),
            part: Arc::default(),
            removals: Arc::default(),
        }
    }

    /// How many files have been removed so far: logs that were folded.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Relaxed)
    }

    /// Lights it: the process dies in this operation from now, 0 being the next, after so many thousandths of
    /// it if it is a write.
    pub(crate) fn light(&self, operations: u64, part: u64) {
        self.left.store(operations, Relaxed);
        self.part.store(part, Relaxed);
    }

    /// A new process begins, or the fuse was lit for nothing.
    pub(crate) fn put_out(&self) {
        self.left.store(OUT, Relaxed);
    }

    /// Whether the process has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.left.load(Relaxed) == DEAD
    }

    fn burn(&self) -> Step {
        match self.left.load(Relaxed) {
            OUT => Step::Go,
            0 | DEAD => Step::Die,
            left => {
                self.left.store(left - 1, Relaxed);
                Step::Go
            }
        }
    }

    fn die<T>(&self) -> io::Result<T> {
        if self.left.swap(DEAD, Relaxed) != DEAD {
            self.files.kill();
        }
        Err(io::Error::other("the process is dead"))
    }

    fn guard<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.burn() {
            Step::Go => operation(),
            Step::Die => self.die(),
        }
    }
}

impl FileSystem for FusedFiles {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>> {
        let file = match create {
            true => self.guard(|| self.files.open(path, create))?,
            false => self.files.open(path, create)?,
        };
        Ok(Arc::new(FusedFile { file, files: self.clone() }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.guard(|| self.files.create_directory(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.guard(|| self.files.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.removals.fetch_add(1, Relaxed);
        self.guard(|| self.files.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.guard(|| self.files.sync_directory(path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send + Sync>> {
        self.files.lock(path)
    }

    fn machine(&self) -> String {
        self.files.machine()
    }
}

#[derive(Debug)]
struct FusedFile {
    file: Arc<dyn File>,
    files: FusedFiles,
}

impl File for FusedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        if let Step::Go = self.files.burn() {
            return self.file.write_at(slices, position);
        }
        let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let part = whole.len() as u64 * self.files.part.load(Relaxed) / 1000;
        let written = IoSlice::new(&whole[..part as usize]);
        // Whether that succeeds makes no difference to who is about to die.
        let _ = self.file.write_at(&[written], position);
        self.files.die()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.files.guard(|| self.file.set_length(length))
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn sync(&self) -> io::Result<()> {
        self.files.guard(|| self.file.sync())
    }
}
