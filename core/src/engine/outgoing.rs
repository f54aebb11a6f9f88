//! Messages on their way to the broker, and the promise of each quality of service.
//!
//! ```text
//!              publish                window open              PUBACK
//!   (caller) ──────────► queue ─────────────────────► flight ──────────► ended        QoS 1
//!                          │                             │
//!                          │                             │ PUBREC         PUBCOMP
//!                          │                             └──────► released ──────► ended   QoS 2
//!                          │ room in the output
//!                          └───────────────────► output ──────► written: ended        QoS 0
//!
//!   connection lost: flight and released stay; on a resumed session they are sent again in the
//!   order of their numbers, PUBLISH with DUP, PUBREL as it was. Session gone: flight returns to the
//!   front of the queue as new messages, released ends as "session lost, delivery unknown".
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use slab::Slab;

use super::{
    Completion, Delivered, Ended, Outcome, Output, Refused, Ticket,
    output::LARGE_PAYLOAD,
    packet_id::{PacketIds, Use},
    server::ServerLimits,
};
use crate::{
    error::{Code, Error},
    protocol::{
        Ack, AckKind, EncodeError, PacketId, Properties, Publish, QoS, ReasonCode, Version,
        encode_pubrel_again, encode_short,
    },
};

/// How much encoded output may wait for the socket. More would only grow the buffers out of the
/// processor's caches: what does not fit waits as a message or makes the caller wait.
pub(super) const OUTPUT_LIMIT: usize = 512 << 10;

/// How many ended messages with something to tell (a failure, a reason) are remembered for a later
/// [`watch`](Outgoing::watch).
const REMEMBERED: usize = 4096;

const NOT_SENT: &str = "for a message that has not been sent again on this connection";

/// A PUBLISH with DUP set differs from the first one in this bit of the first byte.
const DUP: u8 = 0x08;

/// The bytes of a message.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied during the call.
    Borrowed(&'a [u8]),
    /// Shared; a large one is never copied.
    Shared(Bytes),
}

impl Payload<'_> {
    /// Its bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Payload<'_> {
    /// The same payload once more, without a copy.
    #[inline]
    pub fn share(&self) -> Payload<'_> {
        match self {
            Self::Borrowed(bytes) => Payload::Borrowed(bytes),
            Self::Shared(bytes) => Payload::Shared(bytes.clone()),
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}

/// A message to publish. Its topic has been checked.
pub struct Publication<'a> {
    /// A legal topic name.
    pub topic: &'a str,
    /// The payload.
    pub payload: Payload<'a>,
    /// The quality of service.
    pub qos: QoS,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Properties (MQTT 5.0; empty before).
    pub properties: Properties<'a>,
}

/// What happens when the queue has reached a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The call waits for room for a while, then it is refused.
    #[default]
    Block,
    /// The call is refused with `QUEUE_FULL`.
    Reject,
    /// The oldest message that has not been sent yet makes room and ends as dropped.
    DropOldest,
    /// The new message ends as dropped at once.
    DropNewest,
    /// Of the messages of one topic that have not been sent yet only the newest is kept; the others
    /// end as dropped. At the limit the oldest makes room.
    KeepLatest,
}

/// The bounds of what has been accepted and has not ended.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimit {
    /// Messages.
    pub messages: usize,
    /// Bytes of their packets.
    pub bytes: usize,
    /// What happens at a bound.
    pub policy: QueuePolicy,
}

/// A message kept until it has ended: the encoded packet with the places to patch.
struct Stored {
    number: u64,
    packet: Box<[u8]>,
    large: Bytes,
    packet_id_at: u32,
    topic_at: u8,
    topic_length: u16,
    qos: QoS,
    /// A newer message of the same topic took its place in the queue.
    replaced: bool,
    completion: Option<Completion>,
}

impl Stored {
    fn new(
        number: u64,
        version: Version,
        publication: &mut Publication<'_>,
    ) -> Result<Self, Error> {
        let length = publication.payload.as_slice().len();
        let mut packet = Vec::with_capacity(
            16 + publication.topic.len() + if length < LARGE_PAYLOAD { length } else { 0 },
        );
        let head = publish(publication, PacketId::new(1)).encode_head(version, length, &mut packet);
        let head = head.map_err(too_large)?;
        let large = match &mut publication.payload {
            payload if length < LARGE_PAYLOAD => {
                packet.extend_from_slice(payload.as_slice());
                Bytes::new()
            }
            Payload::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Payload::Shared(bytes) => std::mem::take(bytes),
        };
        let lengths =
            packet[1..].iter().position(|byte| byte & 0x80 == 0).expect("a length ends") + 1;
        Ok(Self {
            number,
            packet: packet.into(),
            large,
            packet_id_at: head.packet_id_at.unwrap_or(0) as u32,
            topic_at: (1 + lengths + 2) as u8,
            topic_length: publication.topic.len() as u16,
            qos: publication.qos,
            replaced: false,
            completion: None,
        })
    }

    fn weight(&self) -> usize {
        self.packet.len() + self.large.len()
    }

    fn is_retained(&self) -> bool {
        self.packet[0] & 1 == 1
    }

    fn topic(&self) -> &[u8] {
        let from = usize::from(self.topic_at);
        &self.packet[from..from + usize::from(self.topic_length)]
    }

    fn write(&self, packet_id: Option<PacketId>, duplicate: bool, output: &mut Output) {
        let buffer = output.buffer();
        let start = buffer.len();
        buffer.extend_from_slice(&self.packet);
        if let Some(id) = packet_id {
            let at = start + self.packet_id_at as usize;
            buffer[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
        }
        if duplicate {
            buffer[start] |= DUP;
        }
        if !self.large.is_empty() {
            output.push_large(self.large.clone());
        }
        if packet_id.is_none() {
            output.note_qos0(self.number);
        }
    }
}

/// A message of QoS 1 or 2 that has been sent at least once.
struct Flight {
    stored: Stored,
    packet_id: PacketId,
    /// The broker has taken the message (PUBREC): only its id matters now.
    released: bool,
    /// Its PUBLISH left on this connection and holds a place of the broker's receive maximum.
    counted: bool,
}

/// A message that a flush found unended; as long as it is, nothing else needs a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    Queue,
    Flight(usize, u64),
    Output,
}

struct Flush {
    ticket: Ticket,
    through: u64,
    witness: Witness,
}

pub(super) struct Outgoing {
    version: Version,
    limit: QueueLimit,
    /// Ours; under 5.0 the broker's receive maximum may make the window smaller.
    in_flight_limit: u16,
    server: ServerLimits,
    window: u16,
    on_wire: u16,
    last_number: u64,
    queue: VecDeque<Stored>,
    replaced: usize,
    /// Under [`QueuePolicy::KeepLatest`]: the newest queued message of each topic.
    latest: HashMap<Box<[u8]>, u64>,
    flight: Slab<Flight>,
    /// What a resumed session still has to send again, in the order of the numbers.
    resend: VecDeque<usize>,
    weight: usize,
    /// Completions that have been handed out and not been called yet keep their place.
    completing: usize,
    qos0_completions: VecDeque<(u64, Completion)>,
    /// QoS 0 messages in the output that is being written.
    writing: Option<(u64, u64)>,
    watchers: HashMap<u64, Vec<(Ticket, Completion)>>,
    remembered: BTreeMap<u64, Outcome>,
    /// Below this number, what is not remembered has been forgotten.
    forgotten_below: u64,
    flushes: Vec<Flush>,
    ended: Vec<Ended>,
    pub(super) dropped: u64,
}

impl Outgoing {
    pub(super) fn new(version: Version, in_flight_limit: u16, limit: QueueLimit) -> Self {
        Self {
            version,
            limit,
            in_flight_limit,
            server: ServerLimits::default(),
            window: in_flight_limit,
            on_wire: 0,
            last_number: 0,
            queue: VecDeque::new(),
            replaced: 0,
            latest: HashMap::new(),
            flight: Slab::new(),
            resend: VecDeque::new(),
            weight: 0,
            completing: 0,
            qos0_completions: VecDeque::new(),
            writing: None,
            watchers: HashMap::new(),
            remembered: BTreeMap::new(),
            forgotten_below: 0,
            flushes: Vec::new(),
            ended: Vec::new(),
            dropped: 0,
        }
    }

    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Messages that have not ended; with `called`, also those whose completion has not been called.
    pub(super) fn outstanding(&self, called: bool) -> usize {
        self.messages() - if called { 0 } else { self.completing }
    }

    /// Messages that have not ended, without QoS 0 in the output.
    pub(super) fn messages(&self) -> usize {
        self.queue.len() - self.replaced
            + self.flight.len()
            + self.qos0_completions.len()
            + self.completing
    }

    pub(super) fn bytes(&self) -> usize {
        self.weight
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Accepts a message. `online` says that packets may be sent; `patient`, that the caller would
    /// rather wait than queue while the output is full.
    #[inline]
    pub(super) fn publish(
        &mut self,
        mut publication: Publication<'_>,
        completion: &mut Option<Completion>,
        online: bool,
        patient: bool,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Result<u64, Refused> {
        if online && publication.qos == QoS::AtMostOnce && self.queue.is_empty() {
            if output.len() < OUTPUT_LIMIT {
                return self.publish_now(publication, completion, output);
            }
            if patient {
                return Err(Refused::Full);
            }
        }
        let number = self.last_number + 1;
        let mut stored =
            Stored::new(number, self.version, &mut publication).map_err(Refused::Because)?;
        if !self.has_room(stored.weight()) && !self.make_room(stored.weight()) {
            if self.limit.policy == QueuePolicy::DropNewest {
                self.last_number = number;
                stored.completion = completion.take();
                self.drop_stored(stored);
                return Ok(number);
            }
            return Err(Refused::Full);
        }
        self.last_number = number;
        stored.completion = completion.take();
        self.weight += stored.weight();
        if self.limit.policy == QueuePolicy::KeepLatest {
            self.replace_older(&stored);
        }
        self.queue.push_back(stored);
        if online {
            self.pump(ids, output);
        }
        Ok(number)
    }

    /// QoS 0 straight into the output: one copy, nothing kept.
    #[inline]
    fn publish_now(
        &mut self,
        mut publication: Publication<'_>,
        completion: &mut Option<Completion>,
        output: &mut Output,
    ) -> Result<u64, Refused> {
        if completion.is_some() && self.messages() >= self.limit.messages {
            return Err(Refused::Full);
        }
        let length = publication.payload.as_slice().len();
        let packet = publish(&publication, None);
        if length < LARGE_PAYLOAD {
            packet
                .encode(self.version, output.buffer())
                .map_err(|e| Refused::Because(too_large(e)))?;
        } else {
            packet
                .encode_head(self.version, length, output.buffer())
                .map_err(|error| Refused::Because(too_large(error)))?;
            output.push_large(match &mut publication.payload {
                Payload::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
                Payload::Shared(bytes) => std::mem::take(bytes),
            });
        }
        self.last_number += 1;
        output.note_qos0(self.last_number);
        if let Some(completion) = completion.take() {
            self.qos0_completions.push_back((self.last_number, completion));
        }
        Ok(self.last_number)
    }

    fn has_room(&self, weight: usize) -> bool {
        self.messages() < self.limit.messages
            && (self.weight + weight <= self.limit.bytes || self.weight == 0)
    }

    /// Whether a waiting publisher has a chance now.
    pub(super) fn has_room_for_waiting(&self, output: &Output) -> bool {
        output.len() < OUTPUT_LIMIT && self.has_room(1)
    }

    /// Drops the oldest queued messages where the policy says so.
    fn make_room(&mut self, weight: usize) -> bool {
        if !matches!(self.limit.policy, QueuePolicy::DropOldest | QueuePolicy::KeepLatest) {
            return false;
        }
        while !self.has_room(weight) {
            let Some(oldest) = self.pop_queued() else { return false };
            self.weight -= oldest.weight();
            self.drop_stored(oldest);
        }
        true
    }

    fn drop_stored(&mut self, stored: Stored) {
        self.dropped += 1;
        self.end(stored.number, stored.completion, Err(Code::Dropped.into()));
    }

    fn replace_older(&mut self, newer: &Stored) {
        let Some(older) = self.latest.insert(newer.topic().into(), newer.number) else { return };
        let Ok(index) = self.queue.binary_search_by_key(&older, |stored| stored.number) else {
            return;
        };
        let older = &mut self.queue[index];
        older.replaced = true;
        self.replaced += 1;
        self.weight -= older.weight();
        self.dropped += 1;
        let (number, completion) = (older.number, older.completion.take());
        self.end(number, completion, Err(Code::Dropped.into()));
    }

    fn pop_queued(&mut self) -> Option<Stored> {
        loop {
            let stored = self.queue.pop_front()?;
            if stored.replaced {
                self.replaced -= 1;
                continue;
            }
            if !self.latest.is_empty() && self.latest.get(stored.topic()) == Some(&stored.number) {
                self.latest.remove(stored.topic());
            }
            return Some(stored);
        }
    }

    /// Sends what the window and the output have room for.
    pub(super) fn pump(&mut self, ids: &mut PacketIds, output: &mut Output) {
        while output.len() < OUTPUT_LIMIT {
            if let Some(&key) = self.resend.front() {
                let flight = &mut self.flight[key];
                if flight.released {
                    release(self.version, flight.packet_id, true, output);
                } else if self.on_wire < self.window {
                    flight.stored.write(Some(flight.packet_id), true, output);
                    flight.counted = true;
                    self.on_wire += 1;
                } else {
                    return;
                }
                self.resend.pop_front();
                continue;
            }
            match self.queue.front() {
                None => return,
                Some(next) if next.replaced => {}
                Some(next) if next.qos != QoS::AtMostOnce && self.on_wire >= self.window => return,
                Some(_) => {}
            }
            let Some(mut stored) = self.pop_queued() else { return };
            // It was accepted before this broker said what it takes.
            if let Err(error) = self.server.allow(stored.qos, stored.is_retained(), stored.weight())
            {
                self.weight -= stored.weight();
                self.end(stored.number, stored.completion, Err(error));
                continue;
            }
            if stored.qos == QoS::AtMostOnce {
                self.weight -= stored.weight();
                stored.write(None, false, output);
                if let Some(completion) = stored.completion.take() {
                    self.qos0_completions.push_back((stored.number, completion));
                }
                continue;
            }
            let slot = self.flight.vacant_entry();
            let Some(packet_id) = ids.allocate(Use::Message(slot.key())) else {
                self.queue.push_front(stored);
                return;
            };
            stored.write(Some(packet_id), false, output);
            slot.insert(Flight { stored, packet_id, released: false, counted: true });
            self.on_wire += 1;
        }
    }

    /// The output has been taken for writing; its QoS 0 messages end when it has been written.
    pub(super) fn output_taken(&mut self, output: &Output) {
        self.writing = output.qos0();
    }

    /// What was taken has been written.
    pub(super) fn output_written(&mut self) {
        let Some((_, last)) = self.writing.take() else { return };
        while let Some((number, completion)) =
            self.qos0_completions.pop_front_if(|(number, _)| *number <= last)
        {
            self.end(number, Some(completion), Ok(Delivered { reason: ReasonCode::Success }));
        }
        self.end_watched(last, || Ok(Delivered { reason: ReasonCode::Success }));
    }

    /// Ends the watched messages up to `last` that nothing else keeps: they were QoS 0.
    fn end_watched(&mut self, last: u64, outcome: impl Fn() -> Outcome) {
        if self.watchers.is_empty() {
            return;
        }
        let due: Vec<u64> =
            self.watchers.keys().copied().filter(|&n| n <= last && !self.keeps(n)).collect();
        for number in due {
            self.end(number, None, outcome());
        }
    }

    /// PUBACK.
    pub(super) fn acknowledged(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<(), &'static str> {
        let flight = &self.flight[key];
        if flight.stored.qos != QoS::AtLeastOnce {
            return Err("for a message of QoS 2");
        }
        if !flight.counted {
            return Err(NOT_SENT);
        }
        self.land(key, ids, outcome(ack));
        Ok(())
    }

    /// PUBREC: the broker has the message (or refuses it).
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Result<(), &'static str> {
        let flight = &mut self.flight[key];
        if flight.stored.qos != QoS::ExactlyOnce {
            return Err("for a message of QoS 1");
        }
        if !flight.released && !flight.counted {
            return Err(NOT_SENT);
        }
        if ack.reason.is_error() {
            self.land(key, ids, outcome(ack));
            return Ok(());
        }
        if !flight.released {
            flight.released = true;
            // The message must not be sent again [MQTT-4.3.3-7]: free it, only the id matters.
            self.weight -= flight.stored.weight();
            flight.stored.packet = Box::default();
            flight.stored.large = Bytes::new();
        }
        release(self.version, flight.packet_id, false, output);
        Ok(())
    }

    /// PUBCOMP.
    pub(super) fn completed(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<(), &'static str> {
        if !self.flight[key].released {
            return Err("for a message that it had not confirmed with PUBREC");
        }
        self.land(key, ids, outcome(ack));
        Ok(())
    }

    fn land(&mut self, key: usize, ids: &mut PacketIds, outcome: Outcome) {
        let flight = self.flight.remove(key);
        ids.release(flight.packet_id);
        self.weight -= flight.stored.weight();
        if flight.counted {
            self.on_wire -= 1;
        }
        self.end(flight.stored.number, flight.stored.completion, outcome);
    }

    /// The connection is gone. QoS 0 messages that had not been written are gone with it.
    pub(super) fn disconnected(&mut self, output: &Output) {
        self.on_wire = 0;
        self.resend.clear();
        for (_, flight) in &mut self.flight {
            flight.counted = false;
        }
        let lost = || {
            Err(Error::new(
                Code::ConnectionClosed,
                "The connection was lost before the message was written",
            ))
        };
        let ranges = [self.writing.take(), output.qos0()];
        let Some((first, last)) =
            ranges.into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        else {
            return;
        };
        while let Some((number, completion)) =
            self.qos0_completions.pop_front_if(|(number, _)| *number <= last)
        {
            self.end(number, Some(completion), lost());
        }
        self.end_watched(last, lost);
        // Those that nobody asked for yet are remembered as far as there is room.
        for number in first.max(last.saturating_sub(REMEMBERED as u64 / 2))..=last {
            if !self.keeps(number) && !self.remembered.contains_key(&number) {
                self.remember(number, lost());
            }
        }
    }

    /// A connection begins: the broker still has the session, or it does not.
    pub(super) fn connected(
        &mut self,
        resumed: bool,
        end_on_loss: bool,
        server: ServerLimits,
        ids: &mut PacketIds,
    ) {
        self.server = server;
        self.window = self.in_flight_limit.min(server.receive_maximum);
        let mut keys: Vec<(u64, usize)> =
            self.flight.iter().map(|(key, flight)| (flight.stored.number, key)).collect();
        keys.sort_unstable();
        if resumed {
            self.resend = keys.into_iter().map(|(_, key)| key).collect();
            return;
        }
        // Newest first, so that the front of the queue ends up in the original order.
        for &(_, key) in keys.iter().rev() {
            let flight = self.flight.remove(key);
            ids.release(flight.packet_id);
            if flight.released || end_on_loss {
                self.weight -= flight.stored.weight();
                self.end(
                    flight.stored.number,
                    flight.stored.completion,
                    Err(Code::SessionLost.into()),
                );
            } else {
                self.queue.push_front(flight.stored);
            }
        }
    }

    /// Ends everything that has not ended.
    pub(super) fn cancel_all(&mut self, ids: &mut PacketIds, output: &Output) -> usize {
        self.disconnected(output);
        let mut cancelled = 0;
        let keys: Vec<usize> = self.flight.iter().map(|(key, _)| key).collect();
        let mut ending = Vec::new();
        for key in keys {
            let flight = self.flight.remove(key);
            ids.release(flight.packet_id);
            ending.push(flight.stored);
        }
        ending.extend(std::iter::from_fn(|| self.pop_queued()));
        ending.sort_unstable_by_key(|stored| stored.number);
        for stored in ending {
            cancelled += 1;
            self.end(stored.number, stored.completion, Err(Code::Cancelled.into()));
        }
        self.weight = 0;
        self.latest.clear();
        cancelled
    }

    fn end(&mut self, number: u64, completion: Option<Completion>, outcome: Outcome) {
        let watchers = match self.watchers.is_empty() {
            true => Vec::new(),
            false => self.watchers.remove(&number).unwrap_or_default(),
        };
        // One that ended while QoS 0 messages round it are still being written would otherwise be
        // counted with those if the connection broke now.
        let among_unwritten =
            self.writing.is_some_and(|(first, last)| (first..=last).contains(&number));
        if among_unwritten || !matches!(outcome, Ok(Delivered { reason: ReasonCode::Success })) {
            self.remember(number, outcome.clone());
        }
        if completion.is_none() && watchers.is_empty() {
            return;
        }
        self.completing += usize::from(completion.is_some());
        let watchers = watchers.into_iter().map(|(_, watcher)| watcher).collect();
        self.ended.push(Ended { number, outcome, completion, watchers });
    }

    fn remember(&mut self, number: u64, outcome: Outcome) {
        self.remembered.insert(number, outcome);
        if self.remembered.len() > REMEMBERED
            && let Some((forgotten, _)) = self.remembered.pop_first()
        {
            self.forgotten_below = forgotten + 1;
        }
    }

    /// Completions that were taken give their places free.
    pub(super) fn completions_taken(&mut self, count: usize) {
        self.completing -= count;
    }

    pub(super) fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    fn keeps(&self, number: u64) -> bool {
        self.queue
            .binary_search_by_key(&number, |stored| stored.number)
            .is_ok_and(|index| !self.queue[index].replaced)
            || self.flight.iter().any(|(_, flight)| flight.stored.number == number)
    }

    /// How a message ended, or `watcher` taken along until it does.
    pub(super) fn watch(
        &mut self,
        number: u64,
        ticket: Ticket,
        watcher: &mut Option<Completion>,
        output: &Output,
    ) -> Option<Outcome> {
        if number == 0 || number > self.last_number {
            return Some(Err(Code::UnknownMessage.into()));
        }
        if let Some(outcome) = self.remembered.get(&number) {
            return Some(outcome.clone());
        }
        let unwritten =
            |range: Option<(u64, u64)>| range.is_some_and(|(a, b)| (a..=b).contains(&number));
        if self.keeps(number) || unwritten(self.writing) || unwritten(output.qos0()) {
            if let Some(watcher) = watcher.take() {
                self.watchers.entry(number).or_default().push((ticket, watcher));
            }
            return None;
        }
        if number < self.forgotten_below {
            return Some(Err(Code::UnknownMessage.into()));
        }
        Some(Ok(Delivered { reason: ReasonCode::Success }))
    }

    /// Gives a watcher back.
    pub(super) fn unwatch(&mut self, number: u64, ticket: Ticket) -> Option<Completion> {
        let watchers = self.watchers.get_mut(&number)?;
        let index = watchers.iter().position(|(of, _)| *of == ticket)?;
        let (_, watcher) = watchers.swap_remove(index);
        if watchers.is_empty() {
            self.watchers.remove(&number);
        }
        Some(watcher)
    }

    /// Starts a flush; `false` when there is nothing to wait for.
    pub(super) fn flush(&mut self, ticket: Ticket, output: &Output) -> bool {
        let through = self.last_number;
        let Some(witness) = self.unended(through, output) else { return false };
        self.flushes.push(Flush { ticket, through, witness });
        true
    }

    /// A flush whose messages have all ended.
    pub(super) fn take_flushed(&mut self, output: &Output) -> Option<Ticket> {
        for index in 0..self.flushes.len() {
            let Flush { ticket, through, witness } = self.flushes[index];
            if self.is_unended(witness, through, output) {
                continue;
            }
            match self.unended(through, output) {
                Some(witness) => self.flushes[index].witness = witness,
                None => {
                    self.flushes.swap_remove(index);
                    return Some(ticket);
                }
            }
        }
        None
    }

    fn is_unended(&self, witness: Witness, through: u64, output: &Output) -> bool {
        match witness {
            Witness::Queue => self.queue.front().is_some_and(|stored| stored.number <= through),
            Witness::Flight(key, number) => {
                self.flight.get(key).is_some_and(|flight| flight.stored.number == number)
            }
            Witness::Output => [self.writing, output.qos0()]
                .into_iter()
                .flatten()
                .any(|(first, _)| first <= through),
        }
    }

    fn unended(&self, through: u64, output: &Output) -> Option<Witness> {
        let flight = self.flight.iter().find(|(_, flight)| flight.stored.number <= through);
        let flight = flight.map(|(key, flight)| Witness::Flight(key, flight.stored.number));
        [Witness::Queue, Witness::Output]
            .into_iter()
            .find(|&witness| self.is_unended(witness, through, output))
            .or(flight)
    }

    /// Gives memory back after a busy time.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to(16);
        self.ended.shrink_to(16);
        self.qos0_completions.shrink_to(16);
        self.flight.shrink_to_fit();
    }
}

fn publish<'p>(publication: &'p Publication<'_>, packet_id: Option<PacketId>) -> Publish<'p> {
    Publish {
        duplicate: false,
        qos: publication.qos,
        retain: publication.retain,
        topic: publication.topic,
        packet_id: packet_id.filter(|_| publication.qos != QoS::AtMostOnce),
        properties: publication.properties,
        payload: publication.payload.as_slice(),
    }
}

/// PUBREL; MQTT 3.1 marks a repeated one with DUP.
fn release(version: Version, packet_id: PacketId, again: bool, output: &mut Output) {
    match again && version == Version::V31 {
        true => encode_pubrel_again(packet_id, output.buffer()),
        false => encode_short(AckKind::Pubrel, packet_id, output.buffer()),
    }
}

fn outcome(ack: &Ack<'_>) -> Outcome {
    if !ack.reason.is_error() {
        return Ok(Delivered { reason: ack.reason });
    }
    let error = Error::new(
        Code::PublishRefused,
        format!("The broker refused the message: {}", ack.reason.name()),
    );
    Err(error.with_reason(ack.reason.as_u8(), ack.properties.reason_string()))
}

fn too_large(error: EncodeError) -> Error {
    Error::new(Code::PayloadTooLarge, format!("The message cannot be sent: {error}"))
}
