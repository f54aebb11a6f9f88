//! Subscribing and unsubscribing, and what is asked for again (contract 7).

use mqttsession::{
    engine::Settings,
    error::Code,
    protocol::{Property, PropertyBlock, RetainHandling, SubscriptionOptions, Version},
};

use crate::{
    packets::{connack, message0, properties, suback, unsuback},
    pair::{Pair, VERSIONS, persist},
};

/// The codes of an UNSUBACK that agrees; before 5.0 it has none.
fn agreed(version: Version) -> &'static [u8] {
    if version.is_v5() { &[0] } else { &[] }
}

#[test]
fn each_filter_has_its_result() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let ticket = pair.subscribe(&["a:2", "b/+:1", "c/#:0"]);
        assert_eq!(pair.sent(), [pair.identified("SUBSCRIBE #1 a:2 b/+:1 c/#:0", 1)]);
        pair.receive(suback(1, &[2, 1, 0]));
        assert_eq!(pair.events()[1..], [format!("subscribed {ticket}: q2, q1, q0")]);
        assert_eq!(pair.engine.filters(), ["a", "b/+", "c/#"]);
        assert_eq!(pair.engine.counters().subscriptions, 3);
    }
}

#[test]
fn a_refusal_is_a_failure_of_that_filter_and_ends_it() {
    for (version, code) in [(Version::V311, 0x80), (Version::V5, 0x87)] {
        let mut pair = Pair::online(version);
        let ticket = pair.subscribe(&["a:1", "b:1"]);
        pair.sent();
        pair.receive(suback(1, &[code, 0]));
        let expected = format!("subscribed {ticket}: SUBSCRIBE_REFUSED {code:#04x}, q0");
        assert_eq!(pair.events()[1..], [expected]);
        assert_eq!(pair.engine.filters(), ["b"]);
        assert!(pair.deliver(message0("a", "")).is_empty());
        let renewal = &pair.reconnect(false)[0];
        assert!(renewal.starts_with("SUBSCRIBE #2 b:1"), "{version:?}: {renewal}");
    }
}

#[test]
fn options_and_properties_are_sent_as_they_were_given() {
    let mut pair = Pair::online(Version::V5);
    let given = properties(&[Property::SubscriptionIdentifier(7)]);
    let change = |options: &mut SubscriptionOptions| {
        options.no_local = true;
        options.retain_as_published = true;
        options.retain_handling = RetainHandling::DoNotSend;
    };
    pair.subscribe_with(&["a:1"], change, given);
    let expected =
        "SUBSCRIBE #1 a:1+NoLocal+RetainAsPublished+DoNotSend [SubscriptionIdentifier(7)]";
    assert_eq!(pair.sent(), [expected]);
}

#[test]
fn what_the_version_does_not_have_is_refused() {
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::new(version);
        let no_local = SubscriptionOptions { no_local: true, ..SubscriptionOptions::default() };
        let error = pair.engine.subscribe(1, &[("a", no_local)], PropertyBlock::new()).unwrap_err();
        assert_eq!(error.code(), Code::NotSupported);
        let of_5 = properties(&[Property::SubscriptionIdentifier(7)]);
        let options = SubscriptionOptions::default();
        let error = pair.engine.subscribe(1, &[("a", options)], of_5).unwrap_err();
        assert_eq!(error.code(), Code::NotSupported);
        assert_eq!(pair.engine.filters(), [""; 0]);
    }
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        let error = pair.engine.subscribe(1, &[], PropertyBlock::new()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}

#[test]
fn subscribing_before_connecting_is_legal() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        let first = pair.subscribe(&["a:1"]);
        let second = pair.subscribe(&["b:0"]);
        pair.publish(1, "a", "after the subscriptions");
        pair.connect(false);
        assert_eq!(pair.sent().len(), 1);
        pair.receive(connack(false));
        let [one, two] = [("SUBSCRIBE #1 a:1", 1), ("SUBSCRIBE #2 b:0", 2)]
            .map(|(line, identifier)| pair.identified(line, identifier));
        let expected = [&one, &two, "PUBLISH q1 #3 a=after the subscriptions"];
        assert_eq!(pair.sent(), expected);
        pair.receive(suback(1, &[1]));
        pair.receive(suback(2, &[0]));
        let expected = [format!("subscribed {first}: q1"), format!("subscribed {second}: q0")];
        assert_eq!(pair.events()[1..], expected);
    }
}

#[test]
fn a_kept_session_keeps_its_grants() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        pair.granted("a:1");
        assert_eq!(pair.reconnect(true), [""; 0]);
        assert_eq!(pair.deliver(message0("a", "")).len(), 1);
    }
    // 3.1 cannot tell whether it was kept.
    let mut pair = Pair::persistent(Version::V31);
    pair.granted("a:1");
    assert_eq!(pair.reconnect(true), ["SUBSCRIBE #2 a:1"]);
}

#[test]
fn a_session_that_the_broker_had_kept_before_this_process_is_asked_for_everything() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, persist);
        pair.subscribe(&["a:1"]);
        pair.connect(false);
        pair.sent();
        pair.receive(connack(version != Version::V31));
        assert_eq!(pair.sent(), [pair.identified("SUBSCRIBE #1 a:1", 1)]);
    }
}

#[test]
fn a_lost_session_is_asked_for_again() {
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        pair.granted("b:2");
        assert_eq!(pair.reconnect(false), ["SUBSCRIBE #3 a:1 b:2"]);
        pair.receive(suback(3, &[1, 2]));
        assert_eq!(pair.events(), ["connected"], "nobody asked, nobody is answered");
        assert_eq!(pair.reconnect(false), ["SUBSCRIBE #4 a:1 b:2"]);
        // One whose renewal was not answered is still wanted.
        assert_eq!(pair.reconnect(false).len(), 1);
        assert_eq!(pair.engine.filters(), ["a", "b"]);
    }
}

#[test]
fn under_5_0_a_lost_session_is_asked_for_again_without_what_was_retained() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a:1");
    pair.granted("b:2");
    let expected = |id: u16| {
        [(id, "a:1", 1), (id + 1, "b:2", 2)].map(|(id, filter, identifier)| {
            format!("SUBSCRIBE #{id} {filter}+SendIfNew [SubscriptionIdentifier({identifier})]")
        })
    };
    assert_eq!(pair.reconnect(false), expected(3));
    pair.receive(suback(3, &[1]));
    pair.receive(suback(4, &[2]));
    assert_eq!(pair.events(), ["connected"], "nobody asked, nobody is answered");
    assert_eq!(pair.reconnect(false), expected(5));
    assert_eq!(pair.reconnect(false), expected(7));
}

#[test]
fn a_program_that_subscribes_again_asks_for_what_is_retained() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a:1");
    pair.subscribe(&["a:2"]);
    assert_eq!(pair.sent(), ["SUBSCRIBE #2 a:2 [SubscriptionIdentifier(1)]"]);
}

#[test]
fn a_renewal_that_is_refused_is_an_event() {
    for (version, code) in [(Version::V311, 0x80), (Version::V5, 0x97)] {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        pair.granted("b:1");
        pair.reconnect(false);
        match version.is_v5() {
            true => [(3, 1), (4, code)]
                .iter()
                .for_each(|&(id, code)| drop(pair.receive(suback(id, &[code])))),
            false => drop(pair.receive(suback(3, &[1, code]))),
        }
        let expected = format!("renewal of b: SUBSCRIBE_REFUSED {code:#04x}");
        assert_eq!(pair.events(), ["connected", &expected]);
        assert_eq!(pair.engine.filters(), ["a"]);
    }
}

#[test]
fn subscriptions_with_the_same_properties_are_renewed_together() {
    let mut pair = Pair::new(Version::V5);
    let identifier = |number| properties(&[Property::SubscriptionIdentifier(number)]);
    for (filter, number) in [("a:0", 1), ("b:0", 2), ("c:0", 1)] {
        pair.subscribe_with(&[filter], |_| {}, identifier(number));
    }
    pair.connect(false);
    pair.receive(connack(false));
    for number in 1..=3 {
        pair.receive(suback(number, &[0]));
    }
    pair.sent();
    let expected = [
        "SUBSCRIBE #4 a:0+SendIfNew c:0+SendIfNew [SubscriptionIdentifier(1)]",
        "SUBSCRIBE #5 b:0+SendIfNew [SubscriptionIdentifier(2)]",
    ];
    assert_eq!(pair.reconnect(false), expected);
}

#[test]
fn renewals_keep_to_the_size_that_the_broker_takes() {
    let mut pair = Pair::online(Version::V5);
    let identifier = || properties(&[Property::SubscriptionIdentifier(7)]);
    for index in 0..20 {
        pair.subscribe_with(&[&format!("{index:030}:0")], |_| {}, identifier());
    }
    pair.subscribe_with(&[&format!("{}:0", "x".repeat(200))], |_| {}, identifier());
    pair.sent();
    (1..=21).for_each(|id| drop(pair.receive(suback(id, &[0]))));
    pair.events();
    pair.lose();
    pair.connect(true);
    pair.sent();
    let announced = properties(&[Property::MaximumPacketSize(100)]);
    pair.receive(crate::packets::connack_with(&announced));
    let sent = pair.sent();
    assert_eq!(sent.len(), 10, "two of 33 bytes each: {sent:?}");
    let refused = format!("renewal of {}: PAYLOAD_TOO_LARGE", "x".repeat(200));
    assert_eq!(pair.events(), ["connected", &refused]);
}

#[test]
fn a_request_larger_than_the_broker_takes_is_refused() {
    let mut pair = Pair::new(Version::V5);
    let long = "x".repeat(100);
    let offline = pair.subscribe(&[&format!("{long}:0")]);
    pair.connect(false);
    pair.sent();
    let announced = properties(&[Property::MaximumPacketSize(50)]);
    pair.receive(crate::packets::connack_with(&announced));
    assert_eq!(pair.sent(), [""; 0]);
    assert_eq!(pair.events()[1..], [format!("subscribed {offline}: PAYLOAD_TOO_LARGE")]);
    let options = SubscriptionOptions::default();
    let online = pair.engine.subscribe(9, &[(&long, options)], PropertyBlock::new());
    assert_eq!(online.unwrap_err().code(), Code::PayloadTooLarge);
    // Nor is one renewed that a broker took before.
    pair.reconnect(false);
    pair.granted(&format!("{long}:0"));
    pair.lose();
    pair.connect(true);
    pair.sent();
    pair.receive(crate::packets::connack_with(&announced));
    pair.sent();
    assert_eq!(pair.engine.filters(), [""; 0]);
}

#[test]
fn many_subscriptions_are_renewed_in_packets_of_moderate_size() {
    let mut pair = Pair::online(Version::V311);
    for index in 0..150 {
        let long = "x".repeat(if index == 77 { 10_000 } else { 10 });
        pair.granted(&format!("{index:03}/{long}:0"));
    }
    let sent = pair.reconnect(false);
    let filters: Vec<_> = sent.iter().map(|line| line.matches(":0").count()).collect();
    assert_eq!(filters.iter().sum::<usize>(), 150);
    assert!(filters.iter().all(|&count| count <= 64), "{filters:?}");
    assert!(sent.iter().all(|line| line.len() < 8192 || !line.contains("078/")));
}

#[test]
fn an_unanswered_request_is_asked_again_in_its_order() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        pair.granted("c:0");
        pair.subscribe(&["a:1"]);
        pair.unsubscribe(&["c"]);
        let ticket = pair.subscribe(&["b:1"]);
        assert_eq!(pair.sent().len(), 3);
        let [one, two] =
            [pair.identified("SUBSCRIBE #5 a:1", 2), pair.identified("SUBSCRIBE #7 b:1", 3)];
        let expected = [&one, "UNSUBSCRIBE #6 c", &two];
        assert_eq!(pair.reconnect(true), expected);
        pair.events();
        pair.receive(suback(7, &[1]));
        assert_eq!(pair.events(), [format!("subscribed {ticket}: q1")]);
    }
}

#[test]
fn the_order_of_requests_survives_ids_that_went_round() {
    let mut pair = Pair::persistent(Version::V311);
    for number in 1..u16::MAX {
        pair.publish(1, "a", "");
        pair.sent_bytes();
        pair.receive(crate::packets::puback(number));
    }
    pair.subscribe(&["f:0"]);
    pair.unsubscribe(&["f"]);
    assert_eq!(pair.sent(), ["SUBSCRIBE #65535 f:0", "UNSUBSCRIBE #1 f"]);
    assert_eq!(pair.reconnect(true), ["SUBSCRIBE #2 f:0", "UNSUBSCRIBE #3 f"]);
}

#[test]
fn unsubscribe_ends_the_route_when_the_broker_agrees() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let route = pair.granted("a:0");
        let (ticket, ended) = pair.unsubscribe(&["a"]);
        assert_eq!((pair.sent(), ended), (vec!["UNSUBSCRIBE #2 a".into()], vec![route]));
        assert_eq!(pair.deliver(message0("a", ""))[0].routes, [route], "still on its way");
        pair.receive(unsuback(2, agreed(version)));
        assert_eq!(pair.events(), [format!("unsubscribed {ticket}: ok")]);
        assert!(pair.deliver(message0("a", "")).is_empty());
        assert_eq!(pair.engine.counters().unrouted, 1);
        assert_eq!(pair.reconnect(false), [""; 0]);
    }
}

#[test]
fn a_route_ends_with_its_last_filter() {
    let mut pair = Pair::online(Version::V311);
    let route = pair.subscribe(&["a:0", "b:0"]);
    assert!(pair.unsubscribe(&["a"]).1.is_empty());
    assert_eq!(pair.unsubscribe(&["b"]).1, [route]);
}

#[test]
fn the_broker_may_refuse_to_end_a_subscription() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a:0");
    pair.granted("b:0");
    let (first, _) = pair.unsubscribe(&["a"]);
    let (second, _) = pair.unsubscribe(&["b"]);
    pair.sent();
    pair.receive(unsuback(3, &[0x87]));
    pair.receive(unsuback(4, &[0x11]));
    let expected = [
        format!("unsubscribed {first}: UNSUBSCRIBE_REFUSED 0x87"),
        format!("unsubscribed {second}: ok 0x11"),
    ];
    assert_eq!(pair.events(), expected);
}

#[test]
fn what_an_earlier_life_of_the_session_left_behind_can_be_unsubscribed() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let (ticket, ended) = pair.unsubscribe(&["a"]);
        assert_eq!((pair.sent(), ended), (vec!["UNSUBSCRIBE #1 a".to_owned()], vec![]));
        let codes: &[u8] = if version.is_v5() { &[0x11] } else { &[] };
        pair.receive(unsuback(1, codes));
        let reason = if version.is_v5() { " 0x11" } else { "" };
        assert_eq!(pair.events()[1..], [format!("unsubscribed {ticket}: ok{reason}")]);
    }
}

#[test]
fn offline_what_is_not_subscribed_is_done_at_once() {
    let mut pair = Pair::new(Version::V5);
    let (ticket, _) = pair.unsubscribe(&["a"]);
    assert_eq!(pair.events(), [format!("unsubscribed {ticket}: ok 0x11")]);
}

#[test]
fn offline_an_unsubscribe_is_done_at_once_and_the_broker_told_later() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::persistent(version);
        let route = pair.granted("a:1");
        pair.lose();
        let (ticket, ended) = pair.unsubscribe(&["a"]);
        assert_eq!(ended, [route]);
        assert_eq!(pair.events(), [format!("unsubscribed {ticket}: ok")]);
        assert_eq!(pair.reconnect(true), ["UNSUBSCRIBE #2 a"]);
    }
}

#[test]
fn a_filter_that_is_subscribed_again_gets_the_new_route() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        let old = pair.granted("a:0");
        let options = SubscriptionOptions::default();
        let replaced = pair.engine.subscribe(9, &[("a", options)], PropertyBlock::new());
        assert_eq!(replaced.unwrap(), [old]);
        assert_eq!(pair.deliver(message0("a", ""))[0].routes, [9]);
        // One that is left with another filter is not replaced.
        pair.subscribe(&["b:0", "c:0"]);
        let replaced = pair.engine.subscribe(10, &[("b", options)], PropertyBlock::new());
        assert!(replaced.unwrap().is_empty());
    }
}

#[test]
fn an_answer_to_an_older_request_does_not_touch_the_newer_one() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::online(version);
        let older = pair.subscribe(&["a:0"]);
        let newer = pair.subscribe(&["a:1"]);
        pair.sent();
        pair.receive(suback(1, &[0x80]));
        pair.receive(suback(2, &[1]));
        let expected = [
            format!("subscribed {older}: SUBSCRIBE_REFUSED 0x80"),
            format!("subscribed {newer}: q1"),
        ];
        assert_eq!(pair.events()[1..], expected);
        assert_eq!(pair.deliver(message0("a", ""))[0].routes, [newer]);
        assert_eq!(pair.engine.filters(), ["a"]);
    }
}

#[test]
fn unsubscribed_and_subscribed_again_while_the_first_is_under_way() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:0");
        pair.unsubscribe(&["a"]);
        let route = pair.subscribe(&["a:1"]);
        let subscribe = pair.identified("SUBSCRIBE #3 a:1", 2);
        assert_eq!(pair.sent(), ["UNSUBSCRIBE #2 a", &subscribe]);
        pair.receive(unsuback(2, agreed(version)));
        pair.receive(suback(3, &[1]));
        assert_eq!(pair.deliver(message0("a", ""))[0].routes, [route]);
    }
}

#[test]
fn what_the_broker_does_not_have_is_refused_at_once() {
    let refused = |announced: Property<'static>, filter: &'static str, given: PropertyBlock| {
        let mut pair = Pair::new(Version::V5);
        pair.connect(false);
        pair.receive(crate::packets::connack_with(&properties(&[announced])));
        let options = SubscriptionOptions::default();
        let filters = [("plain", options), (filter, options)];
        let error = pair.engine.subscribe(1, &filters, given).unwrap_err();
        assert_eq!(error.code(), Code::NotSupported, "{filter}");
        assert_eq!(pair.engine.filters(), [""; 0]);
    };
    let none = PropertyBlock::new;
    refused(Property::WildcardSubscriptionAvailable(0), "a/+", none());
    refused(Property::WildcardSubscriptionAvailable(0), "#", none());
    refused(Property::SharedSubscriptionAvailable(0), "$share/g/a", none());
    let identifier = properties(&[Property::SubscriptionIdentifier(1)]);
    refused(Property::SubscriptionIdentifiersAvailable(0), "a", identifier);
}

#[test]
fn what_the_broker_does_not_have_is_not_asked_for_when_it_was_subscribed_before() {
    let mut pair = Pair::with(Version::V5, |_: &mut Settings| {});
    let ticket = pair.subscribe(&["a/+:1", "b:1", "#:0"]);
    pair.connect(false);
    pair.sent();
    let announced = properties(&[Property::WildcardSubscriptionAvailable(0)]);
    pair.receive(crate::packets::connack_with(&announced));
    assert_eq!(pair.sent(), ["SUBSCRIBE #1 b:1 [SubscriptionIdentifier(1)]"]);
    pair.receive(suback(1, &[1]));
    let expected = format!("subscribed {ticket}: NOT_SUPPORTED, q1, NOT_SUPPORTED");
    assert_eq!(pair.events()[1..], [expected]);
    assert_eq!(pair.engine.filters(), ["b"]);
}

#[test]
fn a_broker_that_lost_its_wildcards_ends_the_subscriptions_with_them() {
    let mut pair = Pair::online(Version::V5);
    pair.granted("a/+:1");
    pair.lose();
    pair.connect(true);
    pair.sent();
    let announced = properties(&[Property::WildcardSubscriptionAvailable(0)]);
    pair.receive(crate::packets::connack_with(&announced));
    assert_eq!(pair.sent(), [""; 0]);
    assert_eq!(pair.events(), ["connected", "renewal of a/+: NOT_SUPPORTED"]);
    assert_eq!(pair.engine.filters(), [""; 0]);
}

#[test]
fn cancelling_answers_every_request() {
    for version in VERSIONS {
        let mut pair = Pair::online(version);
        pair.granted("a:1");
        let (unsubscribe, _) = pair.unsubscribe(&["a"]);
        let subscribe = pair.subscribe(&["b:1"]);
        pair.sent();
        pair.engine.cancel_subscriptions();
        let expected = [
            format!("unsubscribed {unsubscribe}: CANCELLED"),
            format!("subscribed {subscribe}: CANCELLED"),
        ];
        assert_eq!(pair.events(), expected);
        assert_eq!(pair.engine.filters(), [""; 0]);
        // What the broker still answers is of no interest.
        pair.receive(suback(3, &[1]));
        assert_eq!(pair.reconnect(false), [""; 0]);
    }
}
