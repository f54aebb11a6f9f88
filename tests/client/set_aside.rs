//! A message on which the broker ends every connection does not keep the session from going on.

use mqttsession::{
    client::Event,
    error::{Code, Error},
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

#[track_caller]
fn accept(broker: &ScriptedBroker) -> Peer {
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    peer
}

#[test]
fn a_deadly_message_is_reported_and_set_aside_and_the_others_are_delivered() {
    let broker = ScriptedBroker::start();
    let mut options = lasting(&broker);
    options.set_set_aside_after(3);
    let (session, mut peer) = connect(&broker, &options);
    let events = events(&session);
    let deadly = publish(&session, "deadly", QoS::AtLeastOnce, "");
    let other = publish(&session, "other", QoS::ExactlyOnce, "");
    assert_eq!(peer.expect_publish().topic, "deadly");
    peer.close();
    let mut peer = accept(&broker);
    assert_eq!(peer.expect_publish().topic, "deadly");
    peer.close();
    let mut peer = accept(&broker);
    peer.expect_ping();
    peer.send(&wire::pingresp());
    assert_eq!(peer.expect_publish().topic, "deadly");
    assert!(peer.fence().is_empty(), "it was not alone");
    peer.close();
    let peer = accept(&broker);
    let served = serve(peer);
    session.wait(other, Some(DEADLINE)).unwrap();
    let is_set_aside = |error: &Error| {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        error.code() == Code::SetAside && cause.is_some_and(|cause| cause.contains("closed"))
    };
    assert!(is_set_aside(&session.wait(deadly, Some(DEADLINE)).unwrap_err()));
    let set_aside = events.iter().find_map(|event| match event {
        Event::SetAside(set_aside) => Some(set_aside),
        _ => None,
    });
    let set_aside = set_aside.expect("an event");
    let size = wire::publish("deadly", 1, 1, "").len();
    assert_eq!(
        (set_aside.number, set_aside.topic.as_deref(), set_aside.size),
        (Some(deadly), Some("deadly"), size)
    );
    assert!(is_set_aside(&set_aside.error));
    let statistics = session.statistics();
    assert_eq!((statistics.set_aside, statistics.outgoing_messages), (1, 0));
    session.close();
    served.join().unwrap();
}

#[test]
fn a_program_that_closes_blames_nothing() {
    let broker = ScriptedBroker::start();
    let mut options = lasting(&broker);
    options.set_set_aside_after(1);
    let (session, mut peer) = connect(&broker, &options);
    publish(&session, "out", QoS::AtLeastOnce, "");
    peer.expect_publish();
    let served = serve(peer);
    session.close();
    served.join().unwrap();
    assert_eq!((session.statistics().set_aside, session.statistics().cancelled), (0, 1));
}
