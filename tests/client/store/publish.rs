//! What is published: nothing leaves before it is stored, and many share one sync.

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use mqttsession::{
    client::{Completion, Durability, Message},
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::wire;

use super::support::*;
use crate::support::*;

#[test]
fn nothing_leaves_before_it_is_stored() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let memory = Memory::default();
        let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
        let (appends, syncs) = (memory.gate_appends(), memory.gate_syncs());
        let before = bytes_out(&session);
        let number = publish(&session, "t", qos, "a");
        appends.wait_for_arrival();
        assert_eq!(bytes_out(&session), before, "it has not been written");
        assert_eq!(session.statistics().unstored, 1);
        let stored = session.stored(number).unwrap();
        appends.let_one_pass();
        syncs.wait_for_arrival();
        assert_eq!(bytes_out(&session), before, "it has not been synced");
        let early = session.wait_stored(number, Some(Duration::ZERO)).unwrap_err();
        assert_eq!(early.code(), Code::Timeout);
        drop((appends, syncs));
        stored.wait(Some(DEADLINE)).unwrap();
        let sent = peer.expect_publish();
        assert_eq!((sent.dup, sent.payload.as_slice()), (false, &b"a"[..]));
        assert_eq!(session.statistics().unstored, 0);
        close(&session, peer);
    }
}

#[test]
fn the_release_of_a_message_leaves_when_it_is_stored() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let number = publish(&session, "t", QoS::ExactlyOnce, "");
    let id = peer.expect_publish().id;
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    let before = bytes_out(&session);
    let syncs = memory.gate_syncs();
    peer.send(&wire::pubrec(id));
    syncs.wait_for_arrival();
    assert_eq!(bytes_out(&session), before, "it has not been synced");
    assert!(memory.held().messages[&number].released.is_some());
    drop(syncs);
    peer.expect_pubrel(id);
    peer.send(&wire::pubcomp(id));
    session.wait(number, Some(DEADLINE)).unwrap();
    close(&session, peer);
    assert_eq!(memory.held().messages.len(), 0);
}

#[test]
fn what_is_published_during_a_sync_shares_the_next_one() {
    const COUNT: usize = 50;
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let syncs = memory.gate_syncs();
    publish(&session, "t", QoS::AtLeastOnce, "first");
    syncs.wait_for_arrival();
    let before = session.statistics().store_syncs;
    for _ in 0..COUNT {
        publish(&session, "t", QoS::AtLeastOnce, "");
    }
    let last = publish(&session, "t", QoS::AtLeastOnce, "last");
    syncs.let_one_pass();
    syncs.wait_for_arrival();
    syncs.let_one_pass();
    session.wait_stored(last, Some(DEADLINE)).unwrap();
    assert_eq!(session.statistics().store_syncs, before + 2);
    drop(syncs);
    let sent: Vec<_> = (0..COUNT + 2).map(|_| peer.expect_publish().payload).collect();
    assert_eq!((sent[0].as_slice(), sent[COUNT + 1].as_slice()), (&b"first"[..], &b"last"[..]));
    close(&session, peer);
}

#[test]
fn what_is_left_to_the_system_is_stored_when_it_is_written_and_never_synced() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    for number in 1..=20 {
        assert_eq!(publish(&session, "t", QoS::ExactlyOnce, ""), number);
        session.wait_stored(number, Some(DEADLINE)).unwrap();
        assert!(memory.held().messages.contains_key(&number));
        peer.expect_publish();
    }
    let statistics = session.statistics();
    assert!(statistics.store_writes >= 20 && statistics.store_size > 0, "{statistics:?}");
    close(&session, peer);
    assert_eq!((memory.syncs(), memory.closes()), (0, 1));
}

#[test]
fn what_is_grouped_by_time_is_stored_when_it_is_written_and_synced_later() {
    let memory = Memory::default();
    let interval = Durability::Interval(Duration::from_millis(1));
    let (_broker, session, mut peer) = connected_over(&memory, interval);
    let syncs = memory.gate_syncs();
    let number = publish(&session, "t", QoS::AtLeastOnce, "a");
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    peer.expect_publish();
    syncs.wait_for_arrival();
    // What is written during a sync needs another one.
    let number = publish(&session, "t", QoS::AtLeastOnce, "b");
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    peer.expect_publish();
    syncs.let_one_pass();
    syncs.wait_for_arrival();
    eventually("the first is over", || memory.syncs() == 1);
    drop(syncs);
    eventually("it is synced", || memory.syncs() >= 2);
    close(&session, peer);
}

#[test]
fn messages_end_in_their_order() {
    for durability in [Durability::Message, Durability::System] {
        let memory = Memory::default();
        let (_broker, session, peer) = connected_over(&memory, durability);
        let served = serve(peer);
        let (sender, ends) = channel();
        for _ in 0..300 {
            let sender = sender.clone();
            let options = mqttsession::client::PublishOptions {
                qos: QoS::AtLeastOnce,
                completion: Some(Completion::new(move |number, how| {
                    sender.send((number, how)).unwrap()
                })),
                ..Default::default()
            };
            session.publish("t", "".into(), options).unwrap();
        }
        for expected in 1..=300 {
            let (number, how) = next(&ends);
            how.unwrap();
            assert_eq!(number, expected);
        }
        ended(session.flush()).unwrap();
        session.close();
        served.join().unwrap();
        assert_eq!(memory.held().messages.len(), 0);
        assert_eq!(memory.held().last_number, 300);
    }
}

#[test]
fn waiting_for_the_store_says_what_it_cannot_wait_for() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let unknown = session.wait_stored(7, Some(DEADLINE)).unwrap_err();
    assert_eq!(unknown.code(), Code::UnknownMessage);
    let number = publish(&session, "t", QoS::AtMostOnce, "");
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    close(&session, peer);
    assert_eq!(session.wait_stored(number, None).unwrap_err().code(), Code::Closed);

    let (_broker, session, peer) = connected();
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    let refused = session.wait_stored(number, None).unwrap_err();
    assert_eq!(refused.code(), Code::NotSupported);
    close(&session, peer);
}

#[test]
fn a_callback_can_wait_until_something_is_stored() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let (sender, results) = channel();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| {
            let number = publish(&session, "out", QoS::ExactlyOnce, "");
            sender.send(session.wait_stored(number, Some(DEADLINE))).unwrap();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 2, 1, "");
    next(&results).unwrap();
    let mut seen = [peer.receive().to_string(), peer.receive().to_string()];
    seen.sort();
    assert!(seen[0].starts_with("PUBLISH") && seen[1].starts_with("PUBREC"), "{seen:?}");
    close(&session, peer);
}

/// A future is ended by the store's own thread, whatever the callbacks are at.
#[test]
fn an_operation_calls_back_when_it_is_stored() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    let (sender, results) = channel();
    session.stored(number).unwrap().on_end(move |result| sender.send(result).unwrap());
    next(&results).unwrap();
    close(&session, peer);
}
