//! Enhanced authentication (MQTT 5.0, section 4.12): the exchange with CONNECT, and a later one on
//! the live connection.

use std::time::Instant;

use bytes::Bytes;

use super::{Engine, Phase, input::Fault};
use crate::{
    engine::{
        AuthenticationStep, Connected, Event, Identity, authentication::Exchange,
        server::ServerLimits,
    },
    error::{Code, Error, Result},
    protocol::{
        Auth, Connack, Packet, PacketType, Properties, Property, PropertyBlock, ReasonCode,
        Violation,
    },
};

const UNASKED: Violation = Violation::protocol_error(
    "although this session named no authentication method",
    "MQTT-4.12.0-6",
)
.on(PacketType::Auth);
const UNASKED_METHOD: Violation = Violation::protocol_error(
    "with an authentication method, although this session named none",
    "MQTT-4.12.0-6",
)
.on(PacketType::Connack);
const UNASKED_DATA: Violation = Violation::protocol_error(
    "with authentication data, although this session named no authentication method",
    "MQTT-4.12.0-6",
)
.on(PacketType::Connack);
const NO_METHOD: Violation = Violation::protocol_error(
    "without the authentication method that this session named",
    "MQTT-4.12.0-5",
)
.on(PacketType::Connack);
const OTHER_METHOD: Violation = Violation::protocol_error(
    "with another authentication method than this session named",
    "MQTT-4.12.0-5",
)
.because(ReasonCode::BadAuthenticationMethod)
.on(PacketType::Auth);

impl Engine {
    // ---- getters

    /// Whether the broker has accepted the connection and the authenticator has still to accept the
    /// broker. No input is taken meanwhile.
    pub fn is_verifying(&self) -> bool {
        self.phase == Phase::Verifying
    }

    // ---- verbs

    /// Says who connects, in the next CONNECT only.
    pub fn identify(&mut self, identity: Identity) {
        self.identity = Some(Box::new(identity));
    }

    /// Begins a new exchange on the live connection, by a [`Event::Challenge`].
    ///
    /// # Errors
    /// `NOT_SUPPORTED` without an authentication method, `NOT_CONNECTED`, `BUSY` while an exchange is
    /// under way.
    pub fn reauthenticate(&mut self) -> Result<()> {
        // [MQTT-4.12.0-7]
        if !self.has_method() {
            return Err(Error::new(
                Code::NotSupported,
                "The session has connected without an authentication method",
            ));
        }
        if self.phase != Phase::Online {
            return Err(Code::NotConnected.into());
        }
        if self.exchange != Exchange::None {
            return Err(Error::new(Code::Busy, "The session is authenticating already"));
        }
        self.challenge(AuthenticationStep::Reauthenticate, None);
        Ok(())
    }

    /// The authenticator's answer to the last [`Event::Challenge`]; without one it does nothing.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for data that no packet can hold, `PAYLOAD_TOO_LARGE` for such as the broker
    /// takes none of that size; the challenge stays unanswered.
    pub fn authenticate(&mut self, data: Option<&[u8]>, now: Instant) -> Result<()> {
        let Exchange::Program(step) = self.exchange else { return Ok(()) };
        match step {
            // Its answer stands in CONNECT.
            AuthenticationStep::Connect => {}
            // [MQTT-4.12.1-1]
            AuthenticationStep::Reauthenticate => {
                self.say_auth(ReasonCode::ReAuthenticate, data)?;
            }
            // [MQTT-4.12.0-3]
            AuthenticationStep::Continue => {
                self.say_auth(ReasonCode::ContinueAuthentication, data)?;
            }
            AuthenticationStep::Success => {
                self.exchange = Exchange::None;
                match self.accepted.take() {
                    Some(connected) => self.go_online(*connected, now),
                    None => self.events.push_back(Event::Reauthenticated),
                }
                self.pump(now);
            }
        }
        Ok(())
    }

    /// The authenticator does not accept the broker, or has no answer: the connection has to be
    /// closed, after the output is written.
    pub fn give_up_authentication(&mut self) {
        let accepted = matches!(self.phase, Phase::Online | Phase::Verifying);
        self.end_connection();
        // [MQTT-4.12.1-2] "Not authorized" is for the server to say (table 3-10). Before CONNACK
        // there is nothing to take leave of.
        if accepted {
            self.say_disconnect(ReasonCode::UnspecifiedError, Properties::EMPTY);
        }
    }

    // ---- what comes from the broker

    /// The method that the session authenticates with.
    fn method(&self) -> Option<&str> {
        let settings = &self.settings;
        match settings.version.is_v5() {
            true => settings.properties.as_properties().authentication_method(),
            false => None,
        }
    }

    pub(super) fn has_method(&self) -> bool {
        self.method().is_some()
    }

    /// A CONNECT has been made.
    pub(super) fn begin_exchange(&mut self) {
        self.exchange = match self.has_method() {
            true => Exchange::Broker,
            false => Exchange::None,
        };
    }

    pub(super) fn end_exchange(&mut self) {
        self.exchange = Exchange::None;
        self.accepted = None;
    }

    pub(super) fn handle_auth(&mut self, auth: &Auth<'_>) -> Result<(), Fault> {
        // [MQTT-4.12.0-6]
        let Some(method) = self.method() else { return Err(UNASKED.into()) };
        // Section 3.15.2.1: an empty packet says success and has no room for the method.
        let empty = auth.reason == ReasonCode::Success && auth.properties.is_empty();
        // [MQTT-4.12.0-5]
        if !empty && auth.properties.authentication_method() != Some(method) {
            return Err(OTHER_METHOD.into());
        }
        let out_of_turn = |detail| Err(Fault::out_of_place(PacketType::Auth, detail));
        let step = match self.exchange {
            Exchange::None => return out_of_turn("although no exchange is under way"),
            Exchange::Program(_) => return out_of_turn("before the last one was answered"),
            // [MQTT-4.12.0-2] At the beginning CONNACK alone says success.
            Exchange::Broker if auth.reason == ReasonCode::ContinueAuthentication => {
                AuthenticationStep::Continue
            }
            Exchange::Broker if self.phase == Phase::Online => AuthenticationStep::Success,
            Exchange::Broker => return out_of_turn("that says success, before CONNACK"),
        };
        self.challenge(step, auth.properties.authentication_data());
        Ok(())
    }

    /// What CONNACK says when it accepts; `true` when the authenticator has still to agree.
    pub(super) fn check_connack(&self, connack: &Connack<'_>) -> Result<bool, Fault> {
        let said = connack.properties.authentication_method();
        match self.method() {
            // [MQTT-4.12.0-6], and section 3.2.2.3.18.
            None if said.is_some() => Err(UNASKED_METHOD.into()),
            None if connack.properties.authentication_data().is_some() => Err(UNASKED_DATA.into()),
            None => Ok(false),
            // [MQTT-4.12.0-5]
            Some(_) if said.is_none() => Err(NO_METHOD.into()),
            Some(method) if said != Some(method) => {
                Err(OTHER_METHOD.on(PacketType::Connack).into())
            }
            Some(_) if self.exchange != Exchange::Broker => Err(Fault::out_of_place(
                PacketType::Connack,
                "that accepts, before the last AUTH was answered",
            )),
            Some(_) => Ok(true),
        }
    }

    /// The broker has accepted; now the authenticator checks its last data.
    pub(super) fn verify(&mut self, connected: Connected) {
        self.phase = Phase::Verifying;
        self.server = ServerLimits::new(connected.properties());
        self.challenge(AuthenticationStep::Success, connected.properties().authentication_data());
        self.accepted = Some(Box::new(connected));
    }

    fn challenge(&mut self, step: AuthenticationStep, data: Option<&[u8]>) {
        self.exchange = Exchange::Program(step);
        self.events.push_back(Event::Challenge(step, data.map(Bytes::copy_from_slice)));
    }

    fn say_auth(&mut self, reason: ReasonCode, data: Option<&[u8]>) -> Result<()> {
        let method = self.method().expect("an exchange has a method");
        let mut properties = PropertyBlock::new();
        properties
            .push(Property::AuthenticationMethod(method))
            .expect("the method stood in CONNECT");
        if let Some(data) = data {
            properties.push(Property::AuthenticationData(data)).map_err(|error| {
                let sentence = format!("The authentication data cannot be sent: {error}");
                Error::new(Code::InvalidArgument, sentence)
            })?;
        }
        let out = self.output.open.buffer();
        let start = out.len();
        Packet::Auth(Auth { reason, properties: properties.as_properties() })
            .encode(self.settings.version, out)
            .expect("two properties fit");
        // [MQTT-3.2.2-15]
        if let Err(error) = self.server.allow_size(out.len() - start) {
            out.truncate(start);
            return Err(error);
        }
        self.exchange = Exchange::Broker;
        Ok(())
    }
}
