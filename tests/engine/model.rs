//! What a broker does with the messages of one session, and what it holds against the session.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Instant,
};

use mqttsession::protocol::{Cut, Packet, PacketId, Publish, QoS, ReasonCode, Version, cut};

use crate::packets::{because, puback, pubcomp, pubrec, suback, unsuback};

/// As many zeros as a SUBACK or UNSUBACK has codes at most.
const CODES: [u8; 64] = [0; 64];

/// What was published, by its payload.
pub(crate) struct Published {
    pub(crate) topic: &'static str,
    /// The Message Expiry Interval, and when it began to count.
    pub(crate) interval: Option<(u32, Instant)>,
}

/// What a broker breaks down over, and how.
#[derive(Default)]
pub(crate) struct Frailty {
    /// The messages of QoS 1 or 2 with these payloads, every time.
    pub(crate) poison: Vec<Vec<u8>>,
    /// It has stored one of QoS 2 before.
    pub(crate) stores: bool,
    /// It goes on answering pings for a while, and nothing else.
    pub(crate) lingers: bool,
    /// So many times: a PUBREL.
    pub(crate) releases: u32,
    /// So many times: a SUBSCRIBE or UNSUBSCRIBE.
    pub(crate) requests: u32,
    /// So many times: a message of QoS 0.
    pub(crate) qos0: u32,
}

/// What a broker says in CONNACK that it takes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) aliases: u16,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_qos: u8,
}

impl Limits {
    pub(crate) const NONE: Self = Self { aliases: 0, receive_maximum: u16::MAX, maximum_qos: 2 };
}

/// The broker, as far as publishing concerns it.
pub(crate) struct Broker {
    /// The topic aliases of this connection, and how many the broker allows.
    aliases: HashMap<u16, String>,
    pub(crate) limits: Limits,
    /// The messages of QoS 1 and 2 of this connection that have no answer yet.
    window: HashSet<PacketId>,
    /// How many messages came without their topic.
    pub(crate) abbreviated: u64,
    /// What it owes the session.
    owed: VecDeque<Packet<'static>>,
    /// Messages of QoS 2 by packet id, until PUBREL.
    held: HashMap<PacketId, Vec<u8>>,
    /// How often each payload of QoS 2 reached the subscribers.
    pub(crate) delivered: HashMap<Vec<u8>, usize>,
    pub(crate) frailty: Frailty,
    /// It has met what it breaks down over.
    doomed: bool,
}

impl Broker {
    pub(crate) fn new(frailty: Frailty) -> Self {
        Self {
            aliases: HashMap::new(),
            limits: Limits::NONE,
            window: HashSet::new(),
            abbreviated: 0,
            owed: VecDeque::new(),
            held: HashMap::new(),
            delivered: HashMap::new(),
            frailty,
            doomed: false,
        }
    }

    /// A connection begins, with the session of the last one or a new one.
    pub(crate) fn accept(&mut self, kept: bool, limits: Limits) {
        self.limits = limits;
        if !kept {
            self.held.clear();
        }
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self) {
        self.owed.clear();
        self.aliases.clear();
        self.window.clear();
        self.doomed = false;
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Option<Packet<'static>> {
        let answer = self.owed.pop_front()?;
        match &answer {
            Packet::Puback(ack) | Packet::Pubcomp(ack) => drop(self.window.remove(&ack.packet_id)),
            Packet::Pubrec(ack) if ack.reason.is_error() => {
                self.window.remove(&ack.packet_id);
            }
            _ => {}
        }
        Some(answer)
    }

    /// Whether it breaks down now: it has said what it had to say.
    pub(crate) fn breaks_down(&self) -> bool {
        self.doomed && self.owed.is_empty()
    }

    /// Reads what the session wrote; `false` when it broke down over it.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        version: Version,
        published: &HashMap<Vec<u8>, Published>,
        now: Instant,
    ) -> bool {
        let mut rest = bytes;
        while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
            rest = &rest[length..];
            if frame.first >> 4 == 1 {
                continue;
            }
            match Packet::decode(frame, version).expect("a legal packet") {
                Packet::Pingreq => self.owed.push_back(Packet::Pingresp),
                // It is judged all the same, and then nothing comes of it.
                Packet::Publish(publish) => {
                    self.check(&publish, &published[publish.payload], now);
                    self.doomed = self.doomed || !self.take(&publish, version);
                }
                _ if self.doomed => {}
                Packet::Pubrel(ack) => match again(&mut self.frailty.releases) {
                    true => self.doomed = true,
                    false => {
                        self.held.remove(&ack.packet_id);
                        self.owed.push_back(pubcomp(ack.packet_id.get()));
                    }
                },
                Packet::Subscribe(_) | Packet::Unsubscribe(_)
                    if again(&mut self.frailty.requests) =>
                {
                    self.doomed = true;
                }
                Packet::Subscribe(subscribe) => {
                    let codes = &CODES[..subscribe.filters.iter().count()];
                    self.owed.push_back(suback(subscribe.packet_id.get(), codes));
                }
                Packet::Unsubscribe(unsubscribe) => {
                    let count = unsubscribe.filters.iter().count();
                    let codes = &CODES[..if version.is_v5() { count } else { 0 }];
                    self.owed.push_back(unsuback(unsubscribe.packet_id.get(), codes));
                }
                _ => {}
            }
            if self.doomed && !self.frailty.lingers {
                return false;
            }
        }
        true
    }

    /// That it says what was published.
    fn check(&mut self, publish: &Publish<'_>, published: &Published, now: Instant) {
        let topic = match (publish.properties.topic_alias(), publish.topic) {
            (None, topic) => topic,
            (Some(alias), topic) => {
                assert!(alias <= self.limits.aliases, "alias {alias} [MQTT-3.3.2-9]");
                if !topic.is_empty() {
                    self.aliases.insert(alias, topic.to_owned());
                }
                self.abbreviated += u64::from(topic.is_empty());
                self.aliases.get(&alias).expect("an alias that stands for something")
            }
        };
        assert_eq!(topic, published.topic);
        assert!(publish.qos as u8 <= self.limits.maximum_qos, "[MQTT-3.2.2-11]");
        if let Some(id) = publish.packet_id {
            assert!(self.window.insert(id), "{id} is in use [MQTT-2.2.1-3]");
            let count = self.window.len();
            assert!(count <= usize::from(self.limits.receive_maximum), "{count} [MQTT-3.3.4-7]");
        }
        let said = publish.properties.message_expiry_interval();
        assert_eq!(said.is_some(), published.interval.is_some());
        if let (Some(said), Some((given, since))) = (said, published.interval) {
            let passed = now.duration_since(since).as_secs() as u32;
            let least = given.saturating_sub(passed).max(1);
            assert!((least..=given).contains(&said), "{said} of {given} after {passed} s");
        }
    }

    /// Takes a message; `false` when it breaks down over it.
    fn take(&mut self, publish: &Publish<'_>, version: Version) -> bool {
        let payload = publish.payload;
        let Some(id) = publish.packet_id else { return !again(&mut self.frailty.qos0) };
        let deadly = self.frailty.poison.iter().any(|poison| poison == payload);
        if deadly && !(self.frailty.stores && publish.qos == QoS::ExactlyOnce) {
            return false;
        }
        let refused = version.is_v5() && payload.ends_with(b"7");
        if publish.qos == QoS::AtLeastOnce {
            self.owed.push_back(match refused {
                true => Packet::Puback(because(id.get(), ReasonCode::QuotaExceeded)),
                false => puback(id.get()),
            });
            return true;
        }
        if refused {
            self.owed.push_back(Packet::Pubrec(because(id.get(), ReasonCode::QuotaExceeded)));
            return true;
        }
        match self.held.insert(id, payload.to_vec()) {
            None => *self.delivered.entry(payload.to_vec()).or_default() += 1,
            Some(held) => assert_eq!(held, payload, "{id} stands for two messages [MQTT-2.2.1-4]"),
        }
        if !deadly {
            self.owed.push_back(pubrec(id.get()));
        }
        !deadly
    }
}

/// Whether it happens once more.
fn again(times: &mut u32) -> bool {
    let happens = *times > 0;
    *times -= u32::from(happens);
    happens
}
