//! What the broker says in CONNACK that it does not take.

use mqttsession::{
    engine::{Publication, Refused},
    error::Code,
    protocol::{Property, PropertyBlock, Version},
};

use crate::{
    packets::{connack, connack_with, properties, puback},
    pair::{Pair, message, persist},
};

fn announcing(announced: &[Property<'_>]) -> Pair {
    let mut pair = Pair::new(Version::V5);
    accept(&mut pair, announced);
    pair
}

fn accept(pair: &mut Pair, announced: &[Property<'_>]) {
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(announced)));
}

/// Code of the refusal of a message.
fn refusal(pair: &mut Pair, publication: Publication<'_>) -> Code {
    let refused = pair.try_publish(publication).unwrap_err();
    let Refused::Because(error) = refused else { panic!("{refused:?}") };
    error.code()
}

fn retained(qos: u8) -> Publication<'static> {
    Publication { retain: true, ..message(qos, "a", "x") }
}

#[test]
fn what_the_broker_does_not_take_is_refused_at_publish() {
    let mut pair = announcing(&[Property::MaximumQos(1)]);
    assert_eq!(refusal(&mut pair, message(2, "a", "x")), Code::NotSupported);
    pair.publish(1, "a", "x");
    let mut pair = announcing(&[Property::MaximumQos(0)]);
    assert_eq!(refusal(&mut pair, message(1, "a", "x")), Code::NotSupported);
    pair.publish(0, "a", "x");
    for qos in 0..3 {
        let mut pair = announcing(&[Property::RetainAvailable(0)]);
        assert_eq!(refusal(&mut pair, retained(qos)), Code::NotSupported);
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.publish(qos, "a", "x"), 1);
    }
}

#[test]
fn the_size_of_a_packet_is_counted_to_the_byte() {
    // Fixed header 2, topic 3, no properties 1; from QoS 1 on also a packet id 2.
    for (qos, overhead) in [(0, 6), (1, 8), (2, 8)] {
        let mut pair = announcing(&[Property::MaximumPacketSize(100)]);
        let fits = "x".repeat(100 - overhead);
        let code = refusal(&mut pair, message(qos, "a", &format!("{fits}x")));
        assert_eq!(code, Code::PayloadTooLarge, "QoS {qos}");
        assert_eq!(pair.sent(), [""; 0]);
        pair.publish(qos, "a", &fits);
        assert_eq!(pair.sent_bytes().len(), 100);
        assert_eq!(pair.engine.counters().published, 1);
    }
}

#[test]
fn what_was_accepted_before_the_broker_said_so_ends_with_the_same_error() {
    let mut pair = Pair::new(Version::V5);
    pair.publish(2, "a", "x");
    pair.try_publish(retained(0)).unwrap();
    pair.publish(0, "a", &"x".repeat(100));
    pair.publish(1, "a", "fine");
    let limits =
        [Property::MaximumQos(1), Property::RetainAvailable(0), Property::MaximumPacketSize(50)];
    accept(&mut pair, &limits);
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=fine"]);
    let expected = ["1: NOT_SUPPORTED", "2: NOT_SUPPORTED", "3: PAYLOAD_TOO_LARGE"];
    assert_eq!(pair.ended(), expected);
}

#[test]
fn a_message_that_a_resumed_session_can_take_no_more_ends() {
    let mut pair = Pair::with(Version::V5, persist).connected();
    pair.publish(1, "a", &"x".repeat(100));
    pair.publish(1, "a", "short");
    pair.sent();
    pair.lose();
    pair.connect(true);
    pair.sent();
    let mut bytes = pair.encoded(connack_with(&properties(&[Property::MaximumPacketSize(50)])));
    bytes[2] = 1; // session present
    pair.input(&bytes).unwrap();
    assert_eq!(pair.sent(), ["PUBLISH dup q1 #2 a=short"]);
    assert_eq!(pair.ended(), ["1: PAYLOAD_TOO_LARGE"]);
    pair.receive(puback(2));
    assert_eq!(pair.ended(), ["2: ok"]);
}

#[test]
fn limits_end_with_the_connection() {
    let mut pair = announcing(&[Property::MaximumQos(0)]);
    pair.lose();
    pair.publish(2, "a", "x");
    pair.connect(true);
    pair.receive(connack(false));
    assert_eq!(pair.sent()[1..], ["PUBLISH q2 #1 a=x"]);
}

fn aliased(alias: u16) -> PropertyBlock {
    properties(&[Property::TopicAlias(alias)])
}

#[test]
fn an_alias_of_the_programs_stays_within_what_the_broker_takes() {
    let alias = aliased(3);
    let publication = || Publication { properties: alias.as_properties(), ..message(1, "a", "x") };
    // [MQTT-3.2.2-17], [MQTT-3.2.2-18]
    assert_eq!(refusal(&mut announcing(&[]), publication()), Code::NotSupported);
    let mut pair = announcing(&[Property::TopicAliasMaximum(2)]);
    assert_eq!(refusal(&mut pair, publication()), Code::NotSupported);
    let mut pair = announcing(&[Property::TopicAliasMaximum(3)]);
    pair.try_publish(publication()).unwrap();
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=x [TopicAlias(3)]"]);
}

#[test]
fn an_alias_that_was_accepted_offline_and_is_too_high_ends_its_message() {
    let alias = aliased(3);
    let mut pair = Pair::new(Version::V5);
    for qos in 0..2 {
        let properties = alias.as_properties();
        pair.try_publish(Publication { properties, ..message(qos, "a", "x") }).unwrap();
    }
    accept(&mut pair, &[Property::TopicAliasMaximum(2)]);
    assert_eq!(pair.sent(), [""; 0]);
    assert_eq!(pair.ended(), ["1: NOT_SUPPORTED", "2: NOT_SUPPORTED"]);
    assert_eq!(pair.engine.counters().failed.refused, 2);
}
