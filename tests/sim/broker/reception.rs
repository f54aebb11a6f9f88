//! What a session sends to the broker: messages taken in, once each.

use mqttsession_tests::{seen::Publish, wire};

use super::{Connection, Habits, Session};
use crate::{program, scene::Scene, tally::Happening};

/// A message of QoS 2 between PUBLISH and PUBREL.
#[derive(Clone)]
pub(super) struct Held {
    message: Taken,
    routed: bool,
}

/// A message that the broker is responsible for now.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) key: (usize, usize),
    pub(super) topic: String,
    pub(super) qos: u8,
}

/// "Quota exceeded".
const REFUSED: u8 = 0x97;

impl Session {
    /// PUBLISH: the message, if it is new and to be routed now.
    pub(super) fn take_in(
        &mut self,
        publish: Publish,
        connection: &mut Connection,
        habits: &Habits,
        scene: &mut Scene,
    ) -> Option<Taken> {
        let topic = connection.resolve(&publish, habits);
        let key = program::origin(&publish.payload);
        assert_eq!(key.0, self.owner, "a message of another session");
        assert_eq!(scene.book.publication(key).topic, topic, "a message with another topic");
        let Publish { id, qos, dup, .. } = publish;
        if dup {
            scene.tally.count(Happening::Repeated);
        }
        if qos > 0 {
            connection.outstanding.retain(|outstanding| *outstanding != id);
            connection.outstanding.push(id);
            if connection.level == 5 {
                let count = connection.outstanding.len();
                let most = usize::from(habits.receive_maximum);
                assert!(count <= most, "{count} messages at a time, and {most} were allowed");
            }
        }
        let message = Taken { key, topic, qos };
        let forgiven = scene.book.owners[self.owner].forgiven;
        if let Some(held) = self.held.get(&id).filter(|_| qos == 2) {
            // Who has lost its records may use an id that is in use; nobody else may [MQTT-2.2.1-3].
            assert!(
                forgiven || held.message.key == key,
                "packet id {id} is in use for message {:?} of session {}, and comes with {:?}",
                held.message.key.1,
                self.owner,
                key.1
            );
            assert!(forgiven || dup, "a repetition without DUP of {key:?} under id {id}");
            connection.answer(wire::pubrec(id));
            return None;
        }
        assert!(
            forgiven || qos == 0 || !self.held.contains_key(&id),
            "packet id {id} is in use for a message of QoS 2, and comes with {key:?}"
        );
        if qos > 0 && connection.level == 5 && self.refuses(key, habits, scene) {
            connection.answer(match qos {
                1 => wire::v5::puback(id, REFUSED, &[]),
                _ => wire::v5::pubrec(id, REFUSED, &[]),
            });
            return None;
        }
        scene.tally.count(Happening::Arrived);
        scene.book.take(key, qos, self.name);
        match qos {
            0 => Some(message),
            1 => {
                connection.answer(wire::puback(id));
                Some(message)
            }
            _ => {
                connection.answer(wire::pubrec(id));
                let routed = !habits.routes_on_release;
                self.held.insert(id, Held { message: message.clone(), routed });
                routed.then_some(message)
            }
        }
    }

    /// Whether the broker does not want this message: neither now nor later.
    fn refuses(&self, key: (usize, usize), habits: &Habits, scene: &mut Scene) -> bool {
        let chosen = habits.refuses > 0 && scene.random.one_in(habits.refuses);
        let publication = scene.book.publication(key);
        publication.refused |= chosen && publication.takes.is_empty();
        publication.refused
    }

    /// PUBREL: the message, if it is to be routed now.
    pub(super) fn release(
        &mut self,
        id: u16,
        connection: &mut Connection,
        scene: &mut Scene,
    ) -> Option<Taken> {
        let Some(held) = self.held.remove(&id) else {
            let forgiven = scene.book.owners[self.owner].forgiven;
            assert!(
                forgiven || self.completed.contains(&id),
                "PUBREL for packet id {id}, under which no message has come"
            );
            connection.answer(match connection.level {
                5 => wire::v5::pubcomp(id, 0x92, &[]),
                _ => wire::pubcomp(id),
            });
            return None;
        };
        self.completed.push(id);
        connection.answer(wire::pubcomp(id));
        (!held.routed).then_some(held.message)
    }
}

impl Connection {
    fn answer(&mut self, bytes: Vec<u8>) {
        self.answers.push_back(bytes);
    }

    /// PUBACK, PUBCOMP and a refusing PUBREC give a place of the receive maximum free.
    pub(super) fn forget_outstanding(&mut self, said: &[u8]) {
        let over = match said[0] {
            0x40 | 0x70 => true,
            0x50 => said.get(4).is_some_and(|reason| *reason >= 0x80),
            _ => false,
        };
        if over {
            let id = u16::from_be_bytes([said[2], said[3]]);
            self.outstanding.retain(|outstanding| *outstanding != id);
        }
    }

    fn resolve(&mut self, publish: &Publish, habits: &Habits) -> String {
        let Some(alias) = publish.properties.number("topic-alias") else {
            return publish.topic.clone();
        };
        assert!(
            (1..=u32::from(habits.topic_aliases)).contains(&alias),
            "topic alias {alias}, and {} were allowed",
            habits.topic_aliases
        );
        if !publish.topic.is_empty() {
            self.aliases.insert(alias as u16, publish.topic.clone());
        }
        self.aliases.get(&(alias as u16)).expect("an alias that was introduced").clone()
    }
}
