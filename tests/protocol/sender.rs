//! What one end may send and the other may not.

use mqttsession::protocol::{Packet, PacketType, ReasonCode, Sender, Version};

use crate::{ALL, V5, frame};

use Sender::{Client, Server};

#[track_caller]
fn refused(sender: Sender, version: Version, bytes: &[u8], statement: &str) {
    let violation = Packet::decode_from(sender, frame(bytes).unwrap(), version).unwrap_err();
    assert_eq!(violation.reason, ReasonCode::ProtocolError);
    assert_eq!(violation.packet, PacketType::from_u8(bytes[0] >> 4));
    assert_eq!(violation.statement, statement);
}

#[track_caller]
fn accepted(sender: Sender, version: Version, bytes: &[u8]) {
    let packet = Packet::decode_from(sender, frame(bytes).unwrap(), version);
    assert!(packet.is_ok(), "{sender:?} {version:?} {bytes:02x?}: {packet:?}");
}

#[test]
fn each_end_has_its_packets() {
    let ends: [(PacketType, &[Version], &[Version]); 15] = [
        (PacketType::Connect, ALL, &[]),
        (PacketType::Connack, &[], ALL),
        (PacketType::Publish, ALL, ALL),
        (PacketType::Puback, ALL, ALL),
        (PacketType::Pubrec, ALL, ALL),
        (PacketType::Pubrel, ALL, ALL),
        (PacketType::Pubcomp, ALL, ALL),
        (PacketType::Subscribe, ALL, &[]),
        (PacketType::Suback, &[], ALL),
        (PacketType::Unsubscribe, ALL, &[]),
        (PacketType::Unsuback, &[], ALL),
        (PacketType::Pingreq, ALL, &[]),
        (PacketType::Pingresp, &[], ALL),
        (PacketType::Disconnect, ALL, V5),
        (PacketType::Auth, V5, V5),
    ];
    for (packet, client, server) in ends {
        for version in ALL {
            assert_eq!(Client.sends(packet, *version), client.contains(version), "{packet:?}");
            assert_eq!(Server.sends(packet, *version), server.contains(version), "{packet:?}");
        }
    }
    refused(Server, Version::V311, b"\xC0\0", "");
    refused(Client, Version::V311, b"\xD0\0", "");
    refused(Server, Version::V311, b"\xE0\0", "");
    accepted(Client, Version::V311, b"\xE0\0");
    accepted(Server, Version::V5, b"\xE0\0");
}

#[test]
fn only_the_server_names_subscriptions_in_a_publish() {
    refused(Client, Version::V5, b"\x30\x06\0\x01t\x02\x0B\x01", "MQTT-3.3.4-6");
    accepted(Server, Version::V5, b"\x30\x06\0\x01t\x02\x0B\x01");
    accepted(Client, Version::V5, b"\x30\x06\0\x01t\x02\x01\x01");
}

#[test]
fn only_the_client_sets_the_session_expiry_when_it_leaves() {
    refused(Server, Version::V5, b"\xE0\x07\0\x05\x11\0\0\0\0", "MQTT-3.14.2-2");
    accepted(Client, Version::V5, b"\xE0\x07\0\x05\x11\0\0\0\0");
}

#[test]
fn each_end_has_its_reasons_to_leave() {
    let both = [0x00, 0x80, 0x81, 0x82, 0x83, 0x8C, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    let server =
        [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2];
    for reason in both {
        accepted(Client, Version::V5, &[0xE0, 1, reason]);
        accepted(Server, Version::V5, &[0xE0, 1, reason]);
    }
    for reason in server {
        refused(Client, Version::V5, &[0xE0, 1, reason], "");
        accepted(Server, Version::V5, &[0xE0, 1, reason]);
    }
    accepted(Client, Version::V5, &[0xE0, 1, 0x04]);
    refused(Server, Version::V5, &[0xE0, 1, 0x04], "");
}

#[test]
fn each_end_has_its_steps_of_authentication() {
    let auth = |reason| [0xF0, 6, reason, 4, 0x15, 0, 1, b'm'];
    accepted(Client, Version::V5, &auth(0x18));
    accepted(Server, Version::V5, &auth(0x18));
    accepted(Client, Version::V5, &auth(0x19));
    refused(Server, Version::V5, &auth(0x19), "");
    accepted(Server, Version::V5, &auth(0x00));
    refused(Client, Version::V5, &auth(0x00), "");
}
