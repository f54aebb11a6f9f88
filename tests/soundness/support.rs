//! Sessions, and handlers that tell what becomes of them.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use mqttsession::{
    client::{Handled, Handler, Message, Operation, Options, OwnedMessage, Session},
    error::Result,
    protocol::{QoS, SubscriptionOptions},
};
pub(crate) use mqttsession_tests::DEADLINE;
use mqttsession_tests::scripted::{Peer, ScriptedBroker};

/// For a session that the broker keeps, with pauses that no test has to wait for.
pub(crate) fn options(broker: &ScriptedBroker) -> Options {
    let mut options = Options::new();
    options.set_address(&broker.url()).unwrap();
    options.set_client_id("test").unwrap();
    options.set_clean_session(false);
    options.set_connect_timeout(DEADLINE).unwrap();
    options.set_reconnect_delay(Duration::from_millis(1), Duration::from_millis(20)).unwrap();
    options
}

#[track_caller]
pub(crate) fn connect(broker: &ScriptedBroker, options: &Options) -> (Session, Peer) {
    let session = Session::new(options).unwrap();
    let connecting = session.connect();
    let peer = broker.accept_session();
    ended(connecting).unwrap();
    (session, peer)
}

/// The result of an operation that was begun.
#[track_caller]
pub(crate) fn ended<T: Clone + Send + 'static>(operation: Result<Operation<T>>) -> Result<T> {
    operation?.wait(Some(DEADLINE))
}

pub(crate) fn at(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

/// Subscribes with QoS 1 and has the peer grant it.
#[track_caller]
pub(crate) fn subscribe(session: &Session, peer: &mut Peer, filter: &str, handler: impl Handler) {
    let subscribing = session.subscribe(filter, at(QoS::AtLeastOnce), Arc::new(handler));
    peer.accept_subscription(filter);
    ended(subscribing).unwrap();
}

/// A handler that sends on what it gets.
pub(crate) fn collect() -> (impl Handler, Receiver<OwnedMessage>) {
    let (sender, receiver) = channel();
    (move |message: &Message<'_>| drop(sender.send(message.keep())), receiver)
}

/// The next thing that is sent on.
#[track_caller]
pub(crate) fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).expect("nothing came before the deadline")
}

/// Tells the name of the thread on which it is dropped.
pub(crate) struct Mortal(Sender<String>);

impl Mortal {
    pub(crate) fn new() -> (Self, Receiver<String>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let name = thread::current().name().unwrap_or("nameless").to_owned();
        // The test may be over.
        let _ = self.0.send(name);
    }
}

impl Handler for Mortal {
    fn handle(&self, _message: &Message<'_>) -> Handled {
        Handled::Done
    }
}
