//! Messages that are not sent in time: whoever waits is told when it happens, wherever the session
//! is just then. A lifetime is real time here, and short; how exactly it is kept, `tests/engine` shows.

use std::{sync::mpsc::channel, time::Duration};

use mqttsession::{
    client::{Completion, Dispatch, Options, Outcome, PublishOptions, QueuePolicy, Session, State},
    error::Code,
    protocol::{Property, PropertyBlock, QoS, Version},
};
use mqttsession_tests::{property, scripted::ScriptedBroker, wire};

use crate::support::*;

const SHORT: Duration = Duration::from_millis(100);

fn mortal(qos: QoS) -> PublishOptions {
    PublishOptions { qos, time_to_live: Some(SHORT), ..PublishOptions::default() }
}

/// That a message expires, by completion, wait, flush and count.
#[track_caller]
fn assert_expires(session: &Session, options: PublishOptions) {
    let before = session.statistics().expired;
    let (sender, ends) = channel();
    let completion = Some(Completion::new(move |_, outcome: Outcome| {
        sender.send(outcome.map(drop).map_err(|error| error.code())).unwrap();
    }));
    let options = PublishOptions { completion, ..options };
    let number = session.publish("out", b"mortal".into(), options).unwrap();
    assert_eq!(next(&ends), Err(Code::Expired));
    assert_eq!(session.wait(number, None).unwrap_err().code(), Code::Expired);
    ended(session.flush()).unwrap();
    assert_eq!(session.statistics().expired, before + 1);
    assert_eq!(session.statistics().outgoing_bytes, 0);
}

/// Nothing but the lifetime wakes it.
fn asleep(broker: &ScriptedBroker, version: Version) -> Options {
    let mut options = options(broker);
    options.set_version(version);
    options.set_keep_alive(Duration::ZERO).unwrap();
    options.set_reconnect_delay(100 * DEADLINE, 100 * DEADLINE).unwrap();
    options
}

#[test]
fn a_message_expires_in_the_pause_between_two_attempts() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline] {
        let broker = ScriptedBroker::start();
        let mut options = asleep(&broker, Version::V311);
        options.set_dispatch(dispatch);
        let (session, peer) = connect(&broker, &options);
        peer.close();
        eventually("it retries", || session.state() == State::Retrying);
        for qos in QOS {
            assert_expires(&session, mortal(qos));
        }
    }
}

#[test]
fn a_message_expires_while_the_broker_does_not_answer_connect() {
    let broker = ScriptedBroker::start();
    let mut options = asleep(&broker, Version::V311);
    options.set_connect_timeout(100 * DEADLINE).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    assert_expires(&session, mortal(QoS::AtLeastOnce));
    peer.connack(false, 0);
    ended(connecting).unwrap();
    assert!(peer.fence().is_empty(), "it was sent all the same");
}

#[test]
fn a_message_expires_while_the_session_rests_after_a_failed_attempt() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&asleep(&broker, Version::V311)).unwrap();
    let connecting = session.connect();
    let peer = broker.accept();
    // Long enough that the session rests before, whatever holds it up.
    let options =
        PublishOptions { time_to_live: Some(2 * Duration::from_secs(1)), ..mortal(QOS[1]) };
    let number = session.publish("out", b"".into(), options).unwrap();
    peer.close();
    ended(connecting).unwrap_err();
    assert_eq!(session.state(), State::Disconnected);
    let error = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(error.code(), Code::Expired);
}

#[test]
fn a_message_expires_behind_a_full_window() {
    let broker = ScriptedBroker::start();
    let mut options = asleep(&broker, Version::V311);
    options.set_in_flight_limit(1).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let first = publish(&session, "out", QoS::AtLeastOnce, "in flight");
    let number = session.publish("out", b"".into(), mortal(QoS::AtLeastOnce)).unwrap();
    let error = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(error.code(), Code::Expired);
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    session.wait(first, Some(DEADLINE)).unwrap();
    assert!(peer.fence().is_empty());
}

#[test]
fn the_options_say_it_for_all_and_a_publish_for_itself() {
    let broker = ScriptedBroker::start();
    let mut options = asleep(&broker, Version::V311);
    options.set_time_to_live(Some(SHORT)).unwrap();
    let (session, peer) = connect(&broker, &options);
    peer.close();
    eventually("it retries", || session.state() == State::Retrying);
    let longer = PublishOptions { time_to_live: Some(100 * DEADLINE), ..PublishOptions::default() };
    let kept = session.publish("out", b"".into(), longer).unwrap();
    let number = session.publish("out", b"".into(), PublishOptions::default()).unwrap();
    assert_eq!(session.wait(number, Some(DEADLINE)).unwrap_err().code(), Code::Expired);
    let still = session.wait(kept, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(still.code(), Code::Timeout);
}

#[test]
fn the_expiry_interval_counts_here_and_what_is_sent_carries_the_rest() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    let expiring = |seconds| {
        let mut properties = PropertyBlock::new();
        properties.push(Property::MessageExpiryInterval(seconds)).unwrap();
        PublishOptions { properties, ..PublishOptions::default() }
    };
    session.publish("out", b"".into(), expiring(1000)).unwrap();
    // A second passes here in any case.
    let number = session.publish("out", b"".into(), expiring(1)).unwrap();
    assert_eq!(session.wait(number, Some(DEADLINE)).unwrap_err().code(), Code::Expired);
    peer.connack(false, 0);
    ended(connecting).unwrap();
    let left = peer.expect_publish().properties.number("message-expiry-interval");
    assert!(left.is_some_and(|left| (500..1000).contains(&left)), "{left:?}");
    session.publish("out", b"".into(), expiring(1000)).unwrap();
    let sent = peer.expect_publish().properties;
    assert_eq!(sent.raw(), property::number("message-expiry-interval", 1000), "{sent:?}");
}

#[test]
fn an_expired_message_makes_room_for_a_waiting_publisher() {
    let broker = ScriptedBroker::start();
    let mut options = asleep(&broker, Version::V311);
    options.set_outgoing_policy(QueuePolicy::Block).set_outgoing_wait(DEADLINE);
    options.set_outgoing_limit(1, 1 << 20).unwrap();
    let (session, peer) = connect(&broker, &options);
    peer.close();
    eventually("it retries", || session.state() == State::Retrying);
    session.publish("out", b"".into(), mortal(QoS::AtLeastOnce)).unwrap();
    let second = publish(&session, "out", QoS::AtLeastOnce, "waited for room");
    assert_eq!((second, session.statistics().expired), (2, 1));
}
