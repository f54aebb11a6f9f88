//! What a session is told before it connects.

mod authentication;
mod habits;
mod publish;
mod receive;
mod reconnect;
mod shareable;
mod store;
mod tls;

use habits::Habits;
pub(crate) use shareable::Shareable;
pub use store::Durability;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;

use super::{CredentialsSource, authentication::MakeAuthenticator};
use crate::{
    engine::{Settings, Will},
    error::{Code, Error, Result},
    protocol::{EncodeError, Place, Property, PropertyBlock, QoS, ReasonCode, Version, topic},
    transport::{Endpoint, TlsOptions},
};

/// A wrapper round every run of callbacks on a callback thread: it must call its argument exactly
/// once. Python attaches to the interpreter here, once for a whole batch.
pub type CallbackScope = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Where callbacks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// On the library's callback threads, one at a time and in order per session.
    #[default]
    Dispatched,
    /// On the I/O thread: the lowest latency. A callback that takes long holds up every session,
    /// and every call that would have to wait answers `WOULD_DEADLOCK` there. A child of `fork` made
    /// in such a callback ends when the callback returns.
    Inline,
    /// On the thread that calls [`Session::poll`](super::Session::poll).
    Polled,
}

/// When a received message of QoS 1 or 2 is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When all its handlers have returned.
    #[default]
    Handled,
    /// As soon as it has been received, before its handler runs: at most once from there on.
    OnReceipt,
    /// When the program says so, with [`Acknowledgement::acknowledge`](super::Acknowledgement).
    Manual,
}

/// What becomes of a received message whose handler failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failure {
    /// It is acknowledged all the same.
    #[default]
    Acknowledge,
    /// It stays unacknowledged: the broker sends it again on the next connection.
    Leave,
    /// It is refused with this reason code (MQTT 5.0), and the broker does not send it again; so it
    /// is under [`Acknowledge::Manual`], too. Before 5.0 there is no refusal: it is acknowledged.
    Refuse(ReasonCode),
}

/// Everything that a session is told before it connects.
///
/// Each setter checks its value at once. A session takes a copy, so changing the options later
/// changes nothing.
#[derive(Clone)]
pub struct Options {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Shareable<Settings>,
    pub(crate) client_id: Arc<str>,
    pub(crate) any_client_id: bool,
    pub(crate) habits: Shareable<Habits>,
    pub(crate) dispatch: Dispatch,
    pub(crate) manual: bool,
    pub(crate) failure: Failure,
    pub(crate) tls: Shareable<TlsOptions>,
    pub(crate) authenticator: Option<MakeAuthenticator>,
    pub(crate) credentials: Option<CredentialsSource>,
    pub(crate) callback_scope: Option<CallbackScope>,
    pub(crate) store: Option<PathBuf>,
}

/// What every session has that is not told otherwise.
static USUAL_SETTINGS: LazyLock<Shareable<Settings>> = LazyLock::new(Shareable::default);
static USUAL_HABITS: LazyLock<Shareable<Habits>> = LazyLock::new(Shareable::default);
static USUAL_TLS: LazyLock<Shareable<TlsOptions>> = LazyLock::new(Shareable::default);

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// The defaults: `localhost`, MQTT 3.1.1, a clean session, a keep-alive of 60 s, 10 s to
    /// connect, reconnecting by itself.
    pub fn new() -> Self {
        Self {
            endpoint: Endpoint::parse("localhost").expect("a legal address"),
            settings: USUAL_SETTINGS.clone(),
            client_id: "".into(),
            any_client_id: false,
            habits: USUAL_HABITS.clone(),
            dispatch: Dispatch::Dispatched,
            manual: false,
            failure: Failure::Acknowledge,
            tls: USUAL_TLS.clone(),
            authenticator: None,
            credentials: None,
            callback_scope: None,
            store: None,
        }
    }

    /// The broker: `mqtt://host:port`, `mqtts://host`, `tcp://`, `ssl://`, `host`, `host:port`,
    /// IPv6 in brackets. Ports default to 1883, and 8883 with TLS.
    ///
    /// # Errors
    /// `INVALID_ADDRESS`.
    pub fn set_address(&mut self, address: &str) -> Result<&mut Self> {
        self.endpoint = Endpoint::parse(address)?;
        Ok(self)
    }

    /// The host alone; port and TLS stay as they are.
    ///
    /// # Errors
    /// `INVALID_ADDRESS`.
    pub fn set_host(&mut self, host: &str) -> Result<&mut Self> {
        self.endpoint.set_host(host)?;
        Ok(self)
    }

    /// The port alone, 1 to 65,535.
    ///
    /// # Errors
    /// `INVALID_ADDRESS`.
    pub fn set_port(&mut self, port: u16) -> Result<&mut Self> {
        self.endpoint.set_port(port)?;
        Ok(self)
    }

    /// The broker's address as it will be used.
    pub fn address(&self) -> String {
        self.endpoint.to_string()
    }

    /// MQTT 3.1, 3.1.1 (the default) or 5.0.
    pub fn set_version(&mut self, version: Version) -> &mut Self {
        self.settings.version = version;
        self
    }

    /// The client identifier. Empty lets the broker choose (MQTT 3.1: the library does), which
    /// needs a clean session before 5.0.
    ///
    /// # Errors
    /// `INVALID_UTF8` for a text that MQTT cannot carry.
    pub fn set_client_id(&mut self, client_id: &str) -> Result<&mut Self> {
        self.client_id = text(client_id, "client id")?.into();
        Ok(self)
    }

    /// Tries a client id of more than 23 characters under MQTT 3.1, which some brokers accept.
    pub fn set_any_client_id(&mut self, any: bool) -> &mut Self {
        self.any_client_id = any;
        self
    }

    /// Whether the broker forgets what it held for this client id when the session connects first
    /// (MQTT 5.0: clean start). Automatic reconnections resume the session in every case that the
    /// protocol has for it.
    pub fn set_clean_session(&mut self, clean: bool) -> &mut Self {
        self.settings.clean_session = clean;
        self
    }

    /// The user name, or none.
    ///
    /// # Errors
    /// `INVALID_UTF8`.
    pub fn set_user_name(&mut self, user_name: Option<&str>) -> Result<&mut Self> {
        self.settings.user_name = user_name.map(|name| text(name, "user name")).transpose()?;
        Ok(self)
    }

    /// The password, any bytes up to 65,535, or none.
    ///
    /// # Errors
    /// `INVALID_OPTION` when it is longer.
    pub fn set_password(&mut self, password: Option<&[u8]>) -> Result<&mut Self> {
        if password.is_some_and(|bytes| bytes.len() > usize::from(u16::MAX)) {
            return Err(Error::new(Code::InvalidOption, "A password has at most 65,535 bytes"));
        }
        self.settings.password = password.map(Bytes::copy_from_slice);
        Ok(self)
    }

    /// The longest silence before the session pings, in whole seconds up to 65,535; 0 switches
    /// pings off. Default 60 s.
    ///
    /// # Errors
    /// `INVALID_OPTION` when it is longer.
    pub fn set_keep_alive(&mut self, keep_alive: Duration) -> Result<&mut Self> {
        let rounded_up = keep_alive.as_millis().div_ceil(1000);
        self.settings.keep_alive = u16::try_from(rounded_up).map_err(|_| {
            Error::new(Code::InvalidOption, "A keep-alive has at most 65,535 seconds")
        })?;
        Ok(self)
    }

    /// The message that the broker publishes when this session is lost without a disconnect.
    ///
    /// # Errors
    /// `INVALID_TOPIC`, `PAYLOAD_TOO_LARGE` above 65,535 bytes.
    pub fn set_will(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<&mut Self> {
        topic::check_name(topic.as_bytes()).map_err(|error| {
            let sentence = format!("The topic of the will cannot be used: {error}");
            Error::new(Code::InvalidTopic, sentence)
        })?;
        if payload.len() > usize::from(u16::MAX) {
            return Err(Error::new(
                Code::PayloadTooLarge,
                "The payload of a will has at most 65,535 bytes",
            ));
        }
        let will = self.settings.will.get_or_insert_with(Will::default);
        will.topic = topic.to_owned();
        will.payload = Bytes::copy_from_slice(payload);
        will.qos = qos;
        will.retain = retain;
        Ok(self)
    }

    /// Adds a property to the will (MQTT 5.0 only; ignored before).
    ///
    /// # Errors
    /// `INVALID_OPTION` for a property that a will cannot have.
    pub fn add_will_property(&mut self, property: Property<'_>) -> Result<&mut Self> {
        let will = self.settings.will.get_or_insert_with(Will::default);
        add(&mut will.properties, property, Place::Will)?;
        Ok(self)
    }

    /// Takes the will back.
    pub fn clear_will(&mut self) -> &mut Self {
        self.settings.will = None;
        self
    }

    /// Adds a property to CONNECT (MQTT 5.0 only; ignored before). Receive maximum and maximum
    /// packet size have setters of their own.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a property that CONNECT cannot have.
    pub fn add_connect_property(&mut self, property: Property<'_>) -> Result<&mut Self> {
        match property {
            Property::ReceiveMaximum(value) => self.set_receive_maximum(value).map(drop)?,
            Property::MaximumPacketSize(value) => self.set_maximum_packet_size(value).map(drop)?,
            other => add(&mut self.settings.properties, other, Place::Connect)?,
        }
        Ok(self)
    }

    /// Fills in what follows from the rest.
    pub(super) fn complete(&mut self) {
        // The broker must not have more in flight than fits into the queue.
        let queue = u16::try_from(self.habits.incoming_messages).unwrap_or(u16::MAX);
        if self.settings.receive_maximum > queue {
            self.settings.receive_maximum = queue;
        }
        // Two bytes more in each message, and numbers that no earlier process is likely to have used.
        if self.settings.version.is_v5() && !self.settings.clean_session {
            self.settings.first_subscription_identifier = fastrand::u32(1 << 14..1 << 21);
        }
        // MQTT 3.1 knows no empty client id.
        if self.settings.version == Version::V31 && self.client_id.is_empty() {
            self.client_id = format!("mqtt{:016x}", fastrand::u64(..)).into();
        }
        self.settings.share(&USUAL_SETTINGS);
        self.habits.share(&USUAL_HABITS);
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address())
            .field("client_id", &self.client_id)
            .field("session", &self.settings)
            .finish_non_exhaustive()
    }
}

fn text(value: &str, what: &str) -> Result<String> {
    if value.len() > usize::from(u16::MAX) || value.contains('\0') {
        return Err(Error::new(
            Code::InvalidUtf8,
            format!("The {what} must have at most 65,535 bytes and no U+0000"),
        ));
    }
    Ok(value.to_owned())
}

/// Adds a property that may stand at this place; otherwise the block stays as it is.
fn add(block: &mut PropertyBlock, property: Property<'_>, place: Place) -> Result<()> {
    let name = property.identifier().name();
    let whole = if place == Place::Will { "the will" } else { "CONNECT" };
    let cannot = |why: &dyn fmt::Display| {
        let sentence = format!("The property {name} cannot be added to {whole}: {why}");
        Error::new(Code::InvalidOption, sentence)
    };
    if !property.identifier().allowed_in(place) {
        return Err(cannot(&"it has no place there"));
    }
    let mut with = block.clone();
    with.push(property).map_err(|error| {
        cannot(&match error {
            EncodeError::Forbidden(violation) => {
                EncodeError::Forbidden(violation.on(place.packet_type()))
            }
            other => other,
        })
    })?;
    *block = with;
    Ok(())
}

fn not_zero(messages: usize, bytes: usize) -> Result<()> {
    if messages == 0 || bytes == 0 {
        return Err(Error::new(
            Code::InvalidOption,
            "Both limits of a queue, in messages and in bytes, must be above zero",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_stands_only_where_it_may() {
        let mut options = Options::new();
        let refused = options.add_connect_property(Property::ContentType("text")).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOption);
        let refused = options.add_will_property(Property::TopicAlias(1)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOption);
        options.add_connect_property(Property::SessionExpiryInterval(5)).unwrap();
        assert!(options.add_connect_property(Property::SessionExpiryInterval(6)).is_err(), "twice");
        options.add_connect_property(Property::UserProperty("a", "b")).unwrap();
        options.add_connect_property(Property::UserProperty("a", "b")).unwrap();
        options.add_will_property(Property::WillDelayInterval(1)).unwrap();
    }
}
