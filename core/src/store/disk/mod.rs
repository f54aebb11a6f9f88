//! The store on disk: one directory for each client id.

use std::{path::Path, sync::Arc};

use super::{FileSystem, Storage};
use crate::{
    engine::{Output, Recovered},
    error::Result,
};

/// How a store on disk keeps house.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// From how many bytes on a log is folded into the base.
    pub log_bytes: u64,
}

impl Default for DiskOptions {
    /// 16 MiB.
    fn default() -> Self {
        Self { log_bytes: 16 << 20 }
    }
}

/// An open store.
#[derive(Debug)]
pub struct Disk {}

impl Disk {
    /// Opens the store of a client id below this directory, and makes it where there is none; with it
    /// comes what it holds.
    ///
    /// # Errors
    /// `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_CORRUPT`, `STORE_VERSION`,
    /// `STORE_FOREIGN`, `STORE_FAILED`. Nothing has been changed then.
    pub fn open(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        client_id: &str,
        options: DiskOptions,
    ) -> Result<(Self, Recovered)> {
        let _ = (files, directory, client_id, options);
        todo!()
    }
}

impl Storage for Disk {
    fn append(&self, _batch: &Output) -> Result<()> {
        todo!()
    }

    fn sync(&self) -> Result<()> {
        todo!()
    }

    fn tidy(&self) -> Result<()> {
        todo!()
    }

    fn close(&self) -> Result<()> {
        todo!()
    }

    fn size(&self) -> u64 {
        todo!()
    }
}
