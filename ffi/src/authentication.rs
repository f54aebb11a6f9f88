//! Proving who the session is: questions that the library asks while it connects.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use bytes::Bytes;
use mqttsession::{
    client::{AuthenticationStep, Authenticator, Credentials, CredentialsSource, Session},
    error::Result,
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{Inside, UserData},
    error, handle,
    operation::{self, Yield, mqtt_operation},
    session::mqtt_session,
    status::mqtt_status,
    value::{self, mqtt_view},
};

/// The exchange begins, with CONNECT: the answer is the first data, if the method has any then.
pub const MQTT_AUTHENTICATION_CONNECT: i32 = 1;
/// The exchange begins anew, on a live connection: the answer is the first data.
pub const MQTT_AUTHENTICATION_AGAIN: i32 = 2;
/// The broker has sent data and waits for an answer.
pub const MQTT_AUTHENTICATION_CONTINUE: i32 = 3;
/// The broker has accepted: its last data is to be checked, and nothing is answered.
pub const MQTT_AUTHENTICATION_SUCCESS: i32 = 4;

/// One step of an authentication exchange: what the broker sent, and what is answered.
pub struct mqtt_authentication<'a> {
    step: AuthenticationStep,
    data: Option<&'a [u8]>,
    answer: Option<Vec<u8>>,
}

/// User name and password for one attempt to connect; new ones hold neither.
#[derive(Default)]
pub struct mqtt_credentials(Credentials);

/// Takes part in an authentication exchange: looks at the step and sets the answer.
///
/// It is a question: see the conventions on callbacks.
///
/// @param authentication Borrowed. The step; valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
/// @return MQTT_OK to go on. Any other number ends the exchange and the connection: the error is
///         then MQTT_AUTHENTICATION_FAILED, with this status as its cause.
pub type mqtt_authenticator = Option<
    unsafe extern "C" fn(
        authentication: *mut mqtt_authentication<'_>,
        user_data: *mut c_void,
    ) -> mqtt_status,
>;

/// Gives user name and password for the next attempt to connect.
///
/// It is a question: see the conventions on callbacks.
///
/// @param credentials Borrowed. To be filled; valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
/// @return MQTT_OK to go on. Any other number ends the attempt, with that status as its error.
pub type mqtt_credentials_source = Option<
    unsafe extern "C" fn(credentials: *mut mqtt_credentials, user_data: *mut c_void) -> mqtt_status,
>;

/// Says where the exchange stands.
///
/// @param authentication Borrowed.
/// @return An MQTT_AUTHENTICATION_...; 0 for one that this version of the header has no name for,
///         and for NULL.
/// @threads Any, while the authenticator runs.
/// @callbacks The authenticator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_authentication_step(
    authentication: *const mqtt_authentication<'_>,
) -> i32 {
    boundary_or(0, || {
        // SAFETY: the authenticator's step, by the conventions.
        let authentication = unsafe { handle::borrow(authentication, "authentication") }?;
        Ok(match authentication.step {
            AuthenticationStep::Connect => MQTT_AUTHENTICATION_CONNECT,
            AuthenticationStep::Reauthenticate => MQTT_AUTHENTICATION_AGAIN,
            AuthenticationStep::Continue => MQTT_AUTHENTICATION_CONTINUE,
            AuthenticationStep::Success => MQTT_AUTHENTICATION_SUCCESS,
            _ => 0,
        })
    })
}

/// Gives the data that the broker sent with this step.
///
/// @param authentication Borrowed.
/// @return The data, valid until the authenticator returns; empty when there is none, and for NULL.
/// @threads Any, while the authenticator runs.
/// @callbacks The authenticator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_authentication_data(
    authentication: *const mqtt_authentication<'_>,
) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: the authenticator's step, by the conventions.
        let authentication = unsafe { handle::borrow(authentication, "authentication") }?;
        Ok(authentication.data.map_or(mqtt_view::EMPTY, mqtt_view::new))
    })
}

/// Says whether the broker sent data with this step, which may be of no bytes.
///
/// @param authentication Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any, while the authenticator runs.
/// @callbacks The authenticator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_authentication_has_data(
    authentication: *const mqtt_authentication<'_>,
) -> i32 {
    boundary_or(0, || {
        // SAFETY: the authenticator's step, by the conventions.
        let authentication = unsafe { handle::borrow(authentication, "authentication") }?;
        Ok(authentication.data.is_some().into())
    })
}

/// Sets the data with which this step is answered. Without this call the answer has no data.
///
/// @param authentication Borrowed. The step that the authenticator was given, within the call.
/// @param data Borrowed. The data, which is copied; may be NULL when the size is 0.
/// @param size Value. The number of bytes, at most 65,535.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when there are more bytes.
/// @threads The one on which the authenticator runs.
/// @callbacks The authenticator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_authentication_set_answer(
    authentication: *mut mqtt_authentication<'_>,
    data: *const c_void,
    size: usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the authenticator's step, by the conventions.
        let authentication = unsafe { handle::borrow_mut(authentication, "authentication") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        authentication.answer = Some(unsafe { value::short(data, size, "data") }?);
        Ok(())
    })
}

/// Sets the user name for the attempt to connect.
///
/// @param credentials Borrowed. The credentials that the source was given, within the call.
/// @param user_name Borrowed. The user name; NULL for none.
/// @return MQTT_OK; MQTT_INVALID_UTF8.
/// @threads The one on which the source runs.
/// @callbacks The source.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_credentials_set_user_name(
    credentials: *mut mqtt_credentials,
    user_name: *const c_char,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the source's credentials, by the conventions.
        let credentials = unsafe { handle::borrow_mut(credentials, "credentials") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let user_name = unsafe { value::optional_text(user_name, "user_name") }?;
        credentials.0.user_name = user_name.map(str::to_owned);
        Ok(())
    })
}

/// Sets the password for the attempt to connect, which may be any bytes. It never appears in an
/// error or a log line.
///
/// @param credentials Borrowed. The credentials that the source was given, within the call.
/// @param password Borrowed. The password, which is copied; NULL with size 0 for none.
/// @param size Value. The number of bytes, at most 65,535.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when there are more bytes.
/// @threads The one on which the source runs.
/// @callbacks The source.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_credentials_set_password(
    credentials: *mut mqtt_credentials,
    password: *const c_void,
    size: usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the source's credentials, by the conventions.
        let credentials = unsafe { handle::borrow_mut(credentials, "credentials") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let bytes = unsafe { value::short(password, size, "password") }?;
        credentials.0.password = (!password.is_null()).then(|| bytes.into());
        Ok(())
    })
}

/// Authenticates anew on the live connection, with the method of the options, and waits for the
/// broker's answer (MQTT 5.0). A broker that refuses ends the connection.
///
/// @param session Borrowed. The session.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED when the options name no method; MQTT_NOT_CONNECTED;
///         MQTT_BUSY while an exchange is under way; MQTT_AUTHENTICATION_FAILED, or the error with
///         which the connection was lost; MQTT_TIMEOUT, after which it goes on;
///         MQTT_WOULD_DEADLOCK, likewise; MQTT_CANCELLED; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any; an inline one and a question can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_reauthenticate(
    session: *const mqtt_session,
    timeout_ms: i64,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, Session::reauthenticate, Ok) }
}

/// Starts to authenticate anew, without waiting.
///
/// @param session Borrowed. The session.
/// @param operation Output. Ends as mqtt_session_reauthenticate returns; free it with
///        mqtt_operation_free.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED when the options name no method; MQTT_NOT_CONNECTED;
///         MQTT_BUSY while an exchange is under way; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_reauthenticate_start(
    session: *const mqtt_session,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, Session::reauthenticate, Yield::nothing) }
}

/// A C function as an authenticator.
pub(crate) struct Exchange {
    function: unsafe extern "C" fn(*mut mqtt_authentication<'_>, *mut c_void) -> mqtt_status,
    user_data: UserData,
}

impl Exchange {
    pub(crate) fn new(function: mqtt_authenticator, user_data: UserData) -> Result<Self> {
        let function = function.ok_or_else(|| handle::null("authenticator"))?;
        Ok(Self { function, user_data })
    }
}

impl Authenticator for Exchange {
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>> {
        let _inside = Inside::enter();
        let mut authentication = mqtt_authentication { step, data, answer: None };
        // SAFETY: the triple is the caller's promise; the step outlives the call.
        error::asked(|| unsafe { (self.function)(&raw mut authentication, self.user_data.data) })?;
        Ok(authentication.answer.map(Bytes::from))
    }
}

/// A C function as a source of credentials; without a function there is none.
pub(crate) fn source(
    function: mqtt_credentials_source,
    user_data: UserData,
) -> Option<CredentialsSource> {
    let function = function?;
    Some(Arc::new(move || {
        let _inside = Inside::enter();
        let mut credentials = mqtt_credentials::default();
        // Captured whole, so that the destroy comes with the source's end.
        let user_data = &user_data;
        // SAFETY: the triple is the caller's promise; the credentials outlive the call.
        error::asked(|| unsafe { function(&raw mut credentials, user_data.data) })?;
        Ok(credentials.0)
    }))
}
