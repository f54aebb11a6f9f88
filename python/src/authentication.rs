//! Python callables that answer questions: who the session is, and how it proves that.
//!
//! Questions are asked on a lane of their own, each within the callback scope, so that attaching is
//! only a look at a counter here.

use std::sync::Arc;

use bytes::Bytes;
use mqttsession::{
    client::{AuthenticationStep, Authenticator, Credentials, CredentialsSource},
    error::{Code, Error, Result},
};
use pyo3::{prelude::*, types::PyBytes};

use crate::{error::Cause, message::Given};

/// A callable `answer(step, data)` as the core's authenticator.
pub(crate) struct PythonAuthenticator(pub(crate) Py<PyAny>);

impl Authenticator for PythonAuthenticator {
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>> {
        ask("The authenticator", |py| {
            let data = data.map(|data| PyBytes::new(py, data));
            let answer = self.0.bind(py).call1((name(step), data))?;
            bytes(answer.extract()?)
        })
    }
}

/// A callable that returns user name and password as the core's source of credentials.
pub(crate) fn credentials_source(callable: Py<PyAny>) -> CredentialsSource {
    Arc::new(move || {
        ask("The credentials source", |py| {
            let (user_name, password) = callable.bind(py).call0()?.extract()?;
            Ok(Credentials { user_name, password: bytes(password)? })
        })
    })
}

fn name(step: AuthenticationStep) -> &'static str {
    match step {
        AuthenticationStep::Connect => "connect",
        AuthenticationStep::Reauthenticate => "reauthenticate",
        AuthenticationStep::Continue => "continue",
        AuthenticationStep::Success => "success",
        // The core may learn of more before this module does.
        _ => "other",
    }
}

fn bytes(given: Option<Given<'_>>) -> PyResult<Option<Bytes>> {
    given.map(|given| given.as_bytes().map(Bytes::copy_from_slice)).transpose()
}

/// What the program answers. Its exception becomes the cause of the error.
fn ask<T>(who: &str, question: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    let answer = Python::try_attach(|py| {
        question(py).map_err(|error| {
            let cause = Cause::new(py, error);
            Error::new(Code::AuthenticationFailed, format!("{who} raised {cause}"))
                .with_source(cause)
        })
    });
    // Without an interpreter there is nobody left to ask.
    answer.unwrap_or_else(|| Err(Code::Cancelled.into()))
}
