//! Properties: where each may stand, how they are found, gathered and hidden.

use mqttsession::protocol::{
    EncodeError, Place, Properties,
    Property::{self, *},
    PropertyBlock, PropertyIdentifier, ReasonCode,
};

use crate::block;

/// Table 2-4, column by column; user properties (0x26) stand everywhere.
const ALLOWED: &[(Place, &[u8])] = &[
    (Place::Will, &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26]),
    (Place::Connect, &[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27]),
    (
        Place::Connack,
        &[
            0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
            0x28, 0x29, 0x2A,
        ],
    ),
    (Place::Publish, &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]),
    (Place::Puback, &[0x1F, 0x26]),
    (Place::Pubrec, &[0x1F, 0x26]),
    (Place::Pubrel, &[0x1F, 0x26]),
    (Place::Pubcomp, &[0x1F, 0x26]),
    (Place::Subscribe, &[0x0B, 0x26]),
    (Place::Suback, &[0x1F, 0x26]),
    (Place::Unsubscribe, &[0x26]),
    (Place::Unsuback, &[0x1F, 0x26]),
    (Place::Disconnect, &[0x11, 0x1C, 0x1F, 0x26]),
    (Place::Auth, &[0x15, 0x16, 0x1F, 0x26]),
];

/// Each property as bytes, by the data types of section 2.2.2.2.
const SAMPLES: &[&[u8]] = &[
    b"\x01\x01",
    b"\x02\0\0\0\x01",
    b"\x03\0\x01x",
    b"\x08\0\x01x",
    b"\x09\0\x01\0",
    b"\x0B\xFF\xFF\xFF\x7F",
    b"\x11\xFF\xFF\xFF\xFF",
    b"\x12\0\x01x",
    b"\x13\0\0",
    b"\x15\0\x01x",
    b"\x16\0\x01\0",
    b"\x17\0",
    b"\x18\0\0\0\0",
    b"\x19\x01",
    b"\x1A\0\x01x",
    b"\x1C\0\0",
    b"\x1F\0\0",
    b"\x21\xFF\xFF",
    b"\x22\0\0",
    b"\x23\0\x01",
    b"\x24\0",
    b"\x25\x01",
    b"\x26\0\0\0\0",
    b"\x27\0\0\0\x01",
    b"\x28\x01",
    b"\x29\x01",
    b"\x2A\x01",
];

#[test]
fn each_place_has_its_properties() {
    for &(place, expected) in ALLOWED {
        let allowed: Vec<u8> = SAMPLES
            .iter()
            .filter(|sample| Properties::parse(sample, place).is_ok())
            .map(|sample| sample[0])
            .collect();
        assert_eq!(allowed, expected, "{place:?}");
    }
    assert_eq!(SAMPLES.len(), PropertyIdentifier::ALL.len());
}

#[test]
fn no_other_identifier_exists() {
    for identifier in (0..=127).filter(|id| SAMPLES.iter().all(|sample| sample[0] != *id)) {
        for &(place, _) in ALLOWED {
            let violation = Properties::parse(&[identifier, 0, 0, 0, 0], place).unwrap_err();
            assert_eq!(violation.reason, ReasonCode::MalformedPacket);
            assert_eq!(violation.packet, Some(place.packet_type()));
        }
    }
}

#[test]
fn only_two_properties_may_stand_twice() {
    for sample in SAMPLES {
        let twice = [*sample, sample].concat();
        let accepting: Vec<Place> = ALLOWED
            .iter()
            .map(|&(place, _)| place)
            .filter(|&place| Properties::parse(&twice, place).is_ok())
            .collect();
        match sample[0] {
            0x0B => assert_eq!(accepting, [Place::Publish]),
            0x26 => assert_eq!(accepting.len(), ALLOWED.len()),
            _ => assert_eq!(accepting, [], "{sample:02x?}"),
        }
    }
}

/// [MQTT-1.5.4-1], [MQTT-1.5.4-2]; of a pair, both [MQTT-1.5.7-1].
#[test]
fn every_text_is_well_formed() {
    let texts = [0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F];
    let wrong = [(b'\0', "MQTT-1.5.4-2"), (b'\xFF', "MQTT-1.5.4-1")];
    for (byte, statement) in wrong {
        let properties = texts.map(|identifier| vec![identifier, 0, 1, byte]);
        let pairs = [vec![0x26, 0, 1, byte, 0, 0], vec![0x26, 0, 0, 0, 1, byte]];
        for property in properties.iter().chain(&pairs) {
            let places = ALLOWED.iter().filter(|(_, allowed)| allowed.contains(&property[0]));
            for &(place, _) in places {
                let violation = Properties::parse(property, place).unwrap_err();
                // A response topic is a topic before it is a text.
                let found = match violation.statement {
                    "MQTT-3.3.2-14" if property[0] == 0x08 => statement,
                    found => found,
                };
                assert_eq!(found, statement, "{place:?} {property:02x?}");
                assert_eq!(violation.reason, ReasonCode::MalformedPacket);
            }
        }
    }
}

#[test]
fn properties_are_found_by_name() {
    let raw = b"\x26\0\x01a\0\x01b\x02\0\0\x01\0\x26\0\x01a\0\x01c\x0B\x07\x0B\x08\x23\0\x09";
    let properties = Properties::parse(raw, Place::Publish).unwrap();
    assert_eq!(properties.message_expiry_interval(), Some(256));
    assert_eq!(properties.topic_alias(), Some(9));
    assert_eq!(properties.subscription_identifier(), Some(7));
    assert!(properties.subscription_identifiers().eq([7, 8]));
    assert!(properties.user_properties().eq([("a", "b"), ("a", "c")]));
    assert_eq!(properties.content_type(), None);
    assert_eq!(properties.as_bytes(), raw);
    assert!(properties.contains(PropertyIdentifier::TopicAlias));
    assert!(!properties.contains(PropertyIdentifier::ReasonString));
    assert_eq!(properties.iter().count(), 6);
    let at = properties.message_expiry_interval_at().unwrap();
    assert_eq!(raw[at..at + 4], 256_u32.to_be_bytes());
    assert_eq!(Properties::EMPTY.message_expiry_interval_at(), None);
    assert_eq!(Properties::EMPTY.topic_alias(), None);
}

#[test]
fn a_block_gathers_and_removes() {
    let mut block = block(&[
        UserProperty("k", "v"),
        SubscriptionIdentifier(1),
        MessageExpiryInterval(5),
        SubscriptionIdentifier(200),
        UserProperty("k", "v"),
    ]);
    block.remove(PropertyIdentifier::SubscriptionIdentifier);
    block.remove(PropertyIdentifier::TopicAlias);
    let left: Vec<Property<'_>> = block.as_properties().into_iter().collect();
    assert_eq!(left, [UserProperty("k", "v"), MessageExpiryInterval(5), UserProperty("k", "v")]);
    // What was removed may come again, once.
    block.push(SubscriptionIdentifier(3)).unwrap();
    assert!(block.as_properties().subscription_identifiers().eq([3]));
    assert_eq!(Properties::parse(block.as_properties().as_bytes(), Place::Publish).unwrap(), {
        block.as_properties()
    });
    let copy = PropertyBlock::from(block.as_properties());
    assert_eq!(copy, block);
    block.remove(PropertyIdentifier::UserProperty);
    block.remove(PropertyIdentifier::MessageExpiryInterval);
    block.remove(PropertyIdentifier::SubscriptionIdentifier);
    assert!(block.is_empty());
    assert_eq!(block, PropertyBlock::new());
}

#[test]
fn a_block_refuses_what_no_packet_may_hold() {
    let mut block = block(&[MessageExpiryInterval(1), UserProperty("k", "v")]);
    let before = block.clone();
    let long = "x".repeat(65_536);
    assert_eq!(block.push(UserProperty("k", &long)), Err(EncodeError::FieldTooLong));
    assert_eq!(block.push(CorrelationData(long.as_bytes())), Err(EncodeError::FieldTooLong));
    for property in [
        MessageExpiryInterval(2),
        SubscriptionIdentifier(0),
        SubscriptionIdentifier(268_435_456),
        TopicAlias(0),
        PayloadFormatIndicator(2),
        ReceiveMaximum(0),
        MaximumPacketSize(0),
        MaximumQos(2),
        ResponseTopic("a/#"),
        ResponseTopic(""),
        ContentType("a\0"),
        UserProperty("k", "\0"),
        UserProperty("\0", "v"),
    ] {
        let refused = block.push(property);
        assert!(matches!(refused, Err(EncodeError::Forbidden(_))), "{property:?}: {refused:?}");
    }
    assert_eq!(block, before);
}

#[test]
fn authentication_data_is_not_shown() {
    let block = block(&[AuthenticationMethod("m"), AuthenticationData(b"secret")]);
    let shown = format!("{block:?} {:?} {:?}", block.as_properties(), block.as_properties().iter());
    assert!(!shown.contains("115, 101"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(format!("{block:?}"), r#"[AuthenticationMethod("m"), AuthenticationData(hidden)]"#);
}
