//! The callback threads: nobody starves, and a session's callbacks come one at a time, in order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

use mqttsession::{
    client::{Completion, Message, Outcome, PublishOptions},
    protocol::QoS,
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use crate::support::*;

#[test]
fn twenty_stuck_sessions_do_not_starve_the_next() {
    let broker = ScriptedBroker::start();
    let stuck: Vec<_> = (0..20)
        .map(|_| {
            let (session, mut peer) = connect(&broker, &options(&broker));
            let (gate, handler) = gated();
            subscribe(&session, &mut peer, "in", handler);
            (session, peer, gate)
        })
        .map(|(session, mut peer, gate)| {
            peer.publish("in", 0, 0, "");
            (session, peer, gate)
        })
        .collect();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    next(&messages);
    stuck.iter().for_each(|(_, _, gate)| gate.wait_for_arrival());
}

#[test]
fn two_sessions_that_get_work_at_the_same_time_do_not_wait_for_each_other() {
    let broker = ScriptedBroker::start();
    let mut pairs: Vec<_> = (0..2)
        .map(|_| {
            let (session, mut peer) = connect(&broker, &options(&broker));
            let (gate, handler) = gated();
            subscribe(&session, &mut peer, "in", handler);
            (session, peer, gate)
        })
        .collect();
    for _ in 0..20 {
        pairs.iter_mut().for_each(|(_, peer, _)| peer.publish("in", 0, 0, ""));
        pairs.iter().for_each(|(_, _, gate)| gate.wait_for_arrival());
        pairs.iter().for_each(|(_, _, gate)| gate.let_one_pass());
    }
}

#[test]
fn messages_of_one_session_come_in_order() {
    const COUNT: usize = 50_000;

    let (_broker, session, mut peer) = connected();
    let (sender, done) = channel();
    let expected = AtomicUsize::new(0);
    let handler = move |message: &Message<'_>| {
        let number = u64::from_be_bytes(message.payload().try_into().unwrap()) as usize;
        assert_eq!(number, expected.fetch_add(1, Ordering::SeqCst));
        if number == COUNT - 1 {
            sender.send(()).unwrap();
        }
    };
    subscribe(&session, &mut peer, "#", Arc::new(handler));
    for start in (0..COUNT).step_by(1000) {
        let many = (start..start + 1000).flat_map(|number| {
            let topic = if number % 3 == 0 { "a" } else { "b/c" };
            wire::publish(topic, 0, 0, (number as u64).to_be_bytes())
        });
        peer.send(&many.collect::<Vec<u8>>());
    }
    next(&done);
}

#[test]
fn one_callback_at_a_time_whatever_kind_it_is() {
    const EACH: usize = 500;
    const THREADS: usize = 8;

    let (_broker, session, peer) = connected();
    let (inside, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let alone = {
        let (inside, calls) = (inside.clone(), calls.clone());
        move || {
            assert!(!inside.swap(true, Ordering::SeqCst), "two callbacks at once");
            thread::yield_now();
            inside.store(false, Ordering::SeqCst);
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    let echo = thread::spawn(move || {
        let mut peer = peer;
        peer.serve_until(|seen| matches!(seen, mqttsession_tests::seen::Seen::Disconnect(_)))
    });
    for number in 0..THREADS {
        let alone = alone.clone();
        let handler = move |_: &Message<'_>| alone();
        ended(session.subscribe(&format!("{number}/#"), at(QoS::AtMostOnce), Arc::new(handler)))
            .unwrap();
    }
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for count in 0..EACH {
                    let alone = alone.clone();
                    let completion = Some(Completion::new(move |_, _: Outcome| alone()));
                    let qos = QOS[count % 3];
                    let options = PublishOptions { qos, completion, ..PublishOptions::default() };
                    session.publish("out", b"".into(), options).unwrap();
                }
            });
        }
    });
    ended(session.flush()).unwrap();
    session.close();
    echo.join().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), EACH * THREADS);
}
