//! What a question brings back is the program's: its errors' causes, its bytes, whoever answers. None of
//! it is let go of under a lock or on the I/O thread, and no panic of it leaves anybody waiting.

use std::{
    fmt,
    sync::{Arc, Mutex, mpsc::channel},
    thread,
    time::Duration,
};

use bytes::Bytes;
use mqttsession::{
    client::{AuthenticationStep, Authenticator, Dispatch, Event, Options, Session},
    error::{Code, Error, Result},
    protocol::Version,
};
use mqttsession_tests::scripted::ScriptedBroker;

use crate::support::*;

type Me = Arc<Mutex<Option<Session>>>;

/// A cause that calls its session when it is dropped, as an object of a program may.
struct Cause {
    me: Me,
    _mortal: Mortal,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the vault is locked")
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({self})")
    }
}

impl std::error::Error for Cause {}

impl Drop for Cause {
    fn drop(&mut self) {
        let me = self.me.lock().unwrap().clone();
        if let Some(session) = me {
            let _ = (session.state(), session.last_error(), session.statistics());
        }
    }
}

#[test]
fn the_cause_of_an_error_is_let_go_of_on_a_thread_where_that_does_no_harm() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let broker = ScriptedBroker::start();
        let me = Me::default();
        let (sender, deaths) = channel();
        let mut options = options(&broker);
        options.set_dispatch(dispatch);
        options.set_retry_first_connect(true);
        options.set_reconnect_delay(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
        let source = {
            let me = me.clone();
            move || {
                let (mortal, died) = Mortal::new();
                sender.send(died).unwrap();
                let cause = Cause { me: me.clone(), _mortal: mortal };
                Err(Error::new(Code::Timeout, "the vault does not answer").with_source(cause))
            }
        };
        options.set_credentials_source(Some(Arc::new(source)));
        let session = Session::new(&options).unwrap();
        // Polled, nobody takes its events: the oldest make room.
        session.set_event_handler(Some(Arc::new(|_| {}))).unwrap();
        *me.lock().unwrap() = Some(session.clone());
        let connecting = session.connect().unwrap();
        for _ in 0..100 {
            let thread = next(&next(&deaths));
            let harmless =
                thread.starts_with("mqtt-question") || thread.starts_with("mqtt-callback");
            assert!(harmless || dispatch == Dispatch::Inline, "{dispatch:?}: dropped by {thread}");
        }
        me.lock().unwrap().take();
        session.close();
        drop(connecting);
    }
}

/// Says that it ends, and then panics.
struct Bomb(#[expect(dead_code, reason = "it tells when it is dropped")] Mortal);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        b"tick"
    }
}

/// Closes the session on a thread that may hang.
#[track_caller]
fn close(session: &Session) {
    let (sender, closed) = channel();
    let session = session.clone();
    thread::spawn(move || {
        session.close();
        sender.send(()).unwrap();
    });
    next(&closed);
}

fn with(broker: &ScriptedBroker, authenticator: impl Authenticator) -> Options {
    let mut options = options(broker);
    options.set_version(Version::V5).set_authenticator("M", Arc::new(authenticator)).unwrap();
    options
}

#[test]
fn an_answer_that_panics_when_it_is_let_go_of() {
    struct Explosive;

    impl Authenticator for Explosive {
        fn answer(&self, _: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            Ok(Some(Bytes::from_owner(Bomb(Mortal::new().0))))
        }
    }

    let broker = ScriptedBroker::start();
    let session = Session::new(&with(&broker, Explosive)).unwrap();
    let error = ended(session.connect()).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::AuthenticationFailed, "{error:?}");
    close(&session);
}

#[test]
fn an_authenticator_that_panics_when_it_is_let_go_of() {
    struct Explosive {
        asked: Mutex<std::sync::mpsc::Sender<()>>,
        go_on: Mutex<std::sync::mpsc::Receiver<()>>,
        bomb: Bomb,
    }

    impl Authenticator for Explosive {
        fn answer(&self, _: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            self.asked.lock().unwrap().send(()).unwrap();
            let _ = self.go_on.lock().unwrap().recv_timeout(DEADLINE);
            Ok(Some(Bytes::copy_from_slice(self.bomb.as_ref())))
        }
    }

    let broker = ScriptedBroker::start();
    let ((sender, asked), (open, go_on)) = (channel(), channel());
    let (mortal, died) = Mortal::new();
    let explosive =
        Explosive { asked: Mutex::new(sender), go_on: Mutex::new(go_on), bomb: Bomb(mortal) };
    let session = Session::new(&with(&broker, explosive)).unwrap();
    let (handler, handler_died) = Mortal::new();
    let handler = move |_: &Event| {
        let _held = &handler;
    };
    session.set_event_handler(Some(Arc::new(handler))).unwrap();
    let connecting = session.connect().unwrap();
    next(&asked);
    let closing = {
        let session = session.clone();
        thread::spawn(move || close(&session))
    };
    assert_eq!(connecting.wait(Some(DEADLINE)).map(drop).unwrap_err().code(), Code::Closed);
    // The session lets go of everything, and the question is the last that holds the authenticator.
    next(&handler_died);
    open.send(()).unwrap();
    closing.join().unwrap();
    assert!(next(&died).starts_with("mqtt-"));
}
