//! Opening: one at a time, on real files, in one process and in two.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use mqttsession::{
    engine::{Record, Recovered},
    error::{Code, Result},
    store::{Disk, DiskOptions, SimulatedFiles, Storage, Store, SystemFiles, stores},
};

use crate::world::{self, batch, comparable, message, packet};

fn open(directory: &Path) -> Result<(Disk, Recovered)> {
    Disk::open(Arc::new(SystemFiles), directory, "one", DiskOptions { log_bytes: 4000 })
}

#[test]
fn a_store_on_real_files_is_what_it_is_on_simulated_ones() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("made").join("by the store");
    let packet = packet(&[5; 1000]);
    let mut expected = Recovered::default();
    for life in 0..6 {
        let (disk, recovered) = open(&below).unwrap();
        assert_eq!(comparable(recovered), comparable(expected.clone()), "life {life}");
        for number in (life * 10 + 1)..=(life * 10 + 10) {
            let message = message(number, &packet);
            disk.append(&batch(&[message])).unwrap();
            expected.apply(&message, 0);
        }
        disk.sync().unwrap();
        if life % 2 == 0 {
            disk.tidy().unwrap();
            let files = std::fs::read_dir(below.join("one")).unwrap().map(|file| file.unwrap());
            let length = |file: std::fs::DirEntry| match file.file_name().to_str() {
                Some("lock") => 0,
                _ => file.metadata().unwrap().len(),
            };
            assert_eq!(disk.size(), files.map(length).sum::<u64>());
        }
        if life % 3 == 0 {
            disk.close().unwrap();
        }
    }
    assert_eq!(stores(&below).unwrap(), ["one"]);
}

#[test]
fn a_second_session_is_told_that_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, _) = open(directory.path()).unwrap();
    let sentence = format!(
        "Another session or process has the store in {} open; a store serves one at a time",
        directory.path().join("one").display()
    );
    for error in [
        open(directory.path()).map(drop).unwrap_err(),
        Store::open(directory.path(), "one").map(drop).unwrap_err(),
    ] {
        assert_eq!((error.code(), error.to_string()), (Code::StoreLocked, sentence.clone()));
    }
    // Another client's is another store.
    let other = Disk::open(Arc::new(SystemFiles), directory.path(), "two", DiskOptions::default());
    drop(other.unwrap());
    disk.close().unwrap();
    let (again, _) = open(directory.path()).unwrap();
    drop(again);
    open(directory.path()).unwrap();
}

const PATH_OF_CHILD: &str = "MQTTSESSION_TEST_STORE";

/// The other process, which the test below starts: it does nothing where that has not.
#[test]
fn child_that_opens_a_store() {
    let Some(directory) = std::env::var_os(PATH_OF_CHILD).map(PathBuf::from) else { return };
    match open(&directory) {
        Ok((_, recovered)) => println!("opened {}", recovered.messages.len()),
        Err(error) => println!("refused {}", error.code().name()),
    }
}

fn child(directory: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "open::child_that_opens_a_store", "--nocapture"])
        .env(PATH_OF_CHILD, directory)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = printed.lines().find_map(|line| {
        let at = line.find("opened ").or_else(|| line.find("refused "))?;
        Some(line[at..].to_owned())
    });
    said.unwrap_or_else(|| panic!("{printed}"))
}

#[test]
fn another_process_is_told_so_too() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, _) = open(directory.path()).unwrap();
    disk.append(&batch(&[message(1, &packet(b"p"))])).unwrap();
    assert_eq!(child(directory.path()), "refused STORE_LOCKED");
    // An attempt within this process must not give the lock away.
    open(directory.path()).unwrap_err();
    assert_eq!(child(directory.path()), "refused STORE_LOCKED");
    drop(disk);
    assert_eq!(child(directory.path()), "opened 1");
}

#[test]
fn a_clean_end_leaves_no_doubt_and_the_end_of_the_machine_does() {
    for (end, doubtful) in [("close", false), ("kill", false), ("cut", true), ("close, cut", false)]
    {
        let files = SimulatedFiles::default();
        let (disk, _) = world::open(&files, 4000).unwrap();
        if end.starts_with("close") {
            disk.close().unwrap();
        }
        match end {
            "kill" => files.kill(),
            "cut" => files.cut_power(&mut |length| length),
            "close, cut" => files.cut_power(&mut |_| 0),
            _ => {}
        }
        drop(disk);
        // It stays until the session is known to have been lost.
        for session_lost in [false, true] {
            let (disk, recovered) = world::open(&files, 4000).unwrap();
            assert_eq!(recovered.doubtful, doubtful, "{end}");
            if session_lost {
                disk.append(&batch(&[Record::SessionLost])).unwrap();
            }
            disk.close().unwrap();
        }
        assert!(!world::open(&files, 4000).unwrap().1.doubtful, "{end}");
    }
}
