//! Which received message connection after connection ends on.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::protocol::Glimpse;

/// What a message is recognised by when it comes again; the message itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl Digest {
    /// Of a message that breaks the rules.
    pub(super) fn of(message: &Glimpse<'_>) -> Self {
        let mut hasher = FxHasher::default();
        message.hash_into(&mut hasher);
        Self(hasher.finish())
    }

    /// Of a message that is too large, from its fixed header: nothing more of it is waited for. Two
    /// that are taken for one are both too large.
    pub(super) fn of_size(first: u8, size: usize) -> Self {
        const DUP: u8 = 0b1000;

        let mut hasher = FxHasher::default();
        hasher.write_u8(first & !DUP);
        hasher.write_usize(size);
        Self(hasher.finish())
    }
}

/// How many messages are suspected at a time: a broker may have several that it sends at the
/// beginning of every connection.
const SUSPECTS: usize = 256;

#[derive(Debug)]
struct Suspect {
    message: Digest,
    /// How many connections in a row ended on it.
    connections: u32,
    /// It came on the present connection.
    met: bool,
}

/// Counts the connections in a row that ended on a message.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    suspects: Vec<Suspect>,
    /// The broker has accepted the present connection.
    online: bool,
    /// The present connection ends on one of them.
    ends: bool,
}

impl Suspicion {
    /// A message came on which a connection may end: whether `enough` connections in a row did, so
    /// that it is set aside. If not, the present one ends on it.
    pub(super) fn convicts(&mut self, message: Digest, enough: u32) -> bool {
        let known = self.suspects.iter().position(|suspect| suspect.message == message);
        let at = known.unwrap_or_else(|| {
            if self.suspects.len() == SUSPECTS {
                self.suspects.remove(0);
            }
            self.suspects.push(Suspect { message, connections: 0, met: true });
            self.suspects.len() - 1
        });
        let suspect = &mut self.suspects[at];
        suspect.met = true;
        if enough > 0 && suspect.connections >= enough {
            return true;
        }
        suspect.connections = suspect.connections.saturating_add(1);
        self.ends = true;
        false
    }

    pub(super) fn connected(&mut self) {
        self.online = true;
    }

    /// The connection is over. What did not come on it is no longer suspected, as it ended otherwise;
    /// an attempt that the broker did not accept says nothing. The answer is whether it ended on a
    /// suspect.
    pub(super) fn disconnected(&mut self) -> bool {
        if std::mem::take(&mut self.online) {
            self.suspects.retain_mut(|suspect| std::mem::take(&mut suspect.met));
        }
        std::mem::take(&mut self.ends)
    }
}
