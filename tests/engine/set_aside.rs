//! Messages on which the broker ends one connection after the other.

use mqttsession::{
    engine::Settings,
    error::{Code, Error},
    protocol::{Packet, ReasonCode, Version},
};

use crate::{
    packets::{connack, disconnect, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, persist},
};

pub(crate) fn closed() -> Error {
    Code::ConnectionClosed.into()
}

pub(crate) fn lasting(version: Version, change: impl FnOnce(&mut Settings)) -> Pair {
    Pair::with(version, |settings| {
        persist(settings);
        change(settings);
    })
    .connected()
}

/// The broker ends the connection and takes the next; the answer is what follows CONNECT.
pub(crate) fn kick(pair: &mut Pair, session_present: bool) -> Vec<String> {
    kick_with(pair, &closed(), session_present)
}

fn kick_with(pair: &mut Pair, loss: &Error, session_present: bool) -> Vec<String> {
    pair.kicked(loss);
    pair.connect(true);
    pair.sent();
    pair.receive(connack(session_present && pair.version != Version::V31));
    answered(pair)
}

/// What the session sends; where it asks first whether the connection lives, when it does.
fn answered(pair: &mut Pair) -> Vec<String> {
    let mut sent = pair.sent();
    if sent.last().is_some_and(|last| last == "PINGREQ") {
        sent.pop();
        pair.receive(Packet::Pingresp);
        sent.extend(pair.sent());
    }
    sent
}

fn publish_three(pair: &mut Pair, qos: u8) {
    for payload in ["1", "2", "3"] {
        pair.publish(qos, "topic", payload);
    }
    assert_eq!(pair.sent().len(), 3);
    pair.events();
}

#[test]
fn the_third_connection_that_ends_on_a_message_sets_it_aside() {
    for version in VERSIONS {
        let mut pair = lasting(version, |_| {});
        publish_three(&mut pair, 1);
        pair.receive(puback(1));
        assert_eq!(pair.ended(), ["1: ok"]);
        let both = ["PUBLISH dup q1 #2 topic=2", "PUBLISH dup q1 #3 topic=3"];
        assert_eq!(kick(&mut pair, true), both);
        // The second finding: from now on it is sent alone, so that the third is certain.
        assert_eq!(kick(&mut pair, true), both[..1]);
        pair.publish(0, "topic", "waits");
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.ended(), [""; 0]);
        let sent = kick(&mut pair, true);
        assert_eq!(sent, ["PUBLISH dup q1 #3 topic=3", "PUBLISH q0 topic=waits"]);
        assert_eq!(pair.ended(), ["2: SET_ASIDE", "4: ok"]);
        let size = pair.encoded(Packet::Publish(crate::packets::message1(2, "topic", "2"))).len();
        let event = format!("set aside 2: topic of {size} bytes: SET_ASIDE");
        assert!(pair.events().contains(&event));
        assert_eq!(pair.outcome(2).as_deref(), Some("SET_ASIDE"));
        assert_eq!(pair.engine.counters().failed.set_aside, 1);
        // The connection goes on without it, and its neighbour starts with a clean record.
        for _ in 0..2 {
            kick(&mut pair, true);
        }
        assert_eq!(pair.ended(), [""; 0]);
        pair.receive(puback(3));
        assert_eq!(pair.ended(), ["3: ok"]);
    }
}

#[test]
fn the_error_names_the_last_loss() {
    let mut pair = lasting(Version::V5, |settings| settings.set_aside_after = 1);
    pair.publish(1, "topic", "x");
    pair.sent();
    let loss = pair.fault(disconnect(ReasonCode::PayloadFormatInvalid));
    pair.kicked(&loss);
    let outcome = pair.engine.watch(1, 0, &mut None).expect("it has ended").unwrap_err();
    assert_eq!(outcome.code(), Code::SetAside);
    let cause = std::error::Error::source(&outcome).expect("a cause").to_string();
    assert_eq!(cause, loss.to_string());
}

#[test]
fn without_the_brokers_session_it_is_found_all_the_same() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::online(version);
        publish_three(&mut pair, 1);
        assert_eq!(kick(&mut pair, false).len(), 3);
        assert_eq!(kick(&mut pair, false), ["PUBLISH q1 #7 topic=1"]);
        let neighbours = ["PUBLISH q1 #8 topic=2", "PUBLISH q1 #9 topic=3"];
        assert_eq!(kick(&mut pair, false), neighbours);
        assert_eq!(pair.ended(), ["1: SET_ASIDE"]);
    }
}

#[test]
fn an_innocent_one_that_lands_opens_the_window_again() {
    for (qos, answer) in [(1, puback(1)), (2, pubrec(1))] {
        let mut pair = lasting(Version::V5, |_| {});
        publish_three(&mut pair, qos);
        kick(&mut pair, true);
        assert_eq!(kick(&mut pair, true).len(), 1);
        pair.receive(answer);
        let sent = pair.sent();
        let rest = ["PUBLISH dup q", "PUBLISH dup q"];
        let messages: Vec<_> = sent.iter().filter(|line| line.starts_with(rest[0])).collect();
        assert_eq!(messages.len(), 2, "{sent:?}");
        if qos == 2 {
            pair.receive(pubcomp(1));
        }
        // The next one begins at one again.
        for _ in 0..2 {
            kick(&mut pair, true);
        }
        assert_eq!(pair.engine.counters().failed.set_aside, 0);
        kick(&mut pair, true);
        assert_eq!(pair.outcome(2).as_deref(), Some("SET_ASIDE"));
    }
}

#[test]
fn a_broker_that_went_past_a_message_did_not_end_on_it() {
    let mut pair = lasting(Version::V5, |_| {});
    publish_three(&mut pair, 1);
    for _ in 0..2 {
        pair.kicked(&closed());
        pair.connect(true);
        pair.receive(connack(true));
        answered(&mut pair);
    }
    // It is alone on its third connection, lands late, and everything is forgiven.
    pair.receive(puback(1));
    pair.sent();
    pair.receive(puback(3));
    for _ in 0..5 {
        pair.publish(1, "topic", "later");
        let last = pair.sent().pop().expect("a message");
        let id = last.split(['#', ' ']).find_map(|part| part.parse().ok()).expect("an id");
        pair.receive(puback(id));
        kick(&mut pair, true);
    }
    assert_eq!(pair.engine.counters().failed.set_aside, 0);
    assert_eq!(pair.outcome(2), None);
}

#[test]
fn the_answer_for_a_later_message_clears_an_earlier_one() {
    for (qos, answer) in [(1, puback(3)), (2, pubrec(3))] {
        let mut pair = lasting(Version::V311, |settings| settings.set_aside_after = 1);
        publish_three(&mut pair, qos);
        pair.receive(answer);
        pair.sent();
        assert_eq!(kick(&mut pair, true).len(), if qos == 1 { 2 } else { 3 });
        assert_eq!(pair.outcome(1), None);
        kick(&mut pair, true);
        assert_eq!(pair.outcome(1).as_deref(), Some("SET_ASIDE"));
    }
}

#[test]
fn only_what_the_broker_did_counts() {
    use ReasonCode::*;
    let timed_out = Error::from(Code::ConnectionReset)
        .with_source(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let disconnected = |reason: ReasonCode| {
        Error::from(Code::ServerDisconnected).with_reason(reason.as_u8(), None)
    };
    let innocent = [
        Code::KeepAliveTimeout.into(),
        Code::Unreachable.into(),
        Code::Io.into(),
        Code::SessionTakenOver.into(),
        Code::ServerMoved.into(),
        timed_out,
        disconnected(ServerShuttingDown),
        disconnected(ServerBusy),
        disconnected(AdministrativeAction),
        disconnected(MaximumConnectTime),
    ];
    let telling = [
        Code::ConnectionClosed.into(),
        Code::ConnectionReset.into(),
        Code::MalformedPacket.into(),
        Code::ProtocolError.into(),
        disconnected(UnspecifiedError),
        disconnected(TopicNameInvalid),
        disconnected(QuotaExceeded),
    ];
    let losses = innocent.into_iter().map(|loss: Error| (loss, false));
    for (loss, tells) in losses.chain(telling.into_iter().map(|loss: Error| (loss, true))) {
        let mut pair = lasting(Version::V5, |_| {});
        pair.publish(1, "topic", "x");
        pair.sent();
        for _ in 0..4 {
            kick_with(&mut pair, &loss, true);
        }
        assert_eq!(pair.ended() == ["1: SET_ASIDE"], tells, "{loss:?}");
    }
}

#[test]
fn an_end_of_another_kind_is_no_acquittal() {
    let mut pair = lasting(Version::V5, |_| {});
    pair.publish(1, "topic", "x");
    pair.sent();
    for loss in [closed(), Code::KeepAliveTimeout.into(), closed(), Code::Unreachable.into()] {
        kick_with(&mut pair, &loss, true);
    }
    // A connection that the broker did not accept shows nothing either.
    pair.lose();
    pair.connect(true);
    pair.sent();
    pair.kicked(&closed());
    assert_eq!(pair.ended(), [""; 0]);
    pair.connect(true);
    pair.receive(connack(true));
    answered(&mut pair);
    pair.kicked(&closed());
    assert_eq!(pair.ended(), ["1: SET_ASIDE"]);
}

#[test]
fn a_broker_that_ends_every_connection_blames_no_message() {
    for keep_alive in [0, 60] {
        let mut pair = lasting(Version::V311, |settings| settings.keep_alive = keep_alive);
        publish_three(&mut pair, 1);
        for _ in 0..10 {
            pair.kicked(&closed());
            pair.connect(true);
            pair.sent();
            pair.receive(connack(true));
            // From the third connection on it would have to show that it lives without the message.
            pair.sent();
        }
        assert_eq!(pair.ended(), [""; 0]);
        // It does not answer, nor end the connection: the ping is overdue like any other.
        assert_eq!(pair.due(), Some(20));
        assert_eq!(pair.timeout().unwrap_err().code(), Code::KeepAliveTimeout);
        assert_eq!(kick(&mut pair, true), ["PUBLISH dup q1 #1 topic=1"]);
        pair.receive(puback(1));
        assert_eq!(pair.sent().len(), 2);
    }
}

#[test]
fn what_died_in_the_output_counts_too() {
    let mut pair = lasting(Version::V311, |_| {});
    pair.publish(1, "topic", "x");
    pair.taken();
    for _ in 0..2 {
        pair.kicked(&closed());
        pair.connect(true);
        pair.receive(connack(true));
        assert!(!pair.taken().is_empty());
        pair.receive(Packet::Pingresp);
    }
    pair.kicked(&closed());
    assert_eq!(pair.ended(), ["1: SET_ASIDE"]);
}

#[test]
fn the_limit_is_an_option() {
    for limit in 1..6 {
        let mut pair = lasting(Version::V311, |settings| settings.set_aside_after = limit);
        publish_three(&mut pair, 1);
        for connection in 1..limit {
            let sent = kick(&mut pair, true);
            let alone = connection >= 2 || connection + 1 == limit;
            assert_eq!(sent.len(), if alone { 1 } else { 3 }, "{connection} of {limit}");
            assert_eq!(pair.ended(), [""; 0]);
        }
        kick(&mut pair, true);
        assert_eq!(pair.ended(), ["1: SET_ASIDE"], "after {limit}");
    }
    let mut pair = lasting(Version::V311, |settings| settings.set_aside_after = 0);
    publish_three(&mut pair, 1);
    for _ in 0..20 {
        assert_eq!(kick(&mut pair, true).len(), 3);
    }
    assert_eq!(pair.ended(), [""; 0]);
}

#[test]
fn what_the_broker_has_taken_is_not_set_aside() {
    let mut pair = lasting(Version::V311, |_| {});
    pair.publish(2, "topic", "x");
    pair.sent();
    pair.receive(pubrec(1));
    for _ in 0..5 {
        assert_eq!(kick(&mut pair, true), ["PUBREL #1"]);
    }
    pair.receive(pubcomp(1));
    assert_eq!(pair.ended(), ["1: ok"]);
}

#[test]
fn a_suspect_that_is_dropped_or_cancelled_holds_nobody_up() {
    let mut pair = lasting(Version::V311, |_| {});
    publish_three(&mut pair, 1);
    kick(&mut pair, true);
    assert_eq!(kick(&mut pair, true).len(), 1);
    pair.engine.cancel_all();
    pair.publish(0, "topic", "x");
    assert_eq!(pair.sent(), ["PUBLISH q0 topic=x"]);
}

#[test]
fn a_release_on_which_the_broker_ends_blames_no_message() {
    let mut pair = lasting(Version::V5, |_| {});
    pair.publish(2, "topic", "1");
    pair.publish(1, "topic", "2");
    pair.sent();
    pair.receive(pubrec(1));
    for _ in 0..6 {
        // The broker answers a ping and ends on the PUBREL, wherever that stands.
        kick(&mut pair, true);
    }
    assert_eq!(pair.ended(), [""; 0]);
    // As soon as it is completed, the finding is certain again.
    pair.kicked(&closed());
    pair.connect(true);
    pair.receive(connack(true));
    pair.receive(pubcomp(1));
    answered(&mut pair);
    pair.kicked(&closed());
    assert_eq!(pair.ended(), ["1: ok", "2: SET_ASIDE"]);
}

#[test]
fn releases_leave_before_the_ping_that_is_to_show_that_the_connection_lives() {
    let mut pair = lasting(Version::V311, |_| {});
    pair.publish(2, "topic", "1");
    pair.publish(1, "topic", "2");
    pair.sent();
    pair.receive(pubrec(1));
    kick(&mut pair, true);
    pair.kicked(&closed());
    pair.connect(true);
    pair.sent();
    pair.receive(connack(true));
    assert_eq!(pair.sent(), ["PUBREL #1", "PINGREQ"]);
}

#[test]
fn a_subscribe_on_which_the_broker_ends_blames_no_message() {
    // Under 3.1 the end is the refusal: it is not asked for again.
    for version in [Version::V311, Version::V5] {
        let mut pair = lasting(version, |_| {});
        pair.publish(1, "topic", "x");
        pair.subscribe(&["forbidden:1"]);
        for _ in 0..6 {
            pair.kicked(&closed());
            pair.connect(true);
            pair.receive(connack(true));
            pair.sent();
            // It answers pings while it looks the rights up.
            pair.receive(Packet::Pingresp);
            assert!(pair.sent().iter().all(|line| line.starts_with("PUBLISH")));
        }
        assert_eq!(pair.ended(), [""; 0]);
    }
}

#[test]
fn a_received_message_that_breaks_the_rules_blames_no_message() {
    for version in VERSIONS {
        let mut pair = lasting(version, |settings| settings.set_aside_after = 3);
        pair.publish(1, "topic", "x");
        pair.sent();
        for round in 0..3 {
            let loss = pair.fault_of(b"\x30\x03\0\x01+");
            assert!([Code::MalformedPacket, Code::ProtocolError].contains(&loss.code()));
            kick_with(&mut pair, &loss, true);
            assert_eq!(pair.ended(), [""; 0], "after {round}");
        }
        // Now the received one is set aside, and the connection lives.
        pair.input(b"\x30\x03\0\x01+").unwrap();
        pair.receive(puback(1));
        assert_eq!(pair.ended(), ["1: ok"]);
    }
}

#[test]
fn a_broker_that_lives_on_without_an_answer_holds_nobody_up() {
    let mut pair = lasting(Version::V5, |_| {});
    publish_three(&mut pair, 1);
    kick(&mut pair, true);
    assert_eq!(kick(&mut pair, true), ["PUBLISH dup q1 #1 topic=1"]);
    pair.timeout().unwrap();
    assert_eq!(pair.sent(), ["PINGREQ"]);
    // It has had the message for the whole keep-alive time, and answers.
    pair.receive(Packet::Pingresp);
    let rest = ["PUBLISH dup q1 #2 topic=2", "PUBLISH dup q1 #3 topic=3"];
    assert_eq!(pair.sent(), rest);
    kick(&mut pair, true);
    assert_eq!(pair.ended(), [""; 0], "it begins at one again");
}
