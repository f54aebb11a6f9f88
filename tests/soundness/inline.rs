//! Callbacks on the I/O thread come also while there is no connection.

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use mqttsession::client::{Completion, Dispatch, Event, PublishOptions, Session};
use mqttsession_tests::scripted::ScriptedBroker;

use crate::support::*;

#[test]
fn events_and_ends_come_while_nothing_is_connected() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Inline);
    broker.refuse();
    let session = Session::new(&options).unwrap();
    let (sender, ends) = channel();
    // Before the first connect, too.
    let flushed = sender.clone();
    session.flush().unwrap().on_end(move |result| drop(flushed.send(format!("{result:?}"))));
    assert_eq!(next(&ends), "Ok(())");
    let events = sender.clone();
    let handler = move |event: &Event| {
        if let Event::Disconnected(Some(_)) = event {
            events.send("disconnected".to_owned()).unwrap();
        }
    };
    session.set_event_handler(Some(Arc::new(handler))).unwrap();
    session.connect().unwrap().on_end(move |result| {
        drop(sender.send(format!("connected: {}", result.is_ok())));
    });
    assert_eq!(next(&ends), "disconnected");
    assert_eq!(next(&ends), "connected: false");
}

#[test]
fn written_messages_end_without_anything_else_to_wake_for() {
    const MESSAGES: u64 = 1000;
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_dispatch(Dispatch::Inline);
    options.set_keep_alive(Duration::ZERO).unwrap();
    let (session, mut peer) = connect(&broker, &options);
    let (sender, ends) = channel();
    for _ in 0..MESSAGES {
        let sender = sender.clone();
        let completion =
            Completion::new(move |number, outcome| sender.send((number, outcome.is_ok())).unwrap());
        let options = PublishOptions { completion: Some(completion), ..PublishOptions::default() };
        session.publish("t", "x".into(), options).unwrap();
    }
    for number in 1..=MESSAGES {
        assert_eq!(next(&ends), (number, true));
        peer.expect_publish();
    }
    session.close();
}
