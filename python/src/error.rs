//! A failure of the core becomes an exception of the tree in `mqttsession/error.py`.

use std::{error::Error as StdError, fmt, io};

use mqttsession::error::{Code, Error, Result};
use pyo3::{
    exceptions::{PyBaseException, PyException, PyOSError},
    prelude::*,
    sync::PyOnceLock,
    types::PyTuple,
};

/// Turns a result of the core into one that Python can raise.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception that says the same as the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

/// The exception for an error: its class by the code, its cause chained.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    match make(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        // The package itself is broken: its own exception says more than ours would.
        Err(broken) => broken,
    }
}

/// An argument that cannot be used.
pub(crate) fn invalid(py: Python<'_>, code: Code, message: impl Into<String>) -> PyErr {
    exception(py, &Error::new(code, message))
}

fn make<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let exception = MAKE.import(py, "mqttsession.error", "_make")?.call1((
        error.number(),
        error.to_string(),
        error.reason_code(),
        error.reason_string(),
        error.server_reference(),
        user_properties(py, error)?,
    ))?;
    if let Some(source) = error.source() {
        let cause = cause(py, source).into_value(py);
        exception.setattr("__cause__", cause)?;
    }
    Ok(exception)
}

/// The user properties of the broker's answer, as pairs.
pub(crate) fn user_properties<'py>(
    py: Python<'py>,
    error: &Error,
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, error.user_properties())
}

/// An exception of the program as the cause of an error of the core, which carries it through
/// threads that must not touch the interpreter: its words are read beforehand.
pub(crate) struct Cause {
    exception: Py<PyBaseException>,
    text: String,
}

impl Cause {
    /// The core may keep it as a session's last error, so it lets go of what its traceback would
    /// keep alive, the session for instance.
    pub(crate) fn new(py: Python<'_>, error: PyErr) -> Self {
        static FORGET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let text = error.to_string();
        let exception = error.into_value(py);
        let forgotten = FORGET
            .import(py, "mqttsession.error", "_forget_locals")
            .and_then(|forget| forget.call1((&exception,)));
        if let Err(broken) = forgotten {
            broken.write_unraisable(py, None);
        }
        Self { exception, text }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({:?})", self.text)
    }
}

impl StdError for Cause {}

/// What lies under an error, as the exception that a Python programmer would expect to see there.
fn cause(py: Python<'_>, source: &(dyn StdError + 'static)) -> PyErr {
    if let Some(error) = source.downcast_ref::<Error>() {
        return exception(py, error);
    }
    if let Some(cause) = source.downcast_ref::<Cause>() {
        return PyErr::from_value(cause.exception.bind(py).clone().into_any());
    }
    let exception = match source.downcast_ref::<io::Error>() {
        // With its number, Python picks the subclass and `errno` is there to be compared.
        Some(error) => match error.raw_os_error() {
            Some(number) => PyOSError::new_err((number, error.to_string())),
            None => PyOSError::new_err(error.to_string()),
        },
        None => PyException::new_err(source.to_string()),
    };
    if let Some(deeper) = source.source() {
        exception.set_cause(py, Some(cause(py, deeper)));
    }
    exception
}

/// The permanent table of errors: (number, name, layer, retryable, sentence) for each code.
#[pyfunction]
pub(crate) fn error_table(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(
        py,
        Code::ALL.iter().map(|code| {
            (code.number(), code.name(), code.layer().name(), code.is_retryable(), code.sentence())
        }),
    )
}
