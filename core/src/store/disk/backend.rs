//! The base's file as the embedded database sees it: the file itself, or a view of it that keeps to
//! itself what is written, so that reading a base never changes it.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    sync::Arc,
};

use redb::StorageBackend;

use super::super::File;
use crate::sync::{Mutex, MutexGuard};

/// The file itself.
#[derive(Debug)]
pub(super) struct Direct(pub(super) Arc<dyn File>);

impl StorageBackend for Direct {
    fn len(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(&[IoSlice::new(data)], offset)
    }
}

const BLOCK: usize = 4096;

/// A view of the file.
#[derive(Debug)]
pub(super) struct View {
    file: Arc<dyn File>,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    length: u64,
    /// How much of the file still shows.
    shown: u64,
    /// Blocks that were written, by their number.
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl View {
    pub(super) fn new(file: Arc<dyn File>) -> io::Result<Self> {
        let length = file.length()?;
        let changes = Changes { length, shown: length, blocks: BTreeMap::new() };
        Ok(Self { file, changes: Mutex::new(changes) })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock()
    }

    /// What the file has there, with zeros behind its end.
    fn read_file(&self, shown: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = shown.saturating_sub(offset).min(out.len() as u64);
        let there = usize::try_from(there).expect("no more than fits");
        let (there, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        if there.is_empty() { Ok(()) } else { self.file.read_at(there, offset) }
    }
}

/// The blocks that a range touches: the number, where in the block it begins, how much of it.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = offset;
    let end = offset + length as u64;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (number, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
        let count = (BLOCK - within).min(usize::try_from(end - at).unwrap_or(usize::MAX));
        at += count as u64;
        Some((number, within, count))
    })
}

impl StorageBackend for View {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > changes.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(changes.shown, offset, out)?;
        let mut done = 0;
        for (number, within, count) in blocks(offset, out.len()) {
            if let Some(block) = changes.blocks.get(&number) {
                out[done..done + count].copy_from_slice(&block[within..within + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.changes();
        if len < changes.length {
            changes.shown = changes.shown.min(len);
            changes.blocks.split_off(&len.div_ceil(BLOCK as u64));
            if let Some(last) = changes.blocks.get_mut(&(len / BLOCK as u64)) {
                last[(len % BLOCK as u64) as usize..].fill(0);
            }
        }
        changes.length = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        let mut done = 0;
        for (number, within, count) in blocks(offset, data.len()) {
            let shown = changes.shown;
            let block = match changes.blocks.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let mut block = Box::new([0; BLOCK]);
                    self.read_file(shown, number * BLOCK as u64, &mut block[..])?;
                    entry.insert(block)
                }
            };
            block[within..within + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FileSystem, SimulatedFiles};

    #[test]
    fn a_view_is_changed_like_a_file_and_the_file_is_not() {
        let files = SimulatedFiles::default();
        files.create_directory("d".as_ref()).unwrap();
        let [shown, model] =
            ["d/shown", "d/model"].map(|name| files.open(name.as_ref(), true).unwrap());
        let content: Vec<u8> = (0..10_000u32).map(|n| n as u8 | 1).collect();
        for file in [&shown, &model] {
            file.write_at(&[IoSlice::new(&content)], 0).unwrap();
        }
        let (view, model) = (View::new(shown).unwrap(), Direct(model));
        let both: [&dyn StorageBackend; 2] = [&view, &model];
        for backend in both {
            backend.write(4090, &[9; 20]).unwrap();
            backend.write(8000, &[8; 9000]).unwrap();
            backend.set_len(8100).unwrap();
            backend.set_len(20_000).unwrap();
            backend.write(19_990, &[7; 10]).unwrap();
            backend.set_len(4100).unwrap();
            backend.set_len(13_000).unwrap();
            backend.sync_data().unwrap();
        }
        let [one, two] = both.map(|backend| {
            let mut all = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
            backend.read(0, &mut all).unwrap();
            assert!(backend.read(1, &mut all.clone()).is_err(), "beyond the end");
            all
        });
        assert!(one == two);
        assert!(files.content("d/shown".as_ref()).unwrap() == content);
    }
}
