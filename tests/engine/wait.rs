//! Asking how a message ended, and flushing.

use mqttsession::{
    engine::{Completion, QueuePolicy, Ticket},
    protocol::{Packet, ReasonCode, Version},
};

use crate::{
    packets::{because, puback},
    pair::{Pair, VERSIONS, limit, message},
};

/// Publishes without a completion.
fn quietly(pair: &mut Pair, qos: u8) -> u64 {
    pair.engine.publish(&message(qos, "a", "x"), &mut None, false).unwrap()
}

/// Whether a watcher was taken along.
fn watch(pair: &mut Pair, number: u64, ticket: Ticket) -> bool {
    let mut watcher: Option<Completion> = Some(Completion::new(|_, _| {}));
    pair.engine.watch(number, ticket, &mut watcher).is_none() && watcher.is_none()
}

#[test]
fn every_watcher_is_told_once() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let zero = quietly(&mut pair, 0);
        let one = quietly(&mut pair, 1);
        for number in [zero, one] {
            assert!(watch(&mut pair, number, 1) && watch(&mut pair, number, 2));
        }
        pair.sent();
        let ended = pair.engine.poll_watched();
        assert_eq!((ended.len(), ended[0].number, ended[0].watchers.len()), (1, zero, 2));
        pair.receive(puback(1));
        let ended = pair.engine.poll_watched();
        assert_eq!((ended.len(), ended[0].number, ended[0].watchers.len()), (1, one, 2));
        pair.lose();
        assert!(pair.engine.poll_watched().is_empty());
    }
}

#[test]
fn a_message_that_nobody_watches_ends_in_silence() {
    let mut pair = Pair::online(Version::V311);
    quietly(&mut pair, 0);
    quietly(&mut pair, 1);
    pair.sent();
    pair.receive(puback(1));
    assert!(pair.engine.poll_ended().is_empty() && pair.engine.poll_watched().is_empty());
    assert_eq!(pair.outcome(1).as_deref(), Some("ok"));
    assert_eq!(pair.outcome(2).as_deref(), Some("ok"));
}

#[test]
fn a_watcher_can_be_taken_back() {
    let mut pair = Pair::online(Version::V311);
    let number = quietly(&mut pair, 1);
    assert!(watch(&mut pair, number, 1) && watch(&mut pair, number, 2));
    assert!(pair.engine.unwatch(number, 1).is_some());
    assert!(pair.engine.unwatch(number, 1).is_none(), "once");
    assert!(pair.engine.unwatch(number, 7).is_none(), "not another's");
    pair.sent();
    pair.receive(puback(1));
    assert_eq!(pair.engine.poll_watched()[0].watchers.len(), 1);
    assert!(pair.engine.unwatch(number, 2).is_none(), "it has been told");
}

#[test]
fn a_queued_qos_0_message_is_watched_through_queue_and_output() {
    let mut pair = Pair::new(Version::V311);
    let number = quietly(&mut pair, 0);
    assert!(watch(&mut pair, number, 1));
    pair.connect(false);
    pair.receive(crate::packets::connack(false));
    assert!(pair.engine.poll_watched().is_empty());
    pair.sent();
    assert_eq!(pair.engine.poll_watched()[0].watchers.len(), 1);
}

#[test]
fn a_number_that_was_never_given_is_unknown() {
    let mut pair = Pair::online(Version::V311);
    quietly(&mut pair, 0);
    for number in [0, 2, u64::MAX] {
        assert_eq!(pair.outcome(number).as_deref(), Some("UNKNOWN_MESSAGE"));
    }
}

#[test]
fn what_was_lost_unwritten_can_be_asked_for_and_what_was_acknowledged_between_is_not_lost() {
    let mut pair = Pair::online(Version::V311);
    let first = quietly(&mut pair, 0);
    let between = quietly(&mut pair, 1);
    let last = quietly(&mut pair, 0);
    let after = quietly(&mut pair, 1);
    // All of it has been given to the socket; the broker is quicker than the end of the write.
    pair.taken();
    let unwritten = quietly(&mut pair, 0);
    pair.receive(puback(1));
    pair.receive(puback(2));
    pair.lose();
    let outcomes = [first, between, last, after, unwritten].map(|n| pair.outcome(n).unwrap());
    let lost = "CONNECTION_CLOSED";
    assert_eq!(outcomes, [lost, "ok", lost, "ok", lost]);
}

#[test]
fn failures_are_remembered_for_a_while_and_then_said_to_be_forgotten() {
    let mut pair = Pair::new(Version::V311);
    let oldest = pair.publish(1, "a", "x");
    let last = (0..10_000).map(|_| quietly(&mut pair, 1)).last().unwrap();
    pair.engine.cancel_all();
    assert_eq!(pair.outcome(last).as_deref(), Some("CANCELLED"));
    assert_eq!(pair.outcome(oldest).as_deref(), Some("UNKNOWN_MESSAGE"));
    assert_eq!(pair.ended(), ["1: CANCELLED"], "its own completion was told in time");
}

#[test]
fn a_late_failure_does_not_bring_back_what_is_forgotten() {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.queue = limit(1, usize::MAX, QueuePolicy::DropNewest);
    })
    .connected();
    let oldest = quietly(&mut pair, 1);
    pair.sent();
    let dropped: Vec<_> = (0..5000).map(|_| quietly(&mut pair, 1)).collect();
    assert_eq!(pair.outcome(dropped[4999]).as_deref(), Some("DROPPED"));
    assert_eq!(pair.outcome(dropped[0]).as_deref(), Some("UNKNOWN_MESSAGE"));
    pair.receive(Packet::Puback(because(1, ReasonCode::QuotaExceeded)));
    assert_eq!(pair.outcome(dropped[0]).as_deref(), Some("UNKNOWN_MESSAGE"));
    assert_ne!(pair.outcome(oldest).as_deref(), Some("ok"));
}

#[test]
fn a_flush_waits_for_what_was_published_before_it() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.in_flight_limit = 1).connected();
        pair.events();
        quietly(&mut pair, 1);
        quietly(&mut pair, 1);
        quietly(&mut pair, 0);
        let flush = pair.flush();
        quietly(&mut pair, 1);
        pair.sent();
        assert_eq!(pair.events(), [""; 0]);
        pair.receive(puback(1));
        pair.taken();
        pair.receive(puback(2));
        assert_eq!(pair.events(), [""; 0], "QoS 0 is not written yet");
        assert!(!pair.engine.has_news());
        pair.engine.handle_written(pair.now);
        assert!(pair.engine.has_news());
        assert_eq!(pair.events(), [format!("flushed {flush}")]);
        assert_eq!(pair.events(), [""; 0]);
    }
}

#[test]
fn a_flush_of_nothing_is_done_at_once() {
    let mut pair = Pair::new(Version::V311);
    let flush = pair.flush();
    assert_eq!(pair.events(), [format!("flushed {flush}")]);
}

#[test]
fn a_flush_ends_with_what_it_waits_for_however_that_ends() {
    let mut pair = Pair::online(Version::V311);
    pair.events();
    quietly(&mut pair, 0);
    let lost = pair.flush();
    pair.lose();
    assert_eq!(pair.events(), [format!("flushed {lost}")]);
    quietly(&mut pair, 1);
    let cancelled = pair.flush();
    assert_eq!(pair.events(), [""; 0]);
    pair.engine.cancel_all();
    assert_eq!(pair.events(), [format!("flushed {cancelled}")]);
}

#[test]
fn a_message_that_stays_is_found_among_all_that_pass_it() {
    let mut pair = Pair::with(Version::V311, |settings| settings.in_flight_limit = 2).connected();
    let stays = quietly(&mut pair, 1);
    pair.sent_bytes();
    for id in 2..2000 {
        let passes = quietly(&mut pair, 1);
        pair.sent_bytes();
        assert_eq!(pair.outcome(passes), None);
        pair.receive(puback(id));
        assert_eq!(pair.outcome(passes).as_deref(), Some("ok"));
        assert_eq!(pair.outcome(stays), None);
    }
    pair.receive(puback(1));
    assert_eq!(pair.outcome(stays).as_deref(), Some("ok"));
}
