//! Callbacks on the I/O thread: they run at once, and no call may wait there.

use std::sync::{
    Arc,
    mpsc::{Receiver, channel},
};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Dispatch, Event, Message, Options, PublishOptions, Session,
    },
    error::{Code, Result},
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

fn inline(broker: &ScriptedBroker) -> Options {
    let mut options = options(broker);
    options.set_dispatch(Dispatch::Inline);
    options
}

/// Has an inline handler make a call with each message; the results and the threads come back.
fn caller(
    options: &Options,
    broker: &ScriptedBroker,
    call: impl Fn(&Session) -> Result<()> + Send + Sync + 'static,
) -> (Session, Peer, Receiver<(Result<()>, String)>) {
    let (session, mut peer) = connect(broker, options);
    let (sender, results) = channel();
    let caller = session.clone();
    let handler = move |_: &Message<'_>| sender.send((call(&caller), thread_name())).unwrap();
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    (session, peer, results)
}

#[track_caller]
fn would_deadlock(call: impl Fn(&Session) -> Result<()> + Send + Sync + 'static) -> Peer {
    let broker = ScriptedBroker::start();
    let (session, peer, results) = caller(&inline(&broker), &broker, call);
    let (result, thread) = next(&results);
    assert_eq!(result.unwrap_err().code(), Code::WouldDeadlock);
    assert!(thread.starts_with("mqtt-io"), "it ran on {thread}");
    drop(session);
    peer
}

#[test]
fn every_call_that_would_wait_says_so_and_what_it_began_goes_on() {
    would_deadlock(|session| {
        let number = publish(session, "out", QoS::AtLeastOnce, "");
        session.wait(number, Some(DEADLINE)).map(drop)
    })
    .expect_publish();
    would_deadlock(|session| {
        ended(session.subscribe("other", at(QoS::AtMostOnce), ignore())).map(drop)
    })
    .expect_subscribe();
    would_deadlock(|session| ended(session.unsubscribe("in")).map(drop)).expect_unsubscribe();
    would_deadlock(|session| {
        publish(session, "out", QoS::AtLeastOnce, "");
        ended(session.flush())
    })
    .expect_publish();
    would_deadlock(|session| ended(session.disconnect(DisconnectOptions::default())).map(drop))
        .expect_disconnect();
}

#[test]
fn a_publish_at_the_limit_does_not_wait() {
    let broker = ScriptedBroker::start();
    let mut options = inline(&broker);
    options.set_outgoing_limit(1, 1 << 20).unwrap();
    let (_session, _peer, results) = caller(&options, &broker, |session| {
        publish(session, "out", QoS::AtLeastOnce, "");
        let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        session.publish("out", b"".into(), options).map(drop)
    });
    assert_eq!(next(&results).0.unwrap_err().code(), Code::WouldDeadlock);
}

#[test]
fn what_has_ended_can_be_asked_for() {
    let broker = ScriptedBroker::start();
    let (_session, mut peer, results) =
        caller(&inline(&broker), &broker, |session| session.wait(1, Some(DEADLINE)).map(drop));
    assert_eq!(next(&results).0.unwrap_err().code(), Code::UnknownMessage);
    publish(&_session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    peer.send(&[wire::puback(id), wire::publish("in", 0, 0, "")].concat());
    next(&results).0.unwrap();
}

#[test]
fn close_inside_a_callback_does_not_wait() {
    let broker = ScriptedBroker::start();
    let (session, mut peer, results) = caller(&inline(&broker), &broker, |session| {
        session.close();
        Ok(())
    });
    next(&results).0.unwrap();
    peer.expect_disconnect();
    drop(peer);
    session.close();
}

#[test]
fn completions_and_events_come_while_nothing_is_received() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&inline(&broker)).unwrap();
    let events = events(&session);
    let connecting = session.connect();
    assert!(matches!(next(&events), Event::Connecting));
    let mut peer = broker.accept_session();
    ended(connecting).unwrap();
    assert!(matches!(next(&events), Event::Connected(_)));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let (sender, ends) = channel();
        let completion = Some(Completion::new(move |number, _| sender.send(number).unwrap()));
        let options = PublishOptions { qos, completion, ..PublishOptions::default() };
        let number = session.publish("out", b"".into(), options).unwrap();
        let seen = peer.expect_publish();
        if qos == QoS::AtLeastOnce {
            peer.send(&wire::puback(seen.id));
        }
        assert_eq!(next(&ends), number);
    }
    peer.reset();
    assert!(matches!(next(&events), Event::Lost(_)));
    assert!(matches!(next(&events), Event::Retrying(_)));
}

#[test]
fn callbacks_of_a_session_that_was_never_connected_run() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&inline(&broker)).unwrap();
    let (handler, dropped) = mortal();
    session.subscribe("a", at(QoS::AtMostOnce), handler).unwrap();
    session.unsubscribe("a").unwrap();
    assert!(next(&dropped).starts_with("mqtt-io"));
}
