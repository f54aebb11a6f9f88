//! Pings, and what becomes of a connection whose peer does not answer them.

use mqttsession::{
    error::Code,
    protocol::{Packet, Property, Version},
};

use crate::{
    packets::{connack_with, message0, properties},
    pair::{Pair, VERSIONS},
};

#[test]
fn an_idle_session_pings_after_the_keep_alive_time() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        for _ in 0..3 {
            assert_eq!(pair.due(), Some(60));
            pair.timeout().unwrap();
            assert_eq!(pair.sent_bytes(), b"\xc0\x00");
            pair.receive(Packet::Pingresp);
        }
    }
}

#[test]
fn without_a_keep_alive_time_there_is_no_deadline() {
    let pair = Pair::with(Version::V311, |settings| settings.keep_alive = 0).connected();
    assert_eq!(pair.due(), None);
}

#[test]
fn the_server_may_set_another_keep_alive_time() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.receive(connack_with(&properties(&[Property::ServerKeepAlive(5)])));
    assert_eq!(pair.due(), Some(5));
    // It belongs to this connection [MQTT-3.1.2-21].
    pair.reconnect(false);
    assert_eq!(pair.due(), Some(60));
    pair.lose();
    pair.connect(false);
    pair.receive(connack_with(&properties(&[Property::ServerKeepAlive(0)])));
    assert_eq!(pair.due(), None);
}

#[test]
fn traffic_in_both_directions_makes_a_ping_needless() {
    let mut pair = Pair::online(Version::V311);
    pair.elapse(50);
    pair.publish(0, "a", "x");
    pair.sent();
    pair.elapse(5);
    pair.deliver(message0("b", "y"));
    pair.elapse(5);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert_eq!(pair.sent(), [""; 0]);
    assert_eq!(pair.due(), Some(50), "60 seconds after the older of the two");
}

#[test]
fn one_that_only_sends_asks_whether_anybody_listens() {
    let mut pair = Pair::online(Version::V311);
    for _ in 0..6 {
        pair.elapse(10);
        pair.publish(0, "a", "x");
        assert_eq!(pair.sent().len(), 1);
    }
    pair.engine.handle_timeout(pair.now).unwrap();
    assert_eq!(pair.sent(), ["PINGREQ"]);
}

#[test]
fn an_unanswered_ping_ends_the_connection() {
    for (keep_alive, patience) in [(60, 20), (5, 5)] {
        for version in VERSIONS {
            let mut pair = Pair::with(version, |s| s.keep_alive = keep_alive).connected();
            pair.timeout().unwrap();
            assert_eq!(pair.sent(), ["PINGREQ"]);
            assert_eq!(pair.due(), Some(patience));
            let error = pair.timeout().unwrap_err();
            assert_eq!(error.code(), Code::KeepAliveTimeout);
            assert!(error.is_timeout() && !pair.engine.is_online());
            // 0x8d is for the server to send (table 3-10).
            let last: &[&str] = if version.is_v5() { &["DISCONNECT 0x80"] } else { &[] };
            assert_eq!(pair.sent(), last, "no second ping, {version:?}");
            assert_eq!(pair.due(), None);
        }
    }
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut pair = Pair::online(Version::V311);
    pair.timeout().unwrap();
    pair.sent();
    pair.elapse(19);
    // The first byte of a message that takes its time.
    pair.input(b"\x30").unwrap();
    pair.elapse(30);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert!(pair.engine.is_online());
}

#[test]
fn the_answers_deadline_runs_from_when_the_ping_is_taken_for_writing() {
    let mut pair = Pair::online(Version::V311);
    pair.publish(0, "a", "a long upload over a slow line");
    pair.taken();
    pair.elapse(60);
    pair.engine.handle_timeout(pair.now).unwrap();
    // The upload is still going on.
    pair.elapse(600);
    pair.engine.handle_timeout(pair.now).unwrap();
    assert!(pair.engine.is_online());
    pair.engine.handle_written(pair.now);
    assert_eq!(pair.sent(), ["PINGREQ"], "once, however long it had to wait");
    assert_eq!(pair.due(), Some(20));
    assert_eq!(pair.timeout().unwrap_err().code(), Code::KeepAliveTimeout);
}

#[test]
fn while_reading_is_paused_the_answers_deadline_stands_still() {
    let mut pair = Pair::with(Version::V311, |settings| settings.keep_alive = 10).connected();
    pair.timeout().unwrap();
    assert_eq!(pair.sent(), ["PINGREQ"]);
    pair.engine.pause(true, pair.now);
    let mut pings = 0;
    let resumed = pair.now + std::time::Duration::from_secs(100);
    while pair.engine.poll_timeout().is_some_and(|at| at < resumed) {
        pair.timeout().expect("the answer may lie unread");
        pings += pair.sent().len();
    }
    assert_eq!(pings, 9, "the broker still hears from us every 10 seconds");
    pair.now = resumed;
    pair.engine.pause(false, pair.now);
    pair.elapse(9);
    pair.engine.handle_timeout(pair.now).unwrap();
    pair.elapse(1);
    let error = pair.engine.handle_timeout(pair.now).unwrap_err();
    assert_eq!(error.code(), Code::KeepAliveTimeout, "10 seconds after reading went on");
}

#[test]
fn a_pause_ends_with_the_connection() {
    let mut pair = Pair::online(Version::V311);
    pair.engine.pause(true, pair.now);
    pair.reconnect(false);
    pair.timeout().unwrap();
    pair.sent();
    assert_eq!(pair.timeout().unwrap_err().code(), Code::KeepAliveTimeout);
}
