//! Sees every record that a session hands to its store, and knows what the store has to hold: when it is opened
//! again, and when a packet leaves.

use mqttsession::{
    engine::{Receiving, Record, Recovered},
    protocol::PacketId,
};
use mqttsession_tests::seen::Seen;

use crate::{book::Book, plan::Durability, program};

/// The times at which batches were written are the store's.
const WHENEVER: u64 = 0;

pub(crate) struct Witness {
    durability: Durability,
    /// What the store held when it was opened.
    opened: Recovered,
    /// What was handed to it since, batch by batch.
    batches: Vec<Vec<u8>>,
    /// How many of them it has written, and synced.
    written: usize,
    synced: usize,
    /// What those come to that count as stored, and how many they are.
    stored: Recovered,
    counted: usize,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Killed,
    PowerCut,
}

impl Witness {
    pub(crate) fn new(durability: Durability) -> Self {
        Self {
            durability,
            opened: Recovered::default(),
            batches: Vec::new(),
            written: 0,
            synced: 0,
            stored: Recovered::default(),
            counted: 0,
        }
    }

    pub(crate) fn stored(&self) -> &Recovered {
        &self.stored
    }

    // ---- what the store is asked and answers

    /// A batch is handed to the store.
    pub(crate) fn offer(&mut self, batch: Vec<u8>) {
        self.batches.push(batch);
    }

    /// The store has written all that was handed to it.
    pub(crate) fn written(&mut self) {
        self.written = self.batches.len();
        if self.durability != Durability::Message {
            self.count(self.written);
        }
    }

    /// The store has synced all that it had written.
    pub(crate) fn synced(&mut self) {
        self.synced = self.written;
        self.count(self.synced);
    }

    fn count(&mut self, through: usize) {
        for batch in &self.batches[self.counted.min(through)..through] {
            apply(batch, &mut self.stored);
        }
        self.counted = self.counted.max(through);
    }

    /// The records of the last batch, for the story.
    pub(crate) fn describe(batch: &[u8]) -> String {
        let short = |record| match record {
            Ok(Record::Message { number, .. }) => format!("Message {number}"),
            other => format!("{:?}", other.expect("a record that can be read")),
        };
        Record::all(batch).map(short).collect::<Vec<_>>().join(", ")
    }

    /// The store has been opened again, and this is what it holds: a beginning of what was handed to it,
    /// and all that it had confirmed. Whether something is missing that had been written.
    pub(crate) fn opened(&mut self, found: &Recovered, end: End) -> bool {
        assert!(!found.doubtful || end == End::PowerCut, "the power was not cut");
        assert!(
            found.doubtful || end != End::PowerCut,
            "a power cut that the store has not noticed"
        );
        let least = if end == End::PowerCut { self.synced } else { self.written };
        let found = plain(found);
        let mut state = self.opened.clone();
        let mut held = None;
        for through in 0..=self.batches.len() {
            if through > 0 {
                apply(&self.batches[through - 1], &mut state);
            }
            if through >= least && plain(&state) == found {
                held = Some(through);
            }
        }
        let Some(held) = held else {
            let mut least_state = self.opened.clone();
            self.batches[..least].iter().for_each(|batch| apply(batch, &mut least_state));
            panic!(
                "after {end:?} the store holds what it was never given, or not all that it had \
                 confirmed ({least} of {} batches):\n{found:#?}\ninstead of at least\n{:#?}",
                self.batches.len(),
                plain(&least_state)
            );
        };
        let lost = held < self.written;
        self.opened = found.clone();
        self.stored = found;
        self.batches.clear();
        (self.written, self.synced, self.counted) = (0, 0, 0);
        lost
    }

    // ---- what leaves

    /// A packet leaves: what it follows from has to be stored.
    pub(crate) fn leaves(&self, packet: &Seen, asked: &dyn Fn(u16) -> bool, book: &mut Book) {
        match packet {
            Seen::Publish(publish) if publish.qos > 0 => {
                let number = book.publication(program::origin(&publish.payload)).number;
                let stored = self.stored.messages.get(&number);
                let stored = stored.unwrap_or_else(|| panic!("{packet} leaves, and is not stored"));
                if publish.qos == 2 {
                    assert!(
                        stored.packet_id == PacketId::new(publish.id) && stored.released.is_none(),
                        "{packet} leaves, and what is stored of it is {:?}, {:?}",
                        stored.packet_id,
                        stored.released
                    );
                }
            }
            Seen::Pubrel(release) => {
                let of = |(_, message): &(&u64, &mqttsession::engine::RecoveredMessage)| {
                    message.packet_id == PacketId::new(release.id)
                };
                match self.stored.messages.iter().find(of) {
                    Some((number, message)) => {
                        assert!(
                            message.released.is_some(),
                            "{packet} leaves for {number}, which is not stored as released"
                        );
                    }
                    None => {
                        assert!(asked(release.id), "{packet} leaves, and nobody has asked for it")
                    }
                }
            }
            Seen::Pubrec(ack) if ack.reason < 0x80 => {
                assert_eq!(self.receiving(ack.id), Some(Receiving::Handled), "{packet} leaves");
            }
            Seen::Pubrec(ack) => assert_eq!(self.receiving(ack.id), None, "{packet} leaves"),
            Seen::Pubcomp(ack) => assert_eq!(self.receiving(ack.id), None, "{packet} leaves"),
            Seen::Unsubscribe(unsubscribe) => {
                let granted = |filter: &String| self.stored.granted.contains_key(filter);
                assert!(
                    !unsubscribe.filters.iter().any(granted),
                    "{packet} leaves, and is on record"
                );
            }
            _ => {}
        }
    }

    fn receiving(&self, id: u16) -> Option<Receiving> {
        PacketId::new(id).and_then(|id| self.stored.received.get(&id).copied())
    }

    /// The number of the message that has this packet id, if its release is stored.
    pub(crate) fn released(&self, id: u16) -> Option<u64> {
        let of = |(_, message): &(&u64, &mqttsession::engine::RecoveredMessage)| {
            message.packet_id == PacketId::new(id) && message.released.is_some()
        };
        self.stored.messages.iter().find(of).map(|(number, _)| *number)
    }
}

fn apply(batch: &[u8], state: &mut Recovered) {
    for record in Record::all(batch) {
        state.apply(&record.expect("a record that can be read"), WHENEVER);
    }
}

/// Without what is the store's own business: times, and how it counts the releases.
fn plain(state: &Recovered) -> Recovered {
    let mut plain = state.clone();
    plain.doubtful = false;
    plain.releases = 0;
    let mut released: Vec<u64> = plain.messages.values().filter_map(|m| m.released).collect();
    released.sort_unstable();
    plain.releases = released.len() as u64;
    for message in plain.messages.values_mut() {
        message.accepted = WHENEVER;
        let rank = |at| released.partition_point(|other| *other < at) as u64;
        message.released = message.released.map(rank);
    }
    plain
}
