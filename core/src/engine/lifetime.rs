//! How long a message may wait for being sent, and what is left of it when it is.

use std::time::{Duration, Instant};

use super::{journal::WallClock, record::Expiry};

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

    /// Those of a message that comes from a store; `interval` as for [`new`](Self::new). One that may
    /// have been sent is not given up any more. Nothing where it has none.
    pub(super) fn recover(
        expiry: Expiry,
        sent: bool,
        interval: Option<(u32, usize)>,
        clock: WallClock,
    ) -> Option<Self> {
        let at = |unix: Option<_>| unix.and_then(|unix| clock.to_instant(unix));
        let give_up = at(expiry.give_up).filter(|_| !sent);
        let interval = interval.zip(at(expiry.interval_ends));
        let interval =
            interval.map(|((seconds, from_end), ends)| Interval { seconds, ends, from_end });
        (give_up.is_some() || interval.is_some()).then_some(Self { give_up, interval })
    }

    /// The same on the clock that other processes share.
    pub(super) fn expiry(&self, clock: WallClock) -> Expiry {
        Expiry {
            give_up: self.give_up.map(|at| clock.to_unix(at)),
            interval_ends: self.interval.map(|of| clock.to_unix(of.ends)),
        }
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
