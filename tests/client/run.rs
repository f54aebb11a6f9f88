//! Messages that are handed over together.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, Sender, channel},
};

use mqttsession::{
    client::{Failure, Handled, Handler, Message, Options, OwnedMessage, Run, RunHandler, Session},
    protocol::{Property, ReasonCode, Version},
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

/// What a handler got: a run, or one message as others get it.
pub(crate) enum Got {
    Run(Run),
    One(OwnedMessage),
}

struct Taking(Mutex<Sender<Got>>);

impl Handler for Taking {
    fn handle(&self, message: &Message<'_>) -> Handled {
        self.0.lock().unwrap().send(Got::One(message.keep())).unwrap();
        Handled::Done
    }

    fn run_handler(&self) -> Option<&dyn RunHandler> {
        Some(self)
    }
}

impl RunHandler for Taking {
    fn handle_run(&self, run: Run) {
        self.0.lock().unwrap().send(Got::Run(run)).unwrap();
    }
}

/// A handler that takes runs.
pub(crate) fn taking() -> (Arc<dyn Handler>, Receiver<Got>) {
    let (sender, got) = channel();
    (Arc::new(Taking(Mutex::new(sender))), got)
}

#[track_caller]
pub(crate) fn run_of(got: &Receiver<Got>) -> Run {
    match next(got) {
        Got::Run(run) => run,
        Got::One(message) => panic!("{message:?} came alone"),
    }
}

#[track_caller]
pub(crate) fn one_of(got: &Receiver<Got>) -> OwnedMessage {
    match next(got) {
        Got::Run(run) => panic!("{run:?}"),
        Got::One(message) => message,
    }
}

/// Lends all that are left; their payloads.
pub(crate) fn lend_all(run: &mut Run) -> Vec<String> {
    let mut payloads = Vec::new();
    while let Some(message) = run.lend() {
        payloads.push(String::from_utf8_lossy(message.payload()).into_owned());
        run.settle(Handled::Done);
    }
    payloads
}

fn three(qos: u8) -> Vec<u8> {
    let publish = |id: u16| wire::publish("in", qos, id, id.to_string());
    [publish(1), publish(2), publish(3)].concat()
}

#[track_caller]
fn subscribed(options: &Options, broker: &ScriptedBroker) -> (Session, Peer, Receiver<Got>) {
    let (session, mut peer) = connect(broker, options);
    let (handler, got) = taking();
    subscribe(&session, &mut peer, "in", handler);
    (session, peer, got)
}

#[test]
fn what_was_read_together_is_one_run() {
    for qos in 0..=2 {
        let broker = ScriptedBroker::start();
        let (_session, mut peer, got) = subscribed(&options(&broker), &broker);
        peer.send(&three(qos));
        let mut run = run_of(&got);
        assert_eq!(run.len(), 3);
        {
            let first = run.lend().unwrap();
            assert_eq!((first.topic(), first.payload()), ("in", &b"1"[..]));
            assert_eq!((first.qos() as u8, first.retain(), first.duplicate()), (qos, false, false));
        }
        assert_eq!(lend_all(&mut run), ["2", "3"]);
        assert!(run.is_empty() && run.lend().is_none());
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_settled_and_reported() {
    let broker = ScriptedBroker::start();
    let (session, mut peer, got) = subscribed(&options(&broker), &broker);
    peer.send(&three(1));
    let mut run = run_of(&got);
    run.lend().unwrap();
    run.report();
    assert!(peer.fence().is_empty(), "acknowledged while it was being handled");
    run.settle(Handled::Done);
    assert_eq!(run.unreported(), 1);
    run.report();
    assert_eq!(run.unreported(), 0);
    peer.expect_puback(1);
    run.lend().unwrap();
    run.settle(Handled::Done);
    run.lend().unwrap();
    drop(run);
    // What was settled is reported; what was only lent stays unacknowledged.
    peer.expect_puback(2);
    assert!(peer.fence().is_empty(), "acknowledged what had not been handled");
    assert_eq!(session.statistics().unacknowledged, 1);
}

#[test]
fn at_qos_2_too() {
    let broker = ScriptedBroker::start();
    let (_session, mut peer, got) = subscribed(&options(&broker), &broker);
    peer.send(&three(2));
    lend_all(&mut run_of(&got));
    (1..=3).for_each(|id| drop(peer.expect_pubrec(id)));
    (1..=3).for_each(|id| peer.send(&wire::pubrel(id)));
    (1..=3).for_each(|id| drop(peer.expect_pubcomp(id)));
}

#[test]
fn one_that_is_settled_twice_counts_once() {
    let broker = ScriptedBroker::start();
    let (session, mut peer, got) = subscribed(&options(&broker), &broker);
    peer.send(&three(1));
    let mut run = run_of(&got);
    run.settle(Handled::Done);
    run.lend().unwrap();
    (0..5).for_each(|_| run.settle(Handled::Done));
    run.report();
    peer.expect_puback(1);
    assert_eq!(session.statistics().incoming_messages, 2);
    drop(run);
    assert_eq!(session.statistics().incoming_messages, 0);
}

#[test]
fn a_failed_one_becomes_what_the_options_say() {
    let of = |failure| {
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        options.set_version(Version::V5);
        options.set_on_failure(failure).unwrap();
        let (session, mut peer, got) = subscribed(&options, &broker);
        let publish = |id: u16| wire::v5::publish("in", 1, id, &[], "");
        peer.send(&[publish(1), publish(2)].concat());
        let mut run = run_of(&got);
        run.lend().unwrap();
        run.settle(Handled::Failed);
        run.lend().unwrap();
        run.settle(Handled::Done);
        run.report();
        (broker, session, peer, run)
    };
    let (_broker, _session, mut peer, _run) = of(Failure::Acknowledge);
    peer.expect_puback(1);
    peer.expect_puback(2);
    let (_broker, _session, mut peer, _run) = of(Failure::Refuse(ReasonCode::QuotaExceeded));
    assert_eq!(peer.expect_puback(1).reason, 0x97);
    peer.expect_puback(2);
    // Acknowledgements keep the order of the messages.
    let (_broker, _session, mut peer, _run) = of(Failure::Leave);
    assert!(peer.fence().is_empty(), "the one that failed was acknowledged, or overtaken");
}

#[test]
fn each_keeps_its_place_until_it_is_reported() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_incoming_limit(3, 1 << 20).unwrap();
    let (session, mut peer, got) = subscribed(&options, &broker);
    peer.send(&three(0));
    let mut run = run_of(&got);
    eventually("the batch has gone", || session.statistics().incoming_messages == 3);
    // So a fourth is not read.
    peer.publish("in", 0, 0, "4");
    lend_all(&mut run);
    assert_eq!(session.statistics().incoming_messages, 3);
    assert!(got.try_recv().is_err());
    run.report();
    assert_eq!(lend_all(&mut run_of(&got)), ["4"]);
    drop(run);
    eventually("every place is free", || {
        let statistics = session.statistics();
        statistics.incoming_messages == 0 && statistics.incoming_bytes == 0
    });
}

#[test]
fn several_topics_of_one_filter_are_one_run_and_another_handler_s_are_not_in_it() {
    let (_broker, session, mut peer) = connected();
    let ((handler, got), (other, others)) = (taking(), taking());
    subscribe(&session, &mut peer, "a/#", handler);
    subscribe(&session, &mut peer, "b/#", other);
    let topics = ["a/1", "a/2", "a/1", "b/1", "a/2", "a/2"];
    let numbered = topics.iter().enumerate();
    peer.send(
        &numbered.flat_map(|(n, t)| wire::publish(t, 0, 0, n.to_string())).collect::<Vec<_>>(),
    );
    assert_eq!(lend_all(&mut run_of(&got)), ["0", "1", "2"]);
    assert_eq!(lend_all(&mut run_of(&others)), ["3"]);
    assert_eq!(lend_all(&mut run_of(&got)), ["4", "5"]);
}

#[test]
fn what_two_subscriptions_want_comes_one_by_one_and_in_order() {
    let (_broker, session, mut peer) = connected();
    let ((handler, got), (both, messages)) = (taking(), collect());
    subscribe(&session, &mut peer, "+", handler);
    subscribe(&session, &mut peer, "shared", both);
    let topics = ["own", "shared", "own"];
    peer.send(&topics.iter().flat_map(|t| wire::publish(t, 0, 0, *t)).collect::<Vec<_>>());
    assert_eq!(lend_all(&mut run_of(&got)), ["own"]);
    assert_eq!(one_of(&got).topic(), "shared");
    assert_eq!(lend_all(&mut run_of(&got)), ["own"]);
    assert_eq!(payloads(&messages, 1), ["shared"]);
}

#[test]
fn a_subscription_that_has_ended_gets_none() {
    let (_broker, session, mut peer) = connected();
    let (handler, got) = taking();
    let (gate, held) = gated();
    subscribe(&session, &mut peer, "first", held);
    subscribe(&session, &mut peer, "in", handler);
    peer.send(&[wire::publish("first", 0, 0, ""), three(1)].concat());
    gate.wait_for_arrival();
    session.unsubscribe("in").unwrap();
    peer.expect_unsubscribe();
    gate.let_one_pass();
    // Nobody wants them any more.
    (1..=3).for_each(|id| drop(peer.expect_puback(id)));
    assert!(got.try_recv().is_err());
}

#[test]
fn it_is_the_same_whether_copied_or_shared() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    for size in [0, 1, 1000, 5000, 100_000] {
        let (_session, mut peer, got) = subscribed(&options, &broker);
        let message = |number: u8| {
            // A message without properties, one with, and one without a payload.
            let properties: &[u8] = if number == 1 { &[0x03, 0, 1, b'x'] } else { &[] };
            let length = if number == 2 { 0 } else { size };
            wire::v5::publish("in", 0, 0, properties, vec![number; length])
        };
        peer.send(&(0..4).flat_map(message).collect::<Vec<_>>());
        let mut seen = 0;
        while seen < 4 {
            let mut run = run_of(&got);
            while let Some(message) = run.lend() {
                let length = if seen == 2 { 0 } else { size };
                assert_eq!(message.payload(), vec![seen; length]);
                let content_type =
                    message.properties().iter().find_map(|property| match property {
                        Property::ContentType(text) => Some(text),
                        _ => None,
                    });
                assert_eq!(content_type, (seen == 1).then_some("x"));
                run.settle(Handled::Done);
                seen += 1;
            }
        }
    }
}

#[test]
fn it_outlives_its_session_and_its_connection() {
    let broker = ScriptedBroker::start();
    let (session, mut peer, got) = subscribed(&lasting(&broker), &broker);
    peer.send(&three(1));
    let mut run = run_of(&got);
    drop(peer);
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    // Acknowledged there, it would be another message.
    assert_eq!(lend_all(&mut run), ["1", "2", "3"]);
    run.report();
    assert!(peer.fence().is_empty(), "acknowledged on another connection");
    peer.send(&three(1));
    let mut run = run_of(&got);
    let served = serve(peer);
    session.close();
    drop(session);
    assert_eq!(lend_all(&mut run), ["1", "2", "3"]);
    drop(run);
    served.join().unwrap();
}

#[test]
fn a_panic_leaves_what_was_not_settled() {
    struct Panicking;
    impl Handler for Panicking {
        fn handle(&self, _: &Message<'_>) -> Handled {
            Handled::Done
        }
        fn run_handler(&self) -> Option<&dyn RunHandler> {
            Some(self)
        }
    }
    impl RunHandler for Panicking {
        fn handle_run(&self, mut run: Run) {
            run.lend().unwrap();
            run.settle(Handled::Done);
            run.lend().unwrap();
            panic!("with the second");
        }
    }
    let (_broker, session, mut peer) = connected();
    subscribe(&session, &mut peer, "in", Arc::new(Panicking));
    peer.send(&three(1));
    peer.expect_puback(1);
    assert!(peer.fence().is_empty());
    eventually("every place is free", || session.statistics().incoming_messages == 0);
    assert_eq!(session.statistics().unacknowledged, 2);
}

#[test]
fn the_callback_scope_is_for_what_calls_back() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    let (entered, entries) = channel();
    let entered = Mutex::new(entered);
    options.set_callback_scope(Some(Arc::new(move |run: &mut dyn FnMut()| {
        entered.lock().unwrap().send(()).unwrap();
        run();
    })));
    let (session, mut peer) = connect(&broker, &options);
    let ((handler, got), (one, messages)) = (taking(), collect());
    subscribe(&session, &mut peer, "in", handler);
    subscribe(&session, &mut peer, "one", one);
    while entries.try_recv().is_ok() {}
    peer.send(&three(0));
    assert_eq!(lend_all(&mut run_of(&got)).len(), 3);
    assert!(entries.try_recv().is_err(), "entered for a run");
    peer.send(&[three(0), wire::publish("one", 0, 0, "one")].concat());
    assert_eq!(lend_all(&mut run_of(&got)).len(), 3);
    assert_eq!(payloads(&messages, 1), ["one"]);
    next(&entries);
}
