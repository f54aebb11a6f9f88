//! A session's part in its store: over which, and waiting until a message is in it.

use std::time::Duration;

use super::Session;
use crate::{
    client::{Operation, Options, keeper, shared::Goal},
    engine::Recovered,
    error::{Code, Layer, Result},
    store::Storage,
};

impl Session {
    /// Makes a session over a store of the program's own, in place of the directory that the options
    /// name: what it has to do is what [`Storage`] says, and `recovered` is what it holds. The session
    /// closes it, after its last callback; it calls it on threads of the library, and on those that
    /// handle messages of QoS 2.
    ///
    /// # Errors
    /// Those of [`new`](Self::new) that are not a store's.
    pub fn with_storage(
        options: &Options,
        storage: Box<dyn Storage>,
        recovered: Recovered,
    ) -> Result<Self> {
        keeper::check(options)?;
        Self::over(options, |_| Ok(Some((storage, recovered))))
    }

    /// Waits until a message has been stored, at most this long; `None` is as long as it takes. A timeout
    /// changes nothing, and waiting may be repeated. At QoS 0 nothing is stored, and it returns at once.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` without a store; the store's error while it takes nothing, after which it may be
    /// waited for again; the error with which the message ended before it was stored; `TIMEOUT`;
    /// `UNKNOWN_MESSAGE`; `WOULD_DEADLOCK`; `FORKED`.
    pub fn wait_stored(&self, number: u64, timeout: Option<Duration>) -> Result<()> {
        self.stored(number)?.wait(timeout)
    }

    /// Ends when a message has been stored; see [`wait_stored`](Self::wait_stored).
    ///
    /// # Errors
    /// `NOT_SUPPORTED` without a store, `UNKNOWN_MESSAGE`, `CLOSED`, `FORKED`; the operation: those of
    /// `wait_stored`.
    pub fn stored(&self, number: u64) -> Result<Operation<()>> {
        let shared = self.shared();
        shared.check_fork()?;
        let (operation, cell) = Operation::new(shared);
        let mut core = shared.core.lock();
        if matches!(core.goal, Goal::Close) {
            return Err(Code::Closed.into());
        }
        let ticket = core.ticket();
        match core.engine.await_stored(number, ticket) {
            Ok(()) => {}
            Err(error) if error.layer() == Layer::Store => {
                drop(core);
                return Ok(Operation::ended(shared, Err(error)));
            }
            Err(error) => return Err(error),
        }
        core.callers.make().awaiting_store.insert(ticket, cell);
        shared.settle(core);
        Ok(operation)
    }
}
