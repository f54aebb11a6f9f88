//! Messages that the broker keeps.

use mqttsession::protocol::{QoS, RetainHandling, SubscriptionOptions};

use crate::bench::*;

pub(super) fn set_and_cleared(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let topic = bench.topic("kept");
    let live = subscribe(&subscriber, &topic, at(QoS::AtLeastOnce))?;
    for payload in ["first", "second"] {
        retain(&publisher, &topic, payload)?;
        let message = live.next()?;
        // [MQTT-3.3.1-9] (3.1.1), [MQTT-3.3.1-12] (5.0).
        demand(text(&message) == payload && !message.retain(), || {
            format!("{message:?} came to a subscriber, retain {}", message.retain())
        })?;
    }
    let late = bench.session("t")?;
    let message = subscribe(&late, &topic, at(QoS::AtLeastOnce))?.next()?;
    demand(text(&message) == "second" && message.retain(), || {
        format!("{message:?} came to a new subscriber, retain {}", message.retain())
    })?;
    retain(&publisher, &topic, "")?;
    let later = bench.session("u")?;
    let inbox = subscribe(&later, &topic, at(QoS::AtLeastOnce))?;
    bench.fence(&publisher, &later)?;
    inbox.expect_nothing()
}

pub(super) fn as_published(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let topic = bench.topic("kept");
    let options = SubscriptionOptions { retain_as_published: true, ..at(QoS::AtLeastOnce) };
    let inbox = subscribe(&subscriber, &topic, options)?;
    retain(&publisher, &topic, "kept")?;
    publish(&publisher, &topic, QoS::AtLeastOnce, "not kept")?;
    for (payload, expected) in [("kept", true), ("not kept", false)] {
        let message = inbox.next()?;
        demand(text(&message) == payload && message.retain() == expected, || {
            format!("{message:?} came with retain {}", message.retain())
        })?;
    }
    Ok(())
}

pub(super) fn handling(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let topic = bench.topic("kept");
    retain(&publisher, &topic, "kept")?;
    // In this order: a subscription that is there is not new.
    for (retain_handling, expected) in
        [(RetainHandling::DoNotSend, 0), (RetainHandling::SendIfNew, 0), (RetainHandling::Send, 1)]
    {
        let options = SubscriptionOptions { retain_handling, ..at(QoS::AtLeastOnce) };
        let inbox = subscribe(&subscriber, &topic, options)?;
        bench.fence(&publisher, &subscriber)?;
        let came = inbox.rest().len();
        demand(came == expected, || format!("{retain_handling:?} brought {came} messages"))?;
    }
    ended(subscriber.unsubscribe(&topic)).at("unsubscribe")?;
    let options =
        SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..at(QoS::AtLeastOnce) };
    subscribe(&subscriber, &topic, options)?.expect(&["kept"])
}
