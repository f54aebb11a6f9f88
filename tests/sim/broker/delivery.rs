//! What the broker sends to a session: copies, sent again until they are acknowledged.

use mqttsession_tests::{property, seen::Acknowledgement, wire};

use super::{Habits, Session};
use crate::{network::LinkId, program, scene::Scene};

/// A copy of QoS 1 or 2 that has been sent.
pub(super) struct Flight {
    id: u16,
    copy: usize,
    /// PUBREC has come.
    released: bool,
    /// The connection on which it was last sent.
    link: LinkId,
}

impl Session {
    /// The next message to be sent, those of earlier connections first [MQTT-4.4.0-1].
    pub(super) fn next(
        &mut self,
        link: LinkId,
        habits: &Habits,
        scene: &mut Scene,
    ) -> Option<Vec<u8>> {
        let again = self.flights.iter().position(|flight| flight.link != link);
        if let Some(at) = again {
            let flight = &mut self.flights[at];
            flight.link = link;
            return Some(match flight.released {
                true => wire::pubrel(flight.id),
                false => {
                    let (id, copy) = (flight.id, flight.copy);
                    wire::duplicate(self.publish(copy, id, scene))
                }
            });
        }
        let copy = *self.queue.front()?;
        if scene.book.copies[copy].qos == 0 {
            self.queue.pop_front();
            scene.book.send(copy);
            return Some(self.publish(copy, 0, scene));
        }
        if self.flights.len() >= usize::from(self.window) {
            return None;
        }
        self.queue.pop_front();
        let id = self.free_id(habits);
        self.flights.push(Flight { id, copy, released: false, link });
        scene.book.send(copy);
        Some(self.publish(copy, id, scene))
    }

    fn free_id(&mut self, habits: &Habits) -> u16 {
        let used = |id: u16| self.flights.iter().any(|flight| flight.id == id);
        let mut id = if habits.rotates_ids { self.last_id } else { 0 };
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if !used(id) {
                self.last_id = id;
                return id;
            }
        }
    }

    fn publish(&self, copy: usize, id: u16, scene: &mut Scene) -> Vec<u8> {
        let sent = &scene.book.copies[copy];
        let (qos, of) = (sent.qos, sent.of);
        let topic = scene.book.publication(of).topic.clone();
        let payload = program::copy_payload(copy);
        if self.level < 5 {
            return wire::publish(&topic, qos, id, payload);
        }
        // Of all that match, as [MQTT-3.3.4-3] says.
        let identifiers =
            self.subscriptions.iter().filter(|(filter, _)| super::matches(filter, &topic));
        let identifiers = identifiers.filter_map(|(_, (_, identifier))| *identifier);
        let properties: Vec<u8> =
            identifiers.flat_map(|n| property::number("subscription-identifier", n)).collect();
        wire::v5::publish(&topic, qos, id, &properties, payload)
    }

    /// A session that has lost records may answer for what nobody asked.
    fn find(&self, id: u16, link: LinkId, scene: &Scene) -> Option<usize> {
        let at = self.flights.iter().position(|flight| flight.id == id);
        let current = at.filter(|at| self.flights[*at].link == link);
        let forgiven = scene.book.owners[self.owner].forgiven;
        assert!(
            forgiven || current.is_some(),
            "an acknowledgement under id {id}, under which nothing has been sent on this connection"
        );
        current
    }

    /// PUBACK.
    pub(super) fn acknowledged(&mut self, ack: &Acknowledgement, link: LinkId, scene: &mut Scene) {
        let Some(at) = self.find(ack.id, link, scene) else { return };
        let flight = self.flights.remove(at);
        assert_eq!(scene.book.copies[flight.copy].qos, 1, "PUBACK for a message of QoS 2");
        self.check_acknowledged(flight.copy, ack, scene);
    }

    /// PUBREC; the answer to it.
    pub(super) fn received(
        &mut self,
        ack: &Acknowledgement,
        link: LinkId,
        scene: &mut Scene,
    ) -> Option<Vec<u8>> {
        let at = self.find(ack.id, link, scene)?;
        let flight = &mut self.flights[at];
        let (copy, id) = (flight.copy, flight.id);
        assert_eq!(scene.book.copies[copy].qos, 2, "PUBREC for a message of QoS 1");
        if ack.reason >= 0x80 {
            assert!(scene.book.copies[copy].refused, "copy {copy} was refused by nobody");
            self.flights.remove(at);
            return None;
        }
        flight.released = true;
        self.check_acknowledged(copy, ack, scene);
        Some(wire::pubrel(id))
    }

    /// Nothing is acknowledged before it is handled, but where the program wants it so.
    fn check_acknowledged(&self, copy: usize, ack: &Acknowledgement, scene: &Scene) {
        let on_receipt = scene.book.owners[self.owner].on_receipt;
        let copy_of = &scene.book.copies[copy];
        assert!(
            on_receipt || copy_of.finished > 0 || copy_of.refused || copy_of.forgiven,
            "copy {copy} was acknowledged before it was handled: {ack:?}"
        );
    }

    /// PUBCOMP.
    pub(super) fn completed(&mut self, ack: &Acknowledgement) {
        self.flights.retain(|flight| flight.id != ack.id || !flight.released);
    }
}
