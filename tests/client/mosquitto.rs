//! Under load and with large payloads, against Mosquitto; and with a broker that cuts connections.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Message, Options, Outcome, Payload, PublishOptions, Session,
    },
    protocol::{QoS, Version},
};
use mqttsession_tests::{
    real::{Config, Mosquitto},
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
};

use crate::support::*;

#[track_caller]
fn session(broker: &Mosquitto, version: Version, client_id: &str) -> Session {
    let mut options = Options::new();
    options.set_address(&format!("127.0.0.1:{}", broker.port())).unwrap();
    options.set_version(version).set_client_id(client_id).unwrap();
    let session = Session::new(&options).unwrap();
    ended(session.connect()).unwrap();
    session
}

#[test]
fn eight_threads_publish_at_every_qos() {
    const EACH: usize = 3000;
    const THREADS: usize = 8;

    // Mosquitto 2.0 ends a connection of 3.1.1 that has more than twenty of QoS 2 under way.
    let lines = vec!["max_inflight_messages 0".to_owned()];
    let Some(broker) = Mosquitto::start(&Config { lines, ..Config::default() }) else { return };
    for version in [Version::V311, Version::V5] {
        let subscriber = session(&broker, version, "subscriber");
        let publisher = session(&broker, version, "publisher");
        let (sender, all) = channel();
        let received = AtomicUsize::new(0);
        let handler = move |_: &Message<'_>| {
            if received.fetch_add(1, Ordering::SeqCst) + 1 == EACH * THREADS {
                sender.send(()).unwrap();
            }
        };
        ended(subscriber.subscribe("load/+", at(QoS::ExactlyOnce), Arc::new(handler))).unwrap();
        let completed = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (publisher, completed) = (&publisher, &completed);
                scope.spawn(move || {
                    for count in 0..EACH {
                        let completed = completed.clone();
                        let completion = Some(Completion::new(move |_, outcome: Outcome| {
                            outcome.unwrap();
                            completed.fetch_add(1, Ordering::SeqCst);
                        }));
                        let qos = QOS[count % 3];
                        let options = PublishOptions { qos, completion, ..Default::default() };
                        let topic = format!("load/{thread}");
                        publisher.publish(&topic, b"payload".into(), options).unwrap();
                    }
                });
            }
        });
        assert_eq!(ended(publisher.disconnect(DisconnectOptions::default())).unwrap(), 0);
        assert_eq!(completed.load(Ordering::SeqCst), EACH * THREADS);
        next(&all);
        publisher.close();
        subscriber.close();
        assert_eq!(subscriber.statistics().received, (EACH * THREADS) as u64, "not exactly once");
    }
}

#[test]
fn a_large_payload_goes_both_ways() {
    const SIZE: usize = 20 << 20;

    let Some(broker) = Mosquitto::start(&Config::default()) else { return };
    let session = session(&broker, Version::V5, "large");
    let (handler, messages) = collect();
    ended(session.subscribe("large", at(QoS::ExactlyOnce), handler)).unwrap();
    let payload: Vec<u8> = (0..SIZE).map(|index| (index / 251 + index) as u8).collect();
    for qos in QOS {
        let options = PublishOptions { qos, ..PublishOptions::default() };
        let number = session.publish("large", Payload::Borrowed(&payload), options).unwrap();
        session.wait(number, Some(DEADLINE)).unwrap();
        let message = next(&messages);
        assert_eq!(message.qos(), qos);
        assert!(message.payload() == payload, "the payload came back changed");
    }
    session.close();
}

#[test]
fn overlapping_and_shared_subscriptions_reach_the_right_handlers_once_each() {
    const COUNT: usize = 50;

    let Some(broker) = Mosquitto::start(&Config::default()) else { return };
    let subscriber = session(&broker, Version::V5, "overlapping");
    let filters = ["a/+", "a/#", "#", "$share/group/a/b", "a/b"];
    let handlers = filters.map(|filter| {
        let (handler, messages) = collect();
        ended(subscriber.subscribe(filter, at(QoS::AtLeastOnce), handler)).unwrap();
        messages
    });
    let publisher = session(&broker, Version::V5, "publisher");
    let expected: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    for payload in &expected {
        publish(&publisher, "a/b", QoS::AtLeastOnce, payload);
    }
    // It comes behind all the others.
    publish(&publisher, "last", QoS::AtLeastOnce, "last");
    for (filter, messages) in filters.iter().zip(&handlers) {
        assert_eq!(payloads(messages, COUNT), expected, "{filter}");
    }
    assert_eq!(payloads(&handlers[2], 1), ["last"]);
    assert!(handlers.iter().all(|messages| messages.try_recv().is_err()), "called more than once");
    let copies = (filters.len() * COUNT + 1) as u64;
    assert_eq!(subscriber.statistics().received, copies, "Mosquitto sends a copy for each");
    publisher.close();
    subscriber.close();
}

#[test]
fn a_crash_of_the_broker_loses_no_message() {
    let config = Config { persistence: true, ..Config::default() };
    let Some(mut broker) = Mosquitto::start(&config) else { return };
    let mut options = Options::new();
    options.set_address(&format!("127.0.0.1:{}", broker.port())).unwrap();
    options.set_client_id("survivor").unwrap().set_clean_session(false);
    let tenth = std::time::Duration::from_millis(100);
    options.set_reconnect_delay(tenth, tenth).unwrap();
    let session = Session::new(&options).unwrap();
    ended(session.connect()).unwrap();
    let (handler, messages) = collect();
    ended(session.subscribe("in", at(QoS::AtLeastOnce), handler)).unwrap();
    for round in 0..3 {
        broker.crash();
        let number = publish(&session, "in", QoS::AtLeastOnce, &round.to_string());
        broker.restart();
        session.wait(number, Some(DEADLINE)).unwrap();
        let expected = round.to_string();
        while payloads(&messages, 1) != [&expected[..]] {}
    }
    session.close();
}

/// Answers packets and cuts the connection after a while, again and again; in the end it stays.
fn cut_often(broker: &ScriptedBroker, cuts: u32) -> Vec<Seen> {
    let mut random = 0x2545_F491_u32;
    let mut seen = Vec::new();
    for cut in 0..=cuts {
        let mut peer = broker.accept();
        peer.expect_connect();
        peer.connack(cut > 0, 0);
        if cut == cuts {
            seen.extend(serve(peer).join().unwrap());
            break;
        }
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seen.extend(cut_after(peer, random >> 25));
    }
    seen
}

/// Serves so many packets and resets, in the middle of an answer.
fn cut_after(mut peer: Peer, packets: u32) -> Vec<Seen> {
    let mut left = packets;
    let seen = peer.serve_until(|_| {
        let last = left == 0;
        left = left.saturating_sub(1);
        last
    });
    peer.reset();
    seen
}

#[test]
fn cut_connections_lose_nothing_and_end_nothing_twice() {
    const EACH: usize = 1000;
    const THREADS: usize = 4;

    let broker = ScriptedBroker::start();
    let session = Session::new(&lasting(&broker)).unwrap();
    let connecting = session.connect();
    let peer = thread::spawn(move || cut_often(&broker, 30));
    ended(connecting).unwrap();
    let (sender, ends) = channel();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sender, session) = (sender.clone(), &session);
            scope.spawn(move || {
                for count in 0..EACH {
                    let sender = sender.clone();
                    let completion = Some(Completion::new(move |number, outcome: Outcome| {
                        sender.send((number, outcome.is_ok())).unwrap();
                    }));
                    let qos = QOS[1 + count % 2];
                    let options = PublishOptions { qos, completion, ..Default::default() };
                    let payload = format!("{thread} {count}");
                    session.publish("out", payload.as_bytes().into(), options).unwrap();
                }
            });
        }
    });
    let mut ends: Vec<(u64, bool)> = (0..EACH * THREADS).map(|_| next(&ends)).collect();
    ends.sort_unstable();
    assert!(ends.iter().copied().eq((1..=(EACH * THREADS) as u64).map(|number| (number, true))));
    session.close();
    let seen = peer.join().unwrap();
    let payloads: HashSet<&[u8]> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Publish(publish) => Some(&publish.payload[..]),
            _ => None,
        })
        .collect();
    assert_eq!(payloads.len(), EACH * THREADS);
}
