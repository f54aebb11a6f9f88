//! Topic aliases that the broker sets.

use mqttsession::{
    error::Code,
    protocol::{Packet, Property, PropertyBlock, Publish, Version},
};

use crate::{
    packets::{message0, properties},
    pair::Pair,
};

fn announcing(maximum: u16) -> Pair {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.properties = properties(&[Property::TopicAliasMaximum(maximum)]);
    })
    .connected();
    pair.granted("#:0");
    pair
}

fn alias(number: u16) -> PropertyBlock {
    properties(&[Property::TopicAlias(number)])
}

fn aliased<'a>(topic: &'a str, alias: &'a PropertyBlock) -> Publish<'a> {
    Publish { properties: alias.as_properties(), ..message0(topic, "") }
}

#[test]
fn an_alias_stands_for_the_topic_that_it_was_last_set_to() {
    let mut pair = announcing(2);
    let (one, two) = (alias(1), alias(2));
    let trace =
        [("a", &one), ("", &one), ("b", &two), ("", &one), ("c", &one), ("", &one), ("", &two)];
    let topics: Vec<_> = trace
        .into_iter()
        .map(|(topic, alias)| pair.deliver(aliased(topic, alias)).remove(0).topic)
        .collect();
    assert_eq!(topics, ["a", "a", "b", "a", "c", "c", "b"]);
}

/// [MQTT-3.3.2-10]
#[test]
fn every_alias_up_to_the_announced_maximum_is_taken() {
    for maximum in [1, 300, u16::MAX] {
        let mut pair = announcing(maximum);
        for number in [1, maximum / 2 + 1, maximum] {
            let (topic, alias) = (number.to_string(), alias(number));
            assert_eq!(pair.deliver(aliased(&topic, &alias))[0].topic, topic);
            assert_eq!(pair.deliver(aliased("", &alias))[0].topic, topic);
        }
    }
}

#[test]
fn an_alias_ends_with_the_connection() {
    let mut pair = announcing(2);
    pair.deliver(aliased("a", &alias(1)));
    pair.reconnect(false);
    let error = pair.fault(Packet::Publish(aliased("", &alias(1))));
    assert_eq!(error.code(), Code::ProtocolError);
    assert_eq!(pair.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn an_alias_above_the_announced_maximum_ends_the_connection() {
    for (maximum, number) in [(0, 1), (2, 3), (2, u16::MAX)] {
        let mut pair = announcing(maximum);
        let error = pair.fault(Packet::Publish(aliased("a", &alias(number))));
        assert_eq!(error.code(), Code::TopicAliasInvalid);
        assert_eq!(pair.sent(), ["DISCONNECT 0x94"]);
    }
}

#[test]
fn an_alias_of_an_illegal_topic_is_not_set() {
    let mut pair = announcing(2);
    // The encoder would refuse the wildcard: topic `+`, alias 1, no payload.
    let error = pair.fault_of(b"\x30\x07\x00\x01+\x03\x23\x00\x01");
    assert_eq!(error.code(), Code::MalformedPacket);
    assert_eq!(pair.sent(), ["DISCONNECT 0x81"]);
}

#[test]
fn the_topics_behind_aliases_hold_at_most_1_mib() {
    let mut pair = announcing(u16::MAX);
    let topic = "t".repeat(1 << 15);
    for number in 1..=32 {
        pair.deliver(aliased(&topic, &alias(number)));
    }
    // What is set anew makes room first.
    pair.deliver(aliased(&"u".repeat(1 << 15), &alias(7)));
    let error = pair.fault(Packet::Publish(aliased("a", &alias(33))));
    assert_eq!(error.code(), Code::ProtocolError);
    assert!(error.message().contains("1 MiB"), "{error}");
    assert_eq!(pair.sent(), ["DISCONNECT 0x97"]);
    pair.reconnect(false);
    pair.deliver(aliased("a", &alias(33)));
}
