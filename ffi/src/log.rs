//! Log lines: what the library has to say while it works.

use std::{
    ffi::{CString, c_char, c_void},
    fmt::{self, Write},
    sync::{
        Arc, Once, RwLock,
        atomic::{AtomicI32, Ordering},
    },
};

use tracing_core::{
    Dispatch, Event, Level, LevelFilter, Metadata, Subscriber, callsite, dispatcher,
    field::{Field, Visit},
    span,
};

use crate::{
    boundary::boundary,
    callback::{UserData, mqtt_destroy},
    status::mqtt_status,
    value,
};

/// Nothing is logged; the default.
pub const MQTT_LOG_OFF: i32 = 0;
/// What makes the session fail.
pub const MQTT_LOG_ERROR: i32 = 1;
/// What should not be, but is dealt with.
pub const MQTT_LOG_WARNING: i32 = 2;
/// Connections and their ends.
pub const MQTT_LOG_INFO: i32 = 3;
/// What helps to find a fault.
pub const MQTT_LOG_DEBUG: i32 = 4;
/// Every packet.
pub const MQTT_LOG_TRACE: i32 = 5;

/// Receives log lines.
///
/// It may be called on any thread of the library and on those that call it, on several at the same
/// time. It must be quick and must not call the library.
///
/// @param level Value. An MQTT_LOG_...
/// @param text Borrowed. The line, NUL-terminated, without an end of line. It never holds a
///        password or a key.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_log_handler =
    Option<unsafe extern "C" fn(level: i32, text: *const c_char, user_data: *mut c_void)>;

/// Sets the receiver of the library's log lines, for the whole process. An earlier one is
/// replaced.
///
/// @param level Value. The least important lines that are wanted, an MQTT_LOG_...
/// @param handler Callback. The function; NULL for none any more.
/// @param user_data Taken. Its user data, kept until it is replaced.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for a level that does not exist.
/// @threads Any.
/// @callbacks Any but the log handler itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_library_set_log(
    level: i32,
    handler: mqtt_log_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    boundary(|| {
        let user_data = UserData::new(user_data, destroy);
        if !(MQTT_LOG_OFF..=MQTT_LOG_TRACE).contains(&level) {
            return Err(value::out_of_range(level.into(), "level"));
        }
        install(level, handler.map(|function| Arc::new(Sink { function, user_data })));
        Ok(())
    })
}

struct Sink {
    function: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: UserData,
}

static SINK: RwLock<Option<Arc<Sink>>> = RwLock::new(None);
static LEVEL: AtomicI32 = AtomicI32::new(MQTT_LOG_OFF);

fn install(level: i32, sink: Option<Arc<Sink>>) {
    static ONCE: Once = Once::new();
    LEVEL.store(if sink.is_some() { level } else { MQTT_LOG_OFF }, Ordering::Relaxed);
    let previous = {
        let mut place = SINK.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::replace(&mut *place, sink)
    };
    // Outside the lock: the last one to hold the previous sink calls its destroy.
    drop(previous);
    ONCE.call_once(|| {
        // It fails only when a Rust program that linked this crate has a subscriber of its own,
        // which then goes on to receive everything.
        let _already_set = dispatcher::set_global_default(Dispatch::new(Lines));
    });
    callsite::rebuild_interest_cache();
}

/// Makes lines of the core's trace events.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mqttsession")
            && number(metadata.level()) <= LEVEL.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match LEVEL.load(Ordering::Relaxed) {
            MQTT_LOG_OFF => LevelFilter::OFF,
            MQTT_LOG_ERROR => LevelFilter::ERROR,
            MQTT_LOG_WARNING => LevelFilter::WARN,
            MQTT_LOG_INFO => LevelFilter::INFO,
            MQTT_LOG_DEBUG => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let sink = SINK.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let Some(sink) = sink else { return };
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}", line.message, line.fields).replace('\0', "\u{fffd}");
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the triple is the caller's promise; the text outlives the call.
        unsafe {
            (sink.function)(number(event.metadata().level()), text.as_ptr(), sink.user_data.data);
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A log line: the message, then ` name=value` for each other field.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _infallible = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn number(level: &Level) -> i32 {
    match *level {
        Level::ERROR => MQTT_LOG_ERROR,
        Level::WARN => MQTT_LOG_WARNING,
        Level::INFO => MQTT_LOG_INFO,
        Level::DEBUG => MQTT_LOG_DEBUG,
        _ => MQTT_LOG_TRACE,
    }
}
