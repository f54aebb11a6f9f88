//! The answers to SUBSCRIBE and UNSUBSCRIBE, and what is asked whatever the broker said.

use mqttsession::{
    error::Code,
    protocol::{Property, PropertyBlock, Version},
};

use crate::{
    packets::{connack_with, message1, message2, properties, pubrel, suback, unsuback},
    pair::{Pair, VERSIONS},
};

/// [MQTT-2.2.1-6], [MQTT-3.8.4-2], [MQTT-3.10.4-5]: the packet id tells which request is answered.
#[test]
fn an_answer_to_no_request_answers_nothing() {
    for version in VERSIONS {
        let codes: &[u8] = if version.is_v5() { &[0] } else { &[] };
        let mut pair = Pair::online(version);
        pair.granted("a:0");
        let subscribing = pair.subscribe(&["b:1"]);
        let (unsubscribing, _) = pair.unsubscribe(&["a"]);
        let asked = [pair.identified("SUBSCRIBE #2 b:1", 2), "UNSUBSCRIBE #3 a".to_owned()];
        assert_eq!(pair.sent(), asked);
        pair.receive(suback(9, &[0]));
        pair.receive(unsuback(8, codes));
        assert_eq!(pair.events(), [""; 0]);
        pair.receive(unsuback(3, codes));
        pair.receive(suback(2, &[1]));
        let events = pair.events();
        assert!(events[0].starts_with(&format!("unsubscribed {unsubscribing}: ok")), "{events:?}");
        assert_eq!(events[1..], [format!("subscribed {subscribing}: q1")]);
    }
}

/// [MQTT-3.8.3-2], [MQTT-3.10.3-2]
#[test]
fn a_request_without_a_filter_is_not_sent() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let error = pair.engine.subscribe(1, &[], PropertyBlock::new()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        pair.unsubscribe(&[]);
        assert_eq!(pair.sent(), [""; 0], "{version:?}");
    }
}

/// [MQTT-3.10.4-3]: the broker completes what it had begun to deliver, and so does the session.
#[test]
fn what_was_under_way_is_finished_after_unsubscribing() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:2");
        let first = pair.deliver(message2(7, "a", "x"));
        pair.unsubscribe(&["a"]);
        pair.sent();
        let codes: &[u8] = if version.is_v5() { &[0] } else { &[] };
        pair.receive(unsuback(2, codes));
        pair.handled(&first[0]);
        let second = pair.deliver(message1(8, "a", "y"));
        assert!(second[0].routes.is_empty());
        pair.handled(&second[0]);
        pair.receive(pubrel(7));
        assert_eq!(pair.sent(), ["PUBREC #7", "PUBACK #8", "PUBCOMP #7"]);
    }
}

/// [MQTT-3.2.2-10]
#[test]
fn the_maximum_qos_is_for_publishing() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(&[Property::MaximumQos(0)])));
    pair.subscribe(&["a:2"]);
    assert_eq!(pair.sent(), [pair.identified("SUBSCRIBE #1 a:2", 1)]);
}

/// [MQTT-3.2.2-15]
#[test]
fn an_unsubscribe_larger_than_the_broker_takes_is_refused() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(&[Property::MaximumPacketSize(50)])));
    pair.granted("a:0");
    let long = "x".repeat(50);
    let told: PropertyBlock = properties(&[Property::UserProperty("k", &long)]);
    pair.engine.unsubscribe(77, &["a"], told);
    assert_eq!(pair.sent(), [""; 0]);
    let events = pair.events();
    let expected = format!("unsubscribed 77: {}", Code::PayloadTooLarge.name());
    assert!(events.contains(&expected), "{events:?}");
}
