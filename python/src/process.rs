//! What concerns all sessions of the process: its threads, its end, its children.

use mqttsession::client;
use pyo3::prelude::*;

use crate::{
    closing,
    error::OrRaise,
    wait::{self, Deadline, Seconds},
};

/// The number of sessions that have not been closed yet, for tests that look for leaks.
#[pyfunction]
pub(crate) fn live_sessions() -> usize {
    client::live_sessions()
}

/// Sets the number of I/O threads (default 1), before the first session connects.
#[pyfunction]
pub(crate) fn set_io_threads(py: Python<'_>, threads: usize) -> PyResult<()> {
    client::set_io_threads(threads).or_raise(py)
}

/// Sets the most threads for callbacks (default 256).
#[pyfunction]
pub(crate) fn set_callback_threads(py: Python<'_>, threads: usize) -> PyResult<()> {
    client::set_callback_threads(threads).or_raise(py)
}

/// Closes all sessions and waits until no callback is running. Runs by itself at exit.
#[pyfunction]
#[pyo3(signature = (timeout=None))]
pub(crate) fn shutdown(py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
    let deadline = Deadline::after(timeout);
    wait::in_slices(py, deadline, client::shutdown)?;
    wait::in_slices(py, deadline, closing::finish)
}

/// Makes sessions of the parent process harmless. Runs by itself after os.fork().
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    client::after_fork_in_child();
    closing::forget();
}
