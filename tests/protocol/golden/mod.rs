//! Every packet in every version, as the specification lays it out.

mod connect;
mod disconnect;
mod publish;
mod subscribe;

use mqttsession::protocol::{Packet, Version};

use crate::decode;

/// These bytes are this packet, and this packet is these bytes.
#[track_caller]
fn golden(versions: &[Version], bytes: &[u8], packet: Packet<'_>) {
    for &version in versions {
        reads(version, bytes, packet);
        let mut out = b"before".to_vec();
        packet.encode(version, &mut out).expect("a golden packet can be written");
        assert_eq!(out, [b"before", bytes].concat(), "{version:?}: {packet:?}");
    }
}

/// These bytes are this packet, though it is written otherwise.
#[track_caller]
fn reads(version: Version, bytes: &[u8], packet: Packet<'_>) {
    assert_eq!(decode(version, bytes), Ok(packet), "{version:?}: {bytes:02x?}");
}
