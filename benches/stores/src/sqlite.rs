//! SQLite with a write-ahead log, compiled in.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::candidate::{Candidate, Change, Result};

pub struct Sqlite(Connection);

impl Sqlite {
    /// `synchronous` is FULL (the log is synced with each commit), NORMAL (when it is moved into the
    /// database) or OFF.
    pub fn open(directory: &Path, synchronous: &str) -> Result<Self> {
        let connection = Connection::open(directory.join("store.sqlite"))?;
        // Exclusive: no shared memory beside the files; a store has one user.
        connection.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {synchronous};
             CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, payload BLOB);
             CREATE TABLE IF NOT EXISTS flights (number INTEGER PRIMARY KEY, id INTEGER);"
        ))?;
        Ok(Self(connection))
    }
}

impl Candidate for Sqlite {
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO messages VALUES (?, ?)")?;
            let mut launch = transaction.prepare_cached("INSERT INTO flights VALUES (?, ?)")?;
            let mut end = transaction.prepare_cached("DELETE FROM messages WHERE number = ?")?;
            let mut land = transaction.prepare_cached("DELETE FROM flights WHERE number = ?")?;
            for change in changes {
                match *change {
                    Change::Insert(number, payload) => {
                        insert.execute(params![number as i64, payload])?
                    }
                    Change::Launch(number, id) => launch.execute(params![number as i64, id])?,
                    Change::Remove(number) => {
                        end.execute([number as i64])? + land.execute([number as i64])?
                    }
                };
            }
        }
        Ok(transaction.commit()?)
    }

    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let mut query = self.0.prepare("SELECT number, payload FROM messages ORDER BY number")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            visit(row.get::<_, i64>(0)? as u64, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }
}
