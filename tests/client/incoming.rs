//! The receiving queue: bounded, never losing, and with an overdraft for calls that wait inside a
//! callback.

use std::{
    sync::{Arc, mpsc::channel},
    thread,
    time::Duration,
};

use mqttsession::{
    client::{Dispatch, Message, Options, Session},
    error::Code,
    protocol::{QoS, Version},
};
use mqttsession_tests::{scripted::ScriptedBroker, seen::Seen, wire};

use crate::support::*;

/// So large that one read takes hardly more than one message.
const LARGE: usize = 200 << 10;

/// A queue of so many messages.
fn limited(broker: &ScriptedBroker, messages: usize) -> Options {
    let mut options = options(broker);
    options.set_incoming_limit(messages, 1 << 30).unwrap();
    options
}

fn large(number: usize) -> Vec<u8> {
    let mut payload = vec![0; LARGE];
    payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
    payload
}

fn number(message: &Message<'_>) -> usize {
    u64::from_be_bytes(message.payload()[..8].try_into().unwrap()) as usize
}

/// Fills the queue of a session whose first callback waits; in the end everything must have come.
fn fill(options: &Options, broker: &ScriptedBroker, at_most: impl Fn(&Session) -> bool) {
    const COUNT: usize = 100;

    let (session, mut peer) = connect(broker, options);
    let (gate, threshold) = gate();
    let (sender, numbers) = channel();
    let handler = move |message: &Message<'_>| {
        if number(message) == 0 {
            threshold.pass();
        }
        sender.send(number(message)).unwrap();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    let sender = thread::spawn(move || {
        (0..COUNT).for_each(|number| peer.publish("in", 1, number as u16 + 1, large(number)));
        (0..COUNT).for_each(|number| drop(peer.expect_puback(number as u16 + 1)));
        peer
    });
    gate.wait_for_arrival();
    eventually("the queue is full", || !at_most(&session));
    let level = session.statistics().incoming_messages;
    IoFence::new().pass();
    let later = session.statistics().incoming_messages;
    assert!(later <= level + 1, "{level} messages became {later}");
    gate.let_one_pass();
    (0..COUNT).for_each(|expected| assert_eq!(next(&numbers), expected));
    sender.join().unwrap();
    eventually("every place is free", || session.statistics().incoming_bytes == 0);
}

#[test]
fn a_full_queue_pauses_reading_and_loses_nothing() {
    let broker = ScriptedBroker::start();
    fill(&limited(&broker, 5), &broker, |session| session.statistics().incoming_messages < 5);
}

#[test]
fn bytes_are_limited_too() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_incoming_limit(1 << 20, 5 * LARGE).unwrap();
    fill(&options, &broker, |session| session.statistics().incoming_bytes < 5 * LARGE);
}

#[test]
fn a_message_larger_than_the_limit_is_let_in_alone() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_incoming_limit(10, 1000).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    for count in [1001, 10, 100_000, 1 << 20] {
        peer.publish("in", 0, 0, vec![b'x'; count]);
        assert_eq!(next(&messages).payload().len(), count);
    }
}

#[test]
fn the_broker_is_told_how_much_fits() {
    for (limit, announced) in [(7, Some(7)), (65_535, None), (1 << 20, None)] {
        let broker = ScriptedBroker::start();
        let mut options = limited(&broker, limit);
        options.set_version(Version::V5);
        let session = Session::new(&options).unwrap();
        session.connect().unwrap();
        let connect = broker.accept().accept_session();
        assert_eq!(connect.properties.number("receive-maximum"), announced);
    }
}

/// A handler publishes and waits while the queue is full; before the answer come so many messages.
fn call_with_a_full_queue(dispatch: Dispatch, before: usize) -> Result<(), Code> {
    let broker = ScriptedBroker::start();
    let mut options = limited(&broker, 4);
    options.set_dispatch(dispatch);
    let (session, mut peer) = connect(&broker, &options);
    if dispatch == Dispatch::Polled {
        keep_polling(&session);
    }
    let (sender, results) = channel();
    let caller = session.clone();
    let handler = move |message: &Message<'_>| {
        if number(message) == 0 {
            let published = publish(&caller, "out", QoS::AtLeastOnce, "");
            let first = caller.wait(published, Some(DEADLINE));
            let second = caller.wait(published, Some(DEADLINE));
            sender.send((published, first, second)).unwrap();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, large(0));
    let id = peer.expect_publish().id;
    let sending = thread::spawn(move || {
        (1..=before).for_each(|number| peer.publish("in", 0, 0, large(number)));
        peer.send(&wire::puback(id));
        peer
    });
    let (published, first, second) = next(&results);
    // Whatever the call said: it was not cancelled.
    session.wait(published, Some(DEADLINE)).unwrap();
    assert_eq!(first.is_ok(), second.is_ok());
    drop(sending.join().unwrap());
    session.close();
    first.map(drop).map_err(|error| error.code())
}

#[test]
fn a_waiting_call_in_a_callback_reads_on_into_the_overdraft() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        assert_eq!(call_with_a_full_queue(dispatch, 5), Ok(()));
    }
}

#[test]
fn a_full_overdraft_ends_the_call_instead_of_waiting_for_ever() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        assert_eq!(call_with_a_full_queue(dispatch, 20), Err(Code::WouldDeadlock));
    }
}

#[test]
fn a_call_from_another_thread_is_not_ended_by_the_overdraft() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &limited(&broker, 2));
    let published = publish(&session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    let (sender, results) = channel();
    let caller = session.clone();
    let handler = move |message: &Message<'_>| {
        if number(message) == 0 {
            sender.send(caller.wait(published, Some(DEADLINE))).unwrap();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    let outside = thread::spawn({
        let session = session.clone();
        move || session.wait(published, Some(DEADLINE))
    });
    let sending = thread::spawn(move || {
        (0..20).for_each(|number| peer.publish("in", 0, 0, large(number)));
        peer.send(&wire::puback(id));
        peer
    });
    assert_eq!(next(&results).unwrap_err().code(), Code::WouldDeadlock);
    outside.join().unwrap().unwrap();
    drop(sending.join().unwrap());
}

#[test]
fn a_handler_that_is_stuck_does_not_break_keep_alive() {
    let broker = ScriptedBroker::start();
    let mut options = limited(&broker, 1);
    options.set_keep_alive(Duration::from_secs(1)).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 1, 1, "");
    gate.wait_for_arrival();
    // Two seconds of it; and the queue is full, so that the answers are not even read.
    for _ in 0..2 {
        peer.expect_ping();
        peer.answer(&Seen::Pingreq);
    }
    gate.let_one_pass();
    peer.expect("PUBACK", |seen| matches!(seen, Seen::Puback(_)));
    assert_eq!(session.statistics().connections, 1);
}

#[test]
fn a_stuck_session_that_may_read_is_still_told_that_its_broker_is_silent() {
    let broker = ScriptedBroker::start();
    let mut options = limited(&broker, 10);
    options.set_keep_alive(Duration::from_secs(1)).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    gate.wait_for_arrival();
    peer.expect_ping();
    peer.expect_closed();
    let code = || session.last_error().map(|error| error.code());
    eventually("the silence is told", || code() == Some(Code::KeepAliveTimeout));
    drop(gate);
}
