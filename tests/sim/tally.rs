//! How often each kind of thing happened: a simulation that never does something proves nothing about it.

macro_rules! happenings {
    ($($name:ident $words:literal),+ $(,)?) => {
        /// A kind of thing that the simulation has to have met.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Happening { $($name),+ }

        /// What each is called, in their order.
        const WORDS: &[&str] = &[$($words),+];
    };
}

happenings! {
    Published "messages published",
    Confirmed "confirmed as stored",
    Arrived "taken by the broker",
    Handled "handled",
    Repeated "PUBLISH with DUP sent",
    ReleasedAgain "PUBREL sent again",
    Redelivered "delivered as redelivered",
    CutConnection "connections cut",
    Killed "processes killed",
    KilledWriting "killed in the middle of writing",
    CutPower "power cuts",
    ClosedInOrder "processes closed in order",
    Recovered "messages recovered",
    Folded "logs folded",
    DiskFull "full disks",
    DiskReadOnly "disks gone read-only",
    SyncFailed "failed syncs",
    HandlerRefused "deliveries put off because the store failed",
    BrokerRestarted "restarts of the broker",
    BrokerEmptied "brokers that forgot everything",
    SessionDropped "sessions dropped by the broker",
    SessionLost "session losses reported",
    Misled "new sessions taken for old ones because a CONNACK got lost",
    TakenOver "connections taken over",
    LimitReached "publishes refused or dropped at a limit",
    Expired "messages expired",
    SetAside "messages set aside",
    GivenUp "messages given up because the broker takes them no more",
    GrantReused "subscribes answered from the store",
}

/// Counts of all of them.
#[derive(Clone, Debug)]
pub(crate) struct Tally([u64; WORDS.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; WORDS.len()])
    }
}

impl Tally {
    pub(crate) fn count(&mut self, happening: Happening) {
        self.add(happening, 1);
    }

    pub(crate) fn add(&mut self, happening: Happening, times: u64) {
        self.0[happening as usize] += times;
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// The words and counts of all.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        WORDS.iter().copied().zip(self.0)
    }

    /// What has never happened.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        self.rows().filter(|(_, count)| *count == 0).map(|(words, _)| words).collect()
    }
}
