//! mqttsession.h - an MQTT client for C: protocol 3.1, 3.1.1 and 5.0.
//!
//! A first program:
//!
//! ```c
//! mqtt_options *options = NULL;
//! mqtt_session *session = NULL;
//! mqtt_options_new(&options);
//! mqtt_options_set_address(options, "mqtt://localhost");
//! mqtt_session_new(options, &session);
//! mqtt_options_free(options);
//! if (mqtt_session_connect(session, 10000) != MQTT_OK)
//!     fprintf(stderr, "%s\n", mqtt_last_error_message());
//! else
//!     mqtt_session_publish(session, "greeting", "hello", 5, 1, 0, NULL);
//! mqtt_session_flush(session, 10000);
//! mqtt_session_free(session);
//! ```
//!
//! The rules below hold for every function. A comment at a function says only what is special
//! about it.
//!
//! # Objects
//!
//! Everything that can grow is an opaque object. `mqtt_..._new` makes one and stores it through
//! its output; the matching `mqtt_..._free` ends it and accepts NULL. Each thing that you own has
//! exactly one function that frees it, and no other may be used for it.
//!
//! # Parameters
//!
//! The order is always: the object, the inputs, the callback triple, the outputs. The first word
//! of each parameter's comment says who owns it:
//!
//! - Value: a number, nothing to own.
//! - Borrowed: yours; the library looks at it during the call and keeps nothing of it.
//! - Taken: the library's from the first moment of the call, whether the call succeeds or not.
//! - Lent: yours; the library looks at it, and it stays as it is, until the `destroy` of the same call
//!   is called.
//! - Callback: a function of the triple, see below; NULL where the comment allows it.
//! - Output: a place of yours that is written only when the call returns MQTT_OK, and left
//!   untouched otherwise. "Optional" means that it may be NULL.
//!
//! A `const` object may be used by several threads at the same time. An options or properties
//! object that is not `const` is being changed, and only one thread may use it during the call.
//! A session may be used by all threads at all times, `const` or not.
//!
//! # Text and bytes
//!
//! Text that goes in is UTF-8 and ends with NUL; bytes that go in are a pointer and a size, and
//! the pointer may be NULL when the size is 0. What comes out is an mqtt_view, which is not ended
//! with NUL and lives as long as the object that gave it; its `data` is never NULL. Only the
//! library's own sentences and names, and the client ids of stores, come out as NUL-terminated
//! text.
//!
//! # Numbers
//!
//! Quality of service, kinds, reasons, choices and yes-or-no values are int32_t, in which a wrong
//! value is an error and never a surprise; for yes-or-no, 0 is no and everything else is yes.
//! Times are milliseconds, with one exception that carries it in its name.
//!
//! # Waiting
//!
//! A parameter `timeout_ms` is the longest time for which the call waits. MQTT_FOREVER waits as
//! long as it takes. A timeout never cancels anything: MQTT_TIMEOUT says that the thing goes on,
//! and that it can be waited for again. In a function that starts something, 0 starts it and
//! returns MQTT_OK at once, without writing any output; in a function that only asks
//! (mqtt_session_wait, mqtt_session_flush, mqtt_operation_wait), 0 asks and returns at once.
//!
//! # Errors
//!
//! A function that can fail returns an mqtt_status: MQTT_OK is 0, every error is negative, and a
//! number never changes its meaning. Wherever a status reaches you, as a result, as an argument of
//! a callback or through an event, mqtt_last_error_message and its sisters tell the rest about it
//! on that thread: the sentence, the layer, the cause, what the broker said. They stay until the
//! thread's next failure; a call that succeeds leaves them alone, as with errno.
//!
//! Three statuses can come from every function and are not repeated at each:
//! MQTT_INVALID_ARGUMENT for NULL where it is not allowed or a value out of range; MQTT_FORKED for
//! a session or store from before a fork; MQTT_INTERNAL for a fault of this library, which has been
//! caught and has broken nothing else. After MQTT_CLOSED or MQTT_FORKED a session is of no more
//! use and can only be freed: mqtt_status_ends_session tells these apart.
//!
//! # Threads
//!
//! Every function may be called from any thread, and from inside every callback, unless its
//! comment says otherwise. This includes the calls that wait, disconnecting and freeing. Freeing
//! is the one call that must be the last: no other call on that object may begin after it has. Calls
//! that wait for something of the session at that moment end with MQTT_CANCELLED or MQTT_CLOSED.
//!
//! # Callbacks
//!
//! A callback is given as a triple: the function, its user data, and `destroy`, which the library
//! calls with the user data when it needs it no more. `destroy` may be NULL. It is called exactly
//! once, after the last call of the function has returned and never at the same time as one; and
//! also when the function that was given the triple fails, whatever the reason.
//!
//! By default callbacks run on threads of the library, never on one that does input and output:
//! for each session one at a time and in order, for several sessions at the same time. A callback
//! may take its time; the keep-alive goes on. It must not wait for another callback of the same
//! session (wait for the thing itself: mqtt_session_wait, mqtt_operation_wait), and neither a C++
//! exception nor longjmp nor the end of the thread may leave it. mqtt_options_set_dispatch chooses
//! two other ways: the input and output thread itself, or your own thread.
//!
//! Two callbacks are questions, which answer with a status: the authenticator and the source of
//! credentials. They run on threads of their own, one at a time for each session, and may overlap
//! another callback of it; a call that would have to wait for the same session answers
//! MQTT_WOULD_DEADLOCK there.
//!
//! # Messages that survive
//!
//! A session with a store (mqtt_options_set_store) has its messages of quality of service 1 and 2 on
//! disk: they survive the process and, as mqtt_options_set_durability says, the machine. Nothing is sent
//! before it is stored; mqtt_session_wait_stored tells when it is. The next session with the same
//! directory and client id goes on where the last one ended, however that was. docs/durability.md tells
//! it step by step; mqtt_store_open looks into a store that no session has open.
//!
//! # Growth
//!
//! Upgrades within the same soname (libmqttsession.so.0) do not break a compiled program: functions
//! are added, never changed or removed; numbers keep their meaning; the only public structure,
//! mqtt_view, stays as it is; new kinds of events and new statuses may appear, so treat an unknown
//! negative status as an error and an unknown event as one to ignore.
//!
//! # fork
//!
//! The child of a fork must not use the sessions of its parent: every call on one answers
//! MQTT_FORKED, mqtt_session_free returns at once, and nothing is sent. New sessions work. A store
//! that the parent looks into is likewise the parent's alone.

#![allow(non_camel_case_types, reason = "the names of the types are those of the C interface")]
#![allow(
    clippy::missing_safety_doc,
    reason = "what a caller owes is written once, in the conventions above, and per parameter"
)]

pub mod authentication;
mod boundary;
pub mod callback;
pub mod connection;
pub mod error;
pub mod event;
pub mod event_store;
mod handle;
pub mod library;
pub mod log;
pub mod message;
pub mod operation;
pub mod options;
pub mod outcome;
pub mod property;
pub mod publish;
pub mod reason;
pub mod request;
pub mod session;
pub mod statistic;
pub mod status;
pub mod store;
pub mod stored_message;
pub mod subscribe;
pub mod unsubscribe;
pub mod value;
pub mod wlanguage;
