//! PINGREQ and PINGRESP: two bytes, nothing inside.

use super::{Frame, PacketType, Version, Violation};

pub(super) fn decode(
    packet: PacketType,
    frame: Frame<'_>,
    version: Version,
) -> Result<(), Violation> {
    frame.open(packet, version)?.finish()
}

/// Appends a PINGREQ.
pub fn encode_pingreq(out: &mut Vec<u8>) {
    out.extend_from_slice(&[(PacketType::Pingreq as u8) << 4, 0]);
}

/// Appends a PINGRESP.
pub fn encode_pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[(PacketType::Pingresp as u8) << 4, 0]);
}
