//! PINGREQ, PINGRESP, DISCONNECT and AUTH.

use mqttsession::protocol::{
    Auth, Disconnect, Packet, Properties,
    Property::{self, *},
    ReasonCode, Version, encode_pingreq, encode_pingresp,
};

use super::{golden, reads};
use crate::{ALL, V5, block};

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

/// PUBLISH writes its length first, every other packet last, when it may have to make room.
#[test]
fn remaining_length_of_a_packet_that_is_written_before_its_length() {
    let long = "x".repeat(123);
    let bytes = [b"\xE0\x80\x01\x81\x7E\x1F\0\x7B".as_slice(), long.as_bytes()].concat();
    disconnect(&bytes, ReasonCode::MalformedPacket, &[ReasonString(&long)]);
    let short = &long[..122];
    let bytes = [b"\xE0\x7F\x81\x7D\x1F\0\x7A".as_slice(), short.as_bytes()].concat();
    disconnect(&bytes, ReasonCode::MalformedPacket, &[ReasonString(short)]);
}
