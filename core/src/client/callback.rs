//! What a program hands over to be called back.

use std::sync::Arc;

use super::{Event, Message, Run};

/// What a handler did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is done with it.
    Done,
    /// Somebody keeps its [`Acknowledgement`](super::Acknowledgement) and will use it.
    Deferred,
    /// It failed; [`Options::set_on_failure`](super::Options::set_on_failure) says
    /// what happens then.
    Failed,
}

/// Receives the messages of a subscription.
///
/// Called outside all locks, one message at a time and in order per session, on the thread that
/// [`Dispatch`](super::Dispatch) says. The library lets go of it on a callback thread, after its
/// last call has returned. A panic ends the call only and counts as [`Handled::Failed`].
pub trait Handler: Send + Sync + 'static {
    /// Called once for each message that the subscription's filter matches.
    fn handle(&self, message: &Message<'_>) -> Handled;

    /// What takes, in place of a call for each, messages that were read together and are for this
    /// subscription alone; asked for once. Messages that several subscriptions want, and those that a store
    /// records round their handlers (QoS 2), come one by one all the same.
    fn run_handler(&self) -> Option<&dyn RunHandler> {
        None
    }
}

/// Hands messages on to where they are handled, many at a time.
pub trait RunHandler: Send + Sync {
    /// Called as [`Handler::handle`] is, and in order with it. A panic leaves the messages that were lent and
    /// not settled unacknowledged.
    fn handle_run(&self, run: Run);
}

impl<F: Fn(&Message<'_>) + Send + Sync + 'static> Handler for F {
    fn handle(&self, message: &Message<'_>) -> Handled {
        self(message);
        Handled::Done
    }
}

/// Receives the session's events, in order with its other callbacks.
pub type EventHandler = Arc<dyn Fn(&Event) + Send + Sync>;
