//! CONNACK: the server's answer to CONNECT.

use super::{
    EncodeError, Frame, PacketType, Place, Properties, ReasonCode, Version, Violation,
    wire::write_packet,
};

const PACKET: PacketType = PacketType::Connack;

const UNSUPPORTED_VERSION: u8 = ReasonCode::UnsupportedProtocolVersion.as_u8();

const NO_FLAGS: &str = "that ends before its acknowledge flags";
const NO_RETURN: &str = "that ends before its return code";
const NO_REASON: &str = "that ends before its reason code";
const RESERVED_FLAGS: Violation =
    Violation::malformed("with reserved bits set in its acknowledge flags", "MQTT-3.2.2-1")
        .on(PACKET);
const PRESENT_BUT_REFUSED: Violation =
    Violation::protocol_error("that refuses and says that the session is present", "MQTT-3.2.2-6")
        .on(PACKET);
const UNKNOWN_RETURN: Violation =
    Violation::malformed("with a return code that does not exist", "MQTT-3.2.2-8").on(PACKET);
const UNKNOWN_REASON: Violation =
    Violation::malformed("with a reason code that does not exist", "MQTT-3.2.2-8").on(PACKET);
const FOREIGN_CODE: Violation =
    Violation::protocol_error("with a reason code that is not one of its own", "MQTT-3.2.2-8")
        .on(PACKET);

/// The server accepts or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack<'a> {
    /// The server still had the session. Never when it refuses, and never under 3.1.
    pub session_present: bool,
    /// 0 where it accepts. Else under 5.0 a reason code, before it a return code of 1 to 5.
    pub code: u8,
    /// What the server grants under 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Connack<'a> {
    /// Whether the session is open.
    pub const fn is_accepted(&self) -> bool {
        self.code == 0
    }

    /// The code as a reason code; the return codes of 3.1 and 3.1.1 all have their equal there.
    /// Nothing if a CONNACK of this version cannot carry the code.
    pub fn reason(&self, version: Version) -> Option<ReasonCode> {
        if version.is_v5() {
            return ReasonCode::from_u8(self.code).filter(|reason| reason.allowed_in(PACKET));
        }
        Some(match self.code {
            0 => ReasonCode::Success,
            1 => ReasonCode::UnsupportedProtocolVersion,
            2 => ReasonCode::ClientIdentifierNotValid,
            3 => ReasonCode::ServerUnavailable,
            4 => ReasonCode::BadUserNameOrPassword,
            5 => ReasonCode::NotAuthorized,
            _ => return None,
        })
    }

    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PACKET, version)?;
        // [3.1.1 MQTT-3.1.2-2] A server without 5.0 refuses in its own format: return code 1.
        if version.is_v5() && frame.body == [0, 1] {
            let code = UNSUPPORTED_VERSION;
            return Ok(Self { session_present: false, code, properties: Properties::EMPTY });
        }
        // A server of 5.0 alone may refuse in its own format, with or without properties.
        if let (
            [0, UNSUPPORTED_VERSION] | [0, UNSUPPORTED_VERSION, 0],
            Version::V31 | Version::V311,
        ) = (frame.body, version)
        {
            return Ok(Self { session_present: false, code: 1, properties: Properties::EMPTY });
        }
        // Under 3.1 this byte means nothing.
        let flags = reader.byte().map_err(|violation| violation.said(NO_FLAGS))?;
        let flags = match (version, flags) {
            (Version::V31, _) => 0,
            (_, flags) => flags,
        };
        // [MQTT-3.2.2-1]
        if flags > 1 {
            return Err(RESERVED_FLAGS);
        }
        let no_code = if version.is_v5() { NO_REASON } else { NO_RETURN };
        let code = reader.byte().map_err(|violation| violation.said(no_code))?;
        let properties = reader.properties(version, Place::Connack)?;
        reader.finish()?;
        let connack = Self { session_present: flags == 1, code, properties };
        connack.check(version)?;
        Ok(connack)
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.session_present && version == Version::V31 {
            return Err(EncodeError::NotInVersion("session present flag"));
        }
        self.check(version)?;
        write_packet(PACKET, 0, out, |writer| {
            writer.byte(self.session_present.into())?;
            writer.byte(self.code)?;
            writer.properties(version, Place::Connack, self.properties)
        })
    }

    fn check(&self, version: Version) -> Result<(), Violation> {
        // [MQTT-3.2.2-8]
        if self.reason(version).is_none() {
            return Err(match version {
                Version::V31 | Version::V311 => UNKNOWN_RETURN,
                Version::V5 if ReasonCode::from_u8(self.code).is_some() => FOREIGN_CODE,
                Version::V5 => UNKNOWN_REASON,
            });
        }
        // [MQTT-3.2.2-6] [3.1.1 MQTT-3.2.2-4]
        if self.session_present && !self.is_accepted() {
            return Err(PRESENT_BUT_REFUSED);
        }
        Ok(())
    }
}
