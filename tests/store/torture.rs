//! Random batches, crashes, power cuts and full disks, by seed, against a model.

use mqttsession::{
    error::Code,
    store::{Fault, SimulatedFiles, Storage},
};
use mqttsession_tests::random::Random;

use crate::world::{Model, append, next_batch, open};

const SEEDS: u64 = 400;
const STEPS: usize = 60;

#[derive(Default)]
struct Happened {
    kills: usize,
    power_cuts: usize,
    lost: usize,
    full: usize,
    failed_syncs: usize,
    folds: usize,
    closes: usize,
    halts: usize,
}

#[test]
fn what_was_synced_is_there_and_nothing_in_halves() {
    let mut happened = Happened::default();
    for seed in 0..SEEDS {
        let run = std::panic::AssertUnwindSafe(|| play(seed, &mut happened));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
    let Happened { kills, power_cuts, lost, full, failed_syncs, folds, closes, halts } = happened;
    let all = [kills, power_cuts, lost, full, failed_syncs, folds, closes, halts];
    assert!(all.iter().all(|count| *count > 50), "what never happens is not tested: {all:?}");
}

fn play(seed: u64, happened: &mut Happened) {
    let mut random = Random(seed);
    let files = SimulatedFiles::default();
    let log_bytes = 200 + random.below(2000);
    let mut model = Model::new();
    let (mut disk, recovered) = open(&files, log_bytes).unwrap();
    model.expect_all(&recovered);
    // Once the machine went down, until the broker has lost the session.
    let mut doubtful = false;
    for _ in 0..STEPS {
        match random.below(20) {
            0..10 => {
                let records = next_batch(&mut random, model.now());
                match append(&disk, &records) {
                    Ok(()) => model.add(&records),
                    Err(error) => {
                        happened.full += usize::from(error.code() == Code::StoreFull);
                    }
                }
            }
            10..13 => match disk.sync() {
                Ok(()) => model.synced = model.written(),
                Err(_) => happened.failed_syncs += 1,
            },
            13 => {
                let before = disk.size();
                if disk.tidy().is_ok() && disk.size() != before {
                    happened.folds += 1;
                }
            }
            14 => files.set_fault(Some(Fault::Full(random.below(3000)))),
            15 => files.set_fault(None),
            16 if random.one_in(2) => files.set_fault(Some(Fault::Sync)),
            16 => {
                happened.halts += 1;
                files.set_fault(Some(Fault::Halt(random.below(20))));
            }
            17 => {
                files.set_fault(None);
                let closed = disk.close().is_ok();
                drop(disk);
                happened.closes += usize::from(closed);
                let reopened = open(&files, log_bytes).unwrap();
                model.expect_all(&reopened.1);
                doubtful &= reopened.1.doubtful;
                assert_eq!(reopened.1.doubtful, doubtful);
                disk = reopened.0;
            }
            18 => {
                happened.kills += 1;
                files.kill();
                files.set_fault(None);
                let reopened = open(&files, log_bytes).unwrap();
                model.expect_all(&reopened.1);
                doubtful &= reopened.1.doubtful;
                assert_eq!(reopened.1.doubtful, doubtful);
                drop(std::mem::replace(&mut disk, reopened.0));
            }
            _ => {
                happened.power_cuts += 1;
                let keeps = random.below(4);
                files.cut_power(&mut |length| match keeps {
                    0 => 0,
                    1 => length,
                    _ => random.below(length as u64 + 1) as usize,
                });
                files.set_fault(None);
                let written = model.written();
                let reopened = open(&files, log_bytes).unwrap();
                model.expect_prefix(&reopened.1);
                happened.lost += written - model.written();
                doubtful = true;
                assert!(reopened.1.doubtful);
                drop(std::mem::replace(&mut disk, reopened.0));
            }
        }
    }
}
