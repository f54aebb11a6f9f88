//! What happens to a session, as its event handler sees it.

use std::{ffi::c_void, sync::Arc, sync::OnceLock};

use mqttsession::{
    client::{Event, EventHandler},
    error::Error,
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{Inside, UserData, mqtt_destroy},
    error, handle,
    property::mqtt_properties,
    session::mqtt_session,
    status::{MQTT_OK, mqtt_status},
    value::mqtt_view,
};

/// An attempt to connect starts.
pub const MQTT_EVENT_CONNECTING: i32 = 1;
/// The broker has accepted: mqtt_event_session_present, mqtt_event_client_id and
/// mqtt_event_properties tell more.
pub const MQTT_EVENT_CONNECTED: i32 = 2;
/// The connection was lost or an attempt failed: mqtt_event_status says why.
pub const MQTT_EVENT_LOST: i32 = 3;
/// The next attempt starts after a pause: mqtt_event_delay_ms.
pub const MQTT_EVENT_RETRYING: i32 = 4;
/// The session has stopped: after a disconnect, with MQTT_OK as its status, or because trying
/// again makes no sense, with the reason.
pub const MQTT_EVENT_DISCONNECTED: i32 = 5;
/// The broker refused to renew a subscription: mqtt_event_filter and mqtt_event_status.
pub const MQTT_EVENT_SUBSCRIPTION_REFUSED: i32 = 6;
/// A message that no connection survived, or that is larger than the session accepts, has been set
/// aside: mqtt_event_number, mqtt_event_topic, mqtt_event_size and mqtt_event_status.
pub const MQTT_EVENT_SET_ASIDE: i32 = 7;
/// Messages have been handled but cannot be acknowledged, because the acknowledgement of an earlier
/// one has not come for ten seconds: mqtt_event_count says how many.
pub const MQTT_EVENT_ACKNOWLEDGEMENT_HELD: i32 = 8;
/// The broker sends the session to another server: mqtt_event_address.
pub const MQTT_EVENT_REDIRECTED: i32 = 9;
/// The store held something from an earlier session; told once, before the first attempt to connect:
/// mqtt_event_messages, mqtt_event_bytes, mqtt_event_in_flight, mqtt_event_interrupted and
/// mqtt_event_after_power_loss say what.
pub const MQTT_EVENT_RESTORED: i32 = 10;
/// The broker had lost the session, or had never kept it, while something was unfinished:
/// mqtt_event_renewed, mqtt_event_unknown and mqtt_event_forgotten say what becomes of it.
pub const MQTT_EVENT_SESSION_LOST: i32 = 11;
/// The session has a store, but the broker forgets the session with the connection: what had not been
/// confirmed is published anew, so that a message of QoS 2 may come twice, or, half confirmed, ends with
/// MQTT_SESSION_LOST. Told once, before the first attempt to connect.
pub const MQTT_EVENT_STORE_WITHOUT_SESSION: i32 = 12;
/// The store takes nothing at present: publishing at QoS 1 and 2 fails with mqtt_event_status until
/// it does, which is tried again and again.
pub const MQTT_EVENT_STORE_FAILED: i32 = 13;
/// The store takes messages again.
pub const MQTT_EVENT_STORE_RECOVERED: i32 = 14;

/// Something that happened to a session. New kinds may come: ignore one that you do not know.
pub struct mqtt_event<'a> {
    pub(crate) event: &'a Event,
    /// A copy that is made when the properties are first asked for.
    properties: OnceLock<mqtt_properties>,
}

/// Receives the events of a session, in order with its other callbacks.
///
/// @param event Borrowed. Valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_event_handler =
    Option<unsafe extern "C" fn(event: *const mqtt_event<'_>, user_data: *mut c_void)>;

/// Sets the receiver of the session's events. An earlier one is replaced.
///
/// @param session Borrowed. The session.
/// @param handler Callback. The function; NULL for none any more.
/// @param user_data Taken. Its user data, kept until it is replaced or the session ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_set_event_handler(
    session: *const mqtt_session,
    handler: mqtt_event_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    boundary(|| {
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let handler = handler.map(|function| -> EventHandler {
            Arc::new(move |event: &Event| {
                let _inside = Inside::enter();
                if let Some(error) = failure(event) {
                    error::remember(error.clone());
                }
                let event = mqtt_event { event, properties: OnceLock::new() };
                // Captured whole, so that the destroy comes with the handler's end.
                let user_data = &user_data;
                // SAFETY: the triple is the caller's promise; the event outlives the call.
                unsafe { function(&raw const event, user_data.data) };
            })
        });
        session.inner.set_event_handler(handler)
    })
}

/// Says what happened.
///
/// @param event Borrowed.
/// @return An MQTT_EVENT_...; 0 for one that this version of the header has no name for, and for
///         NULL.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_kind(event: *const mqtt_event<'_>) -> i32 {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Connecting => MQTT_EVENT_CONNECTING,
            Event::Connected(_) => MQTT_EVENT_CONNECTED,
            Event::Lost(_) => MQTT_EVENT_LOST,
            Event::Retrying(_) => MQTT_EVENT_RETRYING,
            Event::Disconnected(_) => MQTT_EVENT_DISCONNECTED,
            Event::SubscriptionRefused(..) => MQTT_EVENT_SUBSCRIPTION_REFUSED,
            Event::SetAside(_) => MQTT_EVENT_SET_ASIDE,
            Event::AcknowledgementHeld(_) => MQTT_EVENT_ACKNOWLEDGEMENT_HELD,
            Event::Redirected(_) => MQTT_EVENT_REDIRECTED,
            Event::Restored(_) => MQTT_EVENT_RESTORED,
            Event::SessionLost(_) => MQTT_EVENT_SESSION_LOST,
            Event::StoreWithoutSession => MQTT_EVENT_STORE_WITHOUT_SESSION,
            Event::StoreFailed(_) => MQTT_EVENT_STORE_FAILED,
            Event::StoreRecovered => MQTT_EVENT_STORE_RECOVERED,
            _ => 0,
        })
    })
}

/// Gives the error that the event carries. mqtt_last_error_message and its sisters tell the rest
/// about it.
///
/// @param event Borrowed.
/// @return The status; MQTT_OK when the event carries no error.
/// @threads Any, while the handler runs; the rest is told on the handler's own thread.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_status(event: *const mqtt_event<'_>) -> mqtt_status {
    boundary_or(MQTT_OK, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(failure(event.event).map_or(MQTT_OK, Error::number))
    })
}

/// Says whether the broker had kept the session, for MQTT_EVENT_CONNECTED.
///
/// @param event Borrowed.
/// @return 1 if so, else 0; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_session_present(event: *const mqtt_event<'_>) -> i32 {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Connected(connected) => i32::from(connected.session_present),
            _ => 0,
        })
    })
}

/// Gives the client id in use, which the broker may have assigned, for MQTT_EVENT_CONNECTED.
///
/// @param event Borrowed.
/// @return The client id, valid as long as the event; empty for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_client_id(event: *const mqtt_event<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Connected(connected) => mqtt_view::new(connected.client_id.as_bytes()),
            _ => mqtt_view::EMPTY,
        })
    })
}

/// Gives what the broker said as properties (MQTT 5.0): its whole answer for MQTT_EVENT_CONNECTED;
/// for an event with an error, server reference, reason string and user properties.
///
/// @param event Borrowed.
/// @return The properties, which belong to the event and live as long as it; never to be freed;
///         NULL only for NULL.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_properties(
    event: *const mqtt_event<'_>,
) -> *const mqtt_properties {
    boundary_or(std::ptr::null(), || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        if let Some(properties) = event.properties.get() {
            return Ok(&raw const *properties);
        }
        let copy = match (event.event, failure(event.event)) {
            (Event::Connected(connected), _) => connected.properties.clone().into(),
            (_, Some(error)) => mqtt_properties::of_error(error)?,
            (_, None) => mqtt_properties::default(),
        };
        Ok(&raw const *event.properties.get_or_init(|| copy))
    })
}

/// Gives the filter whose subscription was refused, for MQTT_EVENT_SUBSCRIPTION_REFUSED.
///
/// @param event Borrowed.
/// @return The filter, valid as long as the event; empty for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_filter(event: *const mqtt_event<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::SubscriptionRefused(filter, _) => mqtt_view::new(filter.as_bytes()),
            _ => mqtt_view::EMPTY,
        })
    })
}

/// Gives the pause before the next attempt, for MQTT_EVENT_RETRYING.
///
/// @param event Borrowed.
/// @return Milliseconds; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_delay_ms(event: *const mqtt_event<'_>) -> i64 {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Retrying(pause) => i64::try_from(pause.as_millis()).unwrap_or(i64::MAX),
            _ => 0,
        })
    })
}

/// Gives the number of an own message that was set aside, for MQTT_EVENT_SET_ASIDE.
///
/// @param event Borrowed.
/// @return The number that publishing gave it; 0 for a received message, and for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_number(event: *const mqtt_event<'_>) -> u64 {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::SetAside(message) => message.number.unwrap_or(0),
            _ => 0,
        })
    })
}

/// Gives the topic of a message that was set aside, for MQTT_EVENT_SET_ASIDE.
///
/// @param event Borrowed.
/// @return The topic, valid as long as the event; empty when it is not known, and for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_topic(event: *const mqtt_event<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        let topic = match event.event {
            Event::SetAside(message) => message.topic.as_deref(),
            _ => None,
        };
        Ok(topic.map_or(mqtt_view::EMPTY, |topic| mqtt_view::new(topic.as_bytes())))
    })
}

/// Gives the size of the packet of a message that was set aside, for MQTT_EVENT_SET_ASIDE.
///
/// @param event Borrowed.
/// @return Bytes; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_size(event: *const mqtt_event<'_>) -> usize {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::SetAside(message) => message.size,
            _ => 0,
        })
    })
}

/// Gives how many messages wait for the acknowledgement of an earlier one, for
/// MQTT_EVENT_ACKNOWLEDGEMENT_HELD.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_count(event: *const mqtt_event<'_>) -> usize {
    boundary_or(0, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::AcknowledgementHeld(count) => *count,
            _ => 0,
        })
    })
}

/// Gives the address to which the broker sends the session, for MQTT_EVENT_REDIRECTED.
///
/// @param event Borrowed.
/// @return The address, as mqtt_options_set_address takes it, valid as long as the event; empty for
///         other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_address(event: *const mqtt_event<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: the handler's event, by the conventions.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Redirected(address) => mqtt_view::new(address.as_bytes()),
            _ => mqtt_view::EMPTY,
        })
    })
}

fn failure(event: &Event) -> Option<&Error> {
    match event {
        Event::Lost(error) | Event::SubscriptionRefused(_, error) | Event::StoreFailed(error) => {
            Some(error)
        }
        Event::Disconnected(error) => error.as_ref(),
        Event::SetAside(message) => Some(&message.error),
        _ => None,
    }
}
