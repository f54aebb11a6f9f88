//! An engine and its store: a list of records that outlives it.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use mqttsession::{
    engine::{Engine, Output, Record, Recovered, Settings, WallClock},
    protocol::Version,
};

use crate::{
    packets::connack,
    pair::{Pair, Received, persist},
};

/// When every process of a test begins, in milliseconds since 1970.
const TODAY: u64 = 1_700_000_000_000;

/// A session with a store. Records that have not been stored are lost with the process.
pub(crate) struct Shelved {
    pair: Pair,
    settings: Arc<Settings>,
    stored: Recovered,
    /// When the present process began.
    today: u64,
    /// Taken, and not stored yet.
    underway: Option<(u64, Output)>,
}

impl Deref for Shelved {
    type Target = Pair;

    fn deref(&self) -> &Pair {
        &self.pair
    }
}

impl DerefMut for Shelved {
    fn deref_mut(&mut self) -> &mut Pair {
        &mut self.pair
    }
}

impl Shelved {
    /// A session that the broker keeps.
    pub(crate) fn new(version: Version) -> Self {
        Self::with(version, |_| {})
    }

    pub(crate) fn with(version: Version, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { version, ..Settings::default() };
        persist(&mut settings);
        change(&mut settings);
        Self::recovered(Arc::new(settings), Recovered::default(), TODAY)
    }

    fn recovered(settings: Arc<Settings>, stored: Recovered, today: u64) -> Self {
        let clock = WallClock { instant: std::time::Instant::now(), unix: today };
        let engine =
            Engine::with_store(settings.clone(), "me".into(), false, stored.clone(), clock)
                .expect("legal settings");
        let pair = Pair::of(engine, settings.version, clock.instant);
        Self { pair, settings, stored, today, underway: None }
    }

    /// It connects for the first time, to a broker that has no session.
    pub(crate) fn connected(mut self) -> Self {
        self.go_online(false);
        self.sent();
        self.events();
        self
    }

    /// It connects; the answer is what follows CONNECT before anything has been stored.
    pub(crate) fn go_online(&mut self, session_present: bool) -> Vec<String> {
        self.connect(false);
        assert_eq!(self.sent().len(), 1, "CONNECT waits for nothing and is alone");
        // 3.1 has no such flag.
        let present = session_present && self.version != Version::V31;
        self.receive(connack(present));
        self.sent()
    }

    /// The process dies and another goes on with what had been stored.
    pub(crate) fn crash(self) -> Self {
        Self::recovered(self.settings, self.stored, self.today)
    }

    /// The same, and the other process begins so many seconds after this one began.
    pub(crate) fn crash_for(self, seconds: u64) -> Self {
        Self::recovered(self.settings, self.stored, self.today + 1000 * seconds)
    }

    /// The same, with other settings.
    pub(crate) fn crash_to(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self::recovered(Arc::new(settings), self.stored, self.today)
    }

    /// The process dies, and then this becomes of the store.
    pub(crate) fn crash_and(mut self, change: impl FnOnce(&mut Recovered)) -> Self {
        change(&mut self.stored);
        self.crash()
    }

    /// The machine goes down: what had been stored may have been more.
    pub(crate) fn power_failure(self) -> Self {
        let stored = Recovered { doubtful: true, ..self.stored };
        Self::recovered(self.settings, stored, self.today)
    }

    /// What another process would find.
    pub(crate) fn stored(&self) -> &Recovered {
        &self.stored
    }

    /// Takes the next batch on its way to the disk, one line for each record.
    pub(crate) fn write(&mut self) -> Vec<String> {
        assert!(self.underway.is_none(), "one batch at a time");
        let mut output = Output::default();
        let Some(batch) = self.engine.poll_records(&mut output) else { return Vec::new() };
        let lines = records(&output, |record| line(&record));
        self.underway = Some((batch, output));
        lines
    }

    /// The batch that was taken has been stored.
    pub(crate) fn sync(&mut self) {
        let (batch, output) = self.underway.take().expect("a batch is on its way");
        let Self { stored, pair, today, .. } = self;
        records(&output, |record| stored.apply(&record, *today));
        pair.engine.handle_stored(batch, pair.now);
    }

    /// Stores everything; one line for each record.
    pub(crate) fn store(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let written = self.write();
            if self.underway.is_none() {
                return lines;
            }
            lines.extend(written);
            self.sync();
        }
    }

    /// A handler is called with a message: what has to be written before has been.
    pub(crate) fn begin(&mut self, message: &Received) -> Vec<String> {
        let batch = self.engine.begin_handling(message.receipt.expect("a message of QoS 2"));
        assert!(batch.is_some_and(|batch| batch > 0), "something has to be written");
        self.store()
    }
}

fn records<R>(output: &Output, mut each: impl FnMut(Record<'_>) -> R) -> Vec<R> {
    let bytes = output.parts().collect::<Vec<_>>().concat();
    Record::all(&bytes).map(|record| each(record.expect("a whole record"))).collect()
}

fn line(record: &Record<'_>) -> String {
    match *record {
        Record::Message { number, .. } => format!("message {number}"),
        Record::Launched { number, packet_id } => format!("launched {number} as {packet_id}"),
        Record::Released { number } => format!("released {number}"),
        Record::Ended { number } => format!("ended {number}"),
        Record::Retired { packet_id } => format!("retired {packet_id}"),
        Record::Freed { packet_id } => format!("freed {packet_id}"),
        Record::Delivering { packet_id } => format!("delivering {packet_id}"),
        Record::Handled { packet_id } => format!("handled {packet_id}"),
        Record::Forgotten { packet_id } => format!("forgotten {packet_id}"),
        Record::Granted { filter, options, identifier, qos } => {
            let identifier = identifier.map_or(String::new(), |number| format!(" as {number}"));
            format!("granted {filter}:{}{identifier} at q{}", options.qos as u8, qos as u8)
        }
        Record::Ungranted { filter } => format!("ungranted {filter}"),
        Record::SessionLost => "session lost".into(),
        Record::Numbered { last } => format!("numbered {last}"),
        Record::Doubtful => "doubtful".into(),
    }
}
