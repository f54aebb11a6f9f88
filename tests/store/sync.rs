//! A sync that fails, where somebody else syncs or folds at the time.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use mqttsession::{
    engine::Recovered,
    store::{Disk, DiskOptions, Fault, SimulatedFiles, Storage},
};
use mqttsession_tests::random::Random;

use crate::{
    watched::Watched,
    world::{CLIENT, DIRECTORY, Model, append, next_batch, open},
};

const LOG_BYTES: u64 = 700;

fn open_watched(files: Arc<Watched>) -> (Disk, Recovered) {
    let options = DiskOptions { log_bytes: LOG_BYTES };
    Disk::open(files, Path::new(DIRECTORY), CLIENT, options).unwrap()
}

fn fill(disk: &Disk, model: &mut Model) {
    let mut random = Random(3);
    for _ in 0..12 {
        let records = next_batch(&mut random, model.now());
        append(disk, &records).unwrap();
        model.add(&records);
    }
}

#[test]
fn of_two_syncs_at_once_none_succeeds_where_the_other_failed() {
    let files = SimulatedFiles::default();
    let syncing = Arc::new(AtomicUsize::new(0));
    let count = syncing.clone();
    let watched = Watched::new(&files, move || {
        // The system tells one of those who sync a file that it failed: here the second one may be in
        // time not to be told.
        count.fetch_add(1, SeqCst);
        for _ in 0..10_000 {
            if count.load(SeqCst) != 1 {
                return;
            }
            std::thread::yield_now();
        }
    });
    let (disk, _) = open_watched(watched);
    append(&disk, &next_batch(&mut Random(1), &Recovered::default())).unwrap();
    files.set_fault(Some(Fault::Sync));
    syncing.store(0, SeqCst);
    let both = std::thread::scope(|scope| {
        let threads = [scope.spawn(|| disk.sync()), scope.spawn(|| disk.sync())];
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(both.iter().all(Result::is_err), "{both:?}");
}

/// Folds while this sync fails, and perhaps once more; whether the first one succeeded all the same.
fn fold_failing(failing: usize, again: bool) -> bool {
    let files = SimulatedFiles::default();
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let (inner, countdown) = (files.clone(), left.clone());
    let watched = Watched::new(&files, move || {
        if countdown.fetch_sub(1, SeqCst) == 0 {
            inner.set_fault(Some(Fault::Sync));
        }
    });
    let (disk, _) = open_watched(watched);
    let mut model = Model::new();
    fill(&disk, &mut model);
    left.store(failing, SeqCst);
    let folded = disk.tidy().is_ok();
    if again {
        // Unless it was the log that could not be synced.
        let _ = disk.tidy();
    }
    files.kill();
    // Whoever opens it sees what the system has in memory.
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
    files.cut_power(&mut |_| 0);
    let found = open(&files, LOG_BYTES);
    let (_, found) = found.unwrap_or_else(|error| panic!("sync {failing}, {again}: {error:?}"));
    model.expect_all(&found);
    folded
}

#[test]
fn a_log_is_not_removed_for_a_base_that_the_disk_did_not_take() {
    for again in [false, true] {
        let succeeds = (0..).find(|failing| fold_failing(*failing, again));
        assert!(succeeds > Some(15), "{succeeds:?} syncs only");
    }
}
