//! Messages that come in, and when the same one comes twice.

use mqttsession::{
    error::Code,
    protocol::{Property, Publish, Version},
};

use crate::{
    packets::{again, message0, message1, message2, properties, pubrel},
    pair::{Pair, Received, VERSIONS, persist},
};

#[test]
fn a_message_is_found_where_it_stands() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let route = pair.granted("a/+:0");
        let received = pair.deliver(Publish { retain: true, ..message0("a/b", "hello") });
        let [
            Received {
                topic, payload, routes, receipt: None, duplicate: false, retain: true, ..
            },
        ] = &received[..]
        else {
            panic!("{received:?}");
        };
        assert_eq!((&topic[..], &payload[..], &routes[..]), ("a/b", "hello", &[route][..]));
        assert_eq!(pair.sent(), [""; 0]);
    }
}

#[test]
fn a_message_in_pieces_waits_for_its_end() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("#:0");
    let told = properties(&[Property::ContentType("text")]);
    let message = Publish { properties: told.as_properties(), ..message0("a", "hello") };
    let bytes = pair.encoded(mqttsession::protocol::Packet::Publish(message));
    let (last, rest) = bytes.split_last().unwrap();
    for &byte in rest {
        assert!(pair.input(&[byte]).unwrap().is_empty());
    }
    assert_eq!(pair.input(&[*last]).unwrap()[0].payload, "hello");
}

#[test]
fn many_messages_in_one_piece_come_in_order() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("#:0");
        let mut bytes = Vec::new();
        for number in 0..10 {
            let (topic, payload) = (format!("t/{}", number / 4), number.to_string());
            let message = mqttsession::protocol::Packet::Publish(message0(&topic, &payload));
            message.encode(version, &mut bytes).unwrap();
        }
        let received = pair.input(&bytes).unwrap();
        let seen: Vec<_> = received
            .iter()
            .map(|message| format!("{}={}", message.topic, message.payload))
            .collect();
        let expected: Vec<_> = (0..10).map(|n| format!("t/{}={n}", n / 4)).collect();
        assert_eq!(seen, expected);
        assert_eq!(pair.engine.counters().received, 10);
    }
}

#[test]
fn qos_2_is_acknowledged_in_three_steps_and_delivered_once() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:2");
        let received = pair.deliver(message2(5, "a", "x"));
        assert_eq!(pair.sent(), [""; 0], "nothing is acknowledged before it is handled");
        assert!(pair.deliver(again(message2(5, "a", "x"))).is_empty());
        assert_eq!(pair.sent(), [""; 0]);
        assert!(pair.handled(&received[0]));
        assert_eq!(pair.sent_bytes(), b"\x50\x02\x00\x05");
        // The PUBREC got lost.
        assert!(pair.deliver(again(message2(5, "a", "x"))).is_empty());
        assert_eq!(pair.sent(), ["PUBREC #5"]);
        pair.receive(pubrel(5));
        assert_eq!(pair.sent_bytes(), b"\x70\x02\x00\x05");
        assert_eq!(pair.deliver(message2(5, "a", "another")).len(), 1, "the id is free again");
    }
}

/// [MQTT-4.3.3-13]
#[test]
fn an_expiry_does_not_end_what_has_arrived() {
    let mut pair = Pair::persistent(Version::V5);
    pair.granted("a:2");
    let brief = properties(&[Property::MessageExpiryInterval(1)]);
    let properties = brief.as_properties();
    let received = pair.deliver(Publish { properties, ..message2(5, "a", "x") });
    pair.elapse(30);
    assert!(pair.handled(&received[0]));
    assert_eq!(pair.sent(), ["PUBREC #5"]);
    pair.elapse(1000);
    pair.reconnect(true);
    pair.receive(pubrel(5));
    assert_eq!(pair.sent(), ["PUBCOMP #5"]);
}

#[test]
fn a_repeated_qos_1_message_of_the_same_connection_is_delivered_again() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        let first = pair.deliver(message1(5, "a", "x"));
        pair.handled(&first[0]);
        assert_eq!(pair.sent(), ["PUBACK #5"]);
        // It has been acknowledged: whether this is the same one, nobody can tell [MQTT-4.3.2-5].
        let second = pair.deliver(again(message1(5, "a", "x")));
        assert!(second[0].duplicate);
    }
}

#[test]
fn a_message_that_is_being_handled_is_delivered_once_and_acknowledged_where_it_came_last() {
    for version in VERSIONS {
        for handled_offline in [false, true] {
            let mut pair = Pair::persistent(version);
            pair.granted("a:2");
            let one = pair.deliver(message1(5, "a", "x"));
            let two = pair.deliver(message2(6, "a", "y"));
            pair.lose();
            if handled_offline {
                assert!(pair.handled(&one[0]) && pair.handled(&two[0]));
            }
            let renewal = pair.reconnect(true);
            assert_eq!(renewal.len(), usize::from(version == Version::V31), "{renewal:?}");
            assert!(pair.deliver(again(message1(5, "a", "x"))).is_empty());
            assert!(pair.deliver(again(message2(6, "a", "y"))).is_empty());
            if !handled_offline {
                assert_eq!(pair.sent(), [""; 0], "not before it is handled");
                assert!(pair.handled(&one[0]) && pair.handled(&two[0]));
            }
            assert_eq!(pair.sent(), ["PUBACK #5", "PUBREC #6"], "{version:?}");
            assert_eq!(pair.engine.counters().received, 2);
            assert_eq!(pair.engine.counters().unacknowledged, 0);
        }
    }
}

#[test]
fn an_acknowledgement_waits_for_the_broker_to_send_the_message_again() {
    let mut pair = Pair::persistent(Version::V311);
    pair.granted("a:1");
    let received = pair.deliver(message1(5, "a", "x"));
    pair.reconnect(true);
    assert!(pair.handled(&received[0]));
    assert_eq!(pair.sent(), [""; 0], "it belongs to the connection that delivers the message");
    assert!(!pair.handled(&received[0]), "once is enough");
    pair.deliver(again(message1(5, "a", "x")));
    assert_eq!(pair.sent(), ["PUBACK #5"]);
}

#[test]
fn without_dup_the_id_is_another_message() {
    for version in VERSIONS {
        let mut pair = Pair::persistent(version);
        pair.granted("a:1");
        let old = pair.deliver(message1(5, "a", "old"));
        pair.reconnect(true);
        let new = pair.deliver(message1(5, "a", "new"));
        assert_eq!(new[0].payload, "new");
        assert!(!pair.handled(&old[0]), "the old one has nothing left to acknowledge");
        assert_eq!(pair.sent(), [""; 0]);
        assert!(pair.handled(&new[0]));
        assert_eq!(pair.sent(), ["PUBACK #5"]);
    }
}

#[test]
fn a_broker_that_uses_an_id_twice_leaves_no_more_behind_than_ids() {
    let mut pair = Pair::persistent(Version::V311);
    pair.granted("a:1");
    for _ in 0..10 {
        pair.deliver(message1(5, "a", "x"));
        pair.deliver(message1(5, "a", "y"));
        pair.reconnect(true);
        assert_eq!(pair.engine.counters().unacknowledged, 1);
    }
}

#[test]
fn a_lost_session_forgets_what_was_received() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        pair.granted("a:2");
        let waiting = pair.deliver(message2(5, "a", "x"));
        let received = pair.deliver(message1(6, "a", "y"));
        pair.reconnect(false);
        assert!(!pair.handled(&waiting[0]) && !pair.handled(&received[0]));
        assert_eq!(pair.deliver(again(message2(5, "a", "z"))).len(), 1, "a new message");
        assert_eq!(pair.deliver(again(message1(6, "a", "z"))).len(), 1, "a new message");
        assert_eq!(pair.sent(), [""; 0]);
    }
}

#[test]
fn a_qos_2_message_is_remembered_over_connections_until_pubrel() {
    for version in VERSIONS {
        let mut pair = Pair::persistent(version);
        pair.granted("a:2");
        let received = pair.deliver(message2(5, "a", "x"));
        pair.handled(&received[0]);
        pair.sent();
        pair.reconnect(true);
        assert!(pair.deliver(again(message2(5, "a", "x"))).is_empty());
        assert_eq!(pair.sent(), ["PUBREC #5"]);
        pair.reconnect(true);
        pair.receive(pubrel(5));
        assert_eq!(pair.sent(), ["PUBCOMP #5"]);
        // The PUBCOMP got lost as well.
        pair.receive(pubrel(5));
        let answer = if version.is_v5() { "PUBCOMP #5 0x92" } else { "PUBCOMP #5" };
        assert_eq!(pair.sent(), [answer]);
    }
}

#[test]
fn the_two_qualities_do_not_share_what_is_known_of_an_id() {
    let mut pair = Pair::persistent(Version::V311);
    pair.granted("a:2");
    let two = pair.deliver(message2(5, "a", "x"));
    pair.handled(&two[0]);
    let one = pair.deliver(message1(5, "a", "y"));
    pair.handled(&one[0]);
    assert_eq!(pair.sent(), ["PUBREC #5", "PUBACK #5"]);
    assert!(pair.deliver(again(message2(5, "a", "x"))).is_empty(), "exactly once is exactly once");
}

#[test]
fn the_broker_must_keep_to_the_receive_maximum() {
    let announce = |settings: &mut mqttsession::engine::Settings| {
        persist(settings);
        settings.receive_maximum = 2;
    };
    let mut pair = Pair::with(Version::V5, announce).connected();
    pair.granted("a:2");
    let one = pair.deliver(message1(1, "a", ""));
    let two = pair.deliver(message2(2, "a", ""));
    pair.deliver(message0("a", "QoS 0 does not count"));
    pair.handled(&one[0]);
    pair.deliver(message1(3, "a", ""));
    pair.handled(&two[0]);
    pair.sent();
    // PUBREC does not free the place, PUBCOMP does (section 4.9).
    let error = pair.fault(mqttsession::protocol::Packet::Publish(message1(4, "a", "")));
    assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
    assert_eq!(pair.sent(), ["DISCONNECT 0x93"]);
    // The count begins anew with the connection: PUBREL is no PUBLISH.
    pair.reconnect(true);
    pair.deliver(message1(4, "a", ""));
    pair.deliver(message1(5, "a", ""));
    pair.receive(pubrel(2));
    let error = pair.fault(mqttsession::protocol::Packet::Publish(message1(6, "a", "")));
    assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
}

#[test]
fn a_qos_2_message_that_is_sent_again_counts_until_pubcomp() {
    let announce = |settings: &mut mqttsession::engine::Settings| {
        persist(settings);
        settings.receive_maximum = 1;
    };
    let mut pair = Pair::with(Version::V5, announce).connected();
    pair.granted("a:2");
    let received = pair.deliver(message2(2, "a", ""));
    pair.handled(&received[0]);
    pair.sent();
    pair.reconnect(true);
    pair.deliver(again(message2(2, "a", "")));
    pair.receive(pubrel(2));
    pair.deliver(message2(3, "a", ""));
    assert_eq!(pair.sent(), ["PUBREC #2", "PUBCOMP #2"]);
    let error = pair.fault(mqttsession::protocol::Packet::Publish(message1(4, "a", "")));
    assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
}

#[test]
fn older_versions_know_no_receive_maximum() {
    let mut pair = Pair::with(Version::V311, |settings| settings.receive_maximum = 1).connected();
    pair.granted("a:1");
    for number in 1..=3 {
        pair.deliver(message1(number, "a", ""));
    }
    assert_eq!(pair.engine.counters().unacknowledged, 3);
}
