//! The bounds of what waits, in messages and in bytes, and what happens at them.

use mqttsession::{
    engine::{QueuePolicy, Refused},
    protocol::Version,
};

use crate::{
    packets::{puback, pubrec},
    pair::{Pair, limit, message},
};

/// The packet of a message of QoS 1 on `a` with a payload of ten bytes.
const TEN: usize = 2 + 3 + 2 + 10;

fn queue(messages: usize, bytes: usize, policy: QueuePolicy) -> Pair {
    Pair::with(Version::V311, |settings| settings.queue = limit(messages, bytes, policy))
}

fn is_full(pair: &mut Pair, topic: &str, payload: &str) -> bool {
    matches!(pair.try_publish(message(1, topic, payload)), Err(Refused::Full))
}

#[test]
fn at_the_limit_in_messages_a_publish_is_refused_and_leaves_no_trace() {
    for policy in [QueuePolicy::Block, QueuePolicy::Reject] {
        let mut pair = queue(2, usize::MAX, policy);
        pair.publish(1, "a", "1");
        pair.publish(1, "a", "2");
        assert!(!pair.engine.has_room());
        assert!(is_full(&mut pair, "a", "3"));
        assert_eq!(pair.ended(), [""; 0]);
        let expected = ["PUBLISH q1 #1 a=1", "PUBLISH q1 #2 a=2"];
        assert_eq!(pair.reconnect(false), expected);
        assert!(is_full(&mut pair, "a", "3"), "in flight is not ended");
        pair.receive(puback(1));
        assert!(is_full(&mut pair, "a", "3"), "ended, and nobody has been told");
        assert_eq!(pair.ended(), ["1: ok"]);
        assert!(pair.engine.has_room());
        assert_eq!(pair.publish(1, "a", "3"), 3, "a refused one has no number");
    }
}

#[test]
fn at_the_limit_in_bytes_a_publish_is_refused() {
    let mut pair = queue(usize::MAX, 2 * TEN, QueuePolicy::Reject);
    pair.publish(1, "a", "0123456789");
    assert!(is_full(&mut pair, "a", "0123456789x"));
    pair.publish(1, "a", "0123456789");
    assert!(is_full(&mut pair, "a", ""));
    assert_eq!(pair.engine.counters().outgoing_bytes, 2 * TEN);
}

#[test]
fn one_message_larger_than_the_limit_is_admitted_when_nothing_waits() {
    let mut pair = queue(usize::MAX, 5, QueuePolicy::Reject);
    pair.publish(1, "a", "0123456789");
    assert!(is_full(&mut pair, "a", ""));
    pair.reconnect(false);
    pair.receive(puback(1));
    pair.publish(1, "a", "0123456789");
}

#[test]
fn a_confirmed_qos_2_message_gives_its_bytes_free() {
    let mut pair = queue(usize::MAX, TEN, QueuePolicy::Reject);
    pair.publish(2, "a", "0123456789");
    pair.reconnect(false);
    assert!(is_full(&mut pair, "a", "0123456789"));
    pair.receive(pubrec(1));
    pair.publish(1, "a", "0123456789");
}

#[test]
fn the_newest_is_dropped() {
    let mut pair = queue(2, usize::MAX, QueuePolicy::DropNewest);
    for payload in ["1", "2", "3"] {
        pair.publish(1, "a", payload);
    }
    assert_eq!(pair.ended(), ["3: DROPPED"]);
    assert_eq!(pair.engine.counters().failed.dropped, 1);
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 a=1", "PUBLISH q1 #2 a=2"]);
}

#[test]
fn the_oldest_makes_room_for_the_newest() {
    let mut pair = queue(2, usize::MAX, QueuePolicy::DropOldest);
    for payload in ["1", "2", "3", "4"] {
        pair.publish(1, "a", payload);
    }
    assert_eq!(pair.ended(), ["1: DROPPED", "2: DROPPED"]);
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 a=3", "PUBLISH q1 #2 a=4"]);
    // What is in flight may have been delivered: it is not dropped.
    assert!(is_full(&mut pair, "a", "5"));
    pair.receive(puback(1));
    pair.ended();
    pair.publish(1, "a", "6");
}

#[test]
fn as_many_of_the_oldest_are_dropped_as_the_bytes_need_and_no_more() {
    let mut pair = queue(usize::MAX, 3 * TEN, QueuePolicy::DropOldest);
    for _ in 0..3 {
        pair.publish(1, "a", "0123456789");
    }
    pair.publish(1, "a", "0123456789x");
    assert_eq!(pair.ended(), ["1: DROPPED", "2: DROPPED"]);
    assert_eq!(pair.engine.counters().outgoing_bytes, 2 * TEN + 1);
}

#[test]
fn nothing_is_dropped_for_a_message_that_finds_no_room_anyway() {
    for policy in [QueuePolicy::DropOldest, QueuePolicy::KeepLatest] {
        let mut pair = Pair::with(Version::V311, |settings| {
            settings.queue = limit(usize::MAX, 3 * TEN, policy);
            settings.in_flight_limit = 2;
        })
        .connected();
        for topic in ["a", "b", "c"] {
            pair.publish(1, topic, "0123456789");
        }
        assert!(is_full(&mut pair, "c", "0123456789xxx"), "two thirds are in flight");
        assert_eq!(pair.ended(), [""; 0]);
        assert_eq!(pair.engine.counters().failed.dropped, 0);
    }
}

#[test]
fn dropping_goes_on_while_nobody_takes_the_completions_but_not_for_ever() {
    let mut pair = queue(10, usize::MAX, QueuePolicy::DropOldest);
    for _ in 0..20 {
        pair.publish(1, "a", "");
    }
    assert_eq!(pair.engine.counters().failed.dropped, 10);
    assert!(is_full(&mut pair, "a", ""), "ten wait to be sent and ten to be told");
    assert_eq!(pair.ended().len(), 10);
    pair.publish(1, "a", "");
}

#[test]
fn the_latest_of_each_topic_is_kept() {
    let mut pair = queue(10, usize::MAX, QueuePolicy::KeepLatest);
    for (topic, payload) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"), ("c", "5"), ("b", "6")]
    {
        pair.publish(1, topic, payload);
    }
    assert_eq!(pair.ended(), ["1: DROPPED", "3: DROPPED", "2: DROPPED"]);
    assert_eq!(pair.engine.counters().outgoing_messages, 3);
    let expected = ["PUBLISH q1 #1 a=4", "PUBLISH q1 #2 c=5", "PUBLISH q1 #3 b=6"];
    assert_eq!(pair.reconnect(false), expected);
    // What is in flight is not replaced.
    pair.publish(1, "a", "7");
    assert_eq!(pair.sent(), ["PUBLISH q1 #4 a=7"]);
}

#[test]
fn at_the_limit_a_message_replaces_its_own_topic_before_it_drops_another() {
    let mut pair = queue(2, usize::MAX, QueuePolicy::KeepLatest);
    for (topic, payload) in [("a", "1"), ("b", "2"), ("b", "3")] {
        pair.publish(1, topic, payload);
    }
    assert_eq!(pair.ended(), ["2: DROPPED"]);
    pair.publish(1, "c", "4");
    assert_eq!(pair.ended(), ["1: DROPPED"], "the oldest makes room for another topic");
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 b=3", "PUBLISH q1 #2 c=4"]);
}

#[test]
fn a_replaced_message_does_not_open_the_window() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.queue = limit(10, usize::MAX, QueuePolicy::KeepLatest);
        settings.in_flight_limit = 1;
    })
    .connected();
    pair.publish(1, "z", "in flight");
    pair.publish(1, "a", "1");
    pair.publish(1, "a", "2");
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 z=in flight"]);
    let flush = pair.flush();
    pair.receive(puback(1));
    assert_eq!(pair.sent(), ["PUBLISH q1 #2 a=2"]);
    pair.receive(puback(2));
    assert_eq!(pair.events()[1..], [format!("flushed {flush}")]);
}

#[test]
fn replacing_for_ever_takes_no_more_memory() {
    let mut pair = queue(10, usize::MAX, QueuePolicy::KeepLatest);
    pair.publish(1, "first", "stays in front");
    for round in 0..100_000 {
        pair.publish(1, "a", if round % 2 == 0 { "even" } else { "odd" });
        pair.ended();
    }
    assert_eq!(pair.engine.counters().outgoing_messages, 2);
    let expected = ["PUBLISH q1 #1 first=stays in front", "PUBLISH q1 #2 a=odd"];
    assert_eq!(pair.reconnect(false), expected);
}

#[test]
fn qos_0_with_a_completion_keeps_its_place_until_it_is_taken() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.queue = limit(2, usize::MAX, QueuePolicy::Reject);
    })
    .connected();
    pair.publish(0, "a", "1");
    pair.publish(0, "a", "2");
    assert!(matches!(pair.try_publish(message(0, "a", "3")), Err(Refused::Full)));
    pair.sent();
    assert!(matches!(pair.try_publish(message(0, "a", "3")), Err(Refused::Full)));
    assert_eq!(pair.ended(), ["1: ok", "2: ok"]);
    pair.publish(0, "a", "3");
}

#[test]
fn every_byte_that_has_not_ended_is_counted_once() {
    for version in crate::pair::VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.in_flight_limit = 1).connected();
        let each = if version.is_v5() { TEN + 1 } else { TEN };
        let bytes = |pair: &Pair| pair.engine.counters().outgoing_bytes;
        pair.publish(0, "a", "0123456789");
        assert_eq!(bytes(&pair), each - 2, "in the output, without a packet id");
        pair.publish(1, "a", "0123456789");
        assert_eq!(bytes(&pair), 2 * each - 2, "in flight, and a copy in the output");
        pair.publish(1, "a", "0123456789");
        assert_eq!(bytes(&pair), 3 * each - 2, "in the queue");
        pair.taken();
        assert_eq!(bytes(&pair), 3 * each - 2, "being written");
        pair.engine.handle_written(pair.now);
        assert_eq!(bytes(&pair), 2 * each);
        pair.receive(puback(1));
        assert_eq!(bytes(&pair), each);
        pair.sent();
        pair.receive(puback(2));
        assert_eq!(bytes(&pair), 0);
    }
}
