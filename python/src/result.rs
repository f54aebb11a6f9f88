//! How a publish, a subscribe or an unsubscribe ended: what the broker said, or the error.

use mqttsession::{
    client::{Delivered, Granted, Unsubscribed},
    error::{Code, Error, Result},
};
use pyo3::{exceptions::PyBaseException, prelude::*, types::PyTuple};

use crate::error::{exception, invalid, user_properties};

/// Writes once what all results have in common: `$reason` is the reason code of a success.
macro_rules! result {
    (
        $(#[$doc:meta])* $name:ident of $(#[$of_doc:meta])* $of:ident: $of_type:ty;
        $answer:ty, |$success:ident| $reason:expr;
        $($more:item)*
    ) => {
        $(#[$doc])*
        // As many as a usual window in flight: the garbage collector looks at all others.
        #[pyclass(frozen, freelist = 1024, module = "mqttsession")]
        pub(crate) struct $name {
            $(#[$of_doc])*
            #[pyo3(get)]
            $of: $of_type,
            outcome: Result<$answer>,
            /// Why it failed; None when it did not.
            #[pyo3(get)]
            error: Option<Py<PyBaseException>>,
        }

        impl $name {
            pub(crate) fn new(py: Python<'_>, $of: $of_type, outcome: Result<$answer>) -> Self {
                let error = outcome.as_ref().err().map(|error| exception(py, error).into_value(py));
                Self { $of, outcome, error }
            }

            /// Itself, or its error to be raised.
            pub(crate) fn or_raise(self, py: Python<'_>) -> PyResult<Self> {
                match &self.error {
                    None => Ok(self),
                    Some(error) => Err(PyErr::from_value(error.bind(py).clone().into_any())),
                }
            }
        }

        #[pymethods]
        impl $name {
            /// The broker's reason code; None where it ended without an answer of the broker.
            #[getter]
            fn reason_code(&self) -> Option<u8> {
                match &self.outcome {
                    Ok($success) => Some($reason),
                    Err(error) => error.reason_code(),
                }
            }

            /// The broker's own words (MQTT 5.0).
            #[getter]
            fn reason_string(&self) -> Option<&str> {
                match &self.outcome {
                    Ok(answer) => answer.said.reason_string(),
                    Err(error) => error.reason_string(),
                }
            }

            /// The user properties of the broker's answer (MQTT 5.0).
            #[getter]
            fn user_properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                match &self.outcome {
                    Ok(answer) => {
                        let pairs: Vec<_> = answer.said.properties().user_properties().collect();
                        PyTuple::new(py, pairs)
                    }
                    Err(error) => user_properties(py, error),
                }
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let of = (&self.$of).into_pyobject(py)?.repr()?;
                let how = match &self.outcome {
                    Ok($success) => format!("reason_code=0x{:02X}", $reason),
                    Err(error) => format!("error={}", error.code().name()),
                };
                Ok(format!(concat!(stringify!($name), "(", stringify!($of), "={}, {})"), of, how))
            }

            $($more)*
        }
    };
}

result! {
    /// How a publish ended.
    PublishResult of
    /// The message number.
    number: u64;
    Delivered, |delivered| delivered.reason.as_u8();
}

result! {
    /// How the broker answered a subscribe, for one filter.
    SubscribeResult of
    /// The filter.
    filter: String;
    Granted, |granted| granted.qos as u8;

    /// The QoS that was granted; None where it was refused.
    #[getter]
    fn qos(&self) -> Option<u8> {
        self.outcome.as_ref().ok().map(|granted| granted.qos as u8)
    }
}

result! {
    /// How the broker answered an unsubscribe, for one filter.
    UnsubscribeResult of
    /// The filter.
    filter: String;
    Unsubscribed, |done| done.reason.as_u8();
}

/// The results of several filters, in their order.
pub(crate) fn by_filter<T, R>(
    filters: &[String],
    answers: Vec<Result<T>>,
    new: impl Fn(String, Result<T>) -> R,
) -> Vec<R> {
    filters.iter().cloned().zip(answers).map(|(filter, answer)| new(filter, answer)).collect()
}

/// The result of a call with a single filter; `or_raise` raises its refusal.
pub(crate) fn only<R>(
    py: Python<'_>,
    results: Vec<R>,
    or_raise: impl FnOnce(R, Python<'_>) -> PyResult<R>,
) -> PyResult<R> {
    match results.into_iter().next() {
        Some(result) => or_raise(result, py),
        None => Err(invalid(py, Code::Internal, "The answer for this filter is missing")),
    }
}

/// The first error among the answers of several filters.
pub(crate) fn first_error<T>(answers: Vec<Result<T>>) -> Result<(), Error> {
    answers.into_iter().try_for_each(|answer| answer.map(drop))
}
