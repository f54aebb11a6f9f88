//! Options: where the broker is, who the client is, and how the connection is kept.

use std::{
    ffi::{c_char, c_void},
    time::Duration,
};

use mqttsession::{
    error::{Code, Error},
    protocol::Version,
};

use super::{mqtt_options, set};
use crate::{handle, status::mqtt_status, value};

/// MQTT 3.1.
pub const MQTT_PROTOCOL_3_1: i32 = 3;
/// MQTT 3.1.1, the default.
pub const MQTT_PROTOCOL_3_1_1: i32 = 4;
/// MQTT 5.0.
pub const MQTT_PROTOCOL_5: i32 = 5;

/// Sets the broker: host, port and whether TLS is used, in one text.
///
/// Understood are mqtt://host:port, mqtts://host:port (TLS), tcp:// and ssl:// for the same, host
/// and host:port; an IPv6 address stands in brackets. The port defaults to 1883, and to 8883 with
/// TLS.
///
/// @param options Borrowed. The options.
/// @param address Borrowed. The address.
/// @return MQTT_OK; MQTT_INVALID_ADDRESS, with a sentence that says what is wrong;
///         MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_address(
    options: *mut mqtt_options,
    address: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let address = unsafe { value::text(address, "address") }?;
        options.set_address(address).map(drop)
    })
}

/// Sets the host alone; port and TLS stay as they are.
///
/// @param options Borrowed. The options.
/// @param host Borrowed. A name, or an IPv4 or IPv6 address.
/// @return MQTT_OK; MQTT_INVALID_ADDRESS; MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_host(
    options: *mut mqtt_options,
    host: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let host = unsafe { value::text(host, "host") }?;
        options.set_host(host).map(drop)
    })
}

/// Sets the port alone. The default is 1883, and with TLS 8883.
///
/// @param options Borrowed. The options.
/// @param port Value. 1 to 65,535.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_ADDRESS for 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_port(
    options: *mut mqtt_options,
    port: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| options.set_port(value::number(port.into(), "port")?).map(drop))
}

/// Chooses between TLS and plain TCP. The default is plain TCP.
///
/// @param options Borrowed. The options.
/// @param tls Value. Yes for TLS.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls(options: *mut mqtt_options, tls: i32) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_tls(tls != 0);
        Ok(())
    })
}

/// Sets the version of the protocol.
///
/// @param options Borrowed. The options.
/// @param version Value. MQTT_PROTOCOL_3_1, MQTT_PROTOCOL_3_1_1 (the default) or MQTT_PROTOCOL_5.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_version(
    options: *mut mqtt_options,
    version: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let known = u8::try_from(version).ok().and_then(Version::from_level);
        let version = known.ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("There is no protocol version {version}"))
        })?;
        options.set_version(version);
        Ok(())
    })
}

/// Sets the client id, by which the broker knows the session again.
///
/// The default is the empty one: the broker chooses, which before MQTT 5.0 needs a clean session
/// (under MQTT 3.1 the library chooses).
///
/// @param options Borrowed. The options.
/// @param client_id Borrowed. The client id; NULL for the empty one.
/// @return MQTT_OK; MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_client_id(
    options: *mut mqtt_options,
    client_id: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let client_id = unsafe { value::optional_text(client_id, "client_id") }?;
        options.set_client_id(client_id.unwrap_or_default()).map(drop)
    })
}

/// Allows a client id of more than 23 characters under MQTT 3.1, which some brokers accept. By
/// default it is refused.
///
/// @param options Borrowed. The options.
/// @param any Value. Yes to allow it.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_any_client_id(
    options: *mut mqtt_options,
    any: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_any_client_id(any != 0);
        Ok(())
    })
}

/// Says whether the broker forgets what it held for this client id when the session first
/// connects (MQTT 5.0: clean start). Later reconnections resume the session wherever the protocol
/// allows it.
///
/// @param options Borrowed. The options.
/// @param clean Value. Yes, the default, to forget.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_clean_session(
    options: *mut mqtt_options,
    clean: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_clean_session(clean != 0);
        Ok(())
    })
}

/// Sets the user name. By default there is none.
///
/// @param options Borrowed. The options.
/// @param user_name Borrowed. The user name; NULL for none.
/// @return MQTT_OK; MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_user_name(
    options: *mut mqtt_options,
    user_name: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let user_name = unsafe { value::optional_text(user_name, "user_name") }?;
        options.set_user_name(user_name).map(drop)
    })
}

/// Sets the password, which may be any bytes. By default there is none.
///
/// It never appears in an error or a log line.
///
/// @param options Borrowed. The options.
/// @param password Borrowed. The password; NULL with size 0 for none.
/// @param size Value. The number of bytes, at most 65,535.
/// @return MQTT_OK; MQTT_INVALID_OPTION when it is longer.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_password(
    options: *mut mqtt_options,
    password: *const c_void,
    size: usize,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        if password.is_null() && size == 0 {
            return options.set_password(None).map(drop);
        }
        // SAFETY: bytes of the caller's, by the conventions.
        let password = unsafe { value::bytes(password, size, "password") }?;
        options.set_password(Some(password)).map(drop)
    })
}

/// Sets the longest silence before the session pings the broker, and after which the broker takes
/// it for lost.
///
/// @param options Borrowed. The options.
/// @param seconds Value. 0 to 65,535; 60 by default; 0 for no pings.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_keep_alive_seconds(
    options: *mut mqtt_options,
    seconds: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let seconds: u16 = value::number(seconds.into(), "seconds")?;
        options.set_keep_alive(Duration::from_secs(seconds.into())).map(drop)
    })
}

/// Sets how long one attempt to connect may take, from the name lookup to the broker's answer.
///
/// @param options Borrowed. The options.
/// @param timeout_ms Value. Milliseconds above 0; 10,000 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_connect_timeout(
    options: *mut mqtt_options,
    timeout_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_connect_timeout(value::duration(timeout_ms, "timeout_ms")?).map(drop)
    })
}
