//! Every accepted publish ends exactly once, and everybody who wants to know is told.

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use mqttsession::{
    client::{
        Completion, Delivered, DisconnectOptions, Dispatch, Options, Outcome, PublishOptions,
        QueuePolicy, Session,
    },
    error::{Code, Result},
    protocol::{PropertyBlock, QoS, ReasonCode},
};
use mqttsession_tests::{scripted::ScriptedBroker, seen::Seen, wire};

use crate::support::*;

type Ends = Receiver<(u64, Outcome)>;

/// Publishes with a completion.
#[track_caller]
fn publish_told(session: &Session, qos: QoS) -> (u64, Ends) {
    let (sender, ends) = channel();
    let completion = Some(Completion::new(move |number, outcome| {
        sender.send((number, outcome)).unwrap();
    }));
    let options = PublishOptions { qos, completion, ..PublishOptions::default() };
    (session.publish("out", b"payload".into(), options).unwrap(), ends)
}

/// That a message ended this way, once: by its completion and by every wait from now on.
#[track_caller]
fn assert_ended(session: &Session, (number, ends): (u64, Ends), expected: Result<(), Code>) {
    let code = |outcome: Outcome| outcome.map(drop).map_err(|error| error.code());
    let (told, outcome) = next(&ends);
    assert_eq!((told, code(outcome)), (number, expected));
    // The sender was dropped with the completion: it cannot be called again.
    assert!(ends.recv().is_err());
    for _ in 0..2 {
        assert_eq!(code(session.wait(number, Some(DEADLINE))), expected);
    }
}

#[test]
fn qos_0_ends_when_it_is_written() {
    let (_broker, session, mut peer) = connected();
    let message = publish_told(&session, QoS::AtMostOnce);
    assert_ended(&session, message, Ok(()));
    assert_eq!(peer.expect_publish().payload, b"payload");
}

#[test]
fn qos_1_and_2_end_when_they_are_acknowledged() {
    let (_broker, session, mut peer) = connected();
    let message = publish_told(&session, QoS::AtLeastOnce);
    let id = peer.expect_publish().id;
    assert_eq!(session.wait(message.0, Some(Duration::ZERO)).unwrap_err().code(), Code::Timeout);
    peer.send(&wire::puback(id));
    assert_ended(&session, message, Ok(()));
    let message = publish_told(&session, QoS::ExactlyOnce);
    let id = peer.expect_publish().id;
    peer.send(&wire::pubrec(id));
    peer.expect_pubrel(id);
    assert_eq!(session.wait(message.0, Some(Duration::ZERO)).unwrap_err().code(), Code::Timeout);
    peer.send(&wire::pubcomp(id));
    assert_ended(&session, message, Ok(()));
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let (_broker, session, mut peer) = connected_v5();
    let refusals = [
        (QoS::AtLeastOnce, wire::v5::puback as fn(_, _, &[u8]) -> _),
        (QoS::ExactlyOnce, wire::v5::pubrec),
    ];
    for (qos, refuse) in refusals {
        let message = publish_told(&session, qos);
        let id = peer.expect_publish().id;
        peer.send(&refuse(id, 0x97, &[]));
        let number = message.0;
        assert_ended(&session, message, Err(Code::PublishRefused));
        let error = session.wait(number, None).unwrap_err();
        assert_eq!(error.reason_code(), Some(0x97));
    }
}

#[test]
fn a_5_0_broker_may_say_that_nobody_listens() {
    let (_broker, session, mut peer) = connected_v5();
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    peer.send(&wire::v5::puback(id, 0x10, &[]));
    let delivered = session.wait(number, Some(DEADLINE)).unwrap();
    assert_eq!(delivered, Delivered::new(ReasonCode::NoMatchingSubscribers));
}

#[test]
fn a_message_that_the_broker_does_not_take_is_not_accepted() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(mqttsession::protocol::Version::V5);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    let limits = [
        mqttsession_tests::property::number("maximum-qos", 1),
        mqttsession_tests::property::number("maximum-packet-size", 50),
    ];
    peer.send(&wire::v5::connack(false, 0, &limits.concat()));
    ended(connecting).unwrap();
    let refused = |qos, payload: &[u8]| {
        let options = PublishOptions { qos, ..PublishOptions::default() };
        session.publish("out", payload.into(), options).unwrap_err().code()
    };
    assert_eq!(refused(QoS::ExactlyOnce, b""), Code::NotSupported);
    assert_eq!(refused(QoS::AtMostOnce, &[0; 50]), Code::PayloadTooLarge);
    assert!(peer.fence().is_empty(), "something was sent");
}

#[test]
fn bad_input_is_refused_and_a_completion_dropped_unused() {
    let (_broker, session, mut peer) = connected();
    for topic in ["", "a/+", "#", "a\0b"] {
        let (sender, ends) = channel::<()>();
        let completion = Some(Completion::new(move |_, _| sender.send(()).unwrap()));
        let options = PublishOptions { completion, ..PublishOptions::default() };
        let error = session.publish(topic, b"".into(), options).unwrap_err();
        assert_eq!(error.code(), Code::InvalidTopic, "{topic:?}");
        assert!(ends.recv().is_err(), "the completion was called");
    }
    let mut properties = PropertyBlock::new();
    properties.push(mqttsession::protocol::Property::ContentType("text/plain")).unwrap();
    let options = PublishOptions { properties, ..PublishOptions::default() };
    let error = session.publish("a", b"".into(), options).unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert!(peer.fence().is_empty(), "something was sent");
    assert_eq!(session.statistics().published, 0);
}

#[test]
fn a_number_that_was_never_given_is_unknown() {
    let (_broker, session, _peer) = connected();
    for number in [0, 1, u64::MAX] {
        let error = session.wait(number, Some(DEADLINE)).unwrap_err();
        assert_eq!(error.code(), Code::UnknownMessage);
    }
}

#[test]
fn before_connect_and_after_disconnect_nothing_is_accepted() {
    let broker = ScriptedBroker::start();
    let options = options(&broker);
    let refused = |session: &Session| {
        session.publish("a", b"".into(), PublishOptions::default()).unwrap_err().code()
    };
    assert_eq!(refused(&Session::new(&options).unwrap()), Code::NotConnected);
    let (session, peer) = connect(&broker, &options);
    let served = serve(peer);
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    served.join().unwrap();
    assert_eq!(refused(&session), Code::NotConnected);
    session.close();
    assert_eq!(refused(&session), Code::Closed);
    assert_eq!(session.flush().err().map(|error| error.code()), Some(Code::Closed));
}

#[test]
fn closing_cancels_what_has_not_ended() {
    let (_broker, session, mut peer) = connected();
    let messages = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| publish_told(&session, qos));
    let ids = [peer.expect_publish().id, peer.expect_publish().id];
    peer.send(&wire::pubrec(ids[1]));
    peer.expect_pubrel(ids[1]);
    let flush = session.flush().unwrap();
    let served = serve(peer);
    session.close();
    served.join().unwrap();
    flush.wait(Some(DEADLINE)).unwrap();
    for message in messages {
        assert_ended(&session, message, Err(Code::Cancelled));
    }
}

#[test]
fn what_the_lost_session_held_ends_as_the_options_say() {
    let broker = ScriptedBroker::start();
    let mut options = lasting(&broker);
    options.set_end_on_session_loss(true);
    let (session, mut peer) = connect(&broker, &options);
    let messages = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| publish_told(&session, qos));
    peer.expect_publish();
    peer.expect_publish();
    peer.reset();
    let _peer = broker.accept_session();
    for message in messages {
        assert_ended(&session, message, Err(Code::SessionLost));
    }
}

#[test]
fn after_pubrec_a_lost_session_leaves_the_delivery_unknown() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    let message = publish_told(&session, QoS::ExactlyOnce);
    let id = peer.expect_publish().id;
    peer.send(&wire::pubrec(id));
    peer.expect_pubrel(id);
    peer.reset();
    let _peer = broker.accept_session();
    assert_ended(&session, message, Err(Code::SessionLost));
}

#[test]
fn qos_0_that_was_not_written_ends_with_the_connection() {
    let (broker, session, mut peer) = connected();
    publish(&session, "out", QoS::AtMostOnce, "written");
    peer.expect_publish();
    // More than the socket takes while nobody reads.
    let options = |completion| PublishOptions { completion, ..PublishOptions::default() };
    let (sender, ends) = channel();
    let completion = Some(Completion::new(move |_, outcome| sender.send(outcome).unwrap()));
    session.publish("out", vec![0; 64 << 20].into(), options(completion)).unwrap();
    peer.reset();
    let outcome: Outcome = next(&ends);
    assert_eq!(outcome.unwrap_err().code(), Code::ConnectionClosed);
    broker.accept_session();
}

#[test]
fn completions_come_in_the_order_of_publishing() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        let broker = ScriptedBroker::start();
        let (session, peer) = connect_with(&broker, dispatch);
        let served = serve(peer);
        let (sender, ends) = channel();
        for qos in QOS {
            for _ in 0..100 {
                let sender = sender.clone();
                let completion = Some(Completion::new(move |number, outcome: Outcome| {
                    sender.send((number, outcome.is_ok())).unwrap();
                }));
                let options = PublishOptions { qos, completion, ..PublishOptions::default() };
                session.publish("out", b"".into(), options).unwrap();
            }
            let first = next(&ends).0;
            (1..100_u64).for_each(|more| assert_eq!(next(&ends), (first + more, true)));
        }
        session.close();
        served.join().unwrap();
    }
}

#[test]
fn many_threads_wait_for_the_same_message() {
    let (_broker, session, mut peer) = connected();
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let session = session.clone();
            thread::spawn(move || session.wait(number, Some(DEADLINE)))
        })
        .collect();
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    for thread in waiting {
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_timeout_cancels_nothing_and_waiting_may_be_repeated() {
    let (_broker, session, mut peer) = connected();
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    let flush = session.flush().unwrap();
    for _ in 0..10 {
        let error = session.wait(number, Some(Duration::from_millis(1))).unwrap_err();
        assert_eq!(error.code(), Code::Timeout);
        let error = flush.wait(Some(Duration::from_millis(1))).unwrap_err();
        assert_eq!(error.code(), Code::Timeout);
    }
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    session.wait(number, Some(DEADLINE)).unwrap();
    flush.wait(Some(DEADLINE)).unwrap();
}

#[test]
fn a_flush_waits_for_what_was_published_before_it_only() {
    let (_broker, session, mut peer) = connected();
    publish(&session, "out", QoS::AtLeastOnce, "before");
    let flush = session.flush().unwrap();
    publish(&session, "out", QoS::AtLeastOnce, "after");
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    flush.wait(Some(DEADLINE)).unwrap();
    assert_eq!(session.statistics().in_flight, 1);
}

#[test]
fn an_operation_can_be_awaited_and_answered_by_a_callback() {
    let (_broker, session, mut peer) = connected();
    publish(&session, "out", QoS::AtLeastOnce, "");
    let (sender, results) = channel();
    session.flush().unwrap().on_end(move |result| {
        sender.send((result.is_ok(), thread_name())).unwrap();
    });
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    let (succeeded, thread) = next(&results);
    assert!(succeeded && thread.starts_with("mqtt-callback"), "{succeeded} on {thread}");
}

#[test]
fn a_panicking_completion_hurts_nobody_else() {
    let (_broker, session, peer) = connected();
    let served = serve(peer);
    let completion = Some(Completion::new(|_, outcome: Outcome| {
        outcome.expect_err("a panic that the test wants");
    }));
    let options = PublishOptions { completion, ..PublishOptions::default() };
    session.publish("out", b"".into(), options).unwrap();
    let message = publish_told(&session, QoS::AtLeastOnce);
    assert_ended(&session, message, Ok(()));
    session.close();
    served.join().unwrap();
}

/// Publishes to a peer that reads nothing until publishing would wait; how often that was.
fn stall(session: &Session) -> u64 {
    let payload = vec![0; 8 << 10];
    let publish = || session.try_publish("out", payload[..].into(), PublishOptions::default());
    let fence = IoFence::new();
    let mut count = 0;
    loop {
        while publish().is_ok() {
            count += 1;
        }
        // The socket may have taken some of it.
        fence.pass();
        match publish() {
            Ok(_) => count += 1,
            Err(error) => {
                assert_eq!(error.code(), Code::QueueFull);
                return count;
            }
        }
    }
}

fn impatient(broker: &ScriptedBroker, wait: Duration) -> Options {
    let mut options = options(broker);
    options.set_outgoing_policy(QueuePolicy::Block).set_outgoing_wait(wait);
    options
}

#[test]
fn publishing_to_a_stalled_peer_waits_and_gives_up() {
    let broker = ScriptedBroker::start();
    let options = impatient(&broker, Duration::from_millis(50));
    let (session, peer) = connect(&broker, &options);
    stall(&session);
    let begun = std::time::Instant::now();
    let error = session.publish("out", b"".into(), PublishOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::QueueFull);
    assert!(begun.elapsed() >= Duration::from_millis(50), "it did not wait");
    drop(peer);
}

#[test]
fn publishing_goes_on_when_the_peer_reads_again() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &impatient(&broker, DEADLINE));
    let stalled = stall(&session);
    let publisher = session.clone();
    let publishing = thread::spawn(move || publish(&publisher, "out", QoS::AtMostOnce, "last"));
    let mut read = 0;
    while peer.expect_publish().payload != b"last" {
        read += 1;
    }
    assert_eq!(read, stalled);
    assert_eq!(publishing.join().unwrap(), stalled + 1);
}

#[test]
fn a_waiting_publisher_is_told_that_the_session_closes() {
    let broker = ScriptedBroker::start();
    let mut options = impatient(&broker, DEADLINE);
    options.set_outgoing_limit(1, 1 << 20).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    publish(&session, "out", QoS::AtLeastOnce, "");
    peer.expect("PUBLISH", |seen| matches!(seen, Seen::Publish(_)));
    let publisher = session.clone();
    let publishing = thread::spawn(move || {
        let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        publisher.publish("out", b"".into(), options).unwrap_err().code()
    });
    drop(peer);
    session.close();
    assert_eq!(publishing.join().unwrap(), Code::Closed);
}
