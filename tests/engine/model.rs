//! What a broker does with the messages of one session, and what it holds against the session.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use mqttsession::protocol::{Cut, Packet, PacketId, Publish, QoS, Version, cut};

use crate::packets::{puback, pubcomp, pubrec};

/// What was published, by its payload.
pub(crate) struct Published {
    pub(crate) topic: &'static str,
    /// The Message Expiry Interval, and when it began to count.
    pub(crate) interval: Option<(u32, Instant)>,
}

/// The broker, as far as publishing concerns it.
#[derive(Default)]
pub(crate) struct Broker {
    /// The topic aliases of this connection, and how many the broker allows.
    aliases: HashMap<u16, String>,
    alias_maximum: u16,
    /// How many messages came without their topic.
    pub(crate) abbreviated: u64,
    /// What it owes the session.
    owed: VecDeque<Packet<'static>>,
    /// Messages of QoS 2 by packet id, until PUBREL.
    held: HashMap<PacketId, Vec<u8>>,
    /// How often each payload of QoS 2 reached the subscribers.
    pub(crate) delivered: HashMap<Vec<u8>, usize>,
    /// It breaks down over the message of QoS 1 or 2 with this payload.
    pub(crate) poison: Option<Vec<u8>>,
}

impl Broker {
    pub(crate) fn with_poison(poison: Option<Vec<u8>>) -> Self {
        Self { poison, ..Self::default() }
    }

    /// A connection begins, with the session of the last one or a new one.
    pub(crate) fn accept(&mut self, kept: bool, alias_maximum: u16) {
        self.alias_maximum = alias_maximum;
        if !kept {
            self.held.clear();
        }
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self) {
        self.owed.clear();
        self.aliases.clear();
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Option<Packet<'static>> {
        self.owed.pop_front()
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
                Packet::Publish(publish) => {
                    self.check(&publish, &published[publish.payload], now);
                    if !self.take(&publish) {
                        return false;
                    }
                }
                Packet::Pubrel(ack) => {
                    self.held.remove(&ack.packet_id);
                    self.owed.push_back(pubcomp(ack.packet_id.get()));
                }
                Packet::Pingreq => self.owed.push_back(Packet::Pingresp),
                _ => {}
            }
        }
        true
    }

    /// That it says what was published.
    fn check(&mut self, publish: &Publish<'_>, published: &Published, now: Instant) {
        let topic = match (publish.properties.topic_alias(), publish.topic) {
            (None, topic) => topic,
            (Some(alias), topic) => {
                assert!(alias <= self.alias_maximum, "alias {alias} [MQTT-3.3.2-9]");
                if !topic.is_empty() {
                    self.aliases.insert(alias, topic.to_owned());
                }
                self.abbreviated += u64::from(topic.is_empty());
                self.aliases.get(&alias).expect("an alias that stands for something")
            }
        };
        assert_eq!(topic, published.topic);
        let said = publish.properties.message_expiry_interval();
        assert_eq!(said.is_some(), published.interval.is_some());
        if let (Some(said), Some((given, since))) = (said, published.interval) {
            let passed = now.duration_since(since).as_secs() as u32;
            let least = given.saturating_sub(passed).max(1);
            assert!((least..=given).contains(&said), "{said} of {given} after {passed} s");
        }
    }

    fn take(&mut self, publish: &Publish<'_>) -> bool {
        let Some(id) = publish.packet_id else { return true };
        if self.poison.as_deref() == Some(publish.payload) {
            return false;
        }
        if publish.qos == QoS::AtLeastOnce {
            self.owed.push_back(puback(id.get()));
            return true;
        }
        if self.held.insert(id, publish.payload.to_vec()).is_none() {
            *self.delivered.entry(publish.payload.to_vec()).or_default() += 1;
        }
        self.owed.push_back(pubrec(id.get()));
        true
    }
}
