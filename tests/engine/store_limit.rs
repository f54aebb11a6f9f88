//! What the store does not take: limits, failures, and who waits for a message to be stored.

use mqttsession::{
    engine::{QueuePolicy, Refused},
    error::Code,
    protocol::{Properties, ReasonCode, Version},
};

use crate::{
    packets::puback,
    pair::{Pair, VERSIONS, limit, message},
    shelf::Shelved,
};

const NOTHING: [&str; 0] = [];

fn online(version: Version) -> Shelved {
    Shelved::new(version).connected()
}

/// Why a message is refused; `FULL` at a limit.
fn refusal(session: &mut Pair, qos: u8) -> String {
    match session.try_publish(message(qos, "a", "x")) {
        Err(Refused::Because(error)) => error.code().name().into(),
        Err(Refused::Full) => "FULL".into(),
        Ok(number) => panic!("{number} was accepted"),
    }
}

#[test]
fn the_limit_of_the_store_counts_what_it_holds() {
    let mut session = Shelved::with(Version::V311, |settings| {
        settings.store_limit = (2, usize::MAX);
        settings.queue.policy = QueuePolicy::Reject;
    })
    .connected();
    session.publish(1, "a", "x");
    session.publish(2, "a", "x");
    assert!(!session.engine.has_room());
    assert_eq!(refusal(&mut session, 1), "FULL");
    session.publish(0, "a", "x");
    session.store();
    session.sent();
    assert_eq!(refusal(&mut session, 2), "FULL", "in flight it is there still");
    session.receive(puback(1));
    assert!(session.engine.has_room());
    session.publish(2, "a", "x");
}

#[test]
fn the_bytes_of_the_store_are_limited_and_the_first_message_fits_always() {
    let mut session = Shelved::with(Version::V311, |settings| {
        settings.store_limit = (usize::MAX, 20);
        settings.queue.policy = QueuePolicy::DropOldest;
    });
    session.publish(1, "a", &"x".repeat(100));
    session.publish(0, "a", "not stored");
    assert_eq!(session.ended(), NOTHING);
    session.publish(1, "a", "x");
    assert_eq!(session.ended(), ["1: DROPPED"]);
    session.publish(1, "a", "x");
    session.publish(1, "a", "x");
    assert_eq!(session.ended(), ["2: DROPPED", "3: DROPPED"], "the oldest, whatever it is");
}

#[test]
fn records_that_wait_for_the_disk_are_limited() {
    let megabyte = "x".repeat(1 << 20);
    for policy in [QueuePolicy::Reject, QueuePolicy::DropOldest, QueuePolicy::KeepLatest] {
        let mut session = Shelved::with(Version::V311, |settings| settings.queue.policy = policy);
        let accepted = (0..100)
            .map(|number| number.to_string())
            .take_while(|topic| session.try_publish(message(1, topic, &megabyte)).is_ok())
            .count();
        assert_eq!(accepted, 15, "{policy:?}");
        session.publish(0, "a", "x");
        session.write();
        assert!(session.try_publish(message(1, "a", &megabyte)).is_err(), "not stored yet");
        session.sync();
        session.publish(1, "a", &megabyte);
    }
    // One that is larger than the limit waits alone.
    let mut session = Shelved::new(Version::V311);
    session.publish(1, "a", &"x".repeat(20 << 20));
    assert!(!session.engine.has_room());
    assert_eq!(refusal(&mut session, 1), "FULL");
    session.store();
    assert!(session.engine.has_room());
    session.publish(1, "a", "x");
}

// ---- the store fails

#[test]
fn a_store_that_takes_nothing_refuses_what_it_would_have_to_take() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "x");
        session.write();
        session.engine.handle_store_failed(Code::StoreFull.into());
        assert_eq!(refusal(&mut session, 1), "STORE_FULL");
        assert_eq!(refusal(&mut session, 2), "STORE_FULL");
        assert!(session.engine.has_room(), "who waits learns it");
        session.publish(0, "a", "x");
        assert_eq!(session.ended(), NOTHING, "nothing ends");
        assert_eq!(session.sent(), NOTHING);
        // There is room again.
        session.sync();
        assert_eq!(session.sent(), ["PUBLISH q1 #1 a=x", "PUBLISH q0 a=x"]);
        session.publish(1, "a", "x");
    }
}

#[test]
fn a_full_disk_does_not_cost_the_connection() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "x");
        session.write();
        session.engine.handle_store_failed(Code::StoreFull.into());
        session.publish(0, "a", "y");
        session.timeout().unwrap();
        assert_eq!(session.sent(), ["PINGREQ"]);
        assert_eq!(session.due(), Some(20), "its answer is waited for");
        session.timeout().unwrap_err();
        session.lose();
        // What was held is gone with the connection, and the messages are not.
        assert_eq!(session.ended(), ["2: CONNECTION_CLOSED"]);
        session.connect(true);
        assert_eq!(session.sent().len(), 1, "CONNECT waits for nothing");
    }
}

#[test]
fn a_full_disk_does_not_keep_a_session_from_saying_good_bye() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "x");
        session.write();
        session.engine.handle_store_failed(Code::StoreFull.into());
        session.publish(0, "a", "behind");
        session.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        assert_eq!(session.sent(), ["DISCONNECT"]);
        // Nothing follows, even if there is room again.
        session.sync();
        assert_eq!(session.sent(), NOTHING);
        let again = session.reconnect(true);
        assert_eq!(session.ended(), ["2: CONNECTION_CLOSED"]);
        assert_eq!(again, ["PUBLISH dup q1 #1 a=x"]);
    }
}

// ---- asking whether a message is stored

#[test]
fn who_waits_for_the_store_is_told_when_it_has_the_message() {
    let mut session = online(Version::V311);
    let [first, second] = [1, 2].map(|qos| session.publish(qos, "a", "x"));
    session.events();
    for (ticket, number) in [(7, first), (8, second), (9, first)] {
        session.engine.await_stored(number, ticket).unwrap();
    }
    assert_eq!(session.engine.counters().unstored, 2);
    session.write();
    let third = session.publish(1, "a", "x");
    session.engine.await_stored(third, 10).unwrap();
    assert_eq!(session.engine.counters().unstored, 3);
    assert!(!session.engine.has_news());
    session.sync();
    assert!(session.engine.has_news());
    assert_eq!(session.events(), ["stored 7", "stored 9", "stored 8"]);
    assert_eq!(session.engine.counters().unstored, 1);
    session.store();
    assert_eq!(session.events(), ["stored 10"]);
    // It is asked for later, and after the end.
    session.sent();
    session.receive(puback(1));
    for number in [first, second, third] {
        session.engine.await_stored(number, number).unwrap();
    }
    assert_eq!(session.events(), ["stored 1", "stored 2", "stored 3"]);
    let zero = session.publish(0, "a", "x");
    session.engine.await_stored(zero, 4).unwrap();
    assert_eq!(session.events(), ["stored 4"], "there is nothing to wait for");
}

#[test]
fn who_waits_for_the_store_learns_why_it_waits_in_vain() {
    let mut session = Shelved::with(Version::V311, |settings| {
        settings.queue = limit(1, usize::MAX, QueuePolicy::DropOldest);
    });
    let dropped = session.publish(1, "a", "x");
    session.engine.await_stored(dropped, 1).unwrap();
    let number = session.publish(1, "a", "x");
    assert_eq!(session.events(), ["stored 1: DROPPED"]);
    session.engine.await_stored(dropped, 2).unwrap();
    assert_eq!(session.events(), ["stored 2: DROPPED"]);
    session.engine.await_stored(number, 3).unwrap();
    session.write();
    session.engine.handle_store_failed(Code::StoreFull.into());
    assert_eq!(session.events(), ["stored 3: STORE_FULL"]);
    let refused = session.engine.await_stored(number, 4).unwrap_err();
    assert_eq!(refused.code(), Code::StoreFull);
    session.sync();
    session.engine.await_stored(number, 5).unwrap();
    assert_eq!(session.events(), ["stored 5"]);
    let unknown = session.engine.await_stored(99, 6).unwrap_err();
    assert_eq!(unknown.code(), Code::UnknownMessage);
    let mut pair = Pair::new(Version::V311);
    pair.publish(1, "a", "x");
    assert_eq!(pair.engine.await_stored(1, 1).unwrap_err().code(), Code::NotSupported);
}
