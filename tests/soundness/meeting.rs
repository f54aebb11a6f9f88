//! Two sessions whose callbacks want something of each other.

use std::sync::{Arc, Barrier, mpsc::channel};

use mqttsession::client::{Message, Session};
use mqttsession_tests::scripted::ScriptedBroker;

use crate::support::*;

#[test]
fn handlers_that_unsubscribe_each_other_both_return() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    let (first, mut first_peer) = connect(&broker, &options);
    options.set_client_id("other").unwrap();
    let (second, mut second_peer) = connect(&broker, &options);
    let inside = Arc::new(Barrier::new(2));
    let (sender, returned) = channel();
    let ends = |other: &Session| {
        let (other, inside, sender) = (other.clone(), inside.clone(), sender.clone());
        move |_: &Message<'_>| {
            inside.wait();
            let _unanswered = other.unsubscribe("t").unwrap();
            sender.send(()).unwrap();
        }
    };
    subscribe(&first, &mut first_peer, "t", ends(&second));
    subscribe(&second, &mut second_peer, "t", ends(&first));
    first_peer.publish("t", 0, 0, "");
    second_peer.publish("t", 0, 0, "");
    next(&returned);
    next(&returned);
}
