//! Events and statistics.

use std::sync::{Arc, mpsc::channel};

use mqttsession::{
    client::{DisconnectOptions, Event, Session, State},
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::scripted::ScriptedBroker;

use crate::support::*;

#[test]
fn a_connection_from_its_beginning_to_its_end() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    assert_eq!(session.state(), State::Disconnected);
    let events = events(&session);
    let connecting = session.connect();
    assert!(matches!(next(&events), Event::Connecting));
    let peer = broker.accept_session();
    ended(connecting).unwrap();
    assert_eq!(session.state(), State::Connected);
    let Event::Connected(connected) = next(&events) else { panic!("not connected") };
    assert_eq!((connected.session_present, &connected.client_id[..]), (false, "test"));
    let served = serve(peer);
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    assert!(matches!(next(&events), Event::Disconnected(None)));
    served.join().unwrap();
}

#[test]
fn the_state_is_right_when_connect_returns() {
    for _ in 0..50 {
        let (_broker, session, _peer) = connected();
        assert_eq!(session.state(), State::Connected);
    }
}

#[test]
fn a_failure_is_told_in_order() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let events = events(&session);
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(false, 4);
    assert_eq!(ended(connecting).unwrap_err().code(), Code::BadCredentials);
    assert!(matches!(next(&events), Event::Connecting));
    assert!(matches!(next(&events), Event::Lost(error) if error.code() == Code::BadCredentials));
    let Event::Disconnected(Some(error)) = next(&events) else { panic!("not disconnected") };
    assert_eq!(error.code(), Code::BadCredentials);
}

#[test]
fn events_come_on_a_callback_thread_and_may_call_anything() {
    let broker = ScriptedBroker::start();
    let session = Session::new(&options(&broker)).unwrap();
    let (sender, results) = channel();
    let caller = session.clone();
    let handler = move |event: &Event| {
        if matches!(event, Event::Connected(_)) {
            let number = publish(&caller, "out", QoS::AtLeastOnce, "");
            sender.send((caller.wait(number, Some(DEADLINE)), thread_name())).unwrap();
        }
    };
    session.set_event_handler(Some(Arc::new(handler))).unwrap();
    session.connect().unwrap();
    let served = serve(broker.accept());
    let (result, thread) = next(&results);
    result.unwrap();
    assert!(thread.starts_with("mqtt-callback"), "it ran on {thread}");
    session.close();
    served.join().unwrap();
}

#[test]
fn a_replaced_event_handler_is_dropped_by_a_callback_thread() {
    let (_broker, session, _peer) = connected();
    for replace in [true, false] {
        let (mourner, dropped) = Mourner::new();
        let handler = move |_: &Event| {
            let _held = &mourner;
        };
        session.set_event_handler(Some(Arc::new(handler))).unwrap();
        match replace {
            true => session.set_event_handler(None).unwrap(),
            false => session.close(),
        }
        assert_dropped_there(&dropped);
    }
    let refused = session.set_event_handler(None).unwrap_err();
    assert_eq!(refused.code(), Code::Closed);
}

#[test]
fn a_panicking_event_handler_hurts_nobody_else() {
    let (broker, session, peer) = connected();
    let handler = |_: &Event| panic!("a panic that the test wants");
    session.set_event_handler(Some(Arc::new(handler))).unwrap();
    peer.reset();
    let mut peer = broker.accept_session();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    next(&messages);
}

#[test]
fn statistics_count_what_happened() {
    let (_broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    publish(&session, "out", QoS::AtMostOnce, "");
    publish(&session, "out", QoS::AtLeastOnce, "");
    peer.expect_publish();
    peer.expect_publish();
    peer.publish("in", 0, 0, "");
    peer.publish("nobody", 0, 0, "");
    peer.publish("nobody", 1, 9, "held");
    next(&messages);
    assert!(peer.fence().is_empty());
    let told = session.statistics();
    assert_eq!((told.published, told.received, told.unrouted), (2, 3, 1));
    assert_eq!((told.in_flight, told.unacknowledged, told.subscriptions), (1, 1, 1));
    assert_eq!((told.connections, told.incoming_messages), (1, 1));
    assert!(told.bytes_in > 0 && told.bytes_out > 0 && told.reads > 0 && told.writes > 0);
}
