//! The files in a store's directory, and whose they are.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{File, FileSystem},
    header::{Flaw, Header},
    log::Link,
    name,
    place::Place,
};
use crate::error::Result;

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
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) file: Arc<dyn File>,
    pub(super) header: Header,
    /// Where the first frame begins.
    pub(super) position: u64,
    pub(super) first: Link,
}

enum Unread {
    Flaw(Flaw),
    Failed(io::Error),
}

impl From<Flaw> for Unread {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// A log, or why its header cannot be read.
pub(super) type Candidate = std::result::Result<Opened, Flaw>;

/// Opens a log and reads its header.
pub(super) fn open_log(place: &Place, number: u64) -> Result<Candidate> {
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
        Ok(_) => Ok(Err(Flaw::Damaged)),
        Err(Unread::Flaw(flaw)) => Ok(Err(flaw)),
        Err(Unread::Failed(error)) => Err(failed(error)),
    }
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

/// That the directory is this client id's, as far as its headers can be read.
pub(super) fn check_owner(place: &Place, logs: &BTreeMap<u64, Candidate>) -> Result<()> {
    for log in logs.values() {
        match log {
            Ok(log) if log.header.client_id != *place.client_id => {
                let whose = format!("the store of the client id {:?}", log.header.client_id);
                return Err(place.foreign(&whose));
            }
            Err(Flaw::Newer) => return Err(place.newer()),
            _ => {}
        }
    }
    // A log of which the machine left nothing comes after one that it left whole.
    if let Some((number, Err(Flaw::Strange))) = logs.first_key_value() {
        let what = format!("a file {} that is no store's", name::of_log(*number));
        return Err(place.foreign(&what));
    }
    Ok(())
}
