//! What the fuzz targets ask of the codec and of the state machine.

pub mod session;

use mqttsession::protocol::{Connect, Cut, Frame, Packet, PacketType, Sender, Version, cut};

/// Reads a stream of packets. The first byte chooses the version, which a CONNECT may change.
pub fn read_stream(sender: Sender, input: &[u8]) {
    let Some((choice, mut stream)) = input.split_first() else { return };
    let mut version = [Version::V31, Version::V311, Version::V5][usize::from(choice % 3)];
    while let Ok(Cut::Whole { frame, length }) = cut(stream, u32::MAX) {
        if frame.packet_type() == Ok(PacketType::Connect)
            && let Ok((found, _)) = Connect::decode(frame)
        {
            version = found;
        }
        if let Ok(packet) = Packet::decode_from(sender, frame, version) {
            round_trip(sender, version, frame, packet);
        }
        stream = &stream[length..];
    }
}

/// What can be read can be written, not longer than it came, and is the same when it is read again.
fn round_trip(sender: Sender, version: Version, frame: Frame<'_>, packet: Packet<'_>) {
    let mut out = Vec::new();
    packet.encode(version, &mut out).expect("what was read can be written");
    match cut(&out, u32::MAX) {
        Ok(Cut::Whole { frame: again, length }) => {
            assert_eq!(length, out.len());
            // A server without 5.0 refuses in two bytes what 5.0 says in three.
            assert!(again.body.len() <= frame.body.len().max(3));
            assert_eq!(Packet::decode_from(sender, again, version), Ok(packet));
        }
        other => panic!("{packet:?} was written as {out:02x?}, which gives {other:?}"),
    }
}
