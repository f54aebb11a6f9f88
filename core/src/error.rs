//! What can go wrong, said once for C, C++, Python and Rust.
//!
//! [`Error`] is one value: a [`Code`] from the permanent table below, a sentence for the person who
//! reads it, the cause, and what the broker said. The table is the only place where the numbers
//! are written; every face derives its own names from it.

use std::{error::Error as StdError, fmt};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: what was tried, what came back, what to check.
///
/// It prints as one sentence. The cause, where there is one, is in
/// [`source`](std::error::Error::source). A secret (password, key, token) is never part of it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    source: Option<std::sync::Arc<dyn StdError + Send + Sync>>,
    reason_code: Option<u8>,
    reason_string: Option<String>,
    server_reference: Option<String>,
    user_properties: Vec<(String, String)>,
}

impl Error {
    /// An error of this code with a sentence of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            source: None,
            reason_code: None,
            reason_string: None,
            server_reference: None,
            user_properties: Vec::new(),
        }))
    }

    /// Chains the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// Adds the MQTT reason code (under 3.1.1: the return code) that the broker gave.
    #[must_use]
    pub fn with_reason(mut self, reason_code: u8, reason_string: Option<&str>) -> Self {
        self.0.reason_code = Some(reason_code);
        self.0.reason_string = reason_string.filter(|text| !text.is_empty()).map(str::to_owned);
        self
    }

    /// Adds where the broker sends the client (MQTT 5.0 Server Reference).
    #[must_use]
    pub fn with_server_reference(mut self, reference: Option<&str>) -> Self {
        self.0.server_reference = reference.map(str::to_owned);
        self
    }

    /// Adds the user properties of the broker's answer (MQTT 5.0).
    #[must_use]
    pub fn with_user_properties<'a>(
        mut self,
        properties: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let owned = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.0.user_properties = owned.collect();
        self
    }

    /// The entry of the permanent table.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The number that C and Python see; negative, and the same for ever.
    pub fn number(&self) -> i32 {
        self.0.code.number()
    }

    /// The layer in which it happened.
    pub fn layer(&self) -> Layer {
        self.0.code.layer()
    }

    /// The sentence, without the broker's words and without the cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The MQTT reason code or return code, where a broker gave one.
    pub fn reason_code(&self) -> Option<u8> {
        self.0.reason_code
    }

    /// The broker's own words (MQTT 5.0 Reason String), where it gave any.
    pub fn reason_string(&self) -> Option<&str> {
        self.0.reason_string.as_deref()
    }

    /// Where the broker sends the client (MQTT 5.0 Server Reference), where it said so.
    pub fn server_reference(&self) -> Option<&str> {
        self.0.server_reference.as_deref()
    }

    /// The user properties of the broker's answer, name and value (MQTT 5.0).
    pub fn user_properties(&self) -> &[(String, String)] {
        &self.0.user_properties
    }

    /// Whether the same call may succeed later without a change to the program or its options.
    pub fn is_retryable(&self) -> bool {
        self.0.code.is_retryable()
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.0.code,
            Code::Timeout
                | Code::ConnectTimeout
                | Code::TlsTimeout
                | Code::ConnackTimeout
                | Code::KeepAliveTimeout
                | Code::NameTimeout
        )
    }
}

impl From<Code> for Error {
    /// The code with the sentence that the table has for it.
    fn from(code: Code) -> Self {
        Self::new(code, code.sentence())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(said) = &self.0.reason_string {
            write!(f, "; the broker says: {said}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {self}", self.0.code.name(), self.number())?;
        if let Some(source) = &self.0.source {
            write!(f, " <- {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// The part of the way from the caller to the broker and back in which an error arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// The call itself: its arguments, its moment, its deadline.
    Caller,
    /// Turning the host name into addresses.
    NameLookup,
    /// The TCP connection.
    Tcp,
    /// The proxy in between.
    Proxy,
    /// The TLS handshake or the certificates.
    Tls,
    /// The WebSocket upgrade.
    WebSocket,
    /// The broker's answer to CONNECT.
    Connack,
    /// What came is not the MQTT that the specification describes.
    Protocol,
    /// The broker understood and refused.
    Broker,
    /// A limit of this session.
    Capacity,
    /// The store on disk.
    Store,
    /// A fault of this library.
    Internal,
}

impl Layer {
    /// The layer as one lower-case word, as it stands in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::NameLookup => "name lookup",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
            Self::Connack => "connack",
            Self::Protocol => "protocol",
            Self::Broker => "broker",
            Self::Capacity => "capacity",
            Self::Store => "store",
            Self::Internal => "internal",
        }
    }
}

macro_rules! codes {
    ($($number:literal $variant:ident $name:literal $layer:ident $retry:ident $sentence:literal;)*) => {
        /// The permanent table of errors: a number never changes its meaning and is never reused.
        ///
        /// Families of one hundred follow [`Layer`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum Code {
            $(#[doc = $sentence] $variant = $number,)*
        }

        impl Code {
            /// Every entry, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The number.
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The entry of a number.
            pub const fn from_number(number: i32) -> Option<Code> {
                match number {
                    $($number => Some(Code::$variant),)*
                    _ => None,
                }
            }

            /// The name, in capitals: C prefixes it with `MQTT_`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The layer.
            pub const fn layer(self) -> Layer {
                match self { $(Code::$variant => Layer::$layer,)* }
            }

            /// Whether trying again without a change can help.
            pub const fn is_retryable(self) -> bool {
                match self { $(Code::$variant => codes!(@ $retry),)* }
            }

            /// The general sentence, for when there is nothing more precise to say.
            pub const fn sentence(self) -> &'static str {
                match self { $(Code::$variant => $sentence,)* }
            }
        }
    };
    (@ retry) => { true };
    (@ fatal) => { false };
}

codes! {
    -101 InvalidArgument "INVALID_ARGUMENT" Caller fatal "An argument is NULL, out of range or contradicts another one";
    -102 InvalidUtf8 "INVALID_UTF8" Caller fatal "A text is not valid UTF-8, or holds a character that MQTT forbids (U+0000)";
    -103 InvalidTopic "INVALID_TOPIC" Caller fatal "A topic for publishing must be 1 to 65,535 bytes long and hold no wildcard";
    -104 InvalidFilter "INVALID_FILTER" Caller fatal "A topic filter must be 1 to 65,535 bytes long, with `+` alone in a level and `#` alone in the last one";
    -105 InvalidQos "INVALID_QOS" Caller fatal "The quality of service must be 0, 1 or 2";
    -106 InvalidOption "INVALID_OPTION" Caller fatal "An option has no such name or cannot take this value";
    -107 InvalidAddress "INVALID_ADDRESS" Caller fatal "The address cannot be understood; write host, host:port, mqtt://host or mqtts://host";
    -108 InvalidClientId "INVALID_CLIENT_ID" Caller fatal "The client id does not suit this protocol version";
    -109 NotConnected "NOT_CONNECTED" Caller retry "The session has not been connected";
    -110 Timeout "TIMEOUT" Caller retry "The time given for this call has passed; what it waited for goes on";
    -111 WouldDeadlock "WOULD_DEADLOCK" Caller fatal "This call would wait for the thread or queue that it blocks itself";
    -112 Busy "BUSY" Caller retry "Another call of this kind is running on this session";
    -113 Forked "FORKED" Caller fatal "This session belongs to the process before fork; make a new one in the child";
    -114 Cancelled "CANCELLED" Caller retry "It was given up before it ended, because the session was disconnected or freed";
    -115 UnknownMessage "UNKNOWN_MESSAGE" Caller fatal "No message has this number, or it ended too long ago to be remembered";
    -116 NotSupported "NOT_SUPPORTED" Caller fatal "This protocol version or this build has no such thing";
    -117 PayloadTooLarge "PAYLOAD_TOO_LARGE" Caller fatal "The message is larger than the protocol or the broker allows";
    -118 Closed "CLOSED" Caller fatal "The session has been closed";
    -119 Interrupted "INTERRUPTED" Caller retry "A signal interrupted the call; what it waited for goes on";
    -120 AlreadyConnected "ALREADY_CONNECTED" Caller fatal "This can only be changed while the session is not connected";

    -201 NameNotFound "NAME_NOT_FOUND" NameLookup retry "The host name has no address; check its spelling and the name server";
    -202 NameLookupFailed "NAME_LOOKUP_FAILED" NameLookup retry "The name server could not be asked";
    -203 NameTimeout "NAME_TIMEOUT" NameLookup retry "The name server did not answer in time";

    -301 ConnectionRefused "CONNECTION_REFUSED" Tcp retry "Nothing listens at this address and port; check both, and that the broker runs";
    -302 Unreachable "UNREACHABLE" Tcp retry "There is no route to this address; check the network and the firewall";
    -303 ConnectTimeout "CONNECT_TIMEOUT" Tcp retry "The address does not answer; check it, and that no firewall drops the packets";
    -304 ConnectionClosed "CONNECTION_CLOSED" Tcp retry "The other side closed the connection";
    -305 ConnectionReset "CONNECTION_RESET" Tcp retry "The connection was broken off";
    -306 Io "IO" Tcp retry "The operating system reported an error of the connection";

    -401 ProxyRefused "PROXY_REFUSED" Proxy retry "The proxy refused to make the connection";

    -501 TlsUnknownIssuer "TLS_UNKNOWN_ISSUER" Tls fatal "The server's certificate comes from an authority that is not trusted; give its CA certificate";
    -502 TlsExpired "TLS_EXPIRED" Tls fatal "The server's certificate has expired or is not valid yet; check it and this machine's clock";
    -503 TlsWrongName "TLS_WRONG_NAME" Tls fatal "The server's certificate is for another name; connect by the name that it holds";
    -504 TlsHandshake "TLS_HANDSHAKE" Tls retry "The TLS handshake failed";
    -505 TlsCredentials "TLS_CREDENTIALS" Tls fatal "A certificate, key or CA that was given cannot be used";
    -506 TlsClientRefused "TLS_CLIENT_REFUSED" Tls fatal "The server refused the client's certificate, or wants one";
    -507 TlsTimeout "TLS_TIMEOUT" Tls retry "The server did not finish the TLS handshake in time; does this port speak TLS?";
    -508 TlsBadCertificate "TLS_BAD_CERTIFICATE" Tls fatal "The server's certificate cannot be accepted";
    -509 TlsNotTls "TLS_NOT_TLS" Tls fatal "The server does not speak TLS on this port";

    -601 WebSocketRefused "WEBSOCKET_REFUSED" WebSocket retry "The server refused the WebSocket upgrade";

    -701 RefusedVersion "REFUSED_VERSION" Connack fatal "The broker does not speak this version of MQTT";
    -702 RefusedClientId "REFUSED_CLIENT_ID" Connack fatal "The broker does not accept this client id";
    -703 ServerUnavailable "SERVER_UNAVAILABLE" Connack retry "The broker says that it is not available";
    -704 BadCredentials "BAD_CREDENTIALS" Connack fatal "The broker does not accept the user name or password";
    -705 NotAuthorized "NOT_AUTHORIZED" Connack fatal "The broker does not allow this client to connect";
    -706 ConnectRefused "CONNECT_REFUSED" Connack retry "The broker refused the connection";
    -707 ConnackTimeout "CONNACK_TIMEOUT" Connack retry "The server accepted the connection but did not answer CONNECT in time; is it an MQTT broker?";
    -708 ClosedBeforeConnack "CLOSED_BEFORE_CONNACK" Connack retry "The server closed the connection instead of answering CONNECT";
    -709 ServerMoved "SERVER_MOVED" Connack fatal "The broker sends this client to another server";
    -710 Banned "BANNED" Connack fatal "The broker has banned this client";
    -711 AuthenticationFailed "AUTHENTICATION_FAILED" Connack fatal "The authentication exchange with the broker failed";

    -801 MalformedPacket "MALFORMED_PACKET" Protocol retry "The broker sent a packet that breaks the format of MQTT";
    -802 ProtocolError "PROTOCOL_ERROR" Protocol retry "The broker sent a packet that MQTT does not allow at this point";
    -803 NotMqtt "NOT_MQTT" Protocol fatal "The server does not speak MQTT on this port";
    -804 PacketTooLarge "PACKET_TOO_LARGE" Protocol retry "The broker sent a packet larger than this session accepts";
    -805 KeepAliveTimeout "KEEP_ALIVE_TIMEOUT" Protocol retry "The broker did not answer the ping in time";
    -806 ReceiveMaximumExceeded "RECEIVE_MAXIMUM_EXCEEDED" Protocol retry "The broker sent more unacknowledged messages than this session allows";
    -807 TopicAliasInvalid "TOPIC_ALIAS_INVALID" Protocol retry "The broker used a topic alias that it had not set or was not allowed to set";

    -901 SubscribeRefused "SUBSCRIBE_REFUSED" Broker fatal "The broker refused the subscription";
    -902 UnsubscribeRefused "UNSUBSCRIBE_REFUSED" Broker fatal "The broker refused to end the subscription";
    -903 PublishRefused "PUBLISH_REFUSED" Broker fatal "The broker refused the message";
    -904 ServerDisconnected "SERVER_DISCONNECTED" Broker retry "The broker ended the connection";
    -905 SessionLost "SESSION_LOST" Broker fatal "The broker lost the session; whether the message was delivered is unknown";
    -906 SessionTakenOver "SESSION_TAKEN_OVER" Broker fatal "Another client connected with this client id";
    -907 NoResponder "NO_RESPONDER" Broker retry "Nobody has subscribed to the topic of the request";

    -1001 QueueFull "QUEUE_FULL" Capacity retry "A queue of this session has reached its limit";
    -1002 Dropped "DROPPED" Capacity fatal "The message was dropped because the queue had reached its limit";
    -1003 Expired "EXPIRED" Capacity fatal "The message's time to live passed before it could be sent";
    -1004 OutOfMemory "OUT_OF_MEMORY" Capacity retry "There is not enough memory";
    -1005 TooManySubscriptions "TOO_MANY_SUBSCRIPTIONS" Capacity fatal "All subscription or packet identifiers are in use";
    -1006 SetAside "SET_ASIDE" Capacity fatal "The message was set aside because the connection died on it again and again";

    -1101 StoreFailed "STORE_FAILED" Store retry "The store could not be read or written";
    -1102 StoreFull "STORE_FULL" Store retry "There is no room for the store; free some of its disk, or set its limits higher";
    -1103 StoreLocked "STORE_LOCKED" Store retry "Another session or process has this store open; a store serves one at a time";
    -1104 StoreReadOnly "STORE_READ_ONLY" Store retry "The store's directory cannot be written; check its owner and its permissions";
    -1105 StoreCorrupt "STORE_CORRUPT" Store fatal "The store is damaged; repair it, which keeps what can be read and sets the rest aside";
    -1106 StoreVersion "STORE_VERSION" Store fatal "The store was written by a newer version of this library; use that version, or another directory";
    -1107 StoreForeign "STORE_FOREIGN" Store fatal "The directory holds something else than the store of this client id; use another directory";
    -1108 LeftInStore "LEFT_IN_STORE" Store retry "The session ended before the message did; it stays in the store, and the next session that opens it sends it";

    -1201 Internal "INTERNAL" Internal fatal "A fault in this library; please report it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_unique_and_in_the_family_of_its_layer() {
        let family = |layer| match layer {
            Layer::Caller => 1,
            Layer::NameLookup => 2,
            Layer::Tcp => 3,
            Layer::Proxy => 4,
            Layer::Tls => 5,
            Layer::WebSocket => 6,
            Layer::Connack => 7,
            Layer::Protocol => 8,
            Layer::Broker => 9,
            Layer::Capacity => 10,
            Layer::Store => 11,
            Layer::Internal => 12,
        };
        let mut seen = std::collections::HashSet::new();
        for &code in Code::ALL {
            assert!(seen.insert(code.number()), "{code:?} reuses a number");
            assert!(seen.len() <= Code::ALL.len());
            assert_eq!(
                -code.number() / 100,
                family(code.layer()),
                "{code:?} is in the wrong family"
            );
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
    }

    #[test]
    fn an_error_keeps_its_cause_and_the_brokers_words() {
        let cause = std::io::Error::other("the wire was cut");
        let error = Error::new(Code::ConnectRefused, "refused")
            .with_source(cause)
            .with_reason(0x97, Some("quota"));
        assert_eq!(error.to_string(), "refused; the broker says: quota");
        assert_eq!(error.source().unwrap().to_string(), "the wire was cut");
        assert_eq!(error.reason_code(), Some(0x97));
    }
}
