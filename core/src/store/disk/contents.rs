//! What is in a store's directory, read without changing it.
//!
//! The base and the logs behind it, in order, come to what has survived.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    base::{self, Folded, Source, Trouble},
    header::Start,
    listing::{Candidate, Listing, check_owner, open_log},
    log::Link,
    name,
    place::Place,
    reading::Reading,
};
use crate::{engine::Recovered, error::Result};

/// What a directory holds, and what has to be done to go on with it.
#[derive(Debug)]
pub(in crate::store) struct Contents {
    pub(in crate::store) recovered: Recovered,
    /// The logs that are not in the base, in order; the last is written to.
    pub(super) logs: Vec<Source>,
    /// What the next frame follows.
    pub(super) next: Link,
    /// The last frame that is known to have been synced.
    pub(super) synced: u64,
    /// Files that do not count any more, and whether they are worth keeping.
    pub(super) surplus: Vec<(PathBuf, bool)>,
    /// The bytes of the files that count.
    pub(in crate::store) size: u64,
    /// The highest number that a log has had.
    pub(super) highest: u64,
}

impl Contents {
    /// Reads a directory; nothing where it has no store.
    ///
    /// # Errors
    /// `STORE_CORRUPT`, `STORE_VERSION`, `STORE_FOREIGN`, `STORE_READ_ONLY`, `STORE_FAILED`.
    pub(in crate::store) fn read(place: &Place) -> Result<Option<Self>> {
        let Some(listing) = Listing::read(place)? else { return Ok(None) };
        if !listing.has_store(place)? {
            return Ok(None);
        }
        let mut logs = BTreeMap::new();
        for &number in &listing.logs {
            logs.insert(number, open_log(place, number)?);
        }
        check_owner(place, &logs)?;
        if let Some(contents) = Self::read_fresh(place, &listing, &logs)? {
            return Ok(Some(contents));
        }
        let (folded, recovered, base_size) = read_base(place, &listing)?;
        let mut reading = Reading::new(place, recovered, folded);
        reading.surplus(&listing, &logs);
        let live: Vec<_> = logs.into_iter().filter(|(number, _)| *number > folded.log).collect();
        reading.check_first(&live, listing.base)?;
        reading.go_through(&live)?;
        Ok(Some(reading.finish(base_size, listing.logs.last().copied().unwrap_or(0))))
    }

    /// A store that has just been cleared or repaired: nobody has opened it since, so whatever else is
    /// there does not count, and need not be readable.
    fn read_fresh(
        place: &Place,
        listing: &Listing,
        logs: &BTreeMap<u64, Candidate>,
    ) -> Result<Option<Self>> {
        let Some((&number, Ok(last))) = logs.last_key_value() else { return Ok(None) };
        let start = last.header.start;
        if !matches!(start, Start::Cleared | Start::Repaired) {
            return Ok(None);
        }
        let mut reading = Reading::new(place, Recovered::default(), Folded::default());
        reading.go_through(&[(number, Ok(last.clone()))])?;
        if reading.has_been_opened {
            return Ok(None);
        }
        let keep = start == Start::Repaired;
        reading.surplus.extend(listing.drafts.iter().map(|name| (name.clone(), false)));
        reading.surplus.extend(
            listing
                .logs
                .iter()
                .filter(|log| **log != number)
                .map(|log| (name::of_log(*log).into(), keep)),
        );
        if listing.base {
            reading.surplus.push((name::BASE.into(), keep));
        }
        let mut contents = reading.finish(0, number);
        contents.recovered.doubtful |= keep;
        Ok(Some(contents))
    }
}

/// The base, and its size.
fn read_base(place: &Place, listing: &Listing) -> Result<(Folded, Recovered, u64)> {
    if !listing.base {
        return Ok((Folded::default(), Recovered::default(), 0));
    }
    let failed = |error| place.failed("read", error);
    let file = place.files.open(&place.path(name::BASE), false).map_err(failed)?;
    let size = file.length().map_err(failed)?;
    let (folded, recovered) = match base::read(file, &place.client_id) {
        Ok(read) => read,
        Err(Trouble::Failed(error)) => return Err(failed(error)),
        Err(Trouble::Newer) => return Err(place.newer()),
        Err(Trouble::Foreign) => return Err(place.foreign("the store of another client id")),
        Err(Trouble::Damaged) if listing.logs.is_empty() => {
            return Err(place.foreign("a file base that is no store's"));
        }
        Err(Trouble::Damaged) => return Err(place.damaged("its base cannot be read")),
    };
    Ok((folded, recovered, size))
}
