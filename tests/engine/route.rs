//! Which handlers a message reaches.

use mqttsession::{
    engine::RouteId,
    protocol::{Property, Publish, Version},
};

use crate::{
    packets::{message0, message1, properties},
    pair::{Pair, VERSIONS},
};

fn routes(pair: &mut Pair, topic: &str) -> Vec<RouteId> {
    pair.deliver(message0(topic, "")).first().map_or(Vec::new(), |message| message.routes.clone())
}

#[test]
fn a_message_reaches_every_filter_that_matches_in_the_order_of_subscribing() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let [all, any, this, below, other] =
            ["#:0", "+/b:0", "a/b:0", "a/#:0", "c:0"].map(|filter| pair.granted(filter));
        assert_eq!(routes(&mut pair, "a/b"), [all, any, this, below]);
        assert_eq!(routes(&mut pair, "a"), [all, below]);
        assert_eq!(routes(&mut pair, "x/b"), [all, any]);
        assert_eq!(routes(&mut pair, "c"), [all, other]);
        assert_eq!(routes(&mut pair, "a/b/c"), [all, below]);
    }
}

#[test]
fn wildcards_do_not_reach_the_brokers_own_topics() {
    let mut pair = Pair::online(Version::V311);
    pair.granted("#:0");
    pair.granted("+/load:0");
    let own = pair.granted("$SYS/#:0");
    assert_eq!(routes(&mut pair, "$SYS/load"), [own]);
}

#[test]
fn a_shared_subscription_matches_by_the_filter_behind_the_group() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let shared = pair.granted("$share/group/a/+:0");
        let own = pair.granted("a/b:0");
        assert_eq!(routes(&mut pair, "a/b"), [shared, own]);
        assert_eq!(routes(&mut pair, "a/c"), [shared]);
        pair.unsubscribe(&["$share/group/a/+"]);
        assert_eq!(pair.sent(), ["UNSUBSCRIBE #3 $share/group/a/+"]);
    }
}

#[test]
fn several_filters_of_one_call_share_a_route() {
    let mut pair = Pair::online(Version::V311);
    let route = pair.subscribe(&["a/+:0", "b:0"]);
    assert_eq!(routes(&mut pair, "a/x"), [route]);
    assert_eq!(routes(&mut pair, "b"), [route]);
}

#[test]
fn overlapping_filters_of_one_call_reach_their_handler_once() {
    let mut pair = Pair::online(Version::V311);
    let route = pair.subscribe(&["a/+:0", "a/#:0"]);
    assert_eq!(routes(&mut pair, "a/x"), [route]);
}

/// Subscribes a filter with an identifier.
fn identified(pair: &mut Pair, filter: &str, number: u32) -> RouteId {
    let identifier = properties(&[Property::SubscriptionIdentifier(number)]);
    pair.subscribe_with(&[filter], |_| {}, identifier)
}

fn identified_routes(pair: &mut Pair, identifiers: &[u32]) -> Vec<RouteId> {
    let said: Vec<_> =
        identifiers.iter().map(|&number| Property::SubscriptionIdentifier(number)).collect();
    let said = properties(&said);
    let message = Publish { properties: said.as_properties(), ..message0("a/b", "") };
    pair.deliver(message).remove(0).routes
}

#[test]
fn subscription_identifiers_narrow_the_match() {
    let mut pair = Pair::online(Version::V5);
    let one = identified(&mut pair, "a/+:0", 1);
    let two = identified(&mut pair, "a/#:0", 2);
    let plain = pair.subscribe(&["#:0"]);
    // A broker sends a copy for each subscription, or one with all identifiers.
    assert_eq!(identified_routes(&mut pair, &[1]), [one, plain]);
    assert_eq!(identified_routes(&mut pair, &[2]), [two, plain]);
    assert_eq!(identified_routes(&mut pair, &[2, 1]), [one, two, plain]);
    assert_eq!(identified_routes(&mut pair, &[]), [one, two, plain]);
    let said = properties(&[Property::ContentType("text")]);
    let message = Publish { properties: said.as_properties(), ..message0("a/b", "") };
    assert_eq!(pair.deliver(message)[0].routes, [one, two, plain]);
}

#[test]
fn an_identifier_that_nobody_has_narrows_nothing() {
    let mut pair = Pair::online(Version::V5);
    let one = identified(&mut pair, "a/+:0", 1);
    // Sent before the broker knew of the new identifier: the topic still matches.
    assert_eq!(identified_routes(&mut pair, &[9]), [one]);
}

#[test]
fn qos_0_without_a_handler_is_dropped_and_counted() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        assert!(pair.deliver(message0("a", "")).is_empty());
        assert_eq!(pair.engine.counters().unrouted, 1);
        assert_eq!(pair.engine.counters().received, 1);
    }
}

#[test]
fn qos_1_without_a_handler_is_handed_over_unacknowledged() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let held = pair.deliver(message1(1, "a", "")).remove(0);
        assert_eq!(held.routes, []);
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.engine.counters().unrouted, 0);
        pair.handled(&held);
        assert_eq!(pair.sent(), ["PUBACK #1"]);
    }
}
