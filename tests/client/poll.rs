//! Callbacks on the program's own thread, when it polls.

use std::{sync::Arc, thread, time::Duration};

use mqttsession::{
    client::{Completion, Dispatch, Event, Message, Session},
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

fn polled() -> (ScriptedBroker, Session, Peer) {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled);
    let (session, peer) = connect(&broker, &options);
    (broker, session, peer)
}

#[track_caller]
fn poll(session: &Session, limit: usize) -> usize {
    session.poll(Some(DEADLINE), limit).unwrap()
}

/// Whether the descriptor is readable now.
#[cfg(unix)]
fn readable(session: &Session) -> bool {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fd::BorrowedFd,
    };
    let descriptor = session.descriptor().unwrap();
    // SAFETY: the descriptor belongs to the session, which outlives this function.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let mut descriptors = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut descriptors, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

#[test]
fn callbacks_run_where_poll_is_called_and_the_limit_is_kept() {
    let (_broker, session, mut peer) = polled();
    let (sender, threads) = std::sync::mpsc::channel();
    let handler = move |_: &Message<'_>| sender.send(thread::current().id()).unwrap();
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    let messages: Vec<u8> = (1..=10).flat_map(|id| wire::publish("in", 1, id, "")).collect();
    peer.send(&messages);
    assert!(peer.fence().is_empty(), "acknowledged before it was polled");
    assert_eq!([poll(&session, 3), poll(&session, 3), poll(&session, 100)], [3, 3, 4]);
    assert_eq!(session.poll(Some(Duration::ZERO), 100).unwrap(), 0);
    assert!(threads.try_iter().all(|thread| thread == thread::current().id()));
    (1..=10).for_each(|id| drop(peer.expect_puback(id)));
}

#[test]
fn it_waits_for_the_first_callback() {
    let (_broker, session, mut peer) = polled();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let poller = session.clone();
    let polling = thread::spawn(move || poller.poll(None, 1));
    peer.publish("in", 0, 0, "");
    assert_eq!(polling.join().unwrap().unwrap(), 1);
    next(&messages);
}

#[test]
fn inside_a_callback_and_on_a_second_thread_it_is_busy() {
    let (_broker, session, mut peer) = polled();
    let (gate, threshold) = gate();
    let (sender, codes) = std::sync::mpsc::channel();
    let caller = session.clone();
    let handler = move |_: &Message<'_>| {
        sender.send(caller.poll(Some(Duration::ZERO), 1).unwrap_err().code()).unwrap();
        threshold.pass();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    let poller = session.clone();
    let polling = thread::spawn(move || poller.poll(None, 1));
    assert_eq!(next(&codes), Code::Busy);
    gate.wait_for_arrival();
    assert_eq!(session.poll(None, 1).unwrap_err().code(), Code::Busy);
    gate.let_one_pass();
    assert_eq!(polling.join().unwrap().unwrap(), 1);
}

#[test]
fn of_two_threads_that_wait_one_is_busy() {
    let (_broker, session, _peer) = polled();
    let polling = [(); 2].map(|()| {
        let poller = session.clone();
        thread::spawn(move || poller.poll(Some(DEADLINE), 1).map_err(|error| error.code()))
    });
    eventually("one of them is sent away", || polling.iter().any(|thread| thread.is_finished()));
    session.flush().unwrap().on_end(drop);
    let mut results = polling.map(|thread| thread.join().unwrap());
    results.sort_by_key(Result::is_err);
    assert_eq!(results, [Ok(1), Err(Code::Busy)]);
}

#[test]
fn another_dispatch_cannot_be_polled() {
    let (_broker, session, _peer) = connected();
    assert_eq!(session.poll(None, 1).unwrap_err().code(), Code::NotSupported);
    #[cfg(unix)]
    assert_eq!(session.descriptor().unwrap_err().code(), Code::NotSupported);
}

#[test]
#[cfg(unix)]
fn the_descriptor_is_readable_while_something_is_queued() {
    let (_broker, session, mut peer) = polled();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    while session.poll(Some(Duration::ZERO), 100).unwrap() > 0 {}
    for _ in 0..3 {
        assert!(!readable(&session));
        peer.publish("in", 0, 0, "a");
        peer.publish("in", 0, 0, "b");
        eventually("both are queued", || session.statistics().incoming_messages == 2);
        assert!(readable(&session));
        assert_eq!(poll(&session, 1), 1);
        assert!(readable(&session), "one is left");
        assert_eq!(poll(&session, 1), 1);
        assert_eq!(payloads(&messages, 2), ["a", "b"]);
    }
}

#[test]
#[cfg(unix)]
fn what_was_queued_before_the_descriptor_was_asked_for_makes_it_readable() {
    let (_broker, session, mut peer) = polled();
    subscribe(&session, &mut peer, "in", ignore());
    peer.publish("in", 0, 0, "");
    assert!(peer.fence().is_empty());
    eventually("it is queued", || session.statistics().incoming_messages == 1);
    assert!(readable(&session));
}

#[test]
fn waiting_calls_end_although_nobody_polls() {
    let (_broker, session, mut peer) = polled();
    subscribe(&session, &mut peer, "in", ignore());
    let served = serve(peer);
    let number = publish(&session, "out", QoS::ExactlyOnce, "");
    session.wait(number, Some(DEADLINE)).unwrap();
    ended(session.flush()).unwrap();
    ended(session.unsubscribe("in")).unwrap();
    let (sender, called) = std::sync::mpsc::channel();
    let completion = Some(Completion::new(move |_, _| sender.send(()).unwrap()));
    let told = mqttsession::client::PublishOptions { completion, ..Default::default() };
    session.publish("out", b"".into(), told).unwrap();
    // Its completion waits to be polled, by this very thread.
    let farewell =
        mqttsession::client::DisconnectOptions { drain: DEADLINE * 2, ..Default::default() };
    assert_eq!(ended(session.disconnect(farewell)).unwrap(), 0);
    served.join().unwrap();
    while session.poll(Some(Duration::ZERO), 100).unwrap() > 0 {}
    next(&called);
}

#[test]
fn the_events_of_a_session_that_nobody_polls_are_bounded() {
    const OVERSIZED: u64 = 3000;
    const KEPT: u64 = 1000;

    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled).set_maximum_packet_size(20).unwrap();
    let session = Session::new(&options).unwrap();
    let events = events(&session);
    let connecting = session.connect();
    let mut peer = broker.accept_session();
    ended(connecting).unwrap();
    // Each is an event: a topic alone is larger than what the session takes.
    let topic = |number: u64| format!("{number:020}");
    let messages: Vec<u8> =
        (1..=OVERSIZED).flat_map(|number| wire::publish(&topic(number), 0, 0, "")).collect();
    peer.send(&messages);
    assert!(peer.fence().is_empty());
    eventually("all have come", || session.statistics().incoming_set_aside == OVERSIZED);
    while session.poll(Some(Duration::ZERO), 100).unwrap() > 0 {}
    let events: Vec<Event> = events.try_iter().collect();
    let dropped = session.statistics().events_dropped;
    assert_eq!((events.len() as u64, dropped), (KEPT, OVERSIZED + 2 - KEPT));
    // The last of each kind is there: what state the session has, and the latest of its messages.
    assert!(matches!(events[..2], [Event::Connecting, Event::Connected(_)]));
    let Some(Event::SetAside(last)) = events.last() else { panic!("another event came last") };
    assert_eq!(last.topic, Some(topic(OVERSIZED)));
}

#[test]
fn close_runs_what_is_left_on_the_closing_thread() {
    let (_broker, session, mut peer) = polled();
    let (sender, threads) = std::sync::mpsc::channel();
    publish(&session, "out", QoS::AtLeastOnce, "");
    session.flush().unwrap().on_end(move |_| sender.send(thread::current().id()).unwrap());
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    let served = serve(peer);
    session.close();
    served.join().unwrap();
    assert_eq!(next(&threads), thread::current().id());
    assert_eq!(session.poll(None, 1).unwrap(), 0, "a closed session has nothing to wait for");
}
