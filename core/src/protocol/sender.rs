//! Who may send what: the rules that depend on which end a packet comes from.

use super::{
    Disconnect, Frame, Packet, PacketType, PropertyIdentifier, ReasonCode, Version, Violation,
    frame::NOT_IN_VERSION,
};

const ONLY_CLIENTS: Violation = Violation::protocol_error("although only clients send one", "");
const ONLY_SERVERS: Violation = Violation::protocol_error("although only brokers send one", "");
const ONLY_CLIENTS_YET: Violation =
    Violation::protocol_error("although before MQTT 5.0 only clients send one", "");
const SUBSCRIPTION_IDENTIFIER: Violation =
    Violation::protocol_error("to the server with a subscription identifier", "MQTT-3.3.4-6")
        .on(PacketType::Publish);
const SERVER_EXPIRY: Violation = Violation::protocol_error(
    "with a session expiry interval, which only clients may send",
    "MQTT-3.14.2-2",
)
.on(PacketType::Disconnect);
const CLIENTS_REASON: Violation =
    Violation::protocol_error("with a reason code that only clients may give", "");
const SERVERS_REASON: Violation =
    Violation::protocol_error("with a reason code that only brokers may give", "");

/// The end of the connection that sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The end that connected.
    Client,
    /// The end that it connected to: the broker.
    Server,
}

impl Sender {
    /// Whether this end ever sends packets of this type.
    pub const fn sends(self, packet: PacketType, version: Version) -> bool {
        match packet {
            PacketType::Connect
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Pingreq => matches!(self, Self::Client),
            PacketType::Connack
            | PacketType::Suback
            | PacketType::Unsuback
            | PacketType::Pingresp => matches!(self, Self::Server),
            PacketType::Publish
            | PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubrel
            | PacketType::Pubcomp => true,
            PacketType::Disconnect => matches!(self, Self::Client) || version.is_v5(),
            PacketType::Auth => version.is_v5(),
        }
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet that came from this end.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks; a packet that this end never sends is not looked into.
    pub fn decode_from(
        sender: Sender,
        frame: Frame<'a>,
        version: Version,
    ) -> Result<Self, Violation> {
        let packet_type = frame.packet_type()?;
        if !sender.sends(packet_type, version) {
            return Err(wrong_end(sender, packet_type));
        }
        let packet = Self::decode(frame, version)?;
        check(sender, &packet)?;
        Ok(packet)
    }
}

fn wrong_end(sender: Sender, packet: PacketType) -> Violation {
    let violation = match (packet, sender) {
        (PacketType::Auth, _) => NOT_IN_VERSION,
        (PacketType::Disconnect, _) => ONLY_CLIENTS_YET,
        (_, Sender::Server) => ONLY_CLIENTS,
        (_, Sender::Client) => ONLY_SERVERS,
    };
    violation.on(packet)
}

/// The reason code is the other end's.
fn foreign_reason(sender: Sender, packet: PacketType) -> Violation {
    let violation = match sender {
        Sender::Client => SERVERS_REASON,
        Sender::Server => CLIENTS_REASON,
    };
    violation.on(packet)
}

fn check(sender: Sender, packet: &Packet<'_>) -> Result<(), Violation> {
    match (sender, packet) {
        // [MQTT-3.3.4-6]
        (Sender::Client, Packet::Publish(publish))
            if publish.properties.contains(PropertyIdentifier::SubscriptionIdentifier) =>
        {
            return Err(SUBSCRIPTION_IDENTIFIER);
        }
        (_, Packet::Disconnect(disconnect)) => check_disconnect(sender, disconnect)?,
        // Table 3-11.
        (Sender::Client, Packet::Auth(auth)) if auth.reason == ReasonCode::Success => {
            return Err(foreign_reason(sender, PacketType::Auth));
        }
        (Sender::Server, Packet::Auth(auth)) if auth.reason == ReasonCode::ReAuthenticate => {
            return Err(foreign_reason(sender, PacketType::Auth));
        }
        _ => {}
    }
    Ok(())
}

fn check_disconnect(sender: Sender, disconnect: &Disconnect<'_>) -> Result<(), Violation> {
    use ReasonCode as Reason;

    // [MQTT-3.14.2-2]
    if sender == Sender::Server
        && disconnect.properties.contains(PropertyIdentifier::SessionExpiryInterval)
    {
        return Err(SERVER_EXPIRY);
    }
    // Table 3-10.
    let right_end = match disconnect.reason {
        Reason::DisconnectWithWillMessage => sender == Sender::Client,
        Reason::NotAuthorized
        | Reason::ServerBusy
        | Reason::ServerShuttingDown
        | Reason::KeepAliveTimeout
        | Reason::SessionTakenOver
        | Reason::TopicFilterInvalid
        | Reason::RetainNotSupported
        | Reason::QosNotSupported
        | Reason::UseAnotherServer
        | Reason::ServerMoved
        | Reason::SharedSubscriptionsNotSupported
        | Reason::ConnectionRateExceeded
        | Reason::MaximumConnectTime
        | Reason::SubscriptionIdentifiersNotSupported
        | Reason::WildcardSubscriptionsNotSupported => sender == Sender::Server,
        _ => true,
    };
    if right_end { Ok(()) } else { Err(foreign_reason(sender, PacketType::Disconnect)) }
}
