//! The keyword arguments of a session, one row for each. `mqttsession/options.py` holds their
//! types and their documentation; a test compares the two.

use std::{path::PathBuf, sync::Arc, time::Duration};

use mqttsession::{
    client::{Acknowledge, Dispatch, Durability, Failure, Material, Options, QueuePolicy},
    error::Code,
    protocol::Version,
};
use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    pybacked::PyBackedStr,
    sync::PyOnceLock,
    types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple},
};

use crate::{
    authentication::{PythonAuthenticator, credentials_source},
    callback::{self, Raised},
    error::{OrRaise, invalid},
    message::{Given, Quality, reason},
    property,
    wait::Seconds,
};

/// What a session is made from, and what this module has to know of it afterwards.
pub(crate) struct Settings {
    pub(crate) options: Options,
    pub(crate) version: Version,
    /// Whether messages carry their acknowledgement.
    pub(crate) manual: bool,
    /// Where exceptions of callbacks go.
    pub(crate) raised: Raised,
    /// What becomes of a message whose handler failed.
    pub(crate) failure: Failure,
    authenticates: bool,
    policy: QueuePolicy,
    wait: Duration,
    certificate: Option<Material>,
    key: Option<Material>,
    key_password: Option<PyBackedStr>,
}

type Setter = fn(&mut Settings, &Bound<'_, PyAny>) -> PyResult<()>;

const OPTIONS: &[(&str, Setter)] = &[
    ("port", |to, value| to.options.set_port(value.extract()?).or_raise(value.py()).map(drop)),
    ("tls", |to, value| {
        to.options.set_tls(value.extract()?);
        Ok(())
    }),
    ("version", |to, value| {
        to.version = choice(value, "version", VERSIONS)?;
        to.options.set_version(to.version);
        Ok(())
    }),
    ("client_id", |to, value| {
        to.options.set_client_id(&text(value)?).or_raise(value.py()).map(drop)
    }),
    ("any_client_id", |to, value| {
        to.options.set_any_client_id(value.extract()?);
        Ok(())
    }),
    ("clean_session", |to, value| {
        to.options.set_clean_session(value.extract()?);
        Ok(())
    }),
    ("user_name", |to, value| {
        to.options.set_user_name(Some(&text(value)?)).or_raise(value.py()).map(drop)
    }),
    ("password", |to, value| {
        let password: Given<'_> = value.extract()?;
        to.options.set_password(Some(password.as_bytes()?)).or_raise(value.py()).map(drop)
    }),
    ("credentials", |to, value| {
        let source = credentials_source(callable(value, "credentials")?);
        to.options.set_credentials_source(Some(source));
        Ok(())
    }),
    ("authentication", |to, value| {
        to.take_method(value)?;
        let (method, answer): (PyBackedStr, Bound<'_, PyAny>) = value.extract()?;
        let authenticator = PythonAuthenticator(callable(&answer, "authentication")?);
        to.options
            .set_authenticator(&method, Arc::new(authenticator))
            .or_raise(value.py())
            .map(drop)
    }),
    ("scram_sha_256", |to, value| {
        to.take_method(value)?;
        let (user_name, password): (PyBackedStr, PyBackedStr) = value.extract()?;
        to.options.set_scram_sha_256(&user_name, &password).or_raise(value.py()).map(drop)
    }),
    ("keep_alive", |to, value| {
        to.options.set_keep_alive(seconds(value)?).or_raise(value.py()).map(drop)
    }),
    ("connect_timeout", |to, value| {
        to.options.set_connect_timeout(seconds(value)?).or_raise(value.py()).map(drop)
    }),
    ("will", will),
    ("properties", |to, value| {
        property::from_dict(value.cast()?, &mut |property| {
            to.options.add_connect_property(property).map(drop)
        })
    }),
    ("maximum_packet_size", |to, value| {
        to.options.set_maximum_packet_size(value.extract()?).or_raise(value.py()).map(drop)
    }),
    ("receive_maximum", |to, value| {
        to.options.set_receive_maximum(value.extract()?).or_raise(value.py()).map(drop)
    }),
    ("in_flight_limit", |to, value| {
        to.options.set_in_flight_limit(value.extract()?).or_raise(value.py()).map(drop)
    }),
    ("outgoing_limit", |to, value| {
        let (messages, bytes) = value.extract()?;
        to.options.set_outgoing_limit(messages, bytes).or_raise(value.py()).map(drop)
    }),
    ("outgoing_policy", |to, value| {
        to.policy = choice(value, "outgoing_policy", POLICIES)?;
        to.options.set_outgoing_policy(to.policy);
        Ok(())
    }),
    ("outgoing_wait", |to, value| {
        to.wait = seconds(value)?;
        to.options.set_outgoing_wait(to.wait);
        Ok(())
    }),
    ("incoming_limit", |to, value| {
        let (messages, bytes) = value.extract()?;
        to.options.set_incoming_limit(messages, bytes).or_raise(value.py()).map(drop)
    }),
    ("dispatch", |to, value| {
        let dispatch = choice(value, "dispatch", DISPATCHES)?;
        if dispatch == Dispatch::Polled {
            to.raised = Raised::polled();
        }
        to.options.set_dispatch(dispatch);
        Ok(())
    }),
    ("acknowledge", |to, value| {
        let acknowledge = choice(value, "acknowledge", ACKNOWLEDGES)?;
        to.manual = acknowledge == Acknowledge::Manual;
        to.options.set_acknowledge(acknowledge);
        Ok(())
    }),
    ("on_failure", |to, value| {
        to.failure = match value.extract() {
            Ok(number) => Failure::Refuse(reason(value.py(), number)?),
            Err(_) => choice(value, "on_failure", FAILURES)?,
        };
        to.options.set_on_failure(to.failure).or_raise(value.py()).map(drop)
    }),
    ("time_to_live", |to, value| {
        to.options.set_time_to_live(Some(seconds(value)?)).or_raise(value.py()).map(drop)
    }),
    ("topic_alias_limit", |to, value| {
        to.options.set_topic_alias_limit(value.extract()?);
        Ok(())
    }),
    ("set_aside_after", |to, value| {
        to.options.set_set_aside_after(value.extract()?);
        Ok(())
    }),
    ("end_on_session_loss", |to, value| {
        to.options.set_end_on_session_loss(value.extract()?);
        Ok(())
    }),
    ("store", |to, value| {
        let directory: PathBuf = value.extract()?;
        to.options.set_store(Some(&directory)).or_raise(value.py()).map(drop)
    }),
    ("durability", |to, value| {
        let durability = match value.cast::<PyString>() {
            Ok(word) => choice(word, "durability", DURABILITIES)?,
            Err(_) => Durability::Interval(seconds(value)?),
        };
        to.options.set_durability(durability).or_raise(value.py()).map(drop)
    }),
    ("store_limit", |to, value| {
        let (messages, bytes) = value.extract()?;
        to.options.set_store_limit(messages, bytes).or_raise(value.py()).map(drop)
    }),
    ("reconnect", |to, value| {
        to.options.set_reconnect(value.extract()?);
        Ok(())
    }),
    ("retry_first_connect", |to, value| {
        to.options.set_retry_first_connect(value.extract()?);
        Ok(())
    }),
    ("retry", retry),
    ("redirect_limit", |to, value| {
        to.options.set_redirect_limit(value.extract()?);
        Ok(())
    }),
    ("reconnect_delay", |to, value| {
        let (Seconds(first), Seconds(longest)) = value.extract()?;
        to.options.set_reconnect_delay(first, longest).or_raise(value.py()).map(drop)
    }),
    ("stable_time", |to, value| {
        to.options.set_stable_time(seconds(value)?);
        Ok(())
    }),
    ("tls_ca", |to, value| {
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            for authority in value.try_iter()? {
                to.options.add_tls_authority(pem(&authority?)?);
            }
        } else {
            to.options.add_tls_authority(pem(value)?);
        }
        Ok(())
    }),
    ("tls_system_ca", |to, value| {
        to.options.set_tls_system_authorities(value.extract()?);
        Ok(())
    }),
    ("tls_certificate", |to, value| {
        to.certificate = Some(pem(value)?);
        Ok(())
    }),
    ("tls_key", |to, value| {
        to.key = Some(pem(value)?);
        Ok(())
    }),
    ("tls_key_password", |to, value| {
        to.key_password = Some(text(value)?);
        Ok(())
    }),
    ("tls_server_name", |to, value| {
        to.options.set_tls_server_name(Some(&text(value)?));
        Ok(())
    }),
    ("tls_verify", |to, value| {
        to.options.set_tls_verify(value.extract()?);
        Ok(())
    }),
];

const VERSIONS: &[(&str, Version)] =
    &[("3.1", Version::V31), ("3.1.1", Version::V311), ("5.0", Version::V5), ("5", Version::V5)];

const POLICIES: &[(&str, QueuePolicy)] = &[
    ("block", QueuePolicy::Block),
    ("reject", QueuePolicy::Reject),
    ("drop_oldest", QueuePolicy::DropOldest),
    ("drop_newest", QueuePolicy::DropNewest),
    ("keep_latest", QueuePolicy::KeepLatest),
];

// Not inline: a callback there would attach to the interpreter on the I/O thread, and every session
// of the process would wait for it.
const DISPATCHES: &[(&str, Dispatch)] =
    &[("dispatched", Dispatch::Dispatched), ("polled", Dispatch::Polled)];

const ACKNOWLEDGES: &[(&str, Acknowledge)] = &[
    ("handled", Acknowledge::Handled),
    ("on_receipt", Acknowledge::OnReceipt),
    ("manual", Acknowledge::Manual),
];

const DURABILITIES: &[(&str, Durability)] =
    &[("message", Durability::Message), ("system", Durability::System)];

const FAILURES: &[(&str, Failure)] =
    &[("acknowledge", Failure::Acknowledge), ("leave", Failure::Leave)];

impl Settings {
    /// Reads the arguments of `Session(address, **options)`. None is the same as not given.
    pub(crate) fn new(
        py: Python<'_>,
        address: &str,
        given: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut this = Self {
            options: Options::new(),
            version: Version::V311,
            manual: false,
            raised: Raised::default(),
            failure: Failure::default(),
            authenticates: false,
            policy: QueuePolicy::default(),
            wait: Duration::from_secs(10),
            certificate: None,
            key: None,
            key_password: None,
        };
        this.options.set_address(address).or_raise(py)?;
        for (name, value) in given.into_iter().flatten() {
            let name: PyBackedStr = name.extract()?;
            let Some((_, set)) = OPTIONS.iter().find(|(option, _)| *option == &*name) else {
                return Err(PyTypeError::new_err(format!("Session() has no option '{name}'")));
            };
            if !value.is_none() {
                set(&mut this, &value).map_err(|error| with_name(py, error, &name))?;
            }
        }
        match this.certificate.take() {
            Some(certificate) => {
                let password = this.key_password.as_deref();
                this.options.set_tls_certificate(certificate, this.key.take(), password);
            }
            None if this.key.is_some() => {
                return Err(invalid(py, Code::InvalidOption, "tls_key needs tls_certificate"));
            }
            None => {}
        }
        this.options.set_callback_scope(Some(callback::scope()));
        Ok(this)
    }

    /// CONNECT has one authentication method.
    fn take_method(&mut self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if std::mem::replace(&mut self.authenticates, true) {
            let message = "authentication and scram_sha_256 exclude each other";
            return Err(invalid(value.py(), Code::InvalidOption, message));
        }
        Ok(())
    }

    /// How long a publish waits for room in a full queue; None: it never does.
    pub(crate) fn wait_for_room(&self) -> Option<Duration> {
        (self.policy == QueuePolicy::Block).then_some(self.wait)
    }
}

/// The names of all options, in the order of the table.
#[pyfunction]
pub(crate) fn option_names(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, OPTIONS.iter().map(|(name, _)| name))
}

fn will(to: &mut Settings, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let topic = text(&value.getattr(intern!(py, "topic"))?)?;
    let payload: Given<'_> = value.getattr(intern!(py, "payload"))?.extract()?;
    let Quality(qos) = value.getattr(intern!(py, "qos"))?.extract()?;
    let retain = value.getattr(intern!(py, "retain"))?.extract()?;
    to.options.set_will(&topic, payload.as_bytes()?, qos, retain).or_raise(py)?;
    let properties = value.getattr(intern!(py, "properties"))?;
    if !properties.is_none() {
        property::from_dict(properties.cast()?, &mut |property| {
            to.options.add_will_property(property).map(drop)
        })?;
    }
    Ok(())
}

/// Which errors are followed by further attempts: a later entry wins over an earlier one.
fn retry(to: &mut Settings, value: &Bound<'_, PyAny>) -> PyResult<()> {
    static CODES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let codes = CODES.import(py, "mqttsession.error", "_codes_of")?;
    for item in value.cast::<PyMapping>()?.items()? {
        let (which, retry): (Bound<'_, PyAny>, bool) = item.extract()?;
        let numbers: Vec<i32> = codes.call1((which,))?.extract()?;
        for code in numbers.into_iter().filter_map(Code::from_number) {
            to.options.set_retry(code, retry);
        }
    }
    Ok(())
}

fn callable(value: &Bound<'_, PyAny>, option: &str) -> PyResult<Py<PyAny>> {
    if value.is_callable() {
        return Ok(value.clone().unbind());
    }
    let message = format!("The callable of {option} cannot be called");
    Err(invalid(value.py(), Code::InvalidOption, message))
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<PyBackedStr> {
    value.extract()
}

fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    value.extract().map(|Seconds(duration)| duration)
}

/// One of a few words.
fn choice<T: Copy>(value: &Bound<'_, PyAny>, option: &str, words: &[(&str, T)]) -> PyResult<T> {
    let word = text(value)?;
    words.iter().find(|(known, _)| *known == &*word).map(|(_, choice)| *choice).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(known, _)| format!("\"{known}\"")).collect();
        let message = format!("{option} is one of {}, not \"{word}\"", known.join(", "));
        invalid(value.py(), Code::InvalidOption, message)
    })
}

/// A certificate or key: a path, the PEM text itself, or its bytes (PEM or DER).
fn pem(value: &Bound<'_, PyAny>) -> PyResult<Material> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Material::Memory(bytes.as_bytes().to_vec()));
    }
    if let Ok(text) = value.cast::<PyString>()
        && text.to_str()?.contains("-----BEGIN ")
    {
        return Ok(Material::Memory(text.to_str()?.as_bytes().to_vec()));
    }
    value.extract::<PathBuf>().map(Material::File)
}

/// A wrong type says which option it was given for; our own errors do already.
fn with_name(py: Python<'_>, error: PyErr, name: &str) -> PyErr {
    if !error.is_instance_of::<PyTypeError>(py) {
        return error;
    }
    let named = PyTypeError::new_err(format!("option '{name}': {}", error.value(py)));
    named.set_cause(py, Some(error));
    named
}
