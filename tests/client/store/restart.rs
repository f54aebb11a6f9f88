//! What a later session finds, and what becomes of it.

use std::sync::mpsc::Receiver;

use mqttsession::{
    client::{Durability, Event, Options, Restored, Session, SessionLoss},
    error::Code,
    protocol::{Property, QoS, Version},
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use super::support::*;
use crate::support::*;

/// The events up to the first of a kind.
fn until(events: &Receiver<Event>, last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = next(events);
        let is_last = last(&event);
        seen.push(event);
        if is_last {
            return seen;
        }
    }
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected(_))
}

fn restored(events: &[Event]) -> Restored {
    match &events[0] {
        Event::Restored(restored) => *restored,
        other => panic!("{other:?} before what the store held"),
    }
}

#[test]
fn what_was_unfinished_goes_on_in_the_next_process() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::System);
    publish(&session, "t", QoS::AtLeastOnce, "one");
    publish(&session, "t", QoS::ExactlyOnce, "two");
    publish(&session, "t", QoS::ExactlyOnce, "released");
    let ids: Vec<u16> = (0..3).map(|_| peer.expect_publish().id).collect();
    peer.send(&wire::pubrec(ids[2]));
    peer.expect_pubrel(ids[2]);
    let memory = kill(&memory, session, peer);

    let session = memory.open(&lasting(&broker));
    let events = events(&session);
    let mut peer = connect_session(&session, &broker, true);
    let events = until(&events, is_connected);
    let restored = restored(&events);
    assert_eq!((restored.messages, restored.in_flight, restored.interrupted), (3, 3, 0));
    assert!(restored.bytes > 0 && !restored.after_power_loss);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(peer.receive().to_string());
    }
    assert!(seen[0].starts_with("PUBREL") || seen[2].starts_with("PUBREL"), "{seen:?}");
    for (name, id) in ["one", "two"].into_iter().zip(&ids) {
        let again = seen.iter().find(|seen| seen.contains(name)).unwrap();
        assert!(again.contains("dup") && again.contains(&id.to_string()), "{again}");
    }
    peer.send(&[wire::puback(ids[0]), wire::pubrec(ids[1])].concat());
    peer.expect_pubrel(ids[1]);
    peer.send(&[wire::pubcomp(ids[2]), wire::pubcomp(ids[1])].concat());
    ended(session.flush()).unwrap();
    assert_eq!(session.statistics().session_lost, 0);
    // The numbers go on.
    assert_eq!(publish(&session, "t", QoS::AtMostOnce, ""), 4);
    close(&session, peer);
    assert_eq!(memory.held().messages.len(), 0);
}

#[test]
fn what_the_broker_has_forgotten_is_published_anew_and_the_program_told() {
    let memory = Memory::default();
    let (broker, session, mut peer) = connected_over(&memory, Durability::System);
    publish(&session, "t", QoS::AtLeastOnce, "one");
    publish(&session, "t", QoS::ExactlyOnce, "two");
    let released = publish(&session, "t", QoS::ExactlyOnce, "released");
    let ids: Vec<u16> = (0..3).map(|_| peer.expect_publish().id).collect();
    peer.send(&wire::pubrec(ids[2]));
    peer.expect_pubrel(ids[2]);
    let memory = kill(&memory, session, peer);

    let session = memory.open(&lasting(&broker));
    let events = events(&session);
    let mut peer = connect_session(&session, &broker, false);
    let lost = until(&events, |event| matches!(event, Event::SessionLost(_)));
    let Some(Event::SessionLost(SessionLoss { renewed, unknown, forgotten, .. })) = lost.last()
    else {
        unreachable!()
    };
    assert_eq!((*renewed, *unknown, *forgotten), (2, 1, 0));
    for payload in ["one", "two"] {
        let sent = peer.expect_publish();
        assert_eq!((sent.dup, sent.payload), (false, payload.as_bytes().to_vec()));
    }
    let unknown = session.wait(released, Some(DEADLINE)).unwrap_err();
    assert_eq!(unknown.code(), Code::SessionLost);
    close(&session, peer);
}

/// The events before the first attempt of a session over an empty store.
fn warned(broker: &ScriptedBroker, change: impl FnOnce(&mut Options)) -> bool {
    let mut options = lasting(broker);
    change(&mut options);
    let session = Memory::default().open(&options);
    let events = events(&session);
    let peer = connect_session(&session, broker, false);
    let seen = until(&events, is_connected);
    drop(peer);
    session.close();
    seen.iter().any(|event| matches!(event, Event::StoreWithoutSession))
}

#[test]
fn a_broker_that_will_forget_the_session_is_worth_a_warning() {
    let broker = ScriptedBroker::start();
    assert!(!warned(&broker, |_| {}));
    assert!(warned(&broker, |options| {
        options.set_clean_session(true);
    }));
    assert!(warned(&broker, |options| {
        options.set_version(Version::V5);
    }));
    let lasts = Property::SessionExpiryInterval(3600);
    assert!(!warned(&broker, |options| {
        options.set_version(Version::V5).add_connect_property(lasts).unwrap();
    }));
    assert!(warned(&broker, |options| {
        options.set_version(Version::V5).set_clean_session(true);
        options.add_connect_property(lasts).unwrap();
    }));
}

#[test]
fn an_empty_store_has_nothing_to_report() {
    let memory = Memory::default();
    let broker = ScriptedBroker::start();
    let session = memory.open(&lasting(&broker));
    let events = events(&session);
    let peer = connect_session(&session, &broker, false);
    let seen = until(&events, is_connected);
    assert!(matches!(seen[..], [Event::Connecting, Event::Connected(_)]), "{seen:?}");
    close(&session, peer);
}

#[test]
fn what_was_restored_is_reported_once() {
    let memory = Memory::default();
    let (broker, session, peer) = connected_over(&memory, Durability::System);
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    session.wait_stored(number, Some(DEADLINE)).unwrap();
    let memory = kill(&memory, session, peer);
    let session: Session = memory.open(&lasting(&broker));
    let events = events(&session);
    let peer = connect_session(&session, &broker, true);
    restored(&until(&events, is_connected));
    drop(peer);
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    let again = until(&events, is_connected);
    assert!(!again.iter().any(|event| matches!(event, Event::Restored(_))), "{again:?}");
    close(&session, peer);
}
