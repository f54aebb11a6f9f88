//! Connections: two streams of bytes that arrive when chance wills, and may end at any byte.

use std::collections::BTreeMap;

use mqttsession_tests::random::Random;

/// The name of a connection, never used twice.
pub(crate) type LinkId = usize;

/// A connection. What was sent before it ended may still arrive, in each direction for itself.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// On the way to the broker.
    pub(crate) up: Vec<u8>,
    /// On the way to the session.
    pub(crate) down: Vec<u8>,
    cut: bool,
    session_left: bool,
    broker_left: bool,
}

impl Link {
    /// Nothing written from now on arrives, and of what is on its way some beginning.
    fn cut(&mut self, random: &mut Random) {
        self.cut = true;
        for bytes in [&mut self.up, &mut self.down] {
            bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
        }
    }
}

#[derive(Default)]
pub(crate) struct Links {
    links: BTreeMap<LinkId, Link>,
    last: LinkId,
}

/// Some bytes, or the end of the stream.
pub(crate) enum Arrival {
    Bytes(Vec<u8>),
    End,
    Nothing,
}

impl Links {
    pub(crate) fn open(&mut self) -> LinkId {
        self.last += 1;
        self.links.insert(self.last, Link::default());
        self.last
    }

    /// The connections that have not ended on both sides.
    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    pub(crate) fn cut(&mut self, id: LinkId, random: &mut Random) {
        if let Some(link) = self.links.get_mut(&id) {
            link.cut(random);
        }
    }

    pub(crate) fn is_whole(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| !link.cut && !link.broker_left && !link.session_left)
    }

    pub(crate) fn send_up(&mut self, id: LinkId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && !link.cut
            && !link.broker_left
        {
            link.up.extend_from_slice(bytes);
        }
    }

    pub(crate) fn send_down(&mut self, id: LinkId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && !link.cut
            && !link.session_left
        {
            link.down.extend_from_slice(bytes);
        }
    }

    /// At most so many bytes of what is on its way to the broker.
    pub(crate) fn receive_up(&mut self, id: LinkId, most: usize) -> Arrival {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.broker_left) else {
            return Arrival::Nothing;
        };
        arrive(&mut link.up, most, link.cut || link.session_left)
    }

    /// At most so many bytes of what is on its way to the session.
    pub(crate) fn receive_down(&mut self, id: LinkId, most: usize) -> Arrival {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.session_left) else {
            return Arrival::Nothing;
        };
        arrive(&mut link.down, most, link.cut || link.broker_left)
    }

    pub(crate) fn leave_session(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.session_left = true;
            self.bury(id);
        }
    }

    pub(crate) fn leave_broker(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.broker_left = true;
            self.bury(id);
        }
    }

    fn bury(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.session_left && link.broker_left) {
            self.links.remove(&id);
        }
    }
}

fn arrive(bytes: &mut Vec<u8>, most: usize, ends: bool) -> Arrival {
    if bytes.is_empty() {
        return if ends { Arrival::End } else { Arrival::Nothing };
    }
    Arrival::Bytes(bytes.drain(..most.min(bytes.len())).collect())
}
