//! What is wrong with a call, said before anything happens.

use super::DisconnectOptions;
use crate::{
    client::shared::Goal,
    engine::Settings,
    error::{Code, Error, Result},
    protocol::{Cut, Disconnect, EncodeError, Packet, Place, Properties, Sender, Version, cut},
};

/// The error of a call that comes during a disconnect.
pub(super) fn being_disconnected() -> Error {
    Error::new(
        Code::Busy,
        "The session is being disconnected; wait until that has ended, then call again",
    )
}

/// The error of a publish while none is accepted.
#[cold]
pub(in crate::client) fn not_accepting(goal: &Goal) -> Error {
    match goal {
        Goal::Close => Code::Closed.into(),
        Goal::Disconnect(_) => Error::new(
            Code::NotConnected,
            "The session is being disconnected and accepts no more messages",
        ),
        Goal::Rest | Goal::Connect => Error::new(
            Code::NotConnected,
            "The session is not connected; messages are accepted from the call of connect on",
        ),
    }
}

/// A message with properties needs MQTT 5.0.
pub(in crate::client) fn message(version: Version) -> Result<()> {
    if version.is_v5() {
        return Ok(());
    }
    Err(Error::new(
        Code::NotSupported,
        "Before MQTT 5.0 a message has no properties; leave them out or choose version 5.0",
    ))
}

/// Checks the properties of a subscribe or unsubscribe.
pub(super) fn request(version: Version, properties: Properties<'_>, place: Place) -> Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    let what = if place == Place::Subscribe { "subscribe" } else { "unsubscribe" };
    if !version.is_v5() {
        let sentence = format!(
            "Before MQTT 5.0 a{} {what} has no properties; leave them out or choose version 5.0",
            if place == Place::Subscribe { "" } else { "n" }
        );
        return Err(Error::new(Code::NotSupported, sentence));
    }
    Properties::parse(properties.as_bytes(), place).map(drop).map_err(|violation| {
        let error = EncodeError::from(violation);
        Error::new(Code::InvalidArgument, format!("The {what} cannot be sent: {error}"))
    })
}

/// Checks how a session is to be disconnected.
pub(super) fn farewell(settings: &Settings, options: &DisconnectOptions) -> Result<()> {
    let version = settings.version;
    if !version.is_v5() {
        return match options.properties.is_empty() {
            true => Ok(()),
            false => Err(Error::new(
                Code::NotSupported,
                "Before MQTT 5.0 a disconnect has no properties; leave them out or choose version \
                 5.0",
            )),
        };
    }
    let properties = options.properties.as_properties();
    let unsendable = |error: &dyn std::fmt::Display| {
        Error::new(Code::InvalidArgument, format!("The disconnect cannot be sent: {error}"))
    };
    let packet = Packet::Disconnect(Disconnect { reason: options.reason, properties });
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).map_err(|error| unsendable(&error))?;
    // Some reason codes are for brokers only.
    let Ok(Cut::Whole { frame, .. }) = cut(&bytes, u32::MAX) else {
        return Err(Code::Internal.into());
    };
    Packet::decode_from(Sender::Client, frame, version)
        .map_err(|violation| unsendable(&EncodeError::from(violation)))?;
    // Section 3.14.2.2.2.
    let expires = |properties: Properties<'_>| properties.session_expiry_interval().unwrap_or(0);
    if expires(properties) > 0 && expires(settings.properties.as_properties()) == 0 {
        return Err(unsendable(
            &"a session expiry interval above 0 needs one above 0 in the options, too",
        ));
    }
    Ok(())
}
