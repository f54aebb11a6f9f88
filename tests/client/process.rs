//! What sessions share in a process: their number, their threads and descriptors, and its end.
//!
//! A test program of its own, whose tests run one after another: each looks at the whole process.

#[expect(dead_code, reason = "shared with the tests that share a process")]
mod support;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use mqttsession::{
    client::{
        Credentials, Dispatch, Message, Session, State, live_sessions, set_callback_threads,
        set_io_threads, shutdown,
    },
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::scripted::ScriptedBroker;

use support::*;

/// The process for one test.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    eventually("the last test's sessions are gone", || live_sessions() == 0);
    guard
}

/// Connects so many sessions at once, has each publish and receive, and closes them.
fn round(broker: &ScriptedBroker, count: usize) {
    thread::scope(|scope| {
        for _ in 0..count {
            let (session, mut peer) = connect(broker, &options(broker));
            let (handler, messages) = collect();
            subscribe(&session, &mut peer, "in", handler);
            peer.publish("in", 1, 1, "");
            let served = serve(peer);
            scope.spawn(move || {
                let number = publish(&session, "out", QoS::ExactlyOnce, "");
                session.wait(number, Some(DEADLINE)).unwrap();
                next(&messages);
                session.close();
                served.join().unwrap();
            });
        }
    });
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The names of the library's threads.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| name(task.ok()?))
        .filter(|name| name.starts_with("mqtt-"))
        .collect()
}

#[test]
fn sessions_are_counted_until_they_are_gone() {
    let _alone = alone();
    let broker = ScriptedBroker::start();
    let sessions: Vec<_> = (0..5).map(|_| connect(&broker, &options(&broker))).collect();
    assert_eq!(live_sessions(), 5);
    for (session, peer) in sessions {
        let served = serve(peer);
        session.close();
        served.join().unwrap();
    }
    eventually("they are gone", || live_sessions() == 0);
}

#[test]
#[cfg(target_os = "linux")]
fn three_hundred_sessions_leave_no_thread_and_no_descriptor_behind() {
    let _alone = alone();
    let broker = ScriptedBroker::start();
    round(&broker, 30);
    eventually("the first are gone", || live_sessions() == 0);
    let (descriptors_before, threads_before) = (descriptors(), threads().len());
    for _ in 0..10 {
        round(&broker, 30);
    }
    eventually("they are gone", || live_sessions() == 0);
    eventually("their descriptors are closed", || descriptors() <= descriptors_before);
    eventually("their threads have ended", || threads().len() <= threads_before);
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_idle_sessions_need_no_threads_of_their_own() {
    let _alone = alone();
    let broker = ScriptedBroker::start();
    let sessions: Vec<_> = (0..100).map(|_| connect(&broker, &options(&broker))).collect();
    let threads = threads();
    let io = threads.iter().filter(|name| name.starts_with("mqtt-io")).count();
    assert_eq!(io, 1, "{threads:?}");
    // Connecting looked names up and made no callback; what is idle ends by itself.
    assert!(threads.len() < 20, "{threads:?}");
    drop(sessions);
}

#[test]
fn shutdown_closes_every_session_after_its_last_callback() {
    let _alone = alone();
    let broker = ScriptedBroker::start();
    let mut sessions = Vec::new();
    for dispatch in [Dispatch::Dispatched, Dispatch::Inline, Dispatch::Polled] {
        let mut options = options(&broker);
        options.set_dispatch(dispatch);
        let (session, mut peer) = connect(&broker, &options);
        let (handler, dropped) = mortal();
        subscribe(&session, &mut peer, "in", handler);
        sessions.push((session, serve(peer), dropped));
    }
    let never_connected = Session::new(&options(&broker)).unwrap();
    shutdown(Some(DEADLINE)).unwrap();
    for (session, served, dropped) in sessions {
        assert_eq!(session.state(), State::Closed);
        dropped.try_recv().expect("the handler is gone");
        served.join().unwrap();
    }
    assert_eq!(never_connected.state(), State::Closed);
    assert_eq!(never_connected.connect().err().map(|error| error.code()), Some(Code::Closed));
}

#[test]
fn shutdown_says_when_a_callback_does_not_end() {
    let _alone = alone();
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect(&broker, &options(&broker));
    let (gate, threshold) = gate();
    let (sender, inside) = channel();
    let handler = move |_: &Message<'_>| {
        sender.send(shutdown(None).unwrap_err().code()).unwrap();
        threshold.pass();
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    assert_eq!(next(&inside), Code::WouldDeadlock);
    gate.wait_for_arrival();
    let served = serve(peer);
    let late = shutdown(Some(Duration::from_millis(50))).unwrap_err();
    assert_eq!(late.code(), Code::Timeout);
    gate.let_one_pass();
    shutdown(Some(DEADLINE)).unwrap();
    served.join().unwrap();
}

/// A callback waits for its session's connection, which needs credentials first.
#[test]
fn questions_do_not_wait_for_the_threads_of_callbacks() {
    let _alone = alone();
    set_callback_threads(1).unwrap();
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_clean_session(false);
    options.set_credentials_source(Some(Arc::new(|| Ok(Credentials::default()))));
    let (session, mut peer) = connect(&broker, &options);
    let (sender, ends) = channel();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| {
            let number = publish(&session, "out", QoS::AtLeastOnce, "");
            drop(sender.send(session.wait(number, Some(DEADLINE)).map(drop)));
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    peer.expect_publish();
    peer.close();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.connack(true, 0);
    let served = serve(peer);
    next(&ends).unwrap();
    session.close();
    served.join().unwrap();
    set_callback_threads(256).unwrap();
}

#[test]
fn closing_does_not_wait_for_a_question_that_no_thread_was_free_for() {
    const HELD_UP: usize = 20;
    let _alone = alone();
    // There may be threads left from the last test; these are more than those.
    set_callback_threads(1).unwrap();
    let broker = ScriptedBroker::start();
    let (gate, threshold) = gate();
    let mut slow = options(&broker);
    slow.set_credentials_source(Some(Arc::new(move || {
        threshold.pass();
        Ok(Credentials::default())
    })));
    let held_up: Vec<_> = (0..HELD_UP).map(|_| Session::new(&slow).unwrap()).collect();
    drop(slow);
    let connecting: Vec<_> = held_up.iter().map(Session::connect).collect();
    gate.wait_for_arrival();
    let asked = Arc::new(AtomicBool::new(false));
    let mut options = options(&broker);
    let ask = asked.clone();
    options.set_credentials_source(Some(Arc::new(move || {
        ask.store(true, Ordering::SeqCst);
        Ok(Credentials::default())
    })));
    let session = Session::new(&options).unwrap();
    session.connect().unwrap();
    eventually("it connects", || session.state() == State::Connecting);
    let (sender, closed) = channel();
    let closing = thread::spawn(move || {
        session.close();
        sender.send(()).unwrap();
    });
    next(&closed);
    closing.join().unwrap();
    assert!(!asked.load(Ordering::SeqCst), "a thread was free after all");
    // A gate that is gone stands open.
    drop(gate);
    held_up.iter().for_each(Session::close);
    drop(connecting);
    set_callback_threads(256).unwrap();
}

#[test]
fn the_numbers_of_threads_are_checked() {
    let _alone = alone();
    assert_eq!(set_callback_threads(0).unwrap_err().code(), Code::InvalidArgument);
    for threads in [0, 65] {
        assert_eq!(set_io_threads(threads).unwrap_err().code(), Code::InvalidArgument);
    }
    let broker = ScriptedBroker::start();
    let _session = Session::new(&options(&broker)).unwrap();
    assert_eq!(set_io_threads(2).unwrap_err().code(), Code::AlreadyConnected);
}
