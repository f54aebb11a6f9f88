//! Folding logs into the base.

use super::{
    Disk,
    base::{Base, Source, Trouble},
    name,
    place::Place,
};
use crate::{
    error::{Error, Result},
    store::Storage as _,
};

/// What a base or a log that is folded suffers, as an error.
fn troubled(place: &Place, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Failed(error) => place.failed("tidied up", error),
        Trouble::Damaged => place.damaged("its base, or a log, cannot be read any more"),
        Trouble::Newer => place.newer(),
        Trouble::Foreign => place.foreign("the store of another client id"),
    }
}

impl Disk {
    /// Folds every log but the one that is written to. Whatever it dies at, what it folded is in the
    /// logs or in the base.
    pub(super) fn fold(&self) -> Result<()> {
        let _folding = self.folding.lock();
        let (mut sources, has_base) = {
            let writer = self.writer();
            writer.check(&self.place)?;
            (
                writer.closed.iter().map(|closed| closed.source.clone()).collect::<Vec<_>>(),
                writer.base_bytes > 0,
            )
        };
        if sources.is_empty() {
            return Ok(());
        }
        // Once the base says that a log is in it, the next one must not be missing.
        self.sync()?;
        if !has_base {
            // Under its name there is only ever a whole one.
            let rest = sources.split_off(1);
            self.fold_into(name::BASE_DRAFT, &sources)?;
            let (draft, base) = (self.place.path(name::BASE_DRAFT), self.place.path(name::BASE));
            let files = &self.place.files;
            let renamed = files.rename(&draft, &base);
            renamed
                .and_then(|()| files.sync_directory(&self.place.directory))
                .map_err(|error| self.place.failed("tidied up", error))?;
            self.forget(&sources)?;
            sources = rest;
        }
        if !sources.is_empty() {
            self.fold_into(name::BASE, &sources)?;
            self.forget(&sources)?;
        }
        Ok(())
    }

    fn fold_into(&self, name: &str, sources: &[Source]) -> Result<()> {
        let failed = |error| self.place.failed("tidied up", error);
        let path = self.place.path(name);
        let is_draft = name == name::BASE_DRAFT;
        let file = self.place.files.open(&path, is_draft).map_err(failed)?;
        if is_draft {
            file.set_length(0).map_err(failed)?;
        }
        let folded = Base::open(file).and_then(|mut base| {
            sources.iter().try_for_each(|source| base.fold(source, &self.place.client_id))?;
            base.close()
        });
        if folded.is_err() && is_draft {
            // It takes room, and nothing needs it.
            let _ = self.place.files.remove(&path);
        }
        folded.map_err(|trouble| troubled(&self.place, trouble))
    }

    /// Removes logs that the base has.
    fn forget(&self, sources: &[Source]) -> Result<()> {
        let failed = |error| self.place.failed("tidied up", error);
        let base = self.place.files.open(&self.place.path(name::BASE), false);
        let bytes = base.and_then(|base| base.length()).map_err(failed)?;
        {
            let mut writer = self.writer();
            writer.base_bytes = bytes;
            writer.closed.retain(|closed| {
                sources.iter().all(|source| source.number != closed.source.number)
            });
        }
        for source in sources {
            let path = self.place.path(&name::of_log(source.number));
            self.place.files.remove(&path).map_err(failed)?;
        }
        Ok(())
    }
}
