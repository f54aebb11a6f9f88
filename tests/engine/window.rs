//! How many messages are in flight, and under which packet ids.

use mqttsession::protocol::{Properties, Property, ReasonCode, Version};

use crate::{
    packets::{
        connack, connack_with, message2, properties, puback, pubcomp, pubrec, pubrel, suback,
    },
    pair::{Pair, VERSIONS},
};

fn publish_all(pair: &mut Pair, qos: u8, payloads: &[&str]) {
    for payload in payloads {
        pair.publish(qos, "a", payload);
    }
}

#[test]
fn no_more_are_in_flight_than_the_session_allows() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.in_flight_limit = 2).connected();
        publish_all(&mut pair, 1, &["1", "2", "3", "4"]);
        assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=1", "PUBLISH q1 #2 a=2"]);
        pair.receive(puback(2));
        assert!(pair.engine.output_length() > 0, "it is seen that there is something to write");
        assert_eq!(pair.sent(), ["PUBLISH q1 #3 a=3"]);
        assert_eq!(pair.engine.counters().in_flight, 2);
    }
}

#[test]
fn a_write_is_due_when_half_the_window_stands_in_the_output_or_no_more_can() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.in_flight_limit = 5).connected();
        let due = |pair: &mut Pair, qos, payload| {
            pair.publish(qos, "a", payload);
            pair.engine.is_write_due()
        };
        assert!(!pair.engine.is_write_due());
        assert_eq!(["1", "2", "3"].map(|payload| due(&mut pair, 1, payload)), [false, false, true]);
        pair.sent();
        assert!(!pair.engine.is_write_due(), "it is being written");
        // Of QoS 0 nothing is waited for.
        assert!(!due(&mut pair, 0, "4"));
        assert_eq!(["5", "6"].map(|payload| due(&mut pair, 1, payload)), [false, true]);
        pair.receive(puback(1));
        assert!(!pair.engine.is_write_due(), "there is room for more");
        pair.lose();
        assert!(!pair.engine.is_write_due(), "there is nothing to be written");
        pair.reconnect(false);
        assert!(!pair.engine.is_write_due());
    }
    // Before 5.0 a broker remembers few of QoS 2.
    let mut pair =
        Pair::with(Version::V311, |settings| settings.exactly_once_limit = 4).connected();
    publish_all(&mut pair, 2, &["1"]);
    assert!(!pair.engine.is_write_due());
    publish_all(&mut pair, 2, &["2"]);
    assert!(pair.engine.is_write_due());
}

#[test]
fn no_more_are_in_flight_than_the_server_receives() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(&[Property::ReceiveMaximum(1)])));
    publish_all(&mut pair, 2, &["1", "2"]);
    pair.publish(0, "a", "waits for its turn");
    assert_eq!(pair.sent(), ["PUBLISH q2 #1 a=1"]);
    // PUBREC is not the end: the place is free with PUBCOMP (section 4.9).
    pair.receive(pubrec(1));
    assert_eq!(pair.sent(), ["PUBREL #1"]);
    pair.receive(pubcomp(1));
    assert_eq!(pair.sent(), ["PUBLISH q2 #2 a=2", "PUBLISH q0 a=waits for its turn"]);
    // The limit was that connection's.
    pair.lose();
    pair.connect(true);
    pair.receive(connack(false));
    publish_all(&mut pair, 1, &["3", "4"]);
    assert_eq!(pair.sent()[1..], ["PUBLISH q2 #3 a=2", "PUBLISH q1 #4 a=3", "PUBLISH q1 #5 a=4"]);
}

/// [MQTT-3.3.4-8], [MQTT-4.9.0-3]
#[test]
fn a_full_window_holds_back_nothing_but_publishes() {
    let mut pair = Pair::with(Version::V5, |settings| settings.keep_alive = 5);
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(&[Property::ReceiveMaximum(1)])));
    publish_all(&mut pair, 2, &["1", "2"]);
    assert_eq!(pair.sent(), ["PUBLISH q2 #1 a=1"]);
    pair.subscribe(&["f:2"]);
    assert_eq!(pair.sent(), [pair.identified("SUBSCRIBE #2 f:2", 1)]);
    pair.receive(suback(2, &[2]));
    pair.unsubscribe(&["f"]);
    let received = pair.deliver(message2(7, "f", ""));
    pair.handled(&received[0]);
    pair.receive(pubrel(7));
    let expected = ["UNSUBSCRIBE #3 f", "PUBREC #7", "PUBCOMP #7"];
    assert_eq!(pair.sent(), expected);
    pair.timeout().unwrap();
    assert_eq!(pair.sent(), ["PINGREQ"]);
    pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
    assert_eq!(pair.sent(), ["DISCONNECT"]);
}

#[test]
fn a_resumed_session_sends_again_within_the_servers_limit() {
    let mut pair = Pair::persistent(Version::V5);
    publish_all(&mut pair, 1, &["1", "2", "3"]);
    pair.sent();
    pair.lose();
    pair.connect(true);
    pair.sent();
    let announced = properties(&[Property::ReceiveMaximum(2)]);
    let mut bytes = pair.encoded(connack_with(&announced));
    bytes[2] = 1; // session present
    pair.input(&bytes).unwrap();
    assert_eq!(pair.sent(), ["PUBLISH dup q1 #1 a=1", "PUBLISH dup q1 #2 a=2"]);
    pair.receive(puback(1));
    assert_eq!(pair.sent(), ["PUBLISH dup q1 #3 a=3"]);
}

#[test]
fn ids_ascend_from_one_and_are_shared_with_subscribe() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(1, "a", "x");
        pair.subscribe(&["f:1"]);
        pair.publish(2, "a", "y");
        pair.unsubscribe(&["f"]);
        let subscribe = &pair.identified("SUBSCRIBE #2 f:1", 1);
        let expected = ["PUBLISH q1 #1 a=x", subscribe, "PUBLISH q2 #3 a=y", "UNSUBSCRIBE #4 f"];
        assert_eq!(pair.sent(), expected);
        pair.receive(puback(1));
        pair.publish(1, "a", "z");
        assert_eq!(pair.sent(), ["PUBLISH q1 #5 a=z"], "an id that is free again waits its turn");
    }
}

#[test]
fn an_id_in_flight_is_passed_over_when_the_count_goes_round() {
    let mut pair = Pair::online(Version::V311);
    pair.publish(1, "stuck", "");
    let mut expected = 1;
    for round in 0..2 {
        while expected < u16::MAX {
            expected += 1;
            pair.publish(1, "a", "");
            pair.sent_bytes();
            pair.receive(puback(expected));
        }
        assert_eq!(pair.engine.counters().in_flight, 1, "round {round}");
        pair.publish(1, "a", "");
        assert_eq!(pair.sent(), ["PUBLISH q1 #2 a="]);
        pair.receive(puback(2));
        expected = 2;
    }
}

#[test]
fn a_subscribe_waits_for_an_id_and_gets_the_first_that_is_free() {
    let everything = |settings: &mut mqttsession::engine::Settings| {
        settings.in_flight_limit = u16::MAX;
    };
    let mut pair = Pair::with(Version::V311, everything).connected();
    for _ in 0..=u16::MAX {
        pair.publish(1, "a", "");
    }
    pair.sent_bytes();
    assert_eq!(pair.engine.counters().in_flight, 65_535);
    let ticket = pair.subscribe(&["f:0"]);
    assert_eq!(pair.sent(), [""; 0]);
    pair.receive(puback(777));
    assert_eq!(pair.sent(), ["SUBSCRIBE #777 f:0"], "and the message that waits comes after it");
    pair.receive(suback(777, &[0]));
    assert_eq!(pair.events(), ["connected".into(), format!("subscribed {ticket}: q0")]);
    assert_eq!(pair.sent(), ["PUBLISH q1 #777 a="]);
}

#[test]
fn before_5_0_no_more_of_qos_2_than_a_broker_remembers_unasked() {
    for (version, expected) in [(Version::V311, 20), (Version::V5, 30)] {
        let mut pair = Pair::online(version);
        for _ in 0..30 {
            pair.publish(2, "a", "");
        }
        assert_eq!(pair.sent().len(), expected, "{}", version.name());
    }
    let mut pair = Pair::online(Version::V311);
    for _ in 0..21 {
        pair.publish(2, "a", "");
    }
    pair.publish(1, "b", "behind it, in order");
    pair.sent();
    pair.receive(pubrec(1));
    assert_eq!(pair.sent(), ["PUBREL #1"], "the broker still remembers it");
    pair.receive(pubcomp(1));
    let sent = pair.sent();
    assert_eq!(sent[0], "PUBLISH q2 #21 a=");
    assert!(sent[1].starts_with("PUBLISH q1 #22 b="), "{sent:?}");
}
