//! What a session is told before it connects.

use mqttsession::client::Options;

use crate::{
    boundary::{boundary, boundary_or},
    handle::{self, Output},
    status::mqtt_status,
};

/// Everything that a session is told before it connects.
///
/// New options say: localhost, MQTT 3.1.1, a clean session, a keep-alive of 60 s, 10 s to connect,
/// reconnecting by itself. Each setter checks its value at once and changes nothing when it fails.
#[derive(Default)]
pub struct mqtt_options(pub(crate) Options);

/// Makes options with the defaults.
///
/// @param options Output. The options; free them with mqtt_options_free.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_new(options: *mut *mut mqtt_options) -> mqtt_status {
    boundary(|| {
        let options = Output::required(options, "options")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { options.write(handle::give(mqtt_options::default())) };
        Ok(())
    })
}

/// Frees options. Sessions that were made with them are not affected.
///
/// @param options Taken. The options, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_free(options: *mut mqtt_options) {
    boundary_or((), || {
        // SAFETY: the caller's options, by the conventions.
        drop(unsafe { handle::take(options) });
        Ok(())
    });
}
