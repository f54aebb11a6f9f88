//! Proving who the session is: enhanced authentication, at connect and anew, and credentials that
//! are asked for. Mosquitto has no SCRAM: the other half stands in the support crate.

mod lane;
mod scram;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use bytes::Bytes;
use mqttsession::{
    client::{AuthenticationStep, Authenticator, Credentials, Event, Options, Session, State},
    error::{Code, Error, Result},
    protocol::{Property, QoS, Version},
};
use mqttsession_tests::{
    property,
    scripted::{Peer, ScriptedBroker},
    seen, wire,
};

use crate::support::*;

/// What an authenticator was asked: the step, the broker's data, on which thread.
type Asked = (AuthenticationStep, String, String);

/// Answers each step with the next of these, and tells what it was asked; the steps that are not
/// provided for are answered with nothing.
struct Prompter {
    answers: Mutex<Vec<Result<Option<&'static str>>>>,
    asked: Sender<Asked>,
}

impl Authenticator for Prompter {
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>> {
        let data = String::from_utf8_lossy(data.unwrap_or_default()).into_owned();
        self.asked.send((step, data, thread_name())).unwrap();
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { Ok(None) } else { answers.remove(0) };
        answer.map(|data| data.map(Bytes::from))
    }
}

fn prompter(
    answers: impl IntoIterator<Item = Result<Option<&'static str>>>,
) -> (Arc<dyn Authenticator>, Receiver<Asked>) {
    let (sender, asked) = channel();
    let answers = Mutex::new(answers.into_iter().collect());
    (Arc::new(Prompter { answers, asked: sender }), asked)
}

/// Options with an authenticator of method `M`.
fn with(broker: &ScriptedBroker, authenticator: Arc<dyn Authenticator>) -> Options {
    let mut options = options(broker);
    options.set_version(Version::V5).set_authenticator("M", authenticator).unwrap();
    options
}

/// The properties of a packet of the exchange.
fn step(data: &str) -> Vec<u8> {
    named("M", data)
}

fn named(method: &str, data: &str) -> Vec<u8> {
    let mut properties = property::text("authentication-method", method);
    if !data.is_empty() {
        properties.extend(property::text("authentication-data", data));
    }
    properties
}

fn accept(peer: &mut Peer, data: &str) {
    peer.send(&wire::v5::connack(false, 0, &step(data)));
}

fn data(properties: &property::Properties) -> String {
    match properties.value("authentication-data") {
        Some(property::Value::Binary(data)) => String::from_utf8(data.clone()).unwrap(),
        _ => String::new(),
    }
}

/// The next AUTH: its reason and data; its method is the session's.
#[track_caller]
fn expect_auth(peer: &mut Peer) -> (u8, String) {
    let seen::Auth { reason, properties } = peer.expect_auth();
    assert_eq!(properties.text("authentication-method"), Some("M"));
    (reason, data(&properties))
}

/// A session that has connected with this authenticator, which has been asked twice.
#[track_caller]
fn connect_by(broker: &ScriptedBroker, options: &Options) -> (Session, Peer) {
    let session = Session::new(options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    accept(&mut peer, "");
    ended(connecting).unwrap();
    (session, peer)
}

/// A failed connect: the error, with which the session rests.
#[track_caller]
fn failed(session: &Session, error: &Error) -> String {
    assert_eq!(error.code(), Code::AuthenticationFailed, "{error:?}");
    eventually("the session rests", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::AuthenticationFailed));
    format!("{error:?}")
}

#[test]
fn an_exchange_at_connect() {
    let broker = ScriptedBroker::start();
    let (authenticator, asked) = prompter([Ok(Some("zero")), Ok(Some("ONE")), Ok(None)]);
    let session = Session::new(&with(&broker, authenticator)).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    let connect = peer.expect_connect();
    assert_eq!(connect.properties.text("authentication-method"), Some("M"));
    assert_eq!(data(&connect.properties), "zero");
    peer.send(&wire::v5::auth(0x18, &step("one")));
    assert_eq!(expect_auth(&mut peer), (0x18, "ONE".to_owned()));
    accept(&mut peer, "proof");
    let connected = ended(connecting).unwrap();
    assert_eq!(connected.properties().authentication_data(), Some(&b"proof"[..]));
    use AuthenticationStep::{Connect, Continue, Success};
    for (step, data) in [(Connect, ""), (Continue, "one"), (Success, "proof")] {
        let asked = next(&asked);
        assert_eq!((asked.0, asked.1.as_str()), (step, data));
        assert!(asked.2.starts_with("mqtt-question"), "on {}", asked.2);
    }
    // Connected it is like any other.
    let number = publish(&session, "out", QoS::AtLeastOnce, "x");
    peer.expect_publish();
    peer.send(&wire::puback(1));
    session.wait(number, Some(DEADLINE)).unwrap();
}

#[test]
fn nothing_leaves_before_the_broker_is_accepted_and_nothing_that_came_is_lost() {
    struct Slow(Threshold);
    impl Authenticator for Slow {
        fn answer(&self, step: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            if step == AuthenticationStep::Success {
                self.0.pass();
            }
            Ok(None)
        }
    }
    let broker = ScriptedBroker::start();
    let (gate, threshold) = gate();
    let session = Session::new(&with(&broker, Arc::new(Slow(threshold)))).unwrap();
    let (handler, messages) = collect();
    let subscribing = session.subscribe("in", at(QoS::AtMostOnce), handler);
    let connecting = session.connect();
    publish(&session, "out", QoS::AtMostOnce, "x");
    let mut peer = broker.accept();
    peer.expect_connect();
    // CONNACK and what follows it in one segment.
    let early = wire::v5::publish("in", 0, 0, &[], "early");
    peer.send(&[wire::v5::connack(false, 0, &step("proof")), early].concat());
    gate.wait_for_arrival();
    IoFence::new().pass();
    assert_eq!(session.state(), State::Connecting);
    assert!(messages.try_recv().is_err(), "a message of a broker that nobody has accepted");
    gate.let_one_pass();
    ended(connecting).unwrap();
    assert_eq!(next(&messages).payload(), b"early");
    // Had anything left before, it would stand here in another order.
    peer.accept_subscription("in");
    assert_eq!(peer.expect_publish().topic, "out");
    ended(subscribing).unwrap();
}

#[test]
fn an_authenticator_that_gives_up_at_connect() {
    let why = Error::new(Code::InvalidArgument, "no such answer");
    // In front of CONNECT there is no connection yet.
    let broker = ScriptedBroker::start();
    let (authenticator, _asked) = prompter([Err(why.clone())]);
    let session = Session::new(&with(&broker, authenticator)).unwrap();
    let error = ended(session.connect()).unwrap_err();
    assert!(failed(&session, &error).ends_with("<- no such answer"), "{error:?}");
    // After AUTH it is closed.
    let (authenticator, _asked) = prompter([Ok(None), Err(why.clone())]);
    let session = Session::new(&with(&broker, authenticator)).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.send(&wire::v5::auth(0x18, &step("one")));
    peer.expect_closed();
    let error = ended(connecting).unwrap_err();
    assert!(failed(&session, &error).ends_with("<- no such answer"), "{error:?}");
    // After CONNACK the broker is told.
    let (authenticator, _asked) = prompter([Ok(None), Err(why)]);
    let session = Session::new(&with(&broker, authenticator)).unwrap();
    let events = events(&session);
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    accept(&mut peer, "wrong");
    assert_eq!(peer.expect_disconnect().reason, 0x80);
    let error = ended(connecting).unwrap_err();
    failed(&session, &error);
    session.close();
    assert!(events.try_iter().all(|event| !matches!(event, Event::Connected(_))));
}

#[test]
fn an_authenticator_that_panics() {
    struct Panicking;
    impl Authenticator for Panicking {
        fn answer(&self, _: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            panic!("on purpose")
        }
    }
    let broker = ScriptedBroker::start();
    let session = Session::new(&with(&broker, Arc::new(Panicking))).unwrap();
    let error = ended(session.connect()).unwrap_err();
    assert!(failed(&session, &error).contains("The authenticator panicked"));
}

#[test]
fn data_that_no_packet_can_hold() {
    struct Verbose;
    impl Authenticator for Verbose {
        fn answer(&self, step: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            let much = step == AuthenticationStep::Continue;
            Ok(much.then(|| Bytes::from(vec![0; 65_536])))
        }
    }
    let broker = ScriptedBroker::start();
    let session = Session::new(&with(&broker, Arc::new(Verbose))).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.send(&wire::v5::auth(0x18, &step("one")));
    peer.expect_closed();
    let error = ended(connecting).unwrap_err();
    assert!(failed(&session, &error).contains("cannot be sent"), "{error:?}");
}

#[test]
fn a_method_without_an_authenticator() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    options.add_connect_property(Property::AuthenticationMethod("M")).unwrap();
    options.add_connect_property(Property::AuthenticationData(b"token")).unwrap();
    // One message is enough for some methods.
    let (session, peer) = connect_by(&broker, &options);
    assert_eq!(session.reauthenticate().map(drop).unwrap_err().code(), Code::NotSupported);
    session.close();
    drop(peer);
    // For the others there is nobody to answer.
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    assert_eq!(data(&peer.expect_connect().properties), "token");
    peer.send(&wire::v5::auth(0x18, &step("one")));
    peer.expect_closed();
    let error = ended(connecting).unwrap_err();
    assert!(failed(&session, &error).contains("has no authenticator"), "{error:?}");
}

#[test]
fn an_earlier_version_would_connect_without_it() {
    let broker = ScriptedBroker::start();
    let (authenticator, _asked) = prompter([]);
    for version in [Version::V31, Version::V311] {
        let mut options = with(&broker, authenticator.clone());
        options.set_version(version);
        assert_eq!(Session::new(&options).map(drop).unwrap_err().code(), Code::InvalidOption);
    }
    let mut options = options(&broker);
    let refused = options.set_authenticator("\0", authenticator).map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidUtf8);
}

// ---- anew, on a live connection

#[test]
fn an_exchange_on_the_live_connection_while_messages_go_on() {
    let broker = ScriptedBroker::start();
    let answers = [Ok(None), Ok(None), Ok(Some("again")), Ok(Some("two"))];
    let (authenticator, asked) = prompter(answers);
    let (session, mut peer) = connect_by(&broker, &with(&broker, authenticator));
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let authenticating = session.reauthenticate();
    assert_eq!(session.reauthenticate().map(drop).unwrap_err().code(), Code::Busy);
    assert_eq!(expect_auth(&mut peer), (0x19, "again".to_owned()));
    peer.publish("in", 0, 0, "meanwhile");
    assert_eq!(next(&messages).payload(), b"meanwhile");
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    session.wait(number, Some(DEADLINE)).unwrap();
    peer.send(&wire::v5::auth(0x18, &step("one")));
    assert_eq!(expect_auth(&mut peer), (0x18, "two".to_owned()));
    peer.send(&wire::v5::auth(0x00, &step("proof")));
    ended(authenticating).unwrap();
    let steps: Vec<_> = asked.try_iter().map(|(step, data, _)| (step, data)).collect();
    use AuthenticationStep::{Continue, Reauthenticate, Success};
    let expected = [(Reauthenticate, ""), (Continue, "one"), (Success, "proof")];
    assert_eq!(steps[2..], expected.map(|(step, data)| (step, data.to_owned())));
    // Another may follow.
    let authenticating = session.reauthenticate();
    assert_eq!(expect_auth(&mut peer).0, 0x19);
    peer.send(&wire::v5::auth(0x00, &step("")));
    ended(authenticating).unwrap();
}

#[test]
fn a_new_exchange_needs_an_authenticator_and_a_connection() {
    let broker = ScriptedBroker::start();
    let code = |session: &Session| session.reauthenticate().map(drop).unwrap_err().code();
    let plain = Session::new(&options(&broker)).unwrap();
    assert_eq!(code(&plain), Code::NotSupported);
    let (authenticator, _asked) = prompter([]);
    let session = Session::new(&with(&broker, authenticator)).unwrap();
    assert_eq!(code(&session), Code::NotConnected);
    session.close();
    assert_eq!(code(&session), Code::Closed);
}

#[test]
fn a_new_exchange_that_fails_ends_with_what_ended_the_connection() {
    let why = Error::new(Code::InvalidArgument, "no such answer");
    let broker = ScriptedBroker::start();
    for end in ["refused", "lost", "given up", "given up at the end", "left"] {
        let mut answers = vec![Ok(None), Ok(None)];
        answers.extend(match end {
            "given up" => vec![Err(why.clone())],
            "given up at the end" => vec![Ok(None), Err(why.clone())],
            _ => vec![],
        });
        let (authenticator, _asked) = prompter(answers);
        let mut options = with(&broker, authenticator);
        options.set_reconnect(false);
        let (session, mut peer) = connect_by(&broker, &options);
        let authenticating = session.reauthenticate();
        if end != "given up" {
            peer.expect_auth();
        }
        let code = match end {
            "refused" => {
                peer.send(&wire::v5::disconnect(0x87, &[]));
                Code::NotAuthorized
            }
            "lost" => {
                peer.close();
                Code::ConnectionClosed
            }
            "left" => {
                drop(session.disconnect(Default::default()).unwrap());
                peer.expect_disconnect();
                drop(peer);
                Code::Cancelled
            }
            _ => {
                if end == "given up at the end" {
                    peer.send(&wire::v5::auth(0x00, &step("wrong")));
                }
                assert_eq!(peer.expect_disconnect().reason, 0x80);
                Code::AuthenticationFailed
            }
        };
        assert_eq!(ended(authenticating).unwrap_err().code(), code, "{end}");
    }
}

// ---- credentials

/// Options whose credentials are these, one after another.
fn credentials(broker: &ScriptedBroker, given: Vec<Result<Credentials>>) -> Options {
    let given = Mutex::new(given.into_iter());
    let mut options = lasting(broker);
    options.set_user_name(Some("fixed")).unwrap();
    options.set_password(Some(b"fixed")).unwrap();
    options.set_credentials_source(Some(Arc::new(move || {
        assert!(thread_name().starts_with("mqtt-question"), "on {}", thread_name());
        given.lock().unwrap().next().expect("no more attempts")
    })));
    options
}

fn token(number: u32) -> Result<Credentials> {
    Ok(Credentials {
        user_name: Some(format!("user-{number}")),
        password: Some(format!("token-{number}").into()),
    })
}

#[test]
fn credentials_are_asked_for_before_each_attempt() {
    let broker = ScriptedBroker::start();
    let given = vec![token(1), token(2), Ok(Credentials::default())];
    let options = credentials(&broker, given);
    assert!(!format!("{options:?} {:?}", token(1)).contains("token-1"));
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    for number in [1, 2] {
        let mut peer = broker.accept();
        let connect = peer.expect_connect();
        assert_eq!(connect.user, Some(format!("user-{number}")));
        assert_eq!(connect.password, Some(format!("token-{number}").into_bytes()));
        peer.connack(false, 0);
        eventually("it is connected", || session.state() == State::Connected);
        peer.close();
    }
    ended(connecting).unwrap();
    let mut peer = broker.accept();
    let connect = peer.expect_connect();
    assert_eq!((connect.user, connect.password), (None, None), "nothing, where it gives nothing");
    peer.connack(false, 0);
    eventually("it is connected", || session.state() == State::Connected);
    session.close();
}

#[test]
fn an_error_instead_of_credentials_ends_the_attempt_and_decides_about_the_next() {
    let broker = ScriptedBroker::start();
    let given = vec![
        token(1),
        // Worth another attempt.
        Err(Error::new(Code::Timeout, "the vault does not answer")),
        token(2),
        // Not.
        Err(Error::new(Code::InvalidOption, "the vault knows nobody of this name")),
    ];
    let (session, peer) = connect(&broker, &credentials(&broker, given));
    let events = events(&session);
    peer.close();
    let mut peer = broker.accept();
    assert_eq!(peer.expect_connect().user.as_deref(), Some("user-2"));
    peer.connack(false, 0);
    peer.close();
    let mut lost = Vec::new();
    let last = loop {
        match next(&events) {
            Event::Lost(error) => lost.push(error.code()),
            Event::Disconnected(error) => break error.unwrap(),
            _ => {}
        }
    };
    assert_eq!(last.code(), Code::InvalidOption);
    assert_eq!(last.message(), "the vault knows nobody of this name");
    let closed = Code::ConnectionClosed;
    assert_eq!(lost, [closed, Code::Timeout, closed, Code::InvalidOption]);
}

#[test]
fn a_source_of_credentials_that_panics() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_credentials_source(Some(Arc::new(|| panic!("on purpose"))));
    let session = Session::new(&options).unwrap();
    let error = ended(session.connect()).unwrap_err();
    assert!(failed(&session, &error).contains("The source of the credentials panicked"));
}

#[test]
fn credentials_and_an_authenticator_are_asked_in_turn() {
    let broker = ScriptedBroker::start();
    let (authenticator, asked) = prompter([Ok(Some("zero"))]);
    let mut options = with(&broker, authenticator);
    options.set_credentials_source(Some(Arc::new(|| token(1))));
    options.set_connect_timeout(Duration::MAX).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    let connect = peer.expect_connect();
    assert_eq!(connect.user.as_deref(), Some("user-1"));
    assert_eq!(data(&connect.properties), "zero");
    accept(&mut peer, "");
    ended(connecting).unwrap();
    assert_eq!(asked.try_iter().count(), 2);
}
