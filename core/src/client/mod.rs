//! The session handle, and all that runs it: the driver task, the receiving queue and the threads
//! that call back, reconnecting.
//!
//! ```text
//!   program's threads ──► Session ──► lock ─► engine ◄─ lock ◄── driver (I/O thread) ◄──► stream
//!                                                                   │
//!                              handlers ◄── callback threads ◄── inbox
//! ```
//!
//! The I/O thread waits for sockets, timers and session locks only: never for user code, never for
//! a queue. `shared` says who writes, `inbox` who waits for whom.

mod authentication;
mod callback;
mod connection;
mod driver;
mod event;
mod fork;
mod gather;
mod inbox;
mod keeper;
mod lent;
mod live;
mod message;
mod operation;
mod options;
mod pool;
mod question;
mod readiness;
mod reconnect;
mod redirect;
mod request;
mod runtime;
mod scram;
mod session;
mod shared;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use crate::{
    engine::{
        AuthenticationStep, Completion, Connected, Credentials, Delivered, Granted, Outcome,
        Payload, QueuePolicy, Said, SessionLoss, SetAside, Unsubscribed,
    },
    store::{Store, StoreSummary, StoredMessage, StoredState, stores},
    transport::Material,
};
pub use authentication::{Authenticator, CredentialsSource};
pub use callback::{EventHandler, Handled, Handler, RunHandler};
pub use event::{Event, Restored, State, Statistics};
pub use fork::after_fork_in_child;
pub use inbox::Run;
pub use lent::Lent;
pub use live::{live_sessions, shutdown};
pub use message::{Acknowledgement, Message, OwnedMessage};
pub use operation::Operation;
pub use options::{Acknowledge, CallbackScope, Dispatch, Durability, Failure, Options};
pub use pool::set_callback_threads;
pub use request::{ReplyAddress, RequestOptions, Responder, Response};
pub use runtime::set_io_threads;
pub use session::{DisconnectOptions, PublishOptions, Session};

/// That much later. A time that no clock can show stands for ever; a century is as good.
fn later(now: Instant, wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(wait).unwrap_or_else(|| now + CENTURY)
}
