//! Every call from inside a message handler, while messages keep arriving.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread::{self, JoinHandle},
};

use mqttsession::{
    client::{DisconnectOptions, Dispatch, Message, Session, State},
    error::Result,
    protocol::QoS,
};
use mqttsession_tests::{
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
};

use crate::support::*;

/// How many more messages arrive before each answer.
const BURST: usize = 50;

/// Answers like an obliging broker, but only after a burst of messages; the result is how many
/// messages that made.
fn chatter(mut peer: Peer) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut sent = 0;
        loop {
            let seen = peer.receive();
            if matches!(seen, Seen::Disconnect(_)) {
                return sent;
            }
            if matches!(seen, Seen::Puback(_)) {
                continue;
            }
            for _ in 0..BURST {
                sent += 1;
                peer.publish("in", 1, sent as u16, "more");
            }
            peer.answer(&seen);
        }
    })
}

/// Has a handler make a call with the first message, and expects it to succeed there.
#[track_caller]
fn inside(dispatch: Dispatch, call: impl Fn(&Session) -> Result<()> + Send + Sync + 'static) {
    let broker = ScriptedBroker::start();
    let (session, mut peer) = connect_with(&broker, dispatch);
    let (sender, results) = channel();
    let received = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (session, received, first) = (session.clone(), received.clone(), AtomicBool::new(true));
        move |_: &Message<'_>| {
            if first.swap(false, Ordering::SeqCst) {
                let result = call(&session);
                let before_me = received.load(Ordering::SeqCst);
                sender.send((result, before_me)).unwrap();
            }
            received.fetch_add(1, Ordering::SeqCst);
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "first");
    let chatter = chatter(peer);
    let (result, during) = next(&results);
    result.unwrap();
    assert_eq!(during, 0, "another callback ran during the call");
    if ended(session.flush()).is_ok() {
        ended(session.disconnect(DisconnectOptions::default())).unwrap();
    }
    let sent = chatter.join().unwrap();
    session.close();
    let received = received.load(Ordering::SeqCst);
    assert!(received <= 1 + sent, "{received} of {sent} messages");
}

fn everywhere(call: impl Fn(&Session) -> Result<()> + Clone + Send + Sync + 'static) {
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        inside(dispatch, call.clone());
    }
}

#[test]
fn publish_and_wait() {
    everywhere(|session| {
        for qos in QOS {
            let number = publish(session, "out", qos, "");
            session.wait(number, Some(DEADLINE))?;
        }
        Ok(())
    });
}

#[test]
fn subscribe_and_wait() {
    everywhere(|session| {
        ended(session.subscribe("more/#", at(QoS::AtLeastOnce), ignore())).map(drop)
    });
}

#[test]
fn unsubscribe_and_wait() {
    everywhere(|session| ended(session.unsubscribe("in")).map(drop));
}

#[test]
fn flush_and_wait() {
    everywhere(|session| {
        for qos in QOS {
            publish(session, "out", qos, "");
        }
        ended(session.flush())
    });
}

#[test]
fn disconnect_and_wait() {
    everywhere(|session| {
        publish(session, "out", QoS::AtLeastOnce, "");
        let cancelled = ended(session.disconnect(DisconnectOptions::default()))?;
        assert_eq!((cancelled, session.state()), (0, State::Disconnected));
        Ok(())
    });
}

#[test]
fn close() {
    everywhere(|session| {
        session.close();
        // It has begun, and did not wait for the callback that this is.
        assert!(session.flush().is_err());
        Ok(())
    });
}

#[test]
fn a_call_that_waits_for_a_full_outgoing_queue() {
    everywhere(|session| {
        // More than the in-flight window, so that some wait for answers that come after messages.
        for _ in 0..100 {
            publish(session, "out", QoS::AtLeastOnce, "");
        }
        ended(session.flush())
    });
}

#[test]
fn the_last_handle_is_dropped_inside() {
    for dispatch in [Dispatch::Dispatched, Dispatch::Polled] {
        let broker = ScriptedBroker::start();
        let (session, mut peer) = connect_with(&broker, dispatch);
        let (mourner, dropped) = Mourner::new();
        let held = std::sync::Mutex::new(Some(session.clone()));
        let handler = move |_: &Message<'_>| {
            let _held = &mourner;
            drop(held.lock().unwrap().take());
        };
        subscribe(&session, &mut peer, "in", Arc::new(handler));
        drop(session);
        peer.publish("in", 0, 0, "");
        if dispatch == Dispatch::Dispatched {
            peer.expect_disconnect();
            assert_dropped_there(&dropped);
        } else {
            // Whoever polls still has a handle, so the session lives on.
            assert!(peer.fence().is_empty());
        }
    }
}
