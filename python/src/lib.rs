//! `mqttsession._native`: the client for Python, as thin as it can be.
//!
//! A file is one noun and has its twin in `core/src/client` and `ffi/src`. What Python can say as
//! well stands in the package beside this crate: the exceptions, asyncio's iterators, the façade.

mod asynchronous;
mod callback;
mod closing;
mod error;
mod future;
mod message;
mod options;
mod process;
mod property;
mod session;
mod statistics;
mod stream;
mod wait;

use pyo3::prelude::*;

/// The native part of mqttsession.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::{
        asynchronous::AsyncSession,
        callback::Event,
        error::error_table,
        message::{Connected, Message},
        options::option_names,
        process::{
            after_fork_in_child, live_sessions, set_callback_threads, set_io_threads, shutdown,
        },
        session::{Session, Subscription, check_subscription},
        statistics::Statistics,
        stream::Stream,
    };
}
