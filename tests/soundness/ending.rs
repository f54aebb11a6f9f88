//! What the program gave is let go of in time, once, and on a thread where that does no harm.

use std::{
    pin::Pin,
    sync::{Arc, mpsc::channel},
    task::{Context, Wake},
    time::Duration,
};

use mqttsession::{
    client::{Completion, DisconnectOptions, Dispatch, PublishOptions, Session},
    error::Code,
    protocol::{Property, PropertyBlock, QoS, ReasonCode, Version},
};
use mqttsession_tests::scripted::ScriptedBroker;

use crate::support::*;

#[test]
fn the_handler_of_a_refused_subscription_is_let_go() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (handler, died) = Mortal::new();
    let subscribing = session.subscribe("t", at(QoS::AtLeastOnce), Arc::new(handler));
    let asked = peer.expect_subscribe();
    peer.suback(asked.id, &[0x80]);
    assert_eq!(ended(subscribing).unwrap_err().code(), Code::SubscribeRefused);
    assert!(next(&died).starts_with("mqtt-callback"));
}

#[test]
fn the_handler_of_a_failing_subscribe_is_let_go_at_once() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled);
    let session = Session::new(&options).unwrap();
    session.close();
    let (handler, died) = Mortal::new();
    let refused = session.subscribe("t", at(QoS::AtLeastOnce), Arc::new(handler));
    assert_eq!(refused.map(drop).unwrap_err().code(), Code::Closed);
    assert!(died.try_recv().is_ok());
}

#[test]
fn a_filter_of_countless_levels_is_refused() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let (handler, _died) = Mortal::new();
    let filter = vec!["+"; 30_000].join("/");
    let refused = session.subscribe(&filter, at(QoS::AtLeastOnce), Arc::new(handler));
    assert_eq!(refused.map(drop).unwrap_err().code(), Code::InvalidFilter);
}

#[test]
fn what_nobody_polls_any_more_ends_on_a_callback_thread() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled);
    let (session, mut peer) = connect(&broker, &options);
    let (handler, died) = Mortal::new();
    subscribe(&session, &mut peer, "t", handler);
    let (sender, completions) = channel();
    let completion = Completion::new(move |_, outcome| {
        sender.send(outcome.unwrap_err().code()).unwrap();
    });
    let publish = PublishOptions {
        qos: QoS::AtLeastOnce,
        completion: Some(completion),
        ..PublishOptions::default()
    };
    session.publish("never acknowledged", "".into(), publish).unwrap();
    peer.expect_publish();
    drop(session);
    drop(peer);
    assert_eq!(next(&completions), Code::Cancelled);
    assert!(next(&died).starts_with("mqtt-callback"));
}

#[test]
fn polling_runs_no_more_callbacks_than_asked() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled);
    let (session, mut peer) = connect(&broker, &options);
    let (sender, ends) = channel();
    for _ in 0..3 {
        let sender = sender.clone();
        let completion = Completion::new(move |number, _| sender.send(number).unwrap());
        let publish = PublishOptions {
            qos: QoS::AtLeastOnce,
            completion: Some(completion),
            ..PublishOptions::default()
        };
        session.publish("t", "".into(), publish).unwrap();
    }
    let ids: Vec<u16> = (0..3).map(|_| peer.expect_publish().id).collect();
    let all: Vec<u8> = ids.into_iter().flat_map(mqttsession_tests::wire::puback).collect();
    peer.send(&all);
    for number in 1..=3 {
        assert_eq!(session.poll(Some(DEADLINE), 1).unwrap(), 1);
        assert_eq!(ends.try_iter().collect::<Vec<u64>>(), [number]);
    }
    session.close();
}

#[test]
fn a_disconnect_with_nothing_to_wait_for_does_not_wait_for_an_attempt_to_connect() {
    // Accepts TCP and never shakes hands.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut options = mqttsession::client::Options::new();
    options.set_address(&format!("mqtts://{}", silent.local_addr().unwrap())).unwrap();
    options.set_tls_verify(false);
    options.set_connect_timeout(Duration::MAX).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let _socket = silent.accept().unwrap();
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    assert_eq!(ended(connecting).map(drop).unwrap_err().code(), Code::Cancelled);
}

#[test]
fn a_farewell_that_no_packet_can_carry_is_refused() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (session, mut peer) = connect(&broker, &options);
    let mut properties = PropertyBlock::new();
    properties.push(Property::TopicAlias(1)).unwrap();
    let foreign = DisconnectOptions { properties, ..DisconnectOptions::default() };
    let reason = ReasonCode::GrantedQos1;
    for options in [foreign, DisconnectOptions { reason, ..DisconnectOptions::default() }] {
        let error = ended(session.disconnect(options)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
    // A drain for ever is a long time, and no overflow.
    let patient = DisconnectOptions { drain: Duration::MAX, ..DisconnectOptions::default() };
    let leaving = session.disconnect(patient);
    peer.expect_disconnect();
    drop(peer);
    assert_eq!(ended(leaving).unwrap(), 0);
}

/// What of the program's runs on the I/O thread is the waker of a future; a fault of the library's own
/// ends the driver in the same way.
#[test]
fn a_fault_on_the_io_thread_leaves_nobody_waiting() {
    struct Faulty;

    impl Wake for Faulty {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }

    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (handler, died) = Mortal::new();
    let mut subscribing = session.subscribe("t", at(QoS::AtLeastOnce), Arc::new(handler)).unwrap();
    let waker = Arc::new(Faulty).into();
    let polled = Pin::new(&mut subscribing).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let asked = peer.expect_subscribe();
    let publish = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    let number = session.publish("never acknowledged", "".into(), publish).unwrap();
    peer.expect_publish();
    let disconnecting = session.disconnect(DisconnectOptions::default());
    peer.suback(asked.id, &[1]);
    assert_eq!(session.wait(number, Some(DEADLINE)).unwrap_err().code(), Code::Cancelled);
    assert_eq!(ended(disconnecting).unwrap(), 1);
    assert!(next(&died).starts_with("mqtt-callback"));
    session.close();
    assert_eq!(session.connect().map(drop).unwrap_err().code(), Code::Closed);
    // The other sessions of the I/O thread go on.
    drop(peer);
    let (other, peer) = connect(&broker, &options(&broker));
    drop(peer);
    other.close();
}
