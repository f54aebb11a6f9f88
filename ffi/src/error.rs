//! What went wrong: this thread's last failure, and what a status means.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    error::Error as _,
    ffi::{CString, c_char},
    sync::LazyLock,
};

use mqttsession::error::{Code, Error, Result};

use crate::{
    boundary::boundary_or,
    property::mqtt_properties,
    status::{MQTT_OK, mqtt_status},
};

/// Gives the sentence of this thread's last failure: what was tried, what came back, what to
/// check. It never holds a password or a key.
///
/// @return NUL-terminated text, "" when nothing has failed yet; valid until this thread's next
///         failure.
/// @threads Any; each has its own.
/// @callbacks Any. In a callback that was given a status or an event with one, it is about that.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_message() -> *const c_char {
    read(EMPTY, |last| last.message.get_or_init(|| c_text(&last.error.to_string())).as_ptr())
}

/// Gives the status of this thread's last failure.
///
/// @return The status; MQTT_OK when nothing has failed yet.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_status() -> mqtt_status {
    read(MQTT_OK, |last| last.error.number())
}

/// Gives the cause behind this thread's last failure, down to the operating system's own words.
///
/// @return NUL-terminated text, "" without a cause; several causes are joined by ": ", the nearest
///         first; valid until this thread's next failure.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_cause() -> *const c_char {
    read(EMPTY, |last| last.cause.get_or_init(|| c_text(&causes(&last.error))).as_ptr())
}

/// Gives the layer in which this thread's last failure arose.
///
/// @return One of "caller", "name lookup", "tcp", "proxy", "tls", "websocket", "connack",
///         "protocol", "broker", "capacity", "store", "internal"; "" when nothing has failed yet.
///         NUL-terminated text that is valid for ever.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_layer() -> *const c_char {
    let layer = |last: &LastError| Some(meaning(last.error.number())?.layer.as_ptr());
    read(EMPTY, |last| layer(last).unwrap_or(EMPTY))
}

/// Gives the reason code with which the broker explained this thread's last failure.
///
/// @return 0 to 255, a reason code of MQTT 5.0 or a return code of MQTT 3.1 and 3.1.1; -1 when the
///         broker gave none.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_reason_code() -> i32 {
    read(-1, |last| last.error.reason_code().map_or(-1, i32::from))
}

/// Gives the broker's own words about this thread's last failure: the Reason String of MQTT 5.0.
///
/// @return NUL-terminated text, "" when the broker gave none; valid until this thread's next
///         failure.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_reason_string() -> *const c_char {
    read(EMPTY, |last| {
        let said = || c_text(last.error.reason_string().unwrap_or_default());
        last.reason_string.get_or_init(said).as_ptr()
    })
}

/// Gives where the broker sends the session with this thread's last failure: the Server Reference
/// of MQTT 5.0.
///
/// @return NUL-terminated text, "" when the broker gave none; valid until this thread's next
///         failure.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_server_reference() -> *const c_char {
    read(EMPTY, |last| {
        let said = || c_text(last.error.server_reference().unwrap_or_default());
        last.server_reference.get_or_init(said).as_ptr()
    })
}

/// Gives what the broker said with this thread's last failure as properties (MQTT 5.0): server
/// reference, reason string, user properties.
///
/// @return The properties, valid until this thread's next failure; never to be freed; NULL when
///         nothing has failed yet, which reads as an empty list.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_properties() -> *const mqtt_properties {
    read(std::ptr::null(), |last| {
        // What came in a packet fits in one, and so into the list.
        let said = || mqtt_properties::of_error(&last.error).unwrap_or_default();
        &raw const *last.properties.get_or_init(said)
    })
}

/// Says whether what failed last on this thread may succeed later without a change to the
/// program or its options.
///
/// @return 1 when it may, else 0.
/// @threads Any; each has its own.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_last_error_is_retryable() -> i32 {
    read(0, |last| i32::from(last.error.is_retryable()))
}

/// Gives the name of a status, as it stands in this header.
///
/// @param status Value. Any number.
/// @return The name, for example "MQTT_TIMEOUT"; "MQTT_UNKNOWN" for a number without a name.
///         NUL-terminated text that is valid for ever.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_status_name(status: mqtt_status) -> *const c_char {
    let unknown = c"MQTT_UNKNOWN".as_ptr();
    boundary_or(unknown, || Ok(meaning(status).map_or(unknown, |meaning| meaning.name.as_ptr())))
}

/// Gives the general sentence of a status. mqtt_last_error_message says more.
///
/// @param status Value. Any number.
/// @return The sentence; "" for a number without a meaning. NUL-terminated text that is valid for
///         ever.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_status_sentence(status: mqtt_status) -> *const c_char {
    boundary_or(EMPTY, || Ok(meaning(status).map_or(EMPTY, |meaning| meaning.sentence.as_ptr())))
}

/// Says whether the session that answered this status is of no more use: then every further call
/// on it fails in the same way, and it can only be freed.
///
/// @param status Value. Any number.
/// @return 1 for MQTT_CLOSED and MQTT_FORKED, else 0.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_status_ends_session(status: mqtt_status) -> i32 {
    boundary_or(0, || {
        let code = Code::from_number(status);
        Ok(i32::from(matches!(code, Some(Code::Closed | Code::Forked))))
    })
}

/// Makes an error this thread's last one.
#[cold]
pub(crate) fn remember(error: Error) -> mqtt_status {
    let status = error.number();
    replace(Some(LastError {
        error,
        message: OnceCell::new(),
        cause: OnceCell::new(),
        reason_string: OnceCell::new(),
        server_reference: OnceCell::new(),
        properties: OnceCell::new(),
        whole: OnceCell::new(),
    }));
    status
}

/// Asks a callback that answers with a status, on a thread of the library's own. A failure has the
/// words of the call that failed in it, if it hands on that call's status.
pub(crate) fn asked(callback: impl FnOnce() -> mqtt_status) -> Result<()> {
    replace(None);
    let status = callback();
    if status == MQTT_OK {
        return Ok(());
    }
    let last = LAST.try_with(|place| place.borrow().as_ref().map(|last| last.error.clone()));
    let last = last.ok().flatten().filter(|error| error.number() == status);
    Err(last.unwrap_or_else(|| match Code::from_number(status) {
        Some(code) => code.into(),
        None => Error::new(
            Code::AuthenticationFailed,
            format!("The program gave up with the status {status}"),
        ),
    }))
}

fn replace(last: Option<LastError>) {
    // A thread that is ending has no place for it any more; then the status alone must do.
    let previous = LAST.try_with(|place| place.replace(last));
    // Dropped outside the borrow: a cause may have a drop of its own.
    drop(previous);
}

/// This thread's last failure as one text for people: the sentence and its causes.
pub(crate) fn last_sentence() -> *const c_char {
    read(EMPTY, |last| {
        let whole = || match causes(&last.error) {
            causes if causes.is_empty() => c_text(&last.error.to_string()),
            causes => c_text(&format!("{}: {causes}", last.error)),
        };
        last.whole.get_or_init(whole).as_ptr()
    })
}

struct LastError {
    error: Error,
    // Made when they are asked for: a refused publish in a loop pays for no text.
    message: OnceCell<CString>,
    cause: OnceCell<CString>,
    reason_string: OnceCell<CString>,
    server_reference: OnceCell<CString>,
    properties: OnceCell<mqtt_properties>,
    whole: OnceCell<CString>,
}

const EMPTY: *const c_char = c"".as_ptr();

thread_local! {
    static LAST: RefCell<Option<LastError>> = const { RefCell::new(None) };
}

fn read<T: Copy>(nothing: T, question: impl FnOnce(&LastError) -> T) -> T {
    let answer = || LAST.try_with(|place| place.borrow().as_ref().map(question));
    boundary_or(nothing, || Ok(answer().ok().flatten().unwrap_or(nothing)))
}

fn causes(error: &Error) -> String {
    let mut joined = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !joined.is_empty() {
            joined.push_str(": ");
        }
        joined.push_str(&cause.to_string());
        next = cause.source();
    }
    joined
}

/// Text for C; a NUL within it, which only a broker can have sent, becomes the replacement
/// character.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// What is fixed about a status, ended with NUL.
struct Meaning {
    name: CString,
    sentence: CString,
    layer: CString,
}

fn meaning(status: mqtt_status) -> Option<&'static Meaning> {
    static TABLE: LazyLock<HashMap<mqtt_status, Meaning>> = LazyLock::new(|| {
        let success = Meaning {
            name: c"MQTT_OK".into(),
            sentence: c"Success".into(),
            layer: CString::default(),
        };
        let error = |code: &Code| {
            let meaning = Meaning {
                name: c_text(&format!("MQTT_{}", code.name())),
                sentence: c_text(code.sentence()),
                layer: c_text(code.layer().name()),
            };
            (code.number(), meaning)
        };
        std::iter::once((MQTT_OK, success)).chain(Code::ALL.iter().map(error)).collect()
    });
    TABLE.get(&status)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use mqttsession::protocol::Property;

    use super::*;

    fn read_text(text: *const c_char) -> &'static str {
        // SAFETY: every text that this module gives is ended with NUL, and lives long enough for
        // the comparison that the tests make.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap()
    }

    #[test]
    fn each_thread_has_its_own_last_error() {
        remember(Error::new(Code::Timeout, "too late"));
        std::thread::spawn(|| assert_eq!(mqtt_last_error_status(), MQTT_OK)).join().unwrap();
        assert_eq!(mqtt_last_error_status(), Code::Timeout.number());
    }

    #[test]
    fn all_that_an_error_knows_can_be_asked() {
        let cause = std::io::Error::other("the wire was cut");
        remember(
            Error::new(Code::NotAuthorized, "no")
                .with_source(cause)
                .with_reason(0x87, Some("not you"))
                .with_server_reference(Some("elsewhere"))
                .with_user_properties([("colour", "red")].into_iter()),
        );
        assert_eq!(read_text(mqtt_last_error_message()), "no; the broker says: not you");
        assert_eq!(read_text(mqtt_last_error_cause()), "the wire was cut");
        assert_eq!(read_text(mqtt_last_error_layer()), "connack");
        assert_eq!(mqtt_last_error_reason_code(), 0x87);
        assert_eq!(read_text(mqtt_last_error_reason_string()), "not you");
        assert_eq!(read_text(mqtt_last_error_server_reference()), "elsewhere");
        assert_eq!(mqtt_last_error_is_retryable(), 0);
        // SAFETY: the list of this thread's last error, which stays until the next one.
        let properties = unsafe { mqtt_last_error_properties().as_ref() }.unwrap();
        let said: Vec<Property<'_>> = properties.iter().collect();
        assert_eq!(
            said,
            [
                Property::ServerReference("elsewhere"),
                Property::ReasonString("not you"),
                Property::UserProperty("colour", "red"),
            ]
        );
    }

    #[test]
    fn what_a_callback_answers_becomes_the_error_that_it_met() {
        remember(Error::new(Code::Timeout, "long ago"));
        let own = asked(|| remember(Error::new(Code::Io, "the token's file")));
        assert_eq!(own.unwrap_err().to_string(), "the token's file");
        let general = asked(|| Code::Timeout.number()).unwrap_err();
        assert_eq!(general.to_string(), Code::Timeout.sentence());
        let unknown = asked(|| 7).unwrap_err();
        assert_eq!(unknown.code(), Code::AuthenticationFailed);
        assert!(asked(|| MQTT_OK).is_ok());
    }

    #[test]
    fn every_status_has_its_name_and_sentence() {
        assert_eq!(read_text(mqtt_status_name(0)), "MQTT_OK");
        assert_eq!(read_text(mqtt_status_name(-110)), "MQTT_TIMEOUT");
        assert_eq!(read_text(mqtt_status_name(-1)), "MQTT_UNKNOWN");
        assert_eq!(read_text(mqtt_status_sentence(1)), "");
        for code in Code::ALL {
            assert_eq!(read_text(mqtt_status_sentence(code.number())), code.sentence());
        }
    }
}
