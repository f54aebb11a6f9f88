//! What only MQTT 3.1 does: no refusal in SUBACK, and DUP on whatever is sent again.

use mqttsession::protocol::{Properties, ReasonCode, Version};

use crate::{
    packets::{connack, message0, suback},
    pair::Pair,
};

#[test]
fn a_close_after_subscribe_is_a_probable_refusal() {
    let mut pair = Pair::online(Version::V31);
    pair.granted("a:0");
    let ticket = pair.subscribe(&["b:1", "c:0"]);
    pair.sent();
    pair.lose();
    let expected = format!("subscribed {ticket}: SUBSCRIBE_REFUSED, SUBSCRIBE_REFUSED");
    assert_eq!(pair.events(), [expected]);
    assert_eq!(pair.engine.filters(), ["a"], "the broker would close again and again");
}

#[test]
fn our_own_close_refuses_nothing() {
    let mut pair = Pair::online(Version::V31);
    let ticket = pair.subscribe(&["a:1"]);
    pair.sent();
    pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
    assert_eq!(pair.reconnect(false), ["SUBSCRIBE dup #2 a:1"]);
    pair.receive(suback(2, &[1]));
    assert_eq!(pair.events().last(), Some(&format!("subscribed {ticket}: q1")));
}

#[test]
fn a_renewal_that_is_not_answered_is_asked_again() {
    let mut pair = Pair::online(Version::V31);
    pair.granted("a:1");
    assert_eq!(pair.reconnect(false), ["SUBSCRIBE #2 a:1"]);
    // It was granted before: that the network broke says nothing about it.
    assert_eq!(pair.reconnect(false), ["SUBSCRIBE dup #3 a:1"]);
    pair.receive(suback(3, &[1]));
    assert_eq!(pair.deliver(message0("a", "")).len(), 1);
}

#[test]
fn a_subscribe_that_was_never_sent_is_not_refused() {
    let mut pair = Pair::new(Version::V31);
    pair.subscribe(&["a:1"]);
    pair.connect(false);
    pair.lose();
    pair.connect(false);
    pair.sent();
    pair.receive(connack(false));
    assert_eq!(pair.sent(), ["SUBSCRIBE #1 a:1"]);
}

#[test]
fn unsubscribe_is_sent_again_with_dup() {
    let mut pair = Pair::persistent(Version::V31);
    pair.granted("a:1");
    pair.unsubscribe(&["a"]);
    assert_eq!(pair.sent(), ["UNSUBSCRIBE #2 a"]);
    assert_eq!(pair.reconnect(true), ["UNSUBSCRIBE dup #3 a"]);
}

#[test]
fn the_other_versions_mark_publish_alone() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        pair.granted("a:1");
        pair.unsubscribe(&["a"]);
        pair.subscribe(&["b:1"]);
        pair.publish(2, "a", "x");
        pair.sent();
        pair.receive(crate::packets::pubrec(4));
        let subscribe = &pair.identified("SUBSCRIBE #6 b:1", 2);
        let expected = ["UNSUBSCRIBE #5 a", subscribe, "PUBREL #4"];
        assert_eq!(pair.reconnect(true), expected, "{version:?}");
    }
}
