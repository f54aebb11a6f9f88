//! How long to wait before the next attempt to connect.

use std::time::{Duration, Instant};

/// Back-off with full jitter: a random pause below a bound that doubles with each attempt. It starts
/// anew only after a connection that lasted, so that a broker which accepts and then kicks is not
/// hammered.
pub(super) struct Backoff<'o> {
    /// The first bound and the last one.
    delay: &'o (Duration, Duration),
    stable: &'o Duration,
    attempts: u32,
    connected: Option<Instant>,
}

impl<'o> Backoff<'o> {
    pub(super) fn new(delay: &'o (Duration, Duration), stable: &'o Duration) -> Self {
        Self { delay, stable, attempts: 0, connected: None }
    }

    /// The broker has accepted a connection.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    /// The pause before the next attempt. `random` is from 0 to 1.
    pub(super) fn pause(&mut self, now: Instant, random: f64) -> Duration {
        let lasted = self.connected.take().map(|since| now.duration_since(since));
        if lasted.is_some_and(|lasted| lasted >= *self.stable) {
            self.attempts = 0;
        }
        let &(first, longest) = self.delay;
        let bound = first.saturating_mul(1 << self.attempts.min(31)).min(longest);
        self.attempts = self.attempts.saturating_add(1);
        bound.mul_f64(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_to_the_longest_and_resets_only_after_a_stable_connection() {
        let now = Instant::now();
        let (delay, stable) = ((SECOND, 10 * SECOND), 5 * SECOND);
        let mut backoff = Backoff::new(&delay, &stable);
        let bounds: Vec<u64> = (0..6).map(|_| backoff.pause(now, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 10, 10]);
        backoff.connected(now);
        assert_eq!(
            backoff.pause(now + 4 * SECOND, 1.0),
            10 * SECOND,
            "kicked before it was stable"
        );
        backoff.connected(now);
        assert_eq!(backoff.pause(now + 5 * SECOND, 1.0), SECOND, "it had been stable");
    }

    #[test]
    fn the_pause_is_random_below_the_bound() {
        let now = Instant::now();
        let delay = (SECOND, 10 * SECOND);
        let mut backoff = Backoff::new(&delay, &SECOND);
        assert_eq!(backoff.pause(now, 0.0), Duration::ZERO);
        assert_eq!(backoff.pause(now, 0.5), SECOND);
    }
}
