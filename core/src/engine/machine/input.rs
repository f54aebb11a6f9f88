//! What each packet from the broker means in each phase.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{Engine, Phase, time::STANDSTILL};
use crate::{
    engine::{
        Connected, Delivery, Event, Inbound, Record, SessionLoss, agreement, handshake,
        incoming::Arrival,
        outgoing::{Outgoing, Tools},
        packet_id::Use,
        request::{Answer, Kind},
        server::ServerLimits,
        timer::Timer,
    },
    error::{Code, Error, Result},
    protocol::{
        Ack, AckKind, Connack, Cut, Disconnect, Frame, Packet, PacketId, PacketType, Properties,
        QoS, RawPublish, ReasonCode, Sender, Version, Violation, cut, decode_short, topic,
    },
};

impl Engine {
    /// Takes in what was read; how many bytes of it were whole packets. The rest is to be given
    /// again, with what follows it; so is everything behind a CONNACK that the authenticator has
    /// still to accept ([`is_verifying`](Self::is_verifying)).
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
        self.needed = 0;
        let mut from = self.skip(input).map_err(|violation| self.fail(violation.into()))?;
        while from < input.len() && self.phase != Phase::Verifying {
            match cut(&input[from..], self.largest()) {
                Ok(Cut::Whole { frame, length }) => {
                    let result = if frame.first >> 4 == PacketType::Publish as u8
                        && self.phase == Phase::Online
                    {
                        self.handle_publish(frame, from..from + length, now, inbound)
                            .map_err(Fault::from)
                    } else if let Some((kind, packet_id)) = decode_short(frame)
                        && self.phase == Phase::Online
                    {
                        self.handle_ack(kind, &Ack::success(packet_id))
                    } else {
                        self.handle_frame(frame, now)
                    };
                    result.map_err(|fault| self.fail(fault))?;
                    from += length;
                }
                // Something else may never send as much as its first bytes would mean in MQTT.
                Ok(Cut::Partial { .. })
                    if self.phase == Phase::Connecting && !self.may_answer(input[from]) =>
                {
                    return Err(self.fail(NO_CONNACK.into()));
                }
                Ok(Cut::Partial { header }) => {
                    self.needed = header.map_or(0, |(_, total)| total);
                    break;
                }
                Err(violation) if violation.reason == ReasonCode::PacketTooLarge => {
                    match self.handle_oversized(&input[from..], violation) {
                        Ok(Some(skipped)) => from += skipped,
                        Ok(None) => break,
                        Err(violation) => return Err(self.fail(violation.into())),
                    }
                }
                Err(violation) => return Err(self.fail(violation.into())),
            }
        }
        // Acknowledgements have opened the window and given packet ids free.
        self.pump(now);
        Ok(from)
    }

    /// `at` is where the packet stands in the input.
    #[inline]
    fn handle_publish(
        &mut self,
        frame: Frame<'_>,
        at: Range<usize>,
        now: Instant,
        inbound: &mut Inbound,
    ) -> Result<(), Violation> {
        let publish = match RawPublish::decode(frame, self.settings.version) {
            Ok(publish) => publish,
            Err(violation) => return self.handle_unreadable(frame, at.len(), violation),
        };
        let found = match publish.properties.topic_alias() {
            None => self.subscriptions.router.find(publish.topic, checked),
            Some(alias) => self.aliased(alias, publish.topic),
        };
        if let Err(violation) = found {
            return self.handle_unreadable(frame, at.len(), violation);
        }
        let (receipt, redelivered) = match publish.packet_id {
            None => (None, false),
            Some(id) => {
                let (incoming, output, journal) = self.incoming();
                let (qos, duplicate) = (publish.qos, publish.duplicate);
                let arrival = incoming.publish(id, qos, duplicate, &mut output.open, journal)?;
                if !self.timers.is_set(Timer::Standstill) {
                    self.incoming().0.watch_order();
                    self.timers.set(Timer::Standstill, now + STANDSTILL);
                }
                match arrival {
                    Arrival::Deliver { receipt, redelivered } => (Some(receipt), redelivered),
                    Arrival::Duplicate => return Ok(()),
                }
            }
        };
        self.received += 1;
        // With a store it is acknowledged where its handler is about to be called and that is on record.
        let is_recorded = self.journal.is_on() && publish.qos == QoS::ExactlyOnce;
        let receipt = match receipt {
            Some(receipt)
                if self.settings.acknowledge_on_receipt && (!is_recorded || self.is_unrouted()) =>
            {
                self.acknowledge(receipt, ReasonCode::Success);
                None
            }
            other => other,
        };
        if receipt.is_none() && self.is_unrouted() {
            self.unrouted += 1;
            return Ok(());
        }
        self.subscriptions.router.add_found(publish.properties, &mut inbound.matches);
        let end = at.end;
        let payload = end - publish.payload.len();
        let properties = publish.properties.as_bytes().len();
        inbound.deliveries.push(Delivery {
            matched: inbound.matches.len() as u32 - 1,
            payload: payload as u32..end as u32,
            properties: (payload - properties) as u32..payload as u32,
            qos: publish.qos,
            retain: publish.retain,
            duplicate: publish.duplicate,
            receipt,
            redelivered,
        });
        Ok(())
    }

    /// Whether nobody wants the topic that was looked for last.
    fn is_unrouted(&self) -> bool {
        self.subscriptions.router.found().routes.is_empty()
    }

    #[cold]
    fn aliased(&mut self, alias: u16, topic: &[u8]) -> Result<(), Violation> {
        if topic.is_empty() {
            let topic = self.aliases.topic(alias)?.as_bytes();
            return self.subscriptions.router.find(topic, checked);
        }
        self.subscriptions.router.find(topic, checked)?;
        self.aliases.set(alias, &self.subscriptions.router.found().topic)
    }

    fn handle_frame(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        if self.phase == Phase::Connecting {
            return self.handle_first(frame, now);
        }
        let kind = frame.packet_type()?;
        let packet = Packet::decode_from(Sender::Server, frame, self.settings.version)?;
        agreement::check(&self.settings, &packet)?;
        match packet {
            Packet::Puback(ack) => self.handle_ack(AckKind::Puback, &ack)?,
            Packet::Pubrec(ack) => self.handle_ack(AckKind::Pubrec, &ack)?,
            Packet::Pubrel(ack) => self.handle_ack(AckKind::Pubrel, &ack)?,
            Packet::Pubcomp(ack) => self.handle_ack(AckKind::Pubcomp, &ack)?,
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
            Packet::Auth(auth) => self.handle_auth(&auth)?,
            // [MQTT-3.2.0-2]
            Packet::Connack(_) => return Err(SECOND_CONNACK.into()),
            // The decoder has refused what only clients send.
            _ => return Err(Fault::out_of_place(kind, "although only clients send one")),
        }
        Ok(())
    }

    /// Whether an answer to CONNECT begins with this byte.
    fn may_answer(&self, first: u8) -> bool {
        first >> 4 == PacketType::Connack as u8 || (first == AUTH && self.has_method())
    }

    /// The first packet from the broker must be CONNACK [MQTT-3.2.0-1], but for the steps of an
    /// authentication.
    fn handle_first(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        let kind = frame.packet_type()?;
        let packet = Packet::decode_from(Sender::Server, frame, self.settings.version)?;
        agreement::check(&self.settings, &packet)?;
        match packet {
            Packet::Connack(connack) if connack.is_accepted() => {
                self.handle_accepted(&connack, now)
            }
            // [MQTT-4.12.0-4]
            Packet::Connack(connack) => {
                Err(Fault::Ended(handshake::refused(&connack, self.settings.version)))
            }
            Packet::Auth(auth) => self.handle_auth(&auth).map_err(Fault::early),
            _ => Err(Fault::Early(EARLY.on(kind))),
        }
    }

    fn handle_accepted(&mut self, connack: &Connack<'_>, now: Instant) -> Result<(), Fault> {
        agreement::check_connack(self.clean_start, connack)?;
        let verifies = self.check_connack(connack)?;
        let connected = handshake::accepted(connack, &self.client_id);
        match verifies {
            true => self.verify(connected),
            false => self.go_online(connected, now),
        }
        Ok(())
    }

    /// The broker has accepted, and so has the session.
    pub(super) fn go_online(&mut self, connected: Connected, now: Instant) {
        let version = self.settings.version;
        // MQTT 3.1 has no session-present flag: what was asked for is what is.
        let resumed = match version {
            Version::V31 => !self.settings.clean_session,
            _ => connected.session_present,
        };
        self.client_id.clone_from(&connected.client_id);
        self.server = ServerLimits::new(connected.properties());
        if let Some(seconds) = connected.server_keep_alive() {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        self.phase = Phase::Online;
        self.suspicion.connected();
        if !resumed {
            self.journal.session_lost();
        }
        // Also on a later connection of the broker's new session: to another process nothing but the
        // record would tell it from the old one.
        self.output.open.require(self.journal.loss());
        let size = self.server.maximum_packet_size;
        let forgotten = self.incoming.as_mut().map_or(0, |it| it.connected(resumed, size));
        let (end_on_loss, server) = (self.settings.end_on_session_loss, self.server);
        let (outgoing, tools) = self.outgoing();
        let (renewed, unknown) = outgoing.connected(resumed, end_on_loss, server, tools);
        let known = resumed && version != Version::V31;
        self.subscriptions.connected(known, &self.server, &mut self.journal);
        self.events.push_back(Event::Connected(connected));
        let loss = SessionLoss { renewed, unknown, forgotten };
        if loss != SessionLoss::default() {
            self.events.push_back(Event::SessionLost(loss));
        }
        if !self.keep_alive.is_zero() {
            self.timers.set(Timer::KeepAlive, now + self.keep_alive);
        }
        if self.outgoing.asks_for_ping() {
            // Behind whatever else the broker may end on.
            self.pump(now);
            self.ping();
        }
    }

    #[inline]
    fn handle_ack(&mut self, kind: AckKind, ack: &Ack<'_>) -> Result<(), Fault> {
        match kind {
            AckKind::Puback => {
                self.handle_end(PacketType::Puback, ack, Outgoing::acknowledged)?;
            }
            AckKind::Pubcomp => self.handle_end(PacketType::Pubcomp, ack, Outgoing::completed)?,
            AckKind::Pubrec => self.handle_pubrec(ack)?,
            AckKind::Pubrel => {
                let (incoming, output, journal) = self.incoming();
                incoming.released(ack.packet_id, &mut output.open, journal)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn handle_end(
        &mut self,
        kind: PacketType,
        ack: &Ack<'_>,
        apply: impl FnOnce(&mut Outgoing, &Ack<'_>, usize, Tools<'_>) -> Result<(), &'static str>,
    ) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => {
                let (outgoing, tools) = self.outgoing();
                apply(outgoing, ack, key, tools).map_err(|what| Fault::out_of_place(kind, what))
            }
            Some(Use::Request(_)) => Err(Fault::out_of_place(kind, FOR_A_REQUEST)),
            Some(Use::Retired) => {
                if kind == PacketType::Pubcomp {
                    // Now the broker knows it no more, either.
                    self.free(ack.packet_id);
                }
                Ok(())
            }
            // Late or repeated: the message has ended already.
            None => Ok(()),
        }
    }

    fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => {
                let (outgoing, tools) = self.outgoing();
                let received = outgoing.received(ack, key, tools);
                received.map_err(|what| Fault::out_of_place(PacketType::Pubrec, what))
            }
            Some(Use::Request(_)) => Err(Fault::out_of_place(PacketType::Pubrec, FOR_A_REQUEST)),
            Some(Use::Retired) if ack.reason.is_error() => {
                self.free(ack.packet_id);
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

    /// A retired id may be used again.
    fn free(&mut self, packet_id: PacketId) {
        self.ids.release(packet_id);
        self.journal.record(&Record::Freed { packet_id });
    }

    /// There is nothing to release, but the broker waits for it.
    fn release_unknown(&mut self, packet_id: PacketId) {
        let reason = match self.settings.version.is_v5() {
            true => ReasonCode::PacketIdentifierNotFound,
            false => ReasonCode::Success,
        };
        // That it was given up has to be on record before the broker may forget it: else the message
        // would be sent once more, and be new.
        self.output.open.require(self.journal.newest());
        Ack { packet_id, reason, properties: Properties::EMPTY }
            .encode_to(AckKind::Pubrel, self.settings.version, self.output.open.buffer())
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
            Some(Use::Request(key)) => {
                let to = match kind {
                    PacketType::Suback => Kind::Subscribe,
                    _ => Kind::Unsubscribe,
                };
                let answer = Answer { to, codes, properties };
                let (ids, journal) = (&mut self.ids, &mut self.journal);
                self.subscriptions
                    .acknowledged(key, &answer, ids, journal, &mut self.events)
                    .map_err(Fault::from)
            }
            Some(Use::Message(_)) => {
                Err(Fault::out_of_place(kind, "with the packet id of a PUBLISH"))
            }
            Some(Use::Retired) | None => Ok(()),
        }
    }

    /// Whether only a broker breaks the rules in this way, and not something else that listens there.
    fn is_answer(&self, fault: &Fault) -> bool {
        let Fault::Violation(violation) = fault else { return true };
        match violation.packet {
            Some(PacketType::Connack) => true,
            Some(PacketType::Auth) => self.has_method(),
            _ => false,
        }
    }

    /// Ends the connection because of what the broker did; under 5.0 it is told why.
    fn fail(&mut self, fault: Fault) -> Error {
        let stranger = self.phase == Phase::Connecting && !self.is_answer(&fault);
        self.end_connection();
        match fault {
            Fault::Ended(error) => error,
            Fault::Violation(violation) if stranger => Error::new(
                Code::NotMqtt,
                "The server does not speak MQTT on this port: its first bytes are no CONNACK",
            )
            .with_source(violation.in_version(self.settings.version)),
            Fault::Violation(violation) | Fault::Early(violation) => {
                self.say_disconnect(violation.reason, Properties::EMPTY);
                violated(violation.in_version(self.settings.version))
            }
        }
    }
}

/// The first byte of an AUTH.
const AUTH: u8 = (PacketType::Auth as u8) << 4;

const NO_CONNACK: Violation =
    Violation::protocol_error("that is not CONNACK and not whole", "MQTT-3.2.0-1");

const EARLY: Violation = Violation::protocol_error("before CONNACK", "MQTT-3.2.0-1");
const SECOND_CONNACK: Violation =
    Violation::protocol_error("a second time", "MQTT-3.2.0-2").on(PacketType::Connack);
const FOR_A_REQUEST: &str = "with the packet id of a SUBSCRIBE or UNSUBSCRIBE";

fn checked(topic: &[u8]) -> Result<&str, Violation> {
    topic::check_name(topic)
        .map_err(|error| Violation { packet: Some(PacketType::Publish), ..error.violation() })
}

/// Why a connection cannot go on.
pub(super) enum Fault {
    /// The broker ended it in good order.
    Ended(Error),
    /// The broker broke the rules; it is told the reason.
    Violation(Violation),
    /// A whole, legal packet instead of CONNACK: the server does speak MQTT.
    Early(Violation),
}

impl Fault {
    fn early(self) -> Self {
        match self {
            Self::Violation(violation) => Self::Early(violation),
            other => other,
        }
    }

    pub(super) fn out_of_place(packet: PacketType, detail: &'static str) -> Self {
        Violation::protocol_error(detail, "").on(packet).into()
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

pub(super) fn violated(violation: Violation) -> Error {
    let code = match violation.reason {
        ReasonCode::MalformedPacket => Code::MalformedPacket,
        ReasonCode::PacketTooLarge => Code::PacketTooLarge,
        ReasonCode::ReceiveMaximumExceeded => Code::ReceiveMaximumExceeded,
        ReasonCode::TopicAliasInvalid => Code::TopicAliasInvalid,
        _ => Code::ProtocolError,
    };
    Error::new(code, format!("The broker sent {violation}"))
}
