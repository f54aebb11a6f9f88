//! How long a message may wait for being sent, and what is left of it when it is.

use std::time::{Duration, Instant};

/// How long a message may wait. The clock is the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// When the program published it.
    pub since: Instant,
    /// Now: later than that where the call had to wait for room.
    pub now: Instant,
    /// How long it may wait, whatever the version; the Message Expiry Interval among its properties
    /// counts besides.
    pub time_to_live: Option<Duration>,
}

impl Lifetime {
    /// Whether nothing of it has passed.
    pub(super) fn is_whole(&self) -> bool {
        self.now == self.since
    }
}

/// The deadlines of a message that is kept.
pub(super) struct Deadlines {
    /// When it ends unless it has been sent; nothing where it never does, or has been sent.
    pub(super) give_up: Option<Instant>,
    interval: Option<Interval>,
}

/// The Message Expiry Interval of a kept packet.
#[derive(Clone, Copy)]
struct Interval {
    seconds: u32,
    ends: Instant,
    /// Where its four bytes stand, counted from the end of the packet.
    from_end: usize,
}

impl Deadlines {
    /// `interval` are the seconds of the property and where they stand, from the end of the packet.
    pub(super) fn new(lifetime: Lifetime, interval: Option<(u32, usize)>) -> Self {
        let Lifetime { since, time_to_live, .. } = lifetime;
        let interval = interval.and_then(|(seconds, from_end)| {
            let ends = since.checked_add(Duration::from_secs(seconds.into()))?;
            Some(Interval { seconds, ends, from_end })
        });
        let own = time_to_live.and_then(|time| since.checked_add(time));
        let give_up = own.into_iter().chain(interval.as_ref().map(|of| of.ends)).min();
        Self { give_up, interval }
    }

    /// Writes the seconds that remain into a packet that ends with `packet`, rounded up and at least
    /// one: what has been sent once is not for this side to end.
    pub(super) fn patch(&self, packet: &mut [u8], now: Instant) {
        let Some(Interval { seconds, ends, from_end }) = self.interval else { return };
        let left = ends.saturating_duration_since(now).as_millis().div_ceil(1000).max(1);
        // One that was given as 0 stays it.
        let left = u32::try_from(left).unwrap_or(seconds).min(seconds);
        let at = packet.len() - from_end;
        packet[at..at + size_of::<u32>()].copy_from_slice(&left.to_be_bytes());
    }
}
