//! CONNECT and CONNACK.

use mqttsession::protocol::{
    Connack, Connect, Packet, Properties, Property::*, QoS, ReasonCode, Version, Will,
};

use super::{golden, reads};
use crate::{V3, V5, block, frame};

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
