//! A connection is lost and another made: what is sent again, and what ends (contract 12).

use mqttsession::{
    engine::Settings,
    protocol::{Packet, Property, ReasonCode, Version},
};

use crate::{
    packets::{because, connack_with, properties, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, persist},
};

/// In flight: 1 and 3 of QoS 1, 2 of QoS 2 unconfirmed, 4 of QoS 2 after PUBREC.
fn interrupted(version: Version, change: impl FnOnce(&mut Settings)) -> Pair {
    let mut pair = Pair::with(version, |settings| {
        persist(settings);
        change(settings);
    })
    .connected();
    for (qos, payload) in [(1, "1"), (2, "2"), (1, "3"), (2, "4")] {
        pair.publish(qos, "a", payload);
    }
    assert_eq!(pair.sent().len(), 4);
    pair.receive(pubrec(4));
    assert_eq!(pair.sent(), ["PUBREL #4"]);
    pair
}

#[test]
fn a_resumed_session_sends_again_in_the_original_order() {
    for version in VERSIONS {
        let mut pair = interrupted(version, |_| {});
        pair.publish(1, "a", "5");
        pair.sent();
        // Acknowledgements out of order leave gaps, not another order.
        pair.receive(puback(1));
        let release = if version == Version::V31 { "PUBREL dup #4" } else { "PUBREL #4" };
        let expected =
            [release, "PUBLISH dup q2 #2 a=2", "PUBLISH dup q1 #3 a=3", "PUBLISH dup q1 #5 a=5"];
        assert_eq!(pair.reconnect(true), expected, "{version:?}");
        assert_eq!(pair.reconnect(true), expected, "{version:?}, once more");
        assert_eq!(pair.ended(), ["1: ok"]);
        for packet in [pubrec(2), puback(3), pubcomp(4), puback(5), pubcomp(2)] {
            pair.receive(packet);
        }
        assert_eq!(pair.ended(), ["3: ok", "4: ok", "5: ok", "2: ok"]);
        assert_eq!(pair.reconnect(true), [""; 0]);
    }
}

/// [MQTT-4.6.0-1], [MQTT-4.6.0-4]
#[test]
fn what_was_released_is_released_again_in_the_order_of_pubrec() {
    for version in VERSIONS {
        let mut pair = Pair::persistent(version);
        for payload in ["1", "2", "3", "4"] {
            pair.publish(2, "a", payload);
        }
        pair.sent();
        [3, 4, 1].into_iter().for_each(|number| drop(pair.receive(pubrec(number))));
        assert_eq!(pair.sent(), ["PUBREL #3", "PUBREL #4", "PUBREL #1"]);
        let dup = if version == Version::V31 { "dup " } else { "" };
        let mut expected = vec!["PUBLISH dup q2 #2 a=2".to_owned()];
        expected.splice(..0, [3, 4, 1].map(|number| format!("PUBREL {dup}#{number}")));
        assert_eq!(pair.reconnect(true), expected, "{version:?}");
    }
}

/// [MQTT-3.3.4-8]
#[test]
fn what_was_released_waits_for_no_window() {
    let mut pair = Pair::persistent(Version::V5);
    for payload in ["1", "2", "3"] {
        pair.publish(2, "a", payload);
    }
    pair.sent();
    pair.receive(pubrec(3));
    pair.lose();
    pair.connect(true);
    pair.sent();
    let announced = properties(&[Property::ReceiveMaximum(1)]);
    let mut bytes = pair.encoded(connack_with(&announced));
    bytes[2] = 1; // session present
    pair.input(&bytes).unwrap();
    assert_eq!(pair.sent(), ["PUBREL #3", "PUBLISH dup q2 #1 a=1"]);
}

/// [MQTT-4.4.0-2]
#[test]
fn a_message_that_the_broker_refused_is_not_sent_again() {
    let mut pair = Pair::persistent(Version::V5);
    for qos in [1, 2, 1] {
        pair.publish(qos, "a", "x");
    }
    pair.sent();
    pair.receive(Packet::Puback(because(1, ReasonCode::QuotaExceeded)));
    pair.receive(Packet::Pubrec(because(2, ReasonCode::NotAuthorized)));
    assert_eq!(pair.sent(), [""; 0], "there is nothing to release");
    assert_eq!(pair.ended(), ["1: PUBLISH_REFUSED 0x97", "2: PUBLISH_REFUSED 0x87"]);
    assert_eq!(pair.reconnect(true), ["PUBLISH dup q1 #3 a=x"]);
}

#[test]
fn new_messages_follow_those_that_are_sent_again() {
    for version in VERSIONS {
        let mut pair = Pair::persistent(version);
        pair.publish(1, "a", "old");
        pair.sent();
        pair.lose();
        pair.publish(1, "a", "new");
        assert_eq!(pair.reconnect(true), ["PUBLISH dup q1 #1 a=old", "PUBLISH q1 #2 a=new"]);
    }
}

#[test]
fn a_message_that_never_left_is_not_a_repetition() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| {
            persist(settings);
            settings.in_flight_limit = 1;
        })
        .connected();
        pair.publish(1, "a", "1");
        pair.publish(1, "a", "2");
        pair.sent();
        assert_eq!(pair.reconnect(true), ["PUBLISH dup q1 #1 a=1"]);
        pair.receive(puback(1));
        assert_eq!(pair.sent(), ["PUBLISH q1 #2 a=2"]);
    }
}

#[test]
fn without_the_brokers_session_unconfirmed_messages_are_new_ones() {
    for version in [Version::V311, Version::V5] {
        let mut pair = interrupted(version, |_| {});
        let expected = ["PUBLISH q1 #5 a=1", "PUBLISH q2 #6 a=2", "PUBLISH q1 #7 a=3"];
        assert_eq!(pair.reconnect(false), expected);
        // The broker had taken the message and answers for it no longer.
        assert_eq!(pair.ended(), ["4: SESSION_LOST"]);
        for packet in [puback(5), pubrec(6), pubcomp(6), puback(7)] {
            pair.receive(packet);
        }
        assert_eq!(pair.ended(), ["1: ok", "2: ok", "3: ok"]);
    }
}

#[test]
fn a_clean_session_is_always_gone() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(1, "a", "x");
        pair.publish(2, "a", "y");
        pair.sent();
        assert_eq!(pair.reconnect(false), ["PUBLISH q1 #3 a=x", "PUBLISH q2 #4 a=y"]);
    }
}

#[test]
fn an_option_ends_unconfirmed_messages_with_the_session() {
    for version in [Version::V311, Version::V5] {
        let mut pair = interrupted(version, |settings| settings.end_on_session_loss = true);
        pair.lose();
        pair.publish(1, "a", "was never sent");
        assert_eq!(pair.reconnect(false), ["PUBLISH q1 #5 a=was never sent"]);
        let lost: Vec<_> = (1..=4).map(|number| format!("{number}: SESSION_LOST")).collect();
        assert_eq!(pair.ended(), lost, "in the order in which they were published");
        assert_eq!(pair.outcome(2).as_deref(), Some("SESSION_LOST"));
    }
}

#[test]
fn what_returns_to_the_queue_stays_before_what_waits_there() {
    let mut pair = Pair::with(Version::V311, |settings| settings.in_flight_limit = 2).connected();
    for payload in ["1", "2", "3", "4"] {
        pair.publish(1, "a", payload);
    }
    pair.sent();
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #3 a=1", "PUBLISH q1 #4 a=2"]);
    pair.receive(puback(3));
    pair.receive(puback(4));
    assert_eq!(pair.sent(), ["PUBLISH q1 #5 a=3", "PUBLISH q1 #6 a=4"]);
}

#[test]
fn a_broker_that_had_completed_it_already_ends_it_well() {
    let mut pair = interrupted(Version::V5, |_| {});
    for packet in [puback(1), pubrec(2), puback(3), pubcomp(2)] {
        pair.receive(packet);
    }
    pair.sent();
    pair.ended();
    // Its PUBCOMP got lost with the connection, and now it knows the id no more (section 3.7.2.1).
    assert_eq!(pair.reconnect(true), ["PUBREL #4"]);
    pair.receive(Packet::Pubcomp(because(4, ReasonCode::PacketIdentifierNotFound)));
    assert_eq!(pair.ended(), ["4: ok"]);
}

#[test]
fn a_pubrec_for_nothing_is_answered_so_that_the_broker_can_forget_it() {
    for version in VERSIONS {
        let mut pair = Pair::persistent(version);
        pair.receive(pubrec(9));
        let answer = if version.is_v5() { "PUBREL #9 0x92" } else { "PUBREL #9" };
        assert_eq!(pair.sent(), [answer]);
    }
}

#[test]
fn a_large_message_is_sent_again_whole() {
    let mut pair = Pair::persistent(Version::V311);
    let payload = "x".repeat(mqttsession::engine::LARGE_PAYLOAD);
    pair.publish(1, "a", &payload);
    pair.sent();
    assert_eq!(pair.reconnect(true), ["PUBLISH dup q1 #1 a=<16384>"]);
}
