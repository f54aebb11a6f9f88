//! What a session is told before it connects.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    engine::{QueuePolicy, Settings, Will},
    error::{Code, Error, Result},
    protocol::{EncodeError, Place, Property, PropertyBlock, QoS, Version, topic},
    transport::{Endpoint, Material, Roots, TlsOptions},
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
    /// and every call that would have to wait answers `WOULD_DEADLOCK` there.
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

/// Everything that a session is told before it connects.
///
/// Each setter checks its value at once. A session takes a copy, so changing the options later
/// changes nothing.
#[derive(Clone)]
pub struct Options {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Settings,
    pub(crate) any_client_id: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) outgoing_wait: Duration,
    pub(crate) incoming_messages: usize,
    pub(crate) incoming_bytes: usize,
    pub(crate) dispatch: Dispatch,
    pub(crate) manual: bool,
    pub(crate) acknowledge_failed: bool,
    pub(crate) reconnect: bool,
    pub(crate) reconnect_delay: (Duration, Duration),
    pub(crate) stable_time: Duration,
    pub(crate) tls: TlsOptions,
    pub(crate) callback_scope: Option<CallbackScope>,
}

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
            settings: Settings::default(),
            any_client_id: false,
            connect_timeout: Duration::from_secs(10),
            outgoing_wait: Duration::from_secs(10),
            incoming_messages: usize::from(u16::MAX),
            incoming_bytes: 16 << 20,
            dispatch: Dispatch::Dispatched,
            manual: false,
            acknowledge_failed: true,
            reconnect: true,
            reconnect_delay: (Duration::from_secs(1), Duration::from_secs(60)),
            stable_time: Duration::from_secs(10),
            tls: TlsOptions::default(),
            callback_scope: None,
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

    /// TLS or plain TCP.
    pub fn set_tls(&mut self, tls: bool) -> &mut Self {
        self.endpoint.set_tls(tls);
        self
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
        self.settings.client_id = text(client_id, "client id")?;
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

    /// How long one attempt to connect may take, name lookup to CONNACK. Default 10 s.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_connect_timeout(&mut self, timeout: Duration) -> Result<&mut Self> {
        if timeout.is_zero() {
            return Err(Error::new(Code::InvalidOption, "The connect timeout must not be zero"));
        }
        self.connect_timeout = timeout;
        Ok(self)
    }

    /// How long one attempt to connect may take.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
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

    /// The largest packet that the session accepts, in bytes. Default: what the protocol allows.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_maximum_packet_size(&mut self, size: u32) -> Result<&mut Self> {
        if size == 0 {
            return Err(Error::new(
                Code::InvalidOption,
                "The maximum packet size must not be zero",
            ));
        }
        self.settings.maximum_packet_size = size;
        Ok(self)
    }

    /// The most unacknowledged messages that the broker may send (MQTT 5.0). Default 65,535; never
    /// more than the incoming queue holds.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_receive_maximum(&mut self, maximum: u16) -> Result<&mut Self> {
        if maximum == 0 {
            return Err(Error::new(Code::InvalidOption, "The receive maximum must not be zero"));
        }
        self.settings.receive_maximum = maximum;
        Ok(self)
    }

    /// The most messages of QoS 1 and 2 on their way at the same time. Default 1000; under 5.0 at
    /// most the broker's receive maximum. Before 5.0 a broker cannot say how many messages of QoS 2
    /// it remembers, so by default at most 20 are of QoS 2, as many as Mosquitto takes; setting the
    /// limit sets it for both.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_in_flight_limit(&mut self, limit: u16) -> Result<&mut Self> {
        if limit == 0 {
            return Err(Error::new(Code::InvalidOption, "The in-flight limit must not be zero"));
        }
        self.settings.in_flight_limit = limit;
        self.settings.exactly_once_limit = limit;
        Ok(self)
    }

    /// The limits of the outgoing queue: messages and bytes that have not been sent or confirmed
    /// yet. Default 1,000,000 messages and 256 MiB.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_outgoing_limit(&mut self, messages: usize, bytes: usize) -> Result<&mut Self> {
        not_zero(messages, bytes)?;
        self.settings.queue.messages = messages;
        self.settings.queue.bytes = bytes;
        Ok(self)
    }

    /// What happens at the outgoing limit. Default: the call waits.
    pub fn set_outgoing_policy(&mut self, policy: QueuePolicy) -> &mut Self {
        self.settings.queue.policy = policy;
        self
    }

    /// How long a publish waits for room under [`QueuePolicy::Block`]. Default 10 s.
    pub fn set_outgoing_wait(&mut self, wait: Duration) -> &mut Self {
        self.outgoing_wait = wait;
        self
    }

    /// The limits of the receiving queue: messages and bytes that have not been handled yet. A
    /// full queue pauses reading and loses nothing. Default 65,535 messages and 16 MiB.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_incoming_limit(&mut self, messages: usize, bytes: usize) -> Result<&mut Self> {
        not_zero(messages, bytes)?;
        (self.incoming_messages, self.incoming_bytes) = (messages, bytes);
        Ok(self)
    }

    /// Where callbacks run. Default: on the library's callback threads.
    pub fn set_dispatch(&mut self, dispatch: Dispatch) -> &mut Self {
        self.dispatch = dispatch;
        self
    }

    /// When received messages are acknowledged. Default: when they have been handled.
    pub fn set_acknowledge(&mut self, acknowledge: Acknowledge) -> &mut Self {
        self.manual = acknowledge == Acknowledge::Manual;
        self.settings.acknowledge_on_receipt = acknowledge == Acknowledge::OnReceipt;
        self
    }

    /// Whether a message whose handler failed is acknowledged all the same (the default), or left
    /// for the broker to send again on the next connection.
    pub fn set_acknowledge_failed(&mut self, acknowledge: bool) -> &mut Self {
        self.acknowledge_failed = acknowledge;
        self
    }

    /// When the broker has lost the session: whether unconfirmed messages of QoS 1 and 2 end as
    /// `SESSION_LOST` instead of being published again as new ones (the default).
    pub fn set_end_on_session_loss(&mut self, end: bool) -> &mut Self {
        self.settings.end_on_session_loss = end;
        self
    }

    /// Whether the session reconnects by itself. Default true.
    pub fn set_reconnect(&mut self, reconnect: bool) -> &mut Self {
        self.reconnect = reconnect;
        self
    }

    /// The bounds of the back-off: each pause is random between zero and a value that doubles from
    /// `first` to `longest`. Default 1 s and 60 s.
    ///
    /// # Errors
    /// `INVALID_OPTION` when `first` is zero or above `longest`.
    pub fn set_reconnect_delay(&mut self, first: Duration, longest: Duration) -> Result<&mut Self> {
        if first.is_zero() || first > longest {
            return Err(Error::new(
                Code::InvalidOption,
                "The first reconnect delay must be above zero and at most the longest",
            ));
        }
        self.reconnect_delay = (first, longest);
        Ok(self)
    }

    /// How long a connection must last before the back-off starts anew. Default 10 s.
    pub fn set_stable_time(&mut self, stable: Duration) -> &mut Self {
        self.stable_time = stable;
        self
    }

    /// Trusts this authority instead of the system's. Repeating it adds one.
    pub fn add_tls_authority(&mut self, authority: Material) -> &mut Self {
        match &mut self.tls.roots {
            Roots::Own(own) | Roots::SystemAnd(own) => own.push(authority),
            Roots::System => self.tls.roots = Roots::Own(vec![authority]),
        }
        self
    }

    /// Whether the system's authorities are trusted beside those that have been added. Without any
    /// added they always are.
    pub fn set_tls_system_authorities(&mut self, too: bool) -> &mut Self {
        self.tls.roots = match (std::mem::take(&mut self.tls.roots), too) {
            (Roots::Own(own), true) => Roots::SystemAnd(own),
            (Roots::SystemAnd(own), false) => Roots::Own(own),
            (other, _) => other,
        };
        self
    }

    /// The client's certificate and key. Without `key` the certificate's PEM holds both. Files are
    /// read anew at each connection, so a renewed certificate needs no new session.
    pub fn set_tls_certificate(
        &mut self,
        certificate: Material,
        key: Option<Material>,
        key_password: Option<&str>,
    ) -> &mut Self {
        self.tls.certificate = Some(certificate);
        self.tls.key = key;
        self.tls.key_password = key_password.map(str::to_owned);
        self
    }

    /// The name that the server's certificate must hold, when it is not the host.
    pub fn set_tls_server_name(&mut self, name: Option<&str>) -> &mut Self {
        self.tls.server_name = name.map(str::to_owned);
        self
    }

    /// Whether the server's certificate is checked. Default true; false is for experiments only.
    pub fn set_tls_verify(&mut self, verify: bool) -> &mut Self {
        self.tls.verify = verify;
        self
    }

    /// Whether a publish waits while the outgoing queue is full.
    pub(super) fn blocks_when_full(&self) -> bool {
        self.settings.queue.policy == QueuePolicy::Block
    }

    /// Fills in what follows from the rest.
    pub(super) fn complete(&mut self) {
        // The broker must not have more in flight than fits into the queue.
        let queue = u16::try_from(self.incoming_messages).unwrap_or(u16::MAX);
        self.settings.receive_maximum = self.settings.receive_maximum.min(queue);
        // MQTT 3.1 knows no empty client id.
        if self.settings.version == Version::V31 && self.settings.client_id.is_empty() {
            self.settings.client_id = format!("mqtt{:016x}", fastrand::u64(..));
        }
    }

    /// A wrapper round every run of callbacks, for bindings to other languages.
    pub fn set_callback_scope(&mut self, scope: Option<CallbackScope>) -> &mut Self {
        self.callback_scope = scope;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address())
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
