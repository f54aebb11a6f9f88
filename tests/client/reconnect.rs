//! Losing a connection and coming back: what is sent again, what is asked for again, when it stops.

use std::time::Duration;

use mqttsession::{
    client::{Event, Options, Session, State},
    error::Code,
    protocol::{Property, QoS, Version},
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    wire,
};

use crate::support::*;

/// The next connection, whose session the broker has kept or not.
#[track_caller]
fn accept(broker: &ScriptedBroker, session_present: bool) -> Peer {
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(session_present, 0);
    peer
}

fn lasting_v5(broker: &ScriptedBroker) -> Options {
    let mut options = options(broker);
    options.set_version(Version::V5);
    options.add_connect_property(Property::SessionExpiryInterval(3600)).unwrap();
    options
}

#[test]
fn what_is_published_offline_is_delivered_later() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    peer.reset();
    let mut waiting = broker.accept();
    let numbers = QOS.map(|qos| publish(&session, "out", qos, "offline"));
    waiting.expect_connect();
    waiting.connack(true, 0);
    for qos in [0, 1, 2] {
        let seen = waiting.expect_publish();
        assert_eq!((seen.qos, seen.dup), (qos, false));
        waiting.answer(&mqttsession_tests::seen::Seen::Publish(seen));
    }
    peer = waiting;
    peer.expect_pubrel(2);
    peer.send(&wire::pubcomp(2));
    for number in numbers {
        session.wait(number, Some(DEADLINE)).unwrap();
    }
}

#[test]
fn a_resumed_session_sends_again_in_order_with_dup() {
    for options in [lasting, lasting_v5] {
        let broker = ScriptedBroker::start();
        let (session, mut peer) = connect(&broker, &options(&broker));
        for (qos, payload) in [(QoS::ExactlyOnce, "a"), (QoS::AtLeastOnce, "b")] {
            publish(&session, "out", qos, payload);
        }
        publish(&session, "out", QoS::ExactlyOnce, "released");
        let ids = [(); 3].map(|()| peer.expect_publish().id);
        peer.send(&wire::pubrec(ids[2]));
        peer.expect_pubrel(ids[2]);
        peer.reset();
        let mut peer = accept(&broker, true);
        peer.expect_pubrel(ids[2]);
        for (id, payload) in [(ids[0], b"a"), (ids[1], b"b")] {
            let again = peer.expect_publish();
            assert_eq!((again.dup, again.id, &again.payload[..]), (true, id, &payload[..]));
        }
    }
}

#[test]
fn a_lost_session_publishes_anew() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    let numbers = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| publish(&session, "out", qos, ""));
    peer.expect_publish();
    peer.expect_publish();
    peer.reset();
    let mut peer = accept(&broker, false);
    let again = [peer.expect_publish(), peer.expect_publish()];
    assert!(again.iter().all(|publish| !publish.dup));
    assert_eq!([again[0].qos, again[1].qos], [1, 2]);
    let served = serve(peer);
    for number in numbers {
        assert_eq!(session.wait(number, Some(Duration::ZERO)).unwrap_err().code(), Code::Timeout);
    }
    session.close();
    served.join().unwrap();
}

#[test]
fn subscriptions_are_renewed_when_the_session_was_lost_and_only_then() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.reset();
    let mut peer = accept(&broker, true);
    assert!(peer.fence().is_empty(), "a granted subscription was asked for again");
    peer.publish("in", 0, 0, "resumed");
    assert_eq!(payloads(&messages, 1), ["resumed"]);
    peer.reset();
    let mut peer = accept(&broker, false);
    peer.accept_subscription("in");
    peer.publish("in", 0, 0, "renewed");
    assert_eq!(payloads(&messages, 1), ["renewed"]);
}

#[test]
fn a_renewal_that_is_refused_is_an_event_and_frees_the_handler() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting(&broker));
    let events = events(&session);
    let (handler, dropped) = mortal();
    subscribe(&session, &mut peer, "in", handler);
    peer.reset();
    let mut peer = accept(&broker, false);
    let id = peer.expect_subscribe().id;
    peer.suback(id, &[0x80]);
    let refused = events.iter().find_map(|event| match event {
        Event::SubscriptionRefused(filter, error) => Some((filter, error.code())),
        _ => None,
    });
    assert_eq!(refused, Some(("in".to_owned(), Code::SubscribeRefused)));
    assert_dropped_there(&dropped);
    assert_eq!(session.statistics().subscriptions, 0);
}

#[test]
fn a_request_without_an_answer_is_made_again() {
    let (broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    let subscribing = session.subscribe("in", at(QoS::AtLeastOnce), handler);
    peer.expect_subscribe();
    peer.reset();
    let mut peer = accept(&broker, false);
    peer.accept_subscription("in");
    assert_eq!(ended(subscribing).unwrap().qos, QoS::AtLeastOnce);
    peer.publish("in", 0, 0, "");
    next(&messages);
}

#[test]
fn events_tell_of_each_attempt_and_pause() {
    let broker = ScriptedBroker::start();
    let (session, peer) = connect(&broker, &options(&broker));
    let events = events(&session);
    peer.reset();
    for _ in 0..3 {
        assert!(matches!(next(&events), Event::Lost(_)));
        let Event::Retrying(pause) = next(&events) else { panic!("no pause") };
        assert!(pause <= Duration::from_millis(20), "a pause of {pause:?}");
        assert!(matches!(next(&events), Event::Connecting));
        broker.accept().close();
    }
    drop(events);
    accept(&broker, false);
    eventually("it is connected", || session.statistics().connections == 2);
}

#[test]
fn state_and_last_error_can_be_read_while_it_retries() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_reconnect_delay(10 * DEADLINE, 10 * DEADLINE).unwrap();
    let (session, peer) = connect(&broker, &options);
    assert!(session.last_error().is_none());
    peer.close();
    eventually("it retries", || session.state() == State::Retrying);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::ConnectionClosed));
    session.close();
    assert_eq!(session.state(), State::Closed);
}

#[test]
fn an_error_that_trying_again_cannot_cure_ends_it() {
    let (broker, session, peer) = connected();
    let events = events(&session);
    peer.reset();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(false, 5);
    let end = events.iter().find_map(|event| match event {
        Event::Disconnected(error) => Some(error),
        _ => None,
    });
    assert_eq!(end.flatten().map(|error| error.code()), Some(Code::NotAuthorized));
    assert_eq!(session.state(), State::Disconnected);
    let refused = session.publish("a", b"".into(), Default::default());
    assert_eq!(refused.unwrap_err().code(), Code::NotConnected);
}

#[test]
fn another_client_with_the_same_id_ends_it() {
    let (_broker, session, mut peer) = connected_v5();
    peer.send(&wire::v5::disconnect(0x8E, &[]));
    peer.expect_closed();
    eventually("it rests", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::SessionTakenOver));
}

#[test]
fn without_reconnecting_a_loss_is_the_end() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_reconnect(false);
    let (session, peer) = connect(&broker, &options);
    peer.close();
    eventually("it rests", || session.state() == State::Disconnected);
    assert_eq!(session.last_error().map(|error| error.code()), Some(Code::ConnectionClosed));
}

#[test]
fn closing_ends_a_pause_at_once() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_reconnect_delay(10 * DEADLINE, 10 * DEADLINE).unwrap();
    let (session, peer) = connect(&broker, &options);
    let events = events(&session);
    peer.reset();
    eventually("it retries", || session.state() == State::Retrying);
    session.close();
    let told: Vec<Event> = events.iter().collect();
    assert!(matches!(told[..], [Event::Lost(_), Event::Retrying(_)]), "{told:?}");
}

#[test]
fn a_violation_of_the_protocol_is_told_to_the_broker_and_followed_by_a_new_connection() {
    let (broker, session, mut peer) = connected_v5();
    let events = events(&session);
    peer.send(&[0x00, 0x00]);
    assert_eq!(peer.expect_disconnect().reason, 0x81);
    peer.expect_closed();
    let Event::Lost(error) = next(&events) else { panic!("it was not lost") };
    assert_eq!(error.code(), Code::MalformedPacket);
    accept(&broker, false);
    eventually("it is connected", || session.statistics().connections == 2);
}

#[test]
fn a_message_right_before_the_end_is_not_lost() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &lasting_v5(&broker));
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let message = wire::v5::publish("in", 1, 9, &[], "last");
    peer.send(&[message.clone(), wire::v5::disconnect(0x8B, &[])].concat());
    assert_eq!(payloads(&messages, 1), ["last"]);
    drop(peer);
    let mut peer = accept(&broker, true);
    peer.send(&wire::duplicate(message));
    peer.expect_puback(9);
    assert!(messages.try_recv().is_err(), "delivered twice");
}

#[test]
fn a_session_without_a_handle_does_not_reconnect() {
    let (broker, session, peer) = connected();
    let shared: Session = session.clone();
    drop(session);
    assert_eq!(shared.state(), State::Connected);
    drop(shared);
    serve(peer).join().unwrap();
    drop(broker);
}

#[test]
fn connecting_a_session_that_reconnects_tells_of_the_attempt_and_changes_nothing() {
    let broker = ScriptedBroker::start();
    let (session, peer) = connect(&broker, &options(&broker));
    let events = events(&session);
    peer.reset();
    let mut attempt = broker.accept();
    attempt.expect_connect();
    let connecting = session.connect();
    attempt.reset();
    assert_eq!(ended(connecting).unwrap_err().code(), Code::ClosedBeforeConnack);
    accept(&broker, false);
    while !matches!(next(&events), Event::Connected(_)) {}
}
