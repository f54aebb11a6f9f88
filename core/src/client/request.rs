//! Request and response (MQTT 5.0, section 4.10).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Granted, Message, Operation, OwnedMessage, PublishOptions, Session};
use crate::{
    engine::Payload,
    error::Result,
    protocol::{PropertyBlock, QoS, SubscriptionOptions},
};

/// How to ask.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// How long to wait for the answer. Default 10 s.
    pub timeout: Duration,
    /// The quality of service of the request, and the highest of the answer. Default 1.
    pub qos: QoS,
    /// Properties of the request; response topic and correlation data are the library's.
    pub properties: PropertyBlock,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            qos: QoS::AtLeastOnce,
            properties: PropertyBlock::new(),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The payload.
    pub payload: Bytes,
    /// Properties; the correlation data is added.
    pub properties: PropertyBlock,
}

/// Where the answer to a message is to go. It may be kept, and used from any thread.
#[derive(Clone, Debug)]
pub struct ReplyAddress {
    topic: Arc<str>,
    correlation: Option<Bytes>,
}

impl ReplyAddress {
    /// The response topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The correlation data, if the request has any.
    pub fn correlation_data(&self) -> Option<&[u8]> {
        self.correlation.as_deref()
    }
}

/// Answers requests.
pub trait Responder: Send + Sync + 'static {
    /// Called like the [`Handler`](super::Handler) of a subscription. `None` answers nothing, now or
    /// here: [`Session::reply`] answers later.
    ///
    /// # Errors
    /// Nothing is answered, and the message counts as one whose handler failed.
    fn respond(&self, request: &Message<'_>) -> Result<Option<Response>>;
}

impl Message<'_> {
    /// Where an answer is to go; `None` when the message asks for none.
    pub fn reply_address(&self) -> Option<ReplyAddress> {
        todo!()
    }
}

impl OwnedMessage {
    /// See [`Message::reply_address`].
    pub fn reply_address(&self) -> Option<ReplyAddress> {
        todo!()
    }
}

impl Session {
    /// Publishes a request and ends with its answer: the first message on the session's response
    /// topic with the request's correlation data. Any number may be under way.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` before MQTT 5.0, those of [`publish`](Self::publish). The operation:
    /// `TIMEOUT`; `NO_RESPONDER` when the broker says that nobody has subscribed; the error with
    /// which the request's publish ended; `SUBSCRIBE_REFUSED` for the response topic; `CANCELLED`.
    pub fn request(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: RequestOptions,
    ) -> Result<Operation<OwnedMessage>> {
        todo!()
    }

    /// Subscribes a filter whose messages are answered. Ended like any other subscription.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` before MQTT 5.0, those of [`subscribe`](Self::subscribe).
    pub fn respond(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        responder: Arc<dyn Responder>,
    ) -> Result<Operation<Granted>> {
        todo!()
    }

    /// Answers a request: publishes to its response topic, with its correlation data.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn reply(
        &self,
        to: &ReplyAddress,
        payload: Payload<'_>,
        options: PublishOptions,
    ) -> Result<u64> {
        todo!()
    }
}
