//! Topic aliases of either side.

use mqttsession::{
    client::{OwnedMessage, PublishOptions, Session},
    protocol::{Property, QoS},
};
use mqttsession_tests::{
    seen::{Publish, Seen},
    tap::{Passed, Side, Tap},
};

use crate::bench::*;

/// A publisher behind a tap, and how many aliases the broker takes.
fn publisher(bench: &Bench<'_>) -> Result<(Tap, Session, u16)> {
    let tap = bench.tap();
    let (publisher, connected) = connect(&bench.options_at(tap.port(), "p")?)?;
    match connected.properties.as_properties().topic_alias_maximum() {
        None | Some(0) => not_offered("CONNACK allows no topic alias"),
        Some(maximum) => Ok((tap, publisher, maximum)),
    }
}

/// A message whose payload is its topic's last level, whatever blanks follow, came with its topic.
fn keeps_its_topic(bench: &Bench<'_>, message: &OwnedMessage) -> Result {
    let text = text(message);
    let kept = message.topic() == bench.topic(text.trim_end());
    demand(kept, || format!("{message:?} was published to {:?}", text.trim_end()))
}

pub(super) fn given_by_the_program(bench: &Bench<'_>) -> Result {
    let subscriber = bench.session("s")?;
    let (_tap, publisher, _) = publisher(bench)?;
    let inbox = subscribe(&subscriber, &bench.topic("+"), at(QoS::AtLeastOnce))?;
    // The second topic takes the alias over.
    for topic in ["a", "a", "b", "a"] {
        let properties = properties(&[Property::TopicAlias(1)]);
        let options =
            PublishOptions { qos: QoS::AtLeastOnce, properties, ..PublishOptions::default() };
        publish_with(&publisher, &bench.topic(topic), topic, options)?;
        keeps_its_topic(bench, &inbox.next()?)?;
    }
    Ok(())
}

/// The session abbreviates by itself: more topics than there are aliases, payloads that travel
/// beside the output buffer, and a second connection, on which no alias of the first one counts.
pub(super) fn by_itself(bench: &Bench<'_>) -> Result {
    const TOPICS: usize = 40;
    const LARGE: usize = 20_000;

    let subscriber = bench.session("s")?;
    let (tap, publisher, maximum) = publisher(bench)?;
    let inbox = subscribe(&subscriber, &bench.topic("+"), at(QoS::AtLeastOnce))?;
    for _connection in 0..2 {
        let mut sent = 0;
        for round in 0..3 {
            for number in 0..TOPICS {
                // The same topic twice in a row, so that some are abbreviated whatever the maximum is.
                let topic = format!("topic {number}");
                for size in [0, if round == 1 { LARGE } else { 0 }] {
                    let payload = format!("{topic:size$}");
                    let qos = [QoS::AtLeastOnce, QoS::AtMostOnce][round % 2];
                    let options = PublishOptions { qos, ..PublishOptions::default() };
                    publisher.publish(&bench.topic(&topic), payload.as_bytes().into(), options)?;
                    sent += 1;
                }
            }
            ended(publisher.flush()).at("flush")?;
        }
        for _ in 0..sent {
            keeps_its_topic(bench, &inbox.next()?)?;
        }
        tap.cut();
    }
    let passed = tap.passed();
    let connections = passed.split(|packet| matches!(packet.seen, Seen::Connect(_))).skip(1);
    for connection in connections.take(2) {
        let published: Vec<&Publish> = connection.iter().filter_map(published).collect();
        let alias = |publish: &&Publish| publish.properties.number("topic-alias");
        let highest = published.iter().filter_map(alias).max();
        demand(highest <= Some(maximum.into()), || format!("{highest:?} is above {maximum}"))?;
        for large in [false, true] {
            let is_one = |publish: &&&Publish| {
                publish.topic.is_empty() && (publish.payload.len() >= LARGE) == large
            };
            let abbreviated = published.iter().filter(is_one).count();
            demand(abbreviated >= if large { TOPICS } else { 2 * TOPICS }, || {
                format!("only {abbreviated} topics were abbreviated")
            })?;
        }
    }
    Ok(())
}

/// A message on its way to the broker.
fn published(packet: &Passed) -> Option<&Publish> {
    match &packet.seen {
        Seen::Publish(publish) if packet.from == Side::Session => Some(publish),
        _ => None,
    }
}

pub(super) fn from_the_broker(bench: &Bench<'_>) -> Result {
    let publisher = bench.session("p")?;
    let tap = bench.tap();
    let mut options = bench.options_at(tap.port(), "s")?;
    options.add_connect_property(Property::TopicAliasMaximum(2))?;
    let (subscriber, _) = connect(&options)?;
    let inbox = subscribe(&subscriber, &bench.topic("+"), at(QoS::AtLeastOnce))?;
    // More topics than aliases, each several times.
    for topic in ["a", "b", "c", "a", "b", "c", "c", "a"] {
        publish(&publisher, &bench.topic(topic), QoS::AtLeastOnce, topic)?;
        keeps_its_topic(bench, &inbox.next()?)?;
    }
    let uses_alias = |passed: &Passed| {
        matches!(&passed.seen, Seen::Publish(publish) if passed.from == Side::Broker
            && publish.topic.is_empty())
    };
    if tap.passed().iter().any(uses_alias) {
        return Ok(());
    }
    not_offered("the broker uses no topic alias")
}
