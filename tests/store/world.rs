//! A store on simulated files, and a model of what it holds.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use mqttsession::{
    engine::{Expiry, Output, Receiving, Record, Recovered},
    error::Result,
    protocol::{PacketId, Properties, Publish, QoS, SubscriptionOptions, Version},
    store::{Disk, DiskOptions, FileSystem, SimulatedFiles, Storage},
};

use mqttsession_tests::random::Random;

pub(crate) const DIRECTORY: &str = "stores";
pub(crate) const CLIENT: &str = "Client";

/// The path of a file of the store.
pub(crate) fn path(name: &str) -> std::path::PathBuf {
    Path::new(DIRECTORY).join("%43lient").join(name)
}

pub(crate) fn open(files: &SimulatedFiles, log_bytes: u64) -> Result<(Disk, Recovered)> {
    open_as(files, log_bytes, CLIENT)
}

pub(crate) fn open_as(
    files: &SimulatedFiles,
    log_bytes: u64,
    client_id: &str,
) -> Result<(Disk, Recovered)> {
    let files: Arc<dyn FileSystem> = Arc::new(files.clone());
    Disk::open(files, Path::new(DIRECTORY), client_id, DiskOptions { log_bytes })
}

/// Records in the form in which the engine hands them over: small ones together, a large packet beside
/// them.
pub(crate) fn batch(records: &[Record<'_>]) -> Output {
    let mut parts = Vec::new();
    for record in records {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let at = bytes.len() / 2;
        let bytes = Bytes::from(bytes);
        parts.extend([bytes.slice(..at), bytes.slice(at..)]);
    }
    Output::from(parts)
}

pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        duplicate: false,
        qos: QoS::ExactlyOnce,
        retain: false,
        topic: "t/1",
        packet_id: Some(PacketId::MIN),
        properties: Properties::EMPTY,
        payload,
    };
    let mut bytes = Vec::new();
    publish.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

pub(crate) fn message(number: u64, packet: &[u8]) -> Record<'_> {
    let expiry = Expiry { give_up: Some(number), interval_ends: None };
    Record::Message { number, version: Version::V5, expiry, packet }
}

/// What can be compared: not when a message was accepted, nor from where on its releases were counted.
pub(crate) fn comparable(mut recovered: Recovered) -> Recovered {
    recovered.doubtful = false;
    recovered.releases = 0;
    let mut released: Vec<_> =
        recovered.messages.values().filter_map(|message| message.released).collect();
    released.sort_unstable();
    for message in recovered.messages.values_mut() {
        message.accepted = 0;
        let place = |at| released.binary_search(&at).unwrap() as u64;
        message.released = message.released.map(place);
    }
    recovered
}

/// Something that a session could write next, given what it has written.
pub(crate) fn next_batch(random: &mut Random, so_far: &Recovered) -> Vec<u8> {
    let mut state = so_far.clone();
    let mut bytes = Vec::new();
    for _ in 0..=random.below(4) {
        let payload = vec![random.below(256) as u8; random.below(200) as usize];
        let packet = packet(&payload);
        let record = next_record(random, &state, &packet);
        record.encode(&mut bytes);
        state.apply(&record, 0);
    }
    bytes
}

fn next_record<'a>(random: &mut Random, state: &Recovered, packet: &'a [u8]) -> Record<'a> {
    let any = |random: &mut Random, count: usize| random.below(count as u64) as usize;
    let packet_id = PacketId::new(1 + random.below(20) as u16).unwrap();
    let filters = ["a", "b/#", "c/+/d"];
    let filter = filters[any(random, filters.len())];
    let messages: Vec<_> = state.messages.iter().collect();
    match random.below(12) {
        0..4 if !messages.is_empty() => {
            let (&number, message) = messages[any(random, messages.len())];
            match (message.packet_id, message.released) {
                (None, _) if !random.one_in(3) => Record::Launched { number, packet_id },
                (Some(_), None) if !random.one_in(3) => Record::Released { number },
                _ => Record::Ended { number },
            }
        }
        4 => match state.received.get(&packet_id) {
            None => Record::Delivering { packet_id },
            Some(Receiving::Delivering) => Record::Handled { packet_id },
            Some(Receiving::Handled) => Record::Forgotten { packet_id },
        },
        5 => match state.retired.contains(&packet_id) {
            false => Record::Retired { packet_id },
            true => Record::Freed { packet_id },
        },
        6 => match state.granted.contains_key(filter) {
            false => Record::Granted {
                filter,
                options: SubscriptionOptions::default(),
                identifier: Some(7),
                qos: QoS::AtLeastOnce,
            },
            true => Record::Ungranted { filter },
        },
        7 if random.one_in(6) => Record::SessionLost,
        _ => message(state.last_number + 1, packet),
    }
}

/// What records come to.
pub(crate) fn apply(state: &mut Recovered, records: &[u8]) {
    for record in Record::all(records) {
        state.apply(&record.unwrap(), 0);
    }
}

pub(crate) fn append(disk: &Disk, records: &[u8]) -> Result<()> {
    let at = records.len() / 3;
    let bytes = Bytes::copy_from_slice(records);
    disk.append(&Output::from(vec![bytes.slice(..at), bytes.slice(at..)]))
}

/// The model: what each batch came to, from nothing on.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) states: Vec<Recovered>,
    /// So many batches have been synced.
    pub(crate) synced: usize,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { states: vec![Recovered::default()], synced: 0 }
    }

    pub(crate) fn now(&self) -> &Recovered {
        self.states.last().unwrap()
    }

    pub(crate) fn written(&self) -> usize {
        self.states.len() - 1
    }

    pub(crate) fn add(&mut self, records: &[u8]) {
        let mut state = self.now().clone();
        apply(&mut state, records);
        self.states.push(state);
    }

    /// The process died: everything written is there.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, found: &Recovered) {
        assert_eq!(comparable(found.clone()), comparable(self.now().clone()));
        self.synced = self.written();
    }

    /// The machine died: a prefix is there, and in it what had been synced.
    #[track_caller]
    pub(crate) fn expect_prefix(&mut self, found: &Recovered) {
        let found = comparable(found.clone());
        let mut survived = (self.synced..self.states.len()).rev();
        let survived = survived.find(|at| comparable(self.states[*at].clone()) == found);
        let Some(survived) = survived else {
            panic!("of {} batches {} were synced; found {found:#?}", self.written(), self.synced)
        };
        self.states.truncate(survived + 1);
        self.synced = survived;
    }
}
