//! The fixed header: cutting packets off a stream of bytes.

use super::{PacketType, ReasonCode, Version, Violation, wire};
use wire::Reader;

const DUP: u8 = 0b1000;
const RESERVED_TYPE: Violation = Violation::malformed("of the reserved type 0", "");
const QOS_3: Violation = Violation::malformed("with QoS 3", "MQTT-3.3.1-4");
const DUP_QOS_0: Violation = Violation::malformed("with QoS 0 and DUP set", "MQTT-3.3.1-2");
pub(super) const NOT_IN_VERSION: Violation =
    Violation::protocol_error("although MQTT has none before 5.0", "");
const UNEXPECTED: Violation = Violation::protocol_error("where another packet was due", "");
const TOO_LARGE: Violation =
    Violation::protocol_error("larger than the maximum packet size", "MQTT-3.1.2-24")
        .because(ReasonCode::PacketTooLarge);

/// One packet, not yet looked into.
///
/// Its debug form shows type and length only: the body of a CONNECT holds a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The first byte of the fixed header: type and flags.
    pub first: u8,
    /// What follows the remaining length.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The packet type, if the flags are ones that some version gives this type.
    ///
    /// # Errors
    ///
    /// The reserved type 0, a reserved flag with the wrong value, a PUBLISH with QoS 3 or with DUP
    /// at QoS 0.
    #[inline]
    pub fn packet_type(&self) -> Result<PacketType, Violation> {
        match PacketType::from_u8(self.first >> 4) {
            Some(packet) if LEGAL[usize::from(self.first)] => Ok(packet),
            _ => Err(explain(self.first)),
        }
    }

    /// The lower four bits of the first byte.
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.first & 0x0F
    }

    /// A reader of the body, if this is the packet that is expected and this version allows its
    /// type and flags.
    pub(super) fn open(
        &self,
        expected: PacketType,
        version: Version,
    ) -> Result<Reader<'a>, Violation> {
        let packet = self.packet_type()?;
        if packet != expected {
            return Err(UNEXPECTED.on(packet));
        }
        if packet == PacketType::Auth && !version.is_v5() {
            return Err(NOT_IN_VERSION.on(packet));
        }
        // 3.1 alone marks a PUBREL, SUBSCRIBE or UNSUBSCRIBE that is sent again.
        if packet != PacketType::Publish && self.flags() & DUP != 0 && version != Version::V31 {
            return Err(reserved_flags(packet));
        }
        Ok(Reader::new(packet, self.body))
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({:#04x}, {} bytes)", self.first, self.body.len())
    }
}

/// What stands at the front of the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole packet.
    Whole {
        /// The packet.
        frame: Frame<'a>,
        /// How many bytes it takes, fixed header included.
        length: usize,
    },
    /// The beginning of a packet.
    Partial {
        /// The length of the fixed header and of the whole packet, in bytes, once the fixed header
        /// has arrived.
        header: Option<(usize, usize)>,
    },
}

/// Takes one packet off the front of `input`.
///
/// Type, flags and length are judged as soon as their bytes are there, so that nobody reserves
/// memory for a packet that will be refused. `maximum_packet_size` counts whole packets, in bytes; a
/// limit of `u32::MAX` admits all that MQTT can express.
///
/// A remaining length in more bytes than it needs is refused in every version: 5.0 forbids it
/// \[MQTT-1.5.5-1\], and the tables of 3.1 and 3.1.1 give each value one form.
///
/// # Errors
///
/// A reserved packet type, a reserved flag with the wrong value, a remaining length of more than four
/// bytes or with padding, a packet larger than `maximum_packet_size`.
#[inline]
pub fn cut(input: &[u8], maximum_packet_size: u32) -> Result<Cut<'_>, Violation> {
    let Some(&first) = input.first() else {
        return Ok(Cut::Partial { header: None });
    };
    if !LEGAL[usize::from(first)] {
        return Err(explain(first));
    }
    let (remaining, digits) = match input.get(1) {
        Some(&short @ 0..=0x7F) => (u32::from(short), 1),
        Some(_) => match wire::read_variable(&input[1..]) {
            Ok(Some(length)) => length,
            Ok(None) => return Ok(Cut::Partial { header: None }),
            Err(violation) => return Err(locate(in_length(violation), first)),
        },
        None => return Ok(Cut::Partial { header: None }),
    };
    let header = 1 + digits;
    let length = header + remaining as usize;
    if length as u64 > u64::from(maximum_packet_size) {
        return Err(locate(TOO_LARGE, first));
    }
    Ok(match input.get(header..length) {
        Some(body) => Cut::Whole { frame: Frame { first, body }, length },
        None => Cut::Partial { header: Some((header, length)) },
    })
}

/// The first bytes that some version of MQTT allows.
static LEGAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut first = 0x10;
    while first < 256 {
        table[first] = is_legal((first >> 4) as u8, first as u8 & 0x0F);
        first += 1;
    }
    table
};

const fn is_legal(packet: u8, flags: u8) -> bool {
    match packet {
        // PUBLISH: DUP only above QoS 0 [MQTT-3.3.1-2], no QoS 3 [MQTT-3.3.1-4].
        3 => flags & 0b0110 != 0b0110 && (flags & 0b0110 != 0 || flags & DUP == 0),
        // PUBREL [MQTT-3.6.1-1], SUBSCRIBE [MQTT-3.8.1-1], UNSUBSCRIBE [MQTT-3.10.1-1]; DUP is for
        // 3.1, which the decoders of these packets check.
        6 | 8 | 10 => flags & !DUP == 0b0010,
        // [MQTT-2.1.3-1]
        _ => flags == 0,
    }
}

#[cold]
fn explain(first: u8) -> Violation {
    match PacketType::from_u8(first >> 4) {
        None => RESERVED_TYPE,
        Some(packet @ PacketType::Publish) if first & 0b0110 == 0b0110 => QOS_3.on(packet),
        Some(packet @ PacketType::Publish) => DUP_QOS_0.on(packet),
        Some(packet) => reserved_flags(packet),
    }
}

#[cold]
fn reserved_flags(packet: PacketType) -> Violation {
    let statement = match packet {
        PacketType::Pubrel => "MQTT-3.6.1-1",
        PacketType::Subscribe => "MQTT-3.8.1-1",
        PacketType::Unsubscribe => "MQTT-3.10.1-1",
        PacketType::Disconnect => "MQTT-3.14.1-1",
        PacketType::Auth => "MQTT-3.15.1-1",
        _ => "MQTT-2.1.3-1",
    };
    Violation::malformed("with a wrong value in its reserved flag bits", statement).on(packet)
}

#[cold]
fn in_length(violation: Violation) -> Violation {
    violation.said(match violation {
        wire::PADDED_VARIABLE => "with a remaining length in more bytes than it needs",
        _ => "with a remaining length of more than four bytes",
    })
}

#[cold]
fn locate(violation: Violation, first: u8) -> Violation {
    Violation { packet: PacketType::from_u8(first >> 4), ..violation }
}
