//! Subscription identifiers (MQTT 5.0): who of several matching subscriptions a copy is for.

use mqttsession::{
    engine::{RouteId, Settings},
    protocol::{Packet, Property, PropertyBlock, Publish, Version},
};

use crate::{
    packets::{connack, connack_with, message0, message1, properties, suback, unsuback},
    pair::{Pair, persist},
};

fn identifiers(of: &[u32]) -> PropertyBlock {
    let of: Vec<_> = of.iter().map(|&number| Property::SubscriptionIdentifier(number)).collect();
    properties(&of)
}

/// Subscribes a filter with an identifier of the program's.
fn identified(pair: &mut Pair, filter: &str, number: u32) -> RouteId {
    pair.subscribe_with(&[filter], |_| {}, identifiers(&[number]))
}

/// Whom a message with these identifiers reaches.
fn routes(pair: &mut Pair, topic: &str, of: &[u32]) -> Vec<RouteId> {
    let said = identifiers(of);
    let message = Publish { properties: said.as_properties(), ..message0(topic, "") };
    pair.deliver(message).remove(0).routes
}

#[test]
fn every_subscribe_gets_one_and_keeps_it() {
    let mut pair = Pair::new(Version::V5);
    pair.subscribe(&["a:0", "b:0"]);
    pair.subscribe(&["c:0"]);
    pair.connect(false);
    pair.sent();
    pair.receive(connack(false));
    let first = ["a:0 b:0", "c:0"];
    let sent = pair.sent();
    for (index, filters) in first.iter().enumerate() {
        let number = index + 1;
        assert_eq!(
            sent[index],
            format!("SUBSCRIBE #{number} {filters} [SubscriptionIdentifier({number})]")
        );
    }
    // The connection is lost before the answer, and after it.
    assert_eq!(pair.reconnect(false).len(), 2);
    pair.receive(suback(3, &[0, 0]));
    pair.receive(suback(4, &[0]));
    let renewed = pair.reconnect(false);
    assert_eq!(
        renewed,
        [
            "SUBSCRIBE #5 a:0+SendIfNew b:0+SendIfNew [SubscriptionIdentifier(1)]",
            "SUBSCRIBE #6 c:0+SendIfNew [SubscriptionIdentifier(2)]"
        ]
    );
}

#[test]
fn the_older_versions_have_none() {
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        pair.subscribe(&["a:0"]);
        assert_eq!(pair.sent(), ["SUBSCRIBE #1 a:0"]);
    }
}

#[test]
fn a_copy_for_each_subscription_reaches_each_handler_once() {
    let mut pair = Pair::online(Version::V5);
    let [one, two, shared] = ["a/+:0", "#:0", "$share/g/a/b:0"].map(|filter| pair.granted(filter));
    for round in 0..3 {
        assert_eq!(routes(&mut pair, "a/b", &[1]), [one], "in round {round}");
        assert_eq!(routes(&mut pair, "a/b", &[2]), [two]);
        assert_eq!(routes(&mut pair, "a/b", &[3]), [shared]);
        assert_eq!(routes(&mut pair, "a/c", &[2]), [two]);
    }
}

#[test]
fn one_copy_with_all_identifiers_reaches_each_handler_once() {
    let mut pair = Pair::online(Version::V5);
    let [one, two, three] = ["a/+:0", "#:0", "a/b:0"].map(|filter| pair.granted(filter));
    assert_eq!(routes(&mut pair, "a/b", &[3, 1, 2]), [one, two, three]);
    assert_eq!(routes(&mut pair, "a/b", &[3, 1]), [one, three]);
    let many: Vec<u32> = (2..100).collect();
    assert_eq!(routes(&mut pair, "a/b", &many), [two, three], "however many there are");
    // A broker that sends none leaves it to the topic.
    assert_eq!(pair.deliver(message0("a/b", ""))[0].routes, [one, two, three]);
    let text = properties(&[Property::ContentType("text")]);
    let message = Publish { properties: text.as_properties(), ..message0("a/b", "") };
    assert_eq!(pair.deliver(message)[0].routes, [one, two, three]);
}

#[test]
fn identifiers_of_an_earlier_life_leave_it_to_the_topic() {
    let mut pair = Pair::online(Version::V5);
    let [one, two] = ["a/+:0", "#:0"].map(|filter| pair.granted(filter));
    assert_eq!(routes(&mut pair, "a/b", &[77]), [one, two]);
}

#[test]
fn a_session_that_outlives_its_process_begins_where_it_is_told() {
    let mut pair = Pair::with(Version::V5, |settings: &mut Settings| {
        persist(settings);
        settings.first_subscription_identifier = 268_435_455;
    })
    .connected();
    pair.subscribe(&["a:0"]);
    pair.subscribe(&["b:0"]);
    let expected = [
        "SUBSCRIBE #1 a:0 [SubscriptionIdentifier(268435455)]",
        "SUBSCRIBE #2 b:0 [SubscriptionIdentifier(1)]",
    ];
    assert_eq!(pair.sent(), expected, "and goes round");
}

#[test]
fn the_programs_own_identifier_stays_and_is_not_given_twice() {
    let mut pair = Pair::online(Version::V5);
    let own = identified(&mut pair, "a/+:0", 1);
    let other = pair.subscribe(&["#:0"]);
    let expected = [
        "SUBSCRIBE #1 a/+:0 [SubscriptionIdentifier(1)]",
        "SUBSCRIBE #2 #:0 [SubscriptionIdentifier(2)]",
    ];
    assert_eq!(pair.sent(), expected);
    assert_eq!(routes(&mut pair, "a/b", &[1]), [own]);
    assert_eq!(routes(&mut pair, "a/b", &[2]), [other]);
}

#[test]
fn an_identifier_that_the_program_takes_is_taken_from_a_subscription_that_the_engine_gave_it_to() {
    let mut pair = Pair::online(Version::V5);
    let first = pair.granted("#:0");
    let own = identified(&mut pair, "a/+:0", 1);
    let expected = [
        "SUBSCRIBE #2 #:0+SendIfNew [SubscriptionIdentifier(2)]",
        "SUBSCRIBE #3 a/+:0 [SubscriptionIdentifier(1)]",
    ];
    assert_eq!(pair.sent(), expected);
    assert_eq!(routes(&mut pair, "a/b", &[1]), [first, own], "whichever it was sent for");
    pair.receive(suback(2, &[0]));
    pair.receive(suback(3, &[0]));
    assert_eq!(pair.events().len(), 1, "the program asked for one of them");
    assert_eq!(routes(&mut pair, "a/b", &[1]), [own]);
    assert_eq!(routes(&mut pair, "a/b", &[2]), [first]);
}

#[test]
fn an_answer_to_a_request_with_another_identifier_confirms_nothing() {
    let mut pair = Pair::online(Version::V5);
    let first = pair.subscribe(&["#:0"]);
    let own = identified(&mut pair, "a/+:0", 1);
    assert_eq!(pair.sent().len(), 3);
    pair.receive(suback(1, &[0]));
    assert_eq!(routes(&mut pair, "a/b", &[1]), [first, own]);
}

#[test]
fn a_broker_without_identifiers_is_given_none_and_the_topic_decides() {
    let mut pair = Pair::with(Version::V5, persist);
    let one = pair.subscribe(&["a/+:0"]);
    pair.connect(false);
    pair.sent();
    let none = properties(&[Property::SubscriptionIdentifiersAvailable(0)]);
    pair.receive(connack_with(&none));
    let two = pair.subscribe(&["#:0"]);
    assert_eq!(pair.sent(), ["SUBSCRIBE #1 a/+:0", "SUBSCRIBE #2 #:0"]);
    pair.receive(suback(1, &[0]));
    pair.receive(suback(2, &[0]));
    assert_eq!(pair.deliver(message0("a/b", ""))[0].routes, [one, two]);
    // Renewed together, as nothing tells them apart.
    pair.lose();
    pair.connect(true);
    pair.sent();
    pair.receive(connack_with(&none));
    assert_eq!(pair.sent(), ["SUBSCRIBE #3 #:0+SendIfNew a/+:0+SendIfNew"]);
    pair.receive(suback(3, &[0, 0]));
    // What was granted without an identifier is not left out because of another one.
    let three = identified_route(&mut pair);
    assert_eq!(routes(&mut pair, "a/b", &[3]), [one, two, three]);
}

/// Connects to a broker that has identifiers and has kept what it granted without.
fn identified_route(pair: &mut Pair) -> RouteId {
    pair.lose();
    pair.connect(true);
    pair.receive(connack(true));
    pair.sent();
    pair.subscribe(&["a/b:0"])
}

#[test]
fn who_takes_over_everything_takes_over_the_identifier() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a/+:0");
    let other = pair.granted("#:0");
    let new = pair.subscribe(&["a/+:1", "b:0"]);
    assert_eq!(pair.sent(), ["SUBSCRIBE #3 a/+:1 b:0 [SubscriptionIdentifier(1)]"]);
    // On its way since before the broker heard of it.
    assert_eq!(routes(&mut pair, "a/b", &[1]), [new]);
    assert_eq!(routes(&mut pair, "a/b", &[2]), [other]);
}

#[test]
fn who_takes_over_a_part_misses_nothing_that_is_on_its_way() {
    let mut pair = Pair::online(Version::V5);
    let old = pair.subscribe(&["a/+:0", "a/#:0"]);
    pair.sent();
    pair.receive(suback(1, &[0, 0]));
    let new = pair.subscribe(&["a/+:0"]);
    assert_eq!(pair.sent(), ["SUBSCRIBE #2 a/+:0 [SubscriptionIdentifier(2)]"]);
    assert_eq!(routes(&mut pair, "a/b", &[1]), [old, new]);
    pair.receive(suback(2, &[0]));
    assert_eq!(routes(&mut pair, "a/b", &[1]), [old]);
    assert_eq!(routes(&mut pair, "a/b", &[2]), [new]);
}

#[test]
fn an_identifier_is_in_use_until_the_broker_has_answered_the_unsubscribe() {
    let last = |settings: &mut Settings| settings.first_subscription_identifier = 268_435_455;
    let mut pair = Pair::with(Version::V5, last).connected();
    pair.subscribe(&["a:0"]);
    for number in 1..=3 {
        identified(&mut pair, &format!("own/{number}:0"), number);
    }
    pair.subscribe(&["b:0"]);
    assert!(
        pair.sent()[4].ends_with("[SubscriptionIdentifier(4)]"),
        "those in use are passed over"
    );
    pair.unsubscribe(&["own/1", "own/2"]);
    pair.sent();
    // It is on its way for a subscription that has ended, and reaches nobody else.
    let other = pair.subscribe(&["own/+:0"]);
    assert_eq!(routes(&mut pair, "own/1", &[1]), [2]);
    pair.receive(unsuback(6, &[0, 0]));
    assert_eq!(routes(&mut pair, "own/1", &[1]), [other]);
}

#[test]
fn a_message_without_a_handler_is_held_whatever_its_identifier() {
    let mut pair = Pair::online(Version::V5);
    let said = identifiers(&[5]);
    let message = Publish { properties: said.as_properties(), ..message1(1, "a", "") };
    let held = pair.receive(Packet::Publish(message)).remove(0);
    assert_eq!((held.routes.len(), held.receipt.is_some()), (0, true));
}
