//! The end of a session: what has not ended stays in the store.

use std::sync::{Arc, mpsc::channel};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Dispatch, Durability, Message, PublishOptions, Session,
        State,
    },
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use super::support::*;
use crate::support::*;

fn at_once() -> DisconnectOptions {
    DisconnectOptions { drain: std::time::Duration::ZERO, ..DisconnectOptions::default() }
}

#[test]
fn closing_leaves_messages_to_the_next_session() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let memory = Memory::default();
        let broker = ScriptedBroker::start();
        let mut options = lasting(&broker);
        options.set_dispatch(dispatch);
        let (session, mut peer) = memory.connect(&broker, &options, false);
        let (sender, ends) = channel();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let sender = sender.clone();
            let completion = move |number, how: mqttsession::client::Outcome| {
                sender.send((number, how.unwrap_err().code())).unwrap();
            };
            let options = PublishOptions {
                qos,
                completion: Some(Completion::new(completion)),
                ..PublishOptions::default()
            };
            session.publish("t", "left".into(), options).unwrap();
            peer.expect_publish();
        }
        close(&session, peer);
        drop(sender);
        let ends: Vec<_> = ends.iter().collect();
        assert_eq!(ends, [(1, Code::LeftInStore), (2, Code::LeftInStore)], "{dispatch:?}");
        let statistics = session.statistics();
        assert_eq!((statistics.left_in_store, statistics.cancelled), (2, 0));
        assert_eq!(memory.closes(), 1, "the store is free");

        let (session, mut peer) = memory.connect(&broker, &lasting(&broker), true);
        for qos in [1, 2] {
            let sent = peer.expect_publish();
            assert_eq!((sent.dup, sent.qos), (true, qos));
        }
        close(&session, peer);
    }
}

#[test]
fn what_could_not_be_sent_is_sent_by_the_next_session() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let options = durable(&broker, Durability::Message);
    let session = memory.open(&options);
    let connecting = session.connect().unwrap();
    // The broker is silent.
    let mut silent = broker.accept();
    silent.expect_connect();
    let number = publish(&session, "t", QoS::ExactlyOnce, "offline");
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    session.close();
    assert_eq!(connecting.wait(Some(DEADLINE)).map(drop).unwrap_err().code(), Code::Closed);
    drop(silent);
    let (session, mut peer) = memory.connect(&broker, &options, false);
    let sent = peer.expect_publish();
    assert_eq!((sent.dup, sent.payload.as_slice()), (false, &b"offline"[..]));
    close(&session, peer);
}

#[test]
fn a_disconnect_counts_what_stays_and_cancels_nothing_that_is_stored() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let first = publish(&session, "t", QoS::AtLeastOnce, "one");
    let id = peer.expect_publish().id;
    publish(&session, "t", QoS::ExactlyOnce, "two");
    peer.expect_publish();
    let leaving = session.disconnect(at_once()).unwrap();
    peer.expect_disconnect();
    drop(peer);
    assert_eq!(leaving.wait(Some(DEADLINE)).unwrap(), 2);
    assert_eq!(ended(session.disconnect(at_once())).unwrap(), 2, "at rest, too");
    // The same session goes on with them.
    let mut peer = connect_session(&session, &broker, true);
    let sent = peer.expect_publish();
    assert_eq!((sent.dup, sent.id), (true, id));
    peer.send(&wire::puback(id));
    session.wait(first, Some(DEADLINE)).unwrap();
    close(&session, peer);
    assert_eq!(memory.held().messages.len(), 1);
}

#[test]
fn a_session_that_was_never_connected_gives_its_store_back() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let memory = Memory::default();
        let mut options = lasting(&ScriptedBroker::start());
        options.set_dispatch(dispatch);
        let session = memory.open(&options);
        session.close();
        assert_eq!((session.state(), memory.closes()), (State::Closed, 1), "{dispatch:?}");
        let session = memory.open(&options);
        drop(session);
        eventually("a dropped session closes its store", || memory.closes() == 2);
    }
}

#[test]
fn closing_inside_a_callback_does_not_wait_and_still_records_it() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let (gate, threshold) = gate();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| {
            session.close();
            threshold.pass();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 2, 9, "");
    gate.wait_for_arrival();
    assert_eq!(memory.closes(), 0, "the callback may have more to say");
    gate.let_one_pass();
    close(&session, peer);
    assert_eq!(memory.closes(), 1);
    let held = memory.held();
    assert!(held.received.values().eq(&[mqttsession::engine::Receiving::Handled]), "{held:?}");
}

#[test]
fn everything_is_written_before_the_store_is_closed() {
    let memory = Memory::default();
    let (_broker, session, _peer) = connected_over(&memory, Durability::System);
    let appends = memory.gate_appends();
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    appends.wait_for_arrival();
    let (sender, closed) = channel();
    let closing = std::thread::spawn({
        let session = session.clone();
        move || {
            session.close();
            sender.send(()).unwrap();
        }
    });
    eventually("it is being closed", || session.connect().is_err());
    assert!(closed.try_recv().is_err() && memory.closes() == 0);
    drop(appends);
    next(&closed);
    closing.join().unwrap();
    assert!(memory.held().messages.contains_key(&number));
    assert_eq!(session.wait(number, None).unwrap_err().code(), Code::LeftInStore);
}

#[test]
fn a_session_over_a_store_needs_a_client_id() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_client_id("").unwrap();
    let refused = Session::with_storage(&options, Box::new(Memory::default()), Default::default());
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidClientId);
    assert_eq!(
        refused.to_string(),
        "A session with a store needs a client id, by which a later session finds the store again"
    );
}
