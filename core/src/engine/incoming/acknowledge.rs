//! The acknowledgements: PUBACK, PUBREC and PUBCOMP, in the order in which the messages came.

use super::{Incoming, Known, Receipt, Stage, list};
use crate::{
    engine::{Output, Receiving, journal::Journal, record::Record},
    protocol::{
        Ack, AckKind, PacketId, PacketType, Properties, PropertyBlock, PropertyIdentifier, QoS,
        ReasonCode, Violation, encode_short,
    },
};

const TOO_EARLY: Violation =
    Violation::protocol_error("for a message that this session had not confirmed with PUBREC", "")
        .on(PacketType::Pubrel);

impl Incoming {
    /// A message has been handled. `false` when there is nothing left to acknowledge: it has been
    /// done, or the broker's session is gone.
    pub(in crate::engine) fn handled(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        output: &mut Output,
        journal: &mut Journal,
    ) -> bool {
        let v5 = self.version.is_v5();
        let Some((key, entry)) = self.unhandled(receipt) else { return false };
        let kind =
            if entry.qos == QoS::ExactlyOnce { PacketType::Pubrec } else { PacketType::Puback };
        let reason = match reason.allowed_in(kind) {
            true => reason,
            false => ReasonCode::UnspecifiedError,
        };
        let stage = std::mem::replace(&mut entry.stage, Stage::Handled(reason));
        let on_record = matches!(stage, Stage::Begun(Receiving::Handled));
        // Also when its turn has not come: it must not be delivered again. A refusal goes on record
        // when it leaves; until then the broker may send the message once more as the same.
        if entry.qos == QoS::ExactlyOnce && !on_record && !(v5 && reason.is_error()) {
            journal.record(&Record::Handled { packet_id: entry.packet_id });
        }
        // One of an earlier connection waits for the broker to send it again.
        if entry.current {
            let qos = entry.qos;
            if self.order[list(qos)].handled(key) {
                self.acknowledge_in_order(qos, output, journal);
            }
        }
        true
    }

    /// A message has been handled, and its acknowledgement says something beside the reason.
    pub(in crate::engine) fn refused(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        properties: PropertyBlock,
        output: &mut Output,
        journal: &mut Journal,
    ) -> bool {
        if self.version.is_v5()
            && !properties.is_empty()
            && let Some((key, _)) = self.unhandled(receipt)
        {
            self.said.insert(key, properties);
        }
        self.handled(receipt, reason, output, journal)
    }

    pub(super) fn acknowledge_in_order(
        &mut self,
        qos: QoS,
        output: &mut Output,
        journal: &mut Journal,
    ) {
        while let Some(key) = self.order[list(qos)].first() {
            let Stage::Handled(reason) = self.waiting[key].stage else { return };
            self.order[list(qos)].pop();
            let packet_id = self.waiting.remove(key).packet_id;
            let refused = self.version.is_v5() && reason.is_error();
            let kind = match qos {
                QoS::ExactlyOnce => AckKind::Pubrec,
                _ => AckKind::Puback,
            };
            if qos == QoS::ExactlyOnce {
                if refused {
                    // The same id is a new message from now on [MQTT-4.3.3-9]: were "delivering" still
                    // on record, it would be marked as one that a handler has seen.
                    journal.record(&Record::Forgotten { packet_id });
                    self.exactly_once.remove(&packet_id);
                } else {
                    let known = Known::Received { counted: true, recovered: false };
                    self.exactly_once.insert(packet_id, known);
                }
                // After PUBREC the broker does not send the message again.
                output.require(journal.newest());
            }
            if refused || qos != QoS::ExactlyOnce {
                self.outstanding = self.outstanding.saturating_sub(1);
            }
            let bare = reason == ReasonCode::Success && self.said.is_empty();
            if self.version.is_v5() && !bare {
                self.explain(key, kind, packet_id, reason, output);
            } else {
                encode_short(kind, packet_id, output.buffer());
            }
        }
    }

    /// Encodes an acknowledgement with reason and properties.
    #[cold]
    fn explain(
        &mut self,
        key: usize,
        kind: AckKind,
        packet_id: PacketId,
        reason: ReasonCode,
        output: &mut Output,
    ) {
        let mut said = self.said.remove(&key).unwrap_or_default();
        // What makes the packet larger than the broker takes is left out, first what the program
        // adds for other programs [MQTT-3.4.2-2], [MQTT-3.4.2-3], [MQTT-3.5.2-2], [MQTT-3.5.2-3].
        for optional in [PropertyIdentifier::UserProperty, PropertyIdentifier::ReasonString] {
            let start = output.buffer().len();
            let ack = Ack { packet_id, reason, properties: said.as_properties() };
            let encoded = ack.encode_to(kind, self.version, output.buffer());
            if encoded.is_ok() && output.buffer().len() - start <= self.maximum_packet_size {
                return;
            }
            output.buffer().truncate(start);
            said.remove(optional);
        }
        Ack { packet_id, reason, properties: Properties::EMPTY }
            .encode_to(kind, self.version, output.buffer())
            .expect("an acknowledgement without properties always fits");
    }

    /// PUBREL: the broker will not send this message again.
    pub(in crate::engine) fn released(
        &mut self,
        packet_id: PacketId,
        output: &mut Output,
        journal: &mut Journal,
    ) -> Result<(), Violation> {
        let known = self.exactly_once.get(&packet_id).copied();
        match known {
            // To complete it now would free the id for a message that we then took for this one.
            Some(Known::Waiting(_)) => return Err(TOO_EARLY),
            Some(Known::Received { counted, .. }) => {
                self.outstanding = self.outstanding.saturating_sub(u16::from(counted));
            }
            // A broker that has our PUBREC knows better than a record before a power failure.
            Some(Known::Begun) | None => {}
        }
        if known.is_some() {
            self.exactly_once.remove(&packet_id);
            journal.record(&Record::Forgotten { packet_id });
        }
        self.doubt.settle(packet_id);
        // After PUBCOMP the id may stand for another message, which must not be taken for this one
        // [MQTT-4.3.3-12]. What is unknown now may have been forgotten a moment ago.
        output.require(journal.newest());
        if known.is_none() && self.version.is_v5() {
            let reason = ReasonCode::PacketIdentifierNotFound;
            let ack = Ack { packet_id, reason, properties: Properties::EMPTY };
            ack.encode_to(AckKind::Pubcomp, self.version, output.buffer())
                .expect("an acknowledgement without properties always fits");
            return Ok(());
        }
        // [MQTT-4.3.3-11]: also for an id that we do not know, or the broker would ask for ever.
        encode_short(AckKind::Pubcomp, packet_id, output.buffer());
        Ok(())
    }
}
