//! The questions' lane: what may overlap what, and who waits for whom.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use mqttsession::{
    client::{
        AuthenticationStep, Authenticator, Credentials, DisconnectOptions, Dispatch, Message,
        Options, PublishOptions, QueuePolicy, Session, State,
    },
    error::{Code, Result},
    protocol::{QoS, Version},
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use super::{connect_by, expect_auth, step, with};
use crate::support::*;

/// Runs this when it is asked to begin anew, and answers nothing ever.
struct Anew<F>(F);

impl<F: Fn() + Send + Sync + 'static> Authenticator for Anew<F> {
    fn answer(&self, step: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
        if step == AuthenticationStep::Reauthenticate {
            (self.0)();
        }
        Ok(None)
    }
}

/// Options whose source of credentials stands at a gate, once at a time.
fn waiting(broker: &ScriptedBroker) -> (Gate, Options) {
    let (gate, threshold) = gate();
    let (inside, times) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut options = options(broker);
    options.set_credentials_source(Some(Arc::new(move || {
        assert!(!inside.swap(true, Ordering::SeqCst), "two questions at once");
        threshold.pass();
        inside.store(false, Ordering::SeqCst);
        let time = 1 + times.fetch_add(1, Ordering::SeqCst);
        Ok(Credentials { user_name: Some(format!("asked-{time}")), password: None })
    })));
    (gate, options)
}

#[test]
fn a_question_overlaps_a_message_callback() {
    let broker = ScriptedBroker::start();
    let (question, at_question) = gate();
    let (session, mut peer) =
        connect_by(&broker, &with(&broker, Arc::new(Anew(move || at_question.pass()))));
    let (callback, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    callback.wait_for_arrival();
    // The receiving queue stands still; the question is asked and answered all the same.
    let authenticating = session.reauthenticate();
    question.wait_for_arrival();
    question.let_one_pass();
    assert_eq!(expect_auth(&mut peer).0, 0x19);
    peer.send(&wire::v5::auth(0, &step("")));
    ended(authenticating).unwrap();
    callback.let_one_pass();
}

#[test]
fn a_callback_may_wait_for_what_needs_a_question() {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect_by(&broker, &with(&broker, Arc::new(Anew(|| {}))));
    let (sender, results) = channel();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| drop(sender.send(ended(session.reauthenticate())))
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    assert_eq!(expect_auth(&mut peer).0, 0x19);
    peer.send(&wire::v5::auth(0, &step("")));
    next(&results).unwrap();
}

/// Has a question make a call that waits for its session, whatever the dispatch.
#[track_caller]
fn deadlocks(call: impl Fn(&Session) -> Result<()> + Clone + Send + Sync + 'static) {
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let broker = ScriptedBroker::start();
        let (sender, results) = channel();
        let me: Arc<Mutex<Option<Session>>> = Arc::default();
        let authenticator = {
            let (me, call) = (me.clone(), call.clone());
            Anew(move || {
                let session = me.lock().unwrap().clone().unwrap();
                assert!(session.in_callback());
                assert!(thread_name().starts_with("mqtt-question"), "on {}", thread_name());
                let result = call(&session).map_err(|error| error.code());
                sender.send(result).unwrap();
            })
        };
        let mut options = with(&broker, Arc::new(authenticator));
        options.set_dispatch(dispatch);
        options.set_outgoing_limit(1, 1 << 20).unwrap();
        options.set_outgoing_policy(QueuePolicy::Block);
        let (session, peer) = connect_by(&broker, &options);
        assert!(!session.in_callback());
        *me.lock().unwrap() = Some(session.clone());
        drop(session.reauthenticate().unwrap());
        assert_eq!(next(&results), Err(Code::WouldDeadlock), "{dispatch:?}");
        me.lock().unwrap().take();
        drop(peer);
        session.close();
    }
}

#[test]
fn a_call_that_waits_for_the_session_would_deadlock() {
    deadlocks(|session| {
        let number = publish(session, "out", QoS::AtLeastOnce, "");
        session.wait(number, Some(DEADLINE)).map(drop)
    });
    deadlocks(|session| {
        // There is room for one.
        publish(session, "out", QoS::AtLeastOnce, "");
        let second = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        session.publish("out", "".into(), second).map(drop)
    });
    deadlocks(|session| {
        publish(session, "out", QoS::AtLeastOnce, "");
        ended(session.flush())
    });
    deadlocks(|session| {
        publish(session, "out", QoS::AtLeastOnce, "");
        ended(session.disconnect(DisconnectOptions::default())).map(drop)
    });
    deadlocks(|session| ended(session.subscribe("in", at(QoS::AtMostOnce), ignore())).map(drop));
}

#[test]
fn polling_inside_a_question_is_busy() {
    let broker = ScriptedBroker::start();
    let (sender, results) = channel();
    let mut polled = options(&broker);
    polled.set_dispatch(Dispatch::Polled);
    let (polled, _peer) = connect(&broker, &polled);
    let other = polled.clone();
    let authenticator = Anew(move || {
        sender.send(other.poll(None, 1).unwrap_err().code()).unwrap();
    });
    let (session, _peer) = connect_by(&broker, &with(&broker, Arc::new(authenticator)));
    drop(session.reauthenticate().unwrap());
    assert_eq!(next(&results), Code::Busy);
    drop(session);
}

#[test]
fn closing_inside_a_question_does_not_wait() {
    let broker = ScriptedBroker::start();
    let (mourner, dropped) = Mourner::new();
    let (sender, returned) = channel();
    let me: Arc<Mutex<Option<Session>>> = Arc::default();
    let authenticator = {
        let me = me.clone();
        Anew(move || {
            let _held = &mourner;
            me.lock().unwrap().take().unwrap().close();
            sender.send(()).unwrap();
        })
    };
    let options = with(&broker, Arc::new(authenticator));
    let (session, peer) = connect_by(&broker, &options);
    drop(options);
    *me.lock().unwrap() = Some(session.clone());
    let authenticating = session.reauthenticate().unwrap();
    drop(session);
    // What it answered may still leave.
    let served = serve(peer);
    next(&returned);
    served.join().unwrap();
    assert_eq!(authenticating.wait(Some(DEADLINE)).unwrap_err().code(), Code::Cancelled);
    let thread = next(&dropped);
    assert!(thread.starts_with("mqtt-"), "let go of by {thread}");
}

#[test]
fn closing_outside_waits_for_the_question_that_is_running() {
    let broker = ScriptedBroker::start();
    let (gate, threshold) = gate();
    let (mourner, dropped) = Mourner::new();
    let (closed, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let authenticator = {
        let (closed, late) = (closed.clone(), late.clone());
        Anew(move || {
            let _held = &mourner;
            threshold.pass();
            late.store(closed.load(Ordering::SeqCst), Ordering::SeqCst);
        })
    };
    let options = with(&broker, Arc::new(authenticator));
    let (session, mut peer) = connect_by(&broker, &options);
    drop(options);
    let authenticating = session.reauthenticate().unwrap();
    gate.wait_for_arrival();
    let closing = {
        let (session, closed) = (session.clone(), closed.clone());
        thread::spawn(move || {
            session.close();
            closed.store(true, Ordering::SeqCst);
        })
    };
    // The decision is made at once.
    peer.expect_disconnect();
    drop(peer);
    assert_eq!(authenticating.wait(Some(DEADLINE)).unwrap_err().code(), Code::Cancelled);
    eventually("the session is closed", || session.state() == State::Closed);
    assert!(dropped.try_recv().is_err(), "the authenticator is being called");
    gate.let_one_pass();
    closing.join().unwrap();
    assert!(!late.load(Ordering::SeqCst), "close returned before the question");
    assert!(dropped.try_recv().is_ok(), "close returned before the authenticator was let go of");
}

#[test]
fn a_question_that_does_not_return_holds_up_no_decision() {
    let broker = ScriptedBroker::start();
    let (gate, options) = waiting(&broker);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    gate.wait_for_arrival();
    ended(session.disconnect(DisconnectOptions::default())).unwrap();
    assert_eq!(ended(connecting).map(drop).unwrap_err().code(), Code::Cancelled);
    // The next attempt asks anew, one question at a time: the late answer is none of its.
    let connecting = session.connect();
    gate.let_one_pass();
    gate.wait_for_arrival();
    gate.let_one_pass();
    let mut peer = broker.accept();
    assert_eq!(peer.expect_connect().user.as_deref(), Some("asked-2"));
    peer.connack(false, 0);
    ended(connecting).unwrap();
    session.close();
}

#[test]
fn an_answer_after_the_good_bye_changes_nothing() {
    struct Late(Threshold);
    impl Authenticator for Late {
        fn answer(&self, step: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            if step != AuthenticationStep::Reauthenticate {
                return Ok(None);
            }
            self.0.pass();
            Err(Code::Timeout.into())
        }
    }
    let broker = ScriptedBroker::start();
    let (gate, threshold) = gate();
    let (session, mut peer) = connect_by(&broker, &with(&broker, Arc::new(Late(threshold))));
    let authenticating = session.reauthenticate();
    gate.wait_for_arrival();
    let disconnecting = session.disconnect(DisconnectOptions::default());
    assert_eq!(peer.expect_disconnect().reason, 0);
    gate.let_one_pass();
    IoFence::new().pass();
    peer.close();
    ended(disconnecting).unwrap();
    assert_eq!(ended(authenticating).unwrap_err().code(), Code::Cancelled);
    assert!(session.last_error().is_none(), "{:?}", session.last_error());
}

#[test]
fn the_time_to_connect_runs_on_while_a_question_is_asked() {
    let broker = ScriptedBroker::start();
    let (gate, mut options) = waiting(&broker);
    options.set_connect_timeout(Duration::from_millis(20)).unwrap();
    let session = Session::new(&options).unwrap();
    let error = ended(session.connect()).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::ConnectTimeout);
    assert!(error.message().contains("The source of the credentials did not answer"), "{error}");
    gate.wait_for_arrival();
    gate.let_one_pass();
    session.close();
}

#[test]
fn the_time_to_connect_runs_on_while_the_broker_waits_for_an_answer() {
    struct Slow(Threshold);
    impl Authenticator for Slow {
        fn answer(&self, step: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            if step == AuthenticationStep::Continue {
                self.0.pass();
            }
            Ok(None)
        }
    }
    // The time is up only after the broker has spoken, however slow the machine is.
    for time in (0..).map(|doubled| Duration::from_millis(100) * (1 << doubled)) {
        let broker = ScriptedBroker::start();
        let (gate, threshold) = gate();
        let mut options = with(&broker, Arc::new(Slow(threshold)));
        options.set_connect_timeout(time).unwrap();
        let session = Session::new(&options).unwrap();
        let connecting = session.connect();
        // It waits in the socket for CONNECT.
        let mut peer = broker.accept();
        peer.send(&wire::v5::auth(0x18, &step("one")));
        let error = ended(connecting).map(drop).unwrap_err();
        gate.let_one_pass();
        session.close();
        assert!(matches!(error.code(), Code::ConnectTimeout | Code::ConnackTimeout), "{error:?}");
        if error.message().contains("The authenticator did not answer the broker") {
            return assert_eq!(error.code(), Code::ConnackTimeout);
        }
        assert!(time < DEADLINE, "{error}");
    }
}

#[test]
fn questions_run_within_the_scope_of_callbacks() {
    thread_local! {
        static WITHIN: AtomicBool = const { AtomicBool::new(false) };
    }
    struct Within(std::sync::mpsc::Sender<bool>);
    impl Authenticator for Within {
        fn answer(&self, _: AuthenticationStep, _: Option<&[u8]>) -> Result<Option<Bytes>> {
            self.0.send(WITHIN.with(|within| within.load(Ordering::SeqCst))).unwrap();
            Ok(None)
        }
    }
    impl Drop for Within {
        fn drop(&mut self) {
            let _ = self.0.send(WITHIN.with(|within| within.load(Ordering::SeqCst)));
        }
    }
    let broker = ScriptedBroker::start();
    let (sender, within) = channel();
    let mut options = with(&broker, Arc::new(Within(sender)));
    options.set_callback_scope(Some(Arc::new(|run: &mut dyn FnMut()| {
        WITHIN.with(|within| within.store(true, Ordering::SeqCst));
        run();
        WITHIN.with(|within| within.store(false, Ordering::SeqCst));
    })));
    let (session, peer) = connect_by(&broker, &options);
    drop(options);
    let served = serve(peer);
    session.close();
    assert_eq!(within.try_iter().collect::<Vec<_>>(), [true; 3], "two questions and the end");
    served.join().unwrap();
}

#[test]
fn many_sessions_ask_at_the_same_time() {
    const SESSIONS: usize = 20;
    let broker = ScriptedBroker::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let mut options = options(&broker);
    options.set_version(Version::V311);
    let count = asked.clone();
    options.set_credentials_source(Some(Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        // Nobody passes before all have come.
        eventually("all are asked", || count.load(Ordering::SeqCst) >= SESSIONS);
        Ok(Credentials::default())
    })));
    let sessions: Vec<_> = (0..SESSIONS).map(|_| Session::new(&options).unwrap()).collect();
    let connecting: Vec<_> = sessions.iter().map(Session::connect).collect();
    let _peers: Vec<_> = (0..SESSIONS).map(|_| broker.accept_session()).collect();
    connecting.into_iter().for_each(|connecting| drop(ended(connecting).unwrap()));
}
