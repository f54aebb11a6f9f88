//! Disconnecting: what was accepted leaves first, within the time that it is given.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use mqttsession::{
    client::{Completion, DisconnectOptions, Outcome, PublishOptions, Session, State},
    error::Code,
    protocol::{Property, PropertyBlock, QoS, ReasonCode},
};
use mqttsession_tests::{scripted::ScriptedBroker, seen::Seen, wire};

use crate::support::*;

fn drain(drain: Duration) -> DisconnectOptions {
    DisconnectOptions { drain, ..DisconnectOptions::default() }
}

#[test]
fn everything_accepted_ends_before_disconnect_is_sent() {
    let (_broker, session, peer) = connected();
    for qos in QOS.repeat(50) {
        publish(&session, "out", qos, "");
    }
    let disconnecting = session.disconnect(DisconnectOptions::default());
    let seen = serve(peer).join().unwrap();
    assert_eq!(ended(disconnecting).unwrap(), 0);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Publish(_))).count(), 150);
    assert_eq!(session.state(), State::Disconnected);
    assert!(session.last_error().is_none());
}

#[test]
fn completions_have_been_called_before_it_ends() {
    let (_broker, session, peer) = connected();
    let served = serve(peer);
    let (gate, threshold) = gate();
    let completion = Some(Completion::new(move |_, _: Outcome| threshold.pass()));
    let options = PublishOptions { qos: QoS::AtLeastOnce, completion, ..PublishOptions::default() };
    session.publish("out", b"".into(), options).unwrap();
    gate.wait_for_arrival();
    let disconnecting = session.disconnect(drain(DEADLINE)).unwrap();
    IoFence::new().pass();
    assert!(!served.is_finished(), "it did not wait for the completion");
    gate.let_one_pass();
    assert_eq!(disconnecting.wait(Some(DEADLINE)).unwrap(), 0);
    served.join().unwrap();
}

#[test]
fn what_does_not_end_in_time_is_cancelled_and_counted() {
    let (_broker, session, mut peer) = connected();
    let numbers = [(); 3].map(|()| publish(&session, "out", QoS::AtLeastOnce, ""));
    let disconnecting = session.disconnect(drain(Duration::ZERO));
    numbers.iter().for_each(|_| drop(peer.expect_publish()));
    peer.expect_disconnect();
    drop(peer);
    assert_eq!(ended(disconnecting).unwrap(), 3);
    for number in numbers {
        assert_eq!(session.wait(number, None).unwrap_err().code(), Code::Cancelled);
    }
}

#[test]
fn meanwhile_nothing_is_accepted_and_a_second_one_is_busy() {
    let (_broker, session, mut peer) = connected();
    publish(&session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    let disconnecting = session.disconnect(drain(DEADLINE));
    let busy = session.disconnect(drain(DEADLINE)).err().map(|error| error.code());
    assert_eq!(busy, Some(Code::Busy));
    assert_eq!(session.connect().err().map(|error| error.code()), Some(Code::Busy));
    let refused = session.publish("out", b"".into(), PublishOptions::default());
    assert_eq!(refused.unwrap_err().code(), Code::NotConnected);
    peer.send(&wire::puback(id));
    peer.expect_disconnect();
    drop(peer);
    ended(disconnecting).unwrap();
}

#[test]
fn reason_and_properties_are_sent() {
    let (_broker, session, mut peer) = connected_v5();
    let mut properties = PropertyBlock::new();
    properties.push(Property::ReasonString("lunch")).unwrap();
    let reason = ReasonCode::DisconnectWithWillMessage;
    let farewell = DisconnectOptions { reason, properties, ..DisconnectOptions::default() };
    let disconnecting = session.disconnect(farewell);
    let disconnect = peer.expect_disconnect();
    assert_eq!(disconnect.reason, 0x04);
    assert_eq!(disconnect.properties.text("reason-string"), Some("lunch"));
    drop(peer);
    ended(disconnecting).unwrap();
}

/// [MQTT-3.14.4-1], [MQTT-3.14.4-2]
#[test]
fn the_connection_is_closed_behind_disconnect() {
    for (_broker, session, mut peer) in [connected(), connected_v5()] {
        let disconnecting = session.disconnect(DisconnectOptions::default());
        peer.expect_disconnect();
        peer.expect_closed();
        drop(peer);
        ended(disconnecting).unwrap();
    }
}

#[test]
fn subscriptions_stay_for_the_next_connect() {
    let (broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let served = serve(peer);
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    served.join().unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept_session();
    ended(connecting).unwrap();
    peer.accept_subscription("in");
    peer.publish("in", 0, 0, "again");
    assert_eq!(payloads(&messages, 1), ["again"]);
}

#[test]
fn a_session_that_rests_has_nothing_to_disconnect() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    assert_eq!(ended(session.disconnect(DisconnectOptions::default())).unwrap(), 0);
    session.close();
    let closed = session.disconnect(DisconnectOptions::default()).err();
    assert_eq!(closed.map(|error| error.code()), Some(Code::Closed));
}

#[test]
fn it_ends_an_attempt_to_connect() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    assert_eq!(ended(session.disconnect(drain(DEADLINE))).unwrap(), 0);
    assert_eq!(ended(connecting).unwrap_err().code(), Code::Cancelled);
    assert_eq!(session.state(), State::Disconnected);
    assert!(broker.trace().to_string().lines().all(|line| !line.contains("DISCONNECT")));
}

#[test]
fn it_ends_a_pause_between_attempts() {
    let broker = ScriptedBroker::start();
    let mut options = lasting(&broker);
    options.set_reconnect_delay(10 * DEADLINE, 10 * DEADLINE).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    peer.expect_publish();
    peer.reset();
    eventually("it pauses", || session.state() == State::Retrying);
    let begun = Instant::now();
    // One attempt is made for the message that waits; nobody is there to accept it.
    drop(broker);
    let cancelled = ended(session.disconnect(drain(Duration::from_millis(100)))).unwrap();
    assert_eq!(cancelled, 1);
    assert!(begun.elapsed() >= Duration::from_millis(100), "it did not try");
    assert_eq!(session.wait(number, None).unwrap_err().code(), Code::Cancelled);
}

#[test]
fn a_message_that_waits_is_delivered_by_a_new_connection() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    publish(&session, "out", QoS::AtLeastOnce, "");
    peer.expect_publish();
    let disconnecting = session.disconnect(drain(DEADLINE));
    peer.reset();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    assert!(peer.expect_publish().dup);
    peer.send(&wire::puback(1));
    peer.expect_disconnect();
    drop(peer);
    assert_eq!(ended(disconnecting).unwrap(), 0);
}

#[test]
fn a_peer_that_takes_nothing_does_not_hold_it_up() {
    let (_broker, session, peer) = connected();
    let payload = vec![0; 64 << 20];
    session.publish("out", payload.into(), PublishOptions::default()).unwrap();
    let cancelled = ended(session.disconnect(drain(Duration::from_millis(10))));
    cancelled.expect("it ends although DISCONNECT cannot be written");
    session.close();
    drop(peer);
}

#[test]
fn a_peer_that_is_gone_does_not_hold_it_up_either() {
    let (_broker, session, peer) = connected();
    let events = events(&session);
    let disconnecting = session.disconnect(drain(DEADLINE));
    peer.reset();
    ended(disconnecting).unwrap();
    let seen: Vec<_> = events.try_iter().collect();
    let retried = seen.iter().any(|event| matches!(event, mqttsession::client::Event::Retrying(_)));
    assert!(!retried, "{seen:?}");
    session.close();
}

#[test]
fn closing_a_session_whose_peer_takes_nothing_ends() {
    let (_broker, session, peer) = connected();
    let payload = vec![0; 64 << 20];
    session.publish("out", payload.into(), PublishOptions::default()).unwrap();
    let (sender, closed) = channel();
    std::thread::spawn(move || {
        session.close();
        sender.send(()).unwrap();
    });
    next(&closed);
    drop(peer);
}
