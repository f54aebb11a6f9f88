//! Every packet in every version, as the specification lays it out.

use mqttsession::protocol::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, Packet, Properties,
    Property::{self, *},
    Publish, QoS, ReasonCode, RetainHandling, Suback, SubscriptionOptions, Unsuback, Version, Will,
    encode_pingreq, encode_pingresp, encode_pubrel_again, encode_short, encode_subscribe,
    encode_unsubscribe,
};

use crate::{ALL, V3, V5, block, decode, frame, id};

/// These bytes are this packet, and this packet is these bytes.
#[track_caller]
fn golden(versions: &[Version], bytes: &[u8], packet: Packet<'_>) {
    for &version in versions {
        reads(version, bytes, packet);
        let mut out = b"before".to_vec();
        packet.encode(version, &mut out).expect("a golden packet can be written");
        assert_eq!(out, [b"before", bytes].concat(), "{version:?}: {packet:?}");
    }
}

/// These bytes are this packet, though it is written otherwise.
#[track_caller]
fn reads(version: Version, bytes: &[u8], packet: Packet<'_>) {
    assert_eq!(decode(version, bytes), Ok(packet), "{version:?}: {bytes:02x?}");
}

const CONNECT: Connect<'_> = Connect {
    clean_start: true,
    keep_alive: 60,
    client_id: "",
    will: None,
    user_name: None,
    password: None,
    properties: Properties::EMPTY,
};

#[test]
fn connect() {
    golden(
        &[Version::V31],
        b"\x10\x12\0\x06MQIsdp\x03\x02\0\x3C\0\x04abcd",
        Packet::Connect(Connect { client_id: "abcd", ..CONNECT }),
    );
    golden(&[Version::V311], b"\x10\x0C\0\x04MQTT\x04\x02\0\x3C\0\0", Packet::Connect(CONNECT));
    golden(V5, b"\x10\x0D\0\x04MQTT\x05\x02\0\x3C\0\0\0", Packet::Connect(CONNECT));
    // Only before 5.0 a session without a name cannot be resumed.
    golden(
        V5,
        b"\x10\x0D\0\x04MQTT\x05\0\0\x3C\0\0\0",
        Packet::Connect(Connect { clean_start: false, ..CONNECT }),
    );
}

#[test]
fn connect_with_a_will_and_credentials() {
    let will = Will {
        topic: "w/t",
        payload: b"gone",
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: Properties::EMPTY,
    };
    let connect = Packet::Connect(Connect {
        client_id: "c",
        will: Some(will),
        user_name: Some("u"),
        password: Some(b"p"),
        ..CONNECT
    });
    golden(
        &[Version::V31],
        b"\x10\x20\0\x06MQIsdp\x03\xEE\0\x3C\0\x01c\0\x03w/t\0\x04gone\0\x01u\0\x01p",
        connect,
    );
    golden(
        &[Version::V311],
        b"\x10\x1E\0\x04MQTT\x04\xEE\0\x3C\0\x01c\0\x03w/t\0\x04gone\0\x01u\0\x01p",
        connect,
    );
    golden(
        V5,
        b"\x10\x20\0\x04MQTT\x05\xEE\0\x3C\0\0\x01c\0\0\x03w/t\0\x04gone\0\x01u\0\x01p",
        connect,
    );
    let will = Will { topic: "t", payload: b"", qos: QoS::ExactlyOnce, retain: false, ..will };
    golden(
        &[Version::V311],
        b"\x10\x13\0\x04MQTT\x04\x14\0\0\0\x02id\0\x01t\0\0",
        Packet::Connect(Connect {
            clean_start: false,
            keep_alive: 0,
            client_id: "id",
            will: Some(will),
            ..CONNECT
        }),
    );
}

#[test]
fn connect_with_a_password_alone() {
    golden(
        V5,
        b"\x10\x10\0\x04MQTT\x05\x42\0\0\0\0\0\0\x01p",
        Packet::Connect(Connect { keep_alive: 0, password: Some(b"p"), ..CONNECT }),
    );
}

#[test]
fn connect_with_every_property() {
    let properties = block(&[
        SessionExpiryInterval(60),
        ReceiveMaximum(10),
        MaximumPacketSize(65536),
        TopicAliasMaximum(5),
        RequestResponseInformation(1),
        RequestProblemInformation(0),
        UserProperty("k", "v"),
        AuthenticationMethod("scr"),
        AuthenticationData(&[1, 2]),
    ]);
    let will_properties = block(&[
        WillDelayInterval(10),
        PayloadFormatIndicator(1),
        MessageExpiryInterval(120),
        ContentType("text"),
        ResponseTopic("r"),
        CorrelationData(&[7]),
        UserProperty("a", "b"),
    ]);
    let bytes = [
        b"\x10\x65\0\x04MQTT\x05\xF6\0\x3C".as_slice(),
        b"\x26\x11\0\0\0\x3C\x21\0\x0A\x27\0\x01\0\0\x22\0\x05\x19\x01\x17\0",
        b"\x26\0\x01k\0\x01v\x15\0\x03scr\x16\0\x02\x01\x02",
        b"\0\x01c",
        b"\x22\x18\0\0\0\x0A\x01\x01\x02\0\0\0\x78\x03\0\x04text\x08\0\x01r\x09\0\x01\x07",
        b"\x26\0\x01a\0\x01b",
        b"\0\x01w\0\x02by\0\x01u\0\x02pw",
    ]
    .concat();
    let will = Will {
        topic: "w",
        payload: b"by",
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: will_properties.as_properties(),
    };
    golden(
        V5,
        &bytes,
        Packet::Connect(Connect {
            client_id: "c",
            will: Some(will),
            user_name: Some("u"),
            password: Some(b"pw"),
            properties: properties.as_properties(),
            ..CONNECT
        }),
    );
}

#[test]
fn connect_of_3_1_may_end_before_the_credentials_that_it_promises() {
    let connect = Connect { client_id: "c", ..CONNECT };
    reads(Version::V31, b"\x10\x0F\0\x06MQIsdp\x03\xC2\0\x3C\0\x01c", Packet::Connect(connect));
    reads(
        Version::V31,
        b"\x10\x12\0\x06MQIsdp\x03\xC2\0\x3C\0\x01c\0\x01u",
        Packet::Connect(Connect { user_name: Some("u"), ..connect }),
    );
}

#[test]
fn connect_tells_its_version() {
    for (bytes, version) in [
        (b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x3C\0\x01c".as_slice(), Version::V31),
        (b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c", Version::V311),
        (b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x01c", Version::V5),
    ] {
        let (found, connect) = Connect::decode(frame(bytes).unwrap()).unwrap();
        assert_eq!(found, version);
        assert_eq!(connect.client_id, "c");
    }
}

fn connack<'a>(session_present: bool, code: u8) -> Packet<'a> {
    Packet::Connack(Connack { session_present, code, properties: Properties::EMPTY })
}

#[test]
fn connack_before_5() {
    golden(V3, b"\x20\x02\0\0", connack(false, 0));
    golden(&[Version::V311], b"\x20\x02\x01\0", connack(true, 0));
    for code in 1..=5 {
        golden(V3, &[0x20, 2, 0, code], connack(false, code));
    }
    // The byte of the flags has no meaning in 3.1.
    reads(Version::V31, b"\x20\x02\x01\0", connack(false, 0));
}

#[test]
fn connack_of_5() {
    golden(V5, b"\x20\x03\0\0\0", connack(false, 0));
    golden(V5, b"\x20\x03\x01\0\0", connack(true, 0));
    golden(V5, b"\x20\x03\0\x87\0", connack(false, 0x87));
    // A server that knows 3.1.1 only cannot say it otherwise.
    reads(Version::V5, b"\x20\x02\0\x01", connack(false, 0x84));
    let properties = block(&[
        SessionExpiryInterval(0),
        ReceiveMaximum(20),
        MaximumQos(1),
        RetainAvailable(0),
        MaximumPacketSize(1 << 20),
        AssignedClientIdentifier("c-1"),
        TopicAliasMaximum(10),
        ReasonString("ok"),
        UserProperty("k", "v"),
        WildcardSubscriptionAvailable(0),
        SubscriptionIdentifiersAvailable(0),
        SharedSubscriptionAvailable(0),
        ServerKeepAlive(30),
        ResponseInformation("ri"),
        ServerReference("s"),
        AuthenticationMethod("m"),
        AuthenticationData(&[0xFF]),
    ]);
    let bytes = [
        b"\x20\x43\0\0\x40".as_slice(),
        b"\x11\0\0\0\0\x21\0\x14\x24\x01\x25\0\x27\0\x10\0\0\x12\0\x03c-1\x22\0\x0A",
        b"\x1F\0\x02ok\x26\0\x01k\0\x01v\x28\0\x29\0\x2A\0\x13\0\x1E\x1A\0\x02ri\x1C\0\x01s",
        b"\x15\0\x01m\x16\0\x01\xFF",
    ]
    .concat();
    golden(
        V5,
        &bytes,
        Packet::Connack(Connack {
            session_present: false,
            code: 0,
            properties: properties.as_properties(),
        }),
    );
}

#[test]
fn connack_codes_have_one_meaning_in_all_versions() {
    let reason = |code, version| {
        Connack { session_present: false, code, properties: Properties::EMPTY }.reason(version)
    };
    for (code, reason_code) in [0x00, 0x84, 0x85, 0x88, 0x86, 0x87].into_iter().enumerate() {
        let expected = ReasonCode::from_u8(reason_code);
        assert_eq!(reason(code as u8, Version::V31), expected);
        assert_eq!(reason(code as u8, Version::V311), expected);
        assert_eq!(reason(reason_code, Version::V5), expected);
    }
    assert_eq!(reason(6, Version::V311), None);
    assert_eq!(reason(0x91, Version::V5), None);
}

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
    // The packets that are written with their length last.
    let long = "x".repeat(123);
    let bytes = [b"\xE0\x80\x01\x81\x7E\x1F\0\x7B".as_slice(), long.as_bytes()].concat();
    disconnect(&bytes, ReasonCode::MalformedPacket, &[ReasonString(&long)]);
    let short = &long[..122];
    let bytes = [b"\xE0\x7F\x81\x7D\x1F\0\x7A".as_slice(), short.as_bytes()].concat();
    disconnect(&bytes, ReasonCode::MalformedPacket, &[ReasonString(short)]);
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

/// These bytes are a SUBSCRIBE of these filters.
#[track_caller]
fn subscribe(
    version: Version,
    bytes: &[u8],
    duplicate: bool,
    properties: &[Property<'_>],
    filters: &[(&str, SubscriptionOptions)],
) {
    let properties = block(properties);
    let properties = properties.as_properties();
    match decode(version, bytes) {
        Ok(Packet::Subscribe(subscribe)) => {
            assert_eq!(subscribe.packet_id, id(10));
            assert_eq!(subscribe.properties, properties);
            assert_eq!(subscribe.filters.iter().collect::<Vec<_>>(), filters);
        }
        other => panic!("not a SUBSCRIBE: {other:?}"),
    }
    let mut out = Vec::new();
    let filters = filters.iter().copied();
    encode_subscribe(version, duplicate, id(10), properties, filters, &mut out).unwrap();
    assert_eq!(out, bytes);
}

fn qos(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

#[test]
fn subscribe_to_filters() {
    let filters = [("#", qos(QoS::AtMostOnce)), ("+", qos(QoS::ExactlyOnce))];
    for &version in V3 {
        subscribe(version, b"\x82\x0A\0\x0A\0\x01#\0\0\x01+\x02", false, &[], &filters);
    }
    subscribe(Version::V31, b"\x8A\x0A\0\x0A\0\x01#\0\0\x01+\x02", true, &[], &filters);
    subscribe(Version::V311, b"\x82\x0A\0\x0A\0\x01#\0\0\x01+\x02", true, &[], &filters);
    subscribe(Version::V5, b"\x82\x0B\0\x0A\0\0\x01#\0\0\x01+\x02", true, &[], &filters);
}

#[test]
fn subscribe_with_options_and_properties() {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    subscribe(
        Version::V5,
        b"\x82\x0D\0\x0A\x02\x0B\x05\0\x05a/+/#\x2D",
        false,
        &[SubscriptionIdentifier(5)],
        &[("a/+/#", options)],
    );
    let shared =
        SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..Default::default() };
    subscribe(
        Version::V5,
        b"\x82\x17\0\x0A\x07\x26\0\x01k\0\x01v\0\x0A$share/g/x\x10",
        false,
        &[UserProperty("k", "v")],
        &[("$share/g/x", shared)],
    );
}

#[test]
fn suback() {
    let suback =
        |codes| Packet::Suback(Suback { packet_id: id(10), properties: Properties::EMPTY, codes });
    golden(V3, b"\x90\x05\0\x0A\0\x01\x02", suback(&[0, 1, 2]));
    golden(&[Version::V311], b"\x90\x04\0\x0A\x80\x01", suback(&[0x80, 1]));
    golden(V5, b"\x90\x06\0\x0A\0\x02\x87\xA2", suback(&[2, 0x87, 0xA2]));
    let properties = block(&[ReasonString("no"), UserProperty("", "")]);
    golden(
        V5,
        b"\x90\x0E\0\x0A\x0A\x1F\0\x02no\x26\0\0\0\0\x80",
        Packet::Suback(Suback {
            packet_id: id(10),
            properties: properties.as_properties(),
            codes: &[0x80],
        }),
    );
}

#[test]
fn unsubscribe() {
    for (version, duplicate, bytes) in [
        (Version::V31, false, b"\xA2\x08\0\x0B\0\x01a\0\x01b".as_slice()),
        (Version::V31, true, b"\xAA\x08\0\x0B\0\x01a\0\x01b"),
        (Version::V311, true, b"\xA2\x08\0\x0B\0\x01a\0\x01b"),
        (Version::V5, true, b"\xA2\x09\0\x0B\0\0\x01a\0\x01b"),
    ] {
        match decode(version, bytes) {
            Ok(Packet::Unsubscribe(unsubscribe)) => {
                assert_eq!(unsubscribe.packet_id, id(11));
                assert!(unsubscribe.filters.iter().eq(["a", "b"]));
            }
            other => panic!("not an UNSUBSCRIBE: {other:?}"),
        }
        let mut out = Vec::new();
        let filters = ["a", "b"];
        encode_unsubscribe(version, duplicate, id(11), Properties::EMPTY, filters, &mut out)
            .unwrap();
        assert_eq!(out, bytes);
    }
}

#[test]
fn unsuback() {
    let unsuback = |codes| {
        Packet::Unsuback(Unsuback { packet_id: id(11), properties: Properties::EMPTY, codes })
    };
    golden(V3, b"\xB0\x02\0\x0B", unsuback(&[]));
    golden(V5, b"\xB0\x05\0\x0B\0\0\x11", unsuback(&[0, 0x11]));
}

#[test]
fn ping() {
    golden(ALL, b"\xC0\0", Packet::Pingreq);
    golden(ALL, b"\xD0\0", Packet::Pingresp);
    let mut out = Vec::new();
    encode_pingreq(&mut out);
    encode_pingresp(&mut out);
    assert_eq!(out, b"\xC0\0\xD0\0");
}

#[track_caller]
fn disconnect(bytes: &[u8], reason: ReasonCode, properties: &[Property<'_>]) {
    let properties = block(properties);
    let properties = properties.as_properties();
    golden(V5, bytes, Packet::Disconnect(Disconnect { reason, properties }));
}

#[test]
fn disconnects() {
    golden(ALL, b"\xE0\0", Packet::Disconnect(Disconnect::NORMAL));
    reads(Version::V5, b"\xE0\x01\0", Packet::Disconnect(Disconnect::NORMAL));
    reads(Version::V5, b"\xE0\x02\0\0", Packet::Disconnect(Disconnect::NORMAL));
    disconnect(b"\xE0\x01\x04", ReasonCode::DisconnectWithWillMessage, &[]);
    disconnect(b"\xE0\x07\0\x05\x11\0\0\0\0", ReasonCode::Success, &[SessionExpiryInterval(0)]);
    disconnect(
        b"\xE0\x13\x9D\x11\x1F\0\x03bad\x26\0\x01k\0\x01v\x1C\0\x01s",
        ReasonCode::ServerMoved,
        &[ReasonString("bad"), UserProperty("k", "v"), ServerReference("s")],
    );
}

#[test]
fn auth() {
    let success = Auth { reason: ReasonCode::Success, properties: Properties::EMPTY };
    golden(V5, b"\xF0\0", Packet::Auth(success));
    let step = block(&[AuthenticationMethod("scr"), AuthenticationData(&[9])]);
    for reason in
        [ReasonCode::Success, ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate]
    {
        let mut bytes = b"\xF0\x0C?\x0A\x15\0\x03scr\x16\0\x01\x09".to_vec();
        bytes[2] = reason.as_u8();
        golden(V5, &bytes, Packet::Auth(Auth { reason, properties: step.as_properties() }));
    }
}
