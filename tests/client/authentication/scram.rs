//! SCRAM-SHA-256 over TCP, against a server that was written from the RFC on other primitives.

use mqttsession::{
    client::{Options, Session},
    error::{Code, Error, Result},
    protocol::Version,
};
use mqttsession_tests::{
    real::{Config, Mosquitto},
    scram::ScramServer,
    scripted::{Peer, ScriptedBroker},
    wire,
};

use super::{data, failed, named};
use crate::support::*;

const METHOD: &str = "SCRAM-SHA-256";

fn options_of(broker: &ScriptedBroker) -> Options {
    let mut options = options(broker);
    options.set_version(Version::V5).set_scram_sha_256("us,er", "pen=cil").unwrap();
    options
}

fn server() -> ScramServer {
    ScramServer::new("us=2Cer", "pen=cil", 4096)
}

/// The exchange up to the client's proof, from its first message on.
#[track_caller]
fn exchange(peer: &mut Peer, server: &mut ScramServer, first: &str) -> Result<String, String> {
    let first = server.first(first.as_bytes()).unwrap();
    peer.send(&wire::v5::auth(0x18, &named(METHOD, &first)));
    let auth = peer.expect_auth();
    assert_eq!(auth.reason, 0x18);
    assert_eq!(auth.properties.text("authentication-method"), Some(METHOD));
    server.last(data(&auth.properties).as_bytes())
}

/// A session that connects, and the connection after CONNECT with the client's first message.
#[track_caller]
fn begin(broker: &ScriptedBroker, session: &Session) -> (Peer, String) {
    drop(session.connect().unwrap());
    let mut peer = broker.accept();
    let connect = peer.expect_connect();
    assert_eq!(connect.properties.text("authentication-method"), Some(METHOD));
    assert_eq!((connect.user, connect.password), (None, None), "the password is not sent");
    let first = data(&connect.properties);
    (peer, first)
}

#[track_caller]
fn accepted(session: &Session, peer: &mut Peer, server: &mut ScramServer, first: &str) {
    let proof = exchange(peer, server, first).unwrap();
    peer.send(&wire::v5::connack(false, 0, &named(METHOD, &proof)));
    ended(session.connect()).unwrap();
}

#[test]
fn both_sides_prove_that_they_know_the_password() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options_of(&broker)).unwrap();
    let (mut peer, first) = begin(&broker, &session);
    let mut server = server();
    accepted(&session, &mut peer, &mut server, &first);
    // And anew, with another nonce.
    let authenticating = session.reauthenticate();
    let auth = peer.expect_auth();
    assert_eq!(auth.reason, 0x19);
    let again = data(&auth.properties);
    assert_ne!(again, first);
    let proof = exchange(&mut peer, &mut server, &again).unwrap();
    peer.send(&wire::v5::auth(0, &named(METHOD, &proof)));
    ended(authenticating).unwrap();
    // On the next connection, too.
    peer.close();
    let mut peer = broker.accept();
    let first = data(&peer.expect_connect().properties);
    accepted(&session, &mut peer, &mut server, &first);
}

#[test]
fn sessions_with_the_same_options_do_not_share_an_exchange() {
    let broker = ScriptedBroker::start();
    let options = options_of(&broker);
    let sessions = [(); 2].map(|()| Session::new(&options).unwrap());
    let begun = sessions.each_ref().map(|session| begin(&broker, session));
    for (session, (mut peer, first)) in sessions.iter().zip(begun) {
        accepted(session, &mut peer, &mut server(), &first);
        session.close();
    }
}

#[test]
fn a_wrong_password_is_refused_by_the_broker() {
    let broker = ScriptedBroker::start();
    let mut options = options_of(&broker);
    options.set_scram_sha_256("us,er", "wrong").unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let (mut peer, first) = begin(&broker, &session);
    let refused = exchange(&mut peer, &mut server(), &first).unwrap_err();
    assert_eq!(refused, "invalid-proof");
    peer.send(&wire::v5::connack(false, 0x87, &[]));
    assert_eq!(ended(connecting).unwrap_err().code(), Code::NotAuthorized);
}

/// The broker's messages, changed; the error with which connecting ends.
#[track_caller]
fn error(
    server: &mut ScramServer,
    change_first: impl Fn(String) -> String,
    last: Option<&dyn Fn(String) -> String>,
) -> String {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options_of(&broker)).unwrap();
    let connecting = session.connect();
    let (mut peer, first) = begin(&broker, &session);
    let answer = change_first(server.first(first.as_bytes()).unwrap());
    peer.send(&wire::v5::auth(0x18, &named(METHOD, &answer)));
    if let Some(change) = last {
        let auth = peer.expect_auth();
        let proof = change(server.last(data(&auth.properties).as_bytes()).unwrap());
        peer.send(&wire::v5::connack(false, 0, &named(METHOD, &proof)));
        peer.expect_disconnect();
    }
    peer.expect_closed();
    let error: Error = ended(connecting).unwrap_err();
    let text = failed(&session, &error);
    assert!(!text.contains("pen=cil"), "{text}");
    text
}

#[test]
fn a_broker_that_cannot_prove_itself_is_not_accepted() {
    let unchanged = |first| first;
    let swapped = |proof: String| match proof.as_bytes()[2] {
        b'A' => proof.replacen("v=A", "v=B", 1),
        other => proof.replacen(&format!("v={}", other as char), "v=A", 1),
    };
    let text = error(&mut server(), unchanged, Some(&swapped));
    assert!(text.contains("its signature is wrong"), "{text}");
    let text = error(&mut server(), unchanged, Some(&|_| "e=other-error".to_owned()));
    assert!(text.contains("the error other-error"), "{text}");
    let text = error(&mut server(), unchanged, Some(&|_| String::new()));
    assert!(text.contains("sent no data"), "{text}");
}

#[test]
fn a_broker_that_accepts_without_the_exchange_is_not_accepted() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options_of(&broker)).unwrap();
    let connecting = session.connect();
    let (mut peer, _first) = begin(&broker, &session);
    peer.send(&wire::v5::connack(false, 0, &named(METHOD, "")));
    peer.expect_disconnect();
    let text = failed(&session, &ended(connecting).unwrap_err());
    assert!(text.contains("accepted before it had proved"), "{text}");
}

#[test]
fn a_hostile_first_message() {
    let changed = |first: String| first.replacen("r=", "r=x", 1);
    let text = error(&mut server(), changed, None);
    assert!(text.contains("nonce that does not continue"), "{text}");
    // It costs nothing: the session does not begin to count.
    for iterations in [4_095, 10_000_001, u32::MAX] {
        let count = move |first: String| first.replace("i=4096", &format!("i={iterations}"));
        let text = error(&mut server(), count, None);
        assert!(text.contains("iterations"), "{text}");
    }
}

#[test]
fn mosquitto_does_not_know_the_method() {
    let Some(broker) = Mosquitto::start(&Config::default()) else { return };
    let mut options = Options::new();
    options.set_address(&format!("127.0.0.1:{}", broker.port())).unwrap();
    options.set_version(Version::V5).set_scram_sha_256("user", "pencil").unwrap();
    let error = ended(Session::new(&options).unwrap().connect()).unwrap_err();
    assert_eq!(
        (error.code(), error.reason_code()),
        (Code::BadCredentials, Some(0x8c)),
        "{error:?}"
    );
}

#[test]
fn names_and_passwords_that_the_method_cannot_use() {
    let mut options = Options::new();
    for (user, password) in [("", "a"), ("a\u{7}", "a"), ("a", "a\u{7}")] {
        let refused = options.set_scram_sha_256(user, password).map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOption);
    }
    let refused = options.set_scram_sha_256("a\0", "a").map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidUtf8);
}
