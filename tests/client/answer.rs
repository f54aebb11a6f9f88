//! What a 5.0 broker says beside its answers can be read.

use mqttsession::{
    client::{Event, Session},
    error::Code,
    protocol::{QoS, ReasonCode, Version},
};
use mqttsession_tests::{
    property::{number, text, user},
    scripted::ScriptedBroker,
    wire,
};

use crate::support::*;

fn session(broker: &ScriptedBroker) -> Session {
    let mut options = options(broker);
    options.set_version(Version::V5).set_client_id("").unwrap();
    Session::new(&options).unwrap()
}

#[test]
fn everything_that_connack_says() {
    let broker = ScriptedBroker::start();
    let session = session(&broker);
    assert!(session.connected().is_none());
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    let said = [
        number("session-expiry-interval", 77),
        number("receive-maximum", 7),
        number("maximum-qos", 1),
        number("retain-available", 0),
        number("maximum-packet-size", 4096),
        text("assigned-client-identifier", "chosen"),
        number("topic-alias-maximum", 5),
        text("reason-string", "welcome"),
        user("a", "1"),
        user("a", "2"),
        number("wildcard-subscription-available", 0),
        number("subscription-identifier-available", 0),
        number("shared-subscription-available", 0),
        number("server-keep-alive", 33),
        text("response-information", "replies/"),
    ];
    peer.send(&wire::v5::connack(false, 0, &said.concat()));
    let connected = ended(connecting).unwrap();
    for connected in [connected, session.connected().unwrap()] {
        assert_eq!(&*connected.client_id, "chosen");
        assert_eq!(connected.session_expiry_interval(), Some(77));
        assert_eq!(connected.receive_maximum(), 7);
        assert_eq!(connected.maximum_qos(), QoS::AtLeastOnce);
        assert!(!connected.retain_available());
        assert_eq!(connected.maximum_packet_size(), Some(4096));
        assert_eq!(connected.topic_alias_maximum(), 5);
        assert_eq!(connected.reason_string(), Some("welcome"));
        let user: Vec<_> = connected.properties().user_properties().collect();
        assert_eq!(user, [("a", "1"), ("a", "2")]);
        assert!(!connected.wildcard_subscription_available());
        assert!(!connected.subscription_identifiers_available());
        assert!(!connected.shared_subscription_available());
        assert_eq!(connected.server_keep_alive(), Some(33));
        assert_eq!(connected.response_information(), Some("replies/"));
    }
}

#[test]
fn what_connack_does_not_say_is_the_specifications_default() {
    let (_broker, session, _peer) = connected_v5();
    let connected = session.connected().unwrap();
    assert_eq!(&*connected.client_id, "test");
    assert_eq!(connected.session_expiry_interval(), None);
    assert_eq!(connected.receive_maximum(), u16::MAX);
    assert_eq!(connected.maximum_qos(), QoS::ExactlyOnce);
    assert!(connected.retain_available());
    assert_eq!(connected.maximum_packet_size(), None);
    assert_eq!(connected.topic_alias_maximum(), 0);
    assert!(connected.wildcard_subscription_available());
    assert!(connected.subscription_identifiers_available());
    assert!(connected.shared_subscription_available());
    assert_eq!(connected.server_keep_alive(), None);
    assert_eq!(connected.response_information(), None);
}

#[test]
fn a_refusal_of_the_connection() {
    let broker = ScriptedBroker::start();
    let session = session(&broker);
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    let said = [text("reason-string", "full"), user("try", "later")].concat();
    peer.send(&wire::v5::connack(false, 0x97, &said));
    let error = ended(connecting).unwrap_err();
    assert_eq!((error.code(), error.reason_code()), (Code::ConnectRefused, Some(0x97)));
    assert_eq!(error.reason_string(), Some("full"));
    assert_eq!(error.user_properties(), [("try".to_owned(), "later".to_owned())]);
}

#[test]
fn a_disconnect() {
    let (_broker, session, mut peer) = connected_v5();
    let events = events(&session);
    let said = [
        text("reason-string", "maintenance"),
        text("server-reference", "other:1883"),
        user("until", "noon"),
    ];
    peer.send(&wire::v5::disconnect(0x9C, &said.concat()));
    let Event::Lost(error) = next(&events) else { panic!("it was not lost") };
    assert_eq!((error.code(), error.reason_code()), (Code::ServerMoved, Some(0x9C)));
    assert_eq!(error.reason_string(), Some("maintenance"));
    assert_eq!(error.server_reference(), Some("other:1883"));
    assert_eq!(error.user_properties(), [("until".to_owned(), "noon".to_owned())]);
}

#[test]
fn an_acknowledgement_of_a_message() {
    let (_broker, session, mut peer) = connected_v5();
    let said = [text("reason-string", "stored"), user("shard", "3")].concat();
    let delivered = publish(&session, "out", QoS::AtLeastOnce, "");
    let id = peer.expect_publish().id;
    peer.send(&wire::v5::puback(id, 0, &said));
    let outcome = session.wait(delivered, Some(DEADLINE)).unwrap();
    assert_eq!(outcome.reason, ReasonCode::Success);
    assert_eq!(outcome.said.reason_string(), Some("stored"));
    let user: Vec<_> = outcome.said.properties().user_properties().collect();
    assert_eq!(user, [("shard", "3")]);

    let refused = publish(&session, "out", QoS::ExactlyOnce, "");
    let id = peer.expect_publish().id;
    peer.send(&wire::v5::pubrec(id, 0x97, &said));
    let error = session.wait(refused, Some(DEADLINE)).unwrap_err();
    assert_eq!((error.code(), error.reason_code()), (Code::PublishRefused, Some(0x97)));
    assert_eq!(error.reason_string(), Some("stored"));
    assert_eq!(error.user_properties(), [("shard".to_owned(), "3".to_owned())]);
}

#[test]
fn the_answer_to_a_subscribe() {
    let (_broker, session, mut peer) = connected_v5();
    let filters = [("a", at(QoS::ExactlyOnce)), ("b", at(QoS::AtLeastOnce))];
    let subscribing = session.subscribe_many(&filters, Default::default(), ignore());
    let id = peer.expect_subscribe().id;
    let said = [text("reason-string", "half"), user("quota", "1")].concat();
    peer.send(&wire::v5::suback(id, &said, &[1, 0x97]));
    let results = ended(subscribing).unwrap();
    let [Ok(granted), Err(refused)] = &results[..] else { panic!("{results:?}") };
    assert_eq!(granted.qos, QoS::AtLeastOnce);
    assert_eq!(granted.said.reason_string(), Some("half"));
    assert_eq!(refused.reason_string(), Some("half"));
    assert_eq!(refused.user_properties(), [("quota".to_owned(), "1".to_owned())]);
}
