//! Topic aliases for own messages, from a program's publish to the bytes of the connection.

use std::thread;

use mqttsession::protocol::{QoS, Version};
use mqttsession_tests::{property, scripted::ScriptedBroker, wire};

use crate::support::*;

#[test]
fn each_topic_goes_once_whatever_thread_publishes() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5).set_topic_alias_limit(2);
    let session = mqttsession::client::Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    peer.send(&wire::v5::connack(false, 0, &property::number("topic-alias-maximum", 5)));
    ended(connecting).unwrap();
    let publishing = ["one/topic", "two/topic"].map(|topic| {
        let session = session.clone();
        thread::spawn(move || {
            for count in 0..200 {
                let qos = if count % 3 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                publish(&session, topic, qos, topic);
            }
        })
    });
    let mut topics = ["".to_owned(), "".to_owned()];
    let mut full = 0;
    for _ in 0..400 {
        let message = peer.expect_publish();
        let alias = message.properties.number("topic-alias").expect("an alias") as usize;
        if !message.topic.is_empty() {
            full += 1;
            topics[alias - 1].clone_from(&message.topic);
        }
        assert_eq!(message.payload, topics[alias - 1].as_bytes());
        if message.qos == 1 {
            peer.send(&wire::v5::puback(message.id, 0, &[]));
        }
    }
    assert_eq!(full, 2);
    for thread in publishing {
        thread.join().unwrap();
    }
}
