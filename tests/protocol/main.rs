//! The codec against bytes that were written by hand from the specification, and against itself.

mod cut;
mod encode;
mod glimpse;
mod golden;
mod malformed;
mod property;
mod reason;
mod round_trip;
mod sender;
mod topic;

use mqttsession::protocol::{
    Cut, Frame, Packet, PacketId, Property, PropertyBlock, Version, Violation, cut,
};

/// Every version.
const ALL: &[Version] = &[Version::V31, Version::V311, Version::V5];
/// The versions before 5.0.
const V3: &[Version] = &[Version::V31, Version::V311];
/// 5.0 alone.
const V5: &[Version] = &[Version::V5];

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("a packet identifier of the test is not 0")
}

fn block(properties: &[Property<'_>]) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    for &property in properties {
        block.push(property).expect("a property of the test is valid");
    }
    block
}

/// The bytes as one frame. A vector with a wrong length is a fault of the test, not of the codec.
fn frame(bytes: &[u8]) -> Result<Frame<'_>, Violation> {
    match cut(bytes, u32::MAX)? {
        Cut::Whole { frame, length } if length == bytes.len() => Ok(frame),
        other => panic!("these bytes are not one packet: {bytes:02x?} gives {other:?}"),
    }
}

fn decode(version: Version, bytes: &[u8]) -> Result<Packet<'_>, Violation> {
    Packet::decode(frame(bytes)?, version)
}
