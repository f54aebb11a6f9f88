//! MQTT 5.0 properties: what a message, a will or a packet carries beyond its fields.

use std::ffi::{c_char, c_void};

use mqttsession::{
    error::{Code, Error, Result},
    protocol::{Properties, Property, PropertyBlock},
};

use crate::{
    boundary::{boundary, boundary_or},
    handle::{self, Output},
    status::mqtt_status,
    value::{self, mqtt_view},
};

/// Number: 1 says that the payload is UTF-8 text. Message, will.
pub const MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR: i32 = 1;
/// Number: seconds for which the message is worth delivering. Message, will.
pub const MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL: i32 = 2;
/// Text: what the payload is, by convention a MIME type. Message, will.
pub const MQTT_PROPERTY_CONTENT_TYPE: i32 = 3;
/// Text: the topic for an answer. Message, will.
pub const MQTT_PROPERTY_RESPONSE_TOPIC: i32 = 8;
/// Bytes: which question an answer belongs to. Message, will.
pub const MQTT_PROPERTY_CORRELATION_DATA: i32 = 9;
/// Number: the subscription that the message matched. Received message; the session gives its
/// own.
pub const MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER: i32 = 11;
/// Number: seconds for which the broker keeps the session. CONNECT, CONNACK, DISCONNECT.
pub const MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL: i32 = 17;
/// Text: the client id that the broker chose. CONNACK.
pub const MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER: i32 = 18;
/// Number: the keep-alive in seconds that the broker wants. CONNACK.
pub const MQTT_PROPERTY_SERVER_KEEP_ALIVE: i32 = 19;
/// Text: the method of an extended authentication. CONNECT, CONNACK.
pub const MQTT_PROPERTY_AUTHENTICATION_METHOD: i32 = 21;
/// Bytes: the data of an extended authentication. CONNECT, CONNACK.
pub const MQTT_PROPERTY_AUTHENTICATION_DATA: i32 = 22;
/// Number: 0 asks the broker to explain no failures. CONNECT.
pub const MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION: i32 = 23;
/// Number: seconds before the will is published. Will.
pub const MQTT_PROPERTY_WILL_DELAY_INTERVAL: i32 = 24;
/// Number: 1 asks for the response information. CONNECT.
pub const MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION: i32 = 25;
/// Text: where answers may be published. CONNACK.
pub const MQTT_PROPERTY_RESPONSE_INFORMATION: i32 = 26;
/// Text: another server to use. CONNACK, DISCONNECT from the broker.
pub const MQTT_PROPERTY_SERVER_REFERENCE: i32 = 28;
/// Text: the other side's explanation. Every answer.
pub const MQTT_PROPERTY_REASON_STRING: i32 = 31;
/// Number: how many unacknowledged messages may be sent. CONNECT, CONNACK.
pub const MQTT_PROPERTY_RECEIVE_MAXIMUM: i32 = 33;
/// Number: how many topic aliases may be used. CONNECT, CONNACK.
pub const MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM: i32 = 34;
/// Number: a topic alias; the session gives its own.
pub const MQTT_PROPERTY_TOPIC_ALIAS: i32 = 35;
/// Number: the highest quality of service of the broker. CONNACK.
pub const MQTT_PROPERTY_MAXIMUM_QOS: i32 = 36;
/// Number: 0 when the broker retains nothing. CONNACK.
pub const MQTT_PROPERTY_RETAIN_AVAILABLE: i32 = 37;
/// Pair of texts: anything, as often as wanted. Everywhere.
pub const MQTT_PROPERTY_USER_PROPERTY: i32 = 38;
/// Number: the largest packet in bytes. CONNECT, CONNACK.
pub const MQTT_PROPERTY_MAXIMUM_PACKET_SIZE: i32 = 39;
/// Number: 0 when the broker knows no wildcards. CONNACK.
pub const MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE: i32 = 40;
/// Number: 0 when the broker knows no subscription identifiers. CONNACK.
pub const MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE: i32 = 41;
/// Number: 0 when the broker knows no shared subscriptions. CONNACK.
pub const MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE: i32 = 42;

/// A list of MQTT 5.0 properties, in order.
///
/// One that mqtt_properties_new made is filled and given to options; one that a message, an event or
/// another object shows is read.
#[derive(Clone, Default)]
pub struct mqtt_properties(PropertyBlock);

/// Makes an empty list of properties.
///
/// @param properties Output. The list; free it with mqtt_properties_free.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_new(properties: *mut *mut mqtt_properties) -> mqtt_status {
    boundary(|| {
        let properties = Output::required(properties, "properties")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { properties.write(handle::give(mqtt_properties::default())) };
        Ok(())
    })
}

/// Frees a list from mqtt_properties_new; never one that another object shows.
///
/// @param properties Taken. The list, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_free(properties: *mut mqtt_properties) {
    boundary_or((), || {
        // SAFETY: the caller's list, by the conventions.
        drop(unsafe { handle::take(properties) });
        Ok(())
    });
}

/// Adds a property whose value is a number.
///
/// @param properties Borrowed. The list.
/// @param identifier Value. An MQTT_PROPERTY_... that says "Number".
/// @param number Value. The value.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or a number that the property
///         cannot have.
/// @threads One at a time for each list.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_add_number(
    properties: *mut mqtt_properties,
    identifier: i32,
    number: u32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow_mut(properties, "properties") }?;
        properties.push(number_property(identifier, number)?)
    })
}

/// Adds a property whose value is a text.
///
/// @param properties Borrowed. The list.
/// @param identifier Value. An MQTT_PROPERTY_... that says "Text".
/// @param text Borrowed. The value, at most 65,535 bytes of UTF-8, ended with NUL.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or too long a text;
///         MQTT_INVALID_UTF8.
/// @threads One at a time for each list.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_add_text(
    properties: *mut mqtt_properties,
    identifier: i32,
    text: *const c_char,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow_mut(properties, "properties") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let text = unsafe { value::text(text, "text") }?;
        properties.push(text_property(identifier, text)?)
    })
}

/// Adds a property whose value is bytes.
///
/// @param properties Borrowed. The list.
/// @param identifier Value. An MQTT_PROPERTY_... that says "Bytes".
/// @param data Borrowed. The value; may be NULL when the size is 0.
/// @param size Value. The number of bytes, at most 65,535.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for another identifier or too many bytes.
/// @threads One at a time for each list.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_add_binary(
    properties: *mut mqtt_properties,
    identifier: i32,
    data: *const c_void,
    size: usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow_mut(properties, "properties") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let data = unsafe { value::bytes(data, size, "data") }?;
        properties.push(binary_property(identifier, data)?)
    })
}

/// Adds a user property. Names may be repeated; the order is kept.
///
/// @param properties Borrowed. The list.
/// @param name Borrowed. The name, at most 65,535 bytes of UTF-8, ended with NUL.
/// @param text Borrowed. The value, likewise.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for too long a text; MQTT_INVALID_UTF8.
/// @threads One at a time for each list.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_add_user_property(
    properties: *mut mqtt_properties,
    name: *const c_char,
    text: *const c_char,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow_mut(properties, "properties") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let name = unsafe { value::text(name, "name") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let text = unsafe { value::text(text, "text") }?;
        properties.push(Property::UserProperty(name, text))
    })
}

/// Counts the properties.
///
/// @param properties Borrowed.
/// @return The number of properties; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_count(properties: *const mqtt_properties) -> usize {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(0, || Ok(properties.map_or(0, |list| list.iter().count())))
}

/// Finds a property.
///
/// @param properties Borrowed.
/// @param identifier Value. An MQTT_PROPERTY_...
/// @param first Value. The place from which to look: 0, or one after the last find.
/// @return The place of the property, from 0; -1 when there is none, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_find(
    properties: *const mqtt_properties,
    identifier: i32,
    first: usize,
) -> i64 {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(-1, || {
        let mut places = properties.into_iter().flat_map(mqtt_properties::iter).enumerate();
        let found = places.find(|(place, property)| {
            *place >= first && Parts::of(property).identifier == identifier
        });
        Ok(found.and_then(|(place, _)| i64::try_from(place).ok()).unwrap_or(-1))
    })
}

/// Gives the identifier of a property.
///
/// @param properties Borrowed.
/// @param place Value. The place of the property, from 0.
/// @return An MQTT_PROPERTY_...; -1 when there is no such place, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_identifier(
    properties: *const mqtt_properties,
    place: usize,
) -> i32 {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(-1, || Ok(Parts::at(properties, place).map_or(-1, |parts| parts.identifier)))
}

/// Gives the value of a property that is a number.
///
/// @param properties Borrowed.
/// @param place Value. The place of the property, from 0.
/// @return The number; 0 when there is no such place or it holds no number, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_number(
    properties: *const mqtt_properties,
    place: usize,
) -> u32 {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(0, || Ok(Parts::at(properties, place).map_or(0, |parts| parts.number)))
}

/// Gives the value of a property that is a text or bytes, and of a user property.
///
/// @param properties Borrowed.
/// @param place Value. The place of the property, from 0.
/// @return The value, valid until the list is changed or ends; empty when there is no such place
///         or it holds a number, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_value(
    properties: *const mqtt_properties,
    place: usize,
) -> mqtt_view {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(mqtt_view::EMPTY, || {
        let parts = Parts::at(properties, place);
        Ok(parts.map_or(mqtt_view::EMPTY, |parts| mqtt_view::new(parts.value)))
    })
}

/// Gives the name of a user property.
///
/// @param properties Borrowed.
/// @param place Value. The place of the property, from 0.
/// @return The name, valid until the list is changed or ends; empty when there is no such place or
///         it holds no user property, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_properties_name(
    properties: *const mqtt_properties,
    place: usize,
) -> mqtt_view {
    // SAFETY: a list, by the conventions.
    let properties = unsafe { handle::borrow_optional(properties) };
    boundary_or(mqtt_view::EMPTY, || {
        let parts = Parts::at(properties, place);
        Ok(parts.map_or(mqtt_view::EMPTY, |parts| mqtt_view::new(parts.name)))
    })
}

impl mqtt_properties {
    /// The same properties, owned.
    pub(crate) fn copy(properties: Properties<'_>) -> Result<Self> {
        let mut copy = Self::default();
        properties.iter().try_for_each(|property| copy.push(property))?;
        Ok(copy)
    }

    /// What the broker said with a refusal, as the properties that it was.
    pub(crate) fn of_error(error: &Error) -> Result<Self> {
        let mut said = Self::default();
        error.server_reference().map_or(Ok(()), |it| said.push(Property::ServerReference(it)))?;
        error.reason_string().map_or(Ok(()), |it| said.push(Property::ReasonString(it)))?;
        let pairs = error.user_properties().iter();
        let mut pairs = pairs.map(|(name, text)| Property::UserProperty(name, text));
        pairs.try_for_each(|property| said.push(property))?;
        Ok(said)
    }

    /// A copy of a list that C gave; empty for NULL.
    ///
    /// # Safety
    /// The pointer is NULL or points to a living list that nobody changes during the call.
    pub(crate) unsafe fn block_of(properties: *const Self) -> PropertyBlock {
        // SAFETY: the caller's promise.
        let properties = unsafe { handle::borrow_optional(properties) };
        properties.map(|list| list.0.clone()).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Property<'_>> {
        self.0.as_properties().iter()
    }

    fn push(&mut self, property: Property<'_>) -> Result<()> {
        self.0.push(property).map_err(|cause| {
            Error::new(Code::InvalidArgument, format!("The property cannot be used: {cause}"))
                .with_source(cause)
        })
    }
}

impl From<PropertyBlock> for mqtt_properties {
    fn from(block: PropertyBlock) -> Self {
        Self(block)
    }
}

/// A property as C reads it.
#[derive(Default)]
struct Parts<'a> {
    identifier: i32,
    number: u32,
    value: &'a [u8],
    name: &'a [u8],
}

impl<'a> Parts<'a> {
    fn at(properties: Option<&'a mqtt_properties>, place: usize) -> Option<Self> {
        properties?.iter().nth(place).as_ref().map(Self::of)
    }

    fn of(property: &Property<'a>) -> Self {
        let identifier = property.identifier() as i32;
        let number = |number| Self { identifier, number, ..Self::default() };
        let bytes = |value| Self { identifier, value, ..Self::default() };
        match *property {
            Property::PayloadFormatIndicator(it) => number(it.into()),
            Property::MessageExpiryInterval(it) => number(it),
            Property::ContentType(it) => bytes(it.as_bytes()),
            Property::ResponseTopic(it) => bytes(it.as_bytes()),
            Property::CorrelationData(it) => bytes(it),
            Property::SubscriptionIdentifier(it) => number(it),
            Property::SessionExpiryInterval(it) => number(it),
            Property::AssignedClientIdentifier(it) => bytes(it.as_bytes()),
            Property::ServerKeepAlive(it) => number(it.into()),
            Property::AuthenticationMethod(it) => bytes(it.as_bytes()),
            Property::AuthenticationData(it) => bytes(it),
            Property::RequestProblemInformation(it) => number(it.into()),
            Property::WillDelayInterval(it) => number(it),
            Property::RequestResponseInformation(it) => number(it.into()),
            Property::ResponseInformation(it) => bytes(it.as_bytes()),
            Property::ServerReference(it) => bytes(it.as_bytes()),
            Property::ReasonString(it) => bytes(it.as_bytes()),
            Property::ReceiveMaximum(it) => number(it.into()),
            Property::TopicAliasMaximum(it) => number(it.into()),
            Property::TopicAlias(it) => number(it.into()),
            Property::MaximumQos(it) => number(it.into()),
            Property::RetainAvailable(it) => number(it.into()),
            Property::UserProperty(name, value) => {
                Self { identifier, number: 0, value: value.as_bytes(), name: name.as_bytes() }
            }
            Property::MaximumPacketSize(it) => number(it),
            Property::WildcardSubscriptionAvailable(it) => number(it.into()),
            Property::SubscriptionIdentifiersAvailable(it) => number(it.into()),
            Property::SharedSubscriptionAvailable(it) => number(it.into()),
        }
    }
}

fn number_property(identifier: i32, number: u32) -> Result<Property<'static>> {
    let byte = || value::number::<u8>(number.into(), "number");
    let short = || value::number::<u16>(number.into(), "number");
    Ok(match identifier {
        MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR => Property::PayloadFormatIndicator(byte()?),
        MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL => Property::MessageExpiryInterval(number),
        MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER => Property::SubscriptionIdentifier(number),
        MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL => Property::SessionExpiryInterval(number),
        MQTT_PROPERTY_SERVER_KEEP_ALIVE => Property::ServerKeepAlive(short()?),
        MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION => Property::RequestProblemInformation(byte()?),
        MQTT_PROPERTY_WILL_DELAY_INTERVAL => Property::WillDelayInterval(number),
        MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION => Property::RequestResponseInformation(byte()?),
        MQTT_PROPERTY_RECEIVE_MAXIMUM => Property::ReceiveMaximum(short()?),
        MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM => Property::TopicAliasMaximum(short()?),
        MQTT_PROPERTY_TOPIC_ALIAS => Property::TopicAlias(short()?),
        MQTT_PROPERTY_MAXIMUM_QOS => Property::MaximumQos(byte()?),
        MQTT_PROPERTY_RETAIN_AVAILABLE => Property::RetainAvailable(byte()?),
        MQTT_PROPERTY_MAXIMUM_PACKET_SIZE => Property::MaximumPacketSize(number),
        MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE => {
            Property::WildcardSubscriptionAvailable(byte()?)
        }
        MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE => {
            Property::SubscriptionIdentifiersAvailable(byte()?)
        }
        MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE => {
            Property::SharedSubscriptionAvailable(byte()?)
        }
        _ => return Err(unsuitable(identifier, "a number")),
    })
}

fn text_property(identifier: i32, text: &str) -> Result<Property<'_>> {
    Ok(match identifier {
        MQTT_PROPERTY_CONTENT_TYPE => Property::ContentType(text),
        MQTT_PROPERTY_RESPONSE_TOPIC => Property::ResponseTopic(text),
        MQTT_PROPERTY_ASSIGNED_CLIENT_IDENTIFIER => Property::AssignedClientIdentifier(text),
        MQTT_PROPERTY_AUTHENTICATION_METHOD => Property::AuthenticationMethod(text),
        MQTT_PROPERTY_RESPONSE_INFORMATION => Property::ResponseInformation(text),
        MQTT_PROPERTY_SERVER_REFERENCE => Property::ServerReference(text),
        MQTT_PROPERTY_REASON_STRING => Property::ReasonString(text),
        _ => return Err(unsuitable(identifier, "a text")),
    })
}

fn binary_property(identifier: i32, data: &[u8]) -> Result<Property<'_>> {
    Ok(match identifier {
        MQTT_PROPERTY_CORRELATION_DATA => Property::CorrelationData(data),
        MQTT_PROPERTY_AUTHENTICATION_DATA => Property::AuthenticationData(data),
        _ => return Err(unsuitable(identifier, "bytes")),
    })
}

fn unsuitable(identifier: i32, kind: &str) -> Error {
    Error::new(
        Code::InvalidArgument,
        format!("MQTT has no property {identifier} whose value is {kind}"),
    )
}

#[cfg(test)]
mod tests {
    use mqttsession::protocol::PropertyIdentifier;

    #[test]
    fn the_constants_are_the_properties_of_the_core() {
        let mut constants: Vec<u8> = include_str!("property.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const MQTT_PROPERTY_")?.strip_suffix(';'))
            .filter_map(|line| line.split_once(" = ")?.1.parse().ok())
            .collect();
        let mut core: Vec<u8> = PropertyIdentifier::ALL.iter().map(|&it| it as u8).collect();
        constants.sort_unstable();
        core.sort_unstable();
        assert_eq!(constants, core);
    }
}
