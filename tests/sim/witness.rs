//! Sees every record that a session hands to its store, and knows what the store has to hold: when it is opened
//! again, and when a packet leaves.

use mqttsession::{
    engine::{Receiving, Record, Recovered, RecoveredMessage},
    protocol::PacketId,
};
use mqttsession_tests::seen::Seen;

use crate::{book::Book, plan::Durability, program};

/// The times at which batches were written are the store's.
const WHENEVER: u64 = 0;

/// What records come to.
#[derive(Clone, Default)]
struct State {
    holds: Recovered,
    /// The broker's session that they are about.
    session: u64,
}

/// A batch of records, and the broker's session at its time.
struct Batch {
    bytes: Vec<u8>,
    session: u64,
}

pub(crate) struct Witness {
    durability: Durability,
    /// What the store held when it was opened.
    opened: State,
    /// What was handed to it since.
    batches: Vec<Batch>,
    /// How many of them it has written, and synced.
    written: usize,
    synced: usize,
    /// What those come to that count as stored, and how many they are.
    stored: State,
    counted: usize,
    /// The store has been asked to close.
    closing: bool,
    /// No process has lived to use it.
    young: bool,
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
            opened: State::default(),
            batches: Vec::new(),
            written: 0,
            synced: 0,
            stored: State::default(),
            counted: 0,
            closing: false,
            young: true,
        }
    }

    pub(crate) fn stored(&self) -> &Recovered {
        &self.stored.holds
    }

    /// The broker's session that the store knows of, if it knows anything about one.
    pub(crate) fn session(&self) -> Option<u64> {
        self.stored.is_about_a_session().then_some(self.stored.session)
    }

    // ---- what the store is asked and answers

    /// A batch is handed to the store.
    pub(crate) fn offer(&mut self, bytes: Vec<u8>, session: u64) {
        self.batches.push(Batch { bytes, session });
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

    /// The store is asked to close.
    pub(crate) fn closes(&mut self) {
        self.closing = true;
    }

    fn count(&mut self, through: usize) {
        for batch in &self.batches[self.counted.min(through)..through] {
            self.stored.apply(batch);
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
        let least = if end == End::PowerCut { self.synced } else { self.written };
        let found = plain(found);
        let expected = |state: &State| {
            let mut holds = plain(&state.holds);
            // A store may have been closed or made, and the process not have lived to see it.
            if self.closing || self.young {
                holds.doubtful = found.doubtful;
            }
            holds.doubtful |= end == End::PowerCut && !self.closing;
            holds
        };
        let mut state = self.opened.clone();
        self.batches[..least].iter().for_each(|batch| state.apply(batch));
        let at_least = expected(&state);
        let mut through = least;
        while expected(&state) != found {
            let Some(batch) = self.batches.get(through) else {
                panic!(
                    "after {end:?} the store holds what it was never given, or not all that it had \
                     confirmed ({least} of {} batches):\n{found:?}\ninstead of at least\n{at_least:?}",
                    self.batches.len(),
                );
            };
            state.apply(batch);
            through += 1;
        }
        // Records that change nothing may be missing, too, and nobody can tell.
        let mut whole = state.clone();
        for batch in &self.batches[through..self.written.max(through)] {
            whole.apply(batch);
        }
        let lost = expected(&whole) != found;
        state.holds = found;
        self.opened = state.clone();
        self.stored = state;
        self.batches.clear();
        (self.closing, self.young) = (false, false);
        (self.written, self.synced, self.counted) = (0, 0, 0);
        lost
    }

    // ---- what leaves

    /// A packet leaves: what it follows from has to be stored.
    pub(crate) fn leaves(&self, packet: &Seen, asked: &dyn Fn(u16) -> bool, book: &mut Book) {
        match packet {
            Seen::Publish(publish) if publish.qos > 0 => {
                let number = book.publication(program::origin(&publish.payload)).number;
                let stored = self.stored.holds.messages.get(&number);
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
                let Some((number, message)) = self.in_flight(release.id) else {
                    assert!(asked(release.id), "{packet} leaves, and nobody has asked for it");
                    return;
                };
                let released = message.released.is_some();
                assert!(released, "{packet} leaves for {number}, which is not stored as released");
            }
            Seen::Pubrec(ack) if ack.reason < 0x80 => {
                assert_eq!(self.receiving(ack.id), Some(Receiving::Handled), "{packet} leaves");
            }
            Seen::Pubrec(ack) => assert_eq!(self.receiving(ack.id), None, "{packet} leaves"),
            Seen::Pubcomp(ack) => assert_eq!(self.receiving(ack.id), None, "{packet} leaves"),
            Seen::Subscribe(subscribe) => {
                let filters = subscribe.filters.iter().map(|asked| &asked.filter);
                filters.for_each(|filter| self.is_not_granted(filter, packet));
            }
            Seen::Unsubscribe(unsubscribe) => {
                unsubscribe.filters.iter().for_each(|filter| self.is_not_granted(filter, packet));
            }
            _ => {}
        }
    }

    /// What the broker is about to be asked may change what it has granted: until it has answered, no
    /// record may say so.
    fn is_not_granted(&self, filter: &str, packet: &Seen) {
        assert!(
            !self.stored.holds.granted.contains_key(filter),
            "{packet} leaves, and {filter} is on record"
        );
    }

    fn receiving(&self, id: u16) -> Option<Receiving> {
        PacketId::new(id).and_then(|id| self.stored.holds.received.get(&id).copied())
    }

    /// The number of the message that has this packet id, if its release is stored.
    pub(crate) fn released(&self, id: u16) -> Option<u64> {
        let (number, message) = self.in_flight(id)?;
        message.released.map(|_| number)
    }

    /// The message that is stored with this packet id, and its number.
    fn in_flight(&self, id: u16) -> Option<(u64, &RecoveredMessage)> {
        let mut messages = self.stored.holds.messages.iter();
        let found = messages.find(|(_, message)| message.packet_id == PacketId::new(id));
        found.map(|(number, message)| (*number, message))
    }
}

impl State {
    fn apply(&mut self, batch: &Batch) {
        let mut begins = !self.is_about_a_session();
        for record in Record::all(&batch.bytes) {
            let record = record.expect("a record that can be read");
            begins |= matches!(record, Record::SessionLost);
            self.holds.apply(&record, WHENEVER);
        }
        if begins {
            self.session = batch.session;
        }
    }

    /// Whether any of it means something only to the broker's session.
    fn is_about_a_session(&self) -> bool {
        let Recovered { messages, retired, received, granted, .. } = &self.holds;
        !(retired.is_empty() && received.is_empty() && granted.is_empty())
            || messages.values().any(|message| message.packet_id.is_some())
    }
}

/// Without what is the store's own business: times, and how it counts the releases.
fn plain(state: &Recovered) -> Recovered {
    let mut plain = state.clone();
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
