//! Everything at once over a store: publishers that wait for it, messages of QoS 2 in both directions,
//! and a broker that cuts the connection again and again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use mqttsession::{
    client::{Completion, DisconnectOptions, Durability, Message, PublishOptions, Session},
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
    wire,
};

use crate::support::*;

const CUTS: usize = 40;
const PACKETS_BETWEEN_CUTS: usize = 60;
/// How many messages of QoS 2 the broker sends on each connection.
const SENT: usize = 12;

/// A broker that keeps its session, as far as the test needs one.
#[derive(Default)]
struct Keeping {
    next_id: u16,
    /// Sent and not completed, in their order; whether PUBREC has come.
    sending: VecDeque<(u16, String, bool)>,
    sent: usize,
    /// Received and not released.
    receiving: BTreeSet<u16>,
    received: HashMap<Vec<u8>, (u8, usize)>,
}

impl Keeping {
    /// Sends again what a former connection left behind, and something new.
    fn begin(&mut self, peer: &mut Peer, new: usize) {
        let mut bytes = Vec::new();
        for (id, payload, released) in &self.sending {
            bytes.extend(match released {
                false => wire::duplicate(wire::publish("in", 2, *id, payload)),
                true => wire::pubrel(*id),
            });
        }
        for _ in 0..new {
            self.next_id = self.next_id % 60_000 + 1;
            let payload = self.sent.to_string();
            self.sent += 1;
            bytes.extend(wire::publish("in", 2, self.next_id, &payload));
            self.sending.push_back((self.next_id, payload, false));
        }
        peer.send(&bytes);
    }

    fn handle(&mut self, peer: &mut Peer, seen: &Seen) {
        match seen {
            Seen::Publish(publish) => {
                if publish.qos == 1 || self.receiving.insert(publish.id) {
                    let entry = self.received.entry(publish.payload.clone());
                    entry.or_insert((publish.qos, 0)).1 += 1;
                }
                if publish.qos == 1 {
                    self.receiving.remove(&publish.id);
                }
                peer.answer(seen);
            }
            Seen::Pubrel(pubrel) => {
                self.receiving.remove(&pubrel.id);
                peer.answer(seen);
            }
            Seen::Pubrec(pubrec) => {
                self.sending
                    .iter_mut()
                    .filter(|one| one.0 == pubrec.id)
                    .for_each(|one| one.2 = true);
                peer.answer(seen);
            }
            Seen::Pubcomp(pubcomp) => self.sending.retain(|one| one.0 != pubcomp.id),
            _ => peer.answer(seen),
        }
    }
}

/// Publishes until told to stop; how many messages were accepted.
fn publish(session: &Session, who: usize, stop: &AtomicBool, ended: &Arc<AtomicUsize>) -> usize {
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        let qos = if count % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        let ended = ended.clone();
        let options = PublishOptions {
            qos,
            completion: Some(Completion::new(move |_, how| {
                how.unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            })),
            ..PublishOptions::default()
        };
        let number =
            session.publish("out", format!("{who}-{count}").into_bytes().into(), options).unwrap();
        count += 1;
        match count % 7 {
            0 => drop(session.wait(number, Some(DEADLINE)).unwrap()),
            _ => session.wait_stored(number, Some(DEADLINE)).unwrap(),
        }
    }
    count
}

#[test]
fn every_message_arrives_whatever_happens_to_the_connection() {
    for durability in [Durability::Message, Durability::Interval(Duration::from_millis(5))] {
        let directory = tempfile::tempdir().unwrap();
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        options.set_store(Some(directory.path())).unwrap().set_durability(durability).unwrap();
        // The cuts are no message's fault.
        options.set_set_aside_after(0);
        let session = Session::new(&options).unwrap();
        let connecting = session.connect();
        let mut peer = broker.accept_session();
        ended(connecting).unwrap();
        let handled: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        subscribe(&session, &mut peer, "in", {
            let handled = handled.clone();
            move |message: &Message<'_>| {
                let payload = String::from_utf8(message.payload().to_vec()).unwrap();
                assert!(!message.redelivered());
                *handled.lock().unwrap().entry(payload).or_default() += 1;
            }
        });
        let (stop, completed) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
        let mut keeping = Keeping::default();
        let accepted: usize = thread::scope(|scope| {
            let publishers: Vec<_> = (0..3)
                .map(|who| {
                    let (session, stop, completed) = (&session, &stop, &completed);
                    scope.spawn(move || publish(session, who, stop, completed))
                })
                .collect();
            for cut in 0..CUTS {
                keeping.begin(&mut peer, SENT);
                for _ in 0..PACKETS_BETWEEN_CUTS + cut {
                    let seen = peer.receive();
                    keeping.handle(&mut peer, &seen);
                }
                drop(peer);
                peer = broker.accept();
                peer.expect_connect();
                peer.connack(true, 0);
            }
            stop.store(true, Ordering::SeqCst);
            keeping.begin(&mut peer, 0);
            let leaving = scope.spawn({
                let session = &session;
                move || {
                    let accepted: usize =
                        publishers.into_iter().map(|one| one.join().unwrap()).sum();
                    ended(session.flush()).unwrap();
                    let stayed = ended(session.disconnect(DisconnectOptions::default())).unwrap();
                    assert_eq!(stayed, 0);
                    accepted
                }
            });
            loop {
                let seen = peer.receive();
                if matches!(seen, Seen::Disconnect(_)) {
                    break;
                }
                keeping.handle(&mut peer, &seen);
            }
            drop(peer);
            leaving.join().unwrap()
        });
        session.close();
        assert_eq!(completed.load(Ordering::SeqCst), accepted);
        assert_eq!(keeping.received.len(), accepted, "what was accepted and what arrived");
        let doubled = keeping.received.values().filter(|(qos, times)| *qos == 2 && *times > 1);
        assert_eq!(doubled.count(), 0);
        let handled = handled.lock().unwrap();
        assert!(handled.values().all(|times| *times == 1), "{handled:?}");
        let unhandled = keeping.sending.len();
        assert!(handled.len() + unhandled >= keeping.sent, "{} of {}", handled.len(), keeping.sent);
        // Nothing is left, and the next session may have the store.
        let held = mqttsession::client::Store::open(directory.path(), "test").unwrap().summary();
        assert_eq!((held.messages, held.last_number), (0, accepted as u64));
    }
}
