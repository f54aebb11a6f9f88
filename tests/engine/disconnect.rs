//! The end of a connection, from either side.

use mqttsession::{
    error::Code,
    protocol::{Properties, Property, ReasonCode, Version},
};

use crate::{
    packets::{connack_with, disconnect, properties, puback},
    pair::{Pair, VERSIONS},
};

#[test]
fn what_waits_leaves_before_disconnect_and_nothing_after_it() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.publish(0, "a", "x");
        pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        assert!(!pair.engine.is_online());
        pair.publish(0, "a", "y");
        pair.publish(1, "a", "z");
        pair.subscribe(&["f:0"]);
        pair.elapse(1000);
        assert_eq!(pair.due(), None);
        let bytes = pair.taken();
        assert!(bytes.ends_with(b"\xe0\x00"), "{bytes:02x?}");
        pair.engine.handle_written(pair.now);
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.ended(), ["1: ok"]);
    }
}

#[test]
fn reason_and_properties_are_told_under_5_0() {
    let mut pair = Pair::online(Version::V5);
    let told = properties(&[Property::SessionExpiryInterval(0)]);
    pair.engine.disconnect(ReasonCode::DisconnectWithWillMessage, told.as_properties());
    assert_eq!(pair.sent(), ["DISCONNECT 0x04 [SessionExpiryInterval(0)]"]);
}

/// [MQTT-3.14.2-3], [MQTT-3.14.2-4]: what would make it too large is left away, the reason is not.
#[test]
fn a_farewell_larger_than_the_broker_takes_is_a_short_one() {
    let long = "x".repeat(100);
    let lengthy = [(Property::ReasonString(&long), 107), (Property::UserProperty("k", &long), 110)];
    for (told, size) in lengthy {
        let told = properties(&[told, Property::SessionExpiryInterval(0)]);
        let (size, brief) = (size + 5, "DISCONNECT 0x04 [SessionExpiryInterval(0)]");
        for (maximum, is_brief) in [(size, false), (size - 1, true)] {
            let mut pair = Pair::new(Version::V5);
            pair.connect(false);
            pair.sent();
            let announced = properties(&[Property::MaximumPacketSize(maximum)]);
            pair.receive(connack_with(&announced));
            let reason = ReasonCode::DisconnectWithWillMessage;
            pair.engine.disconnect(reason, told.as_properties());
            let bytes = pair.taken();
            assert!(bytes.len() <= maximum as usize, "{bytes:02x?}");
            let said = crate::trace::lines(&bytes, Version::V5);
            assert_eq!(said == [brief], is_brief, "{said:?}");
            assert!(said[0].starts_with("DISCONNECT 0x04"), "{said:?}");
        }
    }
}

#[test]
fn before_5_0_only_a_close_without_disconnect_publishes_the_will() {
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        pair.engine.disconnect(ReasonCode::DisconnectWithWillMessage, Properties::EMPTY);
        assert_eq!(pair.sent(), [""; 0]);
        assert!(!pair.engine.is_online());
    }
}

#[test]
fn before_connack_there_is_nothing_to_disconnect() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        assert_eq!(pair.sent(), [""; 0], "offline");
        pair.connect(false);
        assert_eq!(pair.sent().len(), 1);
        pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        assert_eq!(pair.sent(), [""; 0]);
        assert!(!pair.engine.is_connecting());
    }
}

#[test]
fn the_brokers_disconnect_is_an_error_that_says_why() {
    let cases = [
        (ReasonCode::Success, Code::ServerDisconnected),
        (ReasonCode::ServerShuttingDown, Code::ServerDisconnected),
        (ReasonCode::SessionTakenOver, Code::SessionTakenOver),
        (ReasonCode::NotAuthorized, Code::NotAuthorized),
        (ReasonCode::ServerMoved, Code::ServerMoved),
        (ReasonCode::UseAnotherServer, Code::ServerMoved),
    ];
    for (reason, code) in cases {
        let mut pair = Pair::online(Version::V5);
        let error = pair.fault(disconnect(reason));
        assert_eq!((error.code(), error.reason_code()), (code, Some(reason.as_u8())));
        assert_eq!(pair.sent(), [""; 0], "a DISCONNECT is not answered");
        assert_eq!(pair.due(), None);
    }
}

#[test]
fn the_brokers_words_are_handed_on() {
    let mut pair = Pair::online(Version::V5);
    let said = properties(&[Property::ReasonString("for cleaning")]);
    let error =
        pair.fault(mqttsession::protocol::Packet::Disconnect(mqttsession::protocol::Disconnect {
            reason: ReasonCode::AdministrativeAction,
            properties: said.as_properties(),
        }));
    assert_eq!(error.reason_string(), Some("for cleaning"));
}

#[test]
fn a_close_can_come_twice() {
    let mut pair = Pair::online(Version::V311);
    pair.publish(1, "a", "x");
    pair.sent();
    pair.lose();
    pair.lose();
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #2 a=x"]);
    pair.receive(puback(2));
    assert_eq!(pair.ended(), ["1: ok"]);
}

#[test]
fn giving_up_ends_every_message_as_cancelled() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.in_flight_limit = 1).connected();
        for qos in [1, 2, 1, 0] {
            pair.publish(qos, "a", "x");
        }
        pair.sent();
        assert_eq!(pair.engine.cancel_all(), 4);
        let expected: Vec<_> = (1..=4).map(|number| format!("{number}: CANCELLED")).collect();
        assert_eq!(pair.ended(), expected);
        let counters = pair.engine.counters();
        assert_eq!((counters.outgoing_messages, counters.outgoing_bytes), (0, 0));
        assert_eq!(pair.reconnect(false), [""; 0]);
    }
}
