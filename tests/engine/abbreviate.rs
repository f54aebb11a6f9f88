//! Topic aliases that the session sets for its own messages.

use mqttsession::{
    engine::{Publication, Settings},
    protocol::{Property, Version},
};

use crate::{
    packets::{connack_with, properties, puback},
    pair::{Pair, message, persist},
};

/// Connected to a broker that takes this many.
fn online(maximum: u16, change: impl FnOnce(&mut Settings)) -> Pair {
    let mut pair = Pair::with(Version::V5, change);
    pair.connect(false);
    pair.sent();
    pair.receive(connack_with(&properties(&[Property::TopicAliasMaximum(maximum)])));
    pair
}

/// The session is resumed, and the broker takes this many.
fn resume(pair: &mut Pair, maximum: u16) -> Vec<String> {
    pair.connect(true);
    pair.sent();
    let announced = properties(&[Property::TopicAliasMaximum(maximum)]);
    let mut bytes = pair.encoded(connack_with(&announced));
    bytes[2] = 1; // session present
    pair.input(&bytes).unwrap();
    pair.sent()
}

#[test]
fn the_topic_goes_once_and_the_alias_from_then_on() {
    for qos in 0..3 {
        let mut pair = online(10, |_| {});
        for payload in ["1", "2"] {
            pair.publish(qos, "long/topic", payload);
        }
        pair.publish(qos, "other/topic", "3");
        pair.publish(qos, "long/topic", "4");
        let id = |number| if qos == 0 { String::new() } else { format!(" #{number}") };
        let expected = [
            format!("PUBLISH q{qos}{} long/topic=1 [TopicAlias(1)]", id(1)),
            format!("PUBLISH q{qos}{} =2 [TopicAlias(1)]", id(2)),
            format!("PUBLISH q{qos}{} other/topic=3 [TopicAlias(2)]", id(3)),
            format!("PUBLISH q{qos}{} =4 [TopicAlias(1)]", id(4)),
        ];
        assert_eq!(pair.sent(), expected);
    }
}

#[test]
fn the_alias_stands_before_the_other_properties_and_the_lengths_are_right() {
    let mut pair = online(10, |_| {});
    // With the alias the property length takes a byte more.
    let value = "v".repeat(120);
    let given = properties(&[Property::UserProperty("k", &value)]);
    for qos in [0, 1, 0, 1] {
        let properties = given.as_properties();
        pair.try_publish(Publication { properties, ..message(qos, "topic", "x") }).unwrap();
    }
    let rest = format!("UserProperty(\"k\", \"{value}\")]");
    let expected = [
        format!("PUBLISH q0 topic=x [TopicAlias(1), {rest}"),
        format!("PUBLISH q1 #1 =x [TopicAlias(1), {rest}"),
        format!("PUBLISH q0 =x [TopicAlias(1), {rest}"),
        format!("PUBLISH q1 #2 =x [TopicAlias(1), {rest}"),
    ];
    assert_eq!(pair.sent(), expected);
}

#[test]
fn a_large_payload_keeps_its_place_behind_an_alias() {
    let mut pair = online(10, |_| {});
    let large = "x".repeat(mqttsession::engine::LARGE_PAYLOAD);
    for qos in [0, 1, 0, 1] {
        pair.publish(qos, "topic", &large);
    }
    let expected = [
        "PUBLISH q0 topic=<16384> [TopicAlias(1)]",
        "PUBLISH q1 #1 =<16384> [TopicAlias(1)]",
        "PUBLISH q0 =<16384> [TopicAlias(1)]",
        "PUBLISH q1 #2 =<16384> [TopicAlias(1)]",
    ];
    assert_eq!(pair.sent(), expected);
}

#[test]
fn there_are_none_without_the_brokers_or_the_sessions_leave() {
    let none: fn(&mut Settings) = |settings| settings.topic_alias_limit = 0;
    for mut pair in [online(0, |_| {}), online(10, none), Pair::online(Version::V5)] {
        for _ in 0..2 {
            pair.publish(0, "topic", "x");
        }
        assert_eq!(pair.sent(), ["PUBLISH q0 topic=x"; 2]);
    }
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        for _ in 0..2 {
            pair.publish(0, "topic", "x");
        }
        assert_eq!(pair.sent(), ["PUBLISH q0 topic=x"; 2]);
    }
}

#[test]
fn the_lower_limit_counts_and_the_least_recently_used_is_replaced() {
    for mut pair in [online(2, |_| {}), online(9, |settings| settings.topic_alias_limit = 2)] {
        for topic in ["aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"] {
            pair.publish(0, topic, "");
        }
        let expected = [
            "PUBLISH q0 aaaa= [TopicAlias(1)]",
            "PUBLISH q0 bbbb= [TopicAlias(2)]",
            "PUBLISH q0 = [TopicAlias(1)]",
            "PUBLISH q0 cccc= [TopicAlias(2)]",
            "PUBLISH q0 = [TopicAlias(1)]",
            "PUBLISH q0 bbbb= [TopicAlias(2)]",
        ];
        assert_eq!(pair.sent(), expected);
    }
}

#[test]
fn a_topic_as_short_as_an_alias_is_written_out() {
    let mut pair = online(9, |_| {});
    for topic in ["a/b", "a/b", "a/bc", "a/bc"] {
        pair.publish(0, topic, "");
    }
    let expected = [
        "PUBLISH q0 a/b=",
        "PUBLISH q0 a/b=",
        "PUBLISH q0 a/bc= [TopicAlias(1)]",
        "PUBLISH q0 = [TopicAlias(1)]",
    ];
    assert_eq!(pair.sent(), expected);
}

#[test]
fn what_is_sent_again_carries_its_topic_and_the_table_begins_anew() {
    // [MQTT-3.3.2-7]
    let mut pair = online(9, persist);
    for payload in ["1", "2"] {
        pair.publish(1, "topic", payload);
    }
    assert_eq!(pair.sent().len(), 2);
    pair.lose();
    pair.publish(1, "topic", "3");
    pair.publish(0, "topic", "4");
    let expected = [
        "PUBLISH dup q1 #1 topic=1",
        "PUBLISH dup q1 #2 topic=2",
        "PUBLISH q1 #3 topic=3 [TopicAlias(1)]",
        "PUBLISH q0 =4 [TopicAlias(1)]",
    ];
    assert_eq!(resume(&mut pair, 9), expected);
    pair.lose();
    let expected =
        ["PUBLISH dup q1 #1 topic=1", "PUBLISH dup q1 #2 topic=2", "PUBLISH dup q1 #3 topic=3"];
    assert_eq!(resume(&mut pair, 0), expected);
    pair.publish(0, "topic", "5");
    assert_eq!(pair.sent(), ["PUBLISH q0 topic=5"], "this broker takes none");
}

#[test]
fn an_alias_that_was_never_written_is_gone_with_its_connection() {
    let mut pair = online(9, persist);
    pair.publish(0, "topic", "encoded, not written");
    pair.lose();
    resume(&mut pair, 9);
    pair.publish(0, "topic", "x");
    assert_eq!(pair.sent(), ["PUBLISH q0 topic=x [TopicAlias(1)]"]);
}

#[test]
fn a_message_that_was_published_anew_may_have_an_alias() {
    let mut pair = online(9, |_| {});
    pair.publish(1, "topic", "x");
    pair.sent();
    pair.lose();
    pair.connect(true);
    pair.receive(connack_with(&properties(&[Property::TopicAliasMaximum(9)])));
    assert_eq!(pair.sent()[1..], ["PUBLISH q1 #2 topic=x [TopicAlias(1)]"]);
}

fn aliased<'a>(topic: &'a str, of: &'a mqttsession::protocol::PropertyBlock) -> Publication<'a> {
    Publication { properties: of.as_properties(), ..message(0, topic, "") }
}

#[test]
fn an_alias_of_the_programs_and_those_of_the_session_are_one_table() {
    let mut pair = online(9, |settings| settings.topic_alias_limit = 2);
    let [one, two, nine] = [1, 2, 9].map(|alias| properties(&[Property::TopicAlias(alias)]));
    pair.publish(0, "aaaa", "");
    // The first alias now stands for another topic, and the third of the session's own is none.
    pair.try_publish(aliased("bbbb", &one)).unwrap();
    pair.publish(0, "bbbb", "");
    pair.publish(0, "aaaa", "");
    pair.publish(0, "aaaa", "");
    pair.try_publish(aliased("cccc", &nine)).unwrap();
    pair.publish(1, "cccc", "");
    pair.try_publish(Publication {
        qos: mqttsession::protocol::QoS::AtLeastOnce,
        ..aliased("dddd", &two)
    })
    .unwrap();
    pair.publish(0, "dddd", "");
    pair.publish(0, "aaaa", "");
    let expected = [
        "PUBLISH q0 aaaa= [TopicAlias(1)]",
        "PUBLISH q0 bbbb= [TopicAlias(1)]",
        "PUBLISH q0 = [TopicAlias(1)]",
        "PUBLISH q0 aaaa= [TopicAlias(2)]",
        "PUBLISH q0 = [TopicAlias(2)]",
        "PUBLISH q0 cccc= [TopicAlias(9)]",
        "PUBLISH q1 #1 cccc= [TopicAlias(1)]",
        "PUBLISH q1 #2 dddd= [TopicAlias(2)]",
        "PUBLISH q0 = [TopicAlias(2)]",
        "PUBLISH q0 aaaa= [TopicAlias(1)]",
    ];
    assert_eq!(pair.sent(), expected);
}

#[test]
fn no_alias_makes_a_packet_too_large_and_none_makes_it_fit() {
    for qos in [0, 1] {
        let mut pair = Pair::new(Version::V5);
        pair.connect(false);
        pair.sent();
        let limits = [Property::TopicAliasMaximum(9), Property::MaximumPacketSize(100)];
        pair.receive(connack_with(&properties(&limits)));
        // Fixed header 2, topic 7, no properties 1; at QoS 1 also a packet id.
        let longest = "x".repeat(100 - 10 - if qos == 0 { 0 } else { 2 });
        pair.publish(qos, "topic", &longest);
        assert_eq!(pair.sent_bytes().len(), 100, "written out");
        for _ in 0..2 {
            pair.publish(qos, "topic", "x");
        }
        assert!(pair.sent()[1].contains(" =x [TopicAlias(1)]"));
        // It would fit with the alias, but not when it has to be sent again.
        let refused = pair.try_publish(message(qos, "topic", &format!("{longest}x")));
        assert!(refused.is_err(), "QoS {qos}");
    }
}

#[test]
fn a_refused_message_sets_no_alias() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.sent();
    let limits = [Property::TopicAliasMaximum(9), Property::RetainAvailable(0)];
    pair.receive(connack_with(&properties(&limits)));
    assert!(pair.try_publish(Publication { retain: true, ..message(0, "topic", "") }).is_err());
    pair.publish(0, "topic", "");
    assert_eq!(pair.sent(), ["PUBLISH q0 topic= [TopicAlias(1)]"]);
}

#[test]
fn what_waits_in_the_queue_is_abbreviated_in_the_order_in_which_it_leaves() {
    let mut pair = online(9, |settings| settings.in_flight_limit = 1);
    for payload in ["1", "2"] {
        pair.publish(1, "topic", payload);
    }
    pair.publish(0, "other", "waits behind them");
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 topic=1 [TopicAlias(1)]"]);
    pair.receive(puback(1));
    let expected =
        ["PUBLISH q1 #2 =2 [TopicAlias(1)]", "PUBLISH q0 other=waits behind them [TopicAlias(2)]"];
    assert_eq!(pair.sent(), expected);
}
