//! Reads packets: what went over the wire, as a value to assert on and a line to print.
//!
//! The reader is strict, as it stands in for every broker: whatever a client may not send is
//! [`Malformed`]. It reads the packets of a broker too, so that a trace shows both sides.

pub use crate::reader::Malformed;

use crate::property::Properties;

/// A packet that was seen on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the packet of its name")]
pub enum Seen {
    Connect(Connect),
    Connack(Connack),
    Publish(Publish),
    Puback(Acknowledgement),
    Pubrec(Acknowledgement),
    Pubrel(Acknowledgement),
    Pubcomp(Acknowledgement),
    Subscribe(Subscribe),
    Suback(Answer),
    Unsubscribe(Unsubscribe),
    Unsuback(Answer),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect),
    Auth(Auth),
}

/// CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub level: u8,
    /// The client id; may be empty.
    pub client_id: String,
    /// Clean session or clean start.
    pub clean: bool,
    /// Seconds; 0 is off.
    pub keep_alive: u16,
    /// The will message.
    pub will: Option<Will>,
    /// The user name.
    pub user: Option<String>,
    /// The password; never printed.
    pub password: Option<Vec<u8>>,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// The will in a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where it is published.
    pub topic: String,
    /// What is published.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connack {
    /// Whether the broker had a session.
    pub session_present: bool,
    /// Return code or reason code.
    pub reason: u8,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whether it says that it is a repetition.
    pub dup: bool,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it is (to be) retained.
    pub retain: bool,
    /// Empty only with a topic alias.
    pub topic: String,
    /// 0 at QoS 0, which has none.
    pub id: u16,
    /// Empty before 5.0.
    pub properties: Properties,
    /// What was published.
    pub payload: Vec<u8>,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The packet id.
    pub id: u16,
    /// The reason code; 0 where the packet leaves it out.
    pub reason: u8,
    /// Whether a PUBREL of 3.1 says that it is a repetition.
    pub dup: bool,
    /// Empty before 5.0.
    pub properties: Properties,
    /// Bytes behind the fixed header: 2 in the short form.
    pub length: usize,
}

/// SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The packet id.
    pub id: u16,
    /// Whether one of 3.1 says that it is a repetition.
    pub dup: bool,
    /// At least one.
    pub filters: Vec<Filter>,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The filter's text.
    pub filter: String,
    /// The highest QoS wanted.
    pub qos: u8,
    /// 5.0: not what this client itself publishes.
    pub no_local: bool,
    /// 5.0: keep the retain flag of what is forwarded.
    pub retain_as_published: bool,
    /// 5.0: 0 always, 1 for a new subscription, 2 never.
    pub retain_handling: u8,
}

/// SUBACK or UNSUBACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The packet id.
    pub id: u16,
    /// One for each filter; none in an UNSUBACK before 5.0.
    pub reasons: Vec<u8>,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The packet id.
    pub id: u16,
    /// Whether one of 3.1 says that it is a repetition.
    pub dup: bool,
    /// At least one.
    pub filters: Vec<String>,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// DISCONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The reason code; 0 where the packet leaves it out.
    pub reason: u8,
    /// Empty before 5.0.
    pub properties: Properties,
}

/// AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The reason code; 0 where the packet leaves it out.
    pub reason: u8,
    /// Authentication method, data and more.
    pub properties: Properties,
}
