//! CONNECT, its answer, and DISCONNECT.

use std::sync::Arc;

use super::{Connected, Identity, Settings, server::ServerLimits};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        Connack, Connect, Disconnect, Properties, Property, PropertyBlock, PropertyIdentifier,
        ReasonCode, Version, Will as WillFields,
    },
};

/// Checks what only all settings together decide; an MQTT 3.1 session without a client id needs one
/// here.
pub(super) fn check(settings: &Settings, id: &str, any_client_id: bool) -> Result<()> {
    if settings.will.as_ref().is_some_and(|will| will.topic.is_empty()) {
        return Err(Error::new(
            Code::InvalidOption,
            "The will has properties and no topic; set the will, too",
        ));
    }
    match settings.version {
        Version::V31 if !any_client_id && !(1..=23).contains(&id.chars().count()) => {
            Err(Error::new(
                Code::InvalidClientId,
                "Under MQTT 3.1 a client id has 1 to 23 characters (an option tries longer ones)",
            ))
        }
        Version::V311 if id.is_empty() && !settings.clean_session => Err(Error::new(
            Code::InvalidClientId,
            "Under MQTT 3.1.1 a session that is to be kept needs a client id",
        )),
        version
            if !version.is_v5() && settings.password.is_some() && settings.user_name.is_none() =>
        {
            // [3.1.1 MQTT-3.1.2-22]
            Err(Error::new(
                Code::InvalidOption,
                "Before MQTT 5.0 a password needs a user name; set one",
            ))
        }
        _ => Ok(()),
    }
}

/// Encodes CONNECT.
pub(super) fn encode(
    settings: &Settings,
    identity: &Identity,
    client_id: &str,
    clean_start: bool,
    out: &mut Vec<u8>,
) -> Result<()> {
    let too_long = |error| {
        Error::new(
            Code::InvalidOption,
            format!("The options do not fit into a CONNECT packet: {error}"),
        )
    };
    let mut properties = PropertyBlock::new();
    if settings.version.is_v5() {
        properties = settings.properties.clone();
        if settings.receive_maximum < u16::MAX {
            properties
                .push(Property::ReceiveMaximum(settings.receive_maximum))
                .map_err(too_long)?;
        }
        if settings.maximum_packet_size < super::settings::LARGEST_PACKET {
            properties
                .push(Property::MaximumPacketSize(settings.maximum_packet_size))
                .map_err(too_long)?;
        }
        if let Some(data) = &identity.authentication_data {
            properties.remove(PropertyIdentifier::AuthenticationData);
            properties.push(Property::AuthenticationData(data)).map_err(too_long)?;
        }
    }
    let (user_name, password) = match &identity.credentials {
        Some(given) => (given.user_name.as_deref(), given.password.as_deref()),
        None => (settings.user_name.as_deref(), settings.password.as_deref()),
    };
    let no_properties = PropertyBlock::new();
    let will = settings.will.as_ref().map(|will| WillFields {
        topic: &will.topic,
        payload: &will.payload,
        qos: will.qos,
        retain: will.retain,
        properties: match settings.version.is_v5() {
            true => will.properties.as_properties(),
            false => no_properties.as_properties(),
        },
    });
    let connect = Connect {
        clean_start,
        keep_alive: settings.keep_alive,
        client_id,
        will,
        user_name,
        password,
        properties: properties.as_properties(),
    };
    connect.encode(settings.version, out).map_err(too_long)
}

/// What an accepted CONNACK means for the session.
pub(super) fn accepted(connack: &Connack<'_>, client_id: &Arc<str>) -> Connected {
    let assigned = connack.properties.assigned_client_identifier();
    let client_id = assigned.map_or_else(|| client_id.clone(), Arc::from);
    let mut properties = PropertyBlock::new();
    for property in connack.properties.iter() {
        properties.push(property).expect("a property that was decoded can be encoded");
    }
    Connected { session_present: connack.session_present, client_id, properties }
}

/// The error of a refusal.
pub(super) fn refused(connack: &Connack<'_>, version: Version) -> Error {
    use Code::*;
    let code = connack.code;
    let kind = if version.is_v5() {
        match ReasonCode::from_u8(code) {
            Some(ReasonCode::UnsupportedProtocolVersion) => RefusedVersion,
            Some(ReasonCode::ClientIdentifierNotValid) => RefusedClientId,
            Some(ReasonCode::BadUserNameOrPassword | ReasonCode::BadAuthenticationMethod) => {
                BadCredentials
            }
            Some(ReasonCode::NotAuthorized) => NotAuthorized,
            Some(ReasonCode::ServerUnavailable | ReasonCode::ServerBusy) => ServerUnavailable,
            Some(ReasonCode::Banned) => Banned,
            Some(ReasonCode::UseAnotherServer | ReasonCode::ServerMoved) => ServerMoved,
            _ => ConnectRefused,
        }
    } else {
        match code {
            1 => RefusedVersion,
            2 => RefusedClientId,
            3 => ServerUnavailable,
            4 => BadCredentials,
            5 => NotAuthorized,
            _ => ConnectRefused,
        }
    };
    let sentence = match kind {
        ConnectRefused => format!("The broker refused the connection with code {code:#04x}"),
        RefusedVersion => format!("The broker does not speak MQTT {}", version.name()),
        other => other.sentence().to_owned(),
    };
    said(Error::new(kind, sentence), code, connack.properties)
}

/// The error of a DISCONNECT from the broker.
pub(super) fn disconnected(reason: ReasonCode, properties: Properties<'_>) -> Error {
    let code = match reason {
        ReasonCode::SessionTakenOver => Code::SessionTakenOver,
        ReasonCode::NotAuthorized => Code::NotAuthorized,
        ReasonCode::BadAuthenticationMethod => Code::BadCredentials,
        ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => Code::ServerMoved,
        _ => Code::ServerDisconnected,
    };
    let error = Error::new(code, format!("The broker ended the connection: {}", reason.name()));
    said(error, reason.as_u8(), properties)
}

/// Adds the broker's own words.
fn said(error: Error, reason: u8, properties: Properties<'_>) -> Error {
    error
        .with_reason(reason, properties.reason_string())
        .with_server_reference(properties.server_reference())
        .with_user_properties(properties.user_properties())
}

/// Encodes DISCONNECT. The words for people stay away where they would make it larger than the
/// broker takes [MQTT-3.14.2-3], [MQTT-3.14.2-4]; what the packet does stays.
pub(super) fn say_disconnect(
    version: Version,
    server: &ServerLimits,
    reason: ReasonCode,
    properties: Properties<'_>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let mut say = |properties| {
        out.truncate(start);
        let disconnect = Disconnect { reason, properties };
        disconnect.encode(version, out).expect("properties that were checked fit");
        server.allow_size(out.len() - start).is_ok()
    };
    if !say(properties) {
        let mut brief = PropertyBlock::from(properties);
        brief.remove(PropertyIdentifier::ReasonString);
        brief.remove(PropertyIdentifier::UserProperty);
        say(brief.as_properties());
    }
}

/// Whether the broker will keep the session when the connection ends, so that a reconnection has
/// something to resume.
pub(super) fn outlives_connection(settings: &Settings) -> bool {
    match settings.version {
        Version::V5 => settings
            .properties
            .as_properties()
            .session_expiry_interval()
            .is_some_and(|seconds| seconds > 0),
        _ => !settings.clean_session,
    }
}
