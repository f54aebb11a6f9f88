//! The properties of section 2.2.2, in one table: identifier, representation, where each may stand.

use std::fmt;

use super::{
    EncodeError, PacketType, Properties, ReasonCode, Violation, topic,
    wire::{Reader, Writer},
};

const UNKNOWN: Violation = Violation::malformed("with a property that does not exist", "");
const NOT_A_BOOLEAN: Violation =
    Violation::protocol_error("with a property that is neither 0 nor 1", "");
const ZERO: Violation = Violation::protocol_error("with a property that must not be 0", "");
const ZERO_ALIAS: Violation = Violation::protocol_error("with topic alias 0", "MQTT-3.3.2-8")
    .because(ReasonCode::TopicAliasInvalid);
const LARGE_IDENTIFIER: Violation =
    Violation::protocol_error("with a subscription identifier above 268,435,455", "");
const RESPONSE_TOPIC: Violation =
    Violation::malformed("with a response topic that cannot be published to", "MQTT-3.3.2-14");

/// Where properties stand: in a packet of this type, or in the will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant is named after its packet")]
pub enum Place {
    Will = 0,
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Disconnect = 14,
    Auth = 15,
}

impl Place {
    /// The packet in which it is.
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::Will | Self::Connect => PacketType::Connect,
            Self::Connack => PacketType::Connack,
            Self::Publish => PacketType::Publish,
            Self::Puback => PacketType::Puback,
            Self::Pubrec => PacketType::Pubrec,
            Self::Pubrel => PacketType::Pubrel,
            Self::Pubcomp => PacketType::Pubcomp,
            Self::Subscribe => PacketType::Subscribe,
            Self::Suback => PacketType::Suback,
            Self::Unsubscribe => PacketType::Unsubscribe,
            Self::Unsuback => PacketType::Unsuback,
            Self::Disconnect => PacketType::Disconnect,
            Self::Auth => PacketType::Auth,
        }
    }
}

macro_rules! properties {
    ($($number:literal $variant:ident $finder:ident $representation:ident
        [$($place:ident)*] $doc:literal;)*) => {
        /// The identifier of a property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyIdentifier {
            $(#[doc = $doc] $variant = $number,)*
            /// A name and a value of the application's own; may stand anywhere, any number of times.
            UserProperty = 0x26,
        }

        impl PropertyIdentifier {
            /// Every identifier.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)* Self::UserProperty];

            /// Whether the specification lists this property for this place.
            pub const fn allowed_in(self, place: Place) -> bool {
                match self {
                    $(Self::$variant => matches!(place, $(Place::$place)|*),)*
                    Self::UserProperty => true,
                }
            }
        }

        /// A property with its value.
        ///
        /// Its debug form does not show authentication data.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Property<'a> {
            $(#[doc = $doc] $variant(properties!(@type $representation 'a)),)*
            /// A name and a value of the application's own; may stand anywhere, any number of times.
            UserProperty(&'a str, &'a str),
        }

        impl<'a> Property<'a> {
            /// The identifier.
            #[inline]
            pub const fn identifier(&self) -> PropertyIdentifier {
                match self {
                    $(Self::$variant(_) => PropertyIdentifier::$variant,)*
                    Self::UserProperty(..) => PropertyIdentifier::UserProperty,
                }
            }

            /// Takes one property off the reader; its value has not been checked.
            pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Violation> {
                Ok(match reader.variable()? {
                    $($number => Self::$variant(reader.$representation()?),)*
                    0x26 => Self::UserProperty(reader.text()?, reader.text()?),
                    _ => return Err(UNKNOWN),
                })
            }

            /// Appends the property.
            pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
                writer.byte(self.identifier() as u8)?;
                match *self {
                    $(Self::$variant(value) => writer.$representation(value),)*
                    Self::UserProperty(name, value) => {
                        writer.text(name)?;
                        writer.text(value)
                    }
                }
            }
        }

        impl fmt::Debug for Property<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Self::AuthenticationData(_) = self {
                    return f.write_str("AuthenticationData(hidden)");
                }
                match self {
                    $(Self::$variant(value) => {
                        f.debug_tuple(stringify!($variant)).field(value).finish()
                    })*
                    Self::UserProperty(name, value) => {
                        f.debug_tuple("UserProperty").field(name).field(value).finish()
                    }
                }
            }
        }

        /// One question for each property that may stand once; the answer is nothing where it is
        /// absent.
        impl<'a> Properties<'a> {
            $(#[doc = $doc]
            pub fn $finder(&self) -> Option<properties!(@type $representation 'a)> {
                match self.find(PropertyIdentifier::$variant)? {
                    Property::$variant(value) => Some(value),
                    _ => None,
                }
            })*
        }
    };
    (@type byte $life:lifetime) => { u8 };
    (@type two_byte $life:lifetime) => { u16 };
    (@type four_byte $life:lifetime) => { u32 };
    (@type variable $life:lifetime) => { u32 };
    (@type text $life:lifetime) => { &$life str };
    (@type binary $life:lifetime) => { &$life [u8] };
}

properties! {
    0x01 PayloadFormatIndicator payload_format_indicator byte [Publish Will]
        "1 where the payload is UTF-8 text, 0 where nothing is said about it.";
    0x02 MessageExpiryInterval message_expiry_interval four_byte [Publish Will]
        "Seconds until the message is worthless.";
    0x03 ContentType content_type text [Publish Will]
        "What the payload is, for instance a MIME type.";
    0x08 ResponseTopic response_topic text [Publish Will]
        "The topic to which an answer is to be published.";
    0x09 CorrelationData correlation_data binary [Publish Will]
        "What the answer repeats, so that the requester can tell answers apart.";
    0x0B SubscriptionIdentifier subscription_identifier variable [Publish Subscribe]
        "The number of the subscription that a message matches, 1 to 268,435,455. Only in a PUBLISH it may stand more than once.";
    0x11 SessionExpiryInterval session_expiry_interval four_byte [Connect Connack Disconnect]
        "Seconds for which the session outlives the connection; `u32::MAX` is for ever.";
    0x12 AssignedClientIdentifier assigned_client_identifier text [Connack]
        "The client identifier that the server chose for a client without one.";
    0x13 ServerKeepAlive server_keep_alive two_byte [Connack]
        "The keep alive interval, in seconds, that the server sets in place of the client's.";
    0x15 AuthenticationMethod authentication_method text [Connect Connack Auth]
        "The name of the extended authentication's method.";
    0x16 AuthenticationData authentication_data binary [Connect Connack Auth]
        "What the method exchanges. A secret.";
    0x17 RequestProblemInformation request_problem_information byte [Connect]
        "0 where the server is to send reason strings and user properties sparingly.";
    0x18 WillDelayInterval will_delay_interval four_byte [Will]
        "Seconds for which the server holds the will back.";
    0x19 RequestResponseInformation request_response_information byte [Connect]
        "1 where the client asks for response information in CONNACK.";
    0x1A ResponseInformation response_information text [Connack]
        "What the client may build response topics from.";
    0x1C ServerReference server_reference text [Connack Disconnect]
        "The server to use instead.";
    0x1F ReasonString reason_string text
        [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth]
        "The reason in words, for people.";
    0x21 ReceiveMaximum receive_maximum two_byte [Connect Connack]
        "How many unacknowledged messages of QoS 1 and 2 the sender of this accepts, 1 to 65,535.";
    0x22 TopicAliasMaximum topic_alias_maximum two_byte [Connect Connack]
        "The highest topic alias that the sender of this accepts.";
    0x23 TopicAlias topic_alias two_byte [Publish]
        "A number that stands for the topic, 1 to 65,535.";
    0x24 MaximumQos maximum_qos byte [Connack]
        "The highest QoS that the server accepts, 0 or 1; without it, 2.";
    0x25 RetainAvailable retain_available byte [Connack]
        "0 where the server keeps no retained messages.";
    0x27 MaximumPacketSize maximum_packet_size four_byte [Connect Connack]
        "The largest packet, in bytes, that the sender of this accepts, 1 or more.";
    0x28 WildcardSubscriptionAvailable wildcard_subscription_available byte [Connack]
        "0 where the server has no subscriptions with wildcards.";
    0x29 SubscriptionIdentifiersAvailable subscription_identifiers_available byte [Connack]
        "0 where the server has no subscription identifiers.";
    0x2A SharedSubscriptionAvailable shared_subscription_available byte [Connack]
        "0 where the server has no shared subscriptions.";
}

impl Property<'_> {
    /// Checks the value, apart from what its representation already guarantees.
    pub(super) fn check(&self) -> Result<(), Violation> {
        match *self {
            Self::PayloadFormatIndicator(2..)
            | Self::RequestProblemInformation(2..)
            | Self::RequestResponseInformation(2..)
            | Self::MaximumQos(2..)
            | Self::RetainAvailable(2..)
            | Self::WildcardSubscriptionAvailable(2..)
            | Self::SubscriptionIdentifiersAvailable(2..)
            | Self::SharedSubscriptionAvailable(2..) => Err(NOT_A_BOOLEAN),
            Self::ReceiveMaximum(0)
            | Self::MaximumPacketSize(0)
            | Self::SubscriptionIdentifier(0) => Err(ZERO),
            Self::SubscriptionIdentifier(268_435_456..) => Err(LARGE_IDENTIFIER),
            // [MQTT-3.3.2-8]
            Self::TopicAlias(0) => Err(ZERO_ALIAS),
            // [MQTT-3.3.2-14]
            Self::ResponseTopic(text) if topic::check_characters(text.as_bytes()).is_err() => {
                Err(RESPONSE_TOPIC)
            }
            _ => Ok(()),
        }
    }
}
