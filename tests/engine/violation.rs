//! What the broker must not send: the error that it makes, and what the broker is told.

use mqttsession::{
    error::Code,
    protocol::{Packet, ReasonCode, Version},
};

use crate::{
    packets::{because, puback, pubcomp, pubrec, suback, unsuback},
    pair::{Pair, VERSIONS},
};

/// The packet, or these bytes, end the connection; under 5.0 with this reason.
fn ends(mut pair: Pair, bytes: &[u8], code: Code, reason: &str) {
    pair.sent();
    let error = pair.fault_of(bytes);
    assert_eq!(error.code(), code, "{bytes:02x?} under {:?}: {error}", pair.version);
    assert!(error.message().starts_with("The broker sent"), "{error}");
    let told = if pair.version.is_v5() { vec![format!("DISCONNECT {reason}")] } else { vec![] };
    assert_eq!(pair.sent(), told);
    assert!(!pair.engine.is_online());
    // What still arrives is not looked at.
    assert!(pair.input(b"\xff\xff\xff").unwrap().is_empty());
    assert_eq!(pair.due(), None);
}

#[test]
fn a_malformed_packet() {
    let malformed: [&[u8]; 7] = [
        b"\x00\x00",
        b"\xd1\x00",
        b"\xd0\x01\x00",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x38\x03\x00\x01a",
        b"\x30\x80\x80\x80\x80\x01",
        b"\x40\x01\x00",
    ];
    for version in VERSIONS {
        for bytes in malformed {
            ends(Pair::online(version), bytes, Code::MalformedPacket, "0x81");
        }
    }
}

#[test]
fn a_topic_that_no_message_can_have() {
    for version in [Version::V31, Version::V311] {
        let illegal: [&[u8]; 3] =
            [b"\x30\x03\x00\x01+", b"\x30\x03\x00\x01\x00", b"\x30\x03\x00\x01\xff"];
        for bytes in illegal {
            ends(Pair::online(version), bytes, Code::MalformedPacket, "");
        }
    }
    ends(Pair::online(Version::V5), b"\x30\x04\x00\x01#\x00", Code::MalformedPacket, "0x81");
    ends(Pair::online(Version::V5), b"\x30\x03\x00\x00\x00", Code::ProtocolError, "0x82");
}

#[test]
fn a_packet_that_only_clients_send() {
    for version in VERSIONS {
        let packets: [&[u8]; 6] = [
            b"\xc0\x00",
            b"\x82\x06\x00\x01\x00\x01a\x00",
            b"\xa2\x05\x00\x01\x00\x01a",
            b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me",
            b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00",
            b"\x10\x0c\x00\x04MQTX\x09\x00\x00\x3c\x00\x00",
        ];
        for bytes in packets {
            ends(Pair::online(version), bytes, Code::ProtocolError, "0x82");
        }
    }
}

#[test]
fn a_packet_that_the_version_does_not_have() {
    for version in [Version::V31, Version::V311] {
        ends(Pair::online(version), b"\xe0\x00", Code::ProtocolError, "");
    }
    // The session did not ask for an authentication method.
    ends(Pair::online(Version::V5), b"\xf0\x00", Code::ProtocolError, "0x82");
}

#[test]
fn a_server_that_tells_when_the_session_expires() {
    // [MQTT-3.14.2-2]
    let bytes = b"\xe0\x07\x00\x05\x11\x00\x00\x00\x01";
    ends(Pair::online(Version::V5), bytes, Code::ProtocolError, "0x82");
}

#[test]
fn a_packet_larger_than_the_session_accepts_before_its_bytes_are_there() {
    for version in VERSIONS {
        let limited =
            || Pair::with(version, |settings| settings.maximum_packet_size = 100).connected();
        ends(limited(), b"\x90\x63", Code::PacketTooLarge, "0x95");
        // Before 5.0 the broker was not told the limit: a message is set aside.
        if version.is_v5() {
            ends(limited(), b"\x30\x63", Code::PacketTooLarge, "0x95");
        }
    }
}

#[test]
fn an_acknowledgement_of_the_wrong_kind() {
    for version in VERSIONS {
        for (qos, wrong) in
            [(1, pubrec(1)), (1, pubcomp(1)), (2, puback(1)), (2, pubcomp(1)), (1, suback(1, &[0]))]
        {
            let mut pair = Pair::online(version);
            pair.publish(qos, "a", "x");
            let bytes = pair.encoded(wrong);
            ends(pair, &bytes, Code::ProtocolError, "0x82");
        }
        for wrong in [puback(1), pubrec(1), pubcomp(1)] {
            let mut pair = Pair::online(version);
            pair.subscribe(&["a:0"]);
            let bytes = pair.encoded(wrong);
            ends(pair, &bytes, Code::ProtocolError, "0x82");
        }
    }
}

#[test]
fn an_answer_that_does_not_fit_the_request() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.subscribe(&["a:0"]);
        let bytes = pair.encoded(suback(1, &[0, 0]));
        ends(pair, &bytes, Code::ProtocolError, "0x82");
        let mut pair = Pair::online(version);
        pair.subscribe(&["a:0"]);
        let codes: &[u8] = if version.is_v5() { &[0] } else { &[] };
        let bytes = pair.encoded(unsuback(1, codes));
        ends(pair, &bytes, Code::ProtocolError, "0x82");
    }
}

#[test]
fn an_acknowledgement_of_an_earlier_connection() {
    let mut pair = Pair::with(Version::V5, |settings| {
        crate::pair::persist(settings);
        settings.in_flight_limit = 1;
    })
    .connected();
    // Two messages of which the window lets the first be sent again.
    pair.publish(1, "a", "1");
    pair.sent();
    pair.reconnect(true);
    pair.receive(puback(1));
    pair.receive(Packet::Puback(because(1, ReasonCode::NoMatchingSubscribers)));
    assert_eq!(pair.ended(), ["1: ok"], "late, and harmless");
}

#[test]
fn an_early_message_is_kept_when_a_later_one_breaks_the_rules() {
    let mut pair = Pair::online(Version::V311);
    let mut inbound = mqttsession::engine::Inbound::default();
    pair.granted("a:0");
    let bytes = b"\x30\x04\x00\x01ax\x00\x00";
    let error = pair.engine.handle_input(bytes, &mut inbound, pair.now).unwrap_err();
    assert_eq!(error.code(), Code::MalformedPacket);
    assert_eq!(inbound.deliveries.len(), 1);
}
