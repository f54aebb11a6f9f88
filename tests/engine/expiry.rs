//! Messages whose lifetime passes before they are sent, and what is left of it when they are.

use std::time::Duration;

use mqttsession::{
    engine::{Lifetime, Publication, QueuePolicy, Refused},
    error::Code,
    protocol::{Property, PropertyBlock, Version},
};

use crate::{
    packets::{connack, properties, puback, pubrec},
    pair::{Pair, VERSIONS, limit, message, persist},
};

/// Publishes with a time to live and with properties.
fn publish(pair: &mut Pair, qos: u8, seconds: Option<u64>, of: &PropertyBlock) -> u64 {
    let time_to_live = seconds.map(Duration::from_secs);
    let lifetime = Lifetime { since: pair.now, now: pair.now, time_to_live };
    let publication = Publication {
        properties: of.as_properties(),
        lifetime: Some(lifetime),
        ..message(qos, "topic", "x")
    };
    pair.try_publish(publication).expect("the message is accepted")
}

fn mortal(pair: &mut Pair, qos: u8, seconds: u64) -> u64 {
    publish(pair, qos, Some(seconds), &PropertyBlock::new())
}

fn interval(seconds: u32) -> PropertyBlock {
    properties(&[Property::ContentType("t"), Property::MessageExpiryInterval(seconds)])
}

fn sent_with(interval: u32) -> String {
    format!("topic=x [ContentType(\"t\"), MessageExpiryInterval({interval})]")
}

#[test]
fn an_unsent_message_ends_when_it_expires_also_offline() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        assert_eq!(pair.due(), None);
        for (qos, seconds) in [(1, 30), (0, 10), (2, 20)] {
            mortal(&mut pair, qos, seconds);
        }
        pair.publish(1, "topic", "for ever");
        for (seconds, expected) in [(10, "2: EXPIRED"), (10, "3: EXPIRED"), (10, "1: EXPIRED")] {
            assert_eq!(pair.due(), Some(seconds));
            pair.timeout().unwrap();
            assert_eq!(pair.ended(), [expected]);
        }
        assert_eq!(pair.due(), None);
        assert_eq!(pair.outcome(2).as_deref(), Some("EXPIRED"));
        assert_eq!(pair.engine.counters().failed.expired, 3);
        assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 topic=for ever"]);
    }
}

#[test]
fn at_the_latest_it_ends_before_it_would_be_sent() {
    let mut pair = Pair::new(Version::V311);
    mortal(&mut pair, 1, 10);
    mortal(&mut pair, 0, 10);
    mortal(&mut pair, 1, 12);
    pair.elapse(11);
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 topic=x"]);
    assert_eq!(pair.ended(), ["1: EXPIRED", "2: EXPIRED"]);
}

#[test]
fn the_window_being_full_is_waiting_too() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.in_flight_limit = 1;
        settings.keep_alive = 0;
    })
    .connected();
    pair.publish(1, "topic", "in flight");
    mortal(&mut pair, 1, 10);
    mortal(&mut pair, 0, 20);
    assert_eq!(pair.sent().len(), 1);
    pair.timeout().unwrap();
    assert_eq!(pair.ended(), ["2: EXPIRED"]);
    pair.receive(puback(1));
    assert_eq!(pair.sent(), ["PUBLISH q0 topic=x"]);
    assert_eq!(pair.ended(), ["1: ok", "3: ok"]);
    assert_eq!(pair.due(), None, "nothing is left to expire");
}

#[test]
fn what_has_been_sent_does_not_expire_here() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| {
            persist(settings);
            settings.keep_alive = 0;
        })
        .connected();
        mortal(&mut pair, 1, 10);
        mortal(&mut pair, 2, 10);
        mortal(&mut pair, 0, 10);
        assert_eq!(pair.due(), None);
        pair.taken();
        pair.elapse(100);
        pair.engine.handle_timeout(pair.now).unwrap();
        assert_eq!(pair.ended(), [""; 0], "QoS 0 is in the output");
        let again = ["PUBLISH dup q1 #1 topic=x", "PUBLISH dup q2 #2 topic=x"];
        assert_eq!(pair.reconnect(true), again);
    }
    // Nor when it is published anew.
    let mut pair = Pair::online(Version::V311);
    mortal(&mut pair, 1, 10);
    pair.sent();
    pair.elapse(100);
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #2 topic=x"]);
}

#[test]
fn what_is_sent_carries_the_seconds_that_remain() {
    let mut pair = Pair::new(Version::V5);
    for qos in 0..3 {
        publish(&mut pair, qos, None, &interval(100));
    }
    pair.now += Duration::from_millis(30_500);
    let rest = sent_with(70);
    let expected = [
        format!("PUBLISH q0 {rest}"),
        format!("PUBLISH q1 #1 {rest}"),
        format!("PUBLISH q2 #2 {rest}"),
    ];
    assert_eq!(pair.reconnect(false), expected);
    // The server counts from when it received it; a message of which nothing has passed is as given.
    for qos in [0, 1] {
        publish(&mut pair, qos, None, &interval(100));
    }
    assert!(pair.sent().iter().all(|sent| sent.ends_with(&sent_with(100))));
}

#[test]
fn also_when_it_is_sent_again_and_at_least_one() {
    let mut pair = Pair::persistent(Version::V5);
    publish(&mut pair, 1, None, &interval(100));
    pair.sent();
    for (elapsed, left) in [(40, 60), (59, 1), (1, 1), (1000, 1)] {
        pair.elapse(elapsed);
        assert_eq!(pair.reconnect(true), [format!("PUBLISH dup q1 #1 {}", sent_with(left))]);
    }
    pair.elapse(1);
    assert_eq!(pair.reconnect(false), [format!("PUBLISH q1 #2 {}", sent_with(1))]);
}

#[test]
fn the_interval_stands_where_it_stands_behind_an_alias_too() {
    let mut pair = Pair::new(Version::V5);
    for qos in [0, 1] {
        publish(&mut pair, qos, None, &interval(100));
    }
    pair.elapse(10);
    pair.connect(false);
    let announced = properties(&[Property::TopicAliasMaximum(9)]);
    pair.receive(crate::packets::connack_with(&announced));
    let rest = "[TopicAlias(1), ContentType(\"t\"), MessageExpiryInterval(90)]";
    let expected = [format!("PUBLISH q0 topic=x {rest}"), format!("PUBLISH q1 #1 =x {rest}")];
    assert_eq!(pair.sent()[1..], expected);
}

#[test]
fn the_sooner_of_the_two_counts_and_the_local_one_is_not_said() {
    let mut pair = Pair::new(Version::V5);
    publish(&mut pair, 1, Some(10), &interval(100));
    publish(&mut pair, 1, Some(100), &interval(20));
    mortal(&mut pair, 1, 30);
    publish(&mut pair, 1, Some(u64::MAX), &interval(u32::MAX));
    publish(&mut pair, 1, None, &PropertyBlock::new());
    pair.timeout().unwrap();
    assert_eq!(pair.ended(), ["1: EXPIRED"]);
    assert_eq!(pair.due(), Some(10));
    pair.timeout().unwrap();
    assert_eq!(pair.ended(), ["2: EXPIRED"]);
    let forever = sent_with(u32::MAX - 20);
    let expected = ["topic=x", &forever, "topic=x"];
    for (sent, expected) in pair.reconnect(false).iter().zip(expected) {
        assert!(sent.ends_with(&format!(" {expected}")), "{sent}");
    }
}

#[test]
fn no_time_at_all_is_enough_for_what_can_be_sent_at_once() {
    let mut pair = Pair::with(Version::V5, |settings| settings.in_flight_limit = 1).connected();
    for qos in [0, 1] {
        publish(&mut pair, qos, Some(0), &interval(0));
    }
    let rest = sent_with(0);
    assert_eq!(pair.sent(), [format!("PUBLISH q0 {rest}"), format!("PUBLISH q1 #1 {rest}")]);
    mortal(&mut pair, 1, 0);
    assert_eq!(pair.due(), Some(0));
    pair.timeout().unwrap();
    assert_eq!(pair.ended(), ["1: ok", "3: EXPIRED"]);
}

#[test]
fn a_call_that_waited_for_room_has_lost_the_time() {
    let mut pair = Pair::online(Version::V5);
    let since = pair.now;
    pair.elapse(40);
    let of = interval(100);
    for (qos, time_to_live) in [(0, None), (1, None), (0, Some(Duration::from_secs(39)))] {
        let lifetime = Lifetime { since, now: pair.now, time_to_live };
        let properties = of.as_properties();
        let publication =
            Publication { properties, lifetime: Some(lifetime), ..message(qos, "topic", "x") };
        pair.try_publish(publication).unwrap();
    }
    let rest = sent_with(60);
    assert_eq!(pair.sent(), [format!("PUBLISH q0 {rest}"), format!("PUBLISH q1 #1 {rest}")]);
    assert_eq!(pair.ended(), ["3: EXPIRED", "1: ok"]);
}

#[test]
fn expiry_makes_room_and_ends_what_waits_for_it() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.queue = limit(2, usize::MAX, QueuePolicy::Block);
    });
    let first = mortal(&mut pair, 1, 10);
    mortal(&mut pair, 1, 10);
    let flush = pair.flush();
    let mut watcher: Option<mqttsession::engine::Completion> =
        Some(mqttsession::engine::Completion::new(|_, _| {}));
    assert!(pair.engine.watch(first, 7, &mut watcher).is_none());
    assert!(matches!(pair.try_publish(message(1, "topic", "x")), Err(Refused::Full)));
    assert!(!pair.engine.has_room());
    pair.timeout().unwrap();
    let ended = pair.engine.poll_watched();
    assert_eq!(ended[0].watchers.len(), 1);
    pair.engine.completions_taken(2);
    assert!(pair.engine.has_room());
    assert_eq!(pair.events(), [format!("flushed {flush}")]);
    assert_eq!(pair.engine.counters().outgoing_bytes, 0);
    pair.publish(1, "topic", "x");
}

#[test]
fn one_out_of_the_middle_is_found_again_whatever_the_policy() {
    for policy in [QueuePolicy::KeepLatest, QueuePolicy::DropOldest] {
        let mut pair = Pair::with(Version::V311, |settings| {
            settings.queue = limit(3, usize::MAX, policy);
        });
        pair.publish(1, "a", "1");
        mortal(&mut pair, 1, 10);
        pair.publish(1, "b", "3");
        pair.timeout().unwrap();
        assert_eq!(pair.ended(), ["2: EXPIRED"]);
        // Its topic is free again, and one that was dropped does not expire.
        mortal(&mut pair, 1, 10);
        mortal(&mut pair, 1, 20);
        assert_eq!(pair.ended().len(), 1);
        while pair.due().is_some() {
            pair.timeout().unwrap();
        }
        assert_eq!(pair.outcome(5).as_deref(), Some("EXPIRED"));
        let failed = pair.engine.counters().failed;
        assert_eq!(
            failed.dropped + failed.expired,
            3 + u64::from(policy == QueuePolicy::DropOldest)
        );
    }
}

#[test]
fn deadlines_of_what_was_sent_take_no_memory() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.in_flight_limit = 1;
        settings.keep_alive = 0;
    })
    .connected();
    mortal(&mut pair, 1, 5);
    pair.sent();
    // Each waits for its turn, and gets it long before its deadline.
    for round in 1..10_000_u16 {
        mortal(&mut pair, 1, 1_000_000 - u64::from(round));
        pair.receive(puback(round));
        pair.sent_bytes();
    }
    assert_eq!(pair.due(), None);
}

#[test]
fn a_message_that_the_broker_has_taken_has_no_deadline() {
    let mut pair = Pair::persistent(Version::V5);
    publish(&mut pair, 2, Some(5), &interval(5));
    pair.sent();
    pair.receive(pubrec(1));
    pair.elapse(100);
    assert_eq!(pair.reconnect(true)[..], ["PUBREL #1"]);
}

#[test]
fn a_publish_without_a_clock_does_not_send_what_needs_one() {
    let mut pair = Pair::with(Version::V5, |settings| settings.in_flight_limit = 1).connected();
    pair.publish(1, "topic", "first");
    pair.sent();
    publish(&mut pair, 1, None, &interval(100));
    pair.engine.handle_written(pair.now);
    pair.elapse(50);
    pair.publish(1, "topic", "last");
    assert_eq!(pair.sent(), [""; 0]);
    pair.receive(puback(1));
    assert_eq!(pair.sent(), [format!("PUBLISH q1 #2 {}", sent_with(50))]);
    pair.receive(puback(2));
    assert_eq!(pair.sent(), ["PUBLISH q1 #3 topic=last"]);
}

#[test]
fn offline_nothing_else_has_a_deadline() {
    let mut pair = Pair::online(Version::V311);
    pair.lose();
    mortal(&mut pair, 1, 1000);
    assert_eq!(pair.due(), Some(1000));
    pair.connect(true);
    assert_eq!(pair.due(), Some(1000));
    pair.receive(connack(false));
    assert_eq!(pair.due(), Some(60), "the keep-alive");
}

#[test]
fn what_has_been_sent_does_not_expire_when_the_session_is_lost() {
    let mut pair = Pair::with(Version::V311, |settings| {
        persist(settings);
        settings.in_flight_limit = 1;
    });
    mortal(&mut pair, 1, 100);
    mortal(&mut pair, 1, 10);
    assert_eq!(pair.reconnect(false), ["PUBLISH q1 #1 topic=x"]);
    // The broker ends on it and loses the session: it waits for the answer to a ping.
    for _ in 0..2 {
        pair.kicked(&Code::ConnectionClosed.into());
        pair.connect(true);
        pair.sent();
        pair.receive(connack(false));
    }
    assert_eq!(pair.sent(), ["PINGREQ"]);
    pair.elapse(10);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert_eq!(pair.ended(), ["2: EXPIRED"]);
    pair.lose();
    assert_eq!(pair.due(), None);
    pair.elapse(200);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert_eq!(pair.ended(), [""; 0]);
}

#[test]
fn what_waited_behind_an_expired_message_leaves() {
    let mut pair = Pair::with(Version::V311, |settings| {
        settings.exactly_once_limit = 1;
        settings.keep_alive = 0;
    })
    .connected();
    pair.publish(2, "topic", "in flight");
    mortal(&mut pair, 2, 10);
    pair.publish(1, "topic", "behind");
    assert_eq!(pair.sent(), ["PUBLISH q2 #1 topic=in flight"]);
    pair.timeout().unwrap();
    assert_eq!(pair.ended(), ["2: EXPIRED"]);
    assert_eq!(pair.sent(), ["PUBLISH q1 #2 topic=behind"]);
}
