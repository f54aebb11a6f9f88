//! This library's own store, an append-only log of checksummed frames with redb behind it, as a session
//! drives it: a batch of records is appended, synced by level, and what has grown is folded.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use mqttsession::{
    engine::{Expiry, Output, Record, Recovered},
    protocol::{PacketId, Version},
    store::{Disk, DiskOptions, Storage, SystemFiles},
};

use crate::candidate::{Candidate, Change, Level, Result};

pub struct Ours {
    disk: Disk,
    /// What there was, which a session takes over.
    recovered: Recovered,
    level: Level,
}

impl Ours {
    pub fn open(directory: &Path, level: Level) -> Result<Self> {
        let files = Arc::new(SystemFiles);
        let (disk, recovered) = Disk::open(files, directory, "bench", DiskOptions::default())?;
        Ok(Self { disk, recovered, level })
    }
}

impl Candidate for Ours {
    fn apply(&mut self, changes: &[Change<'_>]) -> Result<()> {
        let mut records = Vec::new();
        for change in changes {
            let record = match *change {
                Change::Insert(number, packet) => {
                    let (version, expiry) = (Version::V311, Expiry::default());
                    Record::Message { number, version, expiry, packet }
                }
                Change::Launch(number, id) => {
                    Record::Launched { number, packet_id: PacketId::new(id.max(1)).ok_or("id 0")? }
                }
                Change::Remove(number) => Record::Ended { number },
            };
            record.encode(&mut records);
        }
        self.disk.append(&Output::from(vec![Bytes::from(records)]))?;
        if self.level == Level::Synced {
            self.disk.sync()?;
        }
        Ok(self.disk.tidy()?)
    }

    fn pending(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        self.recovered.messages.iter().for_each(|(number, message)| visit(*number, &message.packet));
        Ok(())
    }
}
