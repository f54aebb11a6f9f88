//! Files that are not what was written: found, said, and not touched.

use std::collections::BTreeMap;

use mqttsession::{
    engine::{Record, Recovered},
    error::{Code, Error},
    protocol::PacketId,
    store::{SimulatedFiles, Storage, Store},
};

use crate::world::{
    CLIENT, DIRECTORY, Model, append, batch, comparable, message, open, packet, path,
};

const LOG_BYTES: u64 = 300;

/// The logs of that store, of which the last holds one frame, or two.
const LOGS: [&str; 3] = ["log-3", "log-4", "log-5"];

/// A store with a base and logs behind it.
fn store(close: bool) -> (SimulatedFiles, Recovered) {
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, LOG_BYTES).unwrap();
    let mut model = Model::new();
    for number in 1..=9 {
        let mut records = Vec::new();
        message(number, &packet(&[number as u8; 50])).encode(&mut records);
        append(&disk, &records).unwrap();
        model.add(&records);
        disk.sync().unwrap();
        if number == 6 {
            disk.tidy().unwrap();
        }
    }
    if close {
        disk.close().unwrap();
    } else {
        files.kill();
    }
    (files, comparable(model.now().clone()))
}

fn snapshot(files: &SimulatedFiles) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let paths = files.paths().into_iter().filter(|path| !path.ends_with("lock"));
    paths.map(|path| (path.clone(), files.content(&path).unwrap())).collect()
}

/// Opens copies of a store with one byte changed; how many were damaged.
fn change_every_byte(
    name: &str,
    every: usize,
    reboot: bool,
    allowed: &[Recovered],
) -> (usize, usize) {
    let (files, _) = store(!reboot);
    let original = snapshot(&files);
    let (mut same, mut corrupt) = (0, 0);
    let length = original[&path(name)].len();
    for at in (0..length).filter(|at| *at < 600 || at % every == 0) {
        for change in [1, 0xFF] {
            let files = SimulatedFiles::default();
            // The first opening makes the directory.
            drop(open(&files, LOG_BYTES).unwrap());
            if reboot {
                files.cut_power(&mut |length| length);
            }
            mqttsession::store::FileSystem::remove(&files, &path("log-1")).unwrap();
            for (path, content) in &original {
                files.set_content(path, content);
            }
            let mut damaged = original[&path(name)].clone();
            damaged[at] ^= change;
            files.set_content(&path(name), &damaged);
            let before = snapshot(&files);
            match open(&files, LOG_BYTES) {
                Ok((_, recovered)) => {
                    same += 1;
                    let recovered = comparable(recovered);
                    assert!(allowed.contains(&recovered), "{name} byte {at}: {recovered:#?}");
                }
                Err(error) => {
                    corrupt += 1;
                    assert_eq!(error.code(), Code::StoreCorrupt, "{name} byte {at}: {error:?}");
                    assert!(snapshot(&files) == before, "{name} byte {at}");
                }
            }
        }
    }
    (same, corrupt)
}

#[test]
fn every_changed_byte_of_a_log_is_found() {
    let (_, whole) = store(true);
    for name in ["log-3", "log-4", "log-5"] {
        let (same, corrupt) = change_every_byte(name, 1, false, std::slice::from_ref(&whole));
        assert_eq!(same, 0, "{name}");
        assert!(corrupt > 100);
    }
}

#[test]
fn after_the_machine_went_down_only_the_last_frame_can_be_taken_for_torn() {
    let (_, whole) = store(false);
    let mut without_last = whole.clone();
    without_last.messages.pop_last();
    without_last.last_number -= 1;
    let allowed = [whole, without_last];
    let (same, _) = change_every_byte("log-4", 1, true, &allowed[..1]);
    assert_eq!(same, 0);
    // It holds nothing but the last frame, and nothing says that it had been synced.
    let (same, corrupt) = change_every_byte("log-5", 1, true, &allowed);
    assert!(same > 0 && corrupt == 0, "{same} {corrupt}");
}

#[test]
fn every_changed_byte_of_the_base_is_found_or_does_not_matter() {
    let (_, whole) = store(true);
    let (same, corrupt) = change_every_byte("base", 97, false, &[whole]);
    assert!(same > 100 && corrupt > 100, "{same} {corrupt}");
}

#[track_caller]
fn expect(files: &SimulatedFiles, code: Code, sentence: &str) -> Error {
    let before = snapshot(files);
    let error = open(files, LOG_BYTES).unwrap_err();
    assert_eq!(error.to_string(), sentence);
    assert_eq!(error.code(), code);
    assert!(snapshot(files) == before, "something was changed");
    error
}

fn damaged(what: &str) -> String {
    format!(
        "The store in stores/%43lient is damaged: {what}; nothing has been changed, and a repair keeps \
         what can be read"
    )
}

fn remove(files: &SimulatedFiles, name: &str) {
    mqttsession::store::FileSystem::remove(files, &path(name)).unwrap();
}

#[test]
fn what_is_missing_or_damaged_is_called_by_its_name() {
    for (name, what) in [
        ("base", "its base is missing"),
        ("log-3", "log-3 is missing"),
        ("log-4", "log-4 is missing"),
    ] {
        let (files, _) = store(true);
        remove(&files, name);
        expect(&files, Code::StoreCorrupt, &damaged(what));
    }
    let (files, _) = store(true);
    LOGS.iter().for_each(|name| remove(&files, name));
    expect(&files, Code::StoreCorrupt, &damaged("log-3 is missing"));
    let (files, _) = store(true);
    files.set_content(&path("base"), b"");
    expect(&files, Code::StoreCorrupt, &damaged("its base cannot be read"));
    for name in LOGS {
        let (files, _) = store(true);
        let mut header = files.content(&path(name)).unwrap();
        header[30] ^= 1;
        files.set_content(&path(name), &header);
        let what = format!("{name} cannot be read from its beginning");
        expect(&files, Code::StoreCorrupt, &damaged(&what));
    }
}

#[test]
fn what_is_not_ours_or_too_new_is_left_alone() {
    let (files, _) = store(true);
    LOGS.iter().chain(&["base"]).for_each(|name| remove(&files, name));
    files.set_content(&path("letter.txt"), b"dear");
    expect(
        &files,
        Code::StoreForeign,
        "The directory stores/%43lient holds files that are no store's (letter.txt); use another directory",
    );
    let (files, _) = store(true);
    LOGS.iter().chain(&["base"]).for_each(|name| remove(&files, name));
    files.set_content(&path("log-4"), &[b'#'; 200]);
    expect(
        &files,
        Code::StoreForeign,
        "The directory stores/%43lient holds a file log-4 that is no store's; use another directory",
    );
    // Beside a store a note does not matter.
    let (files, whole) = store(true);
    files.set_content(&path("note.txt"), b"do not delete");
    assert_eq!(comparable(open(&files, LOG_BYTES).unwrap().1), whole);

    let (files, _) = store(true);
    let mut log = files.content(&path("log-4")).unwrap();
    log[8..12].copy_from_slice(&2u32.to_le_bytes());
    let crc = crc(&log[..16]);
    log[16..20].copy_from_slice(&crc.to_le_bytes());
    files.set_content(&path("log-4"), &log);
    expect(
        &files,
        Code::StoreVersion,
        "The store in stores/%43lient was written by a newer version of this library; use that version, \
         or another directory",
    );

    let (files, _) = store(true);
    let (other, _) = crate::world::open_as(&files, LOG_BYTES, "other").unwrap();
    other.close().unwrap();
    let foreign = files.content("stores/other/log-1".as_ref()).unwrap();
    let (files, _) = store(true);
    LOGS.iter().chain(&["base"]).for_each(|name| remove(&files, name));
    files.set_content(&path("log-1"), &foreign);
    expect(
        &files,
        Code::StoreForeign,
        "The directory stores/%43lient holds the store of the client id \"other\"; use another directory",
    );
}

/// CRC-32 as everybody computes it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn a_repair_keeps_what_can_be_read_and_sets_the_rest_aside() {
    for name in LOGS.into_iter().chain(["base"]) {
        let (files, whole) = store(true);
        let mut content = files.content(&path(name)).unwrap();
        let at = if name == "base" { 0 } else { content.len() / 2 };
        content[at] ^= 0x10;
        files.set_content(&path(name), &content);
        assert_eq!(open(&files, LOG_BYTES).unwrap_err().code(), Code::StoreCorrupt);
        let files_of = std::sync::Arc::new(files.clone());
        let store = Store::repair_on(files_of.clone(), DIRECTORY.as_ref(), CLIENT).unwrap();
        let kept = store.summary().messages;
        assert!((3..=9).contains(&kept), "{name}: {kept}");
        assert!(kept < 9 || name == "log-5", "{name}: {kept}");
        drop(store);
        let aside = path(&format!("{name}.6.damaged"));
        assert_eq!(files.content(&aside), Some(content), "{:?}", files.paths());
        let (disk, recovered) = open(&files, LOG_BYTES).unwrap();
        assert!(recovered.doubtful);
        assert!(recovered.messages.iter().all(|(number, message)| {
            let original = &whole.messages[number];
            original.packet == message.packet && original.expiry == message.expiry
        }));
        let last = message(100, b"p");
        disk.append(&batch(&[last])).unwrap();
        disk.close().unwrap();
        drop(disk);
        let (_, again) = open(&files, LOG_BYTES).unwrap();
        assert_eq!(again.messages.len(), kept + 1);
    }
}

#[test]
fn a_repair_gives_no_packet_id_to_two_messages() {
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, 1 << 20).unwrap();
    let [five, six] = [5, 6].map(|id| PacketId::new(id).unwrap());
    let launched = |number, packet_id| Record::Launched { number, packet_id };
    let length = || files.content(&path("log-1")).unwrap().len();
    disk.append(&batch(&[message(1, b"p"), launched(1, five), Record::Retired { packet_id: six }]))
        .unwrap();
    let lost = length() + 50;
    disk.append(&batch(&[Record::Ended { number: 1 }, Record::Freed { packet_id: six }])).unwrap();
    disk.append(&batch(&[message(2, b"p"), launched(2, five)])).unwrap();
    disk.append(&batch(&[message(3, b"p"), launched(3, six)])).unwrap();
    disk.close().unwrap();
    drop(disk);
    let mut content = files.content(&path("log-1")).unwrap();
    content[lost] ^= 1;
    files.set_content(&path("log-1"), &content);
    let files_of = std::sync::Arc::new(files.clone());
    drop(Store::repair_on(files_of, DIRECTORY.as_ref(), CLIENT).unwrap());
    let (_, recovered) = open(&files, 1 << 20).unwrap();
    let ids: Vec<_> = recovered.messages.values().map(|message| message.packet_id).collect();
    assert_eq!(ids, [None, Some(five), Some(six)], "the first is sent as new");
    assert!(recovered.retired.is_empty());
}

#[test]
fn a_payload_that_looks_like_a_frame_is_none() {
    let (files, _) = store(true);
    let frames = files.content(&path("log-5")).unwrap();
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, 1 << 20).unwrap();
    disk.append(&batch(&[message(1, b"p")])).unwrap();
    disk.sync().unwrap();
    disk.append(&batch(&[message(2, &frames)])).unwrap();
    // Its beginning is lost, and what looks like frames of a store is not.
    let mut call = 0;
    files.cut_power(&mut |length| {
        call += 1;
        if call == 1 { 0 } else { length }
    });
    let (_, recovered) = open(&files, 1 << 20).unwrap();
    assert_eq!(recovered.messages.len(), 1);
}

#[test]
fn what_an_earlier_life_wrote_does_not_follow_what_a_later_one_writes() {
    // Two lives go on from the same beginning, with frames of the same lengths.
    let files = SimulatedFiles::default();
    let (disk, _) = open(&files, 1 << 20).unwrap();
    disk.append(&batch(&[message(1, b"beginning")])).unwrap();
    drop(disk);
    let log = path("log-1");
    let beginning = files.content(&log).unwrap();
    let live = |payloads: &[&[u8]]| {
        files.set_content(&log, &beginning);
        files.kill();
        let (disk, _) = open(&files, 1 << 20).unwrap();
        for (payload, number) in payloads.iter().zip(2..) {
            disk.append(&batch(&[message(number, payload)])).unwrap();
        }
        files.content(&log).unwrap()
    };
    let (first, mut second) = (live(&[b"one", b"behind it"]), live(&[b"two"]));
    second.extend_from_slice(&first[second.len()..]);
    files.cut_power(&mut |length| length);
    files.set_content(&log, &second);
    let (_, recovered) = open(&files, 1 << 20).unwrap();
    assert_eq!(recovered.messages.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(&recovered.messages[&2].packet[..], b"two");
}
