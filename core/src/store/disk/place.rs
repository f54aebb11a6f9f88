//! Which store it is, and what its errors say.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{super::FileSystem, name};
use crate::error::{Code, Error, Result};

/// Where the store of a client id is.
#[derive(Clone, Debug)]
pub(in crate::store) struct Place {
    pub(super) files: Arc<dyn FileSystem>,
    pub(super) directory: PathBuf,
    pub(super) client_id: Arc<str>,
}

impl Place {
    pub(in crate::store) fn new(files: Arc<dyn FileSystem>, below: &Path, client_id: &str) -> Self {
        let directory = below.join(name::of_client(client_id));
        Self { files, directory, client_id: client_id.into() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn shown(&self) -> std::path::Display<'_> {
        self.directory.display()
    }

    /// Takes the store's lock.
    pub(in crate::store) fn lock(&self) -> Result<Box<dyn Send + Sync>> {
        self.files.lock(&self.path(name::LOCK)).map_err(|error| self.not_locked(&error))
    }

    fn not_locked(&self, error: &Error) -> Error {
        let shown = self.shown();
        let sentence = match error.code() {
            Code::StoreLocked => format!(
                "Another session or process has the store in {shown} open; a store serves one at a \
                 time"
            ),
            Code::StoreReadOnly => self.read_only(),
            Code::StoreFull => self.full(),
            _ => format!("The store in {shown} could not be locked"),
        };
        match std::error::Error::source(error) {
            Some(cause) => {
                Error::new(error.code(), sentence).with_source(io::Error::other(cause.to_string()))
            }
            None => Error::new(error.code(), sentence),
        }
    }

    /// Something that the operating system did not do: "could not be read".
    pub(super) fn failed(&self, done: &str, cause: io::Error) -> Error {
        let (code, sentence) = match cause.kind() {
            // A file of the greatest size that a process may write, or a file system takes, is as full
            // as a disk.
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => (Code::StoreFull, self.full()),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (Code::StoreReadOnly, self.read_only())
            }
            _ => {
                let shown = self.shown();
                (Code::StoreFailed, format!("The store in {shown} could not be {done}"))
            }
        };
        Error::new(code, sentence).with_source(cause)
    }

    fn full(&self) -> String {
        format!("There is no room for the store in {}; free some space on its disk", self.shown())
    }

    fn read_only(&self) -> String {
        format!(
            "The store in {} cannot be written; check the owner and the permissions of the directory \
             and of what is in it",
            self.shown()
        )
    }

    /// A sync has failed, now or before.
    pub(super) fn not_synced(&self) -> Error {
        let sentence = format!(
            "The disk did not take what the store in {} gave it; close the session and open it again \
             to see what is there",
            self.shown()
        );
        Error::new(Code::StoreFailed, sentence)
    }

    pub(super) fn closed(&self) -> Error {
        Error::new(Code::StoreFailed, format!("The store in {} has been closed", self.shown()))
    }

    /// There is no store: to look into one it has to be there.
    pub(in crate::store) fn missing(&self) -> Error {
        let sentence = format!(
            "There is no store of the client id {:?} in {}; check both",
            self.client_id,
            self.directory.parent().unwrap_or(&self.directory).display()
        );
        Error::new(Code::StoreFailed, sentence)
    }

    /// "its log 3 is missing".
    pub(super) fn damaged(&self, what: &str) -> Error {
        let sentence = format!(
            "The store in {} is damaged: {what}; nothing has been changed, and a repair keeps what can \
             be read",
            self.shown()
        );
        Error::new(Code::StoreCorrupt, sentence)
    }

    pub(super) fn newer(&self) -> Error {
        let sentence = format!(
            "The store in {} was written by a newer version of this library; use that version, or \
             another directory",
            self.shown()
        );
        Error::new(Code::StoreVersion, sentence)
    }

    /// "the store of another client id".
    pub(super) fn foreign(&self, what: &str) -> Error {
        let sentence =
            format!("The directory {} holds {what}; use another directory", self.shown());
        Error::new(Code::StoreForeign, sentence)
    }
}
