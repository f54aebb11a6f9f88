//! Acknowledging what was received: when it has been handled, in the order in which it came.

use mqttsession::protocol::{ReasonCode, Version};

use crate::{
    packets::{message0, message1, message2, pubrel},
    pair::{Pair, VERSIONS},
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
