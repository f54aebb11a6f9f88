//! Connecting: what is sent, and the error of everything that can go wrong.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use mqttsession::{
    client::{Options, Session, State},
    error::{Code, Error, Layer},
    protocol::Version,
};
use mqttsession_tests::{property, scripted::ScriptedBroker, wire};
use socket2::{Domain, Socket, Type};

use crate::support::*;

/// Connects and fails; the session rests afterwards and remembers why.
#[track_caller]
pub(crate) fn failure(options: &Options) -> Error {
    let session = Session::new(options).unwrap();
    let error = ended(session.connect()).unwrap_err();
    eventually("the session rests", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(error.code()));
    error
}

/// As [`failure`], with a broker that does something about it.
#[track_caller]
pub(crate) fn failure_with(
    broker: &ScriptedBroker,
    options: &Options,
    act: impl FnOnce(&ScriptedBroker),
) -> Error {
    thread::scope(|scope| {
        let session = scope.spawn(|| failure(options));
        act(broker);
        session.join().unwrap()
    })
}

#[test]
fn a_port_where_nobody_listens() {
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    silent.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let port = silent.local_addr().unwrap().as_socket().unwrap().port();
    let mut options = Options::new();
    options.set_address(&format!("127.0.0.1:{port}")).unwrap();
    let error = failure(&options);
    assert_eq!((error.code(), error.layer()), (Code::ConnectionRefused, Layer::Tcp), "{error:?}");
}

#[test]
fn a_host_that_does_not_exist() {
    let mut options = Options::new();
    options.set_address("nobody.invalid").unwrap();
    let error = failure(&options);
    // Where there is no name server to ask, that is what the error says.
    assert!(matches!(error.code(), Code::NameNotFound | Code::NameLookupFailed), "{error:?}");
}

#[test]
fn a_server_that_never_answers() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_connect_timeout(Duration::from_secs(1)).unwrap();
    let begun = Instant::now();
    let error = failure_with(&broker, &options, |broker| drop(broker.accept().silence()));
    assert_eq!(error.code(), Code::ConnackTimeout, "{error:?}");
    assert!(error.is_timeout() && error.is_retryable());
    assert!(begun.elapsed() >= Duration::from_secs(1), "before its time");
}

#[test]
fn a_server_that_closes_at_once() {
    let broker = ScriptedBroker::start();
    let options = options(&broker);
    let closed = failure_with(&broker, &options, |broker| broker.accept().close());
    assert_eq!(closed.code(), Code::ClosedBeforeConnack, "{closed:?}");
    let reset = failure_with(&broker, &options, |broker| {
        let mut peer = broker.accept();
        peer.expect_connect();
        peer.reset();
    });
    assert_eq!(reset.code(), Code::ClosedBeforeConnack, "{reset:?}");
}

#[test]
fn a_server_that_speaks_something_else() {
    for banner in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x01\0\x02\x02\x46",
    ] {
        let broker = ScriptedBroker::start();
        let error = failure_with(&broker, &options(&broker), |broker| {
            let mut peer = broker.accept();
            peer.expect_connect();
            peer.send(banner);
            peer.expect_closed();
        });
        assert_eq!(error.code(), Code::NotMqtt, "{}: {error:?}", banner.escape_ascii());
        assert!(!error.is_retryable());
    }
}

#[track_caller]
fn refusal(version: Version, code: u8) -> Error {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(version);
    failure_with(&broker, &options, |broker| {
        let mut peer = broker.accept();
        peer.expect_connect();
        peer.send(&match version {
            Version::V5 => {
                let said = property::text("reason-string", "so be it");
                wire::v5::connack(false, code, &said)
            }
            _ => wire::connack(false, code),
        });
        peer.expect_closed();
    })
}

#[test]
fn every_return_code_of_3_1_1_is_an_error_of_its_own() {
    for (code, expected) in [
        (1, Code::RefusedVersion),
        (2, Code::RefusedClientId),
        (3, Code::ServerUnavailable),
        (4, Code::BadCredentials),
        (5, Code::NotAuthorized),
    ] {
        let error = refusal(Version::V311, code);
        assert_eq!((error.code(), error.reason_code()), (expected, Some(code)), "{error:?}");
    }
}

#[test]
fn every_reason_code_of_5_0_is_told() {
    for (code, expected) in [
        (0x80, Code::ConnectRefused),
        (0x81, Code::ConnectRefused),
        (0x82, Code::ConnectRefused),
        (0x83, Code::ConnectRefused),
        (0x84, Code::RefusedVersion),
        (0x85, Code::RefusedClientId),
        (0x86, Code::BadCredentials),
        (0x87, Code::NotAuthorized),
        (0x88, Code::ServerUnavailable),
        (0x89, Code::ServerUnavailable),
        (0x8A, Code::Banned),
        (0x8C, Code::BadCredentials),
        (0x90, Code::ConnectRefused),
        (0x95, Code::ConnectRefused),
        (0x97, Code::ConnectRefused),
        (0x99, Code::ConnectRefused),
        (0x9A, Code::ConnectRefused),
        (0x9B, Code::ConnectRefused),
        (0x9C, Code::ServerMoved),
        (0x9D, Code::ServerMoved),
        (0x9F, Code::ConnectRefused),
    ] {
        let error = refusal(Version::V5, code);
        assert_eq!((error.code(), error.reason_code()), (expected, Some(code)), "{error:?}");
        assert_eq!(error.reason_string(), Some("so be it"));
        assert_eq!(error.layer(), Layer::Connack);
    }
}

#[test]
fn what_the_options_say_is_what_connect_carries() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_user_name(Some("ada")).unwrap();
    options.set_password(Some(b"secret")).unwrap();
    options.set_keep_alive(Duration::from_millis(1500)).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    let connect = peer.accept_session();
    assert_eq!((connect.level, connect.clean, connect.keep_alive), (4, true, 2));
    assert_eq!(connect.user.as_deref(), Some("ada"));
    assert_eq!(connect.password.as_deref(), Some(&b"secret"[..]));
    assert!(!ended(connecting).unwrap().session_present);
    assert_eq!(session.state(), State::Connected);
}

#[test]
fn a_second_connect_is_answered_with_what_the_broker_said() {
    let (_broker, session, _peer) = connected_v5();
    assert_eq!(&*ended(session.connect()).unwrap().client_id, "test");
}

#[test]
fn two_connects_at_once_share_one_connection() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let (first, second) = (session.connect(), session.connect());
    let mut peer = broker.accept_session();
    ended(first).unwrap();
    ended(second).unwrap();
    assert!(peer.fence().is_empty());
    assert_eq!(session.statistics().connections, 1);
}

#[test]
fn a_failed_session_can_be_connected_again() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(false, 3);
    assert_eq!(ended(connecting).unwrap_err().code(), Code::ServerUnavailable);
    let connecting = session.connect();
    let _peer = broker.accept_session();
    ended(connecting).unwrap();
}

#[test]
fn the_longest_times_are_legal() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_connect_timeout(Duration::MAX).unwrap();
    options.set_outgoing_wait(Duration::MAX);
    options.set_reconnect_delay(Duration::from_millis(1), Duration::MAX).unwrap();
    let (session, peer) = connect(&broker, &options);
    let served = serve(peer);
    let number = publish(&session, "a", mqttsession::protocol::QoS::AtLeastOnce, "");
    session.wait(number, Some(Duration::MAX)).unwrap();
    let farewell = mqttsession::client::DisconnectOptions {
        drain: Duration::MAX,
        ..mqttsession::client::DisconnectOptions::default()
    };
    assert_eq!(session.disconnect(farewell).unwrap().wait(Some(Duration::MAX)).unwrap(), 0);
    served.join().unwrap();
}
