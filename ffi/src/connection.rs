//! The connection: what the broker said when it accepted it.

use std::sync::Arc;

use mqttsession::{
    client::Connected,
    error::{Code, Error},
};

use crate::{
    boundary::{boundary, boundary_or},
    handle::{self, Output},
    property::{
        MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, MQTT_PROPERTY_MAXIMUM_QOS,
        MQTT_PROPERTY_RECEIVE_MAXIMUM, MQTT_PROPERTY_RETAIN_AVAILABLE,
        MQTT_PROPERTY_SERVER_KEEP_ALIVE, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
        MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
        MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM,
        MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE, mqtt_properties,
    },
    session::mqtt_session,
    status::mqtt_status,
    value::mqtt_view,
};

/// What the broker said when it accepted a connection. It stays as it is when the connection is
/// lost.
pub struct mqtt_connection {
    session_present: bool,
    client_id: Arc<str>,
    numbers: Numbers,
    properties: mqtt_properties,
}

/// Gives what the broker said when it accepted the present connection, or the last one.
///
/// @param session Borrowed. The session.
/// @param connection Output. A copy; free it with mqtt_connection_free.
/// @return MQTT_OK; MQTT_NOT_CONNECTED when no broker has accepted the session yet.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_connection(
    session: *const mqtt_session,
    connection: *mut *mut mqtt_connection,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(connection, "connection")?;
        let connected = session.inner.connected().ok_or_else(|| {
            Error::new(Code::NotConnected, "No broker has accepted the session yet")
        })?;
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(mqtt_connection::from(connected))) };
        Ok(())
    })
}

/// Says whether the broker had kept the session.
///
/// @param connection Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_connection_session_present(
    connection: *const mqtt_connection,
) -> i32 {
    boundary_or(0, || {
        // SAFETY: a connection of the caller's, by the conventions.
        Ok(unsafe { handle::borrow(connection, "connection") }?.session_present.into())
    })
}

/// Gives the client id in use: that of the options, or the one that the broker assigned.
///
/// @param connection Borrowed.
/// @return The client id, valid as long as the connection; empty for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_connection_client_id(
    connection: *const mqtt_connection,
) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a connection of the caller's, by the conventions.
        let connection = unsafe { handle::borrow(connection, "connection") }?;
        Ok(mqtt_view::new(connection.client_id.as_bytes()))
    })
}

/// Gives a number that holds on the connection, whether the broker said it or the protocol has it
/// as its default.
///
/// @param connection Borrowed.
/// @param which Value. One of MQTT_PROPERTY_RECEIVE_MAXIMUM (messages of QoS 1 and 2 that the
///        broker takes at a time), MQTT_PROPERTY_MAXIMUM_QOS, MQTT_PROPERTY_RETAIN_AVAILABLE,
///        MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM,
///        MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
///        MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE,
///        MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE, MQTT_PROPERTY_SERVER_KEEP_ALIVE and
///        MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL (both in seconds).
/// @return The number, 1 and 0 for yes and no; -1 where the broker leaves it to what the session
///         asked for (packet size, keep-alive, expiry), for another identifier, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_connection_number(
    connection: *const mqtt_connection,
    which: i32,
) -> i64 {
    boundary_or(-1, || {
        // SAFETY: a connection of the caller's, by the conventions.
        let numbers = &unsafe { handle::borrow(connection, "connection") }?.numbers;
        let found = numbers.iter().find(|(identifier, _)| *identifier == which);
        Ok(found.map_or(-1, |(_, number)| *number))
    })
}

/// Gives the properties of the broker's answer (MQTT 5.0), all that it said: its response
/// information, its own words, user properties too.
///
/// @param connection Borrowed.
/// @return The properties, which belong to the connection and live as long as it; never to be
///         freed; NULL only for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_connection_properties(
    connection: *const mqtt_connection,
) -> *const mqtt_properties {
    boundary_or(std::ptr::null(), || {
        // SAFETY: a connection of the caller's, by the conventions.
        Ok(&raw const unsafe { handle::borrow(connection, "connection") }?.properties)
    })
}

/// Frees what mqtt_session_connection gave. The connection goes on.
///
/// @param connection Taken. The copy, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_connection_free(connection: *mut mqtt_connection) {
    boundary_or((), || {
        // SAFETY: the caller's copy, by the conventions.
        drop(unsafe { handle::take(connection) });
        Ok(())
    });
}

type Numbers = [(i32, i64); 10];

impl From<Connected> for mqtt_connection {
    fn from(connected: Connected) -> Self {
        let left = |number: Option<u32>| number.map_or(-1, i64::from);
        let numbers = [
            (MQTT_PROPERTY_RECEIVE_MAXIMUM, connected.receive_maximum().into()),
            (MQTT_PROPERTY_MAXIMUM_QOS, connected.maximum_qos() as i64),
            (MQTT_PROPERTY_RETAIN_AVAILABLE, connected.retain_available().into()),
            (MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, left(connected.maximum_packet_size())),
            (MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, connected.topic_alias_maximum().into()),
            (
                MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
                connected.wildcard_subscription_available().into(),
            ),
            (
                MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE,
                connected.subscription_identifiers_available().into(),
            ),
            (
                MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
                connected.shared_subscription_available().into(),
            ),
            (MQTT_PROPERTY_SERVER_KEEP_ALIVE, left(connected.server_keep_alive().map(u32::from))),
            (MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, left(connected.session_expiry_interval())),
        ];
        Self {
            session_present: connected.session_present,
            client_id: connected.client_id,
            numbers,
            properties: connected.properties.into(),
        }
    }
}
