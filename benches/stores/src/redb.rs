//! redb: a copy-on-write B+tree in one file.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::candidate::{Candidate, Change, Level, Result};

const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
const FLIGHTS: TableDefinition<u64, u16> = TableDefinition::new("flights");
const CACHE: usize = 4 << 20;

pub struct Redb {
    database: Database,
    durability: Durability,
}

impl Redb {
    pub fn open(directory: &Path, level: Level) -> Result<Self> {
        let database =
            Database::builder().set_cache_size(CACHE).create(directory.join("store.redb"))?;
        let durability = match level {
            Level::Synced => Durability::Immediate,
            Level::Written => Durability::None,
        };
        Ok(Self { database, durability })
    }
}

impl Candidate for Redb {
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        {
            let mut messages = transaction.open_table(MESSAGES)?;
            let mut flights = transaction.open_table(FLIGHTS)?;
            for change in changes {
                match *change {
                    Change::Insert(number, payload) => drop(messages.insert(number, payload)?),
                    Change::Launch(number, id) => drop(flights.insert(number, id)?),
                    Change::Remove(number) => {
                        messages.remove(number)?;
                        flights.remove(number)?;
                    }
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let messages = match self.database.begin_read()?.open_table(MESSAGES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            opened => opened?,
        };
        for message in messages.iter()? {
            let (number, payload) = message?;
            visit(number.value(), payload.value());
        }
        Ok(())
    }
}
