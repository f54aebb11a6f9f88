//! A broker that keeps the rules and checks that the sessions do, too. It speaks with bytes of its own
//! making, keeps sessions, loses them, stops and comes back.

mod delivery;
mod reception;

use std::collections::{BTreeMap, VecDeque};

use mqttsession_tests::{property, seen::Seen, wire};

use crate::{
    network::{Arrival, LinkId},
    scene::Scene,
    tally::Happening,
};
use delivery::Flight;
use reception::Held;

/// What kind of broker this is.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// A message of QoS 2 goes to its subscribers when it is released, not when it comes.
    pub(crate) routes_on_release: bool,
    /// Acknowledgements of messages may overtake each other.
    pub(crate) shuffles_answers: bool,
    /// Packet ids go round, or the lowest that is free is used at once again.
    pub(crate) rotates_ids: bool,
    /// How many messages it has in flight to a 3.1.1 session, which cannot say how many it takes.
    pub(crate) window: u16,
    /// What it announces to a 5.0 session.
    pub(crate) receive_maximum: u16,
    pub(crate) topic_aliases: u16,
    /// One connection in so many takes small packets only, 0 being none.
    pub(crate) stingy: u64,
    /// It refuses one message in so many (5.0), 0 being none.
    pub(crate) refuses: u64,
}

/// First bytes of packets.
const CONNACK: u8 = 0x20;
const SUBACK: u8 = 0x90;
const UNSUBACK: u8 = 0xB0;

/// The packets that a stingy broker takes: small ones.
const STINGY: u32 = 60;

const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;

pub(crate) struct Broker {
    habits: Habits,
    sessions: BTreeMap<String, Session>,
    connections: BTreeMap<LinkId, Connection>,
    /// The name of the last session, never used twice.
    last_session: u64,
}

/// What the broker keeps for a client id.
struct Session {
    name: u64,
    owner: usize,
    level: u8,
    /// It ends with its connection.
    passing: bool,
    link: Option<LinkId>,
    subscriptions: BTreeMap<String, (u8, Option<u32>)>,
    /// Messages of QoS 2 that have come and are not released, by packet id.
    held: BTreeMap<u16, Held>,
    /// Packet ids that were completed: a PUBREL for one may be a repetition.
    completed: Vec<u16>,
    queue: VecDeque<usize>,
    /// In the order in which they were first sent.
    flights: Vec<Flight>,
    last_id: u16,
    /// How many messages the session takes at a time.
    window: u16,
}

struct Connection {
    level: u8,
    /// Whose it is, once it has said so.
    client_id: Option<String>,
    input: Vec<u8>,
    /// What is still to be said.
    answers: VecDeque<Vec<u8>>,
    /// Messages that have come and are not answered for: PUBACK or PUBCOMP has not been sent.
    outstanding: Vec<u16>,
    aliases: BTreeMap<u16, String>,
    largest: Option<u32>,
}

impl Broker {
    pub(crate) fn new(habits: Habits) -> Self {
        Self { habits, sessions: BTreeMap::new(), connections: BTreeMap::new(), last_session: 0 }
    }

    // ---- getters

    /// The sessions that there are.
    pub(crate) fn session_names(&self) -> Vec<u64> {
        self.sessions.values().map(|session| session.name).collect()
    }

    /// What a client id has subscribed.
    pub(crate) fn subscriptions(&self, client_id: &str) -> BTreeMap<String, u8> {
        let session = self.sessions.get(client_id);
        let all = session.into_iter().flat_map(|session| &session.subscriptions);
        all.map(|(filter, (qos, _))| (filter.clone(), *qos)).collect()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        let quiet = |session: &Session| session.queue.is_empty() && session.flights.is_empty();
        self.sessions.values().all(quiet)
            && self.connections.values().all(|connection| connection.answers.is_empty())
    }

    // ---- what befalls it

    /// It stops and comes back, with its sessions or without.
    pub(crate) fn restart(&mut self, keeps: bool, scene: &mut Scene) {
        scene.tell("broker", || {
            format!("restarts, {} its sessions", if keeps { "with" } else { "without" })
        });
        let links: Vec<LinkId> = self.connections.keys().copied().collect();
        for link in links {
            self.hang_up(link, scene);
        }
        scene.tally.count(Happening::BrokerRestarted);
        if !keeps {
            scene.tally.count(Happening::BrokerEmptied);
            self.sessions.clear();
        }
    }

    /// It drops a session.
    pub(crate) fn drop_session(&mut self, client_id: &str, scene: &mut Scene) {
        let Some(session) = self.sessions.get(client_id) else { return };
        if let Some(link) = session.link {
            self.hang_up(link, scene);
        }
        if self.sessions.remove(client_id).is_some() {
            scene.tell("broker", || format!("drops the session of {client_id}"));
            scene.tally.count(Happening::SessionDropped);
        }
    }

    fn hang_up(&mut self, link: LinkId, scene: &mut Scene) {
        scene.links.leave_broker(link);
        let Some(connection) = self.connections.remove(&link) else { return };
        let Some(client_id) = connection.client_id else { return };
        if let Some(session) = self.sessions.get_mut(&client_id)
            && session.link == Some(link)
        {
            session.link = None;
            if session.passing {
                self.sessions.remove(&client_id);
            }
        }
    }

    // ---- what it does

    /// Reads some of what has come.
    pub(crate) fn read(&mut self, link: LinkId, most: usize, scene: &mut Scene) {
        match scene.links.receive_up(link, most) {
            Arrival::Nothing => return,
            Arrival::End => return self.hang_up(link, scene),
            Arrival::Bytes(bytes) => {
                let fresh = || Connection {
                    level: 4,
                    client_id: None,
                    input: Vec::new(),
                    answers: VecDeque::new(),
                    outstanding: Vec::new(),
                    aliases: BTreeMap::new(),
                    largest: None,
                };
                let connection = self.connections.entry(link).or_insert_with(fresh);
                connection.input.extend_from_slice(&bytes);
            }
        }
        while let Some(connection) = self.connections.get_mut(&link) {
            let seen = Seen::decode(&connection.input, connection.level);
            let seen = seen.unwrap_or_else(|malformed| panic!("a session sent {malformed}"));
            let Some((packet, length)) = seen else { return };
            if let Some(largest) = connection.largest {
                assert!(
                    length <= largest as usize,
                    "a packet larger than the broker takes: {packet}"
                );
            }
            connection.input.drain(..length);
            self.hear(link, packet, scene);
        }
    }

    fn hear(&mut self, link: LinkId, packet: Seen, scene: &mut Scene) {
        scene.tell("broker", || format!("hears {packet} on {link}"));
        if let Seen::Connect(connect) = packet {
            return self.accept(link, connect, scene);
        }
        let connection = self.connections.get_mut(&link).expect("it has just been heard");
        let client_id = connection.client_id.as_ref().expect("CONNECT comes first");
        let session = self.sessions.get_mut(client_id).expect("a connection has a session");
        match packet {
            Seen::Publish(publish) => {
                let taken = session.take_in(publish, connection, &self.habits, scene);
                taken.into_iter().for_each(|message| self.route(message, scene));
            }
            Seen::Pubrel(release) => {
                let taken = session.release(release.id, connection, scene);
                taken.into_iter().for_each(|message| self.route(message, scene));
            }
            Seen::Puback(ack) => session.acknowledged(&ack, link, scene),
            Seen::Pubrec(ack) => {
                let answer = session.received(&ack, link, scene);
                connection.answers.extend(answer);
            }
            Seen::Pubcomp(ack) => session.completed(&ack),
            Seen::Subscribe(subscribe) => {
                let identifier = subscribe.properties.number("subscription-identifier");
                let mut codes = Vec::new();
                for filter in subscribe.filters {
                    codes.push(filter.qos);
                    session.subscriptions.insert(filter.filter, (filter.qos, identifier));
                }
                connection.answers.push_back(match connection.level {
                    5 => wire::v5::suback(subscribe.id, &[], &codes),
                    _ => wire::suback(subscribe.id, &codes),
                });
            }
            Seen::Unsubscribe(unsubscribe) => {
                let gone = unsubscribe.filters.iter().map(|filter| {
                    let existed = session.subscriptions.remove(filter).is_some();
                    if existed { 0 } else { NO_SUBSCRIPTION_EXISTED }
                });
                let codes: Vec<u8> = gone.collect();
                connection.answers.push_back(match connection.level {
                    5 => wire::v5::unsuback(unsubscribe.id, &[], &codes),
                    _ => wire::unsuback(unsubscribe.id),
                });
            }
            Seen::Pingreq => connection.answers.push_back(wire::pingresp()),
            Seen::Disconnect(_) => self.hang_up(link, scene),
            other => panic!("a session sent {other}"),
        }
    }

    fn accept(
        &mut self,
        link: LinkId,
        connect: mqttsession_tests::seen::Connect,
        scene: &mut Scene,
    ) {
        let owner: usize = connect.client_id[1..].parse().expect("client ids are s and a number");
        // The old connection gives way [MQTT-3.1.4-3].
        if let Some(before) = self.sessions.get(&connect.client_id).and_then(|session| session.link)
        {
            scene.tally.count(Happening::TakenOver);
            self.hang_up(before, scene);
        }
        if connect.clean {
            self.sessions.remove(&connect.client_id);
        }
        let present = self.sessions.contains_key(&connect.client_id);
        let v5 = connect.level == 5;
        let expires = connect.properties.number("session-expiry-interval").is_none_or(|s| s == 0);
        let passing = if v5 { expires } else { connect.clean };
        let window = connect.properties.number("receive-maximum").map_or(u16::MAX, |n| n as u16);
        if !present {
            self.last_session += 1;
        }
        let name = self.last_session;
        let session = self.sessions.entry(connect.client_id.clone()).or_insert_with(|| Session {
            name,
            owner,
            level: connect.level,
            passing,
            link: None,
            subscriptions: BTreeMap::new(),
            held: BTreeMap::new(),
            completed: Vec::new(),
            queue: VecDeque::new(),
            flights: Vec::new(),
            last_id: 0,
            window: 0,
        });
        scene.book.owners[owner].session = session.name;
        session.link = Some(link);
        session.passing = passing;
        session.window = window.min(self.habits.window);
        let connection = self.connections.get_mut(&link).expect("it has just been heard");
        assert!(connection.client_id.is_none(), "a second CONNECT");
        connection.client_id = Some(connect.client_id);
        connection.level = connect.level;
        let mut announced = Vec::new();
        if v5 {
            announced
                .extend(property::number("receive-maximum", self.habits.receive_maximum.into()));
            announced
                .extend(property::number("topic-alias-maximum", self.habits.topic_aliases.into()));
            if self.habits.stingy > 0 && scene.random.one_in(self.habits.stingy) {
                connection.largest = Some(STINGY);
                announced.extend(property::number("maximum-packet-size", STINGY));
            }
        }
        connection.answers.push_back(match v5 {
            true => wire::v5::connack(present, 0, &announced),
            false => wire::connack(present, 0),
        });
    }

    /// Says one thing that has to be said, or sends one message.
    pub(crate) fn speak(&mut self, link: LinkId, scene: &mut Scene) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let Some(client_id) = &connection.client_id else { return };
        let session = self.sessions.get_mut(client_id).expect("a connection has a session");
        // CONNACK overtakes nothing, and nothing overtakes it.
        let opened = connection.answers.front().is_none_or(|answer| answer[0] != CONNACK);
        let mut at = 0;
        if self.habits.shuffles_answers && opened && !connection.answers.is_empty() {
            let chosen = scene.random.below(connection.answers.len() as u64) as usize;
            // Subscribing and unsubscribing take effect in their order.
            if !matches!(connection.answers[chosen][0], SUBACK | UNSUBACK) {
                at = chosen;
            }
        }
        let answers = !connection.answers.is_empty() && (!opened || !scene.random.one_in(3));
        let bytes = match answers {
            true => connection.answers.remove(at),
            false if opened => session.next(link, &self.habits, scene),
            false => None,
        };
        let Some(bytes) = bytes else { return };
        connection.forget_outstanding(&bytes);
        scene.tell("broker", || {
            let said = Seen::decode(&bytes, connection.level).expect("the broker's own packet");
            format!("says {} on {link}", said.expect("a whole packet").0)
        });
        scene.links.send_down(link, &bytes);
    }

    /// Gives a message to every session that wants it.
    fn route(&mut self, message: reception::Taken, scene: &mut Scene) {
        for session in self.sessions.values_mut() {
            let wanted =
                session.subscriptions.iter().filter(|(filter, _)| matches(filter, &message.topic));
            let Some(granted) = wanted.map(|(_, (qos, _))| *qos).max() else { continue };
            let qos = granted.min(message.qos);
            if qos == 0 && session.link.is_none() {
                continue;
            }
            let copy = scene.book.copy(message.key, session.owner, qos, session.name);
            session.queue.push_back(copy);
        }
    }
}

/// `#`, or the topic itself.
fn matches(filter: &str, topic: &str) -> bool {
    filter == "#" || filter == topic
}
