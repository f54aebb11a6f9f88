//! Nothing is acknowledged before it is handled.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
};

use mqttsession::{
    client::{
        Acknowledge, Acknowledgement, Event, Failure, Handled, Handler, Message, Options, Session,
    },
    error::Code,
    protocol::{Property, PropertyBlock, QoS, ReasonCode, Version},
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
    wire,
};

use crate::support::*;

/// A handler that hands out the right to acknowledge.
struct Deferring(Mutex<std::sync::mpsc::Sender<Acknowledgement>>);

impl Handler for Deferring {
    fn handle(&self, message: &Message<'_>) -> Handled {
        self.0.lock().unwrap().send(message.acknowledgement()).unwrap();
        Handled::Deferred
    }
}

fn deferring() -> (Arc<dyn Handler>, Receiver<Acknowledgement>) {
    let (sender, acknowledgements) = channel();
    (Arc::new(Deferring(Mutex::new(sender))), acknowledgements)
}

/// A handler that fails.
struct Failing;

impl Handler for Failing {
    fn handle(&self, _: &Message<'_>) -> Handled {
        Handled::Failed
    }
}

#[track_caller]
fn subscribed(
    options: &Options,
    broker: &ScriptedBroker,
    handler: Arc<dyn Handler>,
) -> (Session, Peer) {
    let (session, mut peer) = connect(broker, options);
    subscribe(&session, &mut peer, "in", handler);
    (session, peer)
}

#[test]
fn not_before_the_handler_has_returned() {
    let broker = ScriptedBroker::start();
    let (gate, handler) = gated();
    let (session, mut peer) = subscribed(&options(&broker), &broker, handler);
    for (qos, id) in [(1, 1), (2, 2)] {
        peer.publish("in", qos, id, "");
        gate.wait_for_arrival();
        assert!(peer.fence().is_empty(), "acknowledged too early");
        assert_eq!(session.statistics().unacknowledged, 1);
        gate.let_one_pass();
        match qos {
            1 => peer.expect_puback(id),
            _ => peer.expect_pubrec(id),
        };
    }
    peer.send(&wire::pubrel(2));
    peer.expect_pubcomp(2);
}

#[test]
fn not_before_every_handler_has_returned() {
    let broker = ScriptedBroker::start();
    let (gate, handler) = gated();
    let (session, mut peer) = subscribed(&options(&broker), &broker, ignore());
    subscribe(&session, &mut peer, "#", handler);
    peer.publish("in", 1, 1, "");
    gate.wait_for_arrival();
    assert!(peer.fence().is_empty(), "acknowledged too early");
    gate.let_one_pass();
    peer.expect_puback(1);
}

#[test]
fn what_has_been_handled_is_acknowledged_although_the_next_handler_is_stuck() {
    let broker = ScriptedBroker::start();
    let (gate, threshold) = gate();
    let handler = move |message: &Message<'_>| {
        if message.payload() == b"stuck" {
            threshold.pass();
        }
    };
    let (_session, mut peer) = subscribed(&options(&broker), &broker, Arc::new(handler));
    peer.send(&[wire::publish("in", 1, 1, ""), wire::publish("in", 1, 2, "stuck")].concat());
    gate.wait_for_arrival();
    peer.expect_puback(1);
    gate.let_one_pass();
    peer.expect_puback(2);
}

#[test]
fn deferred_and_out_of_order_they_leave_in_order() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (_session, mut peer) = subscribed(&options(&broker), &broker, handler);
    (1..=3).for_each(|id| peer.publish("in", 1, id, ""));
    let [first, second, third] = [(); 3].map(|()| next(&acknowledgements));
    third.acknowledge().unwrap();
    second.acknowledge().unwrap();
    assert!(peer.fence().is_empty(), "the first was overtaken");
    first.acknowledge().unwrap();
    (1..=3).for_each(|id| drop(peer.expect_puback(id)));
}

#[test]
fn from_another_thread() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&options(&broker), &broker, handler);
    peer.publish("in", 2, 1, "");
    let acknowledgement = next(&acknowledgements);
    eventually("only it keeps a place", || session.statistics().incoming_messages == 1);
    thread::spawn(|| acknowledgement.acknowledge()).join().unwrap().unwrap();
    peer.expect_pubrec(1);
    eventually("its place is free", || session.statistics().incoming_messages == 0);
}

#[test]
fn each_of_two_handlers_has_to_acknowledge() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&options(&broker), &broker, handler.clone());
    subscribe(&session, &mut peer, "#", handler);
    peer.publish("in", 1, 1, "");
    let [first, second] = [(); 2].map(|()| next(&acknowledgements));
    first.acknowledge().unwrap();
    assert!(peer.fence().is_empty(), "acknowledged too early");
    second.acknowledge().unwrap();
    peer.expect_puback(1);
}

#[test]
fn dropped_it_comes_again_on_the_next_connection() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&lasting(&broker), &broker, handler);
    peer.publish("in", 1, 1, "");
    drop(next(&acknowledgements));
    assert!(peer.fence().is_empty(), "it was acknowledged");
    eventually("its place is free", || session.statistics().incoming_messages == 0);
}

#[test]
fn refused_with_a_reason() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (handler, acknowledgements) = deferring();
    let (_session, mut peer) = subscribed(&options, &broker, handler);
    peer.publish("in", 1, 1, "");
    peer.publish("in", 2, 2, "");
    let [first, second] = [(); 2].map(|()| next(&acknowledgements));
    first.refuse(ReasonCode::QuotaExceeded, PropertyBlock::new()).unwrap();
    assert_eq!(peer.expect_puback(1).reason, 0x97);
    second.refuse(ReasonCode::NotAuthorized, PropertyBlock::new()).unwrap();
    assert_eq!(peer.expect_pubrec(2).reason, 0x87);
}

#[test]
fn a_refusal_says_why() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (handler, acknowledgements) = deferring();
    let (_session, mut peer) = subscribed(&options, &broker, handler);
    peer.publish("in", 1, 1, "");
    let mut said = PropertyBlock::new();
    said.push(Property::ReasonString("full")).unwrap();
    said.push(Property::UserProperty("left", "0")).unwrap();
    next(&acknowledgements).refuse(ReasonCode::QuotaExceeded, said).unwrap();
    let puback = peer.expect_puback(1);
    assert_eq!((puback.reason, puback.properties.text("reason-string")), (0x97, Some("full")));
    assert_eq!(puback.properties.user(), [("left", "0")]);
}

#[test]
fn what_cannot_be_said_in_a_refusal_is_an_error_and_leaves_the_message_unacknowledged() {
    let content = |property| {
        let mut block = PropertyBlock::new();
        block.push(property).unwrap();
        block
    };
    let none = PropertyBlock::new;
    let cases = [
        (Version::V5, ReasonCode::Success, none(), Code::InvalidArgument),
        (Version::V5, ReasonCode::NoMatchingSubscribers, none(), Code::InvalidArgument),
        (Version::V5, ReasonCode::KeepAliveTimeout, none(), Code::InvalidArgument),
        (
            Version::V5,
            ReasonCode::QuotaExceeded,
            content(Property::ContentType("text")),
            Code::InvalidArgument,
        ),
        (
            Version::V311,
            ReasonCode::QuotaExceeded,
            content(Property::ReasonString("full")),
            Code::NotSupported,
        ),
    ];
    for (version, reason, properties, expected) in cases {
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        options.set_version(version);
        let (handler, acknowledgements) = deferring();
        let (_session, mut peer) = subscribed(&options, &broker, handler);
        peer.publish("in", 1, 1, "");
        let error = next(&acknowledgements).refuse(reason, properties).unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
        assert!(peer.fence().is_empty());
    }
}

#[test]
fn the_first_refusal_of_several_counts() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&options, &broker, handler.clone());
    subscribe(&session, &mut peer, "#", handler);
    peer.publish("in", 1, 1, "");
    let [first, second] = [(); 2].map(|()| next(&acknowledgements));
    first.refuse(ReasonCode::NotAuthorized, PropertyBlock::new()).unwrap();
    assert!(peer.fence().is_empty(), "refused too early");
    second.refuse(ReasonCode::QuotaExceeded, PropertyBlock::new()).unwrap();
    assert_eq!(peer.expect_puback(1).reason, 0x87);
}

#[test]
fn a_failed_message_is_refused_where_the_options_say_so() {
    for (version, acknowledge) in [
        (Version::V311, Acknowledge::Handled),
        (Version::V5, Acknowledge::Handled),
        (Version::V5, Acknowledge::Manual),
    ] {
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        options.set_version(version).set_acknowledge(acknowledge);
        options.set_on_failure(Failure::Refuse(ReasonCode::NotAuthorized)).unwrap();
        let (_session, mut peer) = subscribed(&options, &broker, Arc::new(Failing));
        peer.publish("in", 1, 1, "");
        peer.publish("in", 2, 2, "");
        let reason = if version.is_v5() { 0x87 } else { 0 };
        assert_eq!(peer.expect_puback(1).reason, reason);
        assert_eq!(peer.expect_pubrec(2).reason, reason);
    }
}

#[test]
fn a_handler_that_fails_refuses_also_what_another_one_deferred() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    options.set_on_failure(Failure::Refuse(ReasonCode::QuotaExceeded)).unwrap();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&options, &broker, handler);
    subscribe(&session, &mut peer, "#", Arc::new(Failing));
    peer.publish("in", 1, 1, "");
    next(&acknowledgements).acknowledge().unwrap();
    assert_eq!(peer.expect_puback(1).reason, 0x97);
}

#[test]
fn acknowledgements_that_one_holds_back_are_counted_and_reported() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&options(&broker), &broker, handler);
    let events = events(&session);
    (1..=3).for_each(|id| peer.publish("in", 1, id, ""));
    let [first, second, third] = [(); 3].map(|()| next(&acknowledgements));
    third.acknowledge().unwrap();
    second.acknowledge().unwrap();
    assert_eq!(session.statistics().held_back, 2);
    // The engine looks every ten seconds.
    assert!(matches!(next(&events), Event::AcknowledgementHeld(2)));
    first.acknowledge().unwrap();
    (1..=3).for_each(|id| drop(peer.expect_puback(id)));
    assert_eq!(session.statistics().held_back, 0);
}

#[test]
fn a_message_that_waits_across_a_connection_is_delivered_once_and_acknowledged_there() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (_session, mut peer) = subscribed(&lasting(&broker), &broker, handler);
    peer.publish("in", 1, 7, "");
    let acknowledgement = next(&acknowledgements);
    peer.reset();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    peer.send(&wire::duplicate(wire::publish("in", 1, 7, "")));
    assert!(peer.fence().is_empty());
    acknowledgement.acknowledge().unwrap();
    peer.expect_puback(7);
    assert!(acknowledgements.try_recv().is_err(), "delivered twice");
}

#[test]
fn when_the_broker_has_lost_the_session_there_is_nothing_to_acknowledge() {
    let broker = ScriptedBroker::start();
    let (handler, acknowledgements) = deferring();
    let (session, mut peer) = subscribed(&lasting(&broker), &broker, handler);
    peer.publish("in", 1, 7, "");
    let acknowledgement = next(&acknowledgements);
    peer.reset();
    let mut peer = broker.accept_session();
    peer.accept_subscription("in");
    eventually("it is connected", || session.statistics().connections == 2);
    assert_eq!(acknowledgement.acknowledge().unwrap_err().code(), Code::SessionLost);
    assert!(peer.fence().is_empty());
}

#[test]
fn a_failed_message_is_acknowledged_or_not_as_the_options_say() {
    for acknowledge in [true, false] {
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        let failure = if acknowledge { Failure::Acknowledge } else { Failure::Leave };
        options.set_on_failure(failure).unwrap();
        let (session, mut peer) = subscribed(&options, &broker, Arc::new(Failing));
        peer.publish("in", 1, 1, "");
        match acknowledge {
            true => drop(peer.expect_puback(1)),
            false => {
                eventually("it was handled", || session.statistics().incoming_messages == 0);
                assert!(peer.fence().is_empty());
                assert_eq!(session.statistics().unacknowledged, 1);
            }
        }
    }
}

#[test]
fn manual_means_when_the_program_says_so() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    let (sender, acknowledgements) = channel();
    // It returns `Done`; that alone is no acknowledgement.
    let handler = move |message: &Message<'_>| {
        if message.payload() == b"take" {
            sender.send(message.acknowledgement()).unwrap();
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 1, 1, "take");
    next(&acknowledgements).acknowledge().unwrap();
    peer.expect_puback(1);
    peer.publish("in", 1, 2, "leave");
    eventually("it was handled", || session.statistics().incoming_messages == 0);
    assert!(peer.fence().is_empty());
}

#[test]
fn a_handler_that_is_alone_need_not_return_for_its_acknowledgement() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    let (gate, threshold) = gate();
    let handler = move |message: &Message<'_>| {
        // The second comes too late to matter.
        message.acknowledgement().acknowledge().unwrap();
        message.acknowledgement().acknowledge().unwrap();
        threshold.pass();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 1, 1, "");
    peer.expect_puback(1);
    gate.wait_for_arrival();
    gate.let_one_pass();
    eventually("its place is free", || session.statistics().incoming_messages == 0);
}

#[test]
fn a_handler_among_others_acknowledges_for_itself() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    let acknowledging = |message: &Message<'_>| {
        message.acknowledgement().acknowledge().unwrap();
    };
    subscribe(&session, &mut peer, "in", Arc::new(acknowledging));
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "+", handler);
    peer.publish("in", 1, 1, "");
    gate.wait_for_arrival();
    assert!(peer.fence().is_empty(), "the other one has not returned");
    gate.let_one_pass();
    peer.expect_puback(1);
    eventually("its place is free", || session.statistics().incoming_messages == 0);
}

#[test]
fn manual_and_nobody_left_to_say_so() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    subscribe(&session, &mut peer, "in", ignore());
    session.unsubscribe("in").unwrap();
    peer.expect_unsubscribe();
    // Sent before the broker knew; it must not hold back the acknowledgements after it.
    peer.publish("in", 1, 1, "");
    peer.expect_puback(1);
}

#[test]
fn on_receipt_means_before_the_handler_returns() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::OnReceipt);
    let (gate, handler) = gated();
    let (_session, mut peer) = subscribed(&options, &broker, handler);
    peer.publish("in", 1, 1, "");
    peer.publish("in", 2, 2, "");
    peer.expect_puback(1);
    peer.expect_pubrec(2);
    gate.wait_for_arrival();
}

#[test]
fn an_unclaimed_message_waits_for_a_handler() {
    let (_broker, session, mut peer) = connected();
    for (qos, id) in [(1, 1), (2, 2), (1, 3)] {
        peer.publish("in", qos, id, format!("{id}"));
    }
    assert!(peer.fence().is_empty(), "acknowledged without a handler");
    assert_eq!(session.statistics().incoming_messages, 3);
    let (handler, messages) = collect();
    session.subscribe("in", at(QoS::AtMostOnce), handler).unwrap();
    assert_eq!(payloads(&messages, 3), ["1", "2", "3"]);
    let mut seen = [(); 4].map(|()| peer.receive());
    seen.sort_by_key(Seen::name);
    assert_eq!(seen.each_ref().map(Seen::name), ["PUBACK", "PUBACK", "PUBREC", "SUBSCRIBE"]);
    eventually("every place is free", || session.statistics().incoming_messages == 0);
}

#[test]
fn unclaimed_messages_fill_the_queue_and_a_handler_empties_it() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_incoming_limit(1, 1 << 20).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    peer.publish("in", 1, 1, "a");
    eventually("it is held", || session.statistics().incoming_messages == 1);
    peer.publish("in", 1, 2, "b");
    let (handler, messages) = collect();
    let subscribing = session.subscribe("in", at(QoS::AtLeastOnce), handler);
    assert_eq!(payloads(&messages, 2), ["a", "b"]);
    let served = serve(peer);
    ended(subscribing).unwrap();
    session.close();
    served.join().unwrap();
}

#[test]
fn a_kept_message_outlives_everything() {
    let (_broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    for size in [0, 1, 4096, 4097, 100_000] {
        let payload = vec![b'k'; size];
        peer.publish("in", 0, 0, &payload);
        let message = next(&messages);
        assert_eq!((message.topic(), message.payload()), ("in", &payload[..]));
    }
}
