//! Received messages that are set aside, as the program sees it.

use std::sync::mpsc::Receiver;

use mqttsession::{
    client::{Event, Options, SetAside},
    error::Code,
    protocol::Version,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

const LARGEST: u32 = 64 << 10;

/// A session that the broker keeps, and that takes packets of at most 64 KiB.
fn limited(broker: &ScriptedBroker, version: Version) -> Options {
    let mut options = lasting(broker);
    options.set_version(version).set_maximum_packet_size(LARGEST).unwrap();
    options
}

/// The next message that was set aside; events before it are passed over.
#[track_caller]
fn next_set_aside(events: &Receiver<Event>) -> SetAside {
    loop {
        if let Event::SetAside(what) = next(events) {
            return what;
        }
    }
}

/// The next connection of a session that the broker has kept.
#[track_caller]
fn resumed(broker: &ScriptedBroker) -> Peer {
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    peer
}

#[test]
fn before_5_0_an_oversized_message_costs_no_connection() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &limited(&broker, Version::V311));
    let events = events(&session);
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 1, 1, vec![b'x'; 5 << 20]);
    peer.publish("in", 2, 2, vec![b'x'; 1 << 20]);
    peer.publish("in", 1, 3, "next");
    assert_eq!(payloads(&messages, 1), ["next"]);
    peer.expect_puback(1);
    peer.expect_pubrec(2);
    peer.expect_puback(3);
    let what = next_set_aside(&events);
    assert_eq!((what.number, what.topic.as_deref()), (None, Some("in")));
    assert!(what.size > 5 << 20);
    assert_eq!(what.error.code(), Code::PacketTooLarge);
    assert!(what.error.message().contains("65536"), "{}", what.error);
    next_set_aside(&events);
    let statistics = session.statistics();
    assert_eq!((statistics.incoming_set_aside, statistics.received), (2, 1));
    assert_eq!((statistics.connections, statistics.unacknowledged), (1, 0));
}

#[test]
fn under_5_0_the_broker_is_told_and_the_message_is_refused_in_the_end() {
    let broker = ScriptedBroker::start();
    let mut options = limited(&broker, Version::V5);
    options.set_set_aside_after(3);
    let (session, mut peer) = connect(&broker, &options);
    let events = events(&session);
    let message = wire::v5::publish("in", 1, 9, &[], vec![b'x'; 1 << 20]);
    for _ in 0..3 {
        // The session may have gone before it has all been sent.
        peer.send(&message[..100]);
        assert_eq!(peer.expect_disconnect().reason, 0x95);
        peer = resumed(&broker);
    }
    peer.send(&wire::duplicate(message));
    assert_eq!(peer.expect_puback(9).reason, 0x97);
    let what = next_set_aside(&events);
    assert_eq!((what.topic.as_deref(), what.error.code()), (Some("in"), Code::PacketTooLarge));
    assert_eq!(session.statistics().incoming_set_aside, 1);
    assert!(peer.fence().is_empty(), "the connection goes on");
}

#[test]
fn a_deadly_message_does_not_make_the_session_connect_for_ever() {
    for version in [Version::V311, Version::V5] {
        let broker = ScriptedBroker::start();
        let mut options = limited(&broker, version);
        options.set_set_aside_after(2);
        let (session, mut peer) = connect(&broker, &options);
        let events = events(&session);
        let message = match version {
            Version::V5 => wire::v5::publish("in/#", 1, 9, &[], "x"),
            _ => wire::publish("in/#", 1, 9, "x"),
        };
        for _ in 0..2 {
            peer.send(&message);
            if version.is_v5() {
                assert_eq!(peer.expect_disconnect().reason, 0x81);
            }
            peer = resumed(&broker);
        }
        peer.send(&wire::duplicate(message));
        assert_eq!(peer.expect_puback(9).reason, if version.is_v5() { 0x80 } else { 0 });
        let what = next_set_aside(&events);
        assert_eq!((what.topic.as_deref(), what.error.code()), (Some("in/#"), Code::SetAside));
        assert_eq!(session.statistics().connections, 3);
    }
}
