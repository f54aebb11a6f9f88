//! Where the messages in flight stand, in the order in which they were sent.
//!
//! ```text
//!             first                      first + used
//!               │                             │
//!   ┄┄┬───────┬─▼─────┬───────┬───────┬───────▼───────┬┄┄     flights: what an answer needs
//!     │ spare │   7   │ ended │   9   │  12   │ spare │
//!   ┄┄┴───────┴───────┴───────┴───────┴───────┴───────┴┄┄     parcels: the packets, beside them
//! ```
//!
//! One thread publishes while another one handles the answers, and what both of them write wanders
//! between their processors' caches. So the two rows are apart: an answer leaves the packet alone, and
//! its buffer waits in its place for a later message. And as a place is a count and not the end of a
//! list of free places, no thread waits for what the other one wrote last.

use super::{
    super::{
        Completion,
        encoded::Encoded,
        packet_id::{PacketIds, Use},
    },
    Kept, Pending,
};
use crate::protocol::{PacketId, QoS};

/// The least number of places.
const LEAST: usize = 16;

/// What the broker's answer to a message needs of it.
pub(super) struct Flight {
    pub(super) completion: Option<Completion>,
    pub(super) packet_id: PacketId,
    pub(super) qos: QoS,
    /// The bytes of its packet; none once the broker has taken the message.
    pub(super) weight: usize,
    /// The broker has taken the message (PUBREC): only its id matters now.
    pub(super) released: bool,
    /// Then: its place in the order in which the PUBRECs came.
    pub(super) confirmed: u64,
    /// Its PUBLISH left on this connection and holds a place of the broker's receive maximum.
    pub(super) counted: bool,
    /// Its packet takes more than the buffer that stays in its place.
    pub(super) is_worth_freeing: bool,
}

/// What sending a message again needs of it.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) packet: Encoded,
    /// The batch of records that has to be stored before it, or its release, may leave.
    pub(super) gate: u64,
}

#[derive(Default)]
struct Place {
    /// Of the last message that had this place.
    number: u64,
    /// None if that has ended.
    flight: Option<Flight>,
}

/// A message's key is where it stands. It changes, and its packet id is told, only when another message
/// comes or when memory is given back.
#[derive(Default)]
pub(super) struct Ring {
    /// As many as there are parcels: none, or a power of two.
    flights: Vec<Place>,
    parcels: Vec<Parcel>,
    /// The key of the first message.
    first: usize,
    /// How many places there are from the first message up to the last one.
    used: usize,
    /// How many of them hold one that has not ended.
    live: usize,
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The key of the place so many behind the first message.
    fn key(&self, behind: usize) -> usize {
        (self.first + behind) & self.flights.len().wrapping_sub(1)
    }

    pub(super) fn number(&self, key: usize) -> Option<u64> {
        self.flights.get(key).filter(|place| place.flight.is_some()).map(|place| place.number)
    }

    pub(super) fn is_released(&self, key: usize) -> bool {
        self.flights[key].flight.as_ref().is_some_and(|flight| flight.released)
    }

    /// A message, which is here, and its number.
    #[inline]
    pub(super) fn get_mut(&mut self, key: usize) -> (u64, &mut Flight) {
        let Place { number, flight } = &mut self.flights[key];
        (*number, flight.as_mut().expect("a key is that of a message"))
    }

    /// The packet of a message that is here.
    pub(super) fn parcel_mut(&mut self, key: usize) -> &mut Parcel {
        &mut self.parcels[key]
    }

    /// Frees the packet of a message that is here, if it is more than the buffer that stays.
    pub(super) fn free_packet(&mut self, key: usize) {
        let (_, flight) = self.get_mut(key);
        if std::mem::take(&mut flight.is_worth_freeing) {
            self.parcels[key].packet = Encoded::default();
        }
    }

    /// A message, which is here, with its packet.
    pub(super) fn both_mut(&mut self, key: usize) -> (&mut Flight, &mut Parcel) {
        let flight = self.flights[key].flight.as_mut().expect("a key is that of a message");
        (flight, &mut self.parcels[key])
    }

    pub(super) fn for_each(&mut self, change: impl FnMut(&mut Flight)) {
        self.flights.iter_mut().filter_map(|place| place.flight.as_mut()).for_each(change);
    }

    /// The number of the first message.
    pub(super) fn first(&self) -> Option<u64> {
        self.number(self.first)
    }

    /// The messages with their numbers, in the order of these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Flight)> {
        (0..self.used).filter_map(|behind| {
            let place = &self.flights[self.key(behind)];
            Some((place.number, place.flight.as_ref()?))
        })
    }

    /// The key of the message with this number.
    pub(super) fn find(&self, number: u64) -> Option<usize> {
        let (mut from, mut to) = (0, self.used);
        while from < to {
            let middle = from.midpoint(to);
            match self.flights[self.key(middle)].number < number {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        let key = self.key(from);
        (from < self.used && self.number(key) == Some(number)).then_some(key)
    }

    /// The buffer that waits for the next message.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        if self.used == self.flights.len() {
            return Vec::new();
        }
        let next = self.key(self.used);
        std::mem::take(&mut self.parcels[next].packet).into_buffer()
    }

    /// The key of the next message.
    #[inline]
    pub(super) fn next_key(&mut self, ids: &mut PacketIds) -> usize {
        if self.used == self.flights.len() {
            // Twice the room, unless half of it is of messages that have ended.
            self.rebuild((2 * self.live).next_power_of_two().max(LEAST), ids);
        }
        self.key(self.used)
    }

    /// Adds a message, behind those with lower numbers.
    #[inline]
    pub(super) fn push(
        &mut self,
        number: u64,
        flight: Flight,
        parcel: Parcel,
        ids: &mut PacketIds,
    ) {
        let key = self.next_key(ids);
        let is_last = self.used == 0 || self.flights[self.key(self.used - 1)].number < number;
        self.flights[key] = Place { number, flight: Some(flight) };
        self.parcels[key] = parcel;
        self.used += 1;
        self.live += 1;
        if !is_last {
            self.sink_last(ids);
        }
    }

    /// Brings the last message to its place. Only where a repair of the store has lost what was sent
    /// before it is that another one.
    #[cold]
    fn sink_last(&mut self, ids: &mut PacketIds) {
        for behind in (1..self.used).rev() {
            let (key, before) = (self.key(behind), self.key(behind - 1));
            if self.flights[before].number < self.flights[key].number {
                break;
            }
            self.flights.swap(before, key);
            self.parcels.swap(before, key);
            for key in [before, key] {
                if let Some(flight) = &self.flights[key].flight {
                    ids.assign(flight.packet_id, Use::Message(key));
                }
            }
        }
    }

    /// Removes a message that has ended. Its buffer stays.
    pub(super) fn remove(&mut self, key: usize) -> (Pending, Flight) {
        let Place { number, flight } = &mut self.flights[key];
        let mut flight = flight.take().expect("a key is that of a message");
        let (number, qos) = (*number, flight.qos);
        let completion = flight.completion.take();
        if flight.is_worth_freeing {
            self.parcels[key].packet = Encoded::default();
        }
        self.live -= 1;
        while self.used > 0 && self.flights[self.first].flight.is_none() {
            self.first = self.key(1);
            self.used -= 1;
        }
        (Pending { number, qos, completion }, flight)
    }

    /// Takes all messages out, in the order of their numbers, and gives the memory back.
    pub(super) fn take_all(&mut self) -> Vec<(Kept, Flight)> {
        let Self { mut flights, mut parcels, first, used, .. } = std::mem::take(self);
        flights.rotate_left(first);
        parcels.rotate_left(first);
        let all = flights.into_iter().zip(parcels).take(used);
        let taken = all.filter_map(|(Place { number, flight }, Parcel { packet, .. })| {
            let mut flight = flight?;
            let completion = flight.completion.take();
            let pending = Pending { number, qos: flight.qos, completion };
            Some((Kept { pending, packet }, flight))
        });
        taken.collect()
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self, ids: &mut PacketIds) {
        match self.live {
            0 => *self = Self::default(),
            live => self.rebuild((live + 1).next_power_of_two().max(LEAST), ids),
        }
    }

    /// Moves the messages into so many places.
    #[cold]
    fn rebuild(&mut self, places: usize, ids: &mut PacketIds) {
        let mut flights = Vec::with_capacity(places);
        let mut parcels = Vec::with_capacity(places);
        for behind in 0..self.used {
            let from = self.key(behind);
            let place = std::mem::take(&mut self.flights[from]);
            let Some(flight) = &place.flight else { continue };
            ids.assign(flight.packet_id, Use::Message(flights.len()));
            flights.push(place);
            parcels.push(std::mem::take(&mut self.parcels[from]));
        }
        (self.first, self.used) = (0, flights.len());
        flights.resize_with(places, Place::default);
        parcels.resize_with(places, Parcel::default);
        (self.flights, self.parcels) = (flights, parcels);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        engine::{Payload, Publication},
        protocol::{Properties, Version},
    };

    /// A ring, and what ought to be in it: the packet id of each number.
    #[derive(Default)]
    struct Checked {
        ring: Ring,
        ids: PacketIds,
        expected: BTreeMap<u64, PacketId>,
    }

    impl Checked {
        fn push(&mut self, packet: Encoded, number: u64) {
            let packet_id = {
                let key = self.ring.next_key(&mut self.ids);
                self.ids.allocate(Use::Message(key)).unwrap()
            };
            let flight = Flight {
                completion: None,
                packet_id,
                qos: QoS::AtLeastOnce,
                weight: 7,
                released: false,
                confirmed: 0,
                counted: true,
                is_worth_freeing: packet.is_worth_freeing(),
            };
            self.ring.push(number, flight, Parcel { packet, gate: 0 }, &mut self.ids);
            self.expected.insert(number, packet_id);
        }

        fn add(&mut self, number: u64) {
            self.push(Encoded::default(), number);
        }

        fn remove(&mut self, number: u64) {
            let packet_id = self.expected.remove(&number).unwrap();
            let Some(Use::Message(key)) = self.ids.get(packet_id) else { panic!("not in use") };
            let (pending, flight) = self.ring.remove(key);
            assert_eq!((pending.number, flight.packet_id), (number, packet_id));
            self.ids.release(packet_id);
        }

        fn check(&self) {
            let there: Vec<_> = self.ring.iter().map(|(n, flight)| (n, flight.packet_id)).collect();
            assert_eq!(there, self.expected.iter().map(|(&n, &id)| (n, id)).collect::<Vec<_>>());
            assert_eq!(self.ring.len(), self.expected.len());
            assert_eq!(self.ring.first(), self.expected.keys().next().copied());
            for (&number, &packet_id) in &self.expected {
                let key = self.ring.find(number).unwrap();
                assert_eq!(self.ids.get(packet_id), Some(Use::Message(key)));
                assert_eq!(self.ring.number(key), Some(number));
                assert_eq!(
                    self.ring.find(number + 1).is_some(),
                    self.expected.contains_key(&(number + 1))
                );
            }
        }
    }

    fn next(newest: &mut u64, step: u64) -> u64 {
        *newest += step;
        *newest
    }

    #[test]
    fn messages_are_found_in_their_order_whatever_comes_and_ends() {
        let mut checked = Checked::default();
        let mut random = 7_u64;
        let mut newest = 0;
        for round in 0..4_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = (random >> 33) as usize;
            // Up to some hundreds, down to none, and again.
            let grows = round % 1_000 < 600;
            match checked.expected.len() {
                0 => checked.add(next(&mut newest, 1)),
                count if draw % 10 < 3 + 4 * usize::from(!grows) => {
                    let number = *checked.expected.keys().nth(draw / 10 % count).unwrap();
                    checked.remove(number);
                }
                // Now and then one that should have been sent before others.
                _ if draw.is_multiple_of(97) && newest > 50 => {
                    let missing = (newest - 40..newest).find(|n| !checked.expected.contains_key(n));
                    missing.into_iter().for_each(|number| checked.add(number));
                }
                _ => checked.add(next(&mut newest, 1 + draw as u64 % 3)),
            }
            if draw.is_multiple_of(61) {
                checked.ring.shrink(&mut checked.ids);
            }
            checked.check();
        }
    }

    #[test]
    fn room_follows_what_is_in_flight() {
        let mut checked = Checked::default();
        checked.add(1);
        // The first one stays; each of the others ends at once.
        for number in 2..10_000 {
            checked.add(number);
            checked.remove(number);
        }
        assert_eq!(checked.ring.flights.len(), LEAST);
        (10_000..11_000).for_each(|number| checked.add(number));
        assert_eq!(checked.ring.flights.len(), 1_024);
        (10_000..11_000).for_each(|number| checked.remove(number));
        checked.check();
        checked.ring.shrink(&mut checked.ids);
        assert_eq!(checked.ring.flights.len(), LEAST);
        checked.remove(1);
        checked.ring.shrink(&mut checked.ids);
        assert_eq!((checked.ring.flights.capacity(), checked.ring.parcels.capacity()), (0, 0));
    }

    #[test]
    fn an_answer_needs_one_line_of_a_cache() {
        assert!(size_of::<Place>() <= 64, "{} bytes", size_of::<Place>());
    }

    #[test]
    fn a_small_buffer_is_used_again_and_a_large_one_freed() {
        for (length, capacity) in [(16, 100), (600, 0)] {
            let mut checked = Checked::default();
            let payload = vec![b'x'; length];
            let publication = Publication {
                topic: "a",
                payload: Payload::Borrowed(&payload),
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: Properties::EMPTY,
                lifetime: None,
            };
            let buffer = Vec::with_capacity(capacity);
            checked.push(Encoded::new(Version::V311, &publication, buffer).unwrap(), 1);
            checked.remove(1);
            for _ in 1..LEAST {
                assert_eq!(checked.ring.take_buffer().capacity(), 0);
                checked.push(Encoded::default(), 2);
                checked.remove(2);
            }
            let buffer = checked.ring.take_buffer();
            assert_eq!((buffer.len(), buffer.capacity()), (0, capacity));
        }
    }
}
