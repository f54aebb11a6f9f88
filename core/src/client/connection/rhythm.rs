//! Whether a pause is worth it in which publishes gather, so that one write takes hundreds of them.

use crate::client::shared::Core;

/// So many bytes are written although more may be about to come: a system call costs nothing beside them.
const WORTH_WRITING: usize = 16 << 10;

/// A pause in which less than this was published or acknowledged is the last one: programs that wait for
/// answers must not wait for pauses, too.
const WORTH_A_PAUSE: u64 = 8;

/// How many messages have been published, and how many are in flight.
type Progress = (u64, usize);

/// How quickly a session is published to.
#[derive(Default)]
pub(super) struct Rhythm {
    /// In quick succession.
    streams: bool,
    /// How far the session was when the last pause began, until it is known what that was worth.
    paused_at: Option<Progress>,
}

impl Rhythm {
    /// Whether a pause is worth it for a session that is this far. `noticed`: a publisher has seen that
    /// messages follow one another quickly.
    pub(super) fn is_worth_a_pause(
        &mut self,
        (published, in_flight): Progress,
        noticed: bool,
    ) -> bool {
        if let Some(before) = self.paused_at.take() {
            let changed = published.abs_diff(before.0) + in_flight.abs_diff(before.1) as u64;
            self.streams = changed >= WORTH_A_PAUSE;
        }
        self.streams |= noticed;
        self.streams
    }

    /// A pause begins.
    pub(super) fn paused(&mut self, progress: Progress) {
        self.paused_at = Some(progress);
    }
}

/// Whether what there is to write is too little for a write of its own, and more may come.
pub(in crate::client) fn gathers_more(core: &Core) -> bool {
    core.engine.output_length() < WORTH_WRITING && !core.is_write_due()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_go_on_as_long_as_they_are_worth_it() {
        let mut rhythm = Rhythm::default();
        assert!(!rhythm.is_worth_a_pause((5, 0), false), "nobody has noticed anything");
        assert!(rhythm.is_worth_a_pause((5, 0), true));
        // Published at QoS 0; at QoS 1, and not answered; only answered.
        for (from, to) in [((5, 0), (13, 0)), ((13, 0), (17, 4)), ((17, 8), (17, 0))] {
            rhythm.paused(from);
            assert!(rhythm.is_worth_a_pause(to, false), "from {from:?} to {to:?}");
        }
        rhythm.paused((21, 0));
        assert!(!rhythm.is_worth_a_pause((28, 0), false), "seven messages are next to none");
        assert!(!rhythm.is_worth_a_pause((1_000, 0), false), "it ends until somebody notices");
    }

    #[test]
    fn a_program_that_waits_for_answers_does_not_wait_for_pauses_again_and_again() {
        let mut rhythm = Rhythm::default();
        assert!(rhythm.is_worth_a_pause((1, 1), true));
        rhythm.paused((1, 1));
        // Each message leaves when the one before it has been answered.
        for published in 2..100 {
            assert!(!rhythm.is_worth_a_pause((published, 1), false), "message {published}");
        }
    }
}
