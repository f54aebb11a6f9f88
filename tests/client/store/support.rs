//! A store in memory that does what a test tells it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use mqttsession::{
    client::{Durability, Options, Session},
    engine::{Output, Record, Recovered},
    error::{Code, Error, Result},
    store::Storage,
};
use mqttsession_tests::scripted::{Peer, ScriptedBroker};

use crate::support::*;

/// What the records of a session come to. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    held: Mutex<Recovered>,
    /// What writing, and what syncing, fails with.
    full: Mutex<Option<Code>>,
    once: AtomicBool,
    unsyncable: AtomicBool,
    failed: AtomicBool,
    dead: AtomicBool,
    syncs: AtomicUsize,
    /// How many threads sync, and how many did at the same time.
    syncing: AtomicUsize,
    most_syncing: AtomicUsize,
    closes: AtomicUsize,
    at_append: Mutex<Option<Arc<Threshold>>>,
    at_sync: Mutex<Option<Arc<Threshold>>>,
}

impl Memory {
    /// A session over it, which has not been connected.
    #[track_caller]
    pub(super) fn open(&self, options: &Options) -> Session {
        let recovered = self.0.held.lock().unwrap().clone();
        Session::with_storage(options, Box::new(self.clone()), recovered).unwrap()
    }

    /// A connected session over it, and the other end. `present` says that the broker had kept its
    /// session.
    #[track_caller]
    pub(super) fn connect(
        &self,
        broker: &ScriptedBroker,
        options: &Options,
        present: bool,
    ) -> (Session, Peer) {
        let session = self.open(options);
        let peer = connect_session(&session, broker, present);
        (session, peer)
    }

    /// What a session that is made now finds.
    pub(super) fn held(&self) -> Recovered {
        self.0.held.lock().unwrap().clone()
    }

    /// The process dies: what is left is for the next one.
    #[must_use]
    pub(super) fn kill(&self) -> Self {
        // With the lock: a batch is written whole or not at all.
        let held = self.0.held.lock().unwrap();
        self.0.dead.store(true, Ordering::SeqCst);
        Self(Arc::new(Inner { held: Mutex::new(held.clone()), ..Inner::default() }))
    }

    /// Writing fails, or does no longer.
    pub(super) fn set_full(&self, code: Option<Code>) {
        *self.0.full.lock().unwrap() = code;
    }

    /// The next write fails.
    pub(super) fn fill_once(&self, code: Code) {
        self.0.once.store(true, Ordering::SeqCst);
        self.set_full(Some(code));
    }

    /// The next sync fails.
    pub(super) fn fail_to_sync(&self) {
        self.0.unsyncable.store(true, Ordering::SeqCst);
    }

    /// A sync of its own fails, and with it whatever is written.
    pub(super) fn fail(&self) {
        self.0.failed.store(true, Ordering::SeqCst);
        self.set_full(Some(Code::StoreFailed));
    }

    pub(super) fn syncs(&self) -> usize {
        self.0.syncs.load(Ordering::SeqCst)
    }

    pub(super) fn most_syncs_at_once(&self) -> usize {
        self.0.most_syncing.load(Ordering::SeqCst)
    }

    pub(super) fn closes(&self) -> usize {
        self.0.closes.load(Ordering::SeqCst)
    }

    /// From now on each write waits at a gate.
    pub(super) fn gate_appends(&self) -> Gate {
        let (gate, threshold) = gate();
        *self.0.at_append.lock().unwrap() = Some(Arc::new(threshold));
        gate
    }

    /// From now on each sync waits at a gate.
    pub(super) fn gate_syncs(&self) -> Gate {
        let (gate, threshold) = gate();
        *self.0.at_sync.lock().unwrap() = Some(Arc::new(threshold));
        gate
    }
}

fn pass(at: &Mutex<Option<Arc<Threshold>>>) {
    let threshold = at.lock().unwrap().clone();
    threshold.iter().for_each(|threshold| threshold.pass());
}

impl Storage for Memory {
    fn append(&self, batch: &Output) -> Result<()> {
        pass(&self.0.at_append);
        let mut full = self.0.full.lock().unwrap();
        let failure = match self.0.once.swap(false, Ordering::SeqCst) {
            true => full.take(),
            false => *full,
        };
        drop(full);
        if let Some(code) = failure {
            return Err(code.into());
        }
        let mut held = self.0.held.lock().unwrap();
        if self.0.dead.load(Ordering::SeqCst) {
            return Ok(());
        }
        let bytes = batch.with_slices(|slices| {
            slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>()
        });
        assert_eq!(bytes.len(), batch.len(), "more slices than one look shows");
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            held.apply(&Record::decode(&mut rest).unwrap(), 0);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let syncing = self.0.syncing.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_syncing.fetch_max(syncing, Ordering::SeqCst);
        pass(&self.0.at_sync);
        self.0.syncing.fetch_sub(1, Ordering::SeqCst);
        if self.0.unsyncable.swap(false, Ordering::SeqCst) {
            self.0.failed.store(true, Ordering::SeqCst);
            return Err(Error::from(Code::StoreFailed));
        }
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn tidy(&self) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.0.closes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn is_failed(&self) -> bool {
        self.0.failed.load(Ordering::SeqCst)
    }

    fn size(&self) -> u64 {
        self.0.held.lock().unwrap().messages.values().map(|one| one.packet.len() as u64).sum()
    }
}

/// Connects a session that has not been connected in this process.
#[track_caller]
pub(super) fn connect_session(session: &Session, broker: &ScriptedBroker, present: bool) -> Peer {
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(present, 0);
    ended(connecting).unwrap();
    peer
}

/// The options of a session that lasts, which syncs like this.
pub(super) fn durable(broker: &ScriptedBroker, durability: Durability) -> Options {
    let mut options = lasting(broker);
    options.set_durability(durability).unwrap();
    options
}

/// A broker, a connected session over a new store, and the other end.
#[track_caller]
pub(super) fn connected_over(
    memory: &Memory,
    durability: Durability,
) -> (ScriptedBroker, Session, Peer) {
    let broker = ScriptedBroker::start();
    let (session, peer) = memory.connect(&broker, &durable(&broker, durability), false);
    (broker, session, peer)
}

/// Closes a session whose broker sees its end.
#[track_caller]
pub(super) fn close(session: &Session, mut peer: Peer) {
    let served = thread::spawn(move || peer.silence());
    session.close();
    served.join().unwrap();
}

/// The process dies. What is left of its session lets go of the broker.
#[track_caller]
pub(super) fn kill(memory: &Memory, session: Session, peer: Peer) -> Memory {
    let left = memory.kill();
    drop(peer);
    session.close();
    left
}

/// Bytes that have left so far, when the I/O thread has had time for more.
pub(super) fn bytes_out(session: &Session) -> u64 {
    IoFence::new().pass();
    session.statistics().bytes_out
}
