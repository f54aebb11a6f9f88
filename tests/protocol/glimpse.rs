//! What is told of a PUBLISH that has not come whole, or breaks the rules.

use std::hash::{DefaultHasher, Hasher};

use mqttsession::protocol::{Frame, Glimpse, QoS, Version};
use proptest::prelude::*;

fn glimpse(bytes: &[u8], version: Version) -> Glimpse<'_> {
    Glimpse::new(Frame { first: bytes[0], body: &bytes[1..] }, version)
}

fn hash(bytes: &[u8], version: Version) -> u64 {
    let mut hasher = DefaultHasher::new();
    glimpse(bytes, version).hash_into(&mut hasher);
    hasher.finish()
}

#[test]
fn what_is_there_is_told() {
    let seen = glimpse(b"\x3b\x00\x02a+\x00\x09x", Version::V311);
    assert_eq!((seen.qos, seen.duplicate), (QoS::AtLeastOnce, true));
    assert_eq!((seen.topic, seen.packet_id.map(u16::from)), (Some(&b"a+"[..]), Some(9)));
    assert_eq!(seen.topic_alias, None);
    // Behind a content type that is whole, and before one that is cut off.
    let seen = glimpse(b"\x30\x00\x01a\x0a\x03\x00\x01t\x23\x00\x05\x03\x00\x09", Version::V5);
    assert_eq!((seen.packet_id, seen.topic_alias), (None, Some(5)));
}

#[test]
fn what_has_not_come_or_cannot_be_is_absent() {
    for bytes in [&b"\x32"[..], b"\x32\x00", b"\x32\x00\x05a", b"\x32\xff\xff"] {
        let seen = glimpse(bytes, Version::V5);
        assert_eq!((seen.topic, seen.packet_id), (None, None), "{bytes:02x?}");
    }
    for bytes in [&b"\x32\x00\x01a"[..], b"\x32\x00\x01a\x00", b"\x32\x00\x01a\x00\x00"] {
        let seen = glimpse(bytes, Version::V5);
        assert_eq!((seen.topic, seen.packet_id), (Some(&b"a"[..]), None), "{bytes:02x?}");
    }
    // QoS 3 has no meaning, so nothing behind the topic has one.
    assert_eq!(glimpse(b"\x36\x00\x01a\x00\x07", Version::V311).packet_id, None);
}

#[test]
fn it_needs_what_stands_before_the_payload() {
    let body = b"\x00\x01a\x00\x07\x04\x03\x00\x01tpayload";
    let expected = [(0, 2), (1, 2), (2, 6), (5, 6), (6, 10), (10, 10), (17, 10)];
    for (have, needs) in expected {
        assert_eq!(Glimpse::needs(0x32, &body[..have], Version::V5), needs, "with {have} bytes");
    }
    assert_eq!(Glimpse::needs(0x32, body, Version::V311), 5);
    assert_eq!(Glimpse::needs(0x30, body, Version::V311), 3);
    // Of a property block of 256 MiB no more than 64 KiB.
    assert_eq!(Glimpse::needs(0x30, b"\x00\x00\xff\xff\xff\x7f", Version::V5), 6 + (64 << 10));
    // A property length that cannot be is waited for no longer.
    assert_eq!(Glimpse::needs(0x30, b"\x00\x00\xff\xff\xff\xff", Version::V5), 2);
}

#[test]
fn a_message_that_is_sent_again_has_the_same_hash() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let first = hash(b"\x32\x00\x01a\x00\x07\x00x", version);
        assert_eq!(first, hash(b"\x3a\x00\x01a\x01\x08\x00x", version), "DUP, another packet id");
        for other in [
            &b"\x34\x00\x01a\x00\x07\x00x"[..],
            b"\x33\x00\x01a\x00\x07\x00x",
            b"\x32\x00\x01b\x00\x07\x00x",
            b"\x32\x00\x01a\x00\x07\x00y",
            b"\x32\x00\x01a\x00\x07\x00xx",
        ] {
            assert_ne!(first, hash(other, version), "{other:02x?}");
        }
    }
    // The message expiry interval counts down, between other properties; a later one is cut off.
    let expiring = |left| {
        [&b"\x30\x00\x01a\x0b\x01\x01\x02\x00\x00\x00"[..], &[left], b"\x01\x01\x03\x00\x09"]
            .concat()
    };
    assert_eq!(hash(&expiring(9), Version::V5), hash(&expiring(8), Version::V5));
    assert_ne!(hash(&expiring(9), Version::V311), hash(&expiring(8), Version::V311));
}

proptest! {
    #[test]
    fn anything_can_be_looked_at(first in 0x30..=0x3F_u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        for version in [Version::V31, Version::V311, Version::V5] {
            let mut hasher = DefaultHasher::new();
            Glimpse::new(Frame { first, body: &body }, version).hash_into(&mut hasher);
            // Whoever waits for what it needs comes to an end.
            let mut have = 0;
            for _ in 0..10 {
                let needs = Glimpse::needs(first, &body[..have], version);
                prop_assert!(needs > have || needs <= body.len());
                have = have.max(needs.min(body.len()));
            }
            prop_assert!(Glimpse::needs(first, &body[..have], version).min(body.len()) <= have);
        }
    }
}
