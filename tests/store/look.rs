//! Looking into a store, exporting and clearing it.

use std::{path::Path, sync::Arc, time::Duration};

use mqttsession::{
    engine::{Expiry, Record},
    error::Code,
    protocol::{PacketId, Property, PropertyBlock, Publish, QoS, SubscriptionOptions, Version},
    store::{Disk, DiskOptions, Storage, Store, StoredState, SystemFiles, stores},
};

use crate::world::batch;

fn packet(topic: &str, qos: QoS, payload: &[u8]) -> Vec<u8> {
    let mut properties = PropertyBlock::new();
    for property in [
        Property::UserProperty("who", "me"),
        Property::ContentType("text/plain"),
        Property::CorrelationData(&[0, 1]),
        Property::MessageExpiryInterval(60),
    ] {
        properties.push(property).unwrap();
    }
    let publish = Publish {
        duplicate: false,
        qos,
        retain: true,
        topic,
        packet_id: Some(PacketId::MIN),
        properties: properties.as_properties(),
        payload,
    };
    let mut bytes = Vec::new();
    publish.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

fn fill(directory: &Path, client_id: &str) {
    let files = Arc::new(SystemFiles);
    let (disk, _) = Disk::open(files, directory, client_id, DiskOptions::default()).unwrap();
    let packets: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .zip([QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce])
        .map(|(topic, qos)| packet(topic, qos, b"hello"))
        .collect();
    let packet_id = PacketId::new(9).unwrap();
    let mut records: Vec<_> = packets
        .iter()
        .zip(5..)
        .map(|(packet, number)| {
            let expiry = Expiry { give_up: Some(90_000), interval_ends: Some(60_000) };
            Record::Message { number, version: Version::V5, expiry, packet }
        })
        .collect();
    records.extend([
        Record::Launched { number: 6, packet_id },
        Record::Launched { number: 7, packet_id: PacketId::MIN },
        Record::Released { number: 7 },
        Record::Delivering { packet_id },
        Record::Granted {
            filter: "f/#",
            options: SubscriptionOptions::default(),
            identifier: None,
            qos: QoS::ExactlyOnce,
        },
        Record::Numbered { last: 11 },
    ]);
    disk.append(&batch(&records)).unwrap();
    disk.close().unwrap();
}

#[test]
fn what_a_store_holds_can_be_seen_without_a_session() {
    let directory = tempfile::tempdir().unwrap();
    for client_id in ["Ä/1", "a"] {
        fill(directory.path(), client_id);
    }
    std::fs::create_dir(directory.path().join("something else")).unwrap();
    std::fs::write(directory.path().join("file"), b"").unwrap();
    assert_eq!(stores(directory.path()).unwrap(), ["a", "Ä/1"]);
    assert_eq!(stores(&directory.path().join("none")).unwrap(), [""; 0]);

    let store = Store::open(directory.path(), "Ä/1").unwrap();
    let summary = store.summary();
    assert_eq!((summary.messages, summary.in_flight, summary.released), (3, 2, 1));
    assert_eq!((summary.received, summary.last_number), (1, 11));
    assert_eq!(summary.subscriptions, ["f/#"]);
    let length = packet("a", QoS::AtLeastOnce, b"hello").len() as u64;
    assert_eq!(summary.bytes, 3 * length);
    assert!(summary.size > summary.bytes);
    let oldest = summary.oldest.unwrap().elapsed().unwrap_or_default();
    assert!(oldest < Duration::from_secs(3600));

    let messages: Vec<_> = store.messages().collect();
    let seen: Vec<_> = messages
        .iter()
        .map(|message| (message.number, message.topic.as_str(), message.state, message.qos))
        .collect();
    assert_eq!(
        seen,
        [
            (5, "a", StoredState::Waiting, QoS::AtLeastOnce),
            (6, "b", StoredState::Sent, QoS::ExactlyOnce),
            (7, "c", StoredState::Released, QoS::ExactlyOnce),
        ]
    );
    let first = &messages[0];
    assert_eq!(&first.payload[..], b"hello");
    assert!(first.retain);
    assert_eq!(first.properties().content_type(), Some("text/plain"));
    let expires = first.expires.unwrap().duration_since(std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(expires.unwrap(), Duration::from_secs(60));
    let locked = Store::open(directory.path(), "Ä/1").unwrap_err();
    assert_eq!(locked.code(), Code::StoreLocked);
}

#[test]
fn an_export_is_a_line_of_json_for_each_message() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), "a");
    let store = Store::open(directory.path(), "a").unwrap();
    let file = directory.path().join("export.jsonl");
    assert_eq!(store.export(&file).unwrap(), 3);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 3);
    let first = text.lines().next().unwrap();
    for part in [
        r#""number":5"#,
        r#""state":"waiting""#,
        r#""expires":60000"#,
        r#""topic":"a""#,
        r#""qos":1"#,
        r#""retain":true"#,
        r#""payload":"aGVsbG8=""#,
        r#""user_properties":[["who","me"]]"#,
        r#""Content Type":"text/plain""#,
        r#""Correlation Data":"AAE=""#,
        r#""Message Expiry Interval":60"#,
    ] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    let error = store.export(&file).unwrap_err();
    assert_eq!(error.code(), Code::StoreFailed);
    let sentence = format!("There is a file {} already; export into a new one", file.display());
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_cleared_store_keeps_only_its_numbers() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), "a");
    let mut store = Store::open(directory.path(), "a").unwrap();
    for _ in 0..2 {
        store.clear().unwrap();
        let summary = store.summary();
        assert_eq!((summary.messages, summary.received, summary.last_number), (0, 0, 11));
        assert!(summary.subscriptions.is_empty());
        assert!(summary.size < 300, "{}", summary.size);
    }
    drop(store);
    fill(directory.path(), "a");
    let store = Store::open(directory.path(), "a").unwrap();
    assert_eq!(store.summary().messages, 3);
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    for open in [Store::open, Store::repair] {
        let error = open(directory.path(), "a").unwrap_err();
        assert_eq!(error.code(), Code::StoreFailed);
        let shown = directory.path().display();
        assert_eq!(
            error.to_string(),
            format!("There is no store of the client id \"a\" in {shown}; check both")
        );
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
