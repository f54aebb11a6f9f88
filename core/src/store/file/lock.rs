//! Who may have a store open: one process, and in it one session.
//!
//! Between processes it is a POSIX record lock, which a child of fork does not inherit. Such a lock
//! belongs to the process, not to a descriptor: a second one in the same process would succeed, and it
//! ends when *any* descriptor of the file is closed. So what this process holds is written down, and a
//! file that stands there is not even opened.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io,
    path::Path,
    sync::OnceLock,
};

use crate::{
    error::{Code, Error, Result},
    sync::{Mutex, MutexGuard},
};

/// What one process holds. A child of fork finds its parent's entries, which do not count, and
/// perhaps its parent's mutex locked for ever; so it begins a registry of its own.
struct Registry {
    process: u32,
    held: Mutex<HashSet<Key>>,
    of_child: OnceLock<Box<Registry>>,
}

static FIRST: OnceLock<Box<Registry>> = OnceLock::new();

/// A file, however it is called.
#[cfg(unix)]
type Key = (u64, u64);
#[cfg(not(unix))]
type Key = std::path::PathBuf;

impl Registry {
    fn of_this_process() -> &'static Self {
        let process = std::process::id();
        let new = || Box::new(Self { process, held: Mutex::default(), of_child: OnceLock::new() });
        let mut registry = FIRST.get_or_init(new);
        while registry.process != process {
            registry = registry.of_child.get_or_init(new);
        }
        registry
    }

    fn held(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.held.lock()
    }
}

/// A lock for as long as it lives.
struct Held {
    /// Whose lock it is.
    process: u32,
    key: Key,
    file: Option<fs::File>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // A copy in a child of fork: to close it would end the lock that the child may have taken
            // on this file since.
            return std::mem::forget(self.file.take());
        }
        let mut held = Registry::of_this_process().held();
        // Closed first, and nobody can open it in between: closing a later descriptor would end a
        // later lock.
        self.file = None;
        held.remove(&self.key);
    }
}

/// Takes the lock on this file, and makes it where it is missing.
pub(super) fn lock(path: &Path) -> Result<Box<dyn Send + Sync>> {
    let failed = |error: io::Error| {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Code::StoreReadOnly
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StoreFull,
            _ => Code::StoreFailed,
        };
        Error::from(code).with_source(error)
    };
    let mut held = Registry::of_this_process().held();
    match key(path) {
        Ok(key) if held.contains(&key) => return Err(Code::StoreLocked.into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
    let file = options.open(path).map_err(failed)?;
    if !take(&file).map_err(failed)? {
        return Err(Code::StoreLocked.into());
    }
    let key = key(path).map_err(failed)?;
    held.insert(key.to_owned());
    Ok(Box::new(Held { process: std::process::id(), key, file: Some(file) }))
}

#[cfg(unix)]
fn key(path: &Path) -> io::Result<Key> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn key(path: &Path) -> io::Result<Key> {
    path.canonicalize()
}

/// Whether nobody else has it.
#[cfg(unix)]
fn take(file: &fs::File) -> io::Result<bool> {
    use rustix::{
        fs::{FlockOperation, fcntl_lock},
        io::Errno,
    };
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        // POSIX allows either.
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn take(file: &fs::File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_holds_a_file_under_whatever_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = lock(&path).unwrap();
        let other = directory.path().join(".").join("lock");
        for path in [&path, &other] {
            assert_eq!(lock(path).err().unwrap().code(), Code::StoreLocked);
        }
        drop(held);
        drop(lock(&other).unwrap());
        let missing = directory.path().join("missing").join("lock");
        assert_eq!(lock(&missing).err().unwrap().code(), Code::StoreFailed);
    }
    #[test]
    fn what_a_child_of_fork_has_inherited_ends_no_lock_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _held = lock(&path).unwrap();
        let file = Some(fs::File::open(&path).unwrap());
        let process = std::process::id().wrapping_add(1);
        drop(Held { process, key: key(&path).unwrap(), file });
        assert_eq!(lock(&path).err().unwrap().code(), Code::StoreLocked);
    }
}
