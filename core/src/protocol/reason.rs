//! The reason codes of section 2.4, in one table.

use super::{PacketType, Violation, wire::Reader};

macro_rules! reason_codes {
    ($($number:literal $variant:ident $name:literal [$($packet:ident)*] $doc:literal;)*) => {
        /// Why something was done or refused; 5.0 only. Below 0x80 it succeeded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = concat!($name, ". ", $doc)] $variant = $number,)*
        }

        impl ReasonCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant,)*];

            /// The code of its number.
            #[inline]
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name as the specification writes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether the specification lists this code for this packet.
            pub const fn allowed_in(self, packet: PacketType) -> bool {
                match self {
                    $(Self::$variant => matches!(packet, $(PacketType::$packet)|*),)*
                }
            }
        }
    };
}

impl ReasonCode {
    /// The number on the wire.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// Whether it tells of a failure.
    #[inline]
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// Takes a reason code off the reader; whether it belongs to the packet is not checked.
    pub(super) fn read(reader: &mut Reader<'_>, packet: PacketType) -> Result<Self, Violation> {
        const UNKNOWN: Violation =
            Violation::malformed("with a reason code that does not exist", "");
        Self::from_u8(reader.byte()?).ok_or(UNKNOWN.on(packet))
    }
}

reason_codes! {
    0x00 Success "Success" [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth]
        "In a DISCONNECT it is called Normal disconnection, in a SUBACK Granted QoS 0.";
    0x01 GrantedQos1 "Granted QoS 1" [Suback] "Messages come with at most QoS 1.";
    0x02 GrantedQos2 "Granted QoS 2" [Suback] "Messages come with at most QoS 2.";
    0x04 DisconnectWithWillMessage "Disconnect with Will Message" [Disconnect]
        "The client leaves and wants its will published.";
    0x10 NoMatchingSubscribers "No matching subscribers" [Puback Pubrec]
        "The message was accepted, and nobody wanted it.";
    0x11 NoSubscriptionExisted "No subscription existed" [Unsuback]
        "There was nothing to unsubscribe from.";
    0x18 ContinueAuthentication "Continue authentication" [Auth]
        "The exchange needs another step.";
    0x19 ReAuthenticate "Re-authenticate" [Auth] "The client starts another exchange.";
    0x80 UnspecifiedError "Unspecified error" [Connack Puback Pubrec Suback Unsuback Disconnect]
        "The sender does not say why, or no other code fits.";
    0x81 MalformedPacket "Malformed Packet" [Connack Disconnect]
        "A packet could not be parsed.";
    0x82 ProtocolError "Protocol Error" [Connack Disconnect]
        "A packet came out of order or held what is not allowed.";
    0x83 ImplementationSpecificError "Implementation specific error"
        [Connack Puback Pubrec Suback Unsuback Disconnect]
        "The packet is valid, but this receiver does not accept it.";
    0x84 UnsupportedProtocolVersion "Unsupported Protocol Version" [Connack]
        "The server does not speak the version that the client asked for.";
    0x85 ClientIdentifierNotValid "Client Identifier not valid" [Connack]
        "The server does not accept this client identifier.";
    0x86 BadUserNameOrPassword "Bad User Name or Password" [Connack]
        "The server does not accept these credentials.";
    0x87 NotAuthorized "Not authorized" [Connack Puback Pubrec Suback Unsuback Disconnect]
        "The client may not do this.";
    0x88 ServerUnavailable "Server unavailable" [Connack] "The server is not available.";
    0x89 ServerBusy "Server busy" [Connack Disconnect] "Try again later.";
    0x8A Banned "Banned" [Connack] "This client has been banned by the administrator.";
    0x8B ServerShuttingDown "Server shutting down" [Disconnect] "The server is going away.";
    0x8C BadAuthenticationMethod "Bad authentication method" [Connack Disconnect]
        "The method is not supported, or is not the one in use.";
    0x8D KeepAliveTimeout "Keep Alive timeout" [Disconnect]
        "Nothing came for one and a half times the keep alive interval.";
    0x8E SessionTakenOver "Session taken over" [Disconnect]
        "Another connection uses this client identifier.";
    0x8F TopicFilterInvalid "Topic Filter invalid" [Suback Unsuback Disconnect]
        "The filter is well formed but not accepted.";
    0x90 TopicNameInvalid "Topic Name invalid" [Connack Puback Pubrec Disconnect]
        "The topic is well formed but not accepted.";
    0x91 PacketIdentifierInUse "Packet Identifier in use" [Puback Pubrec Suback Unsuback]
        "The two ends disagree about the session's state.";
    0x92 PacketIdentifierNotFound "Packet Identifier not found" [Pubrel Pubcomp]
        "No exchange with this packet identifier is known.";
    0x93 ReceiveMaximumExceeded "Receive Maximum exceeded" [Disconnect]
        "More unacknowledged messages came than the receiver allows.";
    0x94 TopicAliasInvalid "Topic Alias invalid" [Disconnect]
        "A topic alias is zero, or larger than the receiver allows.";
    0x95 PacketTooLarge "Packet too large" [Connack Disconnect]
        "A packet is larger than the receiver accepts.";
    0x96 MessageRateTooHigh "Message rate too high" [Disconnect] "Messages come too fast.";
    0x97 QuotaExceeded "Quota exceeded" [Connack Puback Pubrec Suback Disconnect]
        "A limit of the implementation or the administrator was reached.";
    0x98 AdministrativeAction "Administrative action" [Disconnect]
        "The administrator closed the connection.";
    0x99 PayloadFormatInvalid "Payload format invalid" [Connack Puback Pubrec Disconnect]
        "The payload is not what the payload format indicator says.";
    0x9A RetainNotSupported "Retain not supported" [Connack Disconnect]
        "The server keeps no retained messages.";
    0x9B QosNotSupported "QoS not supported" [Connack Disconnect]
        "The QoS is above what the server announced in CONNACK.";
    0x9C UseAnotherServer "Use another server" [Connack Disconnect]
        "The client should use another server for now.";
    0x9D ServerMoved "Server moved" [Connack Disconnect]
        "The client should use another server from now on.";
    0x9E SharedSubscriptionsNotSupported "Shared Subscriptions not supported" [Suback Disconnect]
        "The server has no shared subscriptions, or not for this client.";
    0x9F ConnectionRateExceeded "Connection rate exceeded" [Connack Disconnect]
        "Connections come too fast.";
    0xA0 MaximumConnectTime "Maximum connect time" [Disconnect]
        "The time that was granted to this connection has passed.";
    0xA1 SubscriptionIdentifiersNotSupported "Subscription Identifiers not supported"
        [Suback Disconnect] "The server has no subscription identifiers.";
    0xA2 WildcardSubscriptionsNotSupported "Wildcard Subscriptions not supported"
        [Suback Disconnect] "The server has no subscriptions with wildcards.";
}
