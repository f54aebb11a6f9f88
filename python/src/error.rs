//! A failure of the core becomes an exception of the tree in `mqttsession/error.py`.

use std::{error::Error as StdError, io};

use mqttsession::error::{Code, Error, Result};
use pyo3::{
    exceptions::{PyException, PyOSError},
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
    ))?;
    if let Some(source) = error.source() {
        let cause = cause(py, source).into_value(py);
        exception.setattr("__cause__", cause)?;
    }
    Ok(exception)
}

/// What lies under an error, as the exception that a Python programmer would expect to see there.
fn cause(py: Python<'_>, source: &(dyn StdError + 'static)) -> PyErr {
    if let Some(error) = source.downcast_ref::<Error>() {
        return exception(py, error);
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
