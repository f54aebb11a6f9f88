//! The library as a whole: its version, its threads, its end.

use std::{
    ffi::c_char,
    sync::atomic::{AtomicU32, Ordering},
};

use mqttsession::{client, error::Result};

use crate::{
    boundary::{boundary, boundary_or},
    handle,
    status::mqtt_status,
    value,
};

/// The version of this header as one number: major * 65536 + minor * 256 + patch.
pub const MQTT_LIBRARY_VERSION_NUMBER: u32 = 0x00_01_00;

/// Gives the version of the library that runs.
///
/// @return NUL-terminated text such as "1.2.3", valid for ever.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_version() -> *const c_char {
    boundary_or(c"".as_ptr(), || Ok(concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()))
}

/// Gives the version of the library that runs as one number, to be compared with
/// MQTT_LIBRARY_VERSION_NUMBER: a smaller one lacks functions of this header.
///
/// @return The number: major * 65536 + minor * 256 + patch.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_version_number() -> u32 {
    boundary_or(0, || Ok(MQTT_LIBRARY_VERSION_NUMBER))
}

/// Sets how many threads do the input and output of all sessions of the process. The default is 1.
///
/// @param threads Value. At least 1.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_ALREADY_CONNECTED after the first connect.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_set_io_threads(threads: i32) -> mqtt_status {
    boundary(|| client::set_io_threads(at_least_one(threads)?))
}

/// Sets how many threads may be in callbacks at the same time, over all sessions of the process. A
/// thread is started only when work waits for one, and ends when it is idle.
///
/// @param threads Value. At least 1; 256 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_set_callback_threads(threads: i32) -> mqtt_status {
    boundary(|| client::set_callback_threads(at_least_one(threads)?))
}

/// Ends the library's work in this process, for a host that exits or is about to go on without it:
/// starts no more callbacks, closes all sessions and waits until no callback runs and every session
/// has let go of its store. The handles stay valid and are still to be freed.
///
/// @param timeout_ms Value. The longest time to wait; 0 does not wait, MQTT_FOREVER has no limit.
/// @return MQTT_OK; MQTT_TIMEOUT when a callback still runs, or a store is still written;
///         MQTT_WOULD_DEADLOCK inside a callback.
/// @threads Any.
/// @callbacks None.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_shutdown(timeout_ms: i64) -> mqtt_status {
    boundary(|| client::shutdown(value::timeout(timeout_ms)?))
}

/// Counts the objects that have been made through this interface and not been freed: a test that
/// ends with 0 has freed everything.
///
/// @return The number of objects.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub extern "C" fn mqtt_library_live_objects() -> u64 {
    boundary_or(0, || Ok(handle::live()))
}

/// The process in which an object was made, told from the children that it forks.
#[derive(Clone, Copy)]
pub(crate) struct Born(u32);

static GENERATION: AtomicU32 = AtomicU32::new(0);

impl Born {
    pub(crate) fn now() -> Self {
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// Whether the object belongs to the parent of this process.
    pub(crate) fn is_inherited(self) -> bool {
        self.0 != GENERATION.load(Ordering::Relaxed)
    }
}

/// Counts forks and tells the core of them: a lock that another thread held at that moment stays
/// locked in the child for ever, so it must be known before one is touched.
pub(crate) fn watch_forks() {
    #[cfg(unix)]
    {
        extern "C" fn in_child() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            client::after_fork_in_child();
        }
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: the function is async-signal-safe, as the core says of what it calls, and
            // the library stays loaded (build.rs).
            let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
            assert_eq!(failed, 0, "there is no memory for the fork handler");
        });
    }
}

fn at_least_one(threads: i32) -> Result<usize> {
    match value::number::<usize>(threads.into(), "threads")? {
        0 => Err(value::out_of_range(0, "threads")),
        threads => Ok(threads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_number_is_that_of_the_manifest() {
        let part = |text: &str| text.parse::<u32>().unwrap();
        let number = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
            | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
            | part(env!("CARGO_PKG_VERSION_PATCH"));
        assert_eq!(MQTT_LIBRARY_VERSION_NUMBER, number);
    }
}
