//! What a row works with: sessions at one broker in one version, the messages that they receive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use mqttsession::{
    client::{
        Connected, DisconnectOptions, Event, Granted, Handler, Message, Operation, Options,
        OwnedMessage, PublishOptions, Session,
    },
    error::Error,
    protocol::{Property, PropertyBlock, QoS, SubscriptionOptions, Version},
};
use mqttsession_tests::{
    DEADLINE,
    tap::{Cut, Tap},
};

use crate::broker::{PASSWORD, Running};

/// Why a row does not hold.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The broker does not offer it.
    NotOffered(String),
    /// What was seen instead.
    Wrong(String),
}

/// What a row returns.
pub(crate) type Result<T = (), E = Stop> = std::result::Result<T, E>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Wrong(format!("{error:?}"))
    }
}

/// It does not hold, and this was seen.
pub(crate) fn wrong<T>(seen: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(seen.into()))
}

/// The broker does not offer it.
pub(crate) fn not_offered<T>(why: impl Into<String>) -> Result<T> {
    Err(Stop::NotOffered(why.into()))
}

/// It does not hold unless this is so.
pub(crate) fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result {
    if holds { Ok(()) } else { wrong(otherwise()) }
}

/// Says what was being done where something else than an outcome of its own went wrong.
pub(crate) trait While<T> {
    /// Adds to what was seen what it was seen at.
    fn at(self, doing: &str) -> Result<T>;
}

impl<T, E: Into<Stop>> While<T> for std::result::Result<T, E> {
    fn at(self, doing: &str) -> Result<T> {
        self.map_err(|error| match error.into() {
            Stop::Wrong(seen) => Stop::Wrong(format!("{doing}: {seen}")),
            not_offered @ Stop::NotOffered(_) => not_offered,
        })
    }
}

/// A broker in one version, for one row.
pub(crate) struct Bench<'a> {
    broker: &'a Running,
    pub(crate) version: Version,
    row: usize,
    fences: AtomicUsize,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(broker: &'a Running, version: Version, row: usize) -> Self {
        Self { broker, version, row, fences: AtomicUsize::new(0) }
    }

    /// A client id that no other row uses, short enough for 3.1.
    pub(crate) fn client_id(&self, role: &str) -> String {
        format!("i{}r{}{role}", self.version.level(), self.row)
    }

    /// A topic or filter that no other row uses.
    pub(crate) fn topic(&self, tail: &str) -> String {
        format!("interop/v{}/row{}/{tail}", self.version.level(), self.row)
    }

    /// Options for a session that reconnects at once.
    pub(crate) fn options(&self, role: &str) -> Result<Options> {
        self.options_at(self.broker.port, role)
    }

    pub(crate) fn options_at(&self, port: u16, role: &str) -> Result<Options> {
        let mut options = Options::new();
        options.set_set_aside_after(3);
        options.set_address(&format!("127.0.0.1:{port}"))?;
        options.set_version(self.version).set_client_id(&self.client_id(role))?;
        options.set_user_name(Some(self.broker.user))?.set_password(Some(PASSWORD.as_bytes()))?;
        options.set_connect_timeout(DEADLINE)?;
        options.set_reconnect_delay(Duration::from_millis(1), Duration::from_millis(50))?;
        Ok(options)
    }

    /// Options for a session that the broker keeps while it is away.
    pub(crate) fn lasting(&self, role: &str) -> Result<Options> {
        self.lasting_at(self.broker.port, role)
    }

    pub(crate) fn lasting_at(&self, port: u16, role: &str) -> Result<Options> {
        let mut options = self.options_at(port, role)?;
        options.set_clean_session(false);
        if self.version.is_v5() {
            options.add_connect_property(Property::SessionExpiryInterval(3600))?;
        }
        Ok(options)
    }

    /// A connected session.
    pub(crate) fn session(&self, role: &str) -> Result<Session> {
        Ok(connect(&self.options(role)?)?.0)
    }

    /// A tap in front of the broker.
    pub(crate) fn tap(&self) -> Tap {
        Tap::start(self.broker.port, self.version.level())
    }

    /// A tap that cuts the first connections.
    pub(crate) fn cutting_tap(&self, cuts: Vec<Cut>) -> Tap {
        Tap::start_cutting(self.broker.port, self.version.level(), cuts)
    }

    /// The port of the broker that takes less, or of the only one.
    pub(crate) fn limited_port(&self) -> u16 {
        self.broker.limited.unwrap_or(self.broker.port)
    }

    /// Shows that what `publisher` sent before has reached `subscriber` or never will: messages
    /// of QoS 0 and 1 that are sent behind it have come.
    pub(crate) fn fence(&self, publisher: &Session, subscriber: &Session) -> Result {
        let number = self.fences.fetch_add(1, Ordering::Relaxed);
        let topic = self.topic(&format!("fence{number}"));
        let inbox = subscribe(subscriber, &topic, at(QoS::AtLeastOnce)).at("fence")?;
        for _ in 0..3 {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                publish(publisher, &topic, qos, "fence").at("fence")?;
                inbox.next().at("fence")?;
            }
        }
        ended(subscriber.unsubscribe(&topic)).at("fence").map(drop)
    }
}

/// Connects a new session.
pub(crate) fn connect(options: &Options) -> Result<(Session, Connected)> {
    let session = Session::new(options)?;
    let connected = ended(session.connect()).at("connect")?;
    Ok((session, connected))
}

/// The result of an operation that was begun.
pub(crate) fn ended<T: Clone + Send + 'static>(
    operation: mqttsession::error::Result<Operation<T>>,
) -> Result<T> {
    Ok(operation?.wait(Some(DEADLINE))?)
}

/// Ends a session in good order; what it had accepted must have been delivered.
pub(crate) fn disconnect(session: &Session) -> Result {
    let options = DisconnectOptions { drain: DEADLINE, ..DisconnectOptions::default() };
    let cancelled = ended(session.disconnect(options)).at("disconnect")?;
    demand(cancelled == 0, || format!("{cancelled} messages were not confirmed"))
}

pub(crate) fn at(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

/// Publishes and waits until the message has ended.
pub(crate) fn publish(session: &Session, topic: &str, qos: QoS, payload: &str) -> Result {
    let options = PublishOptions { qos, ..PublishOptions::default() };
    publish_with(session, topic, payload, options)
}

pub(crate) fn publish_with(
    session: &Session,
    topic: &str,
    payload: &str,
    options: PublishOptions,
) -> Result {
    let number = session.publish(topic, payload.into(), options)?;
    session.wait(number, Some(DEADLINE)).at("publish")?;
    Ok(())
}

/// Publishes a message that the broker is to keep.
pub(crate) fn retain(session: &Session, topic: &str, payload: &str) -> Result {
    let options =
        PublishOptions { qos: QoS::AtLeastOnce, retain: true, ..PublishOptions::default() };
    publish_with(session, topic, payload, options)
}

/// A block of these properties.
pub(crate) fn properties(all: &[Property<'_>]) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    for property in all {
        block.push(*property).expect("the rows' properties are short");
    }
    block
}

/// The messages of one subscription, in the order in which they came.
pub(crate) struct Inbox(pub(crate) Receiver<OwnedMessage>);

/// A handler and the messages that it gets.
pub(crate) fn inbox() -> (Arc<dyn Handler>, Inbox) {
    let (sender, receiver) = channel();
    let handler = move |message: &Message<'_>| drop(sender.send(message.keep()));
    (Arc::new(handler), Inbox(receiver))
}

/// Subscribes; the broker may grant less than was asked for.
pub(crate) fn subscribe_granted(
    session: &Session,
    filter: &str,
    options: SubscriptionOptions,
) -> Result<(Granted, Inbox)> {
    let (handler, inbox) = inbox();
    let granted = ended(session.subscribe(filter, options, handler)).at("subscribe")?;
    Ok((granted, inbox))
}

/// Subscribes.
pub(crate) fn subscribe(
    session: &Session,
    filter: &str,
    options: SubscriptionOptions,
) -> Result<Inbox> {
    Ok(subscribe_granted(session, filter, options)?.1)
}

impl Inbox {
    /// The next message.
    pub(crate) fn next(&self) -> Result<OwnedMessage> {
        match self.0.recv_timeout(DEADLINE) {
            Ok(message) => Ok(message),
            Err(_) => wrong("a message never came"),
        }
    }

    /// The payloads of all that has come.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.0.try_iter().map(|message| text(&message)).collect()
    }

    /// The next messages have these payloads, in this order.
    pub(crate) fn expect(&self, payloads: &[&str]) -> Result {
        for payload in payloads {
            let found = text(&self.next().at(&format!("waiting for {payload:?}"))?);
            demand(found == *payload, || format!("{found:?} came in place of {payload:?}"))?;
        }
        Ok(())
    }

    /// Nothing else has come; a fence shows that nothing will.
    pub(crate) fn expect_nothing(&self) -> Result {
        let rest = self.rest();
        demand(rest.is_empty(), || format!("{rest:?} came and should not have"))
    }
}

/// The payload as text.
pub(crate) fn text(message: &OwnedMessage) -> String {
    String::from_utf8_lossy(message.payload()).into_owned()
}

/// The events of a session from now on.
pub(crate) struct Events(Receiver<Event>);

pub(crate) fn events(session: &Session) -> Result<Events> {
    let (sender, receiver) = channel();
    let handler = move |event: &Event| drop(sender.send(event.clone()));
    session.set_event_handler(Some(Arc::new(handler)))?;
    Ok(Events(receiver))
}

impl Events {
    /// Waits for an event that `wanted` turns into something.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        mut wanted: impl FnMut(Event) -> Option<T>,
    ) -> Result<T> {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.0.recv_timeout(left).map(&mut wanted) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(_) => return wrong(format!("the session was never {what}")),
            }
        }
    }
}
