//! Simulated files that tell a test before something is synced.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mqttsession::{
    error::Result,
    store::{File, FileSystem, SimulatedFiles},
};

type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Watched {
    files: SimulatedFiles,
    before_sync: Hook,
}

impl Watched {
    pub(crate) fn new(
        files: &SimulatedFiles,
        before_sync: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { files: files.clone(), before_sync: Arc::new(before_sync) })
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.files).finish()
    }
}

impl FileSystem for Watched {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>> {
        let (file, watched) = (self.files.open(path, create)?, self.clone());
        Ok(Arc::new(WatchedFile { file, watched }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.files.create_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        (self.before_sync)();
        self.files.sync_directory(path)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send + Sync>> {
        self.files.lock(path)
    }

    fn machine(&self) -> String {
        self.files.machine()
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    watched: Watched,
}

impl File for WatchedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, slices: &[io::IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_at(slices, position)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn sync(&self) -> io::Result<()> {
        (self.watched.before_sync)();
        self.file.sync()
    }
}
