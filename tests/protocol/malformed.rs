//! Packets that break one rule each.

use std::collections::HashSet;

use mqttsession::protocol::{Connect, PacketType, ReasonCode, Version, Violation};

use crate::{decode, frame};

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;
const PROTOCOL: ReasonCode = ReasonCode::ProtocolError;
const VERSION: ReasonCode = ReasonCode::UnsupportedProtocolVersion;
const CLIENT_ID: ReasonCode = ReasonCode::ClientIdentifierNotValid;
const ALIAS: ReasonCode = ReasonCode::TopicAliasInvalid;

// Rules without a number, in the words of the codec.
const OVERRUN: &str = "that ends in the middle of a field";
const TRAILING: &str = "with more bytes than belong to it";
const CUT_ID: &str = "that ends before the end of its packet id";
const CUT_TOPIC: &str = "that ends before the end of its topic";
const CUT_LENGTH: &str = "that ends before the end of its property length";
const LONG_PROPERTIES: &str = "with a property length that goes beyond its end";
const NO_PROPERTY: &str = "with a property that does not exist";
const NO_REASON: &str = "with a reason code that does not exist";
const LONG_LENGTH: &str = "with a remaining length of more than four bytes";
const NOT_YET: &str = "although MQTT has none before 5.0";

/// Version, bytes, the reason to answer with, and the rule: the number of its statement, or some of
/// its words. (Whole sentences are in `violations.txt`.)
type Row = (Version, &'static [u8], ReasonCode, &'static str);

#[test]
fn every_broken_rule_is_found() {
    let tables = [
        FIXED_HEADER,
        CONNECT,
        WILL,
        CONNACK,
        PUBLISH,
        ACKS,
        SUBSCRIBE,
        SUBACK,
        UNSUBSCRIBE,
        PING,
        DISCONNECT,
        AUTH,
        PROPERTIES,
        TEXTS,
    ];
    let rows: Vec<&Row> = tables.into_iter().flatten().collect();
    let mut seen = HashSet::new();
    for &&(version, bytes, reason, rule) in &rows {
        assert!(seen.insert((version, bytes)), "this row stands twice: {version:?} {bytes:02x?}");
        match decode(version, bytes) {
            Err(found) if found.reason == reason && breaks(found, rule) => {}
            other => {
                panic!("{version:?} {bytes:02x?}: expected {reason:?} [{rule}], found {other:?}")
            }
        }
    }
    assert!(rows.len() >= 200, "only {} rows", rows.len());
}

#[test]
fn a_decoder_refuses_the_packet_of_another() {
    let violation = Connect::decode(frame(b"\xC0\0").unwrap()).unwrap_err();
    assert_eq!(violation.packet, Some(PacketType::Pingreq));
    assert_eq!(violation.reason, PROTOCOL);
    assert_eq!(violation.detail, "where another packet was due");
}

fn breaks(found: Violation, rule: &str) -> bool {
    found.statement == rule || found.statement.is_empty() && found.detail.contains(rule)
}

#[test]
fn a_violation_reads_as_what_was_sent() {
    let say = |version, bytes: &'static [u8]| decode(version, bytes).unwrap_err().to_string();
    assert_eq!(say(V311, b"\x36\x05\0\x01t\0\x01"), "a PUBLISH with QoS 3 [MQTT-3.3.1-4]");
    assert_eq!(say(V311, b"\xF0\0"), "an AUTH although MQTT has none before 5.0");
    assert_eq!(say(V5, b"\0\0"), "a packet of the reserved type 0");
    let violation: Violation = decode(V5, b"\xC0\x01x").unwrap_err();
    assert_eq!(violation.to_string(), "a PINGREQ with more bytes than belong to it");
    assert!(std::error::Error::source(&violation).is_none());
}

const FIXED_HEADER: &[Row] = &[
    // The reserved type.
    (V31, b"\0\0", MALFORMED, "of the reserved type 0"),
    (V311, b"\x02\0", MALFORMED, "of the reserved type 0"),
    (V5, b"\x0F\0", MALFORMED, "of the reserved type 0"),
    // AUTH before it existed.
    (V31, b"\xF0\0", PROTOCOL, NOT_YET),
    (V311, b"\xF0\0", PROTOCOL, NOT_YET),
    // Reserved flags.
    (V5, b"\x11\x0D\0\x04MQTT\x05\x02\0\x3C\0\0\0", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\x28\x02\0\0", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\x42\x02\0\x01", MALFORMED, "MQTT-2.1.3-1"),
    (V31, b"\x48\x02\0\x01", MALFORMED, "MQTT-2.1.3-1"),
    (V5, b"\x54\x02\0\x01", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\x60\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V31, b"\x60\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V5, b"\x63\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V31, b"\x64\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V311, b"\x71\x02\0\x01", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\x80\x06\0\x01\0\x01a\0", MALFORMED, "MQTT-3.8.1-1"),
    (V5, b"\x86\x07\0\x01\0\0\x01a\0", MALFORMED, "MQTT-3.8.1-1"),
    (V311, b"\x91\x03\0\x01\0", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\xA0\x05\0\x01\0\x01a", MALFORMED, "MQTT-3.10.1-1"),
    (V5, b"\xA3\x06\0\x01\0\0\x01a", MALFORMED, "MQTT-3.10.1-1"),
    (V311, b"\xB2\x02\0\x01", MALFORMED, "MQTT-2.1.3-1"),
    (V5, b"\xC1\0", MALFORMED, "MQTT-2.1.3-1"),
    (V311, b"\xD8\0", MALFORMED, "MQTT-2.1.3-1"),
    (V5, b"\xE2\0", MALFORMED, "MQTT-3.14.1-1"),
    (V311, b"\xE1\0", MALFORMED, "MQTT-3.14.1-1"),
    (V5, b"\xF4\0", MALFORMED, "MQTT-3.15.1-1"),
    // DUP where only 3.1 has it.
    (V311, b"\x6A\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V5, b"\x6A\x02\0\x01", MALFORMED, "MQTT-3.6.1-1"),
    (V311, b"\x8A\x06\0\x01\0\x01a\0", MALFORMED, "MQTT-3.8.1-1"),
    (V5, b"\xAA\x06\0\x01\0\0\x01a", MALFORMED, "MQTT-3.10.1-1"),
    // Flags of PUBLISH.
    (V31, b"\x36\x05\0\x01t\0\x01", MALFORMED, "MQTT-3.3.1-4"),
    (V5, b"\x3F\x06\0\x01t\0\x01\0", MALFORMED, "MQTT-3.3.1-4"),
    (V31, b"\x38\x03\0\x01t", MALFORMED, "MQTT-3.3.1-2"),
    (V5, b"\x39\x04\0\x01t\0", MALFORMED, "MQTT-3.3.1-2"),
    // The remaining length.
    (V311, b"\xC0\x80\0", MALFORMED, "MQTT-1.5.5-1"),
    (V5, b"\xC0\x80\x80\x80\0", MALFORMED, "MQTT-1.5.5-1"),
    (V31, b"\x40\x82\0\0\x01", MALFORMED, "MQTT-1.5.5-1"),
    (V5, b"\xC0\x80\x80\x80\x80\0", MALFORMED, LONG_LENGTH),
    (V311, b"\xC0\xFF\xFF\xFF\xFF\x7F", MALFORMED, LONG_LENGTH),
];

const CONNECT: &[Row] = &[
    // Nothing, or not enough.
    (V311, b"\x10\0", MALFORMED, OVERRUN),
    (V311, b"\x10\x01\0", MALFORMED, OVERRUN),
    (V311, b"\x10\x06\0\x04MQTT", MALFORMED, OVERRUN),
    (V311, b"\x10\x07\0\x04MQTT\x04", MALFORMED, OVERRUN),
    (V311, b"\x10\x08\0\x04MQTT\x04\x02", MALFORMED, OVERRUN),
    (V311, b"\x10\x09\0\x04MQTT\x04\x02\0", MALFORMED, OVERRUN),
    (V311, b"\x10\x0A\0\x04MQTT\x04\x02\0\x3C", MALFORMED, OVERRUN),
    (V311, b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x02c", MALFORMED, OVERRUN),
    (V5, b"\x10\x0A\0\x04MQTT\x05\x02\0\x3C", MALFORMED, CUT_LENGTH),
    (V5, b"\x10\x0B\0\x04MQTT\x05\x02\0\x3C\0", MALFORMED, OVERRUN),
    // Name and level.
    (V311, b"\x10\x0C\0\x04MQTt\x04\x02\0\x3C\0\0", VERSION, "MQTT-3.1.2-2"),
    (V311, b"\x10\x0B\0\x03MQT\x04\x02\0\x3C\0\0", VERSION, "MQTT-3.1.2-2"),
    (V31, b"\x10\x0D\0\x04MQTT\x03\x02\0\x3C\0\x01c", VERSION, "MQTT-3.1.2-2"),
    (V311, b"\x10\x0F\0\x06MQIsdp\x04\x02\0\x3C\0\x01c", VERSION, "MQTT-3.1.2-2"),
    (V5, b"\x10\x10\0\x06MQIsdp\x05\x02\0\x3C\0\0\x01c", VERSION, "MQTT-3.1.2-2"),
    (V5, b"\x10\x0D\0\x04MQTT\x06\x02\0\x3C\0\0\0", VERSION, "MQTT-3.1.2-2"),
    (V5, b"\x10\x0D\0\x04MQTT\0\x02\0\x3C\0\0\0", VERSION, "MQTT-3.1.2-2"),
    (V311, b"\x10\x0C\0\x04MQTT\x84\x02\0\x3C\0\0", VERSION, "MQTT-3.1.2-2"),
    // Valid, but not of this connection's version.
    (V311, b"\x10\x0D\0\x04MQTT\x05\x02\0\x3C\0\0\0", VERSION, "MQTT-3.1.2-2"),
    (V5, b"\x10\x0C\0\x04MQTT\x04\x02\0\x3C\0\0", VERSION, "MQTT-3.1.2-2"),
    // Flags.
    (V31, b"\x10\x0F\0\x06MQIsdp\x03\x03\0\x3C\0\x01c", MALFORMED, "MQTT-3.1.2-3"),
    (V311, b"\x10\x0C\0\x04MQTT\x04\x03\0\x3C\0\0", MALFORMED, "MQTT-3.1.2-3"),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x01\0\x3C\0\0\0", MALFORMED, "MQTT-3.1.2-3"),
    (V311, b"\x10\x0F\0\x04MQTT\x04\x42\0\x3C\0\0\0\x01p", MALFORMED, "3.1.1 MQTT-3.1.2-22"),
    (V31, b"\x10\x12\0\x06MQIsdp\x03\x42\0\x3C\0\x01c\0\x01p", MALFORMED, "3.1.1 MQTT-3.1.2-22"),
    // Client identifier.
    (V311, b"\x10\x0C\0\x04MQTT\x04\0\0\x3C\0\0", CLIENT_ID, "3.1.1 MQTT-3.1.3-7"),
    (V31, b"\x10\x0E\0\x06MQIsdp\x03\x02\0\x3C\0\0", CLIENT_ID, "3.1.1 MQTT-3.1.3-7"),
    (V311, b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01\0", MALFORMED, "MQTT-1.5.4-2"),
    (V311, b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01\xFF", MALFORMED, "MQTT-1.5.4-1"),
    // User name and password.
    (V311, b"\x10\x0C\0\x04MQTT\x04\x82\0\x3C\0\0", MALFORMED, OVERRUN),
    (V311, b"\x10\x0F\0\x04MQTT\x04\xC2\0\x3C\0\0\0\x01u", MALFORMED, OVERRUN),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x82\0\x3C\0\0\0", MALFORMED, OVERRUN),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x42\0\x3C\0\0\0", MALFORMED, OVERRUN),
    (V31, b"\x10\x11\0\x06MQIsdp\x03\x82\0\x3C\0\x01c\0\x01", MALFORMED, OVERRUN),
    (V311, b"\x10\x0F\0\x04MQTT\x04\x82\0\x3C\0\0\0\x01\0", MALFORMED, "MQTT-1.5.4-2"),
    (V5, b"\x10\x10\0\x04MQTT\x05\x82\0\x3C\0\0\0\0\x01\x80", MALFORMED, "MQTT-1.5.4-1"),
    // A field without its flag.
    (V311, b"\x10\x0F\0\x04MQTT\x04\x02\0\x3C\0\0\0\x01u", MALFORMED, TRAILING),
    (V5, b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\0x", MALFORMED, TRAILING),
    (V311, b"\x10\x12\0\x04MQTT\x04\x82\0\x3C\0\0\0\x01u\0\x01p", MALFORMED, TRAILING),
    // Authentication data that belongs to no method.
    (
        V5,
        b"\x10\x11\0\x04MQTT\x05\x02\0\x3C\x04\x16\0\x01x\0\0",
        PROTOCOL,
        "with authentication data and no authentication method",
    ),
];

const WILL: &[Row] = &[
    (V311, b"\x10\x0C\0\x04MQTT\x04\x0A\0\x3C\0\0", MALFORMED, "MQTT-3.1.2-11"),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x12\0\x3C\0\0\0", MALFORMED, "MQTT-3.1.2-11"),
    (V311, b"\x10\x0C\0\x04MQTT\x04\x1A\0\x3C\0\0", MALFORMED, "MQTT-3.1.2-11"),
    (V311, b"\x10\x0C\0\x04MQTT\x04\x22\0\x3C\0\0", MALFORMED, "MQTT-3.1.2-13"),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x22\0\x3C\0\0\0", MALFORMED, "MQTT-3.1.2-13"),
    (V311, b"\x10\x11\0\x04MQTT\x04\x1E\0\x3C\0\0\0\x01t\0\0", MALFORMED, "MQTT-3.1.2-12"),
    (V5, b"\x10\x13\0\x04MQTT\x05\x1E\0\x3C\0\0\0\0\0\x01t\0\0", MALFORMED, "MQTT-3.1.2-12"),
    // The will that the flag promises is not there, or not all of it.
    (V311, b"\x10\x0C\0\x04MQTT\x04\x06\0\x3C\0\0", MALFORMED, OVERRUN),
    (V31, b"\x10\x0F\0\x06MQIsdp\x03\x06\0\x3C\0\x01c", MALFORMED, OVERRUN),
    (V311, b"\x10\x0F\0\x04MQTT\x04\x06\0\x3C\0\0\0\x01t", MALFORMED, OVERRUN),
    (V5, b"\x10\x0D\0\x04MQTT\x05\x06\0\x3C\0\0\0", MALFORMED, CUT_LENGTH),
    // Its topic.
    (V311, b"\x10\x10\0\x04MQTT\x04\x06\0\x3C\0\0\0\0\0\0", MALFORMED, "MQTT-4.7.3-1"),
    (V311, b"\x10\x11\0\x04MQTT\x04\x06\0\x3C\0\0\0\x01#\0\0", MALFORMED, "MQTT-4.7.0-1"),
    (V5, b"\x10\x13\0\x04MQTT\x05\x06\0\x3C\0\0\0\0\0\x01+\0\0", MALFORMED, "MQTT-4.7.0-1"),
    (V311, b"\x10\x11\0\x04MQTT\x04\x06\0\x3C\0\0\0\x01\xC0\0\0", MALFORMED, "MQTT-1.5.4-1"),
    (V311, b"\x10\x11\0\x04MQTT\x04\x06\0\x3C\0\0\0\x01\0\0\0", MALFORMED, "MQTT-4.7.3-2"),
    // Properties of the CONNECT in the will, and the other way round.
    (
        V5,
        b"\x10\x18\0\x04MQTT\x05\x06\0\x3C\0\0\0\x05\x11\0\0\0\0\0\x01t\0\0",
        MALFORMED,
        "Session Expiry Interval, which has no place",
    ),
    (
        V5,
        b"\x10\x12\0\x04MQTT\x05\x02\0\x3C\x05\x18\0\0\0\0\0\0",
        MALFORMED,
        "Will Delay Interval, which has no place",
    ),
    (
        V5,
        b"\x10\x16\0\x04MQTT\x05\x06\0\x3C\0\0\0\x03\x23\0\x01\0\x01t\0\0",
        MALFORMED,
        "Topic Alias, which has no place",
    ),
];

const CONNACK: &[Row] = &[
    (V311, b"\x20\0", MALFORMED, "that ends before its acknowledge flags"),
    (V311, b"\x20\x01\0", MALFORMED, "that ends before its return code"),
    (V5, b"\x20\x02\0\0", MALFORMED, CUT_LENGTH),
    (V5, b"\x20\x02\x01\x01", MALFORMED, CUT_LENGTH),
    (V311, b"\x20\x03\0\0\0", MALFORMED, TRAILING),
    (V5, b"\x20\x04\0\0\0\0", MALFORMED, TRAILING),
    (V311, b"\x20\x02\x02\0", MALFORMED, "MQTT-3.2.2-1"),
    (V5, b"\x20\x03\x80\0\0", MALFORMED, "MQTT-3.2.2-1"),
    (V5, b"\x20\x03\x03\0\0", MALFORMED, "MQTT-3.2.2-1"),
    (V311, b"\x20\x02\x01\x05", PROTOCOL, "MQTT-3.2.2-6"),
    (V5, b"\x20\x03\x01\x87\0", PROTOCOL, "MQTT-3.2.2-6"),
    (V31, b"\x20\x02\0\x06", MALFORMED, "MQTT-3.2.2-8"),
    (V311, b"\x20\x02\0\x06", MALFORMED, "MQTT-3.2.2-8"),
    (V311, b"\x20\x02\0\x87", MALFORMED, "MQTT-3.2.2-8"),
    (V5, b"\x20\x03\0\x05\0", MALFORMED, "MQTT-3.2.2-8"),
    (V5, b"\x20\x03\0\xFF\0", MALFORMED, "MQTT-3.2.2-8"),
    (V5, b"\x20\x03\0\x01\0", PROTOCOL, "MQTT-3.2.2-8"),
    (V5, b"\x20\x03\0\x8E\0", PROTOCOL, "MQTT-3.2.2-8"),
];

const PUBLISH: &[Row] = &[
    (V311, b"\x30\0", MALFORMED, CUT_TOPIC),
    (V311, b"\x30\x01\0", MALFORMED, CUT_TOPIC),
    (V311, b"\x30\x02\0\x01", MALFORMED, CUT_TOPIC),
    (V311, b"\x30\x04\0\x03a/", MALFORMED, CUT_TOPIC),
    (V5, b"\x30\x03\0\x01t", MALFORMED, CUT_LENGTH),
    (V5, b"\x30\x04\0\x01t\x01", MALFORMED, LONG_PROPERTIES),
    (V5, b"\x30\x05\0\x01t\x80\x80", MALFORMED, CUT_LENGTH),
    (V311, b"\x32\x03\0\x01t", MALFORMED, CUT_ID),
    (V311, b"\x34\x04\0\x01t\0", MALFORMED, CUT_ID),
    (V5, b"\x32\x05\0\x01t\0\x01", MALFORMED, CUT_LENGTH),
    (V31, b"\x32\x05\0\x01t\0\0", PROTOCOL, "MQTT-2.2.1-4"),
    (V311, b"\x34\x06\0\x01t\0\0x", PROTOCOL, "MQTT-2.2.1-4"),
    (V5, b"\x32\x06\0\x01t\0\0\0", PROTOCOL, "MQTT-2.2.1-4"),
    // The topic.
    (V31, b"\x30\x03\0\0x", MALFORMED, "MQTT-4.7.3-1"),
    (V311, b"\x30\x02\0\0", MALFORMED, "MQTT-4.7.3-1"),
    (V5, b"\x30\x03\0\0\0", PROTOCOL, "with neither topic nor topic alias"),
    (V5, b"\x30\x05\0\0\x02\x01\x01", PROTOCOL, "with neither topic nor topic alias"),
    (V311, b"\x30\x03\0\x01#", MALFORMED, "MQTT-4.7.0-1"),
    (V311, b"\x30\x05\0\x03a/+", MALFORMED, "MQTT-4.7.0-1"),
    (V5, b"\x30\x06\0\x03a+b\0", MALFORMED, "MQTT-4.7.0-1"),
    (V311, b"\x30\x03\0\x01\0", MALFORMED, "MQTT-4.7.3-2"),
    (V5, b"\x30\x06\0\x03a\0b\0", MALFORMED, "MQTT-4.7.3-2"),
    (V311, b"\x30\x03\0\x01\x80", MALFORMED, "MQTT-1.5.4-1"),
    (V31, b"\x30\x04\0\x02\xC0\x80", MALFORMED, "MQTT-1.5.4-1"),
    (V311, b"\x30\x05\0\x03\xED\xA0\x80", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x30\x06\0\x03\xED\xBF\xBF\0", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x30\x07\0\x04\xF4\x90\x80\x80\0", MALFORMED, "MQTT-1.5.4-1"),
    (V311, b"\x30\x04\0\x02\xE2\x82", MALFORMED, "MQTT-1.5.4-1"),
];

const ACKS: &[Row] = &[
    (V311, b"\x40\0", MALFORMED, CUT_ID),
    (V311, b"\x50\x01\0", MALFORMED, CUT_ID),
    (V31, b"\x40\x02\0\0", PROTOCOL, "MQTT-2.2.1-5"),
    (V311, b"\x50\x02\0\0", PROTOCOL, "MQTT-2.2.1-5"),
    (V5, b"\x62\x02\0\0", PROTOCOL, "MQTT-2.2.1-5"),
    (V5, b"\x70\x03\0\0\0", PROTOCOL, "MQTT-2.2.1-5"),
    (V31, b"\x40\x03\0\x01\0", MALFORMED, TRAILING),
    (V311, b"\x62\x03\0\x01\0", MALFORMED, TRAILING),
    (V311, b"\x70\x04\0\x01\0\0", MALFORMED, TRAILING),
    (V5, b"\x40\x05\0\x01\0\0\0", MALFORMED, TRAILING),
    (V5, b"\x40\x04\0\x01\0\x01", MALFORMED, LONG_PROPERTIES),
    (V5, b"\x40\x03\0\x01\x03", MALFORMED, NO_REASON),
    (V5, b"\x50\x03\0\x01\xFF", MALFORMED, NO_REASON),
    (V5, b"\x40\x03\0\x01\x92", PROTOCOL, "MQTT-3.4.2-1"),
    (V5, b"\x40\x03\0\x01\x01", PROTOCOL, "MQTT-3.4.2-1"),
    (V5, b"\x50\x03\0\x01\x92", PROTOCOL, "MQTT-3.5.2-1"),
    (V5, b"\x62\x03\0\x01\x10", PROTOCOL, "MQTT-3.6.2-1"),
    (V5, b"\x62\x03\0\x01\x80", PROTOCOL, "MQTT-3.6.2-1"),
    (V5, b"\x70\x03\0\x01\x91", PROTOCOL, "MQTT-3.7.2-1"),
    (V5, b"\x40\x07\0\x01\0\x03\x23\0\x01", MALFORMED, "Topic Alias, which has no place"),
];

const SUBSCRIBE: &[Row] = &[
    (V311, b"\x82\x01\0", MALFORMED, CUT_ID),
    (V311, b"\x82\x02\0\x01", PROTOCOL, "MQTT-3.8.3-2"),
    (V31, b"\x82\x02\0\x01", PROTOCOL, "MQTT-3.8.3-2"),
    (V5, b"\x82\x03\0\x01\0", PROTOCOL, "MQTT-3.8.3-2"),
    (V5, b"\x82\x02\0\x01", MALFORMED, CUT_LENGTH),
    (V311, b"\x82\x06\0\0\0\x01a\0", PROTOCOL, "MQTT-2.2.1-3"),
    (V311, b"\x82\x05\0\x01\0\x01a", MALFORMED, OVERRUN),
    (V311, b"\x82\x07\0\x01\0\x01a\0\0", MALFORMED, OVERRUN),
    (V5, b"\x82\x06\0\x01\0\0\x01a", MALFORMED, OVERRUN),
    // Options.
    (V31, b"\x82\x06\0\x01\0\x01a\x03", PROTOCOL, "with QoS 3"),
    (V311, b"\x82\x06\0\x01\0\x01a\x03", PROTOCOL, "with QoS 3"),
    (V311, b"\x82\x06\0\x01\0\x01a\x04", MALFORMED, "MQTT-3.8.3-5"),
    (V31, b"\x82\x06\0\x01\0\x01a\x80", MALFORMED, "MQTT-3.8.3-5"),
    (V311, b"\x82\x06\0\x01\0\x01a\x10", MALFORMED, "MQTT-3.8.3-5"),
    (V5, b"\x82\x07\0\x01\0\0\x01a\x03", PROTOCOL, "with QoS 3"),
    (V5, b"\x82\x07\0\x01\0\0\x01a\x30", PROTOCOL, "with retain handling 3"),
    (V5, b"\x82\x07\0\x01\0\0\x01a\x40", MALFORMED, "MQTT-3.8.3-5"),
    (V5, b"\x82\x07\0\x01\0\0\x01a\x80", MALFORMED, "MQTT-3.8.3-5"),
    (V5, b"\x82\x10\0\x01\0\0\x0A$share/g/a\x04", PROTOCOL, "MQTT-3.8.3-4"),
    // The second filter is as good as the first.
    (V311, b"\x82\x0A\0\x01\0\x01a\0\0\x01b\x07", MALFORMED, "MQTT-3.8.3-5"),
    // Filters.
    (V311, b"\x82\x05\0\x01\0\0\0", MALFORMED, "MQTT-4.7.3-1"),
    (V311, b"\x82\x07\0\x01\0\x02a#\0", MALFORMED, "MQTT-4.7.1-1"),
    (V311, b"\x82\x07\0\x01\0\x02##\0", MALFORMED, "MQTT-4.7.1-1"),
    (V5, b"\x82\x0A\0\x01\0\0\x04#/a/\0", MALFORMED, "MQTT-4.7.1-1"),
    (V311, b"\x82\x07\0\x01\0\x02#/\0", MALFORMED, "MQTT-4.7.1-1"),
    (V311, b"\x82\x07\0\x01\0\x02a+\0", MALFORMED, "MQTT-4.7.1-2"),
    (V311, b"\x82\x07\0\x01\0\x02++\0", MALFORMED, "MQTT-4.7.1-2"),
    (V5, b"\x82\x0A\0\x01\0\0\x04a/+b\0", MALFORMED, "MQTT-4.7.1-2"),
    (V311, b"\x82\x07\0\x01\0\x02a\0\0", MALFORMED, "MQTT-4.7.3-2"),
    (V311, b"\x82\x06\0\x01\0\x01\xFE\0", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x82\x0D\0\x01\0\0\x07$share/\0", MALFORMED, "MQTT-4.8.2-1"),
    (V5, b"\x82\x0F\0\x01\0\0\x09$share//a\0", MALFORMED, "MQTT-4.8.2-1"),
    (V5, b"\x82\x0E\0\x01\0\0\x08$share/g\0", MALFORMED, "MQTT-4.8.2-2"),
    (V5, b"\x82\x0F\0\x01\0\0\x09$share/g/\0", MALFORMED, "MQTT-4.8.2-2"),
    (V5, b"\x82\x10\0\x01\0\0\x0A$share/+/a\0", MALFORMED, "MQTT-4.8.2-2"),
    (V311, b"\x82\x10\0\x01\0\x0B$share/g#/a\0", MALFORMED, "MQTT-4.8.2-2"),
    (V5, b"\x82\x11\0\x01\0\0\x0B$share/g/a#\0", MALFORMED, "MQTT-4.7.1-1"),
    // Its subscription identifier.
    (V5, b"\x82\x09\0\x01\x02\x0B\0\0\x01a\0", PROTOCOL, "Subscription Identifier is 0"),
    (V5, b"\x82\x0B\0\x01\x04\x0B\x01\x0B\x02\0\x01a\0", PROTOCOL, "Subscription Identifier twice"),
];

const SUBACK: &[Row] = &[
    (V311, b"\x90\x01\0", MALFORMED, CUT_ID),
    (V311, b"\x90\x02\0\x01", PROTOCOL, "MQTT-3.8.4-6"),
    (V5, b"\x90\x03\0\x01\0", PROTOCOL, "MQTT-3.8.4-6"),
    (V311, b"\x90\x03\0\0\0", PROTOCOL, "MQTT-2.2.1-6"),
    (V31, b"\x90\x03\0\x01\x80", MALFORMED, "MQTT-3.9.3-2"),
    (V31, b"\x90\x03\0\x01\x03", MALFORMED, "MQTT-3.9.3-2"),
    (V311, b"\x90\x03\0\x01\x03", MALFORMED, "MQTT-3.9.3-2"),
    (V311, b"\x90\x03\0\x01\x87", MALFORMED, "MQTT-3.9.3-2"),
    (V311, b"\x90\x04\0\x01\0\x81", MALFORMED, "MQTT-3.9.3-2"),
    (V5, b"\x90\x04\0\x01\0\x03", MALFORMED, "MQTT-3.9.3-2"),
    (V5, b"\x90\x04\0\x01\0\x11", MALFORMED, "MQTT-3.9.3-2"),
    (V5, b"\x90\x04\0\x01\0\xFF", MALFORMED, "MQTT-3.9.3-2"),
];

const UNSUBSCRIBE: &[Row] = &[
    (V311, b"\xA2\x02\0\x01", PROTOCOL, "MQTT-3.10.3-2"),
    (V5, b"\xA2\x03\0\x01\0", PROTOCOL, "MQTT-3.10.3-2"),
    (V311, b"\xA2\x05\0\0\0\x01a", PROTOCOL, "MQTT-2.2.1-3"),
    (V311, b"\xA2\x05\0\x01\0\x02a", MALFORMED, OVERRUN),
    (V311, b"\xA2\x06\0\x01\0\x01a\0", MALFORMED, OVERRUN),
    (V311, b"\xA2\x04\0\x01\0\0", MALFORMED, "MQTT-4.7.3-1"),
    (V31, b"\xA2\x06\0\x01\0\x02a#", MALFORMED, "MQTT-4.7.1-1"),
    (V5, b"\xA2\x07\0\x01\0\0\x02+a", MALFORMED, "MQTT-4.7.1-2"),
    (V311, b"\xA2\x05\0\x01\0\x01\0", MALFORMED, "MQTT-4.7.3-2"),
    (
        V5,
        b"\xA2\x08\0\x01\x02\x0B\x01\0\x01a",
        MALFORMED,
        "Subscription Identifier, which has no place",
    ),
    // UNSUBACK.
    (V311, b"\xB0\x01\0", MALFORMED, CUT_ID),
    (V311, b"\xB0\x02\0\0", PROTOCOL, "MQTT-2.2.1-6"),
    (V311, b"\xB0\x03\0\x01\0", MALFORMED, TRAILING),
    (V5, b"\xB0\x02\0\x01", MALFORMED, CUT_LENGTH),
    (V5, b"\xB0\x03\0\x01\0", PROTOCOL, "MQTT-3.11.3-1"),
    (V5, b"\xB0\x04\0\x01\0\x01", MALFORMED, "MQTT-3.11.3-2"),
    (V5, b"\xB0\x05\0\x01\0\0\x97", MALFORMED, "MQTT-3.11.3-2"),
];

const PING: &[Row] = &[
    (V31, b"\xC0\x01x", MALFORMED, TRAILING),
    (V5, b"\xC0\x01\0", MALFORMED, TRAILING),
    (V311, b"\xD0\x02\0\0", MALFORMED, TRAILING),
];

const DISCONNECT: &[Row] = &[
    (V31, b"\xE0\x01\0", MALFORMED, TRAILING),
    (V311, b"\xE0\x02\0\0", MALFORMED, TRAILING),
    (V5, b"\xE0\x01\x05", MALFORMED, NO_REASON),
    (V5, b"\xE0\x01\x01", PROTOCOL, "MQTT-3.14.2-1"),
    (V5, b"\xE0\x01\x84", PROTOCOL, "MQTT-3.14.2-1"),
    (V5, b"\xE0\x01\x92", PROTOCOL, "MQTT-3.14.2-1"),
    (V5, b"\xE0\x02\0\x01", MALFORMED, LONG_PROPERTIES),
    (V5, b"\xE0\x03\0\0\0", MALFORMED, TRAILING),
    (V5, b"\xE0\x05\0\x03\x21\0\x01", MALFORMED, "Receive Maximum, which has no place"),
];

const AUTH: &[Row] = &[
    (V5, b"\xF0\x01\x18", MALFORMED, CUT_LENGTH),
    (V5, b"\xF0\x02\x18\0", PROTOCOL, "MQTT-4.12.0-5"),
    (V5, b"\xF0\x02\0\0", PROTOCOL, "MQTT-4.12.0-5"),
    (V5, b"\xF0\x06\x18\x04\x16\0\x01x", PROTOCOL, "MQTT-4.12.0-5"),
    (V5, b"\xF0\x06\x80\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1"),
    (V5, b"\xF0\x06\x1A\x04\x15\0\x01m", MALFORMED, NO_REASON),
    (V5, b"\xF0\x07\x18\x04\x15\0\x01mx", MALFORMED, TRAILING),
    (V5, b"\xF0\x0A\x18\x08\x15\0\x01m\x15\0\x01m", PROTOCOL, "Authentication Method twice"),
];

const PROPERTIES: &[Row] = &[
    // Identifiers that do not exist.
    (V5, b"\x30\x06\0\x01t\x02\0\0", MALFORMED, NO_PROPERTY),
    (V5, b"\x30\x06\0\x01t\x02\x04\0", MALFORMED, NO_PROPERTY),
    (V5, b"\x30\x06\0\x01t\x02\x2B\0", MALFORMED, NO_PROPERTY),
    (V5, b"\x30\x07\0\x01t\x03\xFF\x01\0", MALFORMED, NO_PROPERTY),
    (V5, b"\x30\x07\0\x01t\x03\x81\0\x01", MALFORMED, "MQTT-1.5.5-1"),
    // Values that are cut off.
    (V5, b"\x30\x05\0\x01t\x01\x01", MALFORMED, "the end of its Payload Format Indicator"),
    (V5, b"\x30\x08\0\x01t\x04\x02\0\0\0", MALFORMED, "the end of its Message Expiry Interval"),
    (V5, b"\x30\x06\0\x01t\x02\x23\0", MALFORMED, "the end of its Topic Alias"),
    (V5, b"\x30\x08\0\x01t\x04\x03\0\x02x", MALFORMED, "the end of its Content Type"),
    (V5, b"\x30\x08\0\x01t\x04\x09\0\x05x", MALFORMED, "the end of its Correlation Data"),
    (V5, b"\x30\x08\0\x01t\x04\x26\0\x01k", MALFORMED, "the end of its User Property"),
    (V5, b"\x30\x06\0\x01t\x02\x0B\x80", MALFORMED, "the end of its Subscription Identifier"),
    (
        V5,
        b"\x30\x09\0\x01t\x05\x0B\x80\x80\x80\x80",
        MALFORMED,
        "Subscription Identifier takes more than four bytes",
    ),
    // A property length that overruns, is padded or too long.
    (V5, b"\x30\x06\0\x01t\x05\x01\x01", MALFORMED, LONG_PROPERTIES),
    (V5, b"\x30\x07\0\x01t\x82\0\x01\x01", MALFORMED, "MQTT-1.5.5-1"),
    (
        V5,
        b"\x30\x08\0\x01t\x80\x80\x80\x80\x01",
        MALFORMED,
        "with a property length of more than four bytes",
    ),
    // Twice.
    (V5, b"\x30\x08\0\x01t\x04\x01\0\x01\0", PROTOCOL, "Payload Format Indicator twice"),
    (
        V5,
        b"\x30\x0E\0\x01t\x0A\x02\0\0\0\x01\x02\0\0\0\x01",
        PROTOCOL,
        "Message Expiry Interval twice",
    ),
    (V5, b"\x30\x0A\0\x01t\x06\x23\0\x01\x23\0\x01", PROTOCOL, "Topic Alias twice"),
    (V5, b"\x30\x0A\0\x01t\x06\x03\0\0\x03\0\0", PROTOCOL, "Content Type twice"),
    (V5, b"\x30\x0A\0\x01t\x06\x09\0\0\x09\0\0", PROTOCOL, "Correlation Data twice"),
    (V5, b"\x20\x09\0\0\x06\x21\0\x01\x21\0\x01", PROTOCOL, "Receive Maximum twice"),
    (V5, b"\xE0\x0A\0\x08\x1F\0\x01a\x1F\0\x01b", PROTOCOL, "Reason String twice"),
    // Values that may not be.
    (V5, b"\x30\x06\0\x01t\x02\x01\x02", PROTOCOL, "Payload Format Indicator is neither 0 nor 1"),
    (V5, b"\x30\x07\0\x01t\x03\x23\0\0", ALIAS, "MQTT-3.3.2-8"),
    (V5, b"\x30\x06\0\x01t\x02\x0B\0", PROTOCOL, "Subscription Identifier is 0"),
    (V5, b"\x30\x07\0\x01t\x03\x08\0\0", MALFORMED, "MQTT-4.7.3-1"),
    (V5, b"\x30\x08\0\x01t\x04\x08\0\x01#", MALFORMED, "MQTT-3.3.2-14"),
    (V5, b"\x30\x0A\0\x01t\x06\x08\0\x03a/+", MALFORMED, "MQTT-3.3.2-14"),
    (
        V5,
        b"\x10\x0F\0\x04MQTT\x05\x02\0\0\x02\x17\x02\0\0",
        PROTOCOL,
        "Request Problem Information is neither 0 nor 1",
    ),
    (
        V5,
        b"\x10\x0F\0\x04MQTT\x05\x02\0\0\x02\x19\xFF\0\0",
        PROTOCOL,
        "Request Response Information is neither 0 nor 1",
    ),
    (V5, b"\x10\x10\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\0", PROTOCOL, "Receive Maximum is 0"),
    (
        V5,
        b"\x10\x12\0\x04MQTT\x05\x02\0\0\x05\x27\0\0\0\0\0\0",
        PROTOCOL,
        "Maximum Packet Size is 0",
    ),
    (V5, b"\x20\x05\0\0\x02\x24\x02", PROTOCOL, "Maximum QoS is neither 0 nor 1"),
    (V5, b"\x20\x05\0\0\x02\x25\x02", PROTOCOL, "Retain Available is neither 0 nor 1"),
    (
        V5,
        b"\x20\x05\0\0\x02\x28\x02",
        PROTOCOL,
        "Wildcard Subscription Available is neither 0 nor 1",
    ),
    (
        V5,
        b"\x20\x05\0\0\x02\x29\x02",
        PROTOCOL,
        "Subscription Identifiers Available is neither 0 nor 1",
    ),
    (V5, b"\x20\x05\0\0\x02\x2A\x02", PROTOCOL, "Shared Subscription Available is neither 0 nor 1"),
    (V5, b"\x20\x06\0\0\x03\x21\0\0", PROTOCOL, "Receive Maximum is 0"),
    (V5, b"\x20\x08\0\0\x05\x27\0\0\0\0", PROTOCOL, "Maximum Packet Size is 0"),
];

const TEXTS: &[Row] = &[
    (V5, b"\x40\x08\0\x01\0\x04\x1F\0\x01\0", MALFORMED, "MQTT-1.5.4-2"),
    (V5, b"\x40\x08\0\x01\0\x04\x1F\0\x01\xFF", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x40\x0B\0\x01\0\x07\x26\0\x01\0\0\x01v", MALFORMED, "MQTT-1.5.4-2"),
    (V5, b"\x40\x0B\0\x01\0\x07\x26\0\x01k\0\x01\0", MALFORMED, "MQTT-1.5.4-2"),
    (V5, b"\x40\x0B\0\x01\0\x07\x26\0\x01k\0\x01\xC3", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x30\x0A\0\x01t\x06\x03\0\x03\xED\xA0\x80", MALFORMED, "MQTT-1.5.4-1"),
    (V5, b"\x20\x07\0\0\x04\x12\0\x01\0", MALFORMED, "MQTT-1.5.4-2"),
];
