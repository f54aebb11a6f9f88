//! One message there and back.

use mqttsession::{
    client::{Payload, PublishOptions},
    protocol::{QoS, ReasonCode},
};

use mqttsession_tests::DEADLINE;

use crate::bench::*;

pub(super) fn at_most_once(bench: &Bench<'_>) -> Result {
    there_and_back(bench, QoS::AtMostOnce)
}

pub(super) fn at_least_once(bench: &Bench<'_>) -> Result {
    there_and_back(bench, QoS::AtLeastOnce)
}

pub(super) fn exactly_once(bench: &Bench<'_>) -> Result {
    there_and_back(bench, QoS::ExactlyOnce)
}

fn there_and_back(bench: &Bench<'_>, qos: QoS) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let (granted, inbox) = subscribe_granted(&subscriber, &bench.topic("t"), at(qos))?;
    publish(&publisher, &bench.topic("t"), qos, "payload")?;
    let message = inbox.next()?;
    demand(message.topic() == bench.topic("t") && text(&message) == "payload", || {
        format!("{message:?} came back")
    })?;
    demand(message.qos() == qos.min(granted.qos), || {
        let (came, granted) = (message.qos() as u8, granted.qos as u8);
        format!("it came with QoS {came}, granted was {granted}")
    })?;
    bench.fence(&publisher, &subscriber)?;
    inbox.expect_nothing()?;
    if granted.qos < qos {
        // [MQTT-3.9.3-1]: it may. The way back is then another row's.
        return not_offered(format!(
            "subscriptions of QoS {} are granted QoS {}",
            qos as u8, granted.qos as u8
        ));
    }
    Ok(())
}

pub(super) fn large(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    let payload: Vec<u8> = (0..200_000_u32).map(|index| (index / 251 + index) as u8).collect();
    let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    let number = publisher.publish(&bench.topic("t"), Payload::Borrowed(&payload), options)?;
    publisher.wait(number, Some(DEADLINE)).at("publish")?;
    demand(inbox.next()?.payload() == payload, || "the payload was changed".to_owned())
}

pub(super) fn no_matching_subscribers(bench: &Bench<'_>) -> Result {
    let publisher = bench.session("p")?;
    let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    let number = publisher.publish(&bench.topic("nobody"), "unheard".into(), options)?;
    let delivered = publisher.wait(number, Some(DEADLINE)).at("publish")?;
    match delivered.reason {
        ReasonCode::NoMatchingSubscribers => Ok(()),
        ReasonCode::Success => not_offered("PUBACK does not say that nobody listened"),
        other => wrong(format!("{other:?}")),
    }
}
