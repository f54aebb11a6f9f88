//! The outgoing queue at its limits, policy by policy.

use std::sync::mpsc::channel;

use mqttsession::{
    client::{Completion, Outcome, Payload, PublishOptions, QueuePolicy, Session},
    error::{Code, Result},
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

/// A session whose queue holds three messages and whose window one, with one message in flight.
fn nearly_full(policy: QueuePolicy) -> (Session, Peer, u16) {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_policy(policy).set_outgoing_limit(3, 1 << 20).unwrap();
    options.set_in_flight_limit(1).unwrap();
    options.set_outgoing_wait(std::time::Duration::ZERO);
    let (session, mut peer) = connect(&broker, &options);
    offer(&session, "first").unwrap();
    let id = peer.expect_publish().id;
    (session, peer, id)
}

fn offer(session: &Session, payload: &str) -> Result<u64> {
    offer_to(session, "out", payload)
}

fn offer_to(session: &Session, topic: &str, payload: &str) -> Result<u64> {
    let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    session.publish(topic, payload.into(), options)
}

/// Acknowledges the message in flight and those that follow, until these have come.
#[track_caller]
fn drain(mut peer: Peer, mut id: u16, expected: &[&str]) {
    for payload in expected {
        peer.send(&wire::puback(id));
        let publish = peer.expect_publish();
        assert_eq!(String::from_utf8_lossy(&publish.payload), *payload);
        id = publish.id;
    }
}

#[track_caller]
fn code(session: &Session, number: u64) -> Code {
    session.wait(number, Some(DEADLINE)).unwrap_err().code()
}

#[test]
fn block_and_reject_refuse_what_is_too_much() {
    for policy in [QueuePolicy::Block, QueuePolicy::Reject] {
        let (session, peer, id) = nearly_full(policy);
        offer(&session, "second").unwrap();
        offer(&session, "third").unwrap();
        assert_eq!(offer(&session, "fourth").unwrap_err().code(), Code::QueueFull);
        let tried = session.try_publish("out", b"".into(), PublishOptions::default());
        assert_eq!(tried.unwrap_err().code(), Code::QueueFull);
        assert_eq!(session.statistics().outgoing_messages, 3);
        drain(peer, id, &["second", "third"]);
    }
}

#[test]
fn drop_oldest_makes_room_but_never_drops_what_was_sent() {
    let (session, peer, id) = nearly_full(QueuePolicy::DropOldest);
    let second = offer(&session, "second").unwrap();
    offer(&session, "third").unwrap();
    offer(&session, "fourth").unwrap();
    assert_eq!(code(&session, second), Code::Dropped);
    assert_eq!(session.statistics().dropped, 1);
    drain(peer, id, &["third", "fourth"]);
}

#[test]
fn drop_newest_ends_the_new_one() {
    let (session, peer, id) = nearly_full(QueuePolicy::DropNewest);
    offer(&session, "second").unwrap();
    offer(&session, "third").unwrap();
    let fourth = offer(&session, "fourth").unwrap();
    assert_eq!(code(&session, fourth), Code::Dropped);
    drain(peer, id, &["second", "third"]);
}

#[test]
fn keep_latest_replaces_by_topic() {
    let (session, peer, id) = nearly_full(QueuePolicy::KeepLatest);
    let old = offer_to(&session, "a", "old a").unwrap();
    offer_to(&session, "b", "b").unwrap();
    offer_to(&session, "a", "new a").unwrap();
    assert_eq!(code(&session, old), Code::Dropped);
    drain(peer, id, &["b", "new a"]);
}

#[test]
fn the_completion_of_a_dropped_message_is_called() {
    let (session, _peer, _id) = nearly_full(QueuePolicy::DropOldest);
    let (sender, ends) = channel();
    let completion = Some(Completion::new(move |_, outcome| sender.send(outcome).unwrap()));
    let options = PublishOptions { qos: QoS::AtLeastOnce, completion, ..PublishOptions::default() };
    session.publish("out", b"".into(), options).unwrap();
    offer(&session, "third").unwrap();
    offer(&session, "fourth").unwrap();
    let outcome: Outcome = next(&ends);
    assert_eq!(outcome.unwrap_err().code(), Code::Dropped);
}

#[test]
fn a_message_keeps_its_place_until_its_completion_has_been_taken() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_policy(QueuePolicy::Reject).set_outgoing_limit(1, 1 << 20).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let (gate, threshold) = gate();
    let completion = Some(Completion::new(move |_, _: Outcome| threshold.pass()));
    let options = PublishOptions { qos: QoS::AtLeastOnce, completion, ..PublishOptions::default() };
    session.publish("out", b"".into(), options).unwrap();
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    gate.wait_for_arrival();
    assert_eq!(offer(&session, "too early").unwrap_err().code(), Code::QueueFull);
    gate.let_one_pass();
    eventually("there is room", || offer(&session, "now").is_ok());
}

#[test]
fn bytes_are_limited_and_a_larger_message_goes_alone() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_policy(QueuePolicy::Reject).set_outgoing_limit(100, 1000).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let large = |size: usize| {
        let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        session.publish("out", Payload::from(vec![0; size]), options)
    };
    large(5000).unwrap();
    assert_eq!(large(1).unwrap_err().code(), Code::QueueFull);
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    session.wait(1, Some(DEADLINE)).unwrap();
    large(400).unwrap();
    large(400).unwrap();
    assert_eq!(large(400).unwrap_err().code(), Code::QueueFull);
    eventually("what was written counts once", || session.statistics().outgoing_bytes <= 1000);
}
