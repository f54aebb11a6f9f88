//! How a session comes to its store.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{Keeper, job::TIDY_AFTER};
use crate::{
    client::{Event, Options, Restored},
    engine::{Receiving, Recovered, WallClock},
    error::{Code, Error, Result},
    store::{Disk, DiskOptions, Storage, SystemFiles},
};

/// An open store and what it holds.
pub(in crate::client) type Opened = (Box<dyn Storage>, Recovered);

/// Opens the store on disk that the options name, if they do.
pub(in crate::client) fn open(options: &Options) -> Result<Option<Opened>> {
    let Some(directory) = &options.store else { return Ok(None) };
    let files = Arc::new(SystemFiles);
    let client_id = &options.client_id;
    let (disk, recovered) = Disk::open(files, directory, client_id, DiskOptions::default())?;
    Ok(Some((Box::new(disk), recovered)))
}

/// A store is found again by its client id.
pub(in crate::client) fn check(options: &Options) -> Result<()> {
    if options.client_id.is_empty() {
        return Err(Error::new(
            Code::InvalidClientId,
            "A session with a store needs a client id, by which a later session finds the store again",
        ));
    }
    Ok(())
}

/// Now, on both clocks.
pub(in crate::client) fn clock() -> WallClock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    WallClock { instant: Instant::now(), unix }
}

impl Keeper {
    pub(in crate::client) fn new(
        options: &Options,
        storage: Box<dyn Storage>,
        recovered: &Recovered,
    ) -> Self {
        let mut announced = Vec::new();
        let restored = Restored::of(recovered);
        if restored != Restored::default() {
            announced.push(Event::Restored(restored));
        }
        if !options.broker_keeps_session() {
            announced.push(Event::StoreWithoutSession);
        }
        Self {
            durability: options.habits.durability,
            size: AtomicU64::new(storage.size()),
            storage: Some(storage).into(),
            pen: Default::default(),
            announced: announced.into(),
            closed: Default::default(),
            changed: Default::default(),
            retry_planned: Default::default(),
            sync_planned: Default::default(),
            sync_due: Default::default(),
            tidying: Default::default(),
            untidied: Default::default(),
            tidies_after: TIDY_AFTER.into(),
            writes: Default::default(),
            syncs: Default::default(),
        }
    }

    /// What the program is told before the first attempt to connect.
    pub(in crate::client) fn take_announced(&self) -> Vec<Event> {
        std::mem::take(&mut *self.announced.lock())
    }
}

impl Restored {
    fn of(recovered: &Recovered) -> Self {
        let messages = recovered.messages.values();
        let interrupted = |how: &&Receiving| **how == Receiving::Delivering;
        Self {
            messages: recovered.messages.len(),
            bytes: messages.clone().map(|message| message.packet.len() as u64).sum(),
            in_flight: messages.filter(|message| message.packet_id.is_some()).count(),
            interrupted: recovered.received.values().filter(interrupted).count(),
            after_power_loss: recovered.doubtful,
        }
    }
}
