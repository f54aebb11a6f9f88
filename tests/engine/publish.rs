//! A message on its way out, at each quality of service.

use bytes::Bytes;
use mqttsession::{
    engine::{LARGE_PAYLOAD, Publication, Refused},
    error::Code,
    protocol::{Packet, Property, QoS, ReasonCode, Version},
};

use crate::{
    packets::{because, properties, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, message},
};

#[test]
fn the_bytes_are_the_shortest() {
    let expected: [[&[u8]; 3]; 3] = [
        [b"\x30\x04\x00\x01ax", b"\x32\x06\x00\x01a\x00\x01x", b"\x34\x06\x00\x01a\x00\x01x"],
        [b"\x30\x04\x00\x01ax", b"\x32\x06\x00\x01a\x00\x01x", b"\x34\x06\x00\x01a\x00\x01x"],
        [
            b"\x30\x05\x00\x01a\x00x",
            b"\x32\x07\x00\x01a\x00\x01\x00x",
            b"\x34\x07\x00\x01a\x00\x01\x00x",
        ],
    ];
    for (version, expected) in VERSIONS.into_iter().zip(expected) {
        for (qos, expected) in (0..3).zip(expected) {
            let mut pair = Pair::online(version);
            assert_eq!(pair.publish(qos, "a", "x"), 1);
            assert_eq!(pair.sent_bytes(), expected, "{version:?} q{qos}");
        }
    }
}

#[test]
fn qos_0_ends_when_it_has_been_written() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let number = pair.publish(0, "a", "x");
        assert!(!pair.taken().is_empty());
        assert_eq!(pair.ended(), [""; 0], "taken is not written");
        assert_eq!(pair.outcome(number), None);
        pair.engine.handle_written(pair.now);
        assert_eq!(pair.ended(), ["1: ok"]);
        assert_eq!(pair.outcome(number).as_deref(), Some("ok"));
    }
}

#[test]
fn qos_0_that_was_not_written_is_lost_with_the_connection() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(0, "a", "being written");
        assert!(!pair.taken().is_empty());
        pair.publish(0, "a", "waiting");
        pair.lose();
        assert_eq!(pair.ended(), ["1: CONNECTION_CLOSED", "2: CONNECTION_CLOSED"]);
        assert_eq!(pair.reconnect(false), [""; 0]);
    }
}

#[test]
fn qos_1_ends_with_puback() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(1, "a", "x");
        assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=x"]);
        assert_eq!(pair.ended(), [""; 0]);
        pair.receive(puback(1));
        assert_eq!(pair.ended(), ["1: ok"]);
        // Once more: it has ended, and nothing happens.
        pair.receive(puback(1));
        assert_eq!(pair.ended(), [""; 0]);
        assert_eq!(pair.sent(), [""; 0]);
    }
}

#[test]
fn qos_2_ends_with_pubcomp() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(2, "a", "x");
        assert_eq!(pair.sent(), ["PUBLISH q2 #1 a=x"]);
        pair.receive(pubrec(1));
        assert_eq!(pair.sent_bytes(), b"\x62\x02\x00\x01");
        assert_eq!(pair.ended(), [""; 0]);
        // The PUBREL may have been lost on its way through the broker: it is said again.
        pair.receive(pubrec(1));
        assert_eq!(pair.sent(), ["PUBREL #1"]);
        pair.receive(pubcomp(1));
        assert_eq!(pair.ended(), ["1: ok"]);
        assert_eq!(pair.engine.counters().outgoing_messages, 0);
    }
}

#[test]
fn the_brokers_reason_is_handed_on() {
    let mut pair = Pair::online(Version::V5);
    for qos in [1, 1, 2, 2] {
        pair.publish(qos, "a", "x");
    }
    pair.sent();
    pair.receive(Packet::Puback(because(1, ReasonCode::NoMatchingSubscribers)));
    pair.receive(Packet::Puback(because(2, ReasonCode::QuotaExceeded)));
    pair.receive(Packet::Pubrec(because(3, ReasonCode::NotAuthorized)));
    pair.receive(Packet::Pubrec(because(4, ReasonCode::NoMatchingSubscribers)));
    assert_eq!(pair.sent(), ["PUBREL #4"]);
    pair.receive(pubcomp(4));
    let expected = ["1: ok 0x10", "2: PUBLISH_REFUSED 0x97", "3: PUBLISH_REFUSED 0x87", "4: ok"];
    assert_eq!(pair.ended(), expected);
    // What is more than "ok" can still be asked for.
    assert_eq!(pair.outcome(2).as_deref(), Some("PUBLISH_REFUSED 0x97"));
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrel_follows_in_the_order_of_pubrec() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        for _ in 0..3 {
            pair.publish(2, "a", "x");
        }
        pair.sent();
        [2, 3, 1].into_iter().for_each(|number| drop(pair.receive(pubrec(number))));
        assert_eq!(pair.sent(), ["PUBREL #2", "PUBREL #3", "PUBREL #1"]);
    }
}

#[test]
fn nothing_is_sent_again_while_the_connection_stands() {
    let mut pair = Pair::with(Version::V311, |settings| settings.keep_alive = 0).connected();
    pair.publish(1, "a", "x");
    pair.publish(2, "a", "y");
    assert_eq!(pair.sent().len(), 2);
    pair.elapse(100_000);
    assert_eq!(pair.due(), None);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert_eq!(pair.sent(), [""; 0]);
}

#[test]
fn what_is_published_offline_leaves_in_order_after_connack() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        for (qos, payload) in [(0, "zero"), (1, "one"), (2, "two"), (0, "three")] {
            pair.publish(qos, "a", payload);
        }
        assert_eq!(pair.sent(), [""; 0]);
        pair.connect(false);
        assert_eq!(pair.sent().len(), 1, "nothing follows CONNECT before its answer");
        pair.publish(0, "a", "four");
        assert_eq!(pair.sent(), [""; 0]);
        pair.receive(crate::packets::connack(false));
        let expected = [
            "PUBLISH q0 a=zero",
            "PUBLISH q1 #1 a=one",
            "PUBLISH q2 #2 a=two",
            "PUBLISH q0 a=three",
            "PUBLISH q0 a=four",
        ];
        assert_eq!(pair.sent(), expected);
        assert_eq!(pair.ended(), ["1: ok", "4: ok", "5: ok"]);
    }
}

#[test]
fn retain_and_properties_are_sent_as_they_were_given() {
    let mut pair = Pair::online(Version::V5);
    let given = properties(&[Property::ContentType("text"), Property::UserProperty("k", "v")]);
    let publication = |number| Publication {
        retain: true,
        properties: given.as_properties(),
        ..message(number, "a", "x")
    };
    for qos in 0..2 {
        pair.try_publish(publication(qos)).unwrap();
    }
    let rest = "retain a=x [ContentType(\"text\"), UserProperty(\"k\", \"v\")]";
    assert_eq!(pair.sent(), [format!("PUBLISH q0 {rest}"), format!("PUBLISH q1 #1 {rest}")]);
}

/// [MQTT-3.3.4-6]
#[test]
fn a_subscription_identifier_is_for_the_broker_to_send() {
    let given = properties(&[Property::SubscriptionIdentifier(7)]);
    for online in [false, true] {
        let mut pair = if online { Pair::online(Version::V5) } else { Pair::new(Version::V5) };
        for qos in 0..3 {
            let properties = given.as_properties();
            let refused =
                pair.try_publish(Publication { properties, ..message(qos, "a", "x") }).unwrap_err();
            let Refused::Because(error) = refused else { panic!("{refused:?}") };
            assert_eq!(error.code(), Code::InvalidArgument);
        }
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.publish(0, "a", "x"), 1, "a refused message has no number");
    }
}

#[test]
fn a_large_payload_is_shared_and_keeps_its_place() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let large = Bytes::from(vec![b'x'; LARGE_PAYLOAD]);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            pair.publish(0, "a", "before");
            let payload = large.clone().into();
            pair.try_publish(Publication { qos, payload, ..message(0, "a", "") }).unwrap();
        }
        pair.publish(0, "a", "after");
        let expected = [
            "PUBLISH q0 a=before",
            "PUBLISH q0 a=<16384>",
            "PUBLISH q0 a=before",
            "PUBLISH q1 #1 a=<16384>",
            "PUBLISH q0 a=after",
        ];
        assert_eq!(pair.sent(), expected);
        pair.receive(puback(1));
        assert_eq!(pair.ended().len(), 5);
        assert!(large.is_unique(), "nothing holds on to it when it has ended");
    }
}

#[test]
fn what_cannot_be_encoded_is_refused_and_leaves_no_trace() {
    let of_5 = properties(&[Property::ContentType("text")]);
    for version in [Version::V31, Version::V311] {
        for online in [false, true] {
            let mut pair = if online { Pair::online(version) } else { Pair::new(version) };
            for qos in 0..3 {
                let properties = of_5.as_properties();
                let refused = pair
                    .try_publish(Publication { properties, ..message(qos, "a", "x") })
                    .unwrap_err();
                let Refused::Because(error) = refused else { panic!("{refused:?}") };
                assert_eq!(error.code(), Code::NotSupported);
            }
            assert_eq!(pair.sent(), [""; 0]);
            assert_eq!(pair.publish(0, "a", "x"), 1, "a refused message has no number");
        }
    }
}

#[test]
fn numbers_ascend_from_one_over_all_qualities_and_connections() {
    let mut pair = Pair::new(Version::V311);
    assert_eq!(pair.publish(1, "a", "x"), 1);
    pair.connect(false);
    pair.receive(crate::packets::connack(false));
    assert_eq!(pair.publish(0, "a", "x"), 2);
    pair.reconnect(false);
    assert_eq!(pair.publish(2, "a", "x"), 3);
    assert_eq!(pair.engine.counters().published, 3);
}
