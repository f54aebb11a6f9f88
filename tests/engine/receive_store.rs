//! Messages of QoS 2 over the end of the process: what is on record when, and what comes again.

use mqttsession::{
    engine::{Receipt, Settings},
    error::Code,
    protocol::{Packet, Publish, ReasonCode, Version},
};

use crate::{
    packets::{again, message0, message1, message2, pubrel},
    pair::{Received, VERSIONS},
    shelf::Shelved,
};

const NOTHING: [&str; 0] = [];

/// Online, with a subscription.
fn subscribed(version: Version) -> Shelved {
    ready(Shelved::new(version))
}

fn ready(shelved: Shelved) -> Shelved {
    let mut session = shelved.connected();
    session.granted("a:2");
    session.store();
    session
}

/// The next process connects; the broker has kept the session.
fn back(shelved: Shelved) -> Shelved {
    let mut session = shelved.crash();
    resume(&mut session);
    session
}

fn resume(session: &mut Shelved) {
    session.subscribe(&["a:2"]);
    session.go_online(true);
    session.events();
}

/// The only message that arrived.
fn only(received: Vec<Received>) -> Received {
    let [message] = received.try_into().expect("one message");
    message
}

/// A message arrives and its handler is called.
fn begun(session: &mut Shelved, number: u16) -> Received {
    let message = only(session.deliver(message2(number, "a", "x")));
    session.begin(&message);
    message
}

/// A message arrives, is handled, and everything has been stored and sent.
fn received(session: &mut Shelved, number: u16) {
    let message = begun(session, number);
    assert!(session.handled(&message));
    session.store();
    assert_eq!(session.sent(), [format!("PUBREC #{number}")]);
}

#[test]
fn each_step_is_on_record_before_the_broker_learns_of_it() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let message = only(session.deliver(message2(5, "a", "x")));
        assert!(!message.redelivered);
        assert_eq!(session.store(), NOTHING, "nobody has seen it");
        assert_eq!(session.begin(&message), ["delivering 5"]);
        assert!(session.handled(&message));
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.write(), ["handled 5"]);
        assert_eq!(session.sent(), NOTHING, "written is not stored");
        session.sync();
        assert_eq!(session.sent(), ["PUBREC #5"]);
        session.receive(pubrel(5));
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.store(), ["forgotten 5"]);
        assert_eq!(session.sent(), ["PUBCOMP #5"]);
        assert!(session.stored().received.is_empty());
    }
}

#[test]
fn a_process_that_dies_inside_a_handler_gets_the_message_again_and_marked() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        begun(&mut session, 5);
        let mut session = back(session);
        let message = only(session.deliver(again(message2(5, "a", "x"))));
        assert!(message.redelivered);
        // And once more.
        session.begin(&message);
        let mut session = back(session);
        let message = only(session.deliver(again(message2(5, "a", "x"))));
        assert!(message.redelivered);
        // Within one process it is the same message.
        session.reconnect(true);
        session.store();
        assert!(session.deliver(again(message2(5, "a", "x"))).is_empty());
        assert!(session.handled(&message));
        session.store();
        assert_eq!(session.sent(), ["PUBREC #5"]);
    }
}

#[test]
fn a_process_that_dies_between_handlers_repeats_nothing() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let first = begun(&mut session, 5);
        let second = only(session.deliver(message2(6, "a", "y")));
        assert!(session.handled(&first));
        assert_eq!(session.begin(&second), ["handled 5", "delivering 6"], "one write for both");
        let mut session = back(session);
        assert!(session.deliver(again(message2(5, "a", "x"))).is_empty());
        assert_eq!(session.sent(), ["PUBREC #5"]);
        assert!(only(session.deliver(again(message2(6, "a", "y")))).redelivered);
    }
}

#[test]
fn what_was_not_stored_did_not_happen() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let message = begun(&mut session, 5);
        session.handled(&message);
        session.write();
        let mut session = back(session);
        assert!(only(session.deliver(again(message2(5, "a", "x")))).redelivered);
        // One whose handler had not been called is not marked.
        session.deliver(message2(6, "a", "y"));
        let mut session = back(session);
        assert!(!only(session.deliver(again(message2(6, "a", "y")))).redelivered);
    }
}

#[test]
fn a_handled_message_is_remembered_over_processes_until_it_is_released() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        received(&mut session, 5);
        for _ in 0..2 {
            session = back(session);
            assert!(session.deliver(again(message2(5, "a", "x"))).is_empty());
            assert_eq!(session.sent(), ["PUBREC #5"]);
            // From here on the broker is in the midst of it, whatever DUP says.
            assert!(session.deliver(message2(5, "a", "x")).is_empty());
            assert_eq!(session.sent(), ["PUBREC #5"]);
        }
        let mut session = back(session);
        session.receive(pubrel(5));
        assert_eq!(session.store(), ["forgotten 5"]);
        assert_eq!(session.sent(), ["PUBCOMP #5"]);
        let mut session = back(session);
        assert!(!only(session.deliver(again(message2(5, "a", "new")))).redelivered);
    }
}

#[test]
fn without_dup_the_id_stands_for_another_message() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        received(&mut session, 6);
        begun(&mut session, 5);
        let mut session = back(session);
        for number in [5, 6] {
            let message = only(session.deliver(message2(number, "a", "new")));
            assert!(!message.redelivered);
            assert_eq!(session.store(), [format!("forgotten {number}")]);
        }
        // Which is not taken for the old one after another crash, either.
        let mut session = back(session);
        for number in [5, 6] {
            let message = only(session.deliver(again(message2(number, "a", "new"))));
            assert!(!message.redelivered);
        }
    }
}

#[test]
fn handled_out_of_order_is_on_record_at_once() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let first = begun(&mut session, 5);
        let second = begun(&mut session, 6);
        session.handled(&second);
        assert_eq!(session.store(), ["handled 6"]);
        assert_eq!(session.sent(), NOTHING, "5 comes first");
        session.handled(&first);
        assert_eq!(session.store(), ["handled 5"]);
        assert_eq!(session.sent(), ["PUBREC #5", "PUBREC #6"]);
    }
}

#[test]
fn what_is_handled_after_its_connection_is_on_record() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let message = begun(&mut session, 5);
        session.reconnect(true);
        session.handled(&message);
        assert_eq!(session.write(), ["handled 5"]);
        assert!(session.deliver(again(message2(5, "a", "x"))).is_empty());
        assert_eq!(session.sent(), NOTHING, "PUBREC waits for it, whoever asks");
        session.sync();
        assert_eq!(session.sent().last().map(String::as_str), Some("PUBREC #5"));
    }
}

#[test]
fn the_second_pubcomp_waits_for_the_record_like_the_first() {
    let mut session = subscribed(Version::V311);
    received(&mut session, 5);
    session.receive(pubrel(5));
    assert_eq!(session.write(), ["forgotten 5"]);
    assert_eq!(session.reconnect(true), NOTHING);
    session.receive(pubrel(5));
    assert_eq!(session.sent(), NOTHING);
    session.sync();
    assert_eq!(session.sent(), ["PUBCOMP #5"]);
}

#[test]
fn a_refusal_ends_the_message_in_the_store_too() {
    let refuse = |session: &mut Shelved, message: &Received| {
        let receipt = message.receipt.expect("a message of QoS 2");
        assert!(session.engine.acknowledge(receipt, ReasonCode::QuotaExceeded));
    };
    let mut session = subscribed(Version::V5);
    let message = begun(&mut session, 5);
    refuse(&mut session, &message);
    assert_eq!(session.sent(), NOTHING);
    // The broker has not learnt it: a handler has seen the message that comes again.
    let mut session = back(session);
    let message = only(session.deliver(again(message2(5, "a", "x"))));
    assert!(message.redelivered);
    refuse(&mut session, &message);
    assert_eq!(session.store(), ["forgotten 5"]);
    assert_eq!(session.sent(), ["PUBREC #5 0x97"]);
    // The id is free [MQTT-4.3.3-9].
    let mut session = back(session);
    assert!(!only(session.deliver(again(message2(5, "a", "new")))).redelivered);
    // Before 5.0 there is no refusal.
    let mut session = subscribed(Version::V311);
    let message = begun(&mut session, 5);
    refuse(&mut session, &message);
    assert_eq!(session.store(), ["handled 5"]);
    assert_eq!(session.sent(), ["PUBREC #5"]);
}

#[test]
fn on_receipt_it_is_handled_before_any_handler() {
    for version in VERSIONS {
        let on_receipt = |settings: &mut Settings| settings.acknowledge_on_receipt = true;
        let mut session = ready(Shelved::with(version, on_receipt));
        let message = only(session.deliver(message2(5, "a", "x")));
        assert_eq!(session.begin(&message), ["handled 5"]);
        assert_eq!(session.sent(), NOTHING, "as long as the handler may not be called at all");
        assert!(session.handled(&message));
        assert_eq!(session.store(), NOTHING, "it is on record");
        assert_eq!(session.sent(), ["PUBREC #5"]);
        let mut session = back(session);
        assert!(session.deliver(again(message2(5, "a", "x"))).is_empty());
    }
}

#[test]
fn on_receipt_too_what_the_store_does_not_take_comes_again() {
    for version in VERSIONS {
        let on_receipt = |settings: &mut Settings| settings.acknowledge_on_receipt = true;
        let mut session = ready(Shelved::with(version, on_receipt));
        let message = only(session.deliver(message2(5, "a", "x")));
        let receipt = message.receipt.unwrap();
        assert!(session.engine.begin_handling(receipt).is_some());
        session.engine.abandon(receipt);
        assert_eq!(session.store(), ["handled 5", "forgotten 5"]);
        session.reconnect(true);
        assert!(!only(session.deliver(again(message2(5, "a", "x")))).redelivered);
        // One that no handler wants is not kept for one.
        assert!(session.deliver(message2(6, "elsewhere", "x")).is_empty());
        assert!(session.store().contains(&"handled 6".into()));
    }
}

#[test]
fn on_receipt_too_what_may_have_been_handled_stays_so() {
    let mut session = subscribed(Version::V5);
    begun(&mut session, 5);
    let mut session = session.crash_to(|settings| settings.acknowledge_on_receipt = true);
    resume(&mut session);
    for _ in 0..2 {
        let message = only(session.deliver(again(message2(5, "a", "x"))));
        assert!(message.redelivered);
        assert!(session.engine.begin_handling(message.receipt.unwrap()).is_some());
        session.engine.abandon(message.receipt.unwrap());
        assert_eq!(session.store(), ["handled 5", "delivering 5"]);
        session.reconnect(true);
    }
}

#[test]
fn a_message_that_is_set_aside_stays_so() {
    let small = |settings: &mut Settings| settings.maximum_packet_size = 40;
    let large = "x".repeat(50);
    let mut session = ready(Shelved::with(Version::V311, small));
    assert!(session.deliver(message2(5, "a", &large)).is_empty());
    assert_eq!(session.sent(), NOTHING);
    assert_eq!(session.store(), ["handled 5"]);
    assert_eq!(session.sent(), ["PUBREC #5"]);
    let mut session = back(session);
    session.deliver(again(message2(5, "a", &large)));
    assert_eq!(session.sent(), ["PUBREC #5"]);
    assert_eq!(session.engine.counters().incoming_set_aside, 0, "it was told then");
}

#[test]
fn after_a_power_failure_what_comes_again_is_marked() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        received(&mut session, 9);
        let mut session = session.power_failure();
        resume(&mut session);
        // What is on record is certain.
        assert!(session.deliver(again(message2(9, "a", "x"))).is_empty());
        session.receive(pubrel(9));
        session.store();
        assert_eq!(session.sent(), ["PUBREC #9", "PUBCOMP #9"]);
        assert!(only(session.deliver(again(message2(5, "a", "x")))).redelivered);
        assert!(!only(session.deliver(message2(6, "a", "never sent before"))).redelivered);
        // The broker has more of them than it may send at a time.
        session.reconnect(true);
        assert!(only(session.deliver(again(message2(65_535, "a", "x")))).redelivered);
        // An id that has been used since stands for a message of this process.
        session.reconnect(true);
        assert!(!only(session.deliver(again(message2(9, "a", "new")))).redelivered);
        // A broker without the session has nothing to send again.
        if version != Version::V31 {
            session.reconnect(false);
            assert!(!only(session.deliver(again(message2(7, "a", "x")))).redelivered);
        }
    }
}

#[test]
fn the_doubt_about_an_id_ends_with_its_first_message() {
    let mut session = subscribed(Version::V5).power_failure();
    resume(&mut session);
    for (message, marked) in [(again(message2(5, "a", "x")), true), (message2(6, "a", "y"), false)]
    {
        let message = only(session.deliver(message));
        assert_eq!(message.redelivered, marked);
        session.engine.acknowledge(message.receipt.unwrap(), ReasonCode::QuotaExceeded);
    }
    session.store();
    session.reconnect(true);
    // Refused, so there is no release.
    for number in [5, 6] {
        assert!(!only(session.deliver(again(message2(number, "a", "new")))).redelivered);
    }
}

#[test]
fn the_release_of_a_message_that_is_on_record_as_delivering_is_believed() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        begun(&mut session, 5);
        let mut session = session.power_failure();
        resume(&mut session);
        session.receive(pubrel(5));
        assert_eq!(session.store(), ["forgotten 5"]);
        assert_eq!(session.sent(), ["PUBCOMP #5"]);
        assert!(!only(session.deliver(again(message2(5, "a", "new")))).redelivered);
    }
}

#[test]
fn what_is_abandoned_is_delivered_when_it_comes_again() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let before = begun(&mut session, 4);
        let receipts: Vec<Receipt> = (5..=7)
            .map(|number| only(session.deliver(message2(number, "a", "x"))).receipt.unwrap())
            .collect();
        let lower = only(session.deliver(message1(8, "a", "x")));
        assert!(session.engine.begin_handling(receipts[0]).is_some());
        session.engine.abandon(receipts[0]);
        assert_eq!(session.store(), ["delivering 5", "forgotten 5"]);
        for receipt in [receipts[0], receipts[1]] {
            assert_eq!(session.engine.begin_handling(receipt), None, "nothing overtakes it");
            assert!(!session.engine.acknowledge(receipt, ReasonCode::Success));
        }
        assert!(session.deliver(message2(9, "a", "x")).is_empty(), "behind it, either");
        assert!(session.deliver(again(message2(5, "a", "x"))).is_empty(), "not on this connection");
        assert!(session.handled(&before) && session.handled(&lower));
        session.store();
        assert_eq!(session.sent(), ["PUBREC #4", "PUBACK #8"]);
        assert_eq!(session.engine.counters().unacknowledged, 4);
        session.reconnect(true);
        assert_eq!(session.engine.counters().unacknowledged, 0);
        for number in [5, 6, 7, 9] {
            let message = only(session.deliver(again(message2(number, "a", "x"))));
            assert!(!message.redelivered, "no handler has seen it");
        }
        assert_eq!(session.engine.begin_handling(receipts[2]), None, "its repetition is there");
        assert_eq!(session.engine.counters().unacknowledged, 4);
    }
}

#[test]
fn what_waits_over_the_end_of_its_connection_is_abandoned_too() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        let receipts: Vec<Receipt> = (5..=6)
            .map(|number| only(session.deliver(message2(number, "a", "x"))).receipt.unwrap())
            .collect();
        session.reconnect(true);
        assert!(session.engine.begin_handling(receipts[0]).is_some());
        session.engine.abandon(receipts[0]);
        assert_eq!(session.engine.begin_handling(receipts[1]), None);
        session.reconnect(true);
        for number in 5..=6 {
            assert_eq!(session.deliver(again(message2(number, "a", "x"))).len(), 1);
        }
        // What the broker has lost meanwhile does not come again: it is handled after all.
        let last = only(session.deliver(message2(7, "a", "x"))).receipt.unwrap();
        let first = only(session.deliver(message2(8, "a", "x"))).receipt.unwrap();
        assert!(!session.engine.is_abandoned(last));
        assert!(session.engine.begin_handling(first).is_some());
        session.engine.abandon(first);
        assert!(session.engine.is_abandoned(first));
        session.reconnect(false);
        // Before 3.1.1 nobody tells.
        let lost = (version != Version::V31).then_some(0);
        assert_eq!(session.engine.begin_handling(last), lost);
    }
}

#[test]
fn what_is_abandoned_keeps_its_mark() {
    let mut session = subscribed(Version::V5);
    begun(&mut session, 5);
    let mut session = session.power_failure();
    resume(&mut session);
    for number in [5, 6] {
        for _ in 0..2 {
            let message = only(session.deliver(again(message2(number, "a", "x"))));
            assert!(message.redelivered);
            session.engine.abandon(message.receipt.unwrap());
            session.reconnect(true);
        }
    }
}

#[test]
fn a_lost_session_takes_the_records_with_it() {
    for version in [Version::V311, Version::V5] {
        let mut session = subscribed(version);
        received(&mut session, 6);
        let old = begun(&mut session, 5);
        session.reconnect(false);
        let told = "session lost: 0 renewed, 0 unknown, 2 forgotten";
        assert!(session.events().iter().any(|event| event == told));
        assert_eq!(session.engine.begin_handling(old.receipt.unwrap()), Some(0));
        assert!(!session.handled(&old));
        assert_eq!(session.store()[0], "session lost");
        assert!(session.stored().received.is_empty());
        for number in [5, 6] {
            assert!(!only(session.deliver(again(message2(number, "a", "new")))).redelivered);
        }
        // A process that finds the session gone.
        session.reconnect(true);
        received(&mut session, 7);
        let mut session = session.crash();
        session.go_online(false);
        let told = "session lost: 0 renewed, 0 unknown, 1 forgotten";
        assert!(session.events().iter().any(|event| event == told));
        assert_eq!(session.store()[0], "session lost");
        assert!(!only(session.deliver(again(message2(7, "a", "new")))).redelivered);
    }
}

#[test]
fn the_receive_maximum_counts_what_this_connection_has_seen() {
    let announce = |settings: &mut Settings| settings.receive_maximum = 1;
    let mut session = ready(Shelved::with(Version::V5, announce));
    received(&mut session, 5);
    let mut session = back(session);
    // The release of what was sent on an earlier connection frees no place.
    session.deliver(message1(1, "a", ""));
    session.receive(pubrel(5));
    let error = session.fault(Packet::Publish(message1(2, "a", "")));
    assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
    // One that is sent again takes one, until its PUBCOMP.
    let mut session = ready(Shelved::with(Version::V5, announce));
    received(&mut session, 5);
    let mut session = back(session);
    session.deliver(again(message2(5, "a", "x")));
    session.receive(pubrel(5));
    session.deliver(message1(1, "a", ""));
    let error = session.fault(Packet::Publish(Publish { ..message1(2, "a", "") }));
    assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
}

#[test]
fn the_lower_qualities_are_not_recorded() {
    for version in VERSIONS {
        let mut session = subscribed(version);
        session.deliver(message0("a", "x"));
        let message = only(session.deliver(message1(5, "a", "y")));
        assert_eq!(session.engine.begin_handling(message.receipt.unwrap()), Some(0));
        assert!(session.handled(&message));
        assert_eq!(session.sent(), ["PUBACK #5"]);
        assert_eq!(session.store(), NOTHING);
    }
}

#[test]
fn without_a_store_nothing_has_to_be_written() {
    let mut pair = crate::pair::Pair::persistent(Version::V5);
    pair.granted("a:2");
    let message = only(pair.deliver(message2(5, "a", "x")));
    let receipt = message.receipt.unwrap();
    assert_eq!((pair.engine.begin_handling(receipt), pair.engine.newest_batch()), (Some(0), 0));
    pair.handled(&message);
    assert_eq!(pair.sent(), ["PUBREC #5"]);
}
