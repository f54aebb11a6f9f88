//! Sessions, handlers and waits that the tests share.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mqttsession::{
    client::{
        Dispatch, Event, Handler, Message, Operation, Options, OwnedMessage, PublishOptions,
        Session, State,
    },
    error::Result,
    protocol::{QoS, SubscriptionOptions, Version},
};
pub(crate) use mqttsession_tests::DEADLINE;
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
};

pub(crate) const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// For a broker, with pauses between attempts that no test has to wait for.
pub(crate) fn options(broker: &ScriptedBroker) -> Options {
    let mut options = Options::new();
    options.set_address(&broker.url()).unwrap();
    options.set_client_id("test").unwrap();
    options.set_connect_timeout(DEADLINE).unwrap();
    options.set_reconnect_delay(Duration::from_millis(1), Duration::from_millis(20)).unwrap();
    options
}

/// The options of a session that the broker keeps.
pub(crate) fn lasting(broker: &ScriptedBroker) -> Options {
    let mut options = options(broker);
    options.set_clean_session(false);
    options
}

/// A connected session and the other end of its connection. The peer is dropped first, so that a
/// session which goes on may connect again: a test with another session needs another broker.
#[track_caller]
pub(crate) fn connect(broker: &ScriptedBroker, options: &Options) -> (Session, Peer) {
    let session = Session::new(options).unwrap();
    let connecting = session.connect();
    let peer = broker.accept_session();
    ended(connecting).unwrap();
    (session, peer)
}

/// A broker, a connected session with the default options, and its other end.
#[track_caller]
pub(crate) fn connected() -> (ScriptedBroker, Session, Peer) {
    let broker = ScriptedBroker::start();
    let (session, peer) = connect(&broker, &options(&broker));
    (broker, session, peer)
}

/// As [`connected`], with 5.0.
#[track_caller]
pub(crate) fn connected_v5() -> (ScriptedBroker, Session, Peer) {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (session, peer) = connect(&broker, &options);
    (broker, session, peer)
}

/// The result of an operation that was begun.
#[track_caller]
pub(crate) fn ended<T: Clone + Send + 'static>(operation: Result<Operation<T>>) -> Result<T> {
    operation?.wait(Some(DEADLINE))
}

#[track_caller]
pub(crate) fn publish(session: &Session, topic: &str, qos: QoS, payload: &str) -> u64 {
    let options = PublishOptions { qos, ..PublishOptions::default() };
    session.publish(topic, payload.into(), options).unwrap()
}

pub(crate) fn at(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

/// Subscribes with QoS 2 and has the peer grant it.
#[track_caller]
pub(crate) fn subscribe(
    session: &Session,
    peer: &mut Peer,
    filter: &str,
    handler: Arc<dyn Handler>,
) {
    let subscribing = session.subscribe(filter, at(QoS::ExactlyOnce), handler);
    peer.accept_subscription(filter);
    ended(subscribing).unwrap();
}

/// A handler that sends on what it gets.
pub(crate) fn collect() -> (Arc<dyn Handler>, Receiver<OwnedMessage>) {
    let (sender, receiver) = channel();
    let handler = move |message: &Message<'_>| drop(sender.send(message.keep()));
    (Arc::new(handler), receiver)
}

/// A handler that does nothing.
pub(crate) fn ignore() -> Arc<dyn Handler> {
    Arc::new(|_: &Message<'_>| {})
}

/// Sets an event handler that sends on what it gets.
pub(crate) fn events(session: &Session) -> Receiver<Event> {
    let (sender, receiver) = channel();
    let handler = move |event: &Event| drop(sender.send(event.clone()));
    session.set_event_handler(Some(Arc::new(handler))).unwrap();
    receiver
}

#[track_caller]
pub(crate) fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).expect("something should have come by now")
}

/// The payloads of the next messages.
#[track_caller]
pub(crate) fn payloads(receiver: &Receiver<OwnedMessage>, count: usize) -> Vec<String> {
    let payload = |message: OwnedMessage| String::from_utf8_lossy(message.payload()).into_owned();
    (0..count).map(|_| payload(next(receiver))).collect()
}

/// Waits for something that only a getter shows, without a pause of any length.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "it never came to pass that {what}");
        thread::yield_now();
    }
}

/// Has the peer answer everything until DISCONNECT; the result is what the session sent.
pub(crate) fn serve(mut peer: Peer) -> JoinHandle<Vec<Seen>> {
    thread::spawn(move || peer.serve_until(|seen| matches!(seen, Seen::Disconnect(_))))
}

/// A door that callbacks wait at.
pub(crate) struct Gate {
    arrived: Receiver<()>,
    open: Sender<()>,
}

/// The callbacks' side of a [`Gate`].
pub(crate) struct Threshold {
    arrived: Sender<()>,
    opened: Mutex<Receiver<()>>,
}

/// A gate, and what a callback calls to wait at it.
pub(crate) fn gate() -> (Gate, Threshold) {
    let ((arrived, arrivals), (open, opened)) = (channel(), channel());
    (Gate { arrived: arrivals, open }, Threshold { arrived, opened: Mutex::new(opened) })
}

impl Gate {
    /// Waits until a callback stands at the gate.
    #[track_caller]
    pub(crate) fn wait_for_arrival(&self) {
        next(&self.arrived);
    }

    /// Lets one callback pass.
    pub(crate) fn let_one_pass(&self) {
        let _ = self.open.send(());
    }
}

impl Threshold {
    /// Waits until the gate lets one pass; one that is gone stands open.
    pub(crate) fn pass(&self) {
        let _ = self.arrived.send(());
        let _ = self.opened.lock().unwrap().recv();
    }
}

/// A handler that waits at a gate with each message.
pub(crate) fn gated() -> (Gate, Arc<dyn Handler>) {
    let (gate, threshold) = gate();
    (gate, Arc::new(move |_: &Message<'_>| threshold.pass()))
}

/// Tells, when it is dropped, on which thread that happened.
pub(crate) struct Mourner(Sender<String>);

impl Mourner {
    pub(crate) fn new() -> (Self, Receiver<String>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }
}

impl Drop for Mourner {
    fn drop(&mut self) {
        let _ = self.0.send(thread_name());
    }
}

/// A handler that tells when it is dropped.
pub(crate) fn mortal() -> (Arc<dyn Handler>, Receiver<String>) {
    let (mourner, dropped) = Mourner::new();
    let handler = move |_: &Message<'_>| {
        let _held = &mourner;
    };
    (Arc::new(handler), dropped)
}

pub(crate) fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// That something was dropped once, by a callback thread.
#[track_caller]
pub(crate) fn assert_dropped_there(dropped: &Receiver<String>) {
    let thread = next(dropped);
    assert!(thread.starts_with("mqtt-callback"), "dropped by {thread}");
    assert!(dropped.try_recv().is_err(), "dropped twice");
}

/// Polls the session on a thread of its own until it is closed.
pub(crate) fn keep_polling(session: &Session) -> JoinHandle<()> {
    let session = session.clone();
    thread::spawn(move || {
        while session.state() != State::Closed {
            session.poll(Some(DEADLINE), usize::MAX).unwrap();
        }
    })
}

/// A session of this dispatch; a polled one is polled.
#[track_caller]
pub(crate) fn connect_with(broker: &ScriptedBroker, dispatch: Dispatch) -> (Session, Peer) {
    let mut options = options(broker);
    options.set_dispatch(dispatch);
    let (session, peer) = connect(broker, &options);
    if dispatch == Dispatch::Polled {
        keep_polling(&session);
    }
    (session, peer)
}

/// Shows that the I/O thread has had time for whatever lay before it: another session on it makes
/// some round trips, in each of which it looks at every socket that is ready.
pub(crate) struct IoFence {
    session: Session,
    peer: Option<JoinHandle<Vec<Seen>>>,
}

impl IoFence {
    pub(crate) fn new() -> Self {
        let (_broker, session, peer) = connected();
        Self { session, peer: Some(serve(peer)) }
    }

    #[track_caller]
    pub(crate) fn pass(&self) {
        for _ in 0..50 {
            let number = publish(&self.session, "fence", QoS::AtLeastOnce, "");
            self.session.wait(number, Some(DEADLINE)).unwrap();
        }
    }
}

impl Drop for IoFence {
    fn drop(&mut self) {
        self.session.close();
        let _ = self.peer.take().map(JoinHandle::join);
    }
}
