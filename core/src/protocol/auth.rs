//! AUTH: a step of an authentication exchange; 5.0 only.

use super::{
    EncodeError, Frame, PacketType, Place, Properties, PropertyIdentifier, ReasonCode, Version,
    Violation, wire::write_packet,
};

const PACKET: PacketType = PacketType::Auth;

const FOREIGN_REASON: Violation =
    Violation::protocol_error("with a reason code that is not one of its own", "MQTT-3.15.2-1")
        .on(PACKET);
const NO_METHOD: Violation =
    Violation::protocol_error("without an authentication method", "MQTT-4.12.0-5").on(PACKET);

/// One end goes on with the exchange, or begins it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// [`Success`](ReasonCode::Success), [`ContinueAuthentication`](ReasonCode::ContinueAuthentication)
    /// or [`ReAuthenticate`](ReasonCode::ReAuthenticate).
    pub reason: ReasonCode,
    /// Authentication method and data, reason string, user properties.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// Reads the packet.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let mut reader = frame.open(PACKET, version)?;
        // Section 3.15.2.1: an empty packet says success.
        if reader.is_empty() {
            return Ok(Self { reason: ReasonCode::Success, properties: Properties::EMPTY });
        }
        let reason = ReasonCode::read(&mut reader, PACKET)?;
        let properties = reader.properties(version, Place::Auth)?;
        reader.finish()?;
        let auth = Self { reason, properties };
        auth.check()?;
        Ok(auth)
    }

    /// Appends the packet in its shortest form to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if !version.is_v5() {
            return Err(EncodeError::NotInVersion("AUTH packet"));
        }
        write_packet(PACKET, 0, out, |writer| {
            if self.reason == ReasonCode::Success && self.properties.is_empty() {
                return Ok(());
            }
            self.check()?;
            writer.byte(self.reason.as_u8())?;
            writer.properties(version, Place::Auth, self.properties)
        })
    }

    fn check(&self) -> Result<(), Violation> {
        // [MQTT-3.15.2-1]
        if !self.reason.allowed_in(PACKET) {
            return Err(FOREIGN_REASON);
        }
        // [MQTT-4.12.0-5]
        if !self.properties.contains(PropertyIdentifier::AuthenticationMethod) {
            return Err(NO_METHOD);
        }
        Ok(())
    }
}
