//! What the broker must not send: the table `tests/violations.txt`, row by row.

use std::collections::HashSet;

use mqttsession::{
    engine::Inbound,
    error::{Code, Error},
    protocol::{Connack, Packet, Property, PropertyBlock, Publish, Version},
};
use mqttsession_tests::violation::Row;

use crate::{
    packets::{connack, message0, message1, message2, properties, puback, pubcomp, pubrec},
    pair::{Pair, Received},
};

/// A session in one of the table's situations; nothing waits to be written.
fn session(situation: &str, version: Version) -> Pair {
    let mut pair = match situation {
        "connecting" => connecting(Pair::new(version)),
        "resuming" => {
            let mut pair = Pair::persistent(version);
            pair.lose();
            pair.connect(true);
            pair
        }
        "online" => Pair::online(version),
        "publishing-1" => publishing(version, 1),
        "publishing-2" => publishing(version, 2),
        "released" => {
            let mut pair = publishing(version, 2);
            pair.receive(pubrec(1));
            pair
        }
        "subscribing" => {
            let mut pair = Pair::online(version);
            pair.subscribe(&["a:0", "b:0"]);
            pair
        }
        "unsubscribing" => {
            let mut pair = Pair::online(version);
            pair.granted("a:0");
            pair.unsubscribe(&["a"]);
            pair
        }
        "delivered" => delivered(version).0,
        "received" => {
            let (mut pair, message) = delivered(version);
            assert!(pair.handled(&message));
            pair
        }
        "resumed" => resumed(version, &PropertyBlock::new()),
        "resumed-narrow" => resumed(version, &properties(&[Property::ReceiveMaximum(1)])),
        "small" => Pair::with(version, |settings| settings.maximum_packet_size = 100).connected(),
        "limited" => limited(version),
        "discreet" => Pair::with(version, |settings| {
            settings.properties = properties(&[Property::RequestProblemInformation(0)]);
        })
        .connected(),
        other => panic!("there is no situation {other}"),
    };
    pair.sent();
    pair.ended();
    pair.events();
    pair
}

fn connecting(mut pair: Pair) -> Pair {
    pair.connect(false);
    pair
}

fn publishing(version: Version, qos: u8) -> Pair {
    let mut pair = Pair::online(version);
    pair.publish(qos, "a", "x");
    pair
}

fn delivered(version: Version) -> (Pair, Received) {
    let mut pair = Pair::online(version);
    pair.granted("a:2");
    let message = pair.deliver(message2(7, "a", "x")).remove(0);
    (pair, message)
}

/// Three messages of an earlier connection, the last of them released; what the broker announces
/// says how many of them are sent again at once.
fn resumed(version: Version, announced: &PropertyBlock) -> Pair {
    let mut pair = Pair::persistent(version);
    for qos in [1, 2, 2] {
        pair.publish(qos, "a", "x");
    }
    pair.sent();
    pair.receive(pubrec(3));
    pair.lose();
    pair.connect(true);
    pair.sent();
    pair.receive(Packet::Connack(Connack {
        session_present: version != Version::V31,
        code: 0,
        properties: announced.as_properties(),
    }));
    pair
}

fn limited(version: Version) -> Pair {
    let mut pair = Pair::with(version, |settings| {
        settings.receive_maximum = 2;
        settings.properties = properties(&[Property::TopicAliasMaximum(2)]);
    })
    .connected();
    pair.granted("#:2");
    let alias = properties(&[Property::TopicAlias(1)]);
    pair.deliver(Publish { properties: alias.as_properties(), ..message0("a", "") });
    pair
}

fn version(level: u8) -> Version {
    Version::from_level(level).expect("3, 4 or 5")
}

/// Every row with each of its versions.
fn cases() -> impl Iterator<Item = (Row, Version)> {
    Row::all().into_iter().flat_map(|row| {
        let versions: Vec<_> = row.levels.iter().map(|&level| version(level)).collect();
        versions.into_iter().map(move |version| (row.clone(), version))
    })
}

/// What is found when the bytes come in one piece, or one by one.
fn fault(row: &Row, version: Version, piecemeal: bool) -> (Pair, Option<Error>) {
    let mut pair = session(&row.situation, version);
    let bytes = row.bytes(version.level());
    let size = if piecemeal { 1 } else { bytes.len() };
    let error = bytes.chunks(size).find_map(|piece| pair.input(piece).err());
    (pair, error)
}

#[test]
fn every_row_is_answered_and_explained() {
    let mut wrong = Vec::new();
    for (row, version) in cases() {
        let (mut pair, error) = fault(&row, version, false);
        let told = error.as_ref().map(|error| (error.code().name(), error.message().to_owned()));
        let sentence = row.sentence(version.level());
        let expected = row.code.as_deref().map(|code| (code, sentence));
        let answer: Vec<String> = match (&row.answer[..], &row.code) {
            ("-", _) => vec![],
            (reason, Some(_)) if version.is_v5() => vec![format!("DISCONNECT {reason}")],
            (_, Some(_)) => vec![],
            (packets, None) => packets.split("; ").map(str::to_owned).collect(),
        };
        let sent = pair.sent();
        if told != expected || sent != answer {
            let name = &row.name;
            wrong.push(format!(
                "{name}, {version:?}:\n   found {told:?} {sent:?}\nexpected {expected:?} {answer:?}"
            ));
        }
        if expected.is_none() {
            assert!(pair.engine.is_online(), "{}", row.name);
            continue;
        }
        // What still arrives is not looked at, and nothing is left to wait for.
        assert!(!pair.engine.is_online(), "{}", row.name);
        assert!(pair.input(b"\xff\xff\xff").unwrap().is_empty());
        assert_eq!((pair.sent(), pair.due()), (vec![], None), "{}", row.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_broken_rule_is_found_in_whatever_pieces_the_bytes_come() {
    // Before CONNACK a single byte may be enough to see that this is no MQTT.
    let after_connack = |row: &Row| !matches!(&row.situation[..], "connecting" | "resuming");
    for (row, version) in cases().filter(|(row, _)| after_connack(row)) {
        let [whole, pieces] = [false, true].map(|piecemeal| {
            let (_, error) = fault(&row, version, piecemeal);
            error.map(|error| (error.code(), error.message().to_owned()))
        });
        assert_eq!(whole, pieces, "{}, {version:?}", row.name);
    }
}

#[test]
fn the_session_survives_every_row() {
    for (row, version) in cases() {
        let (mut pair, _) = fault(&row, version, false);
        pair.ended();
        let unended = pair.engine.outstanding(false);
        pair.lose();
        pair.connect(true);
        pair.sent();
        pair.receive(connack(false));
        pair.sent();
        // Nothing got lost: what has not ended is sent anew.
        assert_eq!(
            pair.ended().len() + pair.engine.outstanding(false),
            unended,
            "{}, {version:?}",
            row.name
        );
        assert!(pair.engine.is_online(), "{}, {version:?}", row.name);
    }
}

#[test]
fn a_message_that_is_completed_before_its_pubrel_was_sent_again_is_not_missed() {
    let mut pair = Pair::persistent(Version::V5);
    for qos in [1, 2] {
        pair.publish(qos, "a", "x");
    }
    pair.sent();
    pair.receive(pubrec(2));
    pair.lose();
    pair.connect(true);
    pair.sent();
    // The PUBREL of the connection before has arrived, and its answer comes right behind CONNACK.
    let bytes = [pair.encoded(connack(true)), pair.encoded(pubcomp(2))].concat();
    pair.input(&bytes).unwrap();
    assert_eq!(pair.ended(), ["2: ok"]);
    assert_eq!(pair.sent(), ["PUBLISH dup q1 #1 a=x"]);
}

#[test]
fn the_rows_differ() {
    let rows = Row::all();
    let mut names = HashSet::new();
    for row in &rows {
        assert!(names.insert(&row.name), "two rows are called {}", row.name);
    }
    let mut seen = HashSet::new();
    for (row, version) in cases() {
        let case = (version, row.situation.clone(), row.bytes(version.level()));
        assert!(seen.insert(case), "{} is another row's bytes in its situation", row.name);
    }
    let violations = rows.iter().filter(|row| row.code.is_some()).count();
    assert!(violations >= 150, "only {violations} rows");
}

#[test]
fn every_sentence_says_what_the_broker_did() {
    for row in Row::all().into_iter().filter(|row| row.code.is_some()) {
        for &level in &row.levels {
            let sentence = row.sentence(level);
            let begins = ["The broker sent a", "The server does not speak MQTT on this port"]
                .iter()
                .any(|begin| sentence.starts_with(begin));
            assert!(begins, "{sentence}");
            // A statement is named by its number or not at all, and nothing is a debug print.
            let plain = !sentence.contains(['{', '}', '"', '\\', '(']) && !sentence.ends_with('.');
            assert!(plain && sentence.contains('[') == sentence.ends_with(']'), "{sentence}");
        }
    }
}

#[test]
fn what_is_wrong_with_something_else_than_mqtt_is_the_cause() {
    let mut pair = session("connecting", Version::V311);
    let error = pair.fault_of(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(error.code(), Code::NotMqtt);
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert_eq!(cause, "a PUBACK with a wrong value in its reserved flag bits [MQTT-2.2.2-1]");
}

#[test]
fn an_early_message_is_kept_when_a_later_one_breaks_the_rules() {
    let mut pair = Pair::online(Version::V311);
    let mut inbound = Inbound::default();
    pair.granted("a:0");
    let bytes = b"\x30\x04\x00\x01ax\x00\x00";
    let error = pair.engine.handle_input(bytes, &mut inbound, pair.now).unwrap_err();
    assert_eq!(error.code(), Code::MalformedPacket);
    assert_eq!(inbound.deliveries.len(), 1);
}

#[test]
fn an_answer_after_a_message_has_ended_is_harmless() {
    let mut pair = Pair::persistent(Version::V5);
    pair.publish(1, "a", "1");
    pair.sent();
    pair.reconnect(true);
    let acknowledged = pair.encoded(puback(1));
    pair.input(&[acknowledged.clone(), acknowledged].concat()).unwrap();
    assert_eq!(pair.ended(), ["1: ok"]);
}

#[test]
fn before_5_0_the_packet_ids_are_the_limit() {
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        for number in 1..=u16::MAX {
            pair.deliver(message1(number, "a", ""));
        }
        let error = pair.fault(Packet::Publish(message1(1, "a", "")));
        // The number is 3.1.1's.
        let number = "2.3.1-4";
        let statement = match version {
            Version::V311 => format!(" [MQTT-{number}]"),
            _ => String::new(),
        };
        let sentence = format!(
            "The broker sent a PUBLISH with 65,535 others unacknowledged, which is as many as \
             there are packet ids{statement}"
        );
        assert_eq!((error.code(), error.message()), (Code::ProtocolError, &sentence[..]));
    }
}
