//! The properties of section 2.2.2, in one table: identifier, representation, where each may stand.

use std::fmt;

use super::{
    EncodeError, PacketType, Properties, ReasonCode, TopicError, Violation, topic,
    wire::{self, Reader, Writer},
};

const UNKNOWN: Violation = Violation::malformed("with a property that does not exist", "");
const ZERO_ALIAS: Violation = Violation::protocol_error("with topic alias 0", "MQTT-3.3.2-8")
    .because(ReasonCode::TopicAliasInvalid);
const LARGE_IDENTIFIER: Violation =
    Violation::protocol_error("with a subscription identifier above 268,435,455", "");
const RESPONSE_TOPIC: Violation =
    Violation::malformed("whose property Response Topic holds a wildcard", "MQTT-3.3.2-14");
const EMPTY_RESPONSE_TOPIC: Violation =
    Violation::malformed("whose property Response Topic is empty", "MQTT-4.7.3-1");

/// What may be wrong with a property.
#[derive(Clone, Copy)]
pub(super) enum Flaw {
    /// The packet cannot have it.
    Misplaced,
    /// It may stand only once and stands twice.
    Repeated,
    /// The property length ends within it.
    CutOff,
    /// A variable byte integer of more than four bytes.
    TooLong,
    /// A variable byte integer in more bytes than it needs.
    Padded,
    NotUtf8,
    /// It holds U+0000.
    Nul,
    /// It is neither 0 nor 1.
    NotABoolean,
    Zero,
}

impl PropertyIdentifier {
    /// A packet with a property of this kind that has this flaw.
    pub(super) const fn violation(self, flaw: Flaw) -> Violation {
        let words = self.words(flaw);
        match flaw {
            Flaw::Misplaced | Flaw::CutOff | Flaw::TooLong => Violation::malformed(words, ""),
            Flaw::Padded => Violation::malformed(words, "MQTT-1.5.5-1"),
            Flaw::NotUtf8 => Violation::malformed(words, "MQTT-1.5.4-1"),
            Flaw::Nul => Violation::malformed(words, "MQTT-1.5.4-2"),
            Flaw::Repeated | Flaw::NotABoolean | Flaw::Zero => Violation::protocol_error(words, ""),
        }
    }

    /// What was found while this property was read, with its name.
    #[cold]
    fn locate(self, found: Violation) -> Violation {
        self.violation(match (Violation { packet: None, ..found }) {
            wire::NOT_UTF8 => Flaw::NotUtf8,
            wire::NUL => Flaw::Nul,
            wire::LONG_VARIABLE => Flaw::TooLong,
            wire::PADDED_VARIABLE => Flaw::Padded,
            _ => Flaw::CutOff,
        })
    }
}

/// What was found while an identifier was read.
#[cold]
fn in_identifier(found: Violation) -> Violation {
    found.said(match (Violation { packet: None, ..found }) {
        wire::LONG_VARIABLE => "with a property identifier of more than four bytes",
        wire::PADDED_VARIABLE => "with a property identifier in more bytes than it needs",
        _ => "with a property length that ends before the end of a property identifier",
    })
}

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
    ($($number:literal $variant:ident $name:literal $finder:ident $representation:ident
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

            /// The name as the specification writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::UserProperty => "User Property",
                }
            }

            /// What a packet with this flaw is said to have.
            const fn words(self, flaw: Flaw) -> &'static str {
                match self {
                    $(Self::$variant => properties!(@words flaw $name),)*
                    Self::UserProperty => properties!(@words flaw "User Property"),
                }
            }

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
                Ok(match reader.variable().map_err(in_identifier)? {
                    $($number => Self::$variant(
                        reader.$representation().map_err(|broken| {
                            PropertyIdentifier::$variant.locate(broken)
                        })?,
                    ),)*
                    0x26 => {
                        let mut text = || {
                            reader.text().map_err(|broken| {
                                PropertyIdentifier::UserProperty.locate(broken)
                            })
                        };
                        Self::UserProperty(text()?, text()?)
                    }
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
    (@words $flaw:ident $name:literal) => {
        match $flaw {
            Flaw::Misplaced => concat!("with the property ", $name, ", which has no place there"),
            Flaw::Repeated => concat!("with the property ", $name, " twice"),
            Flaw::CutOff => {
                concat!("with a property length that ends before the end of its ", $name)
            }
            Flaw::TooLong => concat!("whose property ", $name, " takes more than four bytes"),
            Flaw::Padded => concat!("whose property ", $name, " takes more bytes than it needs"),
            Flaw::NotUtf8 => concat!("whose property ", $name, " is not valid UTF-8"),
            Flaw::Nul => concat!("whose property ", $name, " holds U+0000"),
            Flaw::NotABoolean => concat!("whose property ", $name, " is neither 0 nor 1"),
            Flaw::Zero => concat!("whose property ", $name, " is 0"),
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
    0x01 PayloadFormatIndicator "Payload Format Indicator" payload_format_indicator byte [Publish Will]
        "1 where the payload is UTF-8 text, 0 where nothing is said about it.";
    0x02 MessageExpiryInterval "Message Expiry Interval" message_expiry_interval four_byte [Publish Will]
        "Seconds until the message is worthless.";
    0x03 ContentType "Content Type" content_type text [Publish Will]
        "What the payload is, for instance a MIME type.";
    0x08 ResponseTopic "Response Topic" response_topic text [Publish Will]
        "The topic to which an answer is to be published.";
    0x09 CorrelationData "Correlation Data" correlation_data binary [Publish Will]
        "What the answer repeats, so that the requester can tell answers apart.";
    0x0B SubscriptionIdentifier "Subscription Identifier" subscription_identifier variable [Publish Subscribe]
        "The number of the subscription that a message matches, 1 to 268,435,455. Only in a PUBLISH it may stand more than once.";
    0x11 SessionExpiryInterval "Session Expiry Interval" session_expiry_interval four_byte [Connect Connack Disconnect]
        "Seconds for which the session outlives the connection; `u32::MAX` is for ever.";
    0x12 AssignedClientIdentifier "Assigned Client Identifier" assigned_client_identifier text [Connack]
        "The client identifier that the server chose for a client without one.";
    0x13 ServerKeepAlive "Server Keep Alive" server_keep_alive two_byte [Connack]
        "The keep alive interval, in seconds, that the server sets in place of the client's.";
    0x15 AuthenticationMethod "Authentication Method" authentication_method text [Connect Connack Auth]
        "The name of the extended authentication's method.";
    0x16 AuthenticationData "Authentication Data" authentication_data binary [Connect Connack Auth]
        "What the method exchanges. A secret.";
    0x17 RequestProblemInformation "Request Problem Information" request_problem_information byte [Connect]
        "0 where the server is to send reason strings and user properties sparingly.";
    0x18 WillDelayInterval "Will Delay Interval" will_delay_interval four_byte [Will]
        "Seconds for which the server holds the will back.";
    0x19 RequestResponseInformation "Request Response Information" request_response_information byte [Connect]
        "1 where the client asks for response information in CONNACK.";
    0x1A ResponseInformation "Response Information" response_information text [Connack]
        "What the client may build response topics from.";
    0x1C ServerReference "Server Reference" server_reference text [Connack Disconnect]
        "The server to use instead.";
    0x1F ReasonString "Reason String" reason_string text
        [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth]
        "The reason in words, for people.";
    0x21 ReceiveMaximum "Receive Maximum" receive_maximum two_byte [Connect Connack]
        "How many unacknowledged messages of QoS 1 and 2 the sender of this accepts, 1 to 65,535.";
    0x22 TopicAliasMaximum "Topic Alias Maximum" topic_alias_maximum two_byte [Connect Connack]
        "The highest topic alias that the sender of this accepts.";
    0x23 TopicAlias "Topic Alias" topic_alias two_byte [Publish]
        "A number that stands for the topic, 1 to 65,535.";
    0x24 MaximumQos "Maximum QoS" maximum_qos byte [Connack]
        "The highest QoS that the server accepts, 0 or 1; without it, 2.";
    0x25 RetainAvailable "Retain Available" retain_available byte [Connack]
        "0 where the server keeps no retained messages.";
    0x27 MaximumPacketSize "Maximum Packet Size" maximum_packet_size four_byte [Connect Connack]
        "The largest packet, in bytes, that the sender of this accepts, 1 or more.";
    0x28 WildcardSubscriptionAvailable "Wildcard Subscription Available" wildcard_subscription_available byte [Connack]
        "0 where the server has no subscriptions with wildcards.";
    0x29 SubscriptionIdentifiersAvailable "Subscription Identifiers Available" subscription_identifiers_available byte [Connack]
        "0 where the server has no subscription identifiers.";
    0x2A SharedSubscriptionAvailable "Shared Subscription Available" shared_subscription_available byte [Connack]
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
            | Self::SharedSubscriptionAvailable(2..) => {
                Err(self.identifier().violation(Flaw::NotABoolean))
            }
            Self::ReceiveMaximum(0)
            | Self::MaximumPacketSize(0)
            | Self::SubscriptionIdentifier(0) => Err(self.identifier().violation(Flaw::Zero)),
            Self::SubscriptionIdentifier(268_435_456..) => Err(LARGE_IDENTIFIER),
            // [MQTT-3.3.2-8]
            Self::TopicAlias(0) => Err(ZERO_ALIAS),
            Self::ResponseTopic(text) => check_response_topic(text),
            _ => Ok(()),
        }
    }
}

/// Somebody has to be able to publish to it.
fn check_response_topic(text: &str) -> Result<(), Violation> {
    topic::check_characters(text.as_bytes()).map_err(|error| match error {
        // [MQTT-4.7.3-1]
        TopicError::Empty => EMPTY_RESPONSE_TOPIC,
        // [MQTT-3.3.2-14]
        TopicError::Wildcard => RESPONSE_TOPIC,
        // Of one that is about to be sent; of one that was received the reader says so.
        _ => PropertyIdentifier::ResponseTopic.violation(Flaw::Nul),
    })
}
