//! Received messages, lent to a handler or kept.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use super::{Failure, shared::Shared};
use crate::{
    engine::{Match, Receipt},
    error::{Code, Error, Result},
    protocol::{PacketType, Place, Properties, PropertyBlock, QoS, ReasonCode, Version},
    sync::Mutex,
};

/// A kept message of at most this size is copied; a larger one shares the bytes that were read, with
/// everything that was read together with it.
const COPIED: usize = 4 << 10;

/// A received message, valid for the call of its handler.
pub struct Message<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) deferred: RefCell<Option<Arc<Deferred>>>,
    /// Whether the handler that is called now is the only one.
    pub(super) sole: Cell<bool>,
}

/// Where the parts of a message stand.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) matched: &'a Arc<Match>,
    pub(super) payload: &'a [u8],
    pub(super) properties: &'a [u8],
    /// The bytes that hold both.
    pub(super) chunk: &'a Bytes,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) duplicate: bool,
    pub(super) receipt: Option<Receipt>,
    pub(super) redelivered: bool,
}

impl Message<'_> {
    /// The topic.
    #[inline]
    pub fn topic(&self) -> &str {
        &self.parts.matched.topic
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.parts.payload
    }

    /// The quality of service at which it came.
    #[inline]
    pub fn qos(&self) -> QoS {
        self.parts.qos
    }

    /// Whether the broker had kept it from before the subscription (or, where the subscription says
    /// "as published", whether it was published to be kept).
    #[inline]
    pub fn retain(&self) -> bool {
        self.parts.retain
    }

    /// Whether the broker had sent it before.
    #[inline]
    pub fn duplicate(&self) -> bool {
        self.parts.duplicate
    }

    /// Whether a handler may have seen it before: the process, or the machine, went down while it was being
    /// handled. Only with a store, and only at QoS 2; without it a message of QoS 2 comes once.
    #[inline]
    pub fn redelivered(&self) -> bool {
        self.parts.redelivered
    }

    /// Its properties as they came; none before MQTT 5.0. A subscription identifier among them may be
    /// one that the session added to a subscribe that had none, so as to tell overlapping
    /// subscriptions apart.
    pub fn properties(&self) -> Properties<'_> {
        properties(self.parts.properties)
    }

    /// Keeps it beyond the call: a payload of up to 4 KiB is copied, a larger one shared.
    pub fn keep(&self) -> OwnedMessage {
        OwnedMessage::new(&self.parts)
    }

    /// Takes the right to acknowledge it later; the handler then returns
    /// [`Handled::Deferred`](super::Handled::Deferred). The message keeps its place in the receiving queue's limits
    /// until then, at QoS 0 too.
    pub fn acknowledgement(&self) -> Acknowledgement {
        let mut deferred = self.deferred.borrow_mut();
        let deferred = deferred.get_or_insert_with(|| {
            let bytes = self.parts.payload.len();
            self.shared.inbox.hold(1, bytes);
            Arc::new(Deferred {
                shared: self.shared.clone(),
                receipt: self.parts.receipt,
                exactly_once: self.parts.qos == QoS::ExactlyOnce,
                bytes,
                // One for the handlers: none of them can settle it for those that follow. Where none
                // does, it is settled when its acknowledgement is used, wherever the handler is by then.
                remaining: AtomicUsize::new(usize::from(!self.sole.get())),
                sole: self.sole.get(),
                settled: AtomicBool::new(false),
                abandoned: AtomicBool::new(false),
                refusal: Mutex::new(None),
            })
        });
        deferred.remaining.fetch_add(1, Ordering::Relaxed);
        Acknowledgement(Some(deferred.clone()))
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, self.topic(), self.payload(), self.qos())
    }
}

/// A message that outlives its handler. Clones share it.
#[derive(Clone)]
pub struct OwnedMessage(Arc<Owned>);

struct Owned {
    matched: Arc<Match>,
    payload: Bytes,
    properties: Bytes,
    qos: QoS,
    retain: bool,
    duplicate: bool,
    redelivered: bool,
}

impl OwnedMessage {
    pub(super) fn new(parts: &Parts<'_>) -> Self {
        let payload = match parts.payload.len() <= COPIED {
            true => Bytes::copy_from_slice(parts.payload),
            false => parts.chunk.slice_ref(parts.payload),
        };
        Self(Arc::new(Owned {
            matched: parts.matched.clone(),
            payload,
            properties: Bytes::copy_from_slice(parts.properties),
            qos: parts.qos,
            retain: parts.retain,
            duplicate: parts.duplicate,
            redelivered: parts.redelivered,
        }))
    }

    pub(super) fn parts(&self, receipt: Option<Receipt>) -> Parts<'_> {
        Parts {
            matched: &self.0.matched,
            payload: &self.0.payload,
            properties: &self.0.properties,
            chunk: &self.0.payload,
            qos: self.0.qos,
            retain: self.0.retain,
            duplicate: self.0.duplicate,
            redelivered: self.0.redelivered,
            receipt,
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.0.matched.topic
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// The payload, shared.
    pub fn payload_bytes(&self) -> Bytes {
        self.0.payload.clone()
    }

    /// The quality of service at which it came.
    pub fn qos(&self) -> QoS {
        self.0.qos
    }

    /// See [`Message::retain`].
    pub fn retain(&self) -> bool {
        self.0.retain
    }

    /// Whether the broker had sent it before.
    pub fn duplicate(&self) -> bool {
        self.0.duplicate
    }

    /// See [`Message::redelivered`].
    pub fn redelivered(&self) -> bool {
        self.0.redelivered
    }

    /// See [`Message::properties`].
    pub fn properties(&self) -> Properties<'_> {
        properties(&self.0.properties)
    }
}

impl fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, self.topic(), self.payload(), self.qos())
    }
}

fn debug(f: &mut fmt::Formatter<'_>, topic: &str, payload: &[u8], qos: QoS) -> fmt::Result {
    write!(f, "Message({topic:?}, {} bytes, QoS {})", payload.len(), qos as u8)
}

fn properties(raw: &[u8]) -> Properties<'_> {
    Properties::parse(raw, Place::Publish).expect("the block was checked when it was received")
}

/// A message whose acknowledgement somebody keeps; all that were taken must be used.
pub(super) struct Deferred {
    shared: Arc<Shared>,
    receipt: Option<Receipt>,
    /// Of QoS 2, which a store is told of.
    exactly_once: bool,
    bytes: usize,
    remaining: AtomicUsize,
    sole: bool,
    settled: AtomicBool,
    abandoned: AtomicBool,
    /// The first refusal counts.
    refusal: Mutex<Option<(ReasonCode, PropertyBlock)>>,
}

impl Deferred {
    /// All handlers have returned. One that failed keeps the message unacknowledged, or has it
    /// refused, where the options say so.
    pub(super) fn handlers_returned(&self, failure: Option<Failure>) {
        match failure {
            Some(Failure::Leave) => self.abandoned.store(true, Ordering::Relaxed),
            Some(Failure::Refuse(reason)) => self.refuse(reason, PropertyBlock::new()),
            Some(Failure::Acknowledge) | None => {}
        }
        if !self.sole {
            // When it is the last to settle, whoever acknowledged has had an answer already.
            let _no_longer_of_interest = self.settle();
        }
    }

    fn refuse(&self, reason: ReasonCode, properties: PropertyBlock) {
        self.refusal.lock().get_or_insert((reason, properties));
    }

    /// One of the acknowledgements has been used or dropped, or the handlers have returned.
    fn settle(&self) -> Result<()> {
        // A sole handler may take another acknowledgement after it has used one.
        if self.remaining.fetch_sub(1, Ordering::AcqRel) > 1
            || self.settled.swap(true, Ordering::AcqRel)
        {
            return Ok(());
        }
        let acknowledged = match self.receipt {
            Some(receipt) if !self.abandoned.load(Ordering::Relaxed) => {
                let refusal = self.refusal.lock().take();
                match refusal {
                    None => self.shared.acknowledge(&[(receipt, ReasonCode::Success)]),
                    Some((reason, properties)) => self.shared.refuse(receipt, reason, properties),
                }
            }
            _ => true,
        };
        self.shared.release(1, self.bytes);
        match (acknowledged, self.exactly_once) {
            (false, _) => Err(Code::SessionLost.into()),
            (true, true) => self.shared.write_through(),
            (true, false) => Ok(()),
        }
    }
}

/// The right to acknowledge one message, from any thread and in any order; on the wire
/// acknowledgements keep the order in which the messages came. Dropped without use it acknowledges
/// nothing, and the broker sends the message again on the next connection.
pub struct Acknowledgement(Option<Arc<Deferred>>);

impl Acknowledgement {
    /// Acknowledges the message. With a store that of a message of QoS 2 survives the process when this
    /// returns; where several handlers get the message, or several acknowledgements of it were taken, when
    /// the last of them has returned or been used.
    ///
    /// # Errors
    /// `SESSION_LOST` when the broker has lost the session; there is nothing left to acknowledge.
    /// The store's error when it does not take the acknowledgement, which leaves when it does; `CLOSED`
    /// when the store has been closed. `FORKED`.
    pub fn acknowledge(mut self) -> Result<()> {
        let Some(deferred) = self.0.take() else { return Ok(()) };
        deferred.shared.check_fork()?;
        deferred.settle()
    }

    /// Acknowledges the message as refused, with a reason code that is an error, and with properties
    /// (a reason string, user properties); the broker does not send it again (MQTT 5.0; before, it is
    /// a plain acknowledgement). Properties with which the packet would be larger than the broker
    /// takes are left out. Where several acknowledgements of one message were taken, the first
    /// refusal counts.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a reason that is no error of PUBACK and PUBREC, or a property that they
    /// cannot have; `NOT_SUPPORTED` for properties before 5.0; those of `acknowledge`. After an error
    /// the message stays unacknowledged.
    pub fn refuse(mut self, reason: ReasonCode, properties: PropertyBlock) -> Result<()> {
        let Some(deferred) = &self.0 else { return Ok(()) };
        deferred.shared.check_fork()?;
        check_refusal(deferred.shared.options.settings.version, reason, &properties)?;
        deferred.refuse(reason, properties);
        let Some(deferred) = self.0.take() else { return Ok(()) };
        deferred.settle()
    }
}

/// What the two packets can say: PUBACK and PUBREC have the same reason codes and properties.
fn check_refusal(version: Version, reason: ReasonCode, properties: &PropertyBlock) -> Result<()> {
    if !(reason.is_error() && reason.allowed_in(PacketType::Puback)) {
        let sentence =
            "The reason of a refusal must be an error that PUBACK and PUBREC have, such as 0x80";
        return Err(Error::new(Code::InvalidArgument, sentence));
    }
    if !version.is_v5() && !properties.is_empty() {
        let sentence = "Before MQTT 5.0 a refusal has no properties; leave them out or choose version \
                        5.0";
        return Err(Error::new(Code::NotSupported, sentence));
    }
    let properties = properties.as_properties().as_bytes();
    Properties::parse(properties, Place::Puback).map(drop).map_err(|error| {
        let sentence = format!("The refusal cannot be sent: {error}");
        Error::new(Code::InvalidArgument, sentence)
    })
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        let Some(deferred) = self.0.take() else { return };
        if deferred.shared.check_fork().is_err() {
            // Nothing of the parent's may be touched or dropped here.
            std::mem::forget(deferred);
            return;
        }
        deferred.abandoned.store(true, Ordering::Relaxed);
        let _nothing_to_report = deferred.settle();
    }
}
