//! The session with a store: what is sent and called only when it has been recorded, what a later
//! session finds, and what happens while the disk takes nothing.
//!
//! The process dies by [`Memory::kill`](support::Memory): from then on the session that was can change
//! nothing any more of what the next one finds.

mod disk;
mod ending;
mod failure;
mod publish;
mod receive;
mod restart;
mod support;
