//! Receiving messages of QoS 2: what is on record round each handler.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
};

use mqttsession::{
    client::{
        Acknowledge, Acknowledgement, Dispatch, Durability, Event, Handler, Message, Options,
        Session, State,
    },
    engine::Receiving,
    error::Code,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use super::support::*;
use crate::{
    run::{lend_all, one_of, run_of, taking},
    support::*,
};

/// The payloads of the messages and whether they may have been handled before.
fn marked() -> (Arc<dyn Handler>, Receiver<(String, bool)>) {
    let (sender, receiver) = channel();
    let handler = move |message: &Message<'_>| {
        let payload = String::from_utf8_lossy(message.payload()).into_owned();
        drop(sender.send((payload, message.redelivered())));
    };
    (Arc::new(handler), receiver)
}

fn received(memory: &Memory) -> Vec<(u16, Receiving)> {
    memory.held().received.iter().map(|(id, how)| (id.get(), *how)).collect()
}

/// Until then a write of theirs may be the next one that fails.
fn grants_are_on_record(memory: &Memory, count: usize) {
    eventually("the grants are on record", || memory.held().granted.len() == count);
}

/// Both messages in one segment, so that one batch holds them.
fn send_two(peer: &mut Peer, dup: bool) {
    let both = [wire::publish("in", 2, 1, "one"), wire::publish("in", 2, 2, "two")];
    let both = if dup { both.map(wire::duplicate) } else { both };
    peer.send(&both.concat());
}

/// Polls until the session is closed, which runs what is left itself.
fn poll_along(session: &Session) -> JoinHandle<()> {
    let session = session.clone();
    thread::spawn(move || {
        while session.state() != State::Closed {
            match session.poll(Some(DEADLINE), usize::MAX) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.code(), Code::Busy),
            }
        }
    })
}

/// The handler of the second of two messages stands at a gate. What each dispatch has in common: the
/// first is recorded as handled, the second as being delivered.
#[test]
fn a_process_that_dies_inside_a_handler_gets_that_message_again_and_no_other() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let memory = Memory::default();
        let broker = ScriptedBroker::start();
        let mut options = lasting(&broker);
        options.set_dispatch(dispatch);
        let (session, mut peer) = memory.connect(&broker, &options, false);
        let polling = (dispatch == Dispatch::Polled).then(|| poll_along(&session));
        let (gate, threshold) = gate();
        let handler = move |message: &Message<'_>| {
            if message.payload() == b"two" {
                threshold.pass();
            }
        };
        subscribe(&session, &mut peer, "in", Arc::new(handler));
        send_two(&mut peer, false);
        gate.wait_for_arrival();
        use Receiving::{Delivering, Handled};
        assert_eq!(received(&memory), [(1, Handled), (2, Delivering)], "{dispatch:?}");
        let left = memory.kill();
        gate.let_one_pass();
        drop(peer);
        session.close();
        if let Some(polling) = polling {
            polling.join().unwrap();
        }
        assert_eq!(received(&left), [(1, Handled), (2, Delivering)], "{dispatch:?}");

        let memory = left;
        let session = memory.open(&lasting(&broker));
        let (handler, messages) = marked();
        let events = events(&session);
        let subscribing =
            session.subscribe("in", at(mqttsession::protocol::QoS::ExactlyOnce), handler);
        let mut peer = connect_session(&session, &broker, true);
        assert!(matches!(next(&events), Event::Restored(restored) if restored.interrupted == 1));
        ended(subscribing).unwrap();
        send_two(&mut peer, true);
        peer.expect_pubrec(1);
        peer.expect_pubrec(2);
        assert_eq!(next(&messages), ("two".to_owned(), true));
        assert!(messages.try_recv().is_err(), "the first had been handled");
        // Once it has been released the id stands for another message.
        peer.send(&wire::pubrel(1));
        peer.expect_pubcomp(1);
        peer.publish("in", 2, 1, "new");
        assert_eq!(next(&messages), ("new".to_owned(), false));
        close(&session, peer);
    }
}

#[test]
fn a_process_that_dies_between_handlers_gets_nothing_again() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    send_two(&mut peer, false);
    assert_eq!(next(&messages), ("one".to_owned(), false));
    assert_eq!(next(&messages), ("two".to_owned(), false));
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    let memory = kill(&memory, session, peer);
    let session = memory.open(&lasting(&broker));
    let (handler, messages) = marked();
    let subscribing = session.subscribe("in", at(mqttsession::protocol::QoS::ExactlyOnce), handler);
    let mut peer = connect_session(&session, &broker, true);
    ended(subscribing).unwrap();
    send_two(&mut peer, true);
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    peer.publish("in", 2, 3, "three");
    assert_eq!(next(&messages), ("three".to_owned(), false));
    close(&session, peer);
}

#[test]
fn an_acknowledgement_leaves_when_it_is_synced() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::Message);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    let before = bytes_out(&session);
    let syncs = memory.gate_syncs();
    peer.publish("in", 2, 7, "a");
    next(&messages);
    syncs.wait_for_arrival();
    eventually("it is written", || received(&memory) == [(7, Receiving::Handled)]);
    assert_eq!(bytes_out(&session), before, "it has not been synced");
    drop(syncs);
    peer.expect_pubrec(7);
    close(&session, peer);
}

fn options_of(broker: &ScriptedBroker, acknowledge: Acknowledge) -> Options {
    let mut options = lasting(broker);
    options.set_acknowledge(acknowledge);
    options
}

#[test]
fn what_is_acknowledged_on_receipt_is_recorded_before_its_handler() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let options = options_of(&broker, Acknowledge::OnReceipt);
    let (session, mut peer) = memory.connect(&broker, &options, false);
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    send_two(&mut peer, false);
    gate.wait_for_arrival();
    assert_eq!(received(&memory), [(1, Receiving::Handled)]);
    peer.expect_pubrec(1);
    let left = memory.kill();
    drop((gate, peer));
    session.close();
    let (session, mut peer) = left.connect(&broker, &options, true);
    let (handler, messages) = marked();
    let _at_once =
        session.subscribe("in", at(mqttsession::protocol::QoS::ExactlyOnce), handler).unwrap();
    send_two(&mut peer, true);
    assert_eq!(next(&messages), ("two".to_owned(), false), "and the first at most once");
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    close(&session, peer);
}

#[test]
fn on_receipt_too_what_cannot_be_recorded_comes_again() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let options = options_of(&broker, Acknowledge::OnReceipt);
    let (session, mut peer) = memory.connect(&broker, &options, false);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    memory.set_full(Some(Code::StoreFull));
    send_two(&mut peer, false);
    peer.expect_closed();
    memory.set_full(None);
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    send_two(&mut peer, true);
    assert_eq!(next(&messages), ("one".to_owned(), false));
    assert_eq!(next(&messages), ("two".to_owned(), false));
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    close(&session, peer);
}

#[test]
fn a_manual_acknowledgement_is_recorded_when_it_returns() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let options = options_of(&broker, Acknowledge::Manual);
    let (session, mut peer) = memory.connect(&broker, &options, false);
    let (sender, kept) = channel::<Acknowledgement>();
    let sender = Mutex::new(sender);
    let handler = move |message: &Message<'_>| {
        sender.lock().unwrap().send(message.acknowledgement()).unwrap();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    send_two(&mut peer, false);
    let (first, second) = (next(&kept), next(&kept));
    use Receiving::{Delivering, Handled};
    assert_eq!(received(&memory), [(1, Delivering), (2, Delivering)]);
    first.acknowledge().unwrap();
    assert_eq!(received(&memory), [(1, Handled), (2, Delivering)]);
    peer.expect_pubrec(1);
    memory.set_full(Some(Code::StoreFull));
    assert_eq!(second.acknowledge().unwrap_err().code(), Code::StoreFull);
    memory.set_full(None);
    peer.expect_pubrec(2);
    assert_eq!(received(&memory), [(1, Handled), (2, Handled)]);
    close(&session, peer);
}

#[test]
fn it_is_recorded_inside_the_handler_too() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let options = options_of(&broker, Acknowledge::Manual);
    let (session, mut peer) = memory.connect(&broker, &options, false);
    let (sender, recorded) = channel();
    let (sender, seen) = (Mutex::new(sender), memory.clone());
    let handler = move |message: &Message<'_>| {
        message.acknowledgement().acknowledge().unwrap();
        sender.lock().unwrap().send(received(&seen)).unwrap();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    send_two(&mut peer, false);
    use Receiving::Handled;
    assert_eq!(next(&recorded), [(1, Handled)]);
    assert_eq!(next(&recorded), [(1, Handled), (2, Handled)]);
    session.close();
}

#[test]
fn what_cannot_be_recorded_is_not_handled_and_comes_again() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::System);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    let events = events(&session);
    memory.set_full(Some(Code::StoreFull));
    send_two(&mut peer, false);
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    assert!(matches!(next(&events), Event::Lost(why) if why.code() == Code::StoreFull));
    peer.expect_closed();
    assert!(messages.try_recv().is_err());
    memory.set_full(None);
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    send_two(&mut peer, true);
    assert_eq!(next(&messages), ("one".to_owned(), false));
    assert_eq!(next(&messages), ("two".to_owned(), false));
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    close(&session, peer);
}

#[test]
fn what_waits_behind_a_message_that_cannot_be_recorded_does_not_overtake_it() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::System);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    let (gate, holding) = gated();
    subscribe(&session, &mut peer, "gate", holding);
    grants_are_on_record(&memory, 2);
    peer.publish("gate", 0, 0, "");
    gate.wait_for_arrival();
    for (packet_id, payload) in [(1, "one"), (2, "two")] {
        peer.publish("in", 2, packet_id, payload);
        eventually("it has come", || session.statistics().received == 1 + u64::from(packet_id));
    }
    // The disk has room again before it is the second one's turn.
    memory.fill_once(Code::StoreFull);
    drop(gate);
    peer.expect_closed();
    assert!(messages.try_recv().is_err());
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    send_two(&mut peer, true);
    assert_eq!(next(&messages), ("one".to_owned(), false));
    assert_eq!(next(&messages), ("two".to_owned(), false));
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    close(&session, peer);
}

#[test]
fn what_waits_for_a_handler_comes_again_once_too() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::System);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler.clone());
    grants_are_on_record(&memory, 1);
    peer.publish("early", 2, 1, "nobody's");
    eventually("it has come", || session.statistics().received == 1);
    memory.fill_once(Code::StoreFull);
    peer.publish("in", 2, 2, "two");
    peer.expect_closed();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    let both = [wire::publish("early", 2, 1, "nobody's"), wire::publish("in", 2, 2, "two")];
    peer.send(&both.map(wire::duplicate).concat());
    assert_eq!(next(&messages), ("two".to_owned(), false));
    subscribe(&session, &mut peer, "early", handler);
    assert_eq!(next(&messages), ("nobody's".to_owned(), false));
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    close(&session, peer);
    assert!(messages.try_recv().is_err());
}

#[test]
fn messages_of_qos_0_and_1_need_no_record() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    let (handler, messages) = marked();
    subscribe(&session, &mut peer, "in", handler);
    memory.set_full(Some(Code::StoreFull));
    let both = [wire::publish("in", 0, 0, "zero"), wire::publish("in", 1, 1, "one")];
    peer.send(&both.concat());
    assert_eq!(next(&messages).0, "zero");
    assert_eq!(next(&messages).0, "one");
    peer.expect_puback(1);
    close(&session, peer);
}

#[test]
fn a_message_that_waited_for_its_handler_is_recorded_before_it() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    peer.publish("in", 2, 4, "early");
    eventually("it has come", || session.statistics().received == 1);
    let (gate, handler) = gated();
    let subscribing = session.subscribe("in", at(mqttsession::protocol::QoS::ExactlyOnce), handler);
    peer.accept_subscription("in");
    ended(subscribing).unwrap();
    gate.wait_for_arrival();
    assert_eq!(received(&memory), [(4, Receiving::Delivering)]);
    drop(gate);
    peer.expect_pubrec(4);
    assert_eq!(received(&memory), [(4, Receiving::Handled)]);
    close(&session, peer);
}

#[test]
fn those_that_are_recorded_come_one_by_one_and_the_others_together() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let (session, mut peer) = memory.connect(&broker, &lasting(&broker), false);
    let (handler, got) = taking();
    subscribe(&session, &mut peer, "in", handler);
    let others = [wire::publish("in", 1, 3, "three"), wire::publish("in", 0, 0, "four")];
    send_two(&mut peer, false);
    assert_eq!([one_of(&got), one_of(&got)].map(|one| one.payload().to_vec()), [b"one", b"two"]);
    peer.expect_pubrec(1);
    peer.expect_pubrec(2);
    peer.send(&others.concat());
    assert_eq!(lend_all(&mut run_of(&got)), ["three", "four"]);
    peer.expect_puback(3);
    close(&session, peer);
}
