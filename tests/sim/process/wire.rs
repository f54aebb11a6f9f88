//! Bytes out, as far as the network takes them, and bytes in.

use mqttsession::{
    engine::{Inbound, Output},
    error::{Code, Error},
};
use mqttsession_tests::seen::Seen;

use super::{Home, Item, Process, keep::bytes_of};
use crate::{network::Arrival, program, scene::Scene, tally::Happening};

impl Process {
    /// Connects, where it is offline.
    pub(crate) fn connect(&mut self, home: &mut Home, scene: &mut Scene) {
        if self.link.is_some() {
            return;
        }
        let link = scene.links.open();
        scene.tell(&home.name, || format!("connects as {link}"));
        self.link = Some(link);
        self.confirmed_here.clear();
        self.unsubscribes.clear();
        self.last_release = None;
        self.engine.connect(self.resumes, scene.clock.now()).expect("options fit into CONNECT");
        self.collect(home, scene);
    }

    /// The connection is over.
    pub(crate) fn lose(&mut self, loss: Option<&Error>, home: &mut Home, scene: &mut Scene) {
        let Some(link) = self.link.take() else { return };
        scene.tell(&home.name, || format!("leaves connection {link}"));
        scene.links.leave_session(link);
        self.input.clear();
        self.writing.clear();
        self.engine.handle_closed(loss);
        self.collect(home, scene);
    }

    /// Takes what may leave, or writes on; whether there was something.
    pub(crate) fn write_some(&mut self, most: usize, home: &mut Home, scene: &mut Scene) -> bool {
        let Some(link) = self.link else { return false };
        if self.writing.is_empty() {
            let mut output = Output::default();
            self.engine.poll_output(&mut output, scene.clock.now());
            self.writing = take(output);
            if self.writing.is_empty() {
                return false;
            }
            self.look_at_leaving(home, scene);
        }
        let part = most.clamp(1, self.writing.len());
        scene.links.send_up(link, &self.writing[..part]);
        self.writing.drain(..part);
        if self.writing.is_empty() {
            self.engine.handle_written(scene.clock.now());
            self.collect(home, scene);
        }
        true
    }

    pub(crate) fn write_all(&mut self, home: &mut Home, scene: &mut Scene) -> bool {
        self.write_some(usize::MAX, home, scene)
    }

    /// What follows from records may leave only when those are stored.
    fn look_at_leaving(&mut self, home: &mut Home, scene: &mut Scene) {
        let level = home.plan.settings.version.level();
        for packet in packets(&self.writing, level).0 {
            scene.tell(&home.name, || format!("sends {packet}"));
            self.look_at_session(&packet, home, scene);
            let asked = |id| self.confirmed_here.contains(&id);
            home.witness.leaves(&packet, &asked, &mut scene.book);
            match packet {
                Seen::Publish(publish) if publish.qos == 2 => {
                    home.confirmed.remove(&publish.id);
                }
                Seen::Pubrel(release) => self.release(release.id, home, scene),
                Seen::Subscribe(subscribe) => {
                    self.asked.extend(subscribe.filters.into_iter().map(|filter| filter.filter));
                }
                Seen::Unsubscribe(unsubscribe) => {
                    self.unsubscribes.insert(unsubscribe.id, unsubscribe.filters);
                }
                _ => {}
            }
        }
    }

    /// What belongs to a new session of the broker's leaves only when the loss of the old one is stored.
    fn look_at_session(&self, packet: &Seen, home: &Home, scene: &Scene) {
        let owner = &scene.book.owners[home.index];
        let about_none = match packet {
            Seen::Connect(_) | Seen::Pingreq | Seen::Disconnect(_) => true,
            Seen::Publish(publish) => publish.qos == 0,
            _ => false,
        };
        let stale = home.witness.session().filter(|session| *session != owner.met);
        assert!(
            about_none || owner.forgiven || stale.is_none(),
            "{packet} leaves, and the store still believes in the session before"
        );
    }

    /// PUBRELs leave in the order of the PUBRECs [MQTT-4.6.0-4].
    fn release(&mut self, id: u16, home: &mut Home, scene: &mut Scene) {
        if let Some(number) = home.witness.released(id)
            && let Some(key) = self.numbers.get(&number)
        {
            let publication = scene.book.publication(*key);
            if std::mem::replace(&mut publication.released, true) {
                scene.tally.count(Happening::ReleasedAgain);
            }
        }
        let forgiven = scene.book.owners[home.index].forgiven;
        let Some(place) = home.confirmed.get(&id) else { return };
        assert!(
            forgiven || self.last_release.is_none_or(|last| last <= *place),
            "the PUBREL for packet id {id} leaves before one whose PUBREC came earlier"
        );
        self.last_release = Some(*place);
    }

    /// Takes in some of what has come.
    pub(crate) fn read(&mut self, most: usize, home: &mut Home, scene: &mut Scene) {
        let Some(link) = self.link else { return };
        match scene.links.receive_down(link, most) {
            Arrival::Nothing => return,
            Arrival::End => {
                let loss = Error::from(Code::ConnectionReset);
                return self.lose(Some(&loss), home, scene);
            }
            Arrival::Bytes(bytes) => self.input.extend_from_slice(&bytes),
        }
        let level = home.plan.settings.version.level();
        let (seen, length) = packets(&self.input, level);
        let in_flight = self.engine.counters().in_flight;
        let mut expected = None;
        for packet in &seen {
            scene.tell(&home.name, || format!("receives {packet}"));
            match packet {
                Seen::Connack(connack) if !connack.session_present => {
                    self.forget_session(home, scene);
                    expected = Some(in_flight);
                }
                Seen::Connack(_) => {
                    self.resumes = true;
                    if scene.book.resume(home.index) {
                        scene.tell(&home.name, || "takes this session for the one before");
                        scene.tally.count(Happening::Misled);
                    }
                }
                Seen::Pubrec(ack) if ack.reason < 0x80 => {
                    self.confirmed_here.insert(ack.id);
                    home.confirmations += 1;
                    home.confirmed.entry(ack.id).or_insert(home.confirmations);
                }
                Seen::Pubcomp(ack) => {
                    home.confirmed.remove(&ack.id);
                }
                Seen::Unsuback(answer) => {
                    let gone = self.unsubscribes.remove(&answer.id).unwrap_or_default();
                    for filter in gone {
                        let times = self.leaving.get_mut(&filter).expect("it was unsubscribed");
                        *times -= 1;
                        if *times == 0 {
                            self.leaving.remove(&filter);
                        }
                    }
                }
                Seen::Publish(publish) if publish.qos == 2 => {
                    home.received.insert(publish.id, program::copy_of(&publish.payload));
                }
                _ => {}
            }
        }
        let mut inbound = Inbound::default();
        let consumed = self.engine.handle_input(&self.input, &mut inbound, scene.clock.now());
        let consumed = consumed.unwrap_or_else(|error| {
            panic!("the session ends the connection, and the broker keeps the rules: {error:?}")
        });
        assert_eq!(consumed, length, "every whole packet is taken");
        for delivery in &inbound.deliveries {
            let payload =
                &self.input[delivery.payload.start as usize..delivery.payload.end as usize];
            self.inbox.push_back(Item {
                copy: program::copy_of(payload),
                qos: delivery.qos as u8,
                receipt: delivery.receipt,
                redelivered: delivery.redelivered,
            });
        }
        self.input.drain(..consumed);
        self.collect_loss(expected, home, scene);
    }

    /// The broker does not have the session: what was lost with records does not matter any more.
    fn forget_session(&mut self, home: &mut Home, scene: &mut Scene) {
        self.resumes = true;
        home.confirmed.clear();
        home.received.clear();
        home.uncertain.clear();
        scene.book.begin_session(home.index);
    }
}

fn take(mut output: Output) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(output.len());
    while !output.is_empty() {
        let part = bytes_of(&output);
        output.advance(part.len());
        bytes.extend(part);
    }
    bytes
}

/// The whole packets in these bytes, and how many bytes they take.
fn packets(bytes: &[u8], level: u8) -> (Vec<Seen>, usize) {
    let mut packets = Vec::new();
    let mut from = 0;
    loop {
        match Seen::decode(&bytes[from..], level) {
            Ok(Some((packet, length))) => {
                packets.push(packet);
                from += length;
            }
            Ok(None) => return (packets, from),
            Err(malformed) => panic!("{malformed}"),
        }
    }
}
