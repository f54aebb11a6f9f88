//! Own messages and the store: what is on record when, what waits for it, and what the end of a session
//! or of the broker's session means.

use mqttsession::{
    engine::{LARGE_PAYLOAD, QueuePolicy, Settings},
    protocol::{Packet, ReasonCode, Version},
};

use crate::{
    packets::{because, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, limit},
    set_aside::closed,
    shelf::Shelved,
};

const NOTHING: [&str; 0] = [];

fn online(version: Version) -> Shelved {
    Shelved::new(version).connected()
}

#[test]
fn a_message_of_qos_1_is_stored_before_it_leaves() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "x");
        assert_eq!(session.engine.output_length(), 0);
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.write(), ["message 1", "launched 1 as 1"]);
        assert_eq!(session.sent(), NOTHING, "written is not stored");
        session.sync();
        assert_eq!(session.engine.output_length(), if version.is_v5() { 9 } else { 8 });
        assert_eq!(session.sent(), ["PUBLISH q1 #1 a=x"]);
        session.receive(puback(1));
        assert_eq!(session.ended(), ["1: ok"], "the end waits for nothing");
        assert_eq!(session.store(), ["ended 1"]);
        assert!(session.engine.is_stored() && !session.engine.has_records());
    }
}

#[test]
fn each_step_of_qos_2_is_stored_before_it_is_taken() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(2, "a", "x");
        assert_eq!(session.store(), ["message 1", "launched 1 as 1"]);
        assert_eq!(session.sent(), ["PUBLISH q2 #1 a=x"]);
        session.receive(pubrec(1));
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.store(), ["released 1"]);
        assert_eq!(session.sent(), ["PUBREL #1"]);
        // The broker asks once more: on record it is already.
        session.receive(pubrec(1));
        assert_eq!(session.sent(), ["PUBREL #1"]);
        session.receive(pubcomp(1));
        assert_eq!(session.store(), ["ended 1"]);
        assert_eq!(session.ended(), ["1: ok"]);
    }
}

#[test]
fn the_packet_id_is_on_record_before_qos_2_leaves_and_need_not_be_before_qos_1_does() {
    for version in VERSIONS {
        let mut session = Shelved::new(version);
        session.publish(1, "a", "1");
        session.publish(2, "a", "2");
        assert_eq!(session.store(), ["message 1", "message 2"]);
        session.go_online(false);
        assert_eq!(session.sent(), NOTHING, "they left together, and one has to wait");
        assert_eq!(session.write(), ["launched 1 as 1", "launched 2 as 2"]);
        session.sync();
        assert_eq!(session.sent(), ["PUBLISH q1 #1 a=1", "PUBLISH q2 #2 a=2"]);

        let mut session = Shelved::new(version);
        session.publish(1, "a", "1");
        session.store();
        assert_eq!(session.go_online(false), ["PUBLISH q1 #1 a=1"]);
        assert_eq!(session.store(), ["launched 1 as 1"]);
    }
}

#[test]
fn nothing_overtakes_what_waits_for_the_store() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(0, "a", "before");
        session.publish(1, "a", "x");
        session.publish(0, "a", "after");
        assert_eq!(session.write(), ["message 2", "launched 2 as 1"]);
        session.publish(0, "a", "later");
        assert_eq!(session.engine.output_length(), 0);
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.ended(), NOTHING);
        session.sync();
        let expected = [
            "PUBLISH q0 a=before",
            "PUBLISH q1 #1 a=x",
            "PUBLISH q0 a=after",
            "PUBLISH q0 a=later",
        ];
        assert_eq!(session.sent(), expected);
        assert_eq!(session.ended(), ["1: ok", "3: ok", "4: ok"]);
    }
}

#[test]
fn what_comes_after_a_batch_does_not_hold_it_up() {
    let mut session = online(Version::V311);
    session.publish(1, "a", "1");
    session.write();
    session.publish(1, "a", "2");
    session.publish(0, "a", "3");
    session.sync();
    assert_eq!(session.engine.output_length(), 8);
    assert_eq!(session.sent(), ["PUBLISH q1 #1 a=1"]);
    assert_eq!(session.write(), ["message 2", "launched 2 as 2"]);
    // An own batch of its own: nothing follows from it that would have to wait.
    session.receive(puback(1));
    assert_eq!(session.sent(), NOTHING);
    session.sync();
    assert_eq!(session.sent(), ["PUBLISH q1 #2 a=2", "PUBLISH q0 a=3"]);
    assert_eq!(session.store(), ["ended 1"]);
}

#[test]
fn an_output_at_a_time_is_taken_and_each_ends_its_own_messages_of_qos_0() {
    let mut session = online(Version::V311);
    for _ in 0..3 {
        session.publish(1, "a", "x");
        session.publish(0, "a", "y");
        session.write();
        session.sync();
        session.publish(0, "a", "z");
    }
    let counters = session.engine.counters();
    assert_eq!(counters.outgoing_bytes, 3 * 8 + 6 * 6);
    assert_eq!(session.taken().len(), 14);
    assert_eq!(session.ended(), NOTHING, "it has not been written");
    let now = session.now;
    session.engine.handle_written(now);
    assert_eq!(session.ended(), ["2: ok"]);
    assert_eq!(session.taken().len(), 20);
    session.lose();
    let lost = [3, 5, 6, 8, 9].map(|number| format!("{number}: CONNECTION_CLOSED"));
    assert_eq!(session.ended(), lost);
    assert_eq!(session.outcome(6).as_deref(), Some("CONNECTION_CLOSED"));
    assert_eq!(session.outcome(2).as_deref(), Some("ok"));
}

#[test]
fn qos_0_leaves_no_record() {
    for version in VERSIONS {
        let mut session = Shelved::new(version);
        session.publish(0, "a", "queued");
        session.go_online(false);
        session.publish(0, "a", "x");
        assert_eq!(session.sent(), ["PUBLISH q0 a=x"]);
        assert!(!session.engine.has_records());
    }
}

#[test]
fn what_is_sent_again_waits_for_its_records_too() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "1");
        session.publish(2, "a", "2");
        session.publish(2, "a", "3");
        session.store();
        session.sent();
        session.receive(pubrec(3));
        session.publish(2, "a", "4");
        session.write();
        // The connection is lost while the disk works.
        assert_eq!(session.reconnect(true), NOTHING);
        session.sync();
        let release = if version == Version::V31 { "PUBREL dup #3" } else { "PUBREL #3" };
        let expected =
            [release, "PUBLISH dup q1 #1 a=1", "PUBLISH dup q2 #2 a=2", "PUBLISH dup q2 #4 a=4"];
        assert_eq!(session.sent(), expected);
    }
}

#[test]
fn a_large_payload_reaches_the_batch_whole() {
    for version in VERSIONS {
        let mut session = online(version);
        let payload = "x".repeat(LARGE_PAYLOAD);
        // More pieces than one system call takes.
        for _ in 0..100 {
            session.publish(1, "a", &payload);
            session.publish(1, "a", "small");
        }
        session.store();
        let mut session = session.crash();
        let sent = session.go_online(true);
        assert_eq!(sent.len(), 200);
        assert!(sent.iter().step_by(2).all(|line| line.ends_with(" a=<16384>")));
        assert!(sent.iter().skip(1).step_by(2).all(|line| line.ends_with(" a=small")));
    }
}

#[test]
fn a_message_dropped_at_once_is_not_on_record_and_one_that_makes_room_ends_on_it() {
    let with = |policy| {
        Shelved::with(Version::V311, |settings| settings.queue = limit(2, usize::MAX, policy))
    };
    let mut session = with(QueuePolicy::DropNewest);
    for _ in 0..3 {
        session.publish(1, "a", "x");
    }
    assert_eq!(session.ended(), ["3: DROPPED"]);
    assert_eq!(session.store(), ["message 1", "message 2"]);

    let mut session = with(QueuePolicy::DropOldest);
    for _ in 0..3 {
        session.publish(1, "a", "x");
    }
    assert_eq!(session.ended(), ["1: DROPPED"]);
    assert_eq!(session.store(), ["message 1", "message 2", "ended 1", "message 3"]);

    let mut session = with(QueuePolicy::KeepLatest);
    for topic in ["a", "b", "a"] {
        session.publish(1, topic, "x");
    }
    assert_eq!(session.ended(), ["1: DROPPED"]);
    assert_eq!(session.store(), ["message 1", "message 2", "ended 1", "message 3"]);
    assert_eq!(session.stored().messages.keys().copied().collect::<Vec<_>>(), [2, 3]);
}

// ---- the end of the session

#[test]
fn what_a_disconnect_leaves_unfinished_stays() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "1");
        session.store();
        session.sent();
        session.lose();
        session.publish(0, "a", "2");
        session.publish(2, "a", "3");
        assert_eq!(session.engine.cancel_all(), 3);
        assert_eq!(session.ended(), ["2: CANCELLED"]);
        assert_eq!(session.engine.outstanding(true), 2);
        assert_eq!(session.reconnect(true), NOTHING);
        assert_eq!(session.store(), ["message 3", "launched 3 as 2"]);
        assert_eq!(session.sent(), ["PUBLISH dup q1 #1 a=1", "PUBLISH q2 #2 a=3"]);
    }
}

#[test]
fn a_session_that_ends_leaves_its_messages_in_the_store() {
    for version in VERSIONS {
        let mut session = online(version);
        session.publish(1, "a", "1");
        session.publish(2, "a", "2");
        session.store();
        session.sent();
        session.receive(pubrec(2));
        session.store();
        session.lose();
        session.publish(0, "a", "3");
        session.publish(1, "a", "4");
        session.store();
        session.publish(1, "a", "5");
        session.engine.await_stored(5, 1).unwrap();
        session.events();
        let flush = session.flush();
        assert_eq!(session.engine.leave_in_store(), 5);
        let expected = [
            "1: LEFT_IN_STORE",
            "2: LEFT_IN_STORE",
            "3: CANCELLED",
            "4: LEFT_IN_STORE",
            "5: STORE_FAILED",
        ];
        assert_eq!(session.ended(), expected);
        assert_eq!(session.events(), [format!("flushed {flush}"), "stored 1: STORE_FAILED".into()]);
        assert_eq!(session.engine.counters().failed.left_in_store, 3);
        assert_eq!(session.stored().messages.len(), 3);
        let mut session = session.crash();
        session.go_online(true);
        session.store();
        assert_eq!(session.engine.outstanding(false), 3);
    }
    let mut pair = Pair::new(Version::V311);
    pair.publish(1, "a", "x");
    assert_eq!(pair.engine.leave_in_store(), 1);
    assert_eq!(pair.ended(), ["1: CANCELLED"], "without a store");
}

// ---- ids that are given up

fn impatient(settings: &mut Settings) {
    settings.set_aside_after = 1;
}

#[test]
fn an_id_that_was_given_up_is_on_record_until_the_broker_has_let_go_of_it() {
    for version in VERSIONS {
        let mut session = Shelved::with(version, impatient).connected();
        session.publish(2, "a", "deadly");
        session.store();
        session.sent();
        session.kicked(&closed());
        assert_eq!(session.ended(), ["1: SET_ASIDE"]);
        assert_eq!(session.store(), ["retired 1", "ended 1"]);
        let mut session = session.crash();
        session.go_online(true);
        session.publish(2, "a", "next");
        session.store();
        assert_eq!(session.sent(), ["PUBLISH q2 #2 a=next"]);
        // The broker had it after all, and lets go of it.
        session.receive(pubrec(1));
        let release = if version.is_v5() { "PUBREL #1 0x92" } else { "PUBREL #1" };
        assert_eq!(session.sent(), [release]);
        session.receive(pubcomp(1));
        assert_eq!(session.store(), ["freed 1"]);
        assert!(session.stored().retired.is_empty());
    }
}

#[test]
fn a_refusal_of_what_was_given_up_frees_its_id() {
    let mut session = Shelved::with(Version::V5, impatient).connected();
    session.publish(2, "a", "deadly");
    session.store();
    session.sent();
    session.kicked(&closed());
    session.store();
    session.reconnect(true);
    session.receive(Packet::Pubrec(because(1, ReasonCode::QuotaExceeded)));
    assert_eq!(session.store(), ["freed 1"]);
}

// ---- the broker loses its session

#[test]
fn the_loss_of_the_brokers_session_is_stored_before_anything_follows_from_it() {
    for version in [Version::V311, Version::V5] {
        let mut session = online(version);
        session.publish(1, "a", "1");
        session.publish(2, "a", "2");
        session.publish(2, "a", "3");
        session.store();
        session.sent();
        session.receive(pubrec(3));
        session.store();
        session.events();
        assert_eq!(session.reconnect(false), NOTHING);
        session.publish(0, "a", "also this");
        assert_eq!(
            session.events(),
            ["connected", "session lost: 2 renewed, 1 unknown, 0 forgotten"]
        );
        // Again, before that is on the disk. The session is a new one, and only the record says so.
        session.write();
        assert_eq!(session.reconnect(true), NOTHING);
        session.sync();
        assert_eq!(session.ended(), ["3: SESSION_LOST", "4: CONNECTION_CLOSED"]);
        let expected = ["PUBLISH dup q1 #4 a=1", "PUBLISH dup q2 #5 a=2"];
        assert_eq!(session.sent(), expected);
        assert_eq!(session.stored().messages.len(), 2);
        assert_eq!(session.reconnect(true), expected);
    }
}

#[test]
fn without_anything_on_record_that_ends_with_it_the_loss_is_not_recorded() {
    for version in [Version::V311, Version::V5] {
        let mut session = Shelved::new(version);
        session.publish(1, "a", "1");
        session.store();
        assert_eq!(session.go_online(false), ["PUBLISH q1 #1 a=1"]);
        assert_eq!(session.store(), ["launched 1 as 1"]);
        assert_eq!(session.reconnect(false), NOTHING);
        assert_eq!(session.store(), ["session lost", "launched 1 as 2"]);
        assert_eq!(session.sent(), ["PUBLISH q1 #2 a=1"]);
    }
}

#[test]
fn the_loss_of_the_session_is_told_without_a_store_too() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        pair.publish(1, "a", "1");
        pair.sent();
        pair.events();
        pair.reconnect(false);
        assert_eq!(pair.events(), ["connected", "session lost: 1 renewed, 0 unknown, 0 forgotten"]);
        pair.receive(puback(2));
        pair.reconnect(false);
        assert_eq!(pair.events(), ["connected"], "nothing was unfinished");
    }
}
