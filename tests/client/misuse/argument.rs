//! Calls with arguments that cannot be, in this version or with this broker.

use mqttsession::{
    client::{DisconnectOptions, Payload, PublishOptions, Session},
    error::{Code, Result},
    protocol::{Property, PropertyBlock, QoS, ReasonCode, SubscriptionOptions, Version},
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use super::assert_told;
use crate::support::*;

/// A call, its code and its sentence.
type Call = (fn(&Session) -> Result<()>, Code, &'static str);

fn block(property: Property<'_>) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    block.push(property).expect("a legal property");
    block
}

fn publish_to(session: &Session, topic: &str) -> Result<()> {
    session.publish(topic, b"".into(), PublishOptions::default()).map(drop)
}

fn publish_with(session: &Session, property: Property<'_>) -> Result<()> {
    let options = PublishOptions { properties: block(property), ..PublishOptions::default() };
    session.publish("a", b"".into(), options).map(drop)
}

fn subscribe_to(session: &Session, filter: &str) -> Result<()> {
    session.subscribe(filter, at(QoS::AtMostOnce), ignore()).map(drop)
}

fn subscribe_with(session: &Session, property: Property<'_>) -> Result<()> {
    let filters = [("a", at(QoS::AtMostOnce))];
    session.subscribe_many(&filters, block(property), ignore()).map(drop)
}

fn disconnect_with(session: &Session, reason: ReasonCode, properties: PropertyBlock) -> Result<()> {
    let options = DisconnectOptions { reason, properties, ..DisconnectOptions::default() };
    session.disconnect(options).map(drop)
}

/// Wrong in every session that is connected.
const CONNECTED: &[Call] = &[
    (
        |session| publish_to(session, ""),
        Code::InvalidTopic,
        "The topic cannot be used: it is empty",
    ),
    (
        |session| publish_to(session, "a/+"),
        Code::InvalidTopic,
        "The topic cannot be used: it holds a wildcard, which only a filter may",
    ),
    (
        |session| publish_to(session, "a\0"),
        Code::InvalidTopic,
        "The topic cannot be used: it holds the character U+0000",
    ),
    (
        |session| publish_to(session, &"x".repeat(65_536)),
        Code::InvalidTopic,
        "The topic cannot be used: it is longer than 65,535 bytes",
    ),
    (
        |session| session.wait(0, None).map(drop),
        Code::UnknownMessage,
        "No message has the number 0; a number is what publish returns",
    ),
    (
        |session| session.wait(99, None).map(drop),
        Code::UnknownMessage,
        "No message has the number 99; a number is what publish returns",
    ),
    (
        |session| subscribe_to(session, ""),
        Code::InvalidFilter,
        "The filter \"\" cannot be used: it is empty",
    ),
    (
        |session| subscribe_to(session, "a/#/b"),
        Code::InvalidFilter,
        "The filter \"a/#/b\" cannot be used: `#` must be a level of its own, and the last one",
    ),
    (
        |session| subscribe_to(session, "a+"),
        Code::InvalidFilter,
        "The filter \"a+\" cannot be used: `+` must be a level of its own",
    ),
    (
        |session| subscribe_to(session, "$share//a"),
        Code::InvalidFilter,
        "The filter \"$share//a\" cannot be used: `$share/` must be followed by the name of a \
         group",
    ),
    (
        |session| subscribe_to(session, "$share/g"),
        Code::InvalidFilter,
        "The filter \"$share/g\" cannot be used: a filter must read `$share/group/filter`, \
         without a wildcard in the group",
    ),
    (
        |session| subscribe_to(session, "a\0"),
        Code::InvalidFilter,
        "The filter \"a\\0\" cannot be used: it holds the character U+0000",
    ),
    (
        |session| subscribe_to(session, &"/".repeat(1000)),
        Code::InvalidFilter,
        "The filter cannot be used: it has more than 1000 levels",
    ),
    (
        |session| session.subscribe_many(&[], PropertyBlock::new(), ignore()).map(drop),
        Code::InvalidArgument,
        "A subscribe needs at least one filter",
    ),
    (
        |session| session.unsubscribe("#/a").map(drop),
        Code::InvalidFilter,
        "The filter \"#/a\" cannot be used: `#` must be a level of its own, and the last one",
    ),
    (
        |session| session.poll(None, 1).map(drop),
        Code::NotSupported,
        "Only a session whose options set the dispatch to polled can be polled",
    ),
];

/// Wrong in a session of 3.1.1.
const BEFORE_5: &[Call] = &[
    (
        |session| publish_with(session, Property::ContentType("text")),
        Code::NotSupported,
        "Before MQTT 5.0 a message has no properties; leave them out or choose version 5.0",
    ),
    (
        |session| subscribe_with(session, Property::SubscriptionIdentifier(1)),
        Code::NotSupported,
        "Before MQTT 5.0 a subscribe has no properties; leave them out or choose version 5.0",
    ),
    (
        |session| {
            let options = SubscriptionOptions { no_local: true, ..at(QoS::AtMostOnce) };
            session.subscribe("a", options, ignore()).map(drop)
        },
        Code::NotSupported,
        "The subscribe cannot be sent: this version of MQTT has no subscription options besides \
         the QoS",
    ),
    (
        |session| {
            disconnect_with(session, ReasonCode::Success, block(Property::ReasonString("bye")))
        },
        Code::NotSupported,
        "Before MQTT 5.0 a disconnect has no properties; leave them out or choose version 5.0",
    ),
];

/// Wrong in a session of 5.0.
const SINCE_5: &[Call] = &[
    (
        |session| publish_with(session, Property::SessionExpiryInterval(1)),
        Code::InvalidArgument,
        "The message cannot be sent: it would be a PUBLISH with the property Session Expiry \
         Interval, which has no place there",
    ),
    (
        |session| publish_with(session, Property::SubscriptionIdentifier(1)),
        Code::InvalidArgument,
        "The message cannot be sent: the property Subscription Identifier belongs to a subscribe, \
         and only brokers add it to messages",
    ),
    (
        |session| subscribe_with(session, Property::ReasonString("why")),
        Code::InvalidArgument,
        "The subscribe cannot be sent: it would be a SUBSCRIBE with the property Reason String, \
         which has no place there",
    ),
    (
        |session| {
            let options = SubscriptionOptions { no_local: true, ..at(QoS::AtMostOnce) };
            session.subscribe("$share/g/a", options, ignore()).map(drop)
        },
        Code::InvalidArgument,
        "The subscribe cannot be sent: it would be a SUBSCRIBE with no local on a shared \
         subscription [MQTT-3.8.3-4]",
    ),
    (
        |session| disconnect_with(session, ReasonCode::Banned, PropertyBlock::new()),
        Code::InvalidArgument,
        "The disconnect cannot be sent: it would be a DISCONNECT with a reason code that is not \
         one of its own [MQTT-3.14.2-1]",
    ),
    (
        |session| disconnect_with(session, ReasonCode::ServerBusy, PropertyBlock::new()),
        Code::InvalidArgument,
        "The disconnect cannot be sent: it would be a DISCONNECT with a reason code that only \
         brokers may give",
    ),
    (
        |session| {
            let property = Property::SessionExpiryInterval(60);
            disconnect_with(session, ReasonCode::Success, block(property))
        },
        Code::InvalidArgument,
        "The disconnect cannot be sent: a session expiry interval above 0 needs one above 0 in \
         the options, too",
    ),
    (
        |session| {
            let property = Property::ReceiveMaximum(60);
            disconnect_with(session, ReasonCode::Success, block(property))
        },
        Code::InvalidArgument,
        "The disconnect cannot be sent: it would be a DISCONNECT with the property Receive \
         Maximum, which has no place there",
    ),
];

#[test]
fn a_call_with_a_wrong_argument_changes_nothing() {
    for (version, own) in [(Version::V311, BEFORE_5), (Version::V5, SINCE_5)] {
        let broker = ScriptedBroker::start();
        let mut options = options(&broker);
        options.set_version(version);
        let (session, mut peer) = connect(&broker, &options);
        for &(call, code, sentence) in CONNECTED.iter().chain(own) {
            assert_told(sentence, call(&session), code, sentence);
        }
        assert!(peer.fence().is_empty(), "something was sent");
        assert_eq!(session.statistics().subscriptions, 0);
    }
}

#[test]
fn a_long_filter_is_not_repeated_in_full() {
    let (_broker, session, _peer) = connected();
    let error = subscribe_to(&session, &"x".repeat(65_536)).unwrap_err();
    let beginning = "x".repeat(80);
    let sentence =
        format!("The filter \"{beginning}\"… cannot be used: it is longer than 65,535 bytes");
    assert_eq!((error.code(), error.message()), (Code::InvalidFilter, &sentence[..]));
}

/// What a broker that takes nearly nothing does not take.
const BEYOND_THE_BROKER: &[Call] = &[
    (
        |session| {
            let options = PublishOptions { qos: QoS::ExactlyOnce, ..PublishOptions::default() };
            session.publish("a", b"".into(), options).map(drop)
        },
        Code::NotSupported,
        "The broker takes no messages above QoS 1",
    ),
    (
        |session| {
            let options = PublishOptions { retain: true, ..PublishOptions::default() };
            session.publish("a", b"".into(), options).map(drop)
        },
        Code::NotSupported,
        "The broker keeps no retained messages",
    ),
    (
        |session| {
            let payload = Payload::from(vec![0; 200]);
            session.publish("a", payload, PublishOptions::default()).map(drop)
        },
        Code::PayloadTooLarge,
        "The broker takes packets of at most 100 bytes; this one would have 207",
    ),
    (
        |session| publish_with(session, Property::TopicAlias(1)),
        Code::NotSupported,
        "The broker takes topic aliases up to 0",
    ),
    (
        |session| subscribe_to(session, "a/#"),
        Code::NotSupported,
        "The broker has no wildcard subscriptions",
    ),
    (
        |session| subscribe_to(session, "$share/g/a"),
        Code::NotSupported,
        "The broker has no shared subscriptions",
    ),
    (
        |session| subscribe_with(session, Property::SubscriptionIdentifier(1)),
        Code::NotSupported,
        "The broker has no subscription identifiers",
    ),
    (
        |session| subscribe_to(session, &"x".repeat(200)),
        Code::PayloadTooLarge,
        "The broker takes packets of at most 100 bytes; this one would have 209",
    ),
];

#[test]
fn what_the_broker_does_not_take_is_refused_before_it_is_sent() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    peer.expect_connect();
    let limits = b"\x24\x01\x25\0\x27\0\0\0\x64\x28\0\x29\0\x2A\0";
    peer.send(&wire::v5::connack(false, 0, limits));
    ended(connecting).unwrap();
    for &(call, code, sentence) in BEYOND_THE_BROKER {
        assert_told(sentence, call(&session), code, sentence);
    }
    assert!(peer.fence().is_empty(), "something was sent");
}
