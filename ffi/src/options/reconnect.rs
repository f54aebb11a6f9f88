//! Options: trying again, and following a broker to another server.

use mqttsession::error::Code;

use super::{mqtt_options, set};
use crate::{boundary::boundary_or, handle, status::mqtt_status, value};

/// Says whether a session that has been connected reconnects by itself when the connection is
/// lost.
///
/// @param options Borrowed. The options.
/// @param reconnect Value. Yes, the default, to reconnect.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_reconnect(
    options: *mut mqtt_options,
    reconnect: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_reconnect(reconnect != 0);
        Ok(())
    })
}

/// Sets the bounds of the pauses between attempts to reconnect. Each pause is random, between 0
/// and a value that doubles from the first to the longest.
///
/// @param options Borrowed. The options.
/// @param first_ms Value. Milliseconds above 0; 1000 by default.
/// @param longest_ms Value. Milliseconds, at least the first; 60,000 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when one is negative; MQTT_INVALID_OPTION when the
///         first is 0 or above the longest.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_reconnect_delay(
    options: *mut mqtt_options,
    first_ms: i64,
    longest_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let first = value::duration(first_ms, "first_ms")?;
        let longest = value::duration(longest_ms, "longest_ms")?;
        options.set_reconnect_delay(first, longest).map(drop)
    })
}

/// Sets how long a connection must last before the pauses between attempts start small again. It
/// keeps a broker that accepts and then throws out from being hammered.
///
/// @param options Borrowed. The options.
/// @param stable_ms Value. Milliseconds; 10,000 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_stable_time(
    options: *mut mqtt_options,
    stable_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_stable_time(value::duration(stable_ms, "stable_ms")?);
        Ok(())
    })
}

/// Says whether a failure of the very first attempt is followed by further ones, as later losses
/// are.
///
/// @param options Borrowed. The options.
/// @param retry Value. Yes to go on trying; by default mqtt_session_connect ends with the error and
///        the session rests.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_retry_first_connect(
    options: *mut mqtt_options,
    retry: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_retry_first_connect(retry != 0);
        Ok(())
    })
}

/// Overrides for one status whether the session tries again after it: for example after
/// MQTT_BAD_CREDENTIALS, when they come from a source that renews them.
///
/// @param options Borrowed. The options.
/// @param status Value. The status of a failed attempt or a lost connection.
/// @param retry Value. Yes to try again after it.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for a number that is no error.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_retry(
    options: *mut mqtt_options,
    status: mqtt_status,
    retry: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let code = Code::from_number(status);
        let code = code.ok_or_else(|| value::out_of_range(status.into(), "status"))?;
        options.set_retry(code, retry != 0);
        Ok(())
    })
}

/// Says whether a session with these options tries again after an error.
///
/// Unless mqtt_options_set_retry says otherwise, it does after what may pass: names that are not
/// found, brokers that do not answer, connections that break, a broker that is busy, breaks the
/// protocol or ends the connection. It does not after what stays wrong until somebody changes it:
/// certificates, credentials, a client id or version that the broker does not take, a ban, another
/// client with the same client id, a server that has moved or does not speak MQTT.
///
/// @param options Borrowed. The options.
/// @param status Value. Any number.
/// @return 1 when it tries again, else 0; 0 for a number that is no error, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_retries(
    options: *const mqtt_options,
    status: mqtt_status,
) -> i32 {
    boundary_or(0, || {
        // SAFETY: options of the caller's, by the conventions.
        let options = &unsafe { handle::borrow(options, "options") }?.0;
        Ok(Code::from_number(status).is_some_and(|code| options.retries(code)).into())
    })
}

/// Sets how many times in a row the session follows a broker that sends it to another server (MQTT
/// 5.0). Everything but host and port stays as it is; under TLS the other server's certificate must
/// hold its own name. MQTT_EVENT_REDIRECTED tells of each.
///
/// @param options Borrowed. The options.
/// @param hops Value. 0, the default, follows none: connecting ends as MQTT_SERVER_MOVED, and
///        mqtt_last_error_server_reference says where to.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_redirect_limit(
    options: *mut mqtt_options,
    hops: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_redirect_limit(value::number(hops.into(), "hops")?);
        Ok(())
    })
}
