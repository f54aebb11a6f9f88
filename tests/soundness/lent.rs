//! What is lent is given back: once, not before nobody needs it, and on a thread where that does no
//! harm.

use std::{
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
    time::Duration,
};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Dispatch, Lent, Options, PublishOptions, QueuePolicy,
        Session,
    },
    error::{Code, Result},
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

/// From here on a payload is not copied.
const LARGE: usize = 16 << 10;

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Bytes that are lent together with something that notices when they come back.
struct Owner<T>(Vec<u8>, T);

impl<T> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// A payload, and where it says on which thread it came back.
fn lent(size: usize) -> (Lent, Receiver<String>) {
    let (mortal, died) = Mortal::new();
    (Lent::new(Owner(bytes(size), mortal)), died)
}

fn publish(session: &Session, qos: QoS, size: usize) -> (Result<u64>, Receiver<String>) {
    let (payload, died) = lent(size);
    let options = PublishOptions { qos, ..PublishOptions::default() };
    (session.publish_lent("out", payload, options), died)
}

/// It has not come back.
#[track_caller]
fn assert_lent(died: &Receiver<String>) {
    assert_eq!(died.try_recv(), Err(TryRecvError::Empty));
}

/// It has come back on a callback thread, now or in a moment, and does so once.
#[track_caller]
fn assert_back(died: &Receiver<String>) {
    let thread = next(died);
    assert!(thread.starts_with("mqtt-callback"), "{thread}");
    assert_eq!(died.recv(), Err(std::sync::mpsc::RecvError));
}

/// It has come back, wherever that was.
#[track_caller]
fn assert_is_back(died: &Receiver<String>) {
    assert!(died.try_recv().is_ok());
}

/// It has come back before the publishing call returned.
#[track_caller]
fn assert_back_at_once(died: &Receiver<String>) {
    assert_eq!(died.try_recv().as_deref(), Ok(thread::current().name().unwrap()));
}

/// The broker takes the next message, the payload whole, and says nothing yet; its packet id.
#[track_caller]
fn take(peer: &mut Peer, size: usize) -> u16 {
    let seen = peer.expect_publish();
    assert!(seen.payload == bytes(size), "another payload has arrived");
    seen.id
}

#[test]
fn a_payload_is_lent_until_the_broker_has_it() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (_, written) = publish(&session, QoS::AtMostOnce, LARGE);
    take(&mut peer, LARGE);
    // Whoever has written it: the publishing thread, or the driver.
    assert!(!next(&written).starts_with("mqtt-io"));
    let (_, acknowledged) = publish(&session, QoS::AtLeastOnce, LARGE);
    let id = take(&mut peer, LARGE);
    assert_lent(&acknowledged);
    peer.send(&wire::puback(id));
    assert_back(&acknowledged);
    // At QoS 2 only the packet id matters once the broker has the message.
    let (number, received) = publish(&session, QoS::ExactlyOnce, 1 << 20);
    let id = take(&mut peer, 1 << 20);
    assert_lent(&received);
    peer.send(&wire::pubrec(id));
    peer.expect_pubrel(id);
    assert_back(&received);
    let waited = session.wait(number.unwrap(), Some(Duration::ZERO));
    assert_eq!(waited.unwrap_err().code(), Code::Timeout);
}

#[test]
fn a_payload_stays_lent_over_a_lost_connection() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (_, died) = publish(&session, QoS::AtLeastOnce, LARGE);
    take(&mut peer, LARGE);
    drop(peer);
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    let id = take(&mut peer, LARGE);
    assert_lent(&died);
    peer.send(&wire::puback(id));
    assert_back(&died);
}

#[test]
fn a_small_payload_is_copied_and_comes_back_at_once() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    for qos in QOS {
        for size in [0, LARGE - 1] {
            let (number, died) = publish(&session, qos, size);
            number.unwrap();
            assert_back_at_once(&died);
            take(&mut peer, size);
        }
    }
}

#[test]
fn a_payload_that_is_refused_comes_back_at_once() {
    #[track_caller]
    fn refused(session: &Session, topic: &str, expected: Code) {
        for size in [1, LARGE] {
            let (payload, died) = lent(size);
            let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
            let error = session.publish_lent(topic, payload, options).unwrap_err();
            assert_eq!(error.code(), expected);
            assert_back_at_once(&died);
        }
    }

    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_limit(1, usize::MAX).unwrap();
    options.set_outgoing_policy(QueuePolicy::Reject);
    let session = Session::new(&options).unwrap();
    refused(&session, "out", Code::NotConnected);
    let connecting = session.connect();
    let mut peer = broker.accept_session();
    ended(connecting).unwrap();
    refused(&session, "out/#", Code::InvalidTopic);
    let (_, first) = publish(&session, QoS::AtLeastOnce, LARGE);
    take(&mut peer, LARGE);
    refused(&session, "out", Code::QueueFull);
    assert_lent(&first);
    session.close();
    refused(&session, "out", Code::Closed);
}

/// One that another message makes room for, and one whose time is over.
#[test]
fn a_payload_that_is_given_up_comes_back() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_outgoing_limit(2, usize::MAX).unwrap();
    options.set_outgoing_policy(QueuePolicy::DropOldest);
    let session = Session::new(&options).unwrap();
    let _never_answered = session.connect().unwrap();
    let (_, dropped) = publish(&session, QoS::AtLeastOnce, LARGE);
    let (payload, expired) = lent(LARGE);
    let time_to_live = Some(Duration::from_millis(20));
    let how =
        || PublishOptions { qos: QoS::AtLeastOnce, time_to_live, ..PublishOptions::default() };
    session.publish_lent("out", payload, how()).unwrap();
    assert_lent(&dropped);
    // Not lent itself: whoever ends the message of another gives back what that was lent.
    session.publish("out", "".into(), how()).unwrap();
    assert_back(&dropped);
    assert_back(&expired);
}

/// Before there is a connection, while one goes on, and with a half written payload on one that is gone.
#[test]
fn who_has_closed_the_session_has_everything_back() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let _never_answered = session.connect().unwrap();
    let sent = QOS.map(|qos| publish(&session, qos, LARGE).1);
    session.close();
    sent.iter().for_each(assert_is_back);

    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let sent = QOS.map(|qos| publish(&session, qos, 1 << 20).1);
    let reading = thread::spawn(move || drop(peer.silence()));
    session.close();
    sent.iter().for_each(assert_is_back);
    reading.join().unwrap();

    let broker = ScriptedBroker::start();
    let (session, peer) = connect(&broker, &options(&broker));
    let sent = QOS.map(|qos| publish(&session, qos, 8 << 20).1);
    drop(peer);
    session.close();
    sent.iter().for_each(assert_is_back);
}

#[test]
fn a_session_that_is_dropped_gives_everything_back() {
    let broker = ScriptedBroker::start();
    let (session, peer) = connect(&broker, &options(&broker));
    let sent: Vec<_> = QOS.iter().map(|&qos| publish(&session, qos, LARGE).1).collect();
    drop((session, peer));
    sent.iter().for_each(|died| drop(next(died)));
}

#[test]
fn what_comes_back_may_call_its_session() {
    struct Caller {
        session: Session,
        payload: Vec<u8>,
        called: std::sync::mpsc::Sender<usize>,
    }

    impl AsRef<[u8]> for Caller {
        fn as_ref(&self) -> &[u8] {
            &self.payload
        }
    }

    impl Drop for Caller {
        fn drop(&mut self) {
            let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
            let number = self.session.publish("again", "".into(), options).unwrap();
            // It waits: for a broker that answers only after it.
            drop(self.session.wait(number, Some(DEADLINE)).unwrap());
            self.called.send(self.session.statistics().outgoing_messages).unwrap();
            drop(self.session.disconnect(DisconnectOptions::default()));
            self.session.close();
        }
    }

    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (called, calls) = channel();
    let payload = Caller { session: session.clone(), payload: bytes(LARGE), called };
    let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    session.publish_lent("out", Lent::new(payload), options).unwrap();
    let id = take(&mut peer, LARGE);
    peer.send(&wire::puback(id));
    let again = peer.expect_publish();
    assert_eq!(again.topic, "again");
    peer.send(&wire::puback(again.id));
    assert_eq!(next(&calls), 0);
    peer.expect_disconnect();
}

#[test]
fn what_panics_when_it_comes_back_harms_nobody() {
    struct Bomb(#[expect(dead_code, reason = "it tells when it is dropped")] Mortal);

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (mortal, died) = Mortal::new();
    let payload = Lent::new(Owner(bytes(LARGE), Bomb(mortal)));
    let options = || PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    session.publish_lent("out", payload, options()).unwrap();
    let (_, other) = publish(&session, QoS::AtLeastOnce, LARGE);
    let ids = [take(&mut peer, LARGE), take(&mut peer, LARGE)];
    peer.send(&ids.map(wire::puback).concat());
    assert_back(&died);
    assert_back(&other);
}

#[test]
fn a_program_that_polls_gets_it_back_in_poll() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Polled);
    let (session, mut peer) = connect(&broker, &options);
    let sent: Vec<_> = (0..3).map(|_| publish(&session, QoS::AtLeastOnce, LARGE).1).collect();
    let ids: Vec<u16> = sent.iter().map(|_| take(&mut peer, LARGE)).collect();
    peer.send(&ids.into_iter().flat_map(wire::puback).collect::<Vec<u8>>());
    ended(session.flush()).unwrap();
    for died in &sent {
        assert_lent(died);
        // Each counts as a callback.
        assert_eq!(session.poll(Some(DEADLINE), 1).unwrap(), 1);
        assert_back_at_once(died);
    }
    assert_eq!(session.poll(Some(Duration::ZERO), 0).unwrap(), 0);
}

#[test]
fn inline_it_comes_back_on_the_io_thread() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Inline);
    let (session, mut peer) = connect(&broker, &options);
    let (_, died) = publish(&session, QoS::AtLeastOnce, LARGE);
    let id = take(&mut peer, LARGE);
    peer.send(&wire::puback(id));
    assert!(next(&died).starts_with("mqtt-io"));
}

/// Published by several threads, acknowledged at any time: whoever is last to hold a payload, and
/// wherever that is, it comes back once.
#[test]
fn each_of_many_comes_back_once() {
    const EACH: usize = 200;
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let answering = thread::spawn(move || {
        peer.serve_until(|seen| matches!(seen, mqttsession_tests::seen::Seen::Disconnect(_)))
    });
    let (sender, completed) = channel();
    let publishing = QOS.map(|qos| {
        let (session, sender) = (session.clone(), sender.clone());
        thread::spawn(move || {
            let sent = (0..EACH).map(|number| {
                let sender = sender.clone();
                let completion = Completion::new(move |_, how| sender.send(how).unwrap());
                let completion = (number % 2 == 0).then_some(completion);
                let options = PublishOptions { qos, completion, ..PublishOptions::default() };
                let (payload, died) = lent(LARGE);
                session.publish_lent("out", payload, options).unwrap();
                died
            });
            sent.collect::<Vec<_>>()
        })
    });
    for died in publishing.into_iter().flat_map(|thread| thread.join().unwrap()) {
        let thread = next(&died);
        assert!(!thread.starts_with("mqtt-io"), "{thread}");
        assert_eq!(died.recv(), Err(std::sync::mpsc::RecvError));
    }
    for _ in 0..QOS.len() * EACH / 2 {
        next(&completed).unwrap();
    }
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    assert_eq!(session.statistics().outgoing_messages, 0);
    answering.join().unwrap();
}

#[test]
fn over_a_store_a_payload_is_lent_until_the_broker_has_it_or_the_session_ends() {
    fn stored(options: &mut Options) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        options.set_store(Some(directory.path())).unwrap();
        directory
    }

    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    let directory = stored(&mut options);
    let (session, mut peer) = connect(&broker, &options);
    let (number, acknowledged) = publish(&session, QoS::AtLeastOnce, LARGE);
    session.wait_stored(number.unwrap(), Some(DEADLINE)).unwrap();
    let id = take(&mut peer, LARGE);
    assert_lent(&acknowledged);
    peer.send(&wire::puback(id));
    assert_back(&acknowledged);
    let (number, left) = publish(&session, QoS::AtLeastOnce, LARGE);
    session.wait_stored(number.unwrap(), Some(DEADLINE)).unwrap();
    take(&mut peer, LARGE);
    drop(peer);
    session.close();
    assert_is_back(&left);
    // What comes out of the store is the store's own copy.
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    ended(connecting).unwrap();
    take(&mut peer, LARGE);
    drop((session, peer, directory));
}
