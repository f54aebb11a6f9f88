//! What everybody in a run shares: chance, time, the story, and the truth about every message.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use mqttsession::engine::{UnixMillis, WallClock};

use crate::{book::Book, network::Links, tally::Tally};
use mqttsession_tests::random::Random;

/// The same for every run: some day in 2026.
const DAWN: UnixMillis = 1_767_225_600_000;

/// The virtual clock.
pub(crate) struct Clock {
    start: Instant,
    passed: Duration,
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        self.start + self.passed
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.passed += time;
    }

    pub(crate) fn wall(&self) -> WallClock {
        let passed = u64::try_from(self.passed.as_millis()).expect("a run is short");
        WallClock { instant: self.now(), unix: DAWN + passed }
    }
}

pub(crate) struct Scene {
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) book: Book,
    pub(crate) tally: Tally,
    /// Whether the story is told.
    tells: bool,
}

impl Scene {
    pub(crate) fn new(random: Random, sessions: usize, tells: bool) -> Self {
        Self {
            random,
            clock: Clock { start: Instant::now(), passed: Duration::ZERO },
            links: Links::default(),
            book: Book::new(sessions),
            tally: Tally::default(),
            tells,
        }
    }

    /// A line of the story.
    pub(crate) fn tell<W: Display>(&self, who: impl Display, what: impl FnOnce() -> W) {
        if self.tells {
            println!("{:>9.3}  {who:<10} {}", self.clock.passed.as_secs_f64(), what());
        }
    }
}
