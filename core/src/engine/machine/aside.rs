//! Received messages that are set aside, so that they cannot make the session connect for ever: those
//! larger than it accepts, and those on which connection after connection ended.
//!
//! Under 5.0 the broker was told the limit, and who breaks it is told so [MQTT-3.1.2-24]; only when
//! that does not help the message is skipped. Before, the limit is ours alone, and the message is
//! skipped at once. In either case nothing of it is kept but its topic and packet id, and it is
//! acknowledged in its turn, so that the broker does not send it again.

use super::{Engine, Phase, input::violated};
use crate::{
    engine::{Event, SetAside, incoming::Arrival, suspicion::Digest},
    error::{Code, Error},
    protocol::{Cut, Frame, Glimpse, PacketId, PacketType, QoS, ReasonCode, Violation, cut, topic},
};

/// The largest packet before the broker has accepted the connection. Whoever answers there may be
/// anybody; no CONNACK of a real broker comes near.
pub(super) const GREETING: u32 = 64 << 10;

const LARGE_GREETING: Violation = Violation {
    reason: ReasonCode::PacketTooLarge,
    packet: None,
    detail: "of more than the 65,536 bytes that the beginning of a connection may take",
    statement: "",
};

/// What is known of a message that is set aside.
#[derive(Debug)]
struct Outcast {
    topic: Option<String>,
    size: usize,
    qos: QoS,
    duplicate: bool,
    packet_id: Option<PacketId>,
}

/// An oversized message of which the end has not come yet.
#[derive(Debug)]
pub(super) struct Skipping {
    left: usize,
    outcast: Outcast,
    /// What connections ended on before.
    violation: Option<Violation>,
}

impl Engine {
    /// The largest packet that is let in now.
    pub(super) fn largest(&self) -> u32 {
        let limit = self.settings.maximum_packet_size;
        if self.phase == Phase::Connecting { limit.min(GREETING) } else { limit }
    }

    /// A packet that is too large. A message that can be skipped is; the answer is how many bytes of
    /// the input belong to it, or nothing while more of its beginning has to come.
    #[cold]
    pub(super) fn handle_oversized(
        &mut self,
        input: &[u8],
        violation: Violation,
    ) -> Result<Option<usize>, Violation> {
        let version = self.settings.version;
        let first = input[0];
        if self.phase == Phase::Connecting && self.settings.maximum_packet_size > GREETING {
            return Err(Violation { packet: violation.packet, ..LARGE_GREETING });
        }
        if self.phase != Phase::Online || violation.packet != Some(PacketType::Publish) {
            return Err(violation);
        }
        let (header, size) = match cut(input, u32::MAX)? {
            Cut::Whole { frame, length } => (length - frame.body.len(), length),
            Cut::Partial { header: Some(header) } => header,
            Cut::Partial { header: None } => return Err(violation),
        };
        if version.is_v5() && !self.convicts(Digest::of_size(first, size)) {
            return Err(violation);
        }
        let body = &input[header..input.len().min(size)];
        let needs = Glimpse::needs(first, body, version).min(size - header);
        if body.len() < needs {
            self.needed = header + needs;
            return Ok(None);
        }
        let glimpse = Glimpse::new(Frame { first, body }, version);
        let outcast = self.outcast(&glimpse, size);
        let here = header + body.len();
        self.skipping = Some(Box::new(Skipping {
            left: size - here,
            outcast,
            violation: version.is_v5().then_some(violation),
        }));
        Ok(Some(here + self.skip(&input[here..])?))
    }

    /// Drops what belongs to the message that is being skipped; how many bytes that were.
    pub(super) fn skip(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let Some(skipping) = &mut self.skipping else { return Ok(0) };
        let skipped = input.len().min(skipping.left);
        skipping.left -= skipped;
        if skipping.left > 0 {
            return Ok(skipped);
        }
        let Some(Skipping { outcast, violation, .. }) = self.skipping.take().map(|all| *all) else {
            return Ok(skipped);
        };
        let sentence = format!(
            "The broker sent a message of {} bytes; this session accepts at most {}",
            outcast.size, self.settings.maximum_packet_size
        );
        let mut error = Error::new(Code::PacketTooLarge, sentence);
        if let Some(violation) = violation {
            error = error.with_source(violated(violation));
        }
        // A limit that the receiver has set, and nothing else is wrong with the message.
        self.set_aside(outcast, ReasonCode::QuotaExceeded, error)?;
        Ok(skipped)
    }

    /// A message that breaks the rules. It ends the connection, unless that has been tried often
    /// enough.
    #[cold]
    pub(super) fn handle_unreadable(
        &mut self,
        frame: Frame<'_>,
        size: usize,
        violation: Violation,
    ) -> Result<(), Violation> {
        let glimpse = Glimpse::new(frame, self.settings.version);
        if !self.convicts(Digest::of(&glimpse)) {
            return Err(violation);
        }
        let sentence = "Connection after connection ended on this message; it has been skipped";
        let error = Error::new(Code::SetAside, sentence).with_source(violated(violation));
        let outcast = self.outcast(&glimpse, size);
        // None of the others says it: the message is not legal, and it is not a matter of rights.
        self.set_aside(outcast, ReasonCode::UnspecifiedError, error)
    }

    fn convicts(&mut self, message: Digest) -> bool {
        self.suspicion.convicts(message, self.settings.set_aside_after)
    }

    /// What is left of a message that is set aside. Its topic alias stays good: the broker goes on to
    /// use it.
    fn outcast(&mut self, glimpse: &Glimpse<'_>, size: usize) -> Outcast {
        let topic = match (glimpse.topic, glimpse.topic_alias) {
            (Some([]), Some(alias)) => self.aliases.topic(alias).ok().map(str::to_owned),
            (Some([]) | None, _) => None,
            (Some(bytes), alias) => {
                if let (Some(alias), Ok(topic)) = (alias, topic::check_name(bytes)) {
                    let _stays_unset = self.aliases.set(alias, topic);
                }
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
        };
        let &Glimpse { qos, duplicate, packet_id, .. } = glimpse;
        Outcast { topic, size, qos, duplicate, packet_id }
    }

    fn set_aside(
        &mut self,
        outcast: Outcast,
        reason: ReasonCode,
        error: Error,
    ) -> Result<(), Violation> {
        let Outcast { topic, size, qos, duplicate, packet_id } = outcast;
        if let Some(id) = packet_id {
            let (incoming, output, journal) = self.incoming();
            let output = &mut output.open;
            match incoming.publish(id, qos, duplicate, output, journal)? {
                // It has been set aside before; what got lost is the acknowledgement.
                Arrival::Duplicate => return Ok(()),
                Arrival::Deliver { receipt, .. } => {
                    incoming.handled(receipt, reason, output, journal);
                }
            }
        }
        self.set_aside += 1;
        self.events.push_back(Event::SetAside(SetAside { number: None, topic, size, error }));
        Ok(())
    }
}
