//! What is not written: our own mistakes. The buffer stays as it was.

use mqttsession::protocol::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, EncodeError, Frame, Head, Packet, Properties,
    Property::*, Publish, QoS, RawPublish, ReasonCode, Suback, SubscriptionOptions, Unsuback,
    Version, Will, encode_subscribe, encode_unsubscribe,
};

use crate::{V3, block, id};

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

#[track_caller]
fn refused(version: Version, packet: Packet<'_>) -> EncodeError {
    let mut out = b"before".to_vec();
    let error = packet.encode(version, &mut out).expect_err("this packet must not be written");
    assert_eq!(out, b"before");
    error
}

#[track_caller]
fn forbidden(version: Version, packet: Packet<'_>, statement: &str) {
    match refused(version, packet) {
        EncodeError::Forbidden(violation) => {
            assert_eq!(violation.statement, statement);
            assert_eq!(violation.packet, Some(packet.packet_type()));
        }
        other => panic!("expected [{statement}], found {other:?}"),
    }
}

#[track_caller]
fn not_in(version: Version, packet: Packet<'_>) {
    let error = refused(version, packet);
    assert!(matches!(error, EncodeError::NotInVersion(_)), "{error:?}");
}

const CONNECT: Connect<'_> = Connect {
    clean_start: true,
    keep_alive: 0,
    client_id: "c",
    will: None,
    user_name: None,
    password: None,
    properties: Properties::EMPTY,
};

const PUBLISH: Publish<'_> = Publish {
    duplicate: false,
    qos: QoS::AtMostOnce,
    retain: false,
    topic: "t",
    packet_id: None,
    properties: Properties::EMPTY,
    payload: b"",
};

#[test]
fn connect() {
    let with = |connect| Packet::Connect(connect);
    let lone_password = Connect { password: Some(b"p"), ..CONNECT };
    forbidden(V311, with(lone_password), "3.1.1 MQTT-3.1.2-22");
    forbidden(V31, with(lone_password), "3.1.1 MQTT-3.1.2-22");
    forbidden(V31, with(Connect { client_id: "", ..CONNECT }), "3.1.1 MQTT-3.1.3-7");
    let nameless = Connect { client_id: "", clean_start: false, ..CONNECT };
    forbidden(V311, with(nameless), "3.1.1 MQTT-3.1.3-7");
    forbidden(V5, with(Connect { client_id: "\0", ..CONNECT }), "MQTT-1.5.4-2");
    forbidden(V5, with(Connect { user_name: Some("\0"), ..CONNECT }), "MQTT-1.5.4-2");
    let long = "x".repeat(65_536);
    for connect in [
        Connect { client_id: &long, ..CONNECT },
        Connect { user_name: Some(&long), ..CONNECT },
        Connect { password: Some(long.as_bytes()), ..CONNECT },
    ] {
        assert_eq!(refused(V5, with(connect)), EncodeError::FieldTooLong);
    }
    let expiry = block(&[SessionExpiryInterval(1)]);
    not_in(V311, with(Connect { properties: expiry.as_properties(), ..CONNECT }));
    let data = block(&[AuthenticationData(b"x")]);
    forbidden(V5, with(Connect { properties: data.as_properties(), ..CONNECT }), "");
    let alias = block(&[TopicAlias(1)]);
    forbidden(V5, with(Connect { properties: alias.as_properties(), ..CONNECT }), "");
    let will = Will {
        topic: "w",
        payload: b"",
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    let with_will = |will| with(Connect { will: Some(will), ..CONNECT });
    forbidden(V5, with_will(Will { topic: "#", ..will }), "MQTT-4.7.0-1");
    forbidden(V311, with_will(Will { topic: "", ..will }), "MQTT-4.7.3-1");
    not_in(V31, with_will(Will { properties: expiry.as_properties(), ..will }));
    forbidden(V5, with_will(Will { properties: expiry.as_properties(), ..will }), "");
}

#[test]
fn a_password_is_not_shown() {
    let connect = Connect { user_name: Some("u"), password: Some(b"secret"), ..CONNECT };
    let shown = format!("{connect:?}");
    assert!(shown.contains(r#"password: Some("hidden")"#), "{shown}");
    let mut out = Vec::new();
    connect.encode(V5, &mut out).unwrap();
    let shown = format!("{:?}", Frame { first: out[0], body: &out[2..] });
    assert_eq!(shown, "Frame(0x10, 25 bytes)");
}

#[test]
fn connack() {
    let connack = |session_present, code| {
        Packet::Connack(Connack { session_present, code, properties: Properties::EMPTY })
    };
    not_in(V31, connack(true, 0));
    forbidden(V311, connack(true, 5), "MQTT-3.2.2-6");
    forbidden(V311, connack(false, 0x87), "MQTT-3.2.2-8");
    forbidden(V5, connack(false, 5), "MQTT-3.2.2-8");
    forbidden(V5, connack(false, 0x92), "MQTT-3.2.2-8");
}

#[test]
fn publish() {
    let with = |publish| Packet::Publish(publish);
    forbidden(V311, with(Publish { duplicate: true, ..PUBLISH }), "MQTT-3.3.1-2");
    forbidden(V311, with(Publish { packet_id: Some(id(1)), ..PUBLISH }), "MQTT-2.2.1-2");
    forbidden(V5, with(Publish { qos: QoS::AtLeastOnce, ..PUBLISH }), "MQTT-2.2.1-3");
    for &version in V3 {
        forbidden(version, with(Publish { topic: "", ..PUBLISH }), "MQTT-4.7.3-1");
        forbidden(version, with(Publish { topic: "a/+", ..PUBLISH }), "MQTT-4.7.0-1");
        forbidden(version, with(Publish { topic: "\0", ..PUBLISH }), "MQTT-4.7.3-2");
    }
    forbidden(V5, with(Publish { topic: "", ..PUBLISH }), "");
    let long = "x".repeat(65_536);
    forbidden(V5, with(Publish { topic: &long, ..PUBLISH }), "MQTT-4.7.3-3");
    let alias = block(&[TopicAlias(1)]);
    not_in(V311, with(Publish { properties: alias.as_properties(), ..PUBLISH }));
    let delay = block(&[WillDelayInterval(1)]);
    forbidden(V5, with(Publish { properties: delay.as_properties(), ..PUBLISH }), "");
}

#[test]
fn a_head_tells_where_its_parts_stand() {
    let properties = block(&[UserProperty("k", "v"), MessageExpiryInterval(60)]);
    let properties = properties.as_properties();
    let publish = Publish {
        qos: QoS::ExactlyOnce,
        topic: "a/b",
        packet_id: Some(id(0x1234)),
        properties,
        ..PUBLISH
    };
    let mut out = b"before".to_vec();
    let head = publish.encode_head(V5, 200, &mut out).unwrap();
    let packet = &out[6..];
    // Two bytes of remaining length, because the payload counts.
    assert_eq!(packet[..3], [0x34, 0xDC, 0x01]);
    assert_eq!(head, Head { length: packet.len(), packet_id_at: Some(8), properties_at: Some(11) });
    assert_eq!(packet[8..10], [0x12, 0x34]);
    assert_eq!(&packet[11..], properties.as_bytes());
    let expiry = 11 + properties.message_expiry_interval_at().unwrap();
    assert_eq!(packet[expiry..expiry + 4], [0, 0, 0, 60]);

    let mut out = Vec::new();
    let head = PUBLISH.encode_head(V311, 2, &mut out).unwrap();
    assert_eq!(out, b"\x30\x05\0\x01t");
    assert_eq!(head, Head { length: 5, packet_id_at: None, properties_at: None });
}

#[test]
fn an_alias_beside_the_properties_needs_5_0_and_is_the_only_one() {
    let mut out = Vec::new();
    PUBLISH.encode_aliased(V5, 0x1234, &mut out).unwrap();
    assert_eq!(out, b"\x30\x07\0\x01t\x03\x23\x12\x34");
    let abbreviated = Publish { topic: "", ..PUBLISH };
    let own = block(&[TopicAlias(1)]);
    let twice = Publish { properties: own.as_properties(), ..PUBLISH };
    for packet in [PUBLISH, abbreviated] {
        for version in V3.iter().copied() {
            let error = packet.encode_aliased(version, 1, &mut Vec::new()).unwrap_err();
            assert!(matches!(error, EncodeError::NotInVersion(_)), "{error:?}");
        }
    }
    let error = twice.encode_aliased(V5, 1, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, EncodeError::Forbidden(_)), "{error:?}");
}

#[test]
fn a_head_is_as_long_as_it_says() {
    // Around each length at which the remaining length takes a byte more.
    for edge in [0x80, 0x4000, 0x20_0000] {
        for payload in edge - 5..edge + 5 {
            let mut out = Vec::new();
            let head = PUBLISH.encode_head(V5, payload, &mut out).unwrap();
            assert_eq!(head.length, out.len(), "payload of {payload} bytes");
        }
    }
}

#[test]
fn a_head_whose_payload_is_too_large_is_not_written() {
    let mut out = Vec::new();
    // Three bytes of topic.
    assert!(PUBLISH.encode_head(V311, 268_435_452, &mut out).is_ok());
    assert_eq!(out, b"\x30\xFF\xFF\xFF\x7F\0\x01t");
    for payload in [268_435_453, usize::MAX] {
        let mut out = Vec::new();
        let refused = PUBLISH.encode_head(V311, payload, &mut out);
        assert_eq!(refused, Err(EncodeError::PacketTooLarge));
        assert!(out.is_empty());
    }
}

#[test]
fn a_raw_publish_leaves_the_topic_to_its_reader() {
    let body = b"\0\x03a/\xFF\0\x07x".as_slice();
    let raw = RawPublish::decode(Frame { first: 0x3B, body }, V311).unwrap();
    assert_eq!(raw.topic, b"a/\xFF");
    assert_eq!(raw.packet_id, Some(id(7)));
    assert_eq!(raw.qos, QoS::AtLeastOnce);
    assert!(raw.duplicate && raw.retain);
    assert_eq!(raw.payload, b"x");
    assert!(Publish::decode(Frame { first: 0x3B, body }, V311).is_err());
    // It does not rely on the flags having been checked.
    for first in [0x36, 0x38] {
        let frame = Frame { first, body };
        assert!(RawPublish::decode(frame, V311).is_err());
    }
}

#[test]
fn acknowledgements() {
    let ack = |reason, properties| Ack { packet_id: id(1), reason, properties };
    let reason = ack(ReasonCode::UnspecifiedError, Properties::EMPTY);
    not_in(V311, Packet::Puback(reason));
    forbidden(V5, Packet::Pubrel(reason), "MQTT-3.6.2-1");
    forbidden(V5, Packet::Pubcomp(reason), "MQTT-3.7.2-1");
    let foreign = ack(ReasonCode::PacketIdentifierNotFound, Properties::EMPTY);
    forbidden(V5, Packet::Puback(foreign), "MQTT-3.4.2-1");
    forbidden(V5, Packet::Pubrec(foreign), "MQTT-3.5.2-1");
    let alias = block(&[TopicAlias(1)]);
    let alias = ack(ReasonCode::Success, alias.as_properties());
    forbidden(V5, Packet::Puback(alias), "");
    not_in(V31, Packet::Pubcomp(alias));
    assert_eq!(AckKind::Pubrel.packet_type().name(), "PUBREL");
}

#[test]
fn subscribe_and_unsubscribe() {
    let mut out = b"before".to_vec();
    let plain = SubscriptionOptions::default();
    let no_local = SubscriptionOptions { no_local: true, ..plain };
    let mut subscribe = |version, filter: Option<(&str, SubscriptionOptions)>| {
        encode_subscribe(version, false, id(1), Properties::EMPTY, filter, &mut out).unwrap_err()
    };
    for (version, filter, expected) in [
        (V311, None, "MQTT-3.8.3-2"),
        (V311, Some(("", plain)), "MQTT-4.7.3-1"),
        (V311, Some(("a#", plain)), "MQTT-4.7.1-1"),
        (V5, Some(("$share/g", plain)), "MQTT-4.8.2-2"),
        (V5, Some(("$share/g/a", no_local)), "MQTT-3.8.3-4"),
    ] {
        match subscribe(version, filter) {
            EncodeError::Forbidden(violation) => assert_eq!(violation.statement, expected),
            other => panic!("expected [{expected}], found {other:?}"),
        }
    }
    assert!(matches!(subscribe(V311, Some(("a", no_local))), EncodeError::NotInVersion(_)));
    for filters in [[].as_slice(), &["a", "+b"]] {
        let filters = filters.iter().copied();
        encode_unsubscribe(V5, false, id(1), Properties::EMPTY, filters, &mut out).unwrap_err();
    }
    assert_eq!(out, b"before");
}

#[test]
fn subscription_options_are_a_byte() {
    let valid: Vec<u8> =
        (0..=255).filter(|&byte| SubscriptionOptions::from_byte(byte).is_some()).collect();
    assert_eq!(valid.len(), 3 * 2 * 2 * 3);
    for byte in valid {
        assert_eq!(
            SubscriptionOptions::from_byte(byte).map(SubscriptionOptions::to_byte),
            Some(byte)
        );
    }
}

#[test]
fn answers_with_codes() {
    let suback =
        |codes| Packet::Suback(Suback { packet_id: id(1), properties: Properties::EMPTY, codes });
    forbidden(V311, suback(&[]), "MQTT-3.8.4-6");
    forbidden(V31, suback(&[0x80]), "MQTT-3.9.3-2");
    forbidden(V311, suback(&[0x87]), "MQTT-3.9.3-2");
    forbidden(V5, suback(&[0, 0x11]), "MQTT-3.9.3-2");
    let unsuback = |codes| {
        Packet::Unsuback(Unsuback { packet_id: id(1), properties: Properties::EMPTY, codes })
    };
    not_in(V311, unsuback(&[0]));
    forbidden(V5, unsuback(&[]), "MQTT-3.11.3-1");
    forbidden(V5, unsuback(&[1]), "MQTT-3.11.3-2");
}

#[test]
fn disconnect_and_auth() {
    let disconnect = |reason, properties| Packet::Disconnect(Disconnect { reason, properties });
    not_in(V311, disconnect(ReasonCode::DisconnectWithWillMessage, Properties::EMPTY));
    forbidden(V5, disconnect(ReasonCode::Banned, Properties::EMPTY), "MQTT-3.14.2-1");
    let reason = block(&[ReasonString("bye")]);
    not_in(V31, disconnect(ReasonCode::Success, reason.as_properties()));
    let auth = |reason, properties| Packet::Auth(Auth { reason, properties });
    not_in(V311, auth(ReasonCode::Success, Properties::EMPTY));
    forbidden(V5, auth(ReasonCode::ContinueAuthentication, Properties::EMPTY), "MQTT-4.12.0-5");
    let method = block(&[AuthenticationMethod("m")]);
    forbidden(V5, auth(ReasonCode::Banned, method.as_properties()), "MQTT-3.15.2-1");
}

#[test]
fn an_error_says_what_would_be_wrong() {
    let error = refused(V311, Packet::Publish(Publish { topic: "#", ..PUBLISH }));
    assert_eq!(
        error.to_string(),
        "it would be a PUBLISH with a wildcard in its topic [MQTT-4.7.0-1]"
    );
    let error = refused(
        V31,
        Packet::Auth(Auth { reason: ReasonCode::Success, properties: Properties::EMPTY }),
    );
    assert_eq!(error.to_string(), "this version of MQTT has no AUTH packet");
}
