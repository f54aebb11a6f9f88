//! Calls at the wrong moment, or in the wrong place.

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use mqttsession::{
    client::{
        DisconnectOptions, Dispatch, Message, PublishOptions, QueuePolicy, Session, shutdown,
    },
    error::{Code, Result},
    protocol::{PropertyBlock, QoS, ReasonCode},
};
use mqttsession_tests::scripted::ScriptedBroker;

use super::assert_told;
use crate::support::*;

fn send(session: &Session) -> Result<()> {
    session.publish("a", b"".into(), PublishOptions::default()).map(drop)
}

#[test]
fn a_message_needs_a_connection() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let sentence =
        "The session is not connected; messages are accepted from the call of connect on";
    assert_told("fresh", send(&session), Code::NotConnected, sentence);
}

#[test]
fn a_session_that_is_being_disconnected_takes_nothing_more() {
    let (_broker, session, mut peer) = connected();
    publish(&session, "a", QoS::AtLeastOnce, "");
    peer.expect_publish();
    let drain = DEADLINE * 10;
    let _going = session.disconnect(DisconnectOptions { drain, ..Default::default() }).unwrap();
    let busy = "The session is being disconnected; wait until that has ended, then call again";
    assert_told("connect", session.connect().map(drop), Code::Busy, busy);
    let again = session.disconnect(DisconnectOptions::default()).map(drop);
    assert_told("disconnect", again, Code::Busy, busy);
    let sentence = "The session is being disconnected and accepts no more messages";
    assert_told("publish", send(&session), Code::NotConnected, sentence);
}

#[test]
fn a_closed_session_can_do_nothing() {
    let calls: &[fn(&Session) -> Result<()>] = &[
        |session| session.connect().map(drop),
        |session| session.disconnect(DisconnectOptions::default()).map(drop),
        |session| send(session),
        |session| session.try_publish("a", b"".into(), PublishOptions::default()).map(drop),
        |session| session.subscribe("a", at(QoS::AtMostOnce), ignore()).map(drop),
        |session| session.unsubscribe("a").map(drop),
        |session| session.unsubscribe_all().map(drop),
        |session| session.flush().map(drop),
        |session| session.set_event_handler(None),
    ];
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    session.close();
    for call in calls {
        assert_told("closed", call(&session), Code::Closed, "The session has been closed");
    }
}

#[test]
fn a_full_queue_says_how_to_wait() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_policy(QueuePolicy::Block).set_outgoing_limit(1, 1 << 20).unwrap();
    options.set_outgoing_wait(Duration::ZERO);
    let (session, _peer) = connect(&broker, &options);
    publish(&session, "a", QoS::AtLeastOnce, "");
    let more = || PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    let sentence = "The outgoing queue was full for as long as the call may wait; is the broker \
                    reachable and fast enough?";
    let waited = session.publish("a", b"".into(), more()).map(drop);
    assert_told("publish", waited, Code::QueueFull, sentence);
    let sentence =
        "The outgoing queue is full; wait until messages have ended, or set its limits higher";
    let tried = session.try_publish("a", b"".into(), more()).map(drop);
    assert_told("try_publish", tried, Code::QueueFull, sentence);
}

/// What a call gets that a callback makes.
fn told_in_callback(
    dispatch: Dispatch,
    call: fn(&Session, &Message<'_>) -> Result<()>,
) -> Result<()> {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect_with(&broker, dispatch);
    let (sender, results) = channel();
    let caller = session.clone();
    let handler = move |message: &Message<'_>| sender.send(call(&caller, message)).unwrap();
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 1, 1, "");
    next(&results)
}

/// A call inside a callback of this dispatch, its code and its sentence.
type Inside = (Dispatch, fn(&Session, &Message<'_>) -> Result<()>, Code, &'static str);

const INSIDE: &[Inside] = &[
    (
        Dispatch::Dispatched,
        |_, message| message.acknowledgement().refuse(ReasonCode::Success, PropertyBlock::new()),
        Code::InvalidArgument,
        "The reason of a refusal must be an error that PUBACK and PUBREC have, such as 0x80",
    ),
    (
        Dispatch::Polled,
        |session, _| session.poll(None, 1).map(drop),
        Code::Busy,
        "A callback cannot poll; call poll outside callbacks",
    ),
    (
        Dispatch::Inline,
        |session, _| {
            let number = publish(session, "a", QoS::AtLeastOnce, "");
            session.wait(number, None).map(drop)
        },
        Code::WouldDeadlock,
        "An inline callback cannot wait: it holds up the thread that would have to act; make the call \
         on another thread, or set another dispatch",
    ),
    (
        Dispatch::Inline,
        |session, _| {
            publish(session, "a", QoS::AtLeastOnce, "");
            session.flush()?.wait(None)
        },
        Code::WouldDeadlock,
        "An inline callback cannot wait: it holds up the thread that would have to act; make the call \
         on another thread, or set another dispatch",
    ),
    (
        Dispatch::Dispatched,
        |_, _| shutdown(None),
        Code::WouldDeadlock,
        "A callback cannot shut the library down: it would wait for itself; call it outside callbacks",
    ),
];

#[test]
fn a_callback_cannot_wait_for_itself() {
    for &(dispatch, call, code, sentence) in INSIDE {
        assert_told(sentence, told_in_callback(dispatch, call), code, sentence);
    }
}

#[test]
fn one_thread_polls_at_a_time() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect_with(&broker, Dispatch::Polled);
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    gate.wait_for_arrival();
    let second = session.poll(Some(Duration::ZERO), 1).map(drop);
    let sentence = "Another thread polls this session; one at a time can";
    assert_told("poll", second, Code::Busy, sentence);
}
