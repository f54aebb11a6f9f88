//! Subscribing and unsubscribing: what the broker is asked, and what it answers.

use mqttsession::{
    client::Session,
    error::Code,
    protocol::{Property, PropertyBlock, QoS, ReasonCode, RetainHandling, SubscriptionOptions},
};
use mqttsession_tests::{property, scripted::ScriptedBroker, wire};

use crate::support::*;

#[test]
fn subscribing_before_connect_is_legal() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let (handler, messages) = collect();
    let subscribing = session.subscribe("in", at(QoS::AtLeastOnce), handler);
    session.connect().unwrap();
    let mut peer = broker.accept_session();
    // The broker may send before it answers: the handler is there.
    peer.publish("in", 0, 0, "early");
    peer.accept_subscription("in");
    assert_eq!(ended(subscribing).unwrap().qos, QoS::AtLeastOnce);
    assert_eq!(payloads(&messages, 1), ["early"]);
}

#[test]
fn the_broker_may_grant_less() {
    let (_broker, session, mut peer) = connected();
    let subscribing = session.subscribe("in", at(QoS::ExactlyOnce), ignore());
    let subscribe = peer.expect_subscribe();
    assert_eq!(subscribe.filters[0].qos, 2);
    peer.suback(subscribe.id, &[0]);
    assert_eq!(ended(subscribing).unwrap().qos, QoS::AtMostOnce);
}

#[test]
fn a_refusal_is_the_failure_of_that_call() {
    for (v5, code) in [(false, 0x80), (true, 0x87)] {
        let (_broker, session, mut peer) = if v5 { connected_v5() } else { connected() };
        let subscribing = session.subscribe("in", at(QoS::AtMostOnce), ignore());
        let id = peer.expect_subscribe().id;
        peer.suback(id, &[code]);
        let error = ended(subscribing).unwrap_err();
        assert_eq!((error.code(), error.reason_code()), (Code::SubscribeRefused, Some(code)));
        assert_eq!(session.statistics().subscriptions, 0);
    }
}

#[test]
fn many_filters_have_a_result_each() {
    let (_broker, session, mut peer) = connected_v5();
    let (handler, messages) = collect();
    let filters =
        [("a", at(QoS::AtMostOnce)), ("b", at(QoS::AtLeastOnce)), ("c/#", at(QoS::AtMostOnce))];
    let mut properties = PropertyBlock::new();
    properties.push(Property::UserProperty("who", "me")).unwrap();
    let subscribing = session.subscribe_many(&filters, properties, handler);
    let subscribe = peer.expect_subscribe();
    assert_eq!(subscribe.properties.user(), [("who", "me")]);
    peer.suback(subscribe.id, &[0, 0x87, 0]);
    let results = ended(subscribing).unwrap();
    let granted: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(granted, [true, false, true]);
    peer.publish("a", 0, 0, "1");
    peer.publish("c/d", 0, 0, "2");
    assert_eq!(payloads(&messages, 2), ["1", "2"]);
}

#[test]
fn the_options_of_5_0_are_sent() {
    let (_broker, session, mut peer) = connected_v5();
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    session.subscribe("in", options, ignore()).unwrap();
    let filter = &peer.expect_subscribe().filters[0];
    assert_eq!((filter.qos, filter.retain_handling), (1, 2));
    assert!(filter.no_local && filter.retain_as_published);
}

#[test]
fn bad_filters_are_refused_and_nothing_is_sent() {
    let (_broker, session, mut peer) = connected();
    for filter in ["", "a/#/b", "a+", "a\0"] {
        let (handler, dropped) = mortal();
        let refused = session.subscribe(filter, at(QoS::AtMostOnce), handler);
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::InvalidFilter));
        next(&dropped);
        let refused = session.unsubscribe(filter);
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::InvalidFilter));
    }
    let none = session.subscribe_many(&[], PropertyBlock::new(), ignore());
    assert_eq!(none.err().map(|error| error.code()), Some(Code::InvalidArgument));
    assert!(peer.fence().is_empty(), "something was sent");
}

#[test]
fn unsubscribing_ends_with_the_brokers_answer() {
    let (_broker, session, mut peer) = connected_v5();
    subscribe(&session, &mut peer, "in", ignore());
    let unsubscribing = session.unsubscribe("in").unwrap();
    let id = peer.expect_unsubscribe().id;
    peer.unsuback(id, &[0]);
    unsubscribing.wait(Some(DEADLINE)).unwrap();
    subscribe(&session, &mut peer, "in", ignore());
    let unsubscribing = session.unsubscribe("in").unwrap();
    let id = peer.expect_unsubscribe().id;
    peer.unsuback(id, &[0x87]);
    let error = unsubscribing.wait(Some(DEADLINE)).unwrap_err();
    assert_eq!((error.code(), error.reason_code()), (Code::UnsubscribeRefused, Some(0x87)));
}

#[test]
fn unsubscribing_what_is_not_subscribed_asks_the_broker() {
    let (_broker, session, mut peer) = connected_v5();
    // It may be left over from an earlier life of the session.
    let unsubscribing = session.unsubscribe("in");
    let id = peer.expect_unsubscribe().id;
    peer.unsuback(id, &[0x11]);
    let reason = ended(unsubscribing).unwrap().reason;
    assert_eq!(reason, ReasonCode::NoSubscriptionExisted);
    assert_eq!(ended(session.unsubscribe_all()).unwrap().len(), 0);
    assert!(peer.fence().is_empty());
}

#[test]
fn several_filters_are_unsubscribed_with_a_result_for_each() {
    let (_broker, session, mut peer) = connected_v5();
    subscribe(&session, &mut peer, "a", ignore());
    subscribe(&session, &mut peer, "b", ignore());
    let mut properties = PropertyBlock::new();
    properties.push(Property::UserProperty("why", "done")).unwrap();
    let unsubscribing = session.unsubscribe_many(&["a", "b", "c"], properties);
    let seen = peer.expect_unsubscribe();
    assert_eq!(seen.filters, ["a", "b", "c"]);
    assert_eq!(seen.properties.user(), [("why", "done")]);
    let said = property::text("reason-string", "as you like");
    peer.send(&wire::v5::unsuback(seen.id, &said, &[0, 0x87, 0x11]));
    let results = ended(unsubscribing).unwrap();
    let [Ok(first), Err(second), Ok(third)] = &results[..] else { panic!("{results:?}") };
    assert_eq!(first.reason, ReasonCode::Success);
    assert_eq!(first.said.reason_string(), Some("as you like"));
    assert_eq!(second.reason_string(), Some("as you like"));
    assert_eq!(third.reason, ReasonCode::NoSubscriptionExisted);
}

#[test]
fn unsubscribing_everything_takes_one_packet() {
    let (_broker, session, mut peer) = connected();
    for filter in ["b", "a"] {
        subscribe(&session, &mut peer, filter, ignore());
    }
    let unsubscribing = session.unsubscribe_all();
    let unsubscribe = peer.expect_unsubscribe();
    assert_eq!(unsubscribe.filters, ["a", "b"]);
    peer.send(&wire::unsuback(unsubscribe.id));
    ended(unsubscribing).unwrap();
}

#[test]
fn after_close_nothing_can_be_asked() {
    let (_broker, session, peer) = connected();
    let pending = session.subscribe("in", at(QoS::AtMostOnce), ignore());
    let served = serve_silently(peer);
    session.close();
    served.join().unwrap();
    assert_eq!(ended(pending).unwrap_err().code(), Code::Cancelled);
    let refused = session.subscribe("in", at(QoS::AtMostOnce), ignore());
    assert_eq!(refused.err().map(|error| error.code()), Some(Code::Closed));
    assert_eq!(session.unsubscribe("in").err().map(|error| error.code()), Some(Code::Closed));
    assert_eq!(session.connect().err().map(|error| error.code()), Some(Code::Closed));
}

/// Reads without an answer until the session goes.
fn serve_silently(mut peer: mqttsession_tests::scripted::Peer) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        while !matches!(peer.receive(), mqttsession_tests::seen::Seen::Disconnect(_)) {}
    })
}
