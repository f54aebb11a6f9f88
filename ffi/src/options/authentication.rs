//! Options: proving who the session is.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use super::{mqtt_options, set};
use crate::{
    authentication::{self, Exchange, mqtt_authenticator, mqtt_credentials_source},
    callback::{UserData, mqtt_destroy},
    handle,
    status::mqtt_status,
    value,
};

/// Sets who takes part in the broker's authentication exchange (MQTT 5.0), and by which method. It
/// replaces an earlier one.
///
/// @param options Borrowed. The options.
/// @param method Borrowed. The name of the method, as client and broker know it.
/// @param authenticator Callback. The function; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the options, and every session that was made
///        with them, have ended.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK; MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_authenticator(
    options: *mut mqtt_options,
    method: *const c_char,
    authenticator: mqtt_authenticator,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let exchange = Exchange::new(authenticator, user_data)?;
        // SAFETY: a text of the caller's, by the conventions.
        let method = unsafe { value::text(method, "method") }?;
        options.set_authenticator(method, Arc::new(exchange)).map(drop)
    })
}

/// Authenticates by SCRAM-SHA-256 (MQTT 5.0): each side proves that it knows the password, which is
/// not sent. It replaces an authenticator.
///
/// @param options Borrowed. The options.
/// @param user_name Borrowed. The user name of the exchange.
/// @param password Borrowed. The password.
/// @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_INVALID_OPTION for an empty user name, or a password
///         that the method forbids.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_scram_sha_256(
    options: *mut mqtt_options,
    user_name: *const c_char,
    password: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let user_name = unsafe { value::text(user_name, "user_name") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let password = unsafe { value::text(password, "password") }?;
        options.set_scram_sha_256(user_name, password).map(drop)
    })
}

/// Sets who is asked for user name and password before each attempt to connect, instead of the
/// fixed ones: for tokens that run out. An earlier one is replaced.
///
/// @param options Borrowed. The options.
/// @param source Callback. The function; NULL for the fixed ones again.
/// @param user_data Taken. Its user data, kept until the options, and every session that was made
///        with them, have ended.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_credentials_source(
    options: *mut mqtt_options,
    source: mqtt_credentials_source,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_credentials_source(authentication::source(source, user_data));
        Ok(())
    })
}
