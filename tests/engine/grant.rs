//! What the broker has granted, over the end of the process.

use mqttsession::{
    engine::{RouteId, Settings},
    protocol::{Packet, Property, PropertyBlock, Publish, Version},
};

use crate::{
    packets::{connack, connack_with, message0, properties, suback, unsuback},
    shelf::Shelved,
};

const NOTHING: [&str; 0] = [];
const KEPT: [Version; 2] = [Version::V311, Version::V5];

fn identifier(number: u32) -> PropertyBlock {
    properties(&[Property::SubscriptionIdentifier(number)])
}

/// A session to which the broker has granted these, each in a call of its own.
fn granted(version: Version, filters: &[&str]) -> Shelved {
    let mut session = Shelved::new(version).connected();
    for filter in filters {
        session.granted(filter);
        session.store();
    }
    session
}

/// The line of a record: under 5.0 with the identifier of the subscription.
fn on_record(version: Version, filter: &str, number: u32) -> String {
    let (_, qos) = filter.rsplit_once(':').expect("filter:qos");
    let name = if version.is_v5() { format!(" as {number}") } else { String::new() };
    format!("granted {filter}{name} at q{qos}")
}

/// Whom a message with these identifiers reaches.
fn routes(session: &mut Shelved, topic: &str, of: &[u32]) -> Vec<RouteId> {
    let of: Vec<_> = of.iter().map(|&number| Property::SubscriptionIdentifier(number)).collect();
    let said = properties(&of);
    let message = Publish { properties: said.as_properties(), ..message0(topic, "") };
    session.deliver(message).remove(0).routes
}

#[test]
fn a_grant_is_on_record_when_the_broker_has_given_it() {
    for version in KEPT {
        let mut session = Shelved::new(version).connected();
        session.subscribe(&["a:1", "b:2"]);
        assert_eq!(session.sent().len(), 1, "it waits for no record");
        assert_eq!(session.store(), NOTHING);
        let refusal = if version.is_v5() { 0x87 } else { 0x80 };
        session.receive(suback(1, &[0, refusal]));
        let name = if version.is_v5() { " as 1" } else { "" };
        assert_eq!(session.store(), [format!("granted a:1{name} at q0")]);
    }
}

#[test]
fn what_the_broker_has_kept_is_not_asked_for_again() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        assert_eq!(session.engine.filters(), ["a"]);
        let ticket = session.subscribe(&["a:1"]);
        assert_eq!(session.engine.filters(), ["a"]);
        assert_eq!(session.go_online(true), NOTHING);
        let answer = format!("subscribed {ticket}: q1");
        assert_eq!(session.events(), ["connected, resumed", &answer]);
        assert_eq!(session.deliver(message0("a", "")).remove(0).routes, [ticket]);
        assert_eq!(session.reconnect(true), NOTHING);
        assert_eq!(session.store(), NOTHING, "it still stands there");
        // And for the next process.
        let mut session = session.crash();
        session.go_online(true);
        let ticket = session.subscribe(&["a:1"]);
        assert_eq!(session.sent(), NOTHING);
        let answer = format!("subscribed {ticket}: q1");
        assert_eq!(session.events(), ["connected, resumed", &answer], "while online at once");
    }
}

#[test]
fn the_answer_is_the_quality_that_was_granted() {
    let mut session = Shelved::new(Version::V311).connected();
    session.subscribe(&["a:2"]);
    session.sent();
    session.receive(suback(1, &[0]));
    session.store();
    let mut session = session.crash();
    let ticket = session.subscribe(&["a:2"]);
    assert_eq!(session.go_online(true), NOTHING);
    assert_eq!(session.events()[1..], [format!("subscribed {ticket}: q0")]);
}

#[test]
fn a_broker_without_the_session_is_asked_for_everything() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        let ticket = session.subscribe(&["a:1"]);
        session.connect(false);
        session.sent();
        session.receive(connack(false));
        assert_eq!(session.sent(), NOTHING, "it waits for the record");
        assert_eq!(session.store(), ["session lost"]);
        assert_eq!(session.sent(), [session.identified("SUBSCRIBE #1 a:1", 1)]);
        session.receive(suback(1, &[1]));
        assert_eq!(session.store(), [on_record(version, "a:1", 1)]);
        assert!(session.events().contains(&format!("subscribed {ticket}: q1")));
        // The session is lost once more, within the process.
        session.reconnect(false);
        assert_eq!(session.store(), ["session lost"]);
        assert_eq!(session.engine.filters(), ["a"], "the program wants it");
        // Nobody in this process wanted it.
        session.lose();
        let mut session = granted(version, &["b:1"]).crash();
        session.go_online(false);
        assert_eq!(session.engine.filters(), NOTHING);
    }
}

#[test]
fn memory_that_is_given_back_takes_no_gate_along() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        assert_eq!(session.go_online(false), NOTHING);
        session.engine.shrink();
        session.subscribe(&["b:1"]);
        assert_eq!(session.sent(), NOTHING, "the loss of the session is not on record yet");
        assert_eq!(session.store(), ["session lost"]);
        assert_eq!(session.sent().len(), 1);
    }
}

#[test]
fn other_options_are_asked_for_when_the_old_ones_are_off_the_record() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        session.subscribe(&["a:2"]);
        assert_eq!(session.go_online(true), NOTHING, "the record comes first");
        assert_eq!(session.write(), ["ungranted a"]);
        assert_eq!(session.sent(), NOTHING);
        session.sync();
        assert_eq!(session.sent(), [session.identified("SUBSCRIBE #1 a:2", 1)]);
        // It dies before the answer: what the broker has is not known.
        let mut session = session.crash();
        session.subscribe(&["a:1"]);
        session.connect(false);
        session.sent();
        session.receive(connack(true));
        assert_eq!(session.sent().len(), 1);
        session.receive(suback(1, &[1]));
        assert_eq!(session.store().len(), 1);
        assert_eq!(session.stored().granted["a"].options.qos as u8, 1);
    }
}

#[test]
fn a_program_that_subscribes_again_asks_again() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]);
        session.subscribe(&["a:1"]);
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.store(), ["ungranted a"]);
        assert_eq!(session.sent(), [session.identified("SUBSCRIBE #2 a:1", 1)]);
        session.receive(suback(2, &[1]));
        assert_eq!(session.store(), [on_record(version, "a:1", 1)]);
        // Offline, the first call is overtaken by the second, which is as good as any.
        let mut session = session.crash();
        session.subscribe(&["a:1"]);
        let second = session.subscribe(&["a:1"]);
        session.go_online(true);
        session.store();
        assert_eq!(session.sent().len(), 2);
        assert_eq!(session.deliver(message0("a", "")).remove(0).routes, [second]);
    }
}

#[test]
fn a_request_that_is_repeated_waits_for_the_record_too() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]);
        session.unsubscribe(&["a"]);
        assert_eq!(session.write(), ["ungranted a"]);
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.reconnect(true), NOTHING);
        session.sync();
        assert_eq!(session.sent(), ["UNSUBSCRIBE #3 a"]);
    }
    // Also when the record is that the broker has lost the session.
    for version in KEPT {
        let mut session = granted(version, &["a:1"]);
        session.reconnect(false);
        assert_eq!(session.write(), ["session lost"]);
        assert_eq!(session.reconnect(true), NOTHING);
        session.sync();
        assert_eq!(session.sent().len(), 1);
    }
}

#[test]
fn an_unsubscribe_leaves_when_the_grant_is_off_the_record() {
    for version in KEPT {
        let mut session = granted(version, &["a:1", "b:1"]);
        let (ticket, _) = session.unsubscribe(&["a"]);
        assert_eq!(session.sent(), NOTHING);
        assert_eq!(session.store(), ["ungranted a"]);
        assert_eq!(session.sent(), ["UNSUBSCRIBE #3 a"]);
        session.receive(unsuback(3, if version.is_v5() { &[0] } else { &[] }));
        assert_eq!(session.events(), [format!("unsubscribed {ticket}: ok")]);
        assert_eq!(session.crash().engine.filters(), ["b"]);
    }
}

#[test]
fn what_an_earlier_process_subscribed_can_be_ended() {
    for version in KEPT {
        // Before the first connection: to the program it is done.
        let mut session = granted(version, &["a:1"]).crash();
        let (ticket, routes) = session.unsubscribe(&["a"]);
        assert_eq!(session.events(), [format!("unsubscribed {ticket}: ok")]);
        assert_eq!((session.engine.filters(), routes), (vec![], vec![]));
        assert_eq!(session.stored().granted.len(), 1, "the broker does not know it yet");
        session.go_online(true);
        assert_eq!(session.store(), ["ungranted a"]);
        assert_eq!(session.sent(), ["UNSUBSCRIBE #1 a"]);
        // While online.
        let mut session = granted(version, &["a:1"]).crash();
        session.go_online(true);
        session.unsubscribe(&["a"]);
        assert_eq!(session.engine.filters(), NOTHING);
        assert_eq!(session.store(), ["ungranted a"]);
        assert_eq!(session.sent(), ["UNSUBSCRIBE #1 a"]);
    }
}

#[test]
fn subscribing_after_unsubscribing_asks_anew() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        session.unsubscribe(&["a"]);
        session.subscribe(&["a:1"]);
        session.go_online(true);
        assert_eq!(session.store(), ["ungranted a"]);
        let sent = session.sent();
        assert_eq!(sent[0], "UNSUBSCRIBE #1 a");
        assert!(sent[1].starts_with("SUBSCRIBE #2 a:1"), "{sent:?}");
    }
}

#[test]
fn a_call_of_which_a_part_is_new_is_asked_for_whole() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        let ticket = session.subscribe(&["a:1", "b:1"]);
        session.go_online(true);
        assert_eq!(session.store(), ["ungranted a"]);
        // The broker still sends for one of them under the identifier of the earlier process.
        let other = session.subscribe(&["+:0"]);
        assert_eq!(session.sent().len(), 2);
        if version.is_v5() {
            assert_eq!(routes(&mut session, "a", &[1]), [ticket]);
        }
        session.receive(suback(1, &[1, 1]));
        session.receive(suback(2, &[0]));
        assert_eq!(session.store().len(), 3);
        assert_eq!(session.deliver(message0("a", "")).remove(0).routes, [ticket, other]);
    }
}

#[test]
fn a_grant_keeps_its_identifier() {
    let mut session = granted(Version::V5, &["a/+:0", "#:0"]).crash();
    let [one, two] = ["a/+:0", "#:0"].map(|filter| session.subscribe(&[filter]));
    assert_eq!(session.go_online(true), NOTHING);
    assert_eq!(routes(&mut session, "a/b", &[1]), [one]);
    assert_eq!(routes(&mut session, "a/b", &[2]), [two]);
    session.reconnect(false);
    assert_eq!(session.store(), ["session lost"]);
    let expected = [
        "SUBSCRIBE #1 a/+:0+SendIfNew [SubscriptionIdentifier(1)]",
        "SUBSCRIBE #2 #:0+SendIfNew [SubscriptionIdentifier(2)]",
    ];
    assert_eq!(session.sent(), expected);
}

#[test]
fn other_filters_get_other_identifiers() {
    let mut session = granted(Version::V5, &["a:0", "b:0"]).crash();
    session.go_online(true);
    session.subscribe(&["c:0"]);
    assert_eq!(session.sent(), ["SUBSCRIBE #1 c:0 [SubscriptionIdentifier(3)]"]);
}

#[test]
fn two_calls_for_what_was_one_have_an_identifier_each() {
    let mut session = Shelved::new(Version::V5).connected();
    session.subscribe(&["a/+:0", "a/b:0"]);
    session.sent();
    session.receive(suback(1, &[0, 0]));
    session.store();
    let mut session = session.crash();
    let [one, two] = ["a/+:0", "a/b:0"].map(|filter| session.subscribe(&[filter]));
    session.go_online(true);
    assert_eq!(session.store(), ["ungranted a/b"]);
    assert_eq!(session.sent(), ["SUBSCRIBE #1 a/b:0 [SubscriptionIdentifier(2)]"]);
    // Until the broker has granted it, what it sends under the old one may be for both.
    assert_eq!(routes(&mut session, "a/b", &[1]), [one, two]);
    session.receive(suback(1, &[0]));
    assert_eq!(routes(&mut session, "a/b", &[1]), [one]);
    assert_eq!(routes(&mut session, "a/b", &[2]), [two]);
}

#[test]
fn the_programs_own_identifier_has_to_be_the_one_on_record() {
    for (given, asks) in [(7, false), (8, true)] {
        let mut session = Shelved::new(Version::V5).connected();
        session.subscribe_with(&["a:0"], |_| {}, identifier(7));
        session.sent();
        session.receive(suback(1, &[0]));
        session.store();
        let mut session = session.crash();
        session.subscribe_with(&["a:0"], |_| {}, identifier(given));
        session.go_online(true);
        assert_eq!(!session.store().is_empty(), asks);
        assert_eq!(!session.sent().is_empty(), asks);
    }
}

#[test]
fn a_grant_without_an_identifier_leaves_it_to_the_topic() {
    let none = properties(&[Property::SubscriptionIdentifiersAvailable(0)]);
    let mut session = Shelved::new(Version::V5);
    session.subscribe(&["a/+:0"]);
    session.connect(false);
    session.receive(connack_with(&none));
    session.sent();
    session.receive(suback(1, &[0]));
    assert_eq!(session.store(), ["granted a/+:0 at q0"]);
    let mut session = session.crash();
    let one = session.subscribe(&["a/+:0"]);
    assert_eq!(session.go_online(true), NOTHING);
    let two = session.granted("#:0");
    // A copy for the second alone cannot be told from one for both.
    assert_eq!(routes(&mut session, "a/b", &[2]), [one, two]);
    // The program's own identifier is not what the broker has.
    let mut session = session.crash();
    session.subscribe_with(&["a/+:0"], |_| {}, identifier(7));
    session.go_online(true);
    session.store();
    assert_eq!(session.sent().len(), 1);
}

#[test]
fn the_next_process_may_speak_another_version() {
    let mut session = granted(Version::V5, &["a:1"]).crash_to(|settings: &mut Settings| {
        settings.version = Version::V311;
        settings.properties = PropertyBlock::new();
    });
    session.subscribe(&["a:1"]);
    assert_eq!(session.go_online(true), NOTHING);
    let mut session = session.crash_to(|settings| settings.version = Version::V31);
    // Which does not say whether the broker has kept anything.
    session.subscribe(&["a:1"]);
    assert_eq!(session.go_online(true), NOTHING);
    assert_eq!(session.store(), ["ungranted a"]);
    assert_eq!(session.sent(), ["SUBSCRIBE #1 a:1"]);
    session.receive(suback(1, &[1]));
    assert_eq!(session.store(), NOTHING);
    assert_eq!(session.reconnect(true), ["SUBSCRIBE #2 a:1"]);
}

#[test]
fn the_answer_to_a_request_that_was_replaced_is_not_put_on_record() {
    for version in KEPT {
        let mut session = Shelved::new(version).connected();
        session.subscribe(&["a:1"]);
        session.subscribe(&["a:2"]);
        session.subscribe(&["b:1"]);
        session.unsubscribe(&["b"]);
        session.sent();
        session.receive(suback(1, &[1]));
        session.receive(suback(3, &[1]));
        assert_eq!(session.store(), NOTHING);
        session.receive(suback(2, &[2]));
        assert_eq!(session.store(), [on_record(version, "a:2", 1)]);
    }
    // The program has taken the identifier, and the subscription is asked for under another.
    let mut session = Shelved::new(Version::V5).connected();
    session.subscribe(&["a:1"]);
    session.subscribe_with(&["b:1"], |_| {}, identifier(1));
    assert_eq!(session.sent().len(), 3);
    session.receive(suback(1, &[1]));
    assert_eq!(session.store(), NOTHING);
    session.receive(suback(2, &[1]));
    session.receive(suback(3, &[1]));
    assert_eq!(session.store(), ["granted a:1 as 2 at q1", "granted b:1 as 1 at q1"]);
}

#[test]
fn the_end_of_the_session_leaves_the_record_as_it_is() {
    for version in KEPT {
        let mut session = granted(version, &["a:1"]).crash();
        session.subscribe(&["a:1"]);
        session.engine.cancel_subscriptions();
        assert_eq!(session.store(), NOTHING);
        let mut session = session.crash();
        session.go_online(true);
        session.subscribe(&["a:1"]);
        assert_eq!(session.sent(), NOTHING);
        session.engine.cancel_subscriptions();
        assert_eq!(session.store(), NOTHING);
        assert_eq!(session.crash().engine.filters(), ["a"]);
    }
}

#[test]
fn a_message_finds_nobody_until_its_filter_is_subscribed() {
    let mut session = granted(Version::V5, &["a:0"]).crash();
    session.go_online(true);
    assert!(session.deliver(message0("a", "")).is_empty());
    let bytes = session.encoded(Packet::Publish(message0("a", "later")));
    let route = session.subscribe(&["a:0"]);
    assert_eq!(session.input(&bytes).unwrap().remove(0).routes, [route]);
}
