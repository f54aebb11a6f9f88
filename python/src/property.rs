//! The properties of MQTT 5.0 as a dictionary, one row for each.

use mqttsession::{
    error::{Code, Error, Result},
    protocol::{Properties, Property, PropertyBlock},
};
use pyo3::{
    prelude::*,
    pybacked::{PyBackedBytes, PyBackedStr},
    types::{PyBytes, PyDict, PyList},
};

use crate::error::{OrRaise, invalid};

/// Writes the table once for both directions.
macro_rules! properties {
    ($($name:literal $variant:ident $kind:ident;)*) => {
        /// The dictionary of received properties.
        pub(crate) fn to_dict<'py>(
            py: Python<'py>,
            properties: Properties<'_>,
        ) -> PyResult<Bound<'py, PyDict>> {
            let dict = PyDict::new(py);
            for property in properties.iter() {
                match property {
                    $(Property::$variant(value) => {
                        dict.set_item($name, properties!(@out $kind, py, value))?;
                    })*
                    Property::SubscriptionIdentifier(value) => {
                        list(&dict, "subscription_identifiers")?.append(value)?;
                    }
                    Property::UserProperty(name, value) => {
                        list(&dict, "user_properties")?.append((name, value))?;
                    }
                }
            }
            Ok(dict)
        }

        fn push_single(
            name: &str,
            value: &Bound<'_, PyAny>,
            push: &mut dyn FnMut(Property<'_>) -> Result<()>,
        ) -> PyResult<()> {
            let py = value.py();
            match name {
                $($name => properties!(@in $kind, $variant, value, push).or_raise(py),)*
                _ => Err(invalid(py, Code::InvalidOption, format!("MQTT has no property \"{name}\""))),
            }
        }
    };
    (@out bytes, $py:ident, $value:ident) => { PyBytes::new($py, $value) };
    (@out $kind:ident, $py:ident, $value:ident) => { $value };
    (@in bytes, $variant:ident, $value:ident, $push:ident) => {
        $push(Property::$variant(&$value.extract::<PyBackedBytes>()?))
    };
    (@in text, $variant:ident, $value:ident, $push:ident) => {
        $push(Property::$variant(&$value.extract::<PyBackedStr>()?))
    };
    (@in number, $variant:ident, $value:ident, $push:ident) => {
        $push(Property::$variant($value.extract()?))
    };
    (@in flag, $variant:ident, $value:ident, $push:ident) => {
        // True and False are numbers in Python, and the natural way to write these.
        $push(Property::$variant($value.extract::<u8>()?))
    };
}

properties! {
    "payload_format_indicator" PayloadFormatIndicator flag;
    "message_expiry_interval" MessageExpiryInterval number;
    "content_type" ContentType text;
    "response_topic" ResponseTopic text;
    "correlation_data" CorrelationData bytes;
    "session_expiry_interval" SessionExpiryInterval number;
    "assigned_client_identifier" AssignedClientIdentifier text;
    "server_keep_alive" ServerKeepAlive number;
    "authentication_method" AuthenticationMethod text;
    "authentication_data" AuthenticationData bytes;
    "request_problem_information" RequestProblemInformation flag;
    "will_delay_interval" WillDelayInterval number;
    "request_response_information" RequestResponseInformation flag;
    "response_information" ResponseInformation text;
    "server_reference" ServerReference text;
    "reason_string" ReasonString text;
    "receive_maximum" ReceiveMaximum number;
    "topic_alias_maximum" TopicAliasMaximum number;
    "topic_alias" TopicAlias number;
    "maximum_qos" MaximumQos number;
    "retain_available" RetainAvailable flag;
    "maximum_packet_size" MaximumPacketSize number;
    "wildcard_subscription_available" WildcardSubscriptionAvailable flag;
    "subscription_identifiers_available" SubscriptionIdentifiersAvailable flag;
    "shared_subscription_available" SharedSubscriptionAvailable flag;
}

/// Hands each property of a dictionary to `push`, in the dictionary's order.
pub(crate) fn from_dict(
    dict: &Bound<'_, PyDict>,
    push: &mut dyn FnMut(Property<'_>) -> Result<()>,
) -> PyResult<()> {
    let py = dict.py();
    for (name, value) in dict {
        match &*name.extract::<PyBackedStr>()? {
            "user_properties" => {
                push_user_properties(&value, &mut |property| push(property).or_raise(py))?;
            }
            "subscription_identifiers" => {
                for identifier in value.try_iter()? {
                    push(Property::SubscriptionIdentifier(identifier?.extract()?)).or_raise(py)?;
                }
            }
            name => push_single(name, &value, push)?,
        }
    }
    Ok(())
}

/// Hands each of some user properties to `push`: pairs and not a dictionary, because a name may come
/// twice.
pub(crate) fn push_user_properties(
    pairs: &Bound<'_, PyAny>,
    push: &mut dyn FnMut(Property<'_>) -> PyResult<()>,
) -> PyResult<()> {
    for pair in pairs.try_iter()? {
        let (name, value): (PyBackedStr, PyBackedStr) = pair?.extract()?;
        push(Property::UserProperty(&name, &value))?;
    }
    Ok(())
}

/// Adds a property to a block.
pub(crate) fn push(block: &mut PropertyBlock, property: Property<'_>) -> Result<()> {
    block.push(property).map_err(|error| {
        Error::new(Code::InvalidOption, format!("The property cannot be used: {error}"))
    })
}

/// The properties of one packet.
pub(crate) fn block(dict: Option<&Bound<'_, PyDict>>) -> PyResult<PropertyBlock> {
    let mut block = PropertyBlock::new();
    if let Some(dict) = dict {
        from_dict(dict, &mut |property| push(&mut block, property))?;
    }
    Ok(block)
}

fn list<'py>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyList>> {
    if let Some(list) = dict.get_item(name)? {
        return Ok(list.cast_into()?);
    }
    let list = PyList::empty(dict.py());
    dict.set_item(name, &list)?;
    Ok(list)
}
