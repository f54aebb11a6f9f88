//! While the disk takes nothing.

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Durability, Event, Outcome, PublishOptions, QueuePolicy,
    },
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::scripted::ScriptedBroker;

use super::support::*;
use crate::support::*;

fn at_least_once() -> PublishOptions {
    PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() }
}

#[test]
fn a_full_disk_is_reported_and_tried_again() {
    for durability in [Durability::Message, Durability::System] {
        let memory = Memory::default();
        let (_broker, session, mut peer) = connected_over(&memory, durability);
        let events = events(&session);
        memory.set_full(Some(Code::StoreFull));
        let held = publish(&session, "t", QoS::AtLeastOnce, "held");
        let failed = session.wait_stored(held, Some(DEADLINE)).unwrap_err();
        assert_eq!(failed.code(), Code::StoreFull);
        assert!(matches!(next(&events), Event::StoreFailed(why) if why.code() == Code::StoreFull));
        let refused = session.publish("t", "".into(), at_least_once()).unwrap_err();
        assert_eq!(refused.code(), Code::StoreFull);
        assert_eq!(session.wait_stored(held, None).unwrap_err().code(), Code::StoreFull);
        memory.set_full(None);
        // By itself.
        assert!(matches!(next(&events), Event::StoreRecovered));
        session.wait_stored(held, Some(DEADLINE)).unwrap();
        assert_eq!(peer.expect_publish().payload, b"held");
        session.publish("t", "more".into(), at_least_once()).unwrap();
        assert_eq!(peer.expect_publish().payload, b"more");
        close(&session, peer);
        assert!(!events.try_iter().any(|event| matches!(event, Event::StoreFailed(_))));
    }
}

#[test]
fn who_waits_for_room_learns_that_the_disk_is_full() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let mut options = durable(&broker, Durability::System);
    options.set_outgoing_policy(QueuePolicy::Block).set_outgoing_wait(2 * DEADLINE);
    options.set_outgoing_limit(1, 1 << 20).unwrap();
    let (session, peer) = memory.connect(&broker, &options, false);
    let appends = memory.gate_appends();
    publish(&session, "t", QoS::AtLeastOnce, "");
    appends.wait_for_arrival();
    let (sender, refusals) = channel();
    let waiting = std::thread::spawn({
        let session = session.clone();
        move || sender.send(session.publish("t", "".into(), at_least_once()))
    });
    let full = session.try_publish("t", "".into(), at_least_once()).unwrap_err();
    assert_eq!(full.code(), Code::QueueFull);
    memory.set_full(Some(Code::StoreFull));
    drop(appends);
    assert_eq!(next(&refusals).unwrap_err().code(), Code::StoreFull);
    waiting.join().unwrap().unwrap();
    close(&session, peer);
}

#[test]
fn messages_of_qos_0_need_no_disk() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtMostOnce, "a");
    session.wait(number, Some(DEADLINE)).unwrap();
    assert_eq!(peer.expect_publish().payload, b"a");
    // Nor do they wait for one behind them that does.
    let held = publish(&session, "t", QoS::AtLeastOnce, "");
    assert_eq!(session.wait_stored(held, Some(DEADLINE)).unwrap_err().code(), Code::StoreFull);
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    close(&session, peer);
}

#[test]
fn a_failing_sync_is_the_end_of_storing() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let events = events(&session);
    memory.fail_to_sync();
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    let failed = session.wait_stored(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(failed.code(), Code::StoreFailed);
    let refused = session.publish("t", "".into(), at_least_once()).unwrap_err();
    assert_eq!(refused.code(), Code::StoreFailed);
    let writes = session.statistics().store_writes;
    close(&session, peer);
    let unsaved = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(unsaved.code(), Code::StoreFailed);
    assert_eq!(session.statistics().store_writes, writes, "nothing more was written");
}

/// Nothing that has not left ever will: there is nothing to wait for.
#[test]
fn a_disconnect_does_not_wait_for_a_store_that_has_failed() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    let events = events(&session);
    memory.fail();
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    let disconnecting = session
        .disconnect(DisconnectOptions { drain: Duration::MAX, ..DisconnectOptions::default() });
    peer.expect_disconnect();
    drop(peer);
    ended(disconnecting).unwrap();
    assert_eq!(session.wait_stored(number, None).unwrap_err().code(), Code::StoreFailed);
    session.close();
}

#[test]
fn what_a_full_disk_does_not_take_ends_with_the_session() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::System);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    close(&session, peer);
    let unsaved = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(unsaved.code(), Code::StoreFailed);
    assert_eq!(memory.closes(), 1);
}

#[test]
fn a_disk_that_has_room_again_when_the_session_is_closed_takes_everything() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let events = events(&session);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    memory.set_full(None);
    close(&session, peer);
    let left = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(left.code(), Code::LeftInStore);
    assert!(memory.held().messages.contains_key(&number));
}

/// What a full disk did not take when the session was closed, and the disk has room again before the
/// store is.
#[test]
fn a_message_that_ended_as_not_stored_does_not_come_back() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let mut options = durable(&broker, Durability::Message);
    let (mourner, let_go) = Mourner::new();
    options.set_callback_scope(Some(Arc::new(move |run: &mut dyn FnMut()| {
        let _held = &mourner;
        run();
    })));
    let (session, peer) = memory.connect(&broker, &options, false);
    memory.set_full(Some(Code::StoreFull));
    let (sender, ends) = channel();
    let makes_room = memory.clone();
    let completion = move |_, how: Outcome| {
        makes_room.set_full(None);
        sender.send(how).unwrap();
    };
    let completion = Completion::new(completion);
    let publish = PublishOptions { completion: Some(completion), ..at_least_once() };
    session.publish("t", "".into(), publish).unwrap();
    close(&session, peer);
    assert_eq!(next(&ends).unwrap_err().code(), Code::StoreFailed);
    assert!(memory.held().messages.is_empty());
    // Nobody is busy with its store any more.
    drop((session, options));
    next(&let_go);
}

/// Of two syncs at a time only one would be told that the disk did not take something.
#[test]
fn one_sync_at_a_time() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let syncs = memory.gate_syncs();
    publish(&session, "t", QoS::AtLeastOnce, "");
    syncs.wait_for_arrival();
    let later = publish(&session, "t", QoS::AtLeastOnce, "");
    let closing = std::thread::spawn(move || close(&session, peer));
    // Closing has another thread write what is there; it might sync, too.
    eventually("it is written", || memory.held().messages.contains_key(&later));
    drop(syncs);
    closing.join().unwrap();
    assert_eq!(memory.most_syncs_at_once(), 1);
}
