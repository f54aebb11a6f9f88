//! `mqttsession._native`: the client for Python, as thin as it can be.
//!
//! A file is one noun and has its twin in `core/src/client` and `ffi/src`. What Python can say as
//! well stands in the package beside this crate: the exceptions, asyncio's iterators, the façade.

mod asynchronous;
mod authentication;
mod callback;
mod closing;
mod connected;
mod error;
mod event;
mod iterator;
mod mailbox;
mod message;
mod options;
mod process;
mod property;
mod publication;
mod publish;
mod request;
mod result;
mod session;
mod statistics;
mod store;
mod stream;
mod subscription;
mod wait;

use pyo3::prelude::*;

/// The native part of mqttsession.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::{
        asynchronous::AsyncSession,
        connected::Connected,
        error::error_table,
        event::{Event, Restored, SessionLoss},
        iterator::MessageIterator,
        message::Message,
        options::option_names,
        process::{
            after_fork_in_child, live_sessions, set_callback_threads, set_io_threads, shutdown,
        },
        result::{PublishResult, SubscribeResult, UnsubscribeResult},
        session::Session,
        statistics::Statistics,
        store::{Store, StoreSummary, StoredMessage, StoredMessages, stores},
        stream::Stream,
        subscription::{Subscription, check_subscription},
    };
}
