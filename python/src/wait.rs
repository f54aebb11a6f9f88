//! Waiting without holding the interpreter, and without missing Ctrl-C.

use std::time::{Duration, Instant};

use mqttsession::{
    client::Operation,
    error::{Code, Result},
};
use pyo3::{exceptions::PyValueError, intern, prelude::*};

use crate::error::OrRaise;

/// The longest time that the main thread spends without a look at its signals. A tenth of a second
/// is felt as at once, and ten looks a second cost nothing.
const SLICE: Duration = Duration::from_millis(100);

/// A length of time that a caller gave: seconds as a number, or a `datetime.timedelta`.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    pub(crate) const ZERO: Self = Self(Duration::ZERO);
    pub(crate) const TEN: Self = Self(Duration::from_secs(10));
}

impl<'a, 'py> FromPyObject<'a, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(seconds) = object.extract::<f64>() else {
            return Ok(Self(object.extract()?));
        };
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| {
            PyValueError::new_err(format!("{seconds} is no number of seconds to wait"))
        })
    }
}

/// When a call has to give up.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// As long as it takes.
    pub(crate) const NEVER: Self = Self(None);

    /// After this time; never for None, or when it lies beyond what the clock can tell.
    pub(crate) fn after(timeout: Option<Seconds>) -> Self {
        Self(timeout.and_then(|Seconds(timeout)| Instant::now().checked_add(timeout)))
    }

    /// Whether the time has passed.
    pub(crate) fn has_come(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// Calls `wait` with slices of the time left until it answers something else than TIMEOUT or the
/// deadline has come. Detached from the interpreter meanwhile; raises what a signal handler raises.
pub(crate) fn in_slices<T: Send>(
    py: Python<'_>,
    deadline: Deadline,
    wait: impl Fn(Option<Duration>) -> Result<T> + Sync,
) -> PyResult<T> {
    // Only the main thread handles signals, so only it has to wake up for them.
    let longest = if is_main_thread(py)? { Some(SLICE) } else { None };
    loop {
        let left = deadline.left();
        let slice = match (left, longest) {
            (Some(left), Some(longest)) => Some(left.min(longest)),
            (left, longest) => left.or(longest),
        };
        match py.detach(|| wait(slice)) {
            Err(error) if error.code() == Code::Timeout => {
                py.check_signals()?;
                // The last slice was all that was left.
                if left.is_some() && left == slice {
                    return Err(error).or_raise(py);
                }
            }
            answer => return answer.or_raise(py),
        }
    }
}

/// Waits for an operation. It goes on when this gives up.
pub(crate) fn for_operation<T: Clone + Send + 'static>(
    py: Python<'_>,
    operation: &Operation<T>,
    deadline: Deadline,
) -> PyResult<T>
where
    Operation<T>: Sync,
{
    let answer = in_slices(py, deadline, |slice| {
        let begun = Instant::now();
        match operation.wait(slice) {
            // Before the slice has passed it is the operation's own end: a request has a timeout.
            Err(error)
                if error.code() == Code::Timeout
                    && slice.is_none_or(|slice| begun.elapsed() < slice) =>
            {
                Ok(Err(error))
            }
            Err(error) if error.code() == Code::Timeout => Err(error),
            answer => Ok(answer),
        }
    })?;
    answer.or_raise(py)
}

/// Waits for an operation, but not longer than one slice.
pub(crate) fn one_slice<T: Clone + Send + 'static>(
    py: Python<'_>,
    operation: &Operation<T>,
    deadline: Deadline,
) -> PyResult<()>
where
    Operation<T>: Sync,
{
    let slice = deadline.left().map_or(SLICE, |left| left.min(SLICE));
    match py.detach(|| operation.wait(Some(slice))) {
        Err(error) if error.code() == Code::Timeout => py.check_signals(),
        ended => ended.map(drop).or_raise(py),
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import(intern!(py, "threading"))?;
    let main = threading.call_method0(intern!(py, "main_thread"))?;
    let current = threading.call_method0(intern!(py, "get_ident"))?;
    main.getattr(intern!(py, "ident"))?.eq(current)
}
