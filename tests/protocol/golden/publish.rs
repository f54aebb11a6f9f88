//! PUBLISH and what follows it; the edges of the remaining length.

use mqttsession::protocol::{
    Ack, AckKind, Packet, Properties, Property::*, Publish, QoS, ReasonCode, Version,
    encode_pubrel_again, encode_short,
};

use super::{golden, reads};
use crate::{ALL, V3, V5, block, id};

const PUBLISH: Publish<'_> = Publish {
    duplicate: false,
    qos: QoS::AtMostOnce,
    retain: false,
    topic: "a/b",
    packet_id: None,
    properties: Properties::EMPTY,
    payload: b"hi",
};

#[test]
fn publish() {
    golden(V3, b"\x30\x07\0\x03a/bhi", Packet::Publish(PUBLISH));
    golden(V5, b"\x30\x08\0\x03a/b\0hi", Packet::Publish(PUBLISH));
    let empty = Publish { topic: "t", payload: b"", retain: true, ..PUBLISH };
    golden(V3, b"\x31\x03\0\x01t", Packet::Publish(empty));
    let again = Publish {
        duplicate: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_id: Some(id(10)),
        ..PUBLISH
    };
    golden(V3, b"\x3B\x09\0\x03a/b\0\x0Ahi", Packet::Publish(again));
    golden(V5, b"\x3B\x0A\0\x03a/b\0\x0A\0hi", Packet::Publish(again));
    let twice =
        Publish { qos: QoS::ExactlyOnce, packet_id: Some(id(0xFFFF)), topic: "ü", ..PUBLISH };
    golden(V3, b"\x34\x08\0\x02\xC3\xBC\xFF\xFFhi", Packet::Publish(twice));
}

/// [MQTT-1.5.4-3]
#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    golden(
        V3,
        b"\x30\x09\0\x07\xEF\xBB\xBFa\xEF\xBB\xBF",
        Packet::Publish(Publish { topic: "\u{FEFF}a\u{FEFF}", payload: b"", ..PUBLISH }),
    );
    let properties = block(&[UserProperty("\u{FEFF}", "\u{FEFF}v")]);
    let properties = properties.as_properties();
    golden(
        V5,
        b"\x30\x10\0\x01a\x0C\x26\0\x03\xEF\xBB\xBF\0\x04\xEF\xBB\xBFv",
        Packet::Publish(Publish { topic: "a", payload: b"", properties, ..PUBLISH }),
    );
}

#[test]
fn publish_with_every_property() {
    let properties = block(&[
        PayloadFormatIndicator(1),
        MessageExpiryInterval(60),
        TopicAlias(7),
        ResponseTopic("r"),
        CorrelationData(b"xy"),
        UserProperty("k", "v"),
        SubscriptionIdentifier(1),
        SubscriptionIdentifier(128),
        ContentType("c"),
    ]);
    let bytes = [
        b"\x32\x2A\0\x01t\0\x01\x23".as_slice(),
        b"\x01\x01\x02\0\0\0\x3C\x23\0\x07\x08\0\x01r\x09\0\x02xy\x26\0\x01k\0\x01v",
        b"\x0B\x01\x0B\x80\x01\x03\0\x01c",
        b"!",
    ]
    .concat();
    let publish = Publish {
        qos: QoS::AtLeastOnce,
        topic: "t",
        packet_id: Some(id(1)),
        properties: properties.as_properties(),
        payload: b"!",
        ..PUBLISH
    };
    golden(V5, &bytes, Packet::Publish(publish));
    assert!(publish.properties.subscription_identifiers().eq([1, 128]));
}

#[test]
fn publish_with_an_alias_for_its_topic() {
    let properties = block(&[TopicAlias(1)]);
    golden(
        V5,
        b"\x30\x07\0\0\x03\x23\0\x01!",
        Packet::Publish(Publish {
            topic: "",
            properties: properties.as_properties(),
            payload: b"!",
            ..PUBLISH
        }),
    );
}

#[test]
fn remaining_length_at_its_edges() {
    // 3 bytes of topic before the payload.
    for (payload, header) in [
        (124, [0x30, 0x7F].as_slice()),
        (125, &[0x30, 0x80, 0x01]),
        (16_380, &[0x30, 0xFF, 0x7F]),
        (16_381, &[0x30, 0x80, 0x80, 0x01]),
        (2_097_148, &[0x30, 0xFF, 0xFF, 0x7F]),
        (2_097_149, &[0x30, 0x80, 0x80, 0x80, 0x01]),
    ] {
        let payload = vec![b'x'; payload];
        let bytes = [header, b"\0\x01t", &payload].concat();
        golden(V3, &bytes, Packet::Publish(Publish { topic: "t", payload: &payload, ..PUBLISH }));
    }
}

#[test]
fn acknowledgements() {
    for (first, kind, packet) in [
        (0x40, AckKind::Puback, Packet::Puback as fn(Ack<'static>) -> Packet<'static>),
        (0x50, AckKind::Pubrec, Packet::Pubrec),
        (0x62, AckKind::Pubrel, Packet::Pubrel),
        (0x70, AckKind::Pubcomp, Packet::Pubcomp),
    ] {
        let bytes = [first, 0x02, 0x12, 0x34];
        golden(ALL, &bytes, packet(Ack::success(id(0x1234))));
        let mut out = Vec::new();
        encode_short(kind, id(0x1234), &mut out);
        assert_eq!(out, bytes);
        // Longer than need be.
        reads(Version::V5, &[first, 3, 0x12, 0x34, 0], packet(Ack::success(id(0x1234))));
        reads(Version::V5, &[first, 4, 0x12, 0x34, 0, 0], packet(Ack::success(id(0x1234))));
    }
}

#[test]
fn acknowledgements_with_a_reason() {
    let ack = |reason, properties| Ack { packet_id: id(1), reason, properties };
    golden(
        V5,
        b"\x40\x03\0\x01\x10",
        Packet::Puback(ack(ReasonCode::NoMatchingSubscribers, Properties::EMPTY)),
    );
    reads(
        Version::V5,
        b"\x40\x04\0\x01\x10\0",
        Packet::Puback(ack(ReasonCode::NoMatchingSubscribers, Properties::EMPTY)),
    );
    golden(
        V5,
        b"\x62\x03\0\x01\x92",
        Packet::Pubrel(ack(ReasonCode::PacketIdentifierNotFound, Properties::EMPTY)),
    );
    let full = block(&[ReasonString("full")]);
    golden(
        V5,
        b"\x50\x0B\0\x01\x97\x07\x1F\0\x04full",
        Packet::Pubrec(ack(ReasonCode::QuotaExceeded, full.as_properties())),
    );
    let user = block(&[UserProperty("k", "v")]);
    golden(
        V5,
        b"\x70\x0B\0\x01\0\x07\x26\0\x01k\0\x01v",
        Packet::Pubcomp(ack(ReasonCode::Success, user.as_properties())),
    );
}

#[test]
fn pubrel_that_is_sent_again() {
    // 3.1 marks it; later versions have no mark.
    reads(Version::V31, b"\x6A\x02\0\x01", Packet::Pubrel(Ack::success(id(1))));
    let mut out = Vec::new();
    encode_pubrel_again(id(1), &mut out);
    assert_eq!(out, b"\x6A\x02\0\x01");
}
