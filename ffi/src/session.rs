//! The session: making, connecting, asking, ending.

use mqttsession::{
    client::{DisconnectOptions, Options, Session, State},
    error::{Code, Error, Result},
    protocol::{PacketType, PropertyBlock},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback, error,
    handle::{self, Output},
    library::{self, Born},
    operation::{self, Yield, mqtt_operation},
    options::mqtt_options,
    property::mqtt_properties,
    status::mqtt_status,
    value::{self, CENTURY},
};

/// Not connected, and not trying.
pub const MQTT_STATE_DISCONNECTED: i32 = 0;
/// Trying to connect.
pub const MQTT_STATE_CONNECTING: i32 = 1;
/// Connected.
pub const MQTT_STATE_CONNECTED: i32 = 2;
/// Waiting before it tries again.
pub const MQTT_STATE_RETRYING: i32 = 3;
/// Closed for good.
pub const MQTT_STATE_CLOSED: i32 = 4;

/// A session with one broker: it connects, stays connected, publishes and receives.
pub struct mqtt_session {
    pub(crate) inner: Session,
    has_store: bool,
    born: Born,
}

/// Makes a session, and opens its store if it has one. Nothing is sent before mqtt_session_connect.
///
/// @param options Borrowed. The options, which are copied; NULL for the defaults.
/// @param session Output. The session; free it with mqtt_session_free.
/// @return MQTT_OK; MQTT_INVALID_CLIENT_ID, also for a store without a client id, MQTT_INVALID_OPTION
///         or MQTT_NOT_SUPPORTED for options that contradict each other; with a store
///         MQTT_STORE_LOCKED while another session or process has it open, MQTT_STORE_FULL,
///         MQTT_STORE_READ_ONLY, MQTT_STORE_CORRUPT, MQTT_STORE_VERSION, MQTT_STORE_FOREIGN or
///         MQTT_STORE_FAILED, after each of which the store is as it was.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_new(
    options: *const mqtt_options,
    session: *mut *mut mqtt_session,
) -> mqtt_status {
    boundary(|| {
        let place = Output::required(session, "session")?;
        library::watch_forks();
        // SAFETY: options of the caller's, by the conventions.
        let session = match unsafe { handle::borrow_optional(options) } {
            Some(options) => mqtt_session::new(&options.0),
            None => mqtt_session::new(&Options::default()),
        }?;
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(session)) };
        Ok(())
    })
}

/// Ends a session for good: disconnects if it is connected, ends everything that has not ended
/// with MQTT_CANCELLED, and destroys the user data of every callback.
///
/// With a store, messages of QoS 1 and 2 that have not ended stay in it and end with
/// MQTT_LEFT_IN_STORE; all that is there to write is written and synced, and the store is closed.
///
/// Outside callbacks it returns after the last callback and the last destroy of the session. This
/// wait has no timeout: a callback that never returns never lets it return. Inside any callback it
/// does not wait: the callbacks that are still to come, come, and the handle stays valid until that
/// callback has returned. To lose nothing, call mqtt_session_disconnect before.
///
/// @param session Taken. The session, or NULL.
/// @threads Any; no other call on the session may begin any more.
/// @callbacks Any, those of the same session too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_free(session: *mut mqtt_session) {
    boundary_or((), || {
        // SAFETY: the caller's session, by the conventions.
        match unsafe { handle::take(session) } {
            // What the parent of a fork owns is left alone, its user data too.
            Some(session) if session.born.is_inherited() => std::mem::forget(session),
            Some(session) => {
                session.inner.close();
                callback::drop_outside(session);
            }
            None => {}
        }
        Ok(())
    });
}

/// Connects and waits for the broker's answer.
///
/// Once it has been connected, a session stays so: it reconnects by itself, renews its
/// subscriptions and sends what has been published meanwhile, until mqtt_session_disconnect. On a
/// connected session this call succeeds at once.
///
/// @param session Borrowed. The session.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit. The
///        attempt itself has the limit of mqtt_options_set_connect_timeout.
/// @return MQTT_OK; MQTT_TIMEOUT, after which the attempt goes on; MQTT_WOULD_DEADLOCK, likewise;
///         MQTT_CANCELLED when the session was disconnected meanwhile; MQTT_CLOSED, also when it was
///         freed meanwhile;
///         otherwise the reason why the attempt failed, a status of the families -2xx (name
///         lookup) to -9xx (broker). After such a reason the session is disconnected, and
///         connecting again may help when mqtt_last_error_is_retryable says so.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_connect(
    session: *const mqtt_session,
    timeout_ms: i64,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, Session::connect, |_| Ok(())) }
}

/// Starts to connect, without waiting.
///
/// @param session Borrowed. The session.
/// @param operation Output. Ends as mqtt_session_connect returns; free it with
///        mqtt_operation_free.
/// @return MQTT_OK; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_connect_start(
    session: *const mqtt_session,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, Session::connect, Yield::nothing) }
}

/// Disconnects in good order: waits until every accepted publish has ended and its callback has
/// returned (inside a callback: has ended), then closes the connection. The session stops
/// reconnecting; its subscriptions stay, and it can be connected again.
///
/// What has not ended in time is given up and ends as MQTT_CANCELLED. With a store, that holds for
/// QoS 0 alone: messages of QoS 1 and 2 stay, here and in the store, for the next connection.
///
/// @param session Borrowed. The session; one that is not connected succeeds at once.
/// @param reason Value. MQTT_REASON_SUCCESS, or under MQTT 5.0 another that a client may give, for
///        example MQTT_REASON_DISCONNECT_WITH_WILL.
/// @param timeout_ms Value. The longest time to wait for messages to end; 0 gives them up at once,
///        MQTT_FOREVER has no limit.
/// @return MQTT_OK; MQTT_CANCELLED when the connection is closed, but messages had to be given up, and
///         with a store MQTT_LEFT_IN_STORE when messages had not ended;
///         MQTT_INVALID_ARGUMENT for a reason that a client must not give; MQTT_BUSY while it is
///         disconnected by another call; MQTT_WOULD_DEADLOCK, after which it goes on; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any; in an inline one it answers MQTT_WOULD_DEADLOCK and goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_disconnect(
    session: *const mqtt_session,
    reason: i32,
    timeout_ms: i64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let options = farewell(reason, timeout_ms, PropertyBlock::new())?;
        let unended = session.hold().disconnect(options)?.wait(None)?;
        all_ended(unended, session.has_store)
    })
}

/// Starts to disconnect in good order, without waiting.
///
/// @param session Borrowed. The session.
/// @param reason Value. As for mqtt_session_disconnect.
/// @param timeout_ms Value. As for mqtt_session_disconnect.
/// @param properties Borrowed. The properties of the DISCONNECT (MQTT 5.0); NULL for none.
/// @param operation Output. Ends as mqtt_session_disconnect returns; free it with
///        mqtt_operation_free.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for a reason that a client must not give; MQTT_BUSY;
///         MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_disconnect_start(
    session: *const mqtt_session,
    reason: i32,
    timeout_ms: i64,
    properties: *const mqtt_properties,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    let begin = |session: &Session| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { mqtt_properties::block_of(properties) };
        session.disconnect(farewell(reason, timeout_ms, properties)?)
    };
    // SAFETY: a session of the caller's, by the conventions.
    let has_store = unsafe { handle::borrow_optional(session) }.is_some_and(|it| it.has_store);
    let yields: fn(usize) -> Result<Yield> = match has_store {
        true => |unended| all_ended(unended, true).and_then(Yield::nothing),
        false => |unended| all_ended(unended, false).and_then(Yield::nothing),
    };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, begin, yields) }
}

/// Runs the queued callbacks of a session with MQTT_DISPATCH_POLLED on this thread.
///
/// @param session Borrowed. The session.
/// @param timeout_ms Value. The longest time to wait for the first; 0 does not wait, MQTT_FOREVER
///        has no limit.
/// @param limit Value. The most callbacks to run; 0 for all that are queued.
/// @param count Output, optional. How many ran; 0 when the time passed.
/// @return MQTT_OK; MQTT_BUSY inside a callback of the session, or while another thread polls it;
///         MQTT_NOT_SUPPORTED with another dispatch; MQTT_CLOSED.
/// @threads Any, one at a time for each session.
/// @callbacks None of the same session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_poll(
    session: *const mqtt_session,
    timeout_ms: i64,
    limit: usize,
    count: *mut usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let ran = session.hold().poll(value::timeout(timeout_ms)?, limit)?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(count).write(ran) };
        Ok(())
    })
}

/// Gives a descriptor that is readable while callbacks of a session with MQTT_DISPATCH_POLLED are
/// queued, for select, poll, epoll or the loop of a user interface. Unix only.
///
/// @param session Borrowed. The session.
/// @param descriptor Output. The descriptor, which belongs to the session: wait for it, but do not
///        read, write or close it.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED with another dispatch, and on systems without descriptors;
///         MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_descriptor(
    session: *const mqtt_session,
    descriptor: *mut i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(descriptor, "descriptor")?;
        #[cfg(unix)]
        let descriptor = session.inner.descriptor()?;
        #[cfg(not(unix))]
        let descriptor = session.no_descriptor()?;
        // SAFETY: the caller's place for a number.
        unsafe { place.write(descriptor) };
        Ok(())
    })
}

/// Says what a session is doing.
///
/// @param session Borrowed. The session.
/// @param state Output. An MQTT_STATE_...
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_state(
    session: *const mqtt_session,
    state: *mut i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(state, "state")?;
        let state = match session.inner.state() {
            State::Disconnected => MQTT_STATE_DISCONNECTED,
            State::Connecting => MQTT_STATE_CONNECTING,
            State::Connected => MQTT_STATE_CONNECTED,
            State::Retrying => MQTT_STATE_RETRYING,
            State::Closed => MQTT_STATE_CLOSED,
        };
        // SAFETY: the caller's place for a number.
        unsafe { place.write(state) };
        Ok(())
    })
}

/// Gives the last failure of the session's connection, also while it still tries to connect, and
/// makes it this thread's last failure: mqtt_last_error_message and its sisters tell the rest.
///
/// @param session Borrowed. The session.
/// @param failure Output. The status of that failure; MQTT_OK when there has been none.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_last_failure(
    session: *const mqtt_session,
    failure: *mut mqtt_status,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(failure, "failure")?;
        let failure = session.inner.last_error().map_or(0, error::remember);
        // SAFETY: the caller's place for a number.
        unsafe { place.write(failure) };
        Ok(())
    })
}

impl mqtt_session {
    fn new(options: &Options) -> Result<Self> {
        let inner = Session::new(options)?;
        Ok(Self { inner, has_store: options.store().is_some(), born: Born::now() })
    }

    /// Borrows a session for a call. One from before a fork is refused here, before any lock.
    ///
    /// # Safety
    /// The pointer is NULL or points to a session that lives for `'a`.
    #[inline]
    pub(crate) unsafe fn borrow<'a>(session: *const Self) -> Result<&'a Self> {
        // SAFETY: the caller's promise.
        let session = unsafe { handle::borrow(session, "session") }?;
        if session.born.is_inherited() { Err(Code::Forked.into()) } else { Ok(session) }
    }

    /// The session for a call that may wait: it outlives a free on another thread.
    pub(crate) fn hold(&self) -> Session {
        self.inner.clone()
    }

    #[cfg(not(unix))]
    fn no_descriptor(&self) -> Result<i32> {
        Err(Code::NotSupported.into())
    }
}

/// How to disconnect.
fn farewell(reason: i32, timeout_ms: i64, properties: PropertyBlock) -> Result<DisconnectOptions> {
    let drain = value::timeout(timeout_ms)?.unwrap_or(CENTURY).min(CENTURY);
    let reason = value::reason(reason)?;
    if !reason.allowed_in(PacketType::Disconnect) {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{} is no reason to disconnect", reason.name()),
        ));
    }
    Ok(DisconnectOptions { drain, reason, properties })
}

/// A disconnect that had to give messages up, or leave them in the store, is a failure, though it is
/// done.
pub(crate) fn all_ended(unended: usize, has_store: bool) -> Result<()> {
    if unended == 0 {
        return Ok(());
    }
    let sentence = format!("{unended} messages had not ended when the session was disconnected");
    if !has_store {
        return Err(Error::new(Code::Cancelled, sentence));
    }
    Err(Error::new(
        Code::LeftInStore,
        format!(
            "{sentence}; those of QoS 1 and 2 stay in the store, and the next session with this \
             store and client id sends them"
        ),
    ))
}
