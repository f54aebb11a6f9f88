//! Properties of 5.0 on their way through the broker.

use std::time::Instant;

use mqttsession::{
    client::PublishOptions,
    protocol::{Property, QoS},
};
use mqttsession_tests::DEADLINE;

use crate::bench::*;

fn with(all: &[Property<'_>], retain: bool) -> PublishOptions {
    let properties = properties(all);
    PublishOptions { qos: QoS::AtLeastOnce, retain, properties, ..PublishOptions::default() }
}

pub(super) fn carried(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    let sent = [
        Property::PayloadFormatIndicator(1),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answer/here"),
        Property::CorrelationData(&[0, 1, 254, 255]),
        Property::UserProperty("name", "first"),
        Property::UserProperty("", "no name"),
        Property::UserProperty("name", "second"),
    ];
    publish_with(&publisher, &bench.topic("t"), "text", with(&sent, false))?;
    let message = inbox.next()?;
    for property in sent {
        demand(message.properties().iter().any(|came| came == property), || {
            format!("{property:?} is missing; {:?} came", message.properties())
        })?;
    }
    // [MQTT-3.3.2-18]: their order is kept. A broker may add its own.
    let sent_by_us =
        |one: &Property<'_>| matches!(one, Property::UserProperty(..)) && sent.contains(one);
    let users: Vec<_> = message.properties().iter().filter(sent_by_us).collect();
    demand(users == sent[4..], || format!("user properties came as {users:?}"))
}

pub(super) fn expiry_carried(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let expiry = [Property::MessageExpiryInterval(3600)];
    publish_with(&publisher, &bench.topic("t"), "kept", with(&expiry, true))?;
    let message = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?.next()?;
    // [MQTT-3.3.2-6]: the interval less the time that it has waited.
    match message.properties().message_expiry_interval() {
        Some(3000..=3600) => Ok(()),
        other => wrong(format!("of an expiry of 3600 {other:?} came")),
    }
}

/// Asks again and again until the broker no longer has the message: no pause of a length that
/// would have to be right.
pub(super) fn expired(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let expiry = [Property::MessageExpiryInterval(1)];
    publish_with(&publisher, &bench.topic("t"), "short-lived", with(&expiry, true))?;
    let end = Instant::now() + DEADLINE;
    loop {
        let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
        bench.fence(&publisher, &subscriber)?;
        if inbox.rest().is_empty() {
            return Ok(());
        }
        demand(Instant::now() < end, || "it still comes long after it has expired".to_owned())?;
        ended(subscriber.unsubscribe(&bench.topic("t")))?;
    }
}
