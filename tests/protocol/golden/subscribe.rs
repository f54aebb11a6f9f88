//! SUBSCRIBE, UNSUBSCRIBE and their answers.

use mqttsession::protocol::{
    Packet, Properties,
    Property::{self, *},
    QoS, RetainHandling, Suback, SubscriptionOptions, Unsuback, Version, encode_subscribe,
    encode_unsubscribe,
};

use super::golden;
use crate::{V3, V5, block, decode, id};

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
