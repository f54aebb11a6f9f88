//! Request and response (MQTT 5.0, section 4.10).
//!
//! A session has one response topic, subscribed with its first request. The correlation data of a
//! request is its number, eight bytes. An answer is found as soon as it arrives, on the I/O thread: a
//! callback that waits for it does not hold it up.
//!
//! Locks: `Requests::response` is held while the response topic is subscribed, so that no request
//! leaves before that subscription; `Requests::pending` is held for single look-ups and takes nothing
//! else.

mod pending;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Granted, Handled, Handler, Message, Operation, OwnedMessage, PublishOptions, Session, later,
    shared::Shared,
};
use crate::{
    engine::{Completion, Payload, RouteId},
    error::{Code, Error, Result},
    protocol::{EncodeError, Properties, Property, PropertyBlock, QoS, SubscriptionOptions},
};
pub(super) use pending::Requests;
use pending::{Waiting, published};

/// How to ask.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// How long to wait for the answer. Default 10 s.
    pub timeout: Duration,
    /// The quality of service of the request; a [`Responder`] answers at the same. Default 1.
    pub qos: QoS,
    /// Properties of the request; response topic and correlation data are the library's. A message
    /// expiry interval keeps a broker from handing out a request that nobody waits for any more.
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
        reply_address(self.properties())
    }
}

impl OwnedMessage {
    /// See [`Message::reply_address`].
    pub fn reply_address(&self) -> Option<ReplyAddress> {
        reply_address(self.properties())
    }
}

fn reply_address(properties: Properties<'_>) -> Option<ReplyAddress> {
    Some(ReplyAddress {
        topic: properties.response_topic()?.into(),
        correlation: properties.correlation_data().map(Bytes::copy_from_slice),
    })
}

impl Session {
    /// Publishes a request and ends with its answer: the first message on the session's response
    /// topic with the request's correlation data. Any number may be under way. A request that has
    /// not been sent when its time is up is not sent any more.
    ///
    /// The response topic is subscribed with the first request. It begins with what the broker
    /// suggests when the session is connected and its options ask for that (Request Response
    /// Information), else with `mqttsession/response/`, and ends with a random part.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` before MQTT 5.0, `INVALID_ARGUMENT` for a response topic or correlation data
    /// among the properties, those of [`publish`](Self::publish). The operation: `TIMEOUT`;
    /// `NO_RESPONDER` when the broker says that nobody has subscribed; the error with which the
    /// request's publish ended; `SUBSCRIBE_REFUSED` for the response topic; `CANCELLED` when the
    /// session is closed.
    pub fn request(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: RequestOptions,
    ) -> Result<Operation<OwnedMessage>> {
        self.request_if(topic, payload, options, true)
    }

    /// Requests like [`request`](Self::request), but never waits.
    ///
    /// # Errors
    /// `QUEUE_FULL` where it would have to, and those of `request`.
    pub fn try_request(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: RequestOptions,
    ) -> Result<Operation<OwnedMessage>> {
        self.request_if(topic, payload, options, false)
    }

    fn request_if(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: RequestOptions,
        may_wait: bool,
    ) -> Result<Operation<OwnedMessage>> {
        let shared = self.shared();
        shared.check_fork()?;
        check_version(shared)?;
        let RequestOptions { timeout, qos, mut properties } = options;
        check_own(&properties)?;
        let (response, route) = self.subscribe_responses()?;
        let (operation, cell) = Operation::new(shared);
        let at = later(Instant::now(), timeout);
        let number = match shared.requests().add(Waiting { at, route, cell }) {
            Ok(number) => number,
            Err(refused) => return Ok(Operation::ended(shared, Err(refused))),
        };
        let own =
            [Property::ResponseTopic(&response), Property::CorrelationData(&number.to_be_bytes())];
        let publishing = own
            .into_iter()
            .try_for_each(|property| properties.push(property))
            .map_err(too_large)
            .and_then(|()| {
                let options = PublishOptions {
                    qos,
                    properties,
                    time_to_live: Some(timeout.max(Duration::from_nanos(1))),
                    ..PublishOptions::default()
                };
                shared.publish(topic, payload, options, may_wait)
            });
        match publishing {
            Ok(message) => {
                shared.requests().watch_the_clock(shared);
                let session = Arc::downgrade(shared);
                let watcher = move |_, outcome| published(&session, number, outcome);
                shared.watch(message, Completion::new(watcher));
                Ok(operation)
            }
            Err(error) => {
                let unused = shared.requests().take(number);
                drop(unused);
                Err(error)
            }
        }
    }

    /// Subscribes the response topic, unless it is.
    fn subscribe_responses(&self) -> Result<(Arc<str>, RouteId)> {
        let shared = self.shared();
        let mut response = shared.requests().response.lock();
        if let Some((topic, route)) = &*response
            && shared.subscriptions.lock().contains_key(route)
            && !shared.requests().is_refused(*route)
        {
            return Ok((topic.clone(), *route));
        }
        let suggested = self.connected();
        let suggested = suggested.as_ref().and_then(|connected| connected.response_information());
        let beginning = suggested.unwrap_or("mqttsession/response").trim_end_matches('/');
        let topic: Arc<str> =
            format!("{beginning}/{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)).into();
        // The responder chooses the quality of its answer.
        let options =
            SubscriptionOptions { qos: QoS::ExactlyOnce, ..SubscriptionOptions::default() };
        let (subscribing, route) = self.subscribe_route(&topic, options, Arc::new(Responses))?;
        *response = Some((topic.clone(), route));
        shared.requests().route.store(route, Ordering::Release);
        // A task and no callback: it may be a callback of the session that waits for the answer.
        let shared = shared.clone();
        shared.io_thread().handle.clone().spawn(async move {
            if let Err(error) = subscribing.await {
                shared.requests().refused(&shared, route, &error);
            }
            // This may be the last owner, and what it owns is the program's.
            shared.pool().clone().bury(shared);
        });
        Ok((topic, route))
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
        check_version(self.shared())?;
        self.subscribe(filter, options, Arc::new(Answering(responder)))
    }

    /// Answers a request: publishes to its response topic, with its correlation data.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for correlation data among the properties, those of
    /// [`publish`](Self::publish).
    pub fn reply(
        &self,
        to: &ReplyAddress,
        payload: Payload<'_>,
        options: PublishOptions,
    ) -> Result<u64> {
        reply(self.shared(), to, payload, options)
    }
}

fn check_version(shared: &Shared) -> Result<()> {
    match shared.options.settings.version.is_v5() {
        true => Ok(()),
        false => {
            let sentence = "Before MQTT 5.0 there is no request and response";
            Err(Error::new(Code::NotSupported, sentence))
        }
    }
}

fn check_own(properties: &PropertyBlock) -> Result<()> {
    let given = properties.as_properties();
    if given.response_topic().is_none() && given.correlation_data().is_none() {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidArgument,
        "A request gets its response topic and correlation data from the library; take them out of \
         its properties",
    ))
}

fn too_large(error: EncodeError) -> Error {
    Error::new(Code::PayloadTooLarge, format!("The properties cannot be sent: {error}"))
}

fn reply(
    shared: &Arc<Shared>,
    to: &ReplyAddress,
    payload: Payload<'_>,
    mut options: PublishOptions,
) -> Result<u64> {
    if options.properties.as_properties().correlation_data().is_some() {
        return Err(Error::new(
            Code::InvalidArgument,
            "An answer carries the correlation data of its request; take it out of its properties",
        ));
    }
    if let Some(correlation) = &to.correlation {
        options.properties.push(Property::CorrelationData(correlation)).map_err(too_large)?;
    }
    shared.publish(&to.topic, payload, options, true)
}

/// Stands at the response topic, where every message has been looked at when it arrived.
struct Responses;

impl Handler for Responses {
    fn handle(&self, message: &Message<'_>) -> Handled {
        // Where acknowledging is the program's, this message is none of its business.
        let _no_matter_if_lost = message.acknowledgement().acknowledge();
        Handled::Done
    }
}

/// Hands requests to a responder and publishes what it answers.
struct Answering(Arc<dyn Responder>);

impl Handler for Answering {
    fn handle(&self, message: &Message<'_>) -> Handled {
        let answered = self.0.respond(message).and_then(|response| {
            let (Some(response), Some(to)) = (response, message.reply_address()) else {
                return Ok(());
            };
            let Response { payload, properties } = response;
            let options =
                PublishOptions { qos: message.qos(), properties, ..PublishOptions::default() };
            reply(message.shared, &to, payload.into(), options).map(drop)
        });
        match answered {
            Ok(()) => Handled::Done,
            Err(error) => {
                tracing::warn!(target: "mqttsession", %error, "a request was not answered");
                Handled::Failed
            }
        }
    }
}
