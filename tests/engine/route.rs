//! Which handlers a message reaches.

use mqttsession::{engine::RouteId, protocol::Version};

use crate::{
    packets::{message0, message1},
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
        assert!(held.routes.is_empty());
        assert_eq!(pair.sent(), [""; 0]);
        assert_eq!(pair.engine.counters().unrouted, 0);
        pair.handled(&held);
        assert_eq!(pair.sent(), ["PUBACK #1"]);
    }
}
