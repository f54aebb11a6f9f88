//! Acknowledging what was received: when it has been handled, in the order in which it came.

use mqttsession::protocol::{Property, PropertyBlock, ReasonCode, Version};

use crate::{
    packets::{again, connack, connack_with, message0, message1, message2, properties, pubrel},
    pair::{Pair, VERSIONS, persist},
};

#[test]
fn what_is_handled_out_of_order_is_acknowledged_in_order() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        let received: Vec<_> =
            (1..=4).map(|id| pair.deliver(message1(id, "a", "")).remove(0)).collect();
        assert!(pair.handled(&received[2]) && pair.handled(&received[1]));
        assert_eq!(pair.sent(), [""; 0], "the first holds them back");
        assert!(pair.handled(&received[0]));
        assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2", "PUBACK #3"]);
        assert!(pair.handled(&received[3]));
        assert_eq!(pair.sent_bytes(), b"\x40\x02\x00\x04");
    }
}

#[test]
fn the_order_is_one_for_each_kind() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:2");
        let slow = pair.deliver(message2(1, "a", "")).remove(0);
        let quick = pair.deliver(message1(2, "a", "")).remove(0);
        let last = pair.deliver(message2(3, "a", "")).remove(0);
        pair.handled(&last);
        pair.handled(&quick);
        assert_eq!(pair.sent(), ["PUBACK #2"]);
        pair.handled(&slow);
        assert_eq!(pair.sent(), ["PUBREC #1", "PUBREC #3"]);
    }
}

#[test]
fn a_receipt_is_good_for_once() {
    let mut pair = Pair::online(Version::V311);
    pair.granted("a:1");
    let first = pair.deliver(message1(1, "a", "")).remove(0);
    assert!(pair.handled(&first));
    assert!(!pair.handled(&first));
    // The next message may stand where the first stood.
    let second = pair.deliver(message1(1, "a", "")).remove(0);
    assert!(!pair.handled(&first));
    assert_eq!(pair.sent(), ["PUBACK #1"]);
    assert!(pair.handled(&second));
    assert_eq!(pair.sent(), ["PUBACK #1"]);
}

#[test]
fn a_refusal_is_told_under_5_0() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:2");
        let one = pair.deliver(message1(1, "a", "")).remove(0);
        let two = pair.deliver(message2(2, "a", "")).remove(0);
        for message in [&one, &two] {
            let receipt = message.receipt.unwrap();
            assert!(pair.engine.acknowledge(receipt, ReasonCode::NotAuthorized));
        }
        let expected = match version.is_v5() {
            true => ["PUBACK #1 0x87", "PUBREC #2 0x87"],
            false => ["PUBACK #1", "PUBREC #2"],
        };
        assert_eq!(pair.sent(), expected);
        // A refused QoS 2 message is over: its id may come with another message.
        assert_eq!(pair.deliver(message2(2, "a", "")).len(), usize::from(version.is_v5()));
    }
}

#[test]
fn a_reason_that_no_acknowledgement_has_is_told_as_unspecified() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a:1");
    let received = pair.deliver(message1(1, "a", "")).remove(0);
    pair.engine.acknowledge(received.receipt.unwrap(), ReasonCode::KeepAliveTimeout);
    assert_eq!(pair.sent(), ["PUBACK #1 0x80"]);
}

#[test]
fn an_option_acknowledges_on_receipt() {
    for version in VERSIONS {
        let mut pair =
            Pair::with(version, |settings| settings.acknowledge_on_receipt = true).connected();
        pair.granted("a:2");
        for message in [message0("a", ""), message1(1, "a", ""), message2(2, "a", "")] {
            assert!(pair.deliver(message)[0].receipt.is_none());
        }
        assert_eq!(pair.sent(), ["PUBACK #1", "PUBREC #2"]);
        assert!(pair.deliver(message2(2, "a", "")).is_empty());
        pair.receive(pubrel(2));
        assert_eq!(pair.sent(), ["PUBREC #2", "PUBCOMP #2"]);
    }
}

#[test]
fn nothing_follows_our_disconnect() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        let received = pair.deliver(message1(1, "a", "")).remove(0);
        pair.engine.disconnect(ReasonCode::Success, mqttsession::protocol::Properties::EMPTY);
        // [MQTT-3.14.4-1]
        pair.handled(&received);
        assert_eq!(pair.sent(), ["DISCONNECT"]);
    }
}

/// A session to a broker that takes packets of at most this size, and a refusal of its first message.
fn refused(version: Version, largest: u32, said: PropertyBlock) -> Vec<String> {
    let mut pair = Pair::new(version);
    pair.connect(false);
    pair.sent();
    let announced = properties(&[Property::MaximumPacketSize(largest)]);
    pair.receive(if version.is_v5() { connack_with(&announced) } else { connack(false) });
    let received = [message1(1, "a", ""), message2(2, "a", "")]
        .map(|message| pair.deliver(message).remove(0).receipt.unwrap());
    for receipt in received {
        assert!(pair.engine.refuse(receipt, ReasonCode::NotAuthorized, said.clone()));
    }
    pair.sent()
}

fn explained() -> PropertyBlock {
    properties(&[
        Property::UserProperty("one", "1"),
        Property::ReasonString("no"),
        Property::UserProperty("two", "2"),
    ])
}

#[test]
fn a_refusal_says_why_as_far_as_the_broker_takes_it() {
    let all = r#"[UserProperty("one", "1"), ReasonString("no"), UserProperty("two", "2")]"#;
    // The whole packet has 29 bytes; with the reason string alone it has 11.
    let cases = [
        (u32::MAX, format!(" {all}")),
        (29, format!(" {all}")),
        (28, r#" [ReasonString("no")]"#.to_owned()),
        (11, r#" [ReasonString("no")]"#.to_owned()),
        (10, String::new()),
    ];
    for (largest, said) in cases {
        let expected = [format!("PUBACK #1 0x87{said}"), format!("PUBREC #2 0x87{said}")];
        assert_eq!(refused(Version::V5, largest, explained()), expected, "at most {largest}");
    }
    for version in [Version::V31, Version::V311] {
        assert_eq!(refused(version, u32::MAX, explained()), ["PUBACK #1", "PUBREC #2"]);
    }
}

#[test]
fn a_refusal_waits_its_turn_and_keeps_what_it_says() {
    let mut pair = Pair::with(Version::V5, persist).connected();
    pair.granted("a:1");
    let first = pair.deliver(message1(1, "a", "")).remove(0);
    let second = pair.deliver(message1(2, "a", "")).remove(0);
    let said = properties(&[Property::ReasonString("no")]);
    assert!(pair.engine.refuse(second.receipt.unwrap(), ReasonCode::QuotaExceeded, said));
    assert_eq!(pair.engine.counters().held_back, 1);
    pair.reconnect(true);
    assert_eq!(pair.engine.counters().held_back, 0, "they wait for the broker now");
    pair.deliver(again(message1(1, "a", "")));
    pair.deliver(again(message1(2, "a", "")));
    assert_eq!(pair.engine.counters().held_back, 1);
    pair.handled(&first);
    assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2 0x97 [ReasonString(\"no\")]"]);
    assert_eq!(pair.engine.counters().held_back, 0);
}

#[test]
fn acknowledgements_that_stand_still_are_reported_once_for_each_standstill() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.keep_alive = 0).connected();
        pair.granted("a:2");
        assert_eq!(pair.due(), None);
        let stuck = pair.deliver(message1(1, "a", "")).remove(0);
        assert_eq!(pair.due(), Some(10));
        pair.elapse(4);
        let rest: Vec<_> =
            (2..=5).map(|id| pair.deliver(message1(id, "a", "")).remove(0)).collect();
        pair.handled(&rest[0]);
        pair.handled(&rest[2]);
        assert_eq!(pair.engine.counters().held_back, 2);
        pair.timeout().unwrap();
        assert_eq!(pair.events(), ["held back 2"]);
        pair.timeout().unwrap();
        assert_eq!(pair.events(), [""; 0], "it is the same standstill");
        pair.handled(&stuck);
        assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2"]);
        pair.timeout().unwrap();
        assert_eq!(pair.events(), [""; 0], "it has moved");
        pair.timeout().unwrap();
        assert_eq!(pair.events(), ["held back 1"], "and stands still anew");
        pair.handled(&rest[1]);
        pair.handled(&rest[3]);
        assert_eq!(pair.engine.counters().held_back, 0);
        pair.timeout().unwrap();
        assert_eq!((pair.due(), pair.events()), (None, vec![]), "nothing is left to look at");
    }
}

#[test]
fn a_standstill_goes_on_on_the_next_connection() {
    let mut pair = Pair::with(Version::V311, |settings| {
        persist(settings);
        settings.keep_alive = 0;
    })
    .connected();
    pair.granted("a:1");
    let received = [1, 2].map(|id| pair.deliver(message1(id, "a", "")).remove(0));
    pair.handled(&received[1]);
    pair.reconnect(true);
    assert_eq!((pair.due(), pair.events().len()), (None, 1));
    [1, 2].iter().for_each(|&id| drop(pair.deliver(again(message1(id, "a", "")))));
    pair.timeout().unwrap();
    assert_eq!(pair.events(), ["held back 1"]);
}

#[test]
fn a_slow_handler_that_holds_nothing_back_is_not_reported() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.keep_alive = 0).connected();
        pair.granted("a:2");
        pair.deliver(message1(1, "a", ""));
        for _ in 0..5 {
            pair.timeout().unwrap();
            // The other kind moves on.
            let quick = pair.deliver(message2(2, "a", "")).remove(0);
            pair.handled(&quick);
            pair.receive(pubrel(2));
        }
        assert_eq!(pair.events(), [""; 0]);
    }
}

#[test]
fn a_standstill_of_one_kind_is_reported_while_the_other_moves() {
    let mut pair = Pair::with(Version::V311, |settings| settings.keep_alive = 0).connected();
    pair.granted("a:2");
    pair.deliver(message1(1, "a", ""));
    let held = pair.deliver(message1(2, "a", "")).remove(0);
    pair.handled(&held);
    let quick = pair.deliver(message2(3, "a", "")).remove(0);
    pair.handled(&quick);
    pair.timeout().unwrap();
    assert_eq!(pair.events(), ["held back 1"]);
}

#[test]
fn a_repeated_pubrec_waits_for_the_refused_message_that_came_anew_before_it() {
    let mut pair = Pair::with(Version::V5, persist).connected();
    pair.granted("a:2");
    for (id, reason) in [(1, ReasonCode::NotAuthorized), (2, ReasonCode::Success)] {
        let message = pair.deliver(message2(id, "a", "")).remove(0);
        pair.engine.acknowledge(message.receipt.unwrap(), reason);
    }
    // Neither answer arrives. What was refused is a new message then [MQTT-4.3.3-9].
    pair.reconnect(true);
    let anew = pair.deliver(again(message2(1, "a", ""))).remove(0);
    assert!(pair.deliver(again(message2(2, "a", ""))).is_empty());
    assert_eq!(pair.sent(), [""; 0]);
    pair.handled(&anew);
    assert_eq!(pair.sent(), ["PUBREC #1", "PUBREC #2"]);
}
