//! The table of reason codes, against the columns of the specification's tables.

use mqttsession::protocol::{PacketType, ReasonCode};

/// The tables of sections 3.2.2.2 to 3.15.2.1.
const ALLOWED: &[(PacketType, &[u8])] = &[
    (PacketType::Connect, &[]),
    (
        PacketType::Connack,
        &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    ),
    (PacketType::Publish, &[]),
    (PacketType::Puback, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::Pubrec, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (PacketType::Pubrel, &[0x00, 0x92]),
    (PacketType::Pubcomp, &[0x00, 0x92]),
    (PacketType::Subscribe, &[]),
    (PacketType::Suback, &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
    (PacketType::Unsubscribe, &[]),
    (PacketType::Unsuback, &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
    (PacketType::Pingreq, &[]),
    (PacketType::Pingresp, &[]),
    (
        PacketType::Disconnect,
        &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0,
            0xA1, 0xA2,
        ],
    ),
    (PacketType::Auth, &[0x00, 0x18, 0x19]),
];

#[test]
fn each_packet_has_its_reason_codes() {
    for &(packet, expected) in ALLOWED {
        let allowed: Vec<u8> = (0..=255)
            .filter_map(ReasonCode::from_u8)
            .filter(|reason| reason.allowed_in(packet))
            .map(ReasonCode::as_u8)
            .collect();
        assert_eq!(allowed, expected, "{packet:?}");
    }
}

#[test]
fn numbers_and_names_are_permanent() {
    assert_eq!(ReasonCode::ALL.len(), 43);
    for &reason in ReasonCode::ALL {
        assert_eq!(ReasonCode::from_u8(reason.as_u8()), Some(reason));
        assert_eq!(reason.is_error(), reason.as_u8() >= 0x80);
    }
    assert_eq!(ReasonCode::from_u8(0x03), None);
    assert_eq!(ReasonCode::from_u8(0xA3), None);
    assert_eq!(ReasonCode::QuotaExceeded.name(), "Quota exceeded");
    assert_eq!(ReasonCode::QuotaExceeded.as_u8(), 0x97);
}
