//! Options: the store, where messages survive the process.

use std::{ffi::c_char, path::Path};

use mqttsession::client::Durability;

use super::{mqtt_options, set};
use crate::{handle, status::mqtt_status, value};

/// A message counts as stored when it survives the machine: written and synced. Messages that are
/// published together share one sync. The default.
pub const MQTT_DURABILITY_MESSAGE: i32 = 0;
/// A message counts as stored when it is written, and survives the machine at most the interval
/// later.
pub const MQTT_DURABILITY_INTERVAL: i32 = 1;
/// A message counts as stored when it is written; the operating system syncs when it likes.
pub const MQTT_DURABILITY_SYSTEM: i32 = 2;

/// Gives the session a store on disk. Accepted messages of QoS 1 and 2 then survive the process, and
/// so does what the session knows of received messages of QoS 2 and of its subscriptions: a session
/// that is made later with the same directory and client id goes on where this one ended.
///
/// It needs a client id, and mqtt_options_set_clean_session with no for the broker's half of the
/// promise (MQTT 5.0: a session expiry interval, too). mqtt_session_new opens the store, which serves
/// one session at a time until that is freed.
///
/// @param options Borrowed. The options.
/// @param directory Borrowed. The path of a directory, which is made where it is missing; each
///        client id has a directory of its own in it, so that sessions can share it. NULL, the
///        default, keeps everything in memory.
/// @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_INVALID_OPTION when it is empty.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_store(
    options: *mut mqtt_options,
    directory: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let directory = unsafe { value::optional_text(directory, "directory") }?;
        options.set_store(directory.map(Path::new)).map(drop)
    })
}

/// Says when the store syncs what it has written. Whatever it says, what is stored survives the
/// process.
///
/// @param options Borrowed. The options.
/// @param durability Value. An MQTT_DURABILITY_...
/// @param interval_ms Value. For MQTT_DURABILITY_INTERVAL milliseconds above 0; otherwise not looked
///        at.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION for an interval of 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_durability(
    options: *mut mqtt_options,
    durability: i32,
    interval_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let durability = match durability {
            MQTT_DURABILITY_MESSAGE => Durability::Message,
            MQTT_DURABILITY_INTERVAL => {
                Durability::Interval(value::duration(interval_ms, "interval_ms")?)
            }
            MQTT_DURABILITY_SYSTEM => Durability::System,
            _ => return Err(value::out_of_range(durability.into(), "durability")),
        };
        options.set_durability(durability).map(drop)
    })
}

/// Sets the limits of what the store holds of own messages. The limits of the outgoing queue
/// (mqtt_options_set_outgoing_limit) count beside them, and its policy for both.
///
/// @param options Borrowed. The options.
/// @param messages Value. Messages of QoS 1 and 2 above 0; 1,000,000 by default.
/// @param bytes Value. Bytes of their packets above 0; 1 GiB by default. The store's files may for a
///        while take twice as much, and 64 MiB.
/// @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_store_limit(
    options: *mut mqtt_options,
    messages: usize,
    bytes: usize,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| options.set_store_limit(messages, bytes).map(drop))
}
