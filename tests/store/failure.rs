//! A disk that is full, cannot be written or does not sync: what the store says, and what it keeps.

use std::error::Error as _;

use mqttsession::{
    engine::{Record, Recovered},
    error::Code,
    store::{Disk, Fault, SimulatedFiles, Storage},
};

use crate::world::{Model, append, batch, comparable, message, open, packet, path};

const LOG_BYTES: u64 = 2000;

/// The records of one message.
fn records(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    message(number, &packet(&[7; 300])).encode(&mut bytes);
    bytes
}

fn filled(files: &SimulatedFiles, messages: u64) -> (Disk, Model) {
    let (disk, _) = open(files, LOG_BYTES).unwrap();
    let mut model = Model::new();
    for number in 1..=messages {
        append(&disk, &records(number)).unwrap();
        model.add(&records(number));
    }
    (disk, model)
}

#[test]
fn a_full_disk_refuses_the_batch_whole_and_takes_it_when_there_is_room() {
    for room in [0, 1, 47, 48, 200, 380] {
        let files = SimulatedFiles::default();
        let (disk, mut model) = filled(&files, 3);
        files.set_fault(Some(Fault::Full(room)));
        let error = append(&disk, &records(4)).unwrap_err();
        assert_eq!(error.code(), Code::StoreFull);
        assert_eq!(
            error.to_string(),
            "There is no room for the store in stores/%43lient; free some space on its disk"
        );
        assert!(error.source().is_some());
        // What a death leaves here is what was written before.
        let copy = files.content(&path("log-1")).unwrap();
        files.set_fault(None);
        append(&disk, &records(4)).unwrap();
        model.add(&records(4));
        assert!(files.content(&path("log-1")).unwrap().starts_with(&copy));
        files.kill();
        model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
    }
}

#[test]
fn what_a_failed_write_left_is_cut_off_before_the_next_one() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 2);
    let end = files.content(&path("log-1")).unwrap().len();
    // It is written in part, and cannot be cut off at once.
    files.set_fault(Some(Fault::Full(100)));
    append(&disk, &records(3)).unwrap_err();
    assert_eq!(files.content(&path("log-1")).unwrap().len(), end);
    files.set_fault(Some(Fault::ReadOnly));
    let error = append(&disk, &records(3)).unwrap_err();
    assert_eq!(error.code(), Code::StoreReadOnly);
    assert_eq!(
        error.to_string(),
        "The store in stores/%43lient cannot be written; check the owner and the permissions of the \
         directory and of what is in it"
    );
    files.set_fault(None);
    append(&disk, &records(3)).unwrap();
    model.add(&records(3));
    disk.close().unwrap();
    drop(disk);
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
}

#[test]
fn a_sync_that_fails_ends_what_this_object_writes() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 2);
    files.set_fault(Some(Fault::Sync));
    let sentence = "The disk did not take what the store in stores/%43lient gave it; close the session \
                    and open it again to see what is there";
    let error = disk.sync().unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Code::StoreFailed, sentence));
    assert_eq!(error.source().unwrap().to_string(), "the disk did not take it");
    for refused in [append(&disk, &records(3)), disk.sync(), disk.tidy(), disk.close()] {
        assert_eq!(refused.unwrap_err().to_string(), sentence);
    }
    // It has let go of it all the same; and what the system had in memory only is given to the disk
    // again by who opens the store.
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
    files.cut_power(&mut |_| 0);
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
}

#[test]
fn nothing_that_has_been_closed_can_be_used() {
    let files = SimulatedFiles::default();
    let (disk, _) = filled(&files, 1);
    disk.close().unwrap();
    let error = append(&disk, &records(2)).unwrap_err();
    assert_eq!(error.to_string(), "The store in stores/%43lient has been closed");
}

#[test]
fn logs_that_cannot_be_folded_pile_up_and_nothing_is_lost() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 8);
    assert!(files.content(&path("log-2")).is_some());
    files.set_fault(Some(Fault::Full(500)));
    let error = disk.tidy().unwrap_err();
    assert_eq!(error.code(), Code::StoreFull);
    assert!(files.content(&path("base.draft")).is_none(), "it would take the last room");
    files.set_fault(None);
    for number in [9, 10] {
        append(&disk, &records(number)).unwrap();
        model.add(&records(number));
    }
    disk.tidy().unwrap();
    assert!(files.content(&path("log-1")).is_none());
    assert!(files.content(&path("base")).is_some());
    files.kill();
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
}

#[test]
fn a_log_that_none_can_follow_grows_on() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 1);
    files.set_fault(Some(Fault::Open));
    for number in 2..=20 {
        append(&disk, &records(number)).unwrap();
        model.add(&records(number));
    }
    assert!(files.content(&path("log-1")).unwrap().len() as u64 > 3 * LOG_BYTES);
    files.set_fault(None);
    append(&disk, &records(21)).unwrap();
    model.add(&records(21));
    assert!(files.content(&path("log-2")).is_some());
    files.kill();
    model.expect_all(&open(&files, LOG_BYTES).unwrap().1);
}

#[test]
fn a_writer_that_cannot_fold_does_not_try_each_time() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 8);
    disk.tidy().unwrap();
    files.set_content(&path("base"), b"no base");
    // Each attempt syncs first.
    let before = files.syncs();
    for number in 9..=208 {
        append(&disk, &records(number)).unwrap();
        model.add(&records(number));
    }
    let attempts = files.syncs() - before;
    assert!((10..=60).contains(&attempts), "{attempts}");
}

#[test]
fn a_sync_that_fails_while_tidying_up_is_the_end_too() {
    let files = SimulatedFiles::default();
    let (disk, _) = filled(&files, 8);
    assert!(!disk.is_failed());
    files.set_fault(Some(Fault::Sync));
    disk.tidy().unwrap_err();
    assert!(disk.is_failed());
    assert_eq!(append(&disk, &records(9)).unwrap_err().code(), Code::StoreFailed);
}

#[test]
fn a_writer_folds_itself_when_nobody_tidies_up() {
    let files = SimulatedFiles::default();
    let (disk, mut model) = filled(&files, 60);
    assert!(files.paths().len() < 12, "{:?}", files.paths());
    disk.sync().unwrap();
    model.synced = model.written();
    files.cut_power(&mut |_| 0);
    model.expect_prefix(&open(&files, LOG_BYTES).unwrap().1);
}

#[test]
fn a_sync_covers_what_was_written_before_it_and_is_not_repeated() {
    let files = SimulatedFiles::default();
    let (disk, _) = filled(&files, 3);
    let before = files.syncs();
    disk.sync().unwrap();
    assert_eq!(files.syncs(), before + 1);
    disk.sync().unwrap();
    assert_eq!(files.syncs(), before + 1, "there was nothing to sync");
}

#[test]
fn what_has_ended_takes_no_room_for_long() {
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, 100 << 10).unwrap();
    let payload = packet(&vec![1; 40 << 10]);
    let mut largest = 0;
    for number in 1..=800 {
        let ended = Record::Ended { number: number.max(41) - 40 };
        disk.append(&batch(&[message(number, &payload), ended])).unwrap();
        disk.tidy().unwrap();
        largest = largest.max(disk.size());
    }
    // Forty messages of 40 KiB live at any time.
    assert!(largest < 2 * 40 * (41 << 10) + (6 << 20), "{largest}");
    let (ended, expected) = (disk.size(), files.paths().len());
    assert!(ended > 0 && expected <= 4, "{:?}", files.paths());
}

#[test]
fn a_message_larger_than_a_log_is_kept() {
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, 1 << 20).unwrap();
    let payload = packet(&vec![3; 5 << 20]);
    let mut expected = Recovered::default();
    for number in 1..=3 {
        let message = message(number, &payload);
        disk.append(&batch(&[message])).unwrap();
        expected.apply(&message, 0);
        disk.tidy().unwrap();
    }
    files.kill();
    let (_, recovered) = open(&files, 1 << 20).unwrap();
    assert!(comparable(recovered) == comparable(expected));
}

#[test]
fn a_read_only_directory_is_said_to_be_one() {
    let files = SimulatedFiles::default();
    files.set_fault(Some(Fault::ReadOnly));
    assert_eq!(open(&files, LOG_BYTES).unwrap_err().code(), Code::StoreReadOnly);
    files.set_fault(None);
    let (disk, model) = filled(&files, 2);
    drop(disk);
    files.set_fault(Some(Fault::ReadOnly));
    assert_eq!(open(&files, LOG_BYTES).unwrap_err().code(), Code::StoreReadOnly);
    files.set_fault(None);
    let (_, recovered) = open(&files, LOG_BYTES).unwrap();
    assert_eq!(comparable(recovered), comparable(model.now().clone()));
}

#[test]
fn what_ends_within_its_log_never_reaches_the_base() {
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, LOG_BYTES).unwrap();
    let payload = packet(&vec![1; 1 << 20]);
    // More than the database holds in memory.
    let messages = (1..=24).map(|number| message(number, &payload));
    let ended = (1..=24).map(|number| Record::Ended { number });
    disk.append(&batch(&messages.chain(ended).collect::<Vec<_>>())).unwrap();
    disk.append(&batch(&[message(25, b"p")])).unwrap();
    files.set_fault(Some(Fault::Full(1 << 20)));
    disk.tidy().unwrap();
    assert_eq!(files.content(&path("log-1")), None);
}
