//! What a broker must not send, over a real connection: the user is told, the broker is told, and the
//! session connects again. The rows are those of `violations.txt`.

use mqttsession::{
    client::{Event, Session, State},
    error::Layer,
    protocol::{QoS, Version},
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    violation::Row,
};

use crate::support::*;

/// Of every kind one: the fixed header, each packet, a property, a text, the order of things.
const ROWS: [&str; 16] = [
    "type-0",
    "publish-qos-3",
    "remaining-length-of-five-bytes",
    "pingreq",
    "connack-twice",
    "publish-topic-hash",
    "publish-property-length-too-long",
    "publish-session-expiry",
    "publish-response-topic-wildcard",
    "publish-topic-alias-unwanted",
    "puback-for-qos-2",
    "pubcomp-before-pubrec",
    "suback-too-many-reason-codes",
    "suback-unknown-return-code",
    "disconnect-session-expiry",
    "auth-unasked",
];

/// Brings the session into the row's situation; what is under way there stays unanswered.
fn begin(session: &Session, peer: &mut Peer, situation: &str) {
    match situation {
        "online" => {}
        "publishing-2" => {
            publish(session, "a", QoS::ExactlyOnce, "");
            assert_eq!(peer.expect_publish().id, 1);
        }
        "subscribing" => {
            let filters = [("a", at(QoS::AtMostOnce)), ("b", at(QoS::AtMostOnce))];
            session.subscribe_many(&filters, Default::default(), ignore()).unwrap();
            assert_eq!(peer.expect_subscribe().id, 1);
        }
        other => panic!("no test begins {other}"),
    }
}

#[test]
fn the_user_is_told_and_the_session_goes_on() {
    let rows = Row::all();
    for name in ROWS {
        let row = rows.iter().find(|row| row.name == name).expect(name);
        for &level in &row.levels {
            let broker = ScriptedBroker::start();
            let mut options = options(&broker);
            options.set_version(Version::from_level(level).unwrap());
            let (session, mut peer) = connect(&broker, &options);
            let events = events(&session);
            begin(&session, &mut peer, &row.situation);
            peer.send(&row.bytes(level));
            if level == 5 {
                let reason = format!("{:#04x}", peer.expect_disconnect().reason);
                assert_eq!(reason, row.answer.to_lowercase(), "{name}");
            }
            peer.expect_closed();
            let Event::Lost(error) = next(&events) else { panic!("{name}: it was not lost") };
            assert_eq!(Some(error.code().name()), row.code.as_deref(), "{name}");
            assert_eq!(error.message(), row.sentence(level), "{name}");
            assert!(error.is_retryable() && error.layer() == Layer::Protocol, "{name}");
            let last = session.last_error().expect("it is remembered");
            assert_eq!(last.message(), error.message());
            let Event::Retrying(_) = next(&events) else { panic!("{name}: it gave up") };
            drop(peer);
            let _again = broker.accept_session();
            eventually("it is connected again", || session.statistics().connections == 2);
            assert_eq!(session.state(), State::Connected);
        }
    }
}

#[test]
fn a_broken_connack_is_the_error_of_connect() {
    let rows = Row::all();
    for name in ["connack-empty", "connack-receive-maximum-0", "publish-before-connack", "http"] {
        let row = rows.iter().find(|row| row.name == name).expect(name);
        for &level in &row.levels {
            let broker = ScriptedBroker::start();
            let mut options = options(&broker);
            options.set_version(Version::from_level(level).unwrap());
            let session = Session::new(&options).unwrap();
            let connecting = session.connect();
            let mut peer = broker.accept();
            peer.expect_connect();
            peer.send(&row.bytes(level));
            let error = ended(connecting).unwrap_err();
            assert_eq!(Some(error.code().name()), row.code.as_deref(), "{name}");
            assert_eq!(error.message(), row.sentence(level), "{name}");
            eventually("the session rests", || session.state() == State::Disconnected);
            let last = session.last_error().expect("it is remembered");
            assert_eq!(last.message(), error.message());
        }
    }
}

#[test]
fn a_broker_that_breaks_the_rules_while_the_session_returns_does_not_stop_it() {
    let (broker, session, peer) = connected();
    let events = events(&session);
    peer.reset();
    // A session that comes back meets a broker that sends its messages first.
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.publish("in", 0, 0, "too early");
    peer.expect_closed();
    drop(peer);
    let early = events.iter().find_map(|event| match event {
        Event::Lost(error) if error.layer() == Layer::Protocol => Some(error),
        _ => None,
    });
    let sentence = "The broker sent a PUBLISH before CONNACK [MQTT-3.2.0-1]";
    assert_eq!(early.expect("it is told").message(), sentence);
    let _again = broker.accept_session();
    eventually("it is connected again", || session.statistics().connections == 2);
}
