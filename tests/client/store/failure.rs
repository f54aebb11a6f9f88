//! While the disk takes nothing.

use mqttsession::{
    client::{Durability, Event, PublishOptions},
    error::Code,
    protocol::QoS,
};

use super::support::*;
use crate::support::*;

fn at_least_once() -> PublishOptions {
    PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() }
}

#[test]
fn a_full_disk_is_reported_and_tried_again() {
    for durability in [Durability::Message, Durability::System] {
        let memory = Memory::default();
        let (_broker, session, mut peer) = connected_over(&memory, durability);
        let events = events(&session);
        memory.set_full(Some(Code::StoreFull));
        let held = publish(&session, "t", QoS::AtLeastOnce, "held");
        let failed = session.wait_stored(held, Some(DEADLINE)).unwrap_err();
        assert_eq!(failed.code(), Code::StoreFull);
        assert!(matches!(next(&events), Event::StoreFailed(why) if why.code() == Code::StoreFull));
        let refused = session.publish("t", "".into(), at_least_once()).unwrap_err();
        assert_eq!(refused.code(), Code::StoreFull);
        assert_eq!(session.wait_stored(held, None).unwrap_err().code(), Code::StoreFull);
        memory.set_full(None);
        // By itself.
        assert!(matches!(next(&events), Event::StoreRecovered));
        session.wait_stored(held, Some(DEADLINE)).unwrap();
        assert_eq!(peer.expect_publish().payload, b"held");
        session.publish("t", "more".into(), at_least_once()).unwrap();
        assert_eq!(peer.expect_publish().payload, b"more");
        close(&session, peer);
        assert!(!events.try_iter().any(|event| matches!(event, Event::StoreFailed(_))));
    }
}

#[test]
fn messages_of_qos_0_need_no_disk() {
    let memory = Memory::default();
    let (_broker, session, mut peer) = connected_over(&memory, Durability::System);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtMostOnce, "a");
    session.wait(number, Some(DEADLINE)).unwrap();
    assert_eq!(peer.expect_publish().payload, b"a");
    close(&session, peer);
}

#[test]
fn a_failing_sync_is_the_end_of_storing() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let events = events(&session);
    memory.fail_to_sync();
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    let failed = session.wait_stored(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(failed.code(), Code::StoreFailed);
    let refused = session.publish("t", "".into(), at_least_once()).unwrap_err();
    assert_eq!(refused.code(), Code::StoreFailed);
    let writes = session.statistics().store_writes;
    close(&session, peer);
    let unsaved = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(unsaved.code(), Code::StoreFailed);
    assert_eq!(session.statistics().store_writes, writes, "nothing more was written");
}

#[test]
fn what_a_full_disk_does_not_take_ends_with_the_session() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::System);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    close(&session, peer);
    let unsaved = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(unsaved.code(), Code::StoreFailed);
    assert_eq!(memory.closes(), 1);
}

#[test]
fn a_disk_that_has_room_again_when_the_session_is_closed_takes_everything() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let events = events(&session);
    memory.set_full(Some(Code::StoreFull));
    let number = publish(&session, "t", QoS::AtLeastOnce, "");
    assert!(matches!(next(&events), Event::StoreFailed(_)));
    memory.set_full(None);
    close(&session, peer);
    let left = session.wait(number, Some(DEADLINE)).unwrap_err();
    assert_eq!(left.code(), Code::LeftInStore);
    assert!(memory.held().messages.contains_key(&number));
}

/// Of two syncs at a time only one would be told that the disk did not take something.
#[test]
fn one_sync_at_a_time() {
    let memory = Memory::default();
    let (_broker, session, peer) = connected_over(&memory, Durability::Message);
    let syncs = memory.gate_syncs();
    publish(&session, "t", QoS::AtLeastOnce, "");
    syncs.wait_for_arrival();
    let later = publish(&session, "t", QoS::AtLeastOnce, "");
    let closing = std::thread::spawn(move || close(&session, peer));
    // Closing has another thread write what is there; it might sync, too.
    eventually("it is written", || memory.held().messages.contains_key(&later));
    drop(syncs);
    closing.join().unwrap();
    assert_eq!(memory.most_syncs_at_once(), 1);
}
