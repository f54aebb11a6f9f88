//! The life of a handler: called while it is wanted, let go of once, on a callback thread.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

use mqttsession::{
    client::{Dispatch, Handled, Handler, Message, Session},
    protocol::QoS,
};
use mqttsession_tests::{
    property,
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
    wire,
};

use crate::support::*;

#[test]
fn replaced() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    subscribe(&session, &mut peer, "in", handler);
    subscribe(&session, &mut peer, "in", ignore());
    assert_dropped_there(&dropped);
}

#[test]
fn replaced_filter_by_filter() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    let filters = [("a", at(QoS::AtMostOnce)), ("b", at(QoS::AtMostOnce))];
    session.subscribe_many(&filters, Default::default(), handler).unwrap();
    let id = peer.expect_subscribe().id;
    peer.suback(id, &[0, 0]);
    subscribe(&session, &mut peer, "a", ignore());
    assert!(dropped.try_recv().is_err(), "it still has a filter");
    subscribe(&session, &mut peer, "b", ignore());
    assert_dropped_there(&dropped);
}

#[test]
fn unsubscribed() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    subscribe(&session, &mut peer, "in", handler);
    session.unsubscribe("in").unwrap();
    assert_dropped_there(&dropped);
    peer.expect_unsubscribe();
}

#[test]
fn refused_by_the_broker() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    let subscribing = session.subscribe("in", at(QoS::AtMostOnce), handler);
    let id = peer.expect_subscribe().id;
    peer.suback(id, &[0x80]);
    ended(subscribing).unwrap_err();
    assert_dropped_there(&dropped);
}

#[test]
fn refused_in_part_and_replaced_for_the_rest() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    let filters = [("a", at(QoS::AtMostOnce)), ("b", at(QoS::AtMostOnce))];
    let subscribing = session.subscribe_many(&filters, Default::default(), handler);
    let first = peer.expect_subscribe().id;
    session.subscribe("a", at(QoS::AtMostOnce), ignore()).unwrap();
    let second = peer.expect_subscribe().id;
    peer.suback(first, &[0, 0x80]);
    peer.suback(second, &[0]);
    ended(subscribing).unwrap();
    assert_dropped_there(&dropped);
}

#[test]
fn refused_by_the_session() {
    let broker = ScriptedBroker::start();
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled, Dispatch::Inline] {
        let (session, peer) = connect_with(&broker, dispatch);
        let served = serve(peer);
        session.close();
        served.join().unwrap();
        let (handler, dropped) = mortal();
        assert!(session.subscribe("in", at(QoS::AtMostOnce), handler).is_err());
        // By the thread that ran the last callbacks, if it has not gone yet.
        next(&dropped);
        assert!(dropped.recv().is_err(), "dropped twice");
    }
}

#[test]
fn the_session_closes() {
    let (_broker, session, mut peer) = connected();
    let (handler, dropped) = mortal();
    subscribe(&session, &mut peer, "in", handler);
    let served = serve(peer);
    session.close();
    let thread = dropped.try_recv().expect("it should be gone when close returns");
    assert!(thread.starts_with("mqtt-callback"), "dropped by {thread}");
    served.join().unwrap();
}

#[test]
fn the_session_is_dropped() {
    let broker = ScriptedBroker::start();
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        let mut options = options(&broker);
        options.set_dispatch(dispatch);
        let (session, mut peer) = connect(&broker, &options);
        let (handler, dropped) = mortal();
        subscribe(&session, &mut peer, "in", handler);
        peer.publish("in", 0, 0, "nobody polls for this one");
        assert!(peer.fence().is_empty());
        drop(session);
        peer.expect_disconnect();
        drop(peer);
        assert_dropped_there(&dropped);
    }
}

#[test]
fn never_connected() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let (handler, dropped) = mortal();
    session.subscribe("in", at(QoS::AtMostOnce), handler).unwrap();
    drop(session);
    assert_dropped_there(&dropped);
}

#[test]
fn unsubscribing_outside_a_callback_waits_for_the_running_call() {
    let (_broker, session, mut peer) = connected();
    let (gate, threshold) = gate();
    let running = Arc::new(AtomicUsize::new(0));
    let handler = {
        let running = running.clone();
        move |_: &Message<'_>| {
            running.store(1, Ordering::SeqCst);
            threshold.pass();
            running.store(0, Ordering::SeqCst);
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    gate.wait_for_arrival();
    let unsubscribing = thread::spawn({
        let session = session.clone();
        move || {
            session.unsubscribe("in").unwrap();
            running.load(Ordering::SeqCst)
        }
    });
    // The request leaves before the call waits for the handler.
    peer.expect_unsubscribe();
    gate.let_one_pass();
    assert_eq!(unsubscribing.join().unwrap(), 0, "a call was running");
}

#[test]
fn after_unsubscribing_no_queued_message_reaches_the_handler() {
    let (_broker, session, mut peer) = connected();
    let (gate, threshold) = gate();
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (session, calls) = (session.clone(), calls.clone());
        move |_: &Message<'_>| {
            threshold.pass();
            calls.fetch_add(1, Ordering::SeqCst);
            session.unsubscribe("in").unwrap();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    (0..10).for_each(|_| peer.publish("in", 0, 0, ""));
    peer.publish("in", 1, 1, "acknowledged all the same");
    gate.wait_for_arrival();
    assert!(peer.fence().is_empty());
    gate.let_one_pass();
    peer.expect_unsubscribe();
    peer.expect_puback(1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn what_waits_for_a_replaced_handler_goes_to_the_new_one() {
    let (_broker, session, mut peer) = connected();
    let (gate, blocking) = gated();
    subscribe(&session, &mut peer, "other", blocking);
    let (old, old_messages) = collect();
    subscribe(&session, &mut peer, "in", old);
    peer.publish("other", 0, 0, "");
    gate.wait_for_arrival();
    peer.publish("in", 1, 1, "in between");
    assert!(peer.fence().is_empty());
    let (new, new_messages) = collect();
    subscribe(&session, &mut peer, "in", new);
    gate.let_one_pass();
    assert_eq!(payloads(&new_messages, 1), ["in between"]);
    peer.expect_puback(1);
    assert!(old_messages.try_recv().is_err());
}

#[test]
fn of_two_handlers_the_one_that_was_replaced_while_the_message_waited_has_its_successor_called() {
    let (_broker, session, mut peer) = connected();
    let (gate, blocking) = gated();
    subscribe(&session, &mut peer, "other", blocking);
    let (old, old_messages) = collect();
    subscribe(&session, &mut peer, "in", old);
    let (staying, staying_messages) = collect();
    subscribe(&session, &mut peer, "#", staying);
    peer.publish("other", 0, 0, "first");
    gate.wait_for_arrival();
    peer.publish("in", 1, 1, "in between");
    assert!(peer.fence().is_empty());
    let (new, new_messages) = collect();
    subscribe(&session, &mut peer, "in", new);
    gate.let_one_pass();
    assert_eq!(payloads(&new_messages, 1), ["in between"]);
    peer.expect_puback(1);
    assert_eq!(payloads(&staying_messages, 2), ["first", "in between"]);
    assert!(staying_messages.try_recv().is_err(), "it was called twice");
    assert!(old_messages.try_recv().is_err());
}

#[test]
fn a_copy_for_a_subscription_that_has_ended_reaches_nobody_else() {
    let (_broker, session, mut peer) = connected_v5();
    let (gate, blocking) = gated();
    subscribe(&session, &mut peer, "other", blocking);
    let (ending, ended_messages) = collect();
    let ended_identifier = subscribed(&session, &mut peer, "in", ending);
    let (staying, staying_messages) = collect();
    let identifier = subscribed(&session, &mut peer, "in/#", staying);
    peer.publish("other", 0, 0, "");
    gate.wait_for_arrival();
    // One copy for each of the overlapping subscriptions.
    for (id, identifier) in [(1, ended_identifier), (2, identifier)] {
        let properties = property::number("subscription-identifier", identifier);
        peer.send(&wire::v5::publish("in", 1, id, &properties, format!("{id}")));
    }
    assert!(peer.fence().is_empty());
    session.unsubscribe("in").unwrap();
    peer.expect_unsubscribe();
    gate.let_one_pass();
    peer.expect_puback(1);
    peer.expect_puback(2);
    assert_eq!(payloads(&staying_messages, 1), ["2"]);
    assert!(staying_messages.try_recv().is_err(), "it got the other copy, too");
    assert!(ended_messages.try_recv().is_err());
}

/// Subscribes, and the answer is the identifier that the session gave.
#[track_caller]
fn subscribed(session: &Session, peer: &mut Peer, filter: &str, handler: Arc<dyn Handler>) -> u32 {
    let subscribing = session.subscribe(filter, at(QoS::ExactlyOnce), handler).unwrap();
    let subscribe = peer.expect_subscribe();
    peer.suback(subscribe.id, &[2]);
    subscribing.wait(Some(DEADLINE)).unwrap();
    subscribe.properties.number("subscription-identifier").expect("the session gives one")
}

#[test]
fn close_returns_after_the_last_callback() {
    let (_broker, session, mut peer) = connected();
    let (gate, threshold) = gate();
    let done = Arc::new(AtomicUsize::new(0));
    let handler = {
        let done = done.clone();
        move |_: &Message<'_>| {
            threshold.pass();
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    gate.wait_for_arrival();
    let closing = thread::spawn(move || {
        session.close();
        done.load(Ordering::SeqCst)
    });
    peer.expect_disconnect();
    drop(peer);
    gate.let_one_pass();
    assert_eq!(closing.join().unwrap(), 1, "close returned before the callback");
}

#[test]
fn a_panic_ends_the_call_only() {
    let (_broker, session, mut peer) = connected();
    let (sender, calls) = channel();
    let handler = move |message: &Message<'_>| {
        sender.send(()).unwrap();
        assert_ne!(message.payload(), b"panic", "a panic that the test wants");
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 1, 1, "panic");
    peer.publish("in", 1, 2, "go on");
    next(&calls);
    next(&calls);
    peer.expect_puback(1);
    peer.expect_puback(2);
}

#[test]
fn a_panic_while_it_is_dropped_hurts_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("a panic that the test wants");
            }
        }
    }
    let (_broker, session, mut peer) = connected();
    let bomb = Bomb;
    let handler = move |_: &Message<'_>| {
        let _held = &bomb;
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    next(&messages);
}

#[test]
fn every_matching_handler_is_called_once_in_the_order_of_subscribing() {
    struct Named(&'static str, Mutex<std::sync::mpsc::Sender<&'static str>>);
    impl Handler for Named {
        fn handle(&self, _: &Message<'_>) -> Handled {
            self.1.lock().unwrap().send(self.0).unwrap();
            Handled::Done
        }
    }
    let (_broker, session, mut peer) = connected();
    let (sender, names) = channel();
    for filter in ["a/+", "#", "a/b", "other"] {
        let handler = Named(filter, Mutex::new(sender.clone()));
        subscribe(&session, &mut peer, filter, Arc::new(handler));
    }
    peer.publish("a/b", 0, 0, "");
    assert_eq!([next(&names), next(&names), next(&names)], ["a/+", "#", "a/b"]);
    peer.publish("$SYS/x", 0, 0, "");
    peer.publish("other", 0, 0, "");
    assert_eq!([next(&names), next(&names)], ["#", "other"]);
}

#[test]
fn after_close_inside_a_handler_no_further_one_is_called_or_acknowledged() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (calls, called) = std::sync::mpsc::channel();
    let closing = session.clone();
    let handler = move |_: &Message<'_>| {
        closing.close();
        calls.send(()).unwrap();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    let messages: Vec<u8> = (1..=100).flat_map(|id| wire::publish("in", 1, id, b"")).collect();
    peer.send(&messages);
    next(&called);
    // The sender goes with the handler: nothing has come when it is gone.
    assert!(called.recv().is_err(), "called after close");
    let acknowledged =
        serve(peer).join().unwrap().iter().filter(|seen| matches!(seen, Seen::Puback(_))).count();
    assert!(acknowledged <= 1, "{acknowledged} were acknowledged that nobody had handled");
}
