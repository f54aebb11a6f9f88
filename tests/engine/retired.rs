//! Packet ids of messages of QoS 2 that were given up: the broker may still know them.

use mqttsession::protocol::{Connack, Packet, Property, ReasonCode, Version};

use crate::{
    packets::{because, properties, puback, pubrec},
    pair::{Pair, VERSIONS},
    set_aside::{kick, lasting},
    shelf::Shelved,
};

#[test]
fn the_id_of_a_message_of_qos_2_is_not_used_again_while_the_broker_may_know_it() {
    let mut pair = lasting(Version::V5, |settings| settings.set_aside_after = 1);
    pair.publish(2, "topic", "deadly");
    pair.sent();
    assert_eq!(kick(&mut pair, true), [""; 0]);
    assert_eq!(pair.ended(), ["1: SET_ASIDE"]);
    // Once round all ids: the second is the first, the first is passed over.
    for expected in 2..=u16::MAX {
        pair.publish(1, "topic", "");
        pair.sent_bytes();
        pair.receive(puback(expected));
    }
    pair.publish(1, "topic", "x");
    assert_eq!(pair.sent(), ["PUBLISH q1 #2 topic=x"]);
    // The broker had it after all and goes on: it is told that there is nothing to release.
    pair.receive(pubrec(1));
    assert_eq!(pair.sent(), ["PUBREL #1 0x92"]);
    pair.receive(Packet::Pubcomp(because(1, ReasonCode::Success)));
    pair.receive(puback(2));
    pair.ended();
    for _ in 3..=u16::MAX {
        pair.publish(1, "topic", "");
        let sent = pair.sent_bytes();
        pair.receive(puback(u16::from_be_bytes([sent[9], sent[10]])));
    }
    pair.publish(1, "topic", "x");
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 topic=x"], "now nobody knows it any more");
}

#[test]
fn with_the_brokers_session_its_ids_are_free_again() {
    let mut pair = lasting(Version::V311, |settings| settings.set_aside_after = 1);
    pair.publish(2, "topic", "deadly");
    pair.sent();
    kick(&mut pair, false);
    for expected in 2..=u16::MAX {
        pair.publish(1, "topic", "");
        pair.sent_bytes();
        pair.receive(puback(expected));
    }
    pair.publish(1, "topic", "x");
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 topic=x"]);
}

/// Sets one message of QoS 2 aside.
fn set_one_aside(pair: &mut Pair) {
    pair.publish(2, "topic", "deadly");
    pair.sent_bytes();
    kick(pair, true);
    assert_eq!(pair.ended().len(), 1);
}

#[test]
fn so_many_messages_set_aside_leave_ids_for_the_others() {
    let mut pair = lasting(Version::V311, |settings| settings.set_aside_after = 1);
    for _ in 0..70_000 {
        set_one_aside(&mut pair);
    }
    pair.publish(1, "topic", "x");
    assert_eq!(pair.sent().len(), 1);
}

#[test]
fn the_id_of_a_message_of_qos_2_that_the_next_broker_refuses_or_the_program_cancels_is_not_used_again()
 {
    for cancelled in [false, true] {
        let mut pair = lasting(Version::V5, |_| {});
        pair.publish(2, "topic", "x");
        pair.sent();
        pair.lose();
        if cancelled {
            pair.engine.cancel_all();
        }
        pair.connect(true);
        pair.sent();
        let announced = properties(&[Property::MaximumQos(1)]);
        let properties = announced.as_properties();
        pair.receive(Packet::Connack(Connack { session_present: true, code: 0, properties }));
        assert_eq!(pair.ended(), [if cancelled { "1: CANCELLED" } else { "1: NOT_SUPPORTED" }]);
        for expected in 2..=u16::MAX {
            pair.publish(1, "topic", "");
            pair.sent_bytes();
            pair.receive(puback(expected));
        }
        pair.publish(1, "topic", "x");
        assert_eq!(pair.sent(), ["PUBLISH q1 #2 topic=x"]);
    }
}

#[test]
fn a_message_that_was_given_up_is_released_only_when_that_is_on_record() {
    for version in VERSIONS {
        let mut session = Shelved::with(version, |settings| settings.set_aside_after = 1);
        session = session.connected();
        session.publish(2, "topic", "deadly");
        session.store();
        assert_eq!(session.sent().len(), 1);
        assert_eq!(kick(&mut session, true), [""; 0]);
        // The broker had it after all, and asks for its release.
        session.receive(pubrec(1));
        assert_eq!(session.sent(), [""; 0], "{version:?}");
        session.store();
        assert_eq!(session.sent().len(), 1);
        // Else it would be sent once more, to a broker that does not know it any more.
        let session = session.crash();
        assert!(session.stored().messages.is_empty());
    }
}
