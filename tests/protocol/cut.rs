//! Cutting packets off a stream, however its bytes arrive.

use mqttsession::protocol::{Cut, PacketType, ReasonCode, cut};

const STREAM: &[&[u8]] = &[
    b"\x20\x02\0\0",
    b"\x30\x07\0\x03a/bhi",
    b"\xD0\0",
    b"\x31\x87\x01\0\x01t0123456789012345678901234567890123456789012345678901234567890123456789\
      01234567890123456789012345678901234567890123456789012345678901",
    b"\x40\x02\0\x01",
];

#[test]
fn packets_come_off_the_front_one_by_one() {
    let stream = STREAM.concat();
    let mut rest = stream.as_slice();
    for packet in STREAM {
        match cut(rest, u32::MAX) {
            Ok(Cut::Whole { frame, length }) => {
                assert_eq!(length, packet.len());
                assert_eq!(frame.first, packet[0]);
                assert_eq!(frame.flags(), packet[0] & 0x0F);
                assert!(packet.ends_with(frame.body));
                rest = &rest[length..];
            }
            other => panic!("expected a packet, found {other:?}"),
        }
    }
    assert_eq!(cut(rest, u32::MAX), Ok(Cut::Partial { header: None }));
}

#[test]
fn a_packet_may_be_split_anywhere() {
    for packet in STREAM {
        let header = if packet[1] < 0x80 { 2 } else { 3 };
        for split in 0..packet.len() {
            let expected = (split >= header).then_some((header, packet.len()));
            assert_eq!(
                cut(&packet[..split], u32::MAX),
                Ok(Cut::Partial { header: expected }),
                "split at {split} of {packet:02x?}"
            );
        }
    }
}

#[test]
fn the_longest_packet_is_told_from_its_header() {
    assert_eq!(
        cut(b"\x30\xFF\xFF\xFF\x7F", u32::MAX),
        Ok(Cut::Partial { header: Some((5, 268_435_460)) })
    );
    assert_eq!(cut(b"\x30\xFF\xFF\xFF", u32::MAX), Ok(Cut::Partial { header: None }));
}

#[test]
fn a_packet_that_is_too_large_is_refused_before_its_body_comes() {
    let refused = cut(b"\x30\xFF\xFF\xFF\x7F", 268_435_459).unwrap_err();
    assert_eq!(refused.reason, ReasonCode::PacketTooLarge);
    assert_eq!(refused.packet, Some(PacketType::Publish));
    assert_eq!(refused.statement, "MQTT-3.1.2-24");
    assert_eq!(
        refused.to_string(),
        "a PUBLISH larger than the maximum packet size [MQTT-3.1.2-24]"
    );
    assert!(cut(b"\x30\xFF\xFF\xFF\x7F", 268_435_460).is_ok());
    // The limit counts the fixed header.
    assert!(cut(b"\x40\x02\0\x01", 4).is_ok());
    assert_eq!(cut(b"\x40\x02", 3).unwrap_err().reason, ReasonCode::PacketTooLarge);
}

#[test]
fn a_bad_first_byte_is_refused_before_the_second_comes() {
    let legal = |first: &u8| cut(&[*first], u32::MAX).is_ok();
    let found: Vec<u8> = (0..=255).filter(legal).collect();
    let expected = [
        0x10, 0x20, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D, 0x40, 0x50, 0x62,
        0x6A, 0x70, 0x82, 0x8A, 0x90, 0xA2, 0xAA, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
    ];
    assert_eq!(found, expected);
    assert_eq!(cut(b"\0", u32::MAX).unwrap_err().packet, None);
    assert_eq!(cut(b"\x41", u32::MAX).unwrap_err().packet, Some(PacketType::Puback));
}

#[test]
fn a_bad_length_is_refused_as_soon_as_it_is_bad() {
    let refused = cut(b"\x30\x80\x80\x80\x80", u32::MAX).unwrap_err();
    assert_eq!(refused.reason, ReasonCode::MalformedPacket);
    assert_eq!(refused.packet, Some(PacketType::Publish));
    assert_eq!(cut(b"\x30\x80\0", u32::MAX).unwrap_err().statement, "MQTT-1.5.5-1");
}
