//! A broker that sends the session to another server, and the table of what is tried again.

use std::time::Duration;

use mqttsession::{
    client::{Event, Options, Session, State},
    error::Code,
    protocol::Version,
};
use mqttsession_tests::{
    property,
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

const USE_ANOTHER_SERVER: u8 = 0x9C;
const SERVER_MOVED: u8 = 0x9D;

fn following(broker: &ScriptedBroker, hops: u32) -> Options {
    let mut options = options(broker);
    options.set_version(Version::V5);
    options.set_redirect_limit(hops);
    options
}

/// Takes CONNECT and sends the session to the other broker.
#[track_caller]
fn send_on(peer: &mut Peer, reason: u8, to: &ScriptedBroker) {
    peer.expect_connect();
    let reference = property::text("server-reference", format!("127.0.0.1:{}", to.port()));
    peer.send(&wire::v5::connack(false, reason, &reference));
}

#[test]
fn a_session_that_does_not_follow_says_where_it_was_sent() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let session = Session::new(&following(&broker, 0)).unwrap();
    let connecting = session.connect();
    send_on(&mut broker.accept(), SERVER_MOVED, &other);
    let error = ended(connecting).unwrap_err();
    assert_eq!(error.code(), Code::ServerMoved);
    assert_eq!(error.server_reference(), Some(&*format!("127.0.0.1:{}", other.port())));
    assert_eq!(session.state(), State::Disconnected);
}

#[test]
fn a_session_follows_and_tells() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let session = Session::new(&following(&broker, 1)).unwrap();
    let events = events(&session);
    let connecting = session.connect();
    send_on(&mut broker.accept(), USE_ANOTHER_SERVER, &other);
    let peer = other.accept_session();
    ended(connecting).unwrap();
    let told: Vec<Event> = (0..5).map(|_| next(&events)).collect();
    let [
        Event::Connecting,
        Event::Lost(error),
        Event::Redirected(to),
        Event::Connecting,
        Event::Connected(_),
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(error.code(), Code::ServerMoved);
    assert_eq!(*to, format!("mqtt://127.0.0.1:{}", other.port()));
    // It was for this connection only.
    peer.reset();
    let _peer = broker.accept_session();
    eventually("it is connected", || session.statistics().connections == 2);
}

#[test]
fn a_server_that_has_moved_is_not_asked_again() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let session = Session::new(&following(&broker, 1)).unwrap();
    let connecting = session.connect();
    send_on(&mut broker.accept(), SERVER_MOVED, &other);
    let peer = other.accept_session();
    ended(connecting).unwrap();
    peer.reset();
    let _peer = other.accept_session();
    eventually("it is connected", || session.statistics().connections == 2);
}

#[test]
fn a_live_connection_may_be_sent_on_too() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let (session, mut peer) = connect(&broker, &following(&broker, 1));
    let reference = property::text("server-reference", format!("127.0.0.1:{}", other.port()));
    peer.send(&wire::v5::disconnect(USE_ANOTHER_SERVER, &reference));
    let _peer = other.accept_session();
    eventually("it is connected", || session.statistics().connections == 2);
}

#[test]
fn nobody_is_sent_round_in_circles() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let session = Session::new(&following(&broker, 2)).unwrap();
    let connecting = session.connect();
    send_on(&mut broker.accept(), USE_ANOTHER_SERVER, &other);
    send_on(&mut other.accept(), USE_ANOTHER_SERVER, &broker);
    send_on(&mut broker.accept(), USE_ANOTHER_SERVER, &other);
    assert_eq!(ended(connecting).unwrap_err().code(), Code::ServerMoved);
    assert_eq!(session.state(), State::Disconnected);
}

#[test]
fn nobody_is_sent_round_in_circles_by_brokers_that_let_it_in_first() {
    let (broker, other) = (ScriptedBroker::start(), ScriptedBroker::start());
    let mut options = following(&broker, 2);
    options.set_stable_time(Duration::ZERO);
    options.set_reconnect_delay(100 * DEADLINE, 100 * DEADLINE).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let leave_for = |peer: &mut Peer, to: &ScriptedBroker| {
        let reference = property::text("server-reference", format!("127.0.0.1:{}", to.port()));
        peer.send(&wire::v5::disconnect(USE_ANOTHER_SERVER, &reference));
    };
    leave_for(&mut peer, &other);
    peer = other.accept_session();
    leave_for(&mut peer, &broker);
    peer = broker.accept_session();
    leave_for(&mut peer, &other);
    eventually("it has had enough", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::ServerMoved));
}

#[test]
fn the_first_attempt_may_be_followed_by_others() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_retry_first_connect(true);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    for _ in 0..2 {
        let mut peer = broker.accept();
        peer.expect_connect();
        peer.reset();
    }
    let _peer = broker.accept_session();
    ended(connecting).unwrap();
}

#[test]
fn what_cannot_get_better_ends_the_first_connect_all_the_same() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_retry_first_connect(true);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(false, 5);
    assert_eq!(ended(connecting).unwrap_err().code(), Code::NotAuthorized);
    assert_eq!(session.state(), State::Disconnected);
}

#[test]
fn the_table_of_what_is_tried_again_can_be_overridden() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_retry(Code::NotAuthorized, true);
    options.set_retry(Code::ConnectionClosed, false);
    let (session, peer) = connect(&broker, &options);
    peer.reset();
    // Fatal by the table, worth another attempt for this program.
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(false, 5);
    let peer = broker.accept_session();
    eventually("it is connected", || session.statistics().connections == 2);
    // And the other way round.
    peer.close();
    eventually("it rests", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::ConnectionClosed));
}

#[test]
fn connecting_a_session_that_waits_ends_its_pause() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_reconnect_delay(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
    let (session, peer) = connect(&broker, &options);
    peer.reset();
    eventually("it waits", || session.state() == State::Retrying);
    let connecting = session.connect();
    let _peer = broker.accept_session();
    ended(connecting).unwrap();
}
