//! The object: properties and subscriptions while it is not connected, a session while it is.

use std::{
    ffi::{CString, c_char, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use mqttsession::{
    client::{
        Completion, DisconnectOptions, Handled, Handler, Message, Outcome, Payload, PublishOptions,
        Session, State,
    },
    error::{Code, Error, Result},
    protocol::{QoS, SubscriptionOptions, topic},
};

use super::settings::Settings;
use crate::{
    callback::{self, Inside},
    library::Born,
    session::all_ended,
    unsubscribe::none_refused,
};

/// A session with one broker, as the WLanguage family knows it.
pub struct mqttSession {
    born: Born,
    // Never locked while the core or a procedure runs.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    settings: Settings,
    subscriptions: Vec<Subscription>,
    session: Option<Session>,
    /// Whether `session` has been connected.
    connected: bool,
    /// Whether `session` has a store.
    has_store: bool,
    /// Ends when the session before has let go of its store.
    closing: Option<mpsc::Receiver<()>>,
}

#[derive(Clone)]
struct Subscription {
    topic: String,
    quality: QoS,
    procedure: MessageProcedure,
}

/// A message procedure with its user data.
#[derive(Clone, Copy)]
pub(super) struct MessageProcedure {
    pub(super) function:
        unsafe extern "C" fn(*mut mqttSession, *const c_char, *const c_void, usize, *mut c_void),
    pub(super) user_data: *mut c_void,
}

// SAFETY: the header says that procedures run on threads of the library, one at a time.
unsafe impl Send for MessageProcedure {}
// SAFETY: the same.
unsafe impl Sync for MessageProcedure {}

/// A publication procedure with its user data.
pub(super) struct PublishProcedure {
    pub(super) function: unsafe extern "C" fn(*mut mqttSession, i64, *mut c_void),
    pub(super) user_data: *mut c_void,
}

// SAFETY: the header says that procedures run on threads of the library.
unsafe impl Send for PublishProcedure {}

impl mqttSession {
    pub(super) fn new() -> Self {
        Self { born: Born::now(), inner: Mutex::default() }
    }

    /// Whether it belongs to the parent of a fork.
    pub(super) fn is_inherited(&self) -> bool {
        self.born.is_inherited()
    }

    /// Before any lock: one that another thread held at the fork stays locked for ever.
    pub(super) fn check_owner(&self) -> Result<()> {
        if self.is_inherited() { Err(Code::Forked.into()) } else { Ok(()) }
    }

    pub(super) fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Settings) -> Result<()>) -> Result<()> {
        change(&mut self.lock().settings)
    }

    /// Connects and has the subscriptions granted, or leaves everything as it was.
    pub(super) fn connect(self: &Arc<Self>) -> Result<()> {
        let timeout = self.settings().connection_timeout();
        let deadline = Instant::now() + timeout;
        self.wait_for_store(deadline);
        let Some((session, subscriptions)) = self.new_session()? else { return Ok(()) };
        let connected = (|| {
            let handler = |it: &Subscription| Arc::new(self.handler(it.procedure));
            let grants = subscriptions
                .iter()
                .map(|it| session.subscribe(&it.topic, with(it.quality), handler(it)))
                .collect::<Result<Vec<_>>>()?;
            // The attempt has this limit itself, and when that passes it says in which layer.
            session.connect()?.wait(Some(timeout + GRACE))?;
            grants.iter().try_for_each(|grant| grant.wait(Some(until(deadline))).map(drop))
        })();
        let mut inner = self.lock();
        match connected {
            Ok(()) => {
                inner.connected = true;
                Ok(())
            }
            Err(error) => {
                let session = inner.session.take();
                drop(inner);
                if let Some(session) = session {
                    session.close();
                }
                Err(error)
            }
        }
    }

    /// Waits for what has been accepted and its procedures, then disconnects.
    pub(super) fn disconnect(&self) -> Result<()> {
        let timeout = self.settings().connection_timeout();
        let deadline = Instant::now() + timeout;
        let Some((session, has_store)) = self.take_session() else { return Ok(()) };
        let ended = drain(&session, timeout, has_store);
        let closing = close_within(session, deadline);
        self.lock().closing = closing.filter(|_| has_store);
        ended
    }

    /// Disconnects and lets go of every procedure, for good.
    pub(super) fn end(&self) {
        let timeout = self.settings().connection_timeout();
        let Some((session, has_store)) = self.take_session() else { return };
        if !callback::is_inside() {
            // A free has nobody to tell what had to be given up, or stays in the store.
            let _unended = drain(&session, timeout, has_store);
        }
        session.close();
    }

    pub(super) fn publish(
        self: &Arc<Self>,
        topic: &str,
        data: &[u8],
        to_store: bool,
        quality: QoS,
        procedure: Option<PublishProcedure>,
    ) -> Result<i64> {
        let (session, store_timeout) = self.connected_session()?;
        let procedure = Arc::new(Mutex::new(procedure));
        let has_procedure = lock(&procedure).is_some();
        let completion = has_procedure.then(|| self.completion(Arc::clone(&procedure), quality));
        let options =
            PublishOptions { qos: quality, retain: to_store, completion, ..Default::default() };
        let number = session.publish(topic, Payload::Borrowed(data), options)?;
        if let Some(timeout) = store_timeout.filter(|_| quality != QoS::AtMostOnce)
            && let Err(error) = session.wait_stored(number, Some(timeout))
        {
            // The caller takes what fails for over: its procedure must not come any more. One that
            // has come says that the message is complete.
            let came = has_procedure && take(&procedure).is_none();
            return if came { Ok(number_for(quality, number)) } else { Err(not_stored(error)) };
        }
        Ok(number_for(quality, number))
    }

    pub(super) fn subscribe(
        self: &Arc<Self>,
        topic: &str,
        quality: QoS,
        procedure: MessageProcedure,
    ) -> Result<()> {
        check_filter(topic)?;
        let (session, timeout) = {
            let mut inner = self.lock();
            inner.forget(topic);
            let topic = topic.to_owned();
            inner.subscriptions.push(Subscription { topic, quality, procedure });
            (inner.session.clone(), inner.settings.connection_timeout())
        };
        let Some(session) = session else { return Ok(()) };
        let handler = Arc::new(self.handler(procedure));
        let granted = session
            .subscribe(topic, with(quality), handler)
            .and_then(|grant| grant.wait(Some(timeout)));
        match granted {
            Ok(_) => Ok(()),
            // It goes on, and counts at the next connect.
            Err(error) if error.code() == Code::Timeout => Err(error),
            Err(error) => {
                self.lock().forget(topic);
                Err(error)
            }
        }
    }

    pub(super) fn unsubscribe(&self, topic: &str) -> Result<()> {
        check_filter(topic)?;
        let (session, timeout) = {
            let mut inner = self.lock();
            inner.forget(topic);
            (inner.session.clone(), inner.settings.connection_timeout())
        };
        let Some(session) = session else { return Ok(()) };
        session.unsubscribe(topic)?.wait(Some(timeout)).map(drop)
    }

    pub(super) fn unsubscribe_all(&self) -> Result<()> {
        let (session, timeout) = {
            let mut inner = self.lock();
            inner.subscriptions.clear();
            (inner.session.clone(), inner.settings.connection_timeout())
        };
        let Some(session) = session else { return Ok(()) };
        session.unsubscribe_all()?.wait(Some(timeout)).and_then(none_refused)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Waits for an earlier session of this object that has been disconnected, but has its store open.
    fn wait_for_store(&self, deadline: Instant) {
        let closing = self.lock().closing.take();
        if let Some(closing) = closing {
            // Nothing is ever sent: the other end is dropped when the session is closed.
            let _closed = closing.recv_timeout(until(deadline));
        }
    }

    /// A new session and what it is to subscribe to; nothing when it is connected already.
    fn new_session(&self) -> Result<Option<(Session, Vec<Subscription>)>> {
        let mut inner = self.lock();
        if inner.session.is_some() {
            return if inner.connected { Ok(None) } else { Err(Code::Busy.into()) };
        }
        let session = Session::new(&inner.settings.options()?)?;
        inner.session = Some(session.clone());
        inner.connected = false;
        inner.has_store = inner.settings.has_store();
        Ok(Some((session, inner.subscriptions.clone())))
    }

    /// The session, and whether it has a store.
    fn take_session(&self) -> Option<(Session, bool)> {
        let mut inner = self.lock();
        inner.connected = false;
        let has_store = inner.has_store;
        inner.session.take().map(|session| (session, has_store))
    }

    /// The session, if it has been connected; its messages may come before `connect` has returned.
    /// With it how long to wait for its store, if it has one.
    fn connected_session(&self) -> Result<(Session, Option<Duration>)> {
        let inner = self.lock();
        let (session, connected) = (inner.session.clone(), inner.connected);
        let store_timeout = inner.has_store.then(|| inner.settings.connection_timeout());
        drop(inner);
        session
            .filter(|session| connected || session.state() == State::Connected)
            .map(|session| (session, store_timeout))
            .ok_or_else(|| Code::NotConnected.into())
    }

    fn handler(self: &Arc<Self>, procedure: MessageProcedure) -> impl Handler + use<> {
        ProcedureHandler { session: Arc::clone(self), procedure }
    }

    /// Calls the procedure when the message is complete, unless it has been taken away.
    fn completion(
        self: &Arc<Self>,
        procedure: Arc<Mutex<Option<PublishProcedure>>>,
        quality: QoS,
    ) -> Completion {
        let session = Arc::clone(self);
        Completion::new(move |number: u64, outcome: Outcome| {
            if outcome.is_ok()
                && let Some(PublishProcedure { function, user_data }) = take(&procedure)
            {
                let _inside = Inside::enter();
                let session = Arc::as_ptr(&session).cast_mut();
                // SAFETY: the procedure is the caller's promise; the object is held for the call.
                unsafe { function(session, number_for(quality, number), user_data) };
            }
        })
    }
}

impl Inner {
    fn forget(&mut self, topic: &str) {
        self.subscriptions.retain(|it| it.topic != topic);
    }
}

/// Calls a message procedure; keeps the object alive for it.
struct ProcedureHandler {
    session: Arc<mqttSession>,
    procedure: MessageProcedure,
}

impl Handler for ProcedureHandler {
    fn handle(&self, message: &Message<'_>) -> Handled {
        let _inside = Inside::enter();
        let MessageProcedure { function, user_data } = self.procedure;
        let session = Arc::as_ptr(&self.session).cast_mut();
        let payload = message.payload();
        with_nul(message.topic(), |topic| {
            // SAFETY: the procedure is the caller's promise; all arguments outlive the call.
            unsafe { function(session, topic, payload.as_ptr().cast(), payload.len(), user_data) }
        });
        Handled::Done
    }
}

/// More than enough for what has a limit of its own to say that it has passed.
const GRACE: Duration = Duration::from_secs(1);

/// Waits until everything accepted has ended and its procedures have returned, then disconnects.
fn drain(session: &Session, timeout: Duration, has_store: bool) -> Result<()> {
    let options = DisconnectOptions { drain: timeout, ..DisconnectOptions::default() };
    let unended = session.disconnect(options)?.wait(Some(timeout + GRACE))?;
    all_ended(unended, has_store)
}

/// Closes a session; waits for its last procedure until the deadline and lets it run on after. What it
/// answers then ends when the session is closed.
fn close_within(session: Session, deadline: Instant) -> Option<mpsc::Receiver<()>> {
    if callback::is_inside() {
        session.close();
        return None;
    }
    let (closed, waiter) = mpsc::channel::<()>();
    let close = {
        let session = session.clone();
        move || {
            session.close();
            drop(closed);
        }
    };
    match thread::Builder::new().name("mqtt-close".to_owned()).spawn(close) {
        // Nothing is ever sent: the other end is dropped when the session is closed.
        Ok(_) => match waiter.recv_timeout(until(deadline)) {
            Err(mpsc::RecvTimeoutError::Timeout) => Some(waiter),
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => None,
        },
        Err(_) => {
            session.close();
            None
        }
    }
}

/// Why a publish cannot say that its message survives.
fn not_stored(error: Error) -> Error {
    match error.code() {
        Code::Timeout => Error::new(
            Code::Timeout,
            "The message was not in the StoreDirectory when ConnectionTimeout had passed; it may \
             still be stored and sent",
        ),
        _ => error,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what a mutex holds, which is not locked any more when this returns.
fn take<T>(mutex: &Mutex<Option<T>>) -> Option<T> {
    lock(mutex).take()
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn with(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..Default::default() }
}

/// Legacy callers know a QoS 0 publish by 0.
fn number_for(quality: QoS, number: u64) -> i64 {
    match quality {
        QoS::AtMostOnce => 0,
        _ => i64::try_from(number).unwrap_or(i64::MAX),
    }
}

fn check_filter(topic: &str) -> Result<()> {
    topic::check_filter(topic.as_bytes()).map(drop).map_err(|cause| {
        Error::new(Code::InvalidFilter, format!("`{topic}` cannot be subscribed to: {cause}"))
            .with_source(cause)
    })
}

/// Gives a topic to C. A short one needs no memory.
fn with_nul(topic: &str, call: impl FnOnce(*const c_char)) {
    let mut short = [0_u8; 256];
    match short.get_mut(..topic.len()).filter(|_| topic.len() < 256) {
        Some(place) => {
            place.copy_from_slice(topic.as_bytes());
            call(short.as_ptr().cast());
        }
        // A topic holds no NUL [MQTT-1.5.4-2].
        None => call(CString::new(topic).unwrap_or_default().as_ptr()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_topic_of_any_length_reaches_c_whole() {
        for length in [0, 1, 255, 256, 65_535] {
            let topic = "t".repeat(length);
            with_nul(&topic, |text| {
                // SAFETY: with_nul ends its text with NUL.
                assert_eq!(unsafe { CStr::from_ptr(text) }.to_str(), Ok(topic.as_str()));
            });
        }
    }

    #[test]
    fn a_subscription_before_connect_is_kept_and_replaced_by_topic() {
        unsafe extern "C" fn ignore(
            _: *mut mqttSession,
            _: *const c_char,
            _: *const c_void,
            _: usize,
            _: *mut c_void,
        ) {
        }
        let procedure = MessageProcedure { function: ignore, user_data: std::ptr::null_mut() };
        let session = Arc::new(mqttSession::new());
        session.subscribe("a/+", QoS::AtMostOnce, procedure).unwrap();
        session.subscribe("a/+", QoS::ExactlyOnce, procedure).unwrap();
        assert!(session.subscribe("a/#/b", QoS::AtMostOnce, procedure).is_err());
        {
            let inner = session.lock();
            let [only] = inner.subscriptions.as_slice() else { panic!("one is left") };
            assert_eq!((only.topic.as_str(), only.quality), ("a/+", QoS::ExactlyOnce));
        }
        session.unsubscribe("unknown").unwrap();
        session.unsubscribe_all().unwrap();
        assert!(session.lock().subscriptions.is_empty());
    }

    #[test]
    fn nothing_can_be_published_before_the_first_connect() {
        let session = Arc::new(mqttSession::new());
        let refused = session.publish("a", b"b", false, QoS::AtLeastOnce, None).unwrap_err();
        assert_eq!(refused.code(), Code::NotConnected);
        session.disconnect().unwrap();
    }
}
