//! fjall: a log-structured merge tree behind a journal.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::candidate::{Candidate, Change, Level, Result};

const CACHE: u64 = 4 << 20;

pub struct Fjall {
    database: Database,
    messages: Keyspace,
    flights: Keyspace,
    persist: PersistMode,
}

impl Fjall {
    pub fn open(directory: &Path, level: Level) -> Result<Self> {
        let database = Database::builder(directory).cache_size(CACHE).open()?;
        let messages = database.keyspace("messages", KeyspaceCreateOptions::default)?;
        let flights = database.keyspace("flights", KeyspaceCreateOptions::default)?;
        let persist = match level {
            Level::Synced => PersistMode::SyncData,
            Level::Written => PersistMode::Buffer,
        };
        Ok(Self { database, messages, flights, persist })
    }
}

impl Candidate for Fjall {
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.persist));
        for change in changes {
            match *change {
                Change::Insert(number, payload) => {
                    batch.insert(&self.messages, number.to_be_bytes(), payload);
                }
                Change::Launch(number, id) => {
                    batch.insert(&self.flights, number.to_be_bytes(), id.to_be_bytes());
                }
                Change::Remove(number) => {
                    batch.remove(&self.messages, number.to_be_bytes());
                    batch.remove(&self.flights, number.to_be_bytes());
                }
            }
        }
        Ok(batch.commit()?)
    }

    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        for message in self.messages.iter() {
            let (number, payload) = message.into_inner()?;
            visit(u64::from_be_bytes(number[..].try_into()?), &payload);
        }
        Ok(())
    }
}
