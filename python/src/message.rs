//! Messages on their way into and out of Python.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use mqttsession::{
    client::{self, Acknowledgement, OwnedMessage, Payload},
    error::{Code, Result},
    protocol::{PacketType, Properties, Property, PropertyBlock, QoS, ReasonCode},
};
use pyo3::{
    buffer::PyUntypedBuffer,
    exceptions::PyTypeError,
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyBytes, PyDict, PyMemoryView, PyString},
};

use crate::{
    error::{OrRaise, invalid},
    property,
};

/// A received message. It may be kept as long as you like.
//
// The garbage collector looks at every object of a native class, but for those that come from its
// free list. So that holds as many as one read brings.
#[pyclass(frozen, freelist = 4096, module = "mqttsession")]
pub(crate) struct Message {
    /// The topic that it was published to.
    #[pyo3(get)]
    topic: Py<PyString>,
    /// What was published.
    #[pyo3(get)]
    payload: Py<PyBytes>,
    /// The quality of service that it was delivered with: 0, 1 or 2.
    #[pyo3(get)]
    qos: u8,
    /// Whether it is a retained message that was published before the subscription.
    #[pyo3(get)]
    retain: bool,
    /// Whether the broker may have delivered it before.
    #[pyo3(get)]
    duplicate: bool,
    /// Whether a handler may have seen it before: the process, or the machine, went down meanwhile.
    #[pyo3(get)]
    redelivered: bool,
    properties: Option<Box<PropertyBlock>>,
    acknowledgement: Mutex<Option<Acknowledgement>>,
}

impl Message {
    /// Copies a message out of the core. Messages come in runs of the same topic, so `last` keeps
    /// the text of the one before.
    pub(crate) fn new(
        py: Python<'_>,
        message: &client::Message<'_>,
        last: &Mutex<Option<Py<PyString>>>,
        acknowledgement: Option<Acknowledgement>,
    ) -> PyResult<Py<Self>> {
        Py::new(
            py,
            Self {
                topic: topic(py, message.topic(), last),
                payload: PyBytes::new(py, message.payload()).unbind(),
                qos: message.qos() as u8,
                retain: message.retain(),
                duplicate: message.duplicate(),
                redelivered: message.redelivered(),
                properties: kept(py, message.properties())?,
                acknowledgement: Mutex::new(acknowledgement),
            },
        )
    }

    /// Copies a message that the core has kept: an answer, which needs no acknowledgement.
    pub(crate) fn answer(py: Python<'_>, message: &OwnedMessage) -> PyResult<Py<Self>> {
        Py::new(
            py,
            Self {
                topic: PyString::new(py, message.topic()).unbind(),
                payload: PyBytes::new(py, message.payload()).unbind(),
                qos: message.qos() as u8,
                retain: message.retain(),
                duplicate: message.duplicate(),
                redelivered: message.redelivered(),
                properties: kept(py, message.properties())?,
                acknowledgement: Mutex::default(),
            },
        )
    }

    /// The topic that it was published to.
    pub(crate) fn topic(&self) -> &Py<PyString> {
        &self.topic
    }

    /// Takes the right to acknowledge it, which can be used once.
    pub(crate) fn take_acknowledgement(&self) -> Option<Acknowledgement> {
        self.acknowledgement.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where an answer to it is to go: response topic and correlation data.
    pub(crate) fn reply_address(&self) -> Option<(&str, Option<&[u8]>)> {
        let properties = self.properties.as_ref()?.as_properties();
        Some((properties.response_topic()?, properties.correlation_data()))
    }

    /// The quality of service that it was delivered with.
    pub(crate) fn quality(&self) -> Quality {
        Quality(QoS::from_u8(self.qos).unwrap_or_default())
    }

    /// Uses its acknowledgement. At QoS 2 a session with a store writes that first, so detached.
    pub(crate) fn settle(
        &self,
        py: Python<'_>,
        acknowledgement: Acknowledgement,
        how: impl FnOnce(Acknowledgement) -> Result<()> + Send,
    ) -> Result<()> {
        if self.qos == QoS::ExactlyOnce as u8 {
            py.detach(|| how(acknowledgement))
        } else {
            how(acknowledgement)
        }
    }

    fn acknowledgement(&self, py: Python<'_>) -> PyResult<Acknowledgement> {
        self.take_acknowledgement().ok_or_else(|| {
            invalid(
                py,
                Code::NotSupported,
                "This message has been acknowledged, or its session does that by itself; \
                 acknowledge=\"manual\" leaves it to you",
            )
        })
    }
}

#[pymethods]
impl Message {
    /// The properties of MQTT 5.0, by name; empty before 5.0.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match &self.properties {
            Some(block) => property::to_dict(py, block.as_properties()),
            None => Ok(PyDict::new(py)),
        }
    }

    /// Tells the broker that the message has been handled.
    fn acknowledge(&self, py: Python<'_>) -> PyResult<()> {
        let acknowledgement = self.acknowledgement(py)?;
        self.settle(py, acknowledgement, Acknowledgement::acknowledge).or_raise(py)
    }

    /// Tells the broker that the message cannot be handled, with a reason code of MQTT 5.0.
    #[pyo3(signature = (reason_code=0x83, *, reason_string=None, user_properties=None))]
    fn refuse(
        &self,
        py: Python<'_>,
        reason_code: u8,
        reason_string: Option<&str>,
        user_properties: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let reason = reason(py, reason_code)?;
        if !(reason.is_error() && reason.allowed_in(PacketType::Puback)) {
            let message = "A refusal needs a reason code that is an error of PUBACK";
            return Err(invalid(py, Code::InvalidArgument, message));
        }
        let mut properties = PropertyBlock::new();
        if let Some(text) = reason_string {
            property::push(&mut properties, Property::ReasonString(text)).or_raise(py)?;
        }
        if let Some(pairs) = user_properties {
            property::push_user_properties(pairs, &mut |property| {
                property::push(&mut properties, property).or_raise(py)
            })?;
        }
        // Only now, because an acknowledgement that is taken and not used is lost.
        let acknowledgement = self.acknowledgement(py)?;
        self.settle(py, acknowledgement, |acknowledgement| {
            acknowledgement.refuse(reason, properties)
        })
        .or_raise(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "Message(topic={}, payload=<{} bytes>, qos={}, retain={}, duplicate={}, redelivered={})",
            self.topic.bind(py).repr()?,
            self.payload.as_bytes(py).len(),
            self.qos,
            if self.retain { "True" } else { "False" },
            if self.duplicate { "True" } else { "False" },
            if self.redelivered { "True" } else { "False" },
        ))
    }
}

fn kept(py: Python<'_>, properties: Properties<'_>) -> PyResult<Option<Box<PropertyBlock>>> {
    if properties.is_empty() {
        return Ok(None);
    }
    let mut block = PropertyBlock::new();
    for property in properties.iter() {
        block.push(property).map_err(|error| {
            invalid(py, Code::Internal, format!("A received property is lost: {error}"))
        })?;
    }
    Ok(Some(Box::new(block)))
}

fn topic(py: Python<'_>, topic: &str, last: &Mutex<Option<Py<PyString>>>) -> Py<PyString> {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = &*last
        && text.to_str(py).is_ok_and(|text| text == topic)
    {
        return text.clone_ref(py);
    }
    let text = PyString::new(py, topic).unbind();
    let before = last.replace(text.clone_ref(py));
    drop(last);
    drop(before);
    text
}

/// From this length on the core writes a payload from where it lies, and `bytes` are lent to it: they
/// never change. The reference is given back by a thread that is attached, so at the latest with the
/// next call.
const LENT: usize = 16 << 10;

/// A payload that a caller gave: text, or any C-contiguous buffer.
pub(crate) enum Given<'py> {
    Bytes(Bound<'py, PyBytes>),
    Text(Bound<'py, PyString>),
    /// Copied, because another thread may change the buffer while the core reads it.
    Copy(Bytes),
    Nothing,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.to_owned()));
        }
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Self::Text(text.to_owned()));
        }
        let py = object.py();
        let buffer = PyUntypedBuffer::get(&object).map_err(|_| {
            let kind = object.get_type().name();
            PyTypeError::new_err(match kind {
                Ok(kind) => format!("a payload is str or a buffer such as bytes, not {kind}"),
                Err(_) => "a payload is str or a buffer such as bytes".to_owned(),
            })
        })?;
        if !buffer.is_c_contiguous() {
            return Err(invalid(
                py,
                Code::InvalidArgument,
                "A payload must be one piece of memory; copy the buffer with bytes()",
            ));
        }
        if let Ok(buffer) = buffer.as_typed::<u8>() {
            return Ok(Self::Copy(Bytes::from(buffer.to_vec(py)?)));
        }
        let view = PyMemoryView::from(&object)?;
        Ok(Self::Bytes(view.call_method0("tobytes")?.cast_into()?))
    }
}

impl Given<'_> {
    /// What the core takes.
    pub(crate) fn payload(&self) -> PyResult<Payload<'_>> {
        Ok(match self {
            Self::Bytes(bytes) if bytes.as_bytes().len() >= LENT => {
                Payload::Shared(Bytes::from_owner(PyBackedBytes::from(bytes.clone())))
            }
            Self::Bytes(bytes) => Payload::Borrowed(bytes.as_bytes()),
            Self::Text(text) => Payload::Borrowed(text.to_str()?.as_bytes()),
            Self::Copy(bytes) => Payload::Shared(bytes.clone()),
            Self::Nothing => Payload::Borrowed(&[]),
        })
    }

    /// The bytes themselves.
    pub(crate) fn as_bytes(&self) -> PyResult<&[u8]> {
        Ok(match self {
            Self::Bytes(bytes) => bytes.as_bytes(),
            Self::Text(text) => text.to_str()?.as_bytes(),
            Self::Copy(bytes) => bytes,
            Self::Nothing => &[],
        })
    }
}

/// A quality of service that a caller gave.
#[derive(Clone, Copy)]
pub(crate) struct Quality(pub(crate) QoS);

impl Quality {
    /// What a call uses that does not say.
    pub(crate) const DEFAULT: Self = Self(QoS::AtMostOnce);
    /// What a request uses that does not say.
    pub(crate) const AT_LEAST_ONCE: Self = Self(QoS::AtLeastOnce);
}

impl<'a, 'py> FromPyObject<'a, 'py> for Quality {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let number: i64 = object.extract()?;
        u8::try_from(number).ok().and_then(QoS::from_u8).map(Self).ok_or_else(|| {
            invalid(object.py(), Code::InvalidQos, format!("There is no QoS {number}; 0, 1 or 2"))
        })
    }
}

/// A reason code that a caller gave.
pub(crate) fn reason(py: Python<'_>, number: u8) -> PyResult<ReasonCode> {
    ReasonCode::from_u8(number).ok_or_else(|| {
        invalid(py, Code::InvalidArgument, format!("MQTT 5.0 has no reason code 0x{number:02X}"))
    })
}
