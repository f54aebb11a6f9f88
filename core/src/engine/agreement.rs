//! What a broker must not send although every broker may: what CONNECT said forbids it.

use super::Settings;
use crate::protocol::{Connack, Packet, PacketType, Properties, PropertyIdentifier, Violation};

const OLD_SESSION: Violation = Violation::protocol_error(
    "that says that the session is present, although a new one was asked for",
    "MQTT-3.2.2-2",
)
.on(PacketType::Connack);
const UNWANTED_REASON: Violation = Violation::protocol_error(
    "with a reason string, although this session asked for no problem information",
    "MQTT-3.1.2-29",
);
const UNWANTED_PROPERTY: Violation = Violation::protocol_error(
    "with a user property, although this session asked for no problem information",
    "MQTT-3.1.2-29",
);

/// Checks a CONNACK that accepts.
pub(super) fn check_connack(clean_start: bool, connack: &Connack<'_>) -> Result<(), Violation> {
    // [MQTT-3.2.2-2]
    if clean_start && connack.session_present { Err(OLD_SESSION) } else { Ok(()) }
}

/// Checks any packet that may follow.
pub(super) fn check(settings: &Settings, packet: &Packet<'_>) -> Result<(), Violation> {
    // [MQTT-3.1.2-29] PUBLISH and DISCONNECT may have both all the same.
    if settings.properties.as_properties().request_problem_information() != Some(0) {
        return Ok(());
    }
    let properties = match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            ack.properties
        }
        Packet::Suback(suback) => suback.properties,
        Packet::Unsuback(unsuback) => unsuback.properties,
        Packet::Auth(auth) => auth.properties,
        _ => Properties::EMPTY,
    };
    let violation = if properties.contains(PropertyIdentifier::ReasonString) {
        UNWANTED_REASON
    } else if properties.contains(PropertyIdentifier::UserProperty) {
        UNWANTED_PROPERTY
    } else {
        return Ok(());
    };
    Err(violation.on(packet.packet_type()))
}
