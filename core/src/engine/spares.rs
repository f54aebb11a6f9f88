//! Buffers of messages that have ended, for those that come: a message in flight takes and gives back
//! memory without the allocator, which is slow where one thread allocates and another one frees.

/// So many buffers wait at most: as many as the default window holds messages.
const MOST: usize = 1024;

/// Larger ones are given back to the allocator, so that a few large messages leave nothing behind.
const LARGEST: usize = 512;

/// Empty buffers.
#[derive(Default)]
pub(super) struct Spares(Vec<Vec<u8>>);

impl Spares {
    /// An empty buffer, with memory if one is there.
    #[inline]
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    #[inline]
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if (1..=LARGEST).contains(&buffer.capacity()) && self.0.len() < MOST {
            buffer.clear();
            self.0.push(buffer);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_used_again_and_bounded() {
        let mut spares = Spares::default();
        assert_eq!(spares.take().capacity(), 0);
        let buffer = vec![7; 100];
        let memory = buffer.as_ptr();
        spares.give(buffer);
        let buffer = spares.take();
        assert_eq!((buffer.as_ptr(), buffer.len()), (memory, 0));
        spares.give(Vec::with_capacity(LARGEST + 1));
        assert!(spares.0.is_empty());
        (0..2 * MOST).for_each(|_| spares.give(Vec::with_capacity(20)));
        assert_eq!(spares.0.len(), MOST);
    }
}
