//! Nothing is acknowledged before it is handled, and nothing that came is lost (contract 5).

use std::{
    io::Write,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use mqttsession::{
    client::{Acknowledge, Acknowledgement, Handler, Message, Options, Session},
    engine::{Engine, Inbound},
    error::Code,
    protocol::{QoS, Version},
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use crate::support::*;

#[test]
fn what_came_before_a_violation_is_delivered_and_acknowledged_on_the_next_connection() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "t", handler);
    // A message and, in the same segment, what ends the connection: a packet of the reserved type.
    let both = [wire::publish("t", 1, 7, "one"), vec![0, 0]].concat();
    peer.send(&both);
    peer.expect_closed();
    assert_eq!(next(&messages).payload(), b"one");
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    peer.send(&wire::duplicate(wire::publish("t", 1, 7, "one")));
    peer.expect_puback(7);
    peer.publish("t", 1, 8, "two");
    assert_eq!(next(&messages).payload(), b"two", "the repetition was not delivered again");
    peer.expect_puback(8);
}

#[test]
fn a_message_of_qos_0_in_the_segment_of_the_brokers_disconnect_is_delivered() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let (session, mut peer) = connect(&broker, &options);
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "t", handler);
    let both = [wire::v5::publish("t", 0, 0, &[], "last"), wire::v5::disconnect(0x8B, &[])];
    peer.send(&both.concat());
    assert_eq!(next(&messages).payload(), b"last");
}

#[test]
fn an_acknowledgement_used_by_one_handler_waits_for_the_others() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    let at_once = |message: &Message<'_>| message.acknowledgement().acknowledge().unwrap();
    subscribe(&session, &mut peer, "a/+", at_once);
    let (keep, kept) = channel::<Acknowledgement>();
    let keep = Mutex::new(keep);
    let later = move |message: &Message<'_>| {
        keep.lock().unwrap().send(message.acknowledgement()).unwrap();
    };
    subscribe(&session, &mut peer, "+/b", later);
    peer.publish("a/b", 1, 3, "");
    let second = next(&kept);
    assert!(peer.fence().is_empty(), "the second handler has it still");
    assert_eq!(session.statistics().unacknowledged, 1);
    second.acknowledge().unwrap();
    peer.expect_puback(3);
    // Its place in the queue was given back once: the queue still counts.
    peer.publish("a/b", 1, 4, "");
    drop(next(&kept));
    session.close();
    assert_eq!(session.statistics().incoming_messages, 0);
}

#[test]
fn a_message_that_waited_for_a_replaced_handler_goes_to_the_new_one() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (handler, messages) = collect();
    let successor: Arc<dyn Handler> = Arc::new(handler);
    let replacing = {
        let session = session.clone();
        move |_: &Message<'_>| {
            drop(session.subscribe("t", at(QoS::AtLeastOnce), successor.clone()).unwrap());
        }
    };
    subscribe(&session, &mut peer, "t", replacing);
    let both = [wire::publish("t", 1, 1, "old"), wire::publish("t", 1, 2, "new")];
    peer.send(&both.concat());
    assert_eq!(next(&messages).payload(), b"new");
    peer.accept_subscription("t");
    peer.expect_puback(1);
    peer.expect_puback(2);
    session.close();
}

#[test]
fn answers_to_a_broker_that_does_not_listen_are_bounded() {
    // Speaks without ever listening, until nothing more is taken from it.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut options = Options::new();
    options.set_address(&listener.local_addr().unwrap().to_string()).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(&wire::connack(false, 0)).unwrap();
    ended(connecting).unwrap();
    // Each asks for a PUBCOMP; in all far more than both sockets' buffers and the session's own.
    let asked = wire::pubrel(1).repeat(64 << 10);
    socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let _stuck = (0..256).try_for_each(|_| socket.write_all(&asked));
    let waiting = session.statistics().outgoing_bytes;
    assert!(waiting < 4 << 20, "{waiting} bytes of answers");
    drop(socket);
    session.close();
}

/// Before 5.0 no receive maximum bounds what waits behind an acknowledgement that never comes.
#[test]
fn a_broker_cannot_have_more_unacknowledged_than_there_are_packet_ids() {
    let mut engine = Engine::new(Arc::default(), "me".into(), false).unwrap();
    let now = Instant::now();
    engine.connect(false, now).unwrap();
    let mut handle = |packet: &[u8]| engine.handle_input(packet, &mut Inbound::default(), now);
    handle(&wire::connack(false, 0)).unwrap();
    for _ in 0..u16::MAX {
        handle(&wire::publish("t", 1, 9, "")).unwrap();
    }
    let refused = handle(&wire::publish("t", 1, 9, ""));
    assert_eq!(refused.unwrap_err().code(), Code::ProtocolError);
}
