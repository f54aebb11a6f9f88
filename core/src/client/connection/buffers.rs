//! The memory that an I/O thread reads into.
//!
//! What was read stays where it is until its messages have been handled, on another thread perhaps. So
//! buffers are several, and one is read into again as soon as nobody looks at it any more: giving it
//! back to the allocator and taking another costs more than reading 64 KiB does, as the pages are
//! given back to the system and come in again one by one.

use std::cell::RefCell;

use bytes::BytesMut;

/// What one read brings at most: enough that a system call costs nothing beside the packets. The buffers
/// have this size whatever was carried over, so that any can stand in for another; a packet's own has what
/// the packet needs.
const READ: usize = 256 << 10;

/// Below this much free space a buffer is spent; it is what a read is worth at least.
const LEAST_READ: usize = 64 << 10;

/// A packet from this size on is read straight into a buffer of its own.
pub(super) const OWN_BUFFER: usize = 64 << 10;

/// A larger buffer is given back to the allocator once it is spent.
const LARGEST_KEPT: usize = READ;

/// So many spent buffers are kept at most: 2 MiB for each I/O thread.
const SPENT: usize = 8;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// The buffers of a thread: an idle session has none.
#[derive(Default)]
struct Buffers {
    /// Where the next read goes, as far as it has room.
    open: Option<BytesMut>,
    /// What is left of buffers whose memory is in use elsewhere, or was; the latest at the end.
    spent: Vec<BytesMut>,
}

impl Buffers {
    /// An empty buffer for at least so many bytes: the latest one that nobody looks at any more, as it
    /// is likely to be in the processor's caches, or a new one.
    fn empty(&mut self, capacity: usize) -> BytesMut {
        let free = self.spent.iter_mut().rposition(|spent| spent.try_reclaim(capacity));
        match free {
            Some(at) => self.spent.remove(at),
            None => BytesMut::with_capacity(capacity),
        }
    }

    /// What is left of a buffer that held a packet, or a read, of `size` bytes.
    fn spend(&mut self, mut rest: BytesMut, size: usize) {
        if size > LARGEST_KEPT {
            return;
        }
        rest.clear();
        if self.spent.len() == SPENT {
            self.spent.remove(0);
        }
        self.spent.push(rest);
    }

    /// A buffer that begins with `carry`, and room behind it.
    fn take(&mut self, carry: &[u8]) -> BytesMut {
        let mut buffer = self.open_with_room(LEAST_READ + carry.len());
        buffer.extend_from_slice(carry);
        buffer
    }

    /// The open buffer if it has, or can be given, room for so many bytes; else another one.
    fn open_with_room(&mut self, least: usize) -> BytesMut {
        if let Some(mut open) = self.open.take() {
            open.clear();
            if open.capacity() >= least || open.try_reclaim(READ) {
                return open;
            }
            self.spend(open, READ);
        }
        self.empty(READ)
    }
}

/// The thread's buffer, for one read behind the beginning of a packet.
pub(super) fn take(carry: &[u8]) -> BytesMut {
    BUFFERS.with_borrow_mut(|buffers| buffers.take(carry))
}

/// Gives it back.
pub(super) fn give_back(buffer: BytesMut) {
    BUFFERS.with_borrow_mut(|buffers| buffers.open = Some(buffer));
}

/// Gives back what is left of a buffer that was a packet's own; it had `size` bytes.
pub(super) fn spend(rest: BytesMut, size: usize) {
    BUFFERS.with_borrow_mut(|buffers| buffers.spend(rest, size));
}

/// Gives a buffer room for more of a packet of `needed` bytes. It doubles as the packet comes in, so
/// that a length which only was announced takes no memory, and ends with as much as the packet needs.
pub(super) fn make_room(buffer: &mut BytesMut, needed: usize) {
    let mut least = needed;
    while least > 2 * OWN_BUFFER {
        least = least.div_ceil(2);
    }
    if buffer.capacity() < least {
        BUFFERS.with_borrow_mut(|buffers| {
            let mut larger = buffers.empty(least);
            larger.extend_from_slice(buffer);
            buffers.spend(std::mem::replace(buffer, larger), needed);
        });
    } else if buffer.len() == buffer.capacity() {
        buffer.reserve(buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_looks_at_it_any_more() {
        let mut buffers = Buffers::default();
        let read = |buffers: &mut Buffers, carry: usize| {
            let mut buffer = buffers.take(&vec![9; carry]);
            buffer.resize(buffer.capacity(), 7);
            let memory = buffer.as_ptr();
            let chunk = buffer.split().freeze();
            buffers.open = Some(buffer);
            (memory, chunk)
        };
        // Had the memory gone back to the allocator, this is who would get it.
        let other = || Vec::<u8>::with_capacity(READ);
        let (first, one) = read(&mut buffers, 0);
        let (second, two) = read(&mut buffers, 3);
        assert_ne!(first, second);
        drop(one);
        let _in_between = other();
        let (third, three) = read(&mut buffers, OWN_BUFFER);
        assert_eq!(third, first);
        drop((two, three));
        let _in_between = other();
        // The latest one first.
        assert_eq!(read(&mut buffers, 500).0, first);
    }

    #[test]
    fn what_was_carried_over_stands_first_and_has_room_behind_it() {
        let mut buffers = Buffers::default();
        for length in [0, 3, OWN_BUFFER] {
            let carry = vec![9; length];
            let buffer = buffers.take(&carry);
            assert_eq!(buffer, carry);
            assert!(buffer.capacity() - buffer.len() >= LEAST_READ);
            buffers.open = Some(buffer);
        }
    }

    #[test]
    fn few_spent_buffers_are_kept_and_no_large_ones() {
        let mut buffers = Buffers::default();
        let spent = |size| BytesMut::zeroed(size).split_off(size);
        buffers.spend(spent(LARGEST_KEPT + 1), LARGEST_KEPT + 1);
        assert!(buffers.spent.is_empty());
        (0..3 * SPENT).for_each(|_| buffers.spend(spent(READ), READ));
        assert_eq!(buffers.spent.len(), SPENT);
    }

    #[test]
    fn a_large_packet_gets_memory_as_it_comes_in_and_no_more_than_it_needs() {
        for needed in [OWN_BUFFER + 1, 1_000_003, (32 << 20) + 4] {
            let mut buffer = BytesMut::from(&b"\x30"[..]);
            let mut held = Vec::new();
            while buffer.len() < needed {
                make_room(&mut buffer, needed);
                let room = buffer.capacity() - buffer.len();
                assert!(room > 0, "a read without room looks like the end");
                assert!(room <= buffer.len().max(2 * OWN_BUFFER), "{room} of {needed} at once");
                held.push(buffer.capacity());
                // As if that much had been read, without touching it where it is a lot.
                buffer.resize(needed.min(buffer.capacity()), 0);
            }
            let most = held.last().copied().unwrap_or_default();
            assert!(most < needed + needed / 1000 + 100, "{most} for {needed}: {held:?}");
        }
    }
}
