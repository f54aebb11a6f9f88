//! What each packet from the broker means in each phase.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Engine, Phase};
use crate::{
    engine::{
        Delivery, Event, Inbound, Match, Route, handshake,
        incoming::Arrival,
        outgoing::Outgoing,
        packet_id::{PacketIds, Use},
        request::Kind,
        server::ServerLimits,
        timer::Timer,
    },
    error::{Code, Error, Result},
    protocol::{
        Ack, AckKind, Connack, Cut, Disconnect, Frame, Packet, PacketId, PacketType, Properties,
        RawPublish, ReasonCode, Sender, Version, Violation, cut, topic,
    },
};

impl Engine {
    /// Takes in what was read; how many bytes of it were whole packets. The rest is to be given
    /// again, with what follows it.
    ///
    /// # Errors
    /// The connection has to be closed, after the output (which may hold a DISCONNECT) is written:
    /// the broker refused or ended it, or broke the protocol.
    pub fn handle_input(
        &mut self,
        input: &[u8],
        inbound: &mut Inbound,
        now: Instant,
    ) -> Result<usize> {
        if matches!(self.phase, Phase::Offline | Phase::Ending) {
            return Ok(input.len());
        }
        // Any byte shows that the broker lives.
        self.last_received = Some(now);
        self.timers.stop(Timer::PingAnswer);
        let mut from = 0;
        self.needed = 0;
        while from < input.len() {
            match cut(&input[from..], self.settings.maximum_packet_size) {
                Ok(Cut::Whole { frame, length }) => {
                    let result = if frame.first >> 4 == PacketType::Publish as u8
                        && self.phase == Phase::Online
                    {
                        self.handle_publish(frame, from + length, inbound).map_err(Fault::from)
                    } else {
                        self.handle_frame(frame, now)
                    };
                    result.map_err(|fault| self.fail(fault))?;
                    from += length;
                }
                // Something else may never send as much as its first bytes would mean in MQTT.
                Ok(Cut::Partial { .. })
                    if self.phase == Phase::Connecting
                        && input[from] >> 4 != PacketType::Connack as u8 =>
                {
                    return Err(self.fail(NO_CONNACK.into()));
                }
                Ok(Cut::Partial { header }) => {
                    self.needed = header.map_or(0, |(_, total)| total);
                    break;
                }
                Err(violation) => return Err(self.fail(violation.into())),
            }
        }
        // Acknowledgements have opened the window and given packet ids free.
        self.pump(now);
        Ok(from)
    }

    /// `end` is where the packet ends in the input.
    #[inline]
    fn handle_publish(
        &mut self,
        frame: Frame<'_>,
        end: usize,
        inbound: &mut Inbound,
    ) -> Result<(), Violation> {
        let publish = RawPublish::decode(frame, self.settings.version)?;
        let found = match publish.properties.topic_alias() {
            None => self.subscriptions.router.find(publish.topic, checked)?,
            Some(alias) => self.aliased(alias, publish.topic)?,
        };
        let receipt = match publish.packet_id {
            None => None,
            Some(id) => {
                match self.incoming.publish(id, publish.qos, publish.duplicate, &mut self.output)? {
                    Arrival::Deliver(receipt) => Some(receipt),
                    Arrival::Duplicate => return Ok(()),
                }
            }
        };
        self.received += 1;
        let receipt = match receipt {
            Some(receipt) if self.settings.acknowledge_on_receipt => {
                self.incoming.handled(receipt, ReasonCode::Success, &mut self.output);
                None
            }
            other => other,
        };
        if found.routes.is_empty() && receipt.is_none() {
            self.unrouted += 1;
            return Ok(());
        }
        let found = narrowed(found, publish.properties);
        let payload = end - publish.payload.len();
        let properties = publish.properties.as_bytes().len();
        match inbound.matches.last() {
            Some(last) if Arc::ptr_eq(last, &found) => {}
            _ => inbound.matches.push(found),
        }
        inbound.deliveries.push(Delivery {
            matched: inbound.matches.len() as u32 - 1,
            payload: payload as u32..end as u32,
            properties: (payload - properties) as u32..payload as u32,
            qos: publish.qos,
            retain: publish.retain,
            duplicate: publish.duplicate,
            receipt,
        });
        Ok(())
    }

    #[cold]
    fn aliased(&mut self, alias: u16, topic: &[u8]) -> Result<Arc<Match>, Violation> {
        if topic.is_empty() {
            let topic = self.aliases.topic(alias)?.as_bytes();
            return self.subscriptions.router.find(topic, checked);
        }
        let found = self.subscriptions.router.find(topic, checked)?;
        self.aliases.set(alias, &found.topic)?;
        Ok(found)
    }

    fn handle_frame(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        if self.phase == Phase::Connecting {
            return self.handle_first(frame, now);
        }
        let kind = frame.packet_type()?;
        match Packet::decode_from(Sender::Server, frame, self.settings.version)? {
            Packet::Puback(ack) => self.handle_ack(kind, &ack, Outgoing::acknowledged)?,
            Packet::Pubcomp(ack) => self.handle_ack(kind, &ack, Outgoing::completed)?,
            Packet::Pubrec(ack) => self.handle_pubrec(&ack)?,
            Packet::Pubrel(ack) => self.incoming.released(ack.packet_id, &mut self.output),
            Packet::Suback(ack) => {
                self.handle_request_ack(kind, ack.packet_id, ack.codes, ack.properties)?;
            }
            Packet::Unsuback(ack) => {
                self.handle_request_ack(kind, ack.packet_id, ack.codes, ack.properties)?;
            }
            Packet::Pingresp => self.outgoing.ping_answered(),
            Packet::Disconnect(disconnect) => {
                let Disconnect { reason, properties } = disconnect;
                return Err(Fault::Ended(handshake::disconnected(reason, properties)));
            }
            // A second CONNACK; an AUTH for a session that asked for no authentication method.
            _ => return Err(Fault::out_of_place(kind, "at a moment that has no use for one")),
        }
        Ok(())
    }

    /// The first packet from the broker must be CONNACK [MQTT-3.2.0-1].
    fn handle_first(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        let kind = frame.packet_type()?;
        let Packet::Connack(connack) = Packet::decode(frame, self.settings.version)? else {
            return Err(Fault::out_of_place(kind, "before CONNACK"));
        };
        if !connack.is_accepted() {
            return Err(Fault::Ended(handshake::refused(&connack, self.settings.version)));
        }
        self.handle_accepted(&connack, now)
    }

    fn handle_accepted(&mut self, connack: &Connack<'_>, now: Instant) -> Result<(), Fault> {
        let version = self.settings.version;
        // [MQTT-3.2.2-2]
        if self.clean_start && connack.session_present {
            return Err(Fault::out_of_place(
                PacketType::Connack,
                "with session present for a clean start",
            ));
        }
        // MQTT 3.1 has no session-present flag: what was asked for is what is.
        let resumed = match version {
            Version::V31 => !self.settings.clean_session,
            _ => connack.session_present,
        };
        let connected = handshake::accepted(connack, &self.client_id);
        self.client_id.clone_from(&connected.client_id);
        self.server = ServerLimits::new(connack.properties);
        if let Some(seconds) = connack.properties.server_keep_alive() {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        self.phase = Phase::Online;
        self.incoming.connected(resumed);
        self.outgoing.connected(
            resumed,
            self.settings.end_on_session_loss,
            self.server,
            &mut self.ids,
        );
        self.subscriptions.connected(resumed && version != Version::V31, &self.server);
        self.events.push_back(Event::Connected(connected));
        if !self.keep_alive.is_zero() {
            self.timers.set(Timer::KeepAlive, now + self.keep_alive);
        }
        if self.outgoing.asks_for_ping() {
            self.ping();
        }
        Ok(())
    }

    fn handle_ack(
        &mut self,
        kind: PacketType,
        ack: &Ack<'_>,
        apply: impl FnOnce(&mut Outgoing, &Ack<'_>, usize, &mut PacketIds) -> Result<(), &'static str>,
    ) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => apply(&mut self.outgoing, ack, key, &mut self.ids)
                .map_err(|what| Fault::out_of_place(kind, what)),
            Some(Use::Request(_)) => Err(Fault::out_of_place(kind, FOR_A_REQUEST)),
            Some(Use::Retired) => {
                if kind == PacketType::Pubcomp {
                    // Now the broker knows it no more, either.
                    self.ids.release(ack.packet_id);
                }
                Ok(())
            }
            // Late or repeated: the message has ended already.
            None => Ok(()),
        }
    }

    fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => self
                .outgoing
                .received(ack, key, &mut self.ids, &mut self.output)
                .map_err(|what| Fault::out_of_place(PacketType::Pubrec, what)),
            Some(Use::Request(_)) => Err(Fault::out_of_place(PacketType::Pubrec, FOR_A_REQUEST)),
            Some(Use::Retired) if ack.reason.is_error() => {
                self.ids.release(ack.packet_id);
                Ok(())
            }
            Some(Use::Retired) | None => {
                if !ack.reason.is_error() {
                    self.release_unknown(ack.packet_id);
                }
                Ok(())
            }
        }
    }

    /// There is nothing to release, but the broker waits for it.
    fn release_unknown(&mut self, packet_id: PacketId) {
        let reason = match self.settings.version.is_v5() {
            true => ReasonCode::PacketIdentifierNotFound,
            false => ReasonCode::Success,
        };
        Ack { packet_id, reason, properties: Properties::EMPTY }
            .encode_to(AckKind::Pubrel, self.settings.version, self.output.buffer())
            .expect("an acknowledgement without properties always fits");
    }

    fn handle_request_ack(
        &mut self,
        kind: PacketType,
        packet_id: PacketId,
        codes: &[u8],
        properties: Properties<'_>,
    ) -> Result<(), Fault> {
        match self.ids.get(packet_id) {
            Some(Use::Request(key)) => self
                .subscriptions
                .acknowledged(
                    key,
                    match kind {
                        PacketType::Suback => Kind::Subscribe,
                        _ => Kind::Unsubscribe,
                    },
                    codes,
                    properties,
                    &mut self.ids,
                    &mut self.events,
                )
                .map_err(|what| Fault::out_of_place(kind, what)),
            Some(Use::Message(_)) => {
                Err(Fault::out_of_place(kind, "with the packet id of a message"))
            }
            Some(Use::Retired) | None => Ok(()),
        }
    }

    /// Ends the connection because of what the broker did; under 5.0 it is told why.
    fn fail(&mut self, fault: Fault) -> Error {
        let connecting = self.phase == Phase::Connecting;
        self.end_connection();
        match fault {
            Fault::Ended(error) => error,
            Fault::Violation(violation)
                if connecting && violation.packet != Some(PacketType::Connack) =>
            {
                Error::new(
                    Code::NotMqtt,
                    "The server does not speak MQTT on this port: its first bytes are no CONNACK",
                )
                .with_source(violation)
            }
            Fault::Violation(violation) => {
                self.say_disconnect(violation.reason, Properties::EMPTY);
                violated(violation)
            }
        }
    }
}

const NO_CONNACK: Violation = Violation {
    reason: ReasonCode::ProtocolError,
    packet: None,
    detail: "the beginning of another packet before CONNACK",
    statement: "MQTT-3.2.0-1",
};

const FOR_A_REQUEST: &str = "with the packet id of a subscribe or unsubscribe";

fn checked(topic: &[u8]) -> Result<&str, Violation> {
    topic::check_name(topic)
        .map_err(|error| Violation { packet: Some(PacketType::Publish), ..error.violation() })
}

/// Why a connection cannot go on.
enum Fault {
    /// The broker ended it in good order.
    Ended(Error),
    /// The broker broke the rules; it is told the reason.
    Violation(Violation),
}

impl Fault {
    fn out_of_place(packet: PacketType, detail: &'static str) -> Self {
        Violation { reason: ReasonCode::ProtocolError, packet: Some(packet), detail, statement: "" }
            .into()
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

fn violated(violation: Violation) -> Error {
    let code = match violation.reason {
        ReasonCode::MalformedPacket => Code::MalformedPacket,
        ReasonCode::PacketTooLarge => Code::PacketTooLarge,
        ReasonCode::ReceiveMaximumExceeded => Code::ReceiveMaximumExceeded,
        ReasonCode::TopicAliasInvalid => Code::TopicAliasInvalid,
        _ => Code::ProtocolError,
    };
    Error::new(code, format!("The broker sent {violation}"))
}

/// Subscription identifiers narrow the match: a copy that the broker sent for one of several
/// overlapping subscriptions reaches the handler of that one. Identifiers that leave nobody are of
/// an earlier subscription; then the topic alone decides.
fn narrowed(found: Arc<Match>, properties: Properties<'_>) -> Arc<Match> {
    if properties.is_empty() || found.routes.iter().all(|route| route.identifier.is_none()) {
        return found;
    }
    let identifiers: Vec<u32> = properties.subscription_identifiers().collect();
    if identifiers.is_empty() {
        return found;
    }
    let meant = |route: &&Route| {
        route.identifier.is_none_or(|identifier| identifiers.contains(&identifier))
    };
    match found.routes.iter().filter(meant).count() {
        0 => found,
        all if all == found.routes.len() => found,
        _ => {
            let routes = found.routes.iter().filter(meant).copied().collect();
            Arc::new(Match { topic: found.topic.clone(), routes })
        }
    }
}
