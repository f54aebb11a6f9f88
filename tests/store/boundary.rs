//! The process or the machine dies at every single change and sync there is.

use std::{path::Path, sync::Arc};

use mqttsession::{
    engine::Recovered,
    error::Result,
    store::{Disk, Fault, SimulatedFiles, Storage, Store},
};
use mqttsession_tests::random::Random;

use crate::world::{CLIENT, DIRECTORY, Model, append, comparable, next_batch, open};

const LOG_BYTES: u64 = 700;

/// A life of a store with everything in it: making, rotating, folding into a new base and an old one,
/// closing, opening, clearing. `model` is what it has come to when it ends, or fails.
fn live(files: &SimulatedFiles, model: &mut Model, cleared: &mut bool) -> Result<()> {
    let mut random = Random(5);
    for _ in 0..2 {
        let (disk, recovered) = open(files, LOG_BYTES)?;
        model.expect_all(&recovered);
        write(&disk, &mut random, model)?;
        disk.close()?;
    }
    drop(open(files, LOG_BYTES)?);
    let files = Arc::new(files.clone());
    let mut store = Store::open_on(files.clone(), Path::new(DIRECTORY), CLIENT)?;
    *cleared = true;
    store.clear()?;
    let emptied = Recovered { last_number: model.now().last_number, ..Recovered::default() };
    *model = Model { states: vec![emptied], synced: 0 };
    *cleared = false;
    drop(store);
    let (disk, recovered) = open(&files, LOG_BYTES)?;
    model.expect_all(&recovered);
    write(&disk, &mut random, model)
}

fn write(disk: &Disk, random: &mut Random, model: &mut Model) -> Result<()> {
    for step in 0..10 {
        let records = next_batch(random, model.now());
        append(disk, &records)?;
        model.add(&records);
        if step % 4 == 0 {
            disk.sync()?;
            model.synced = model.written();
        }
        if step % 5 == 4 {
            disk.tidy()?;
        }
    }
    Ok(())
}

#[test]
fn a_store_survives_the_end_of_the_process_or_the_machine_at_every_step() {
    let mut steps = 0;
    loop {
        let mut finished = false;
        for way in 0..5 {
            let files = SimulatedFiles::default();
            files.set_fault(Some(Fault::Halt(steps)));
            let (mut model, mut cleared) = (Model::new(), false);
            finished = live(&files, &mut model, &mut cleared).is_ok();
            let mut random = Random(steps);
            match way {
                0 => files.kill(),
                1 => files.cut_power(&mut |_| 0),
                2 => files.cut_power(&mut |length| length),
                _ => files.cut_power(&mut |length| random.below(length as u64 + 1) as usize),
            }
            let reopened = open(&files, LOG_BYTES);
            let (disk, recovered) =
                reopened.unwrap_or_else(|error| panic!("step {steps}, way {way}: {error:?}"));
            if cleared && recovered.messages.is_empty() && recovered.granted.is_empty() {
                assert_eq!(recovered.last_number, model.now().last_number);
                continue;
            }
            if way == 0 {
                model.expect_all(&recovered);
            } else {
                model.expect_prefix(&recovered);
            }
            // It works, and what it holds stays.
            write(&disk, &mut Random(steps), &mut model).unwrap();
            disk.close().unwrap();
            drop(disk);
            let (_, again) = open(&files, LOG_BYTES).unwrap();
            assert_eq!(comparable(again), comparable(model.now().clone()));
        }
        if finished {
            break;
        }
        steps += 1;
    }
    assert!(steps > 150, "{steps} steps only");
}

/// What a process leaves that dies at this step, and what it knew of it; nothing where it comes to its
/// end, or is about to clear the store.
fn dead_at(steps: u64) -> Option<(SimulatedFiles, Model)> {
    let files = SimulatedFiles::default();
    files.set_fault(Some(Fault::Halt(steps)));
    let (mut model, mut cleared) = (Model::new(), false);
    let finished = live(&files, &mut model, &mut cleared).is_ok();
    files.kill();
    (!finished && !cleared).then_some((files, model))
}

/// Whether opening removes files.
fn removes(files: &SimulatedFiles) -> bool {
    let before = files.paths();
    open(files, LOG_BYTES).unwrap();
    let after = files.paths();
    before.iter().any(|path| !after.contains(path))
}

#[test]
fn another_death_while_a_store_is_opened_loses_nothing_for_which_a_file_is_removed() {
    let mut removing = 0;
    for steps in 0..150 {
        if !dead_at(steps).is_some_and(|(files, _)| removes(&files)) {
            continue;
        }
        removing += 1;
        for (opening, way) in (0..12).flat_map(|opening| (0..4).map(move |way| (opening, way))) {
            let (files, mut model) = dead_at(steps).expect("as before");
            files.set_fault(Some(Fault::Halt(opening)));
            if open(&files, LOG_BYTES).is_ok() {
                model.synced = model.written();
            }
            let mut random = Random(opening * 4 + way);
            files.cut_power(&mut |length| match way {
                0 => 0,
                _ => random.below(length as u64 + 1) as usize,
            });
            let reopened = open(&files, LOG_BYTES);
            let (_, recovered) = reopened
                .unwrap_or_else(|error| panic!("step {steps}, {opening}, way {way}: {error:?}"));
            model.expect_prefix(&recovered);
        }
    }
    assert!(removing > 5, "{removing} steps only");
}
