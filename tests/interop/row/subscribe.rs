//! Which messages come, and how often.

use std::collections::BTreeSet;

use mqttsession::{
    client::Session,
    error::Code,
    protocol::{Property, QoS, ReasonCode, SubscriptionOptions},
};

use mqttsession_tests::{DEADLINE, seen::Seen, tap::Passed};

use crate::bench::*;

pub(super) fn wildcards(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let one = subscribe(&subscriber, &bench.topic("one/+/end"), at(QoS::AtLeastOnce))?;
    let many = subscribe(&subscriber, &bench.topic("many/#"), at(QoS::AtLeastOnce))?;
    for (topic, payload) in [
        ("one/a/end", "1"),
        ("one/a/b/end", "too deep"),
        ("one/end", "too short"),
        ("one//end", "2"),
        ("one/a/other", "other"),
        ("one/b/end", "3"),
        ("many", "parent"),
        ("many/a", "child"),
        ("manya", "neighbour"),
        ("many/a/b/c", "descendant"),
    ] {
        publish(&publisher, &bench.topic(topic), QoS::AtLeastOnce, payload)?;
    }
    bench.fence(&publisher, &subscriber)?;
    one.expect(&["1", "2", "3"])?;
    // [MQTT-4.7.1-2] counts the parent level in.
    many.expect(&["parent", "child", "descendant"])?;
    one.expect_nothing()?;
    many.expect_nothing()
}

pub(super) fn several(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let topics = ["zero", "one", "two"].map(|tail| bench.topic(tail));
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    let filters: Vec<_> = topics.iter().map(|topic| &topic[..]).zip(levels.map(at)).collect();
    let (handler, inbox) = inbox();
    let granted =
        ended(subscriber.subscribe_many(&filters, Default::default(), handler)).at("subscribe")?;
    demand(granted.len() == 3, || format!("{} answers to three filters", granted.len()))?;
    for ((topic, asked), granted) in filters.iter().zip(granted) {
        let granted = granted.at(topic)?;
        demand(granted.qos <= asked.qos, || {
            format!("QoS {} asked, {} granted", asked.qos as u8, granted.qos as u8)
        })?;
        publish(&publisher, topic, QoS::AtLeastOnce, topic)?;
        let message = inbox.next()?;
        // [MQTT-3.8.4-6]: the lower of both.
        let expected = granted.qos.min(QoS::AtLeastOnce);
        demand(text(&message) == **topic && message.qos() == expected, || {
            format!("{message:?} came, granted was QoS {}", granted.qos as u8)
        })?;
    }
    Ok(())
}

/// A server may send one message for both subscriptions or one for each; a handler gets as many as
/// it sent, and every handler gets them.
pub(super) fn overlapping(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let narrow = subscribe(&subscriber, &bench.topic("a/+"), at(QoS::AtLeastOnce))?;
    let wide = subscribe(&subscriber, &bench.topic("#"), at(QoS::AtLeastOnce))?;
    publish(&publisher, &bench.topic("a/b"), QoS::AtLeastOnce, "both")?;
    bench.fence(&publisher, &subscriber)?;
    // The fence's messages come to the wide one, too.
    let [narrow, wide] = [narrow, wide]
        .map(|inbox| inbox.rest().iter().filter(|payload| *payload == "both").count());
    demand((1..=2).contains(&narrow) && narrow == wide, || {
        format!("the narrow one got it {narrow} times, the wide one {wide} times")
    })
}

pub(super) fn shared(bench: &Bench<'_>) -> Result {
    const MESSAGES: usize = 40;

    let publisher = bench.session("p")?;
    let members: [Session; 2] = [bench.session("s")?, bench.session("t")?];
    let filter = format!("$share/group/{}", bench.topic("t"));
    let mut inboxes = Vec::new();
    for member in &members {
        let (handler, inbox) = inbox();
        let subscribing = member.subscribe(&filter, at(QoS::AtLeastOnce), handler);
        match subscribing.and_then(|operation| operation.wait(Some(DEADLINE))) {
            Ok(_) => inboxes.push(inbox),
            // The session refuses what CONNACK says is not available.
            Err(error) if error.code() == Code::NotSupported => {
                return not_offered("CONNACK says that there are no shared subscriptions");
            }
            Err(error) if !bench.version.is_v5() && error.code() == Code::SubscribeRefused => {
                return not_offered("$share is no part of MQTT before 5.0");
            }
            Err(error) => return wrong(format!("subscribe: {error:?}")),
        }
    }
    for count in 0..MESSAGES {
        publish(&publisher, &bench.topic("t"), QoS::AtLeastOnce, &count.to_string())?;
    }
    for member in &members {
        bench.fence(&publisher, member)?;
    }
    let got: Vec<Vec<String>> = inboxes.iter().map(Inbox::rest).collect();
    let mut all: Vec<usize> = got.concat().iter().flat_map(|text| text.parse()).collect();
    all.sort_unstable();
    if all.is_empty() && !bench.version.is_v5() {
        return not_offered("$share is no part of MQTT before 5.0");
    }
    demand(all.iter().copied().eq(0..MESSAGES), || {
        format!("of {MESSAGES} messages the members got {} in sum", all.len())
    })?;
    demand(got.iter().all(|messages| !messages.is_empty()), || {
        "one member got everything".to_owned()
    })
}

pub(super) fn unsubscribe(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let (topic, other) = (bench.topic("t"), bench.topic("other"));
    let inbox = subscribe(&subscriber, &topic, at(QoS::AtLeastOnce))?;
    let stays = subscribe(&subscriber, &other, at(QoS::AtLeastOnce))?;
    publish(&publisher, &topic, QoS::AtLeastOnce, "before")?;
    inbox.expect(&["before"])?;
    ended(subscriber.unsubscribe(&topic)).at("unsubscribe")?;
    let received = subscriber.statistics().received;
    publish(&publisher, &topic, QoS::AtLeastOnce, "after")?;
    publish(&publisher, &other, QoS::AtLeastOnce, "other")?;
    stays.expect(&["other"])?;
    // Routing would hide what the broker sends all the same; the count does not.
    demand(subscriber.statistics().received == received + 1, || {
        "the broker still sends what was unsubscribed".to_owned()
    })
}

/// A result for each filter, whether it was subscribed or not.
pub(super) fn unsubscribe_several(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let topics = ["one", "two", "stays", "never"].map(|tail| bench.topic(tail));
    let [one, two, stays, never] = topics.each_ref().map(|topic| &topic[..]);
    let mut inboxes = Vec::new();
    for topic in [one, two, stays] {
        inboxes.push(subscribe(&subscriber, topic, at(QoS::AtLeastOnce))?);
    }
    let results = ended(subscriber.unsubscribe_many(&[one, never, two], Default::default()))?;
    demand(results.len() == 3, || format!("{} results for three filters", results.len()))?;
    for (filter, result) in ["one", "never", "two"].into_iter().zip(results) {
        let reason = result.at(filter)?.reason;
        // [MQTT-3.11.3-2]; UNSUBACK says nothing before 5.0.
        let expected = match filter {
            "never" if bench.version.is_v5() => ReasonCode::NoSubscriptionExisted,
            _ => ReasonCode::Success,
        };
        demand(reason == expected, || format!("{filter}: {reason:?}, not {expected:?}"))?;
    }
    let received = subscriber.statistics().received;
    for topic in [one, never, two, stays] {
        publish(&publisher, topic, QoS::AtLeastOnce, topic)?;
    }
    inboxes[2].expect(&[stays])?;
    demand(subscriber.statistics().received == received + 1, || {
        "the broker still sends what was unsubscribed".to_owned()
    })
}

pub(super) fn once_each(bench: &Bench<'_>) -> Result {
    each_handler_once(bench, &["a/+", "a/#", "+/b"].map(|tail| bench.topic(tail)))
}

pub(super) fn once_each_beside_shared(bench: &Bench<'_>) -> Result {
    let shared = format!("$share/group/{}", bench.topic("a/b"));
    each_handler_once(bench, &[bench.topic("a/+"), bench.topic("a/#"), shared])
}

/// The session gives each subscribe an identifier of its own. So it can tell the copies apart, of
/// which a server may send one for all filters or one for each.
fn each_handler_once(bench: &Bench<'_>, filters: &[String]) -> Result {
    const MESSAGES: usize = 20;

    let publisher = bench.session("p")?;
    let tap = bench.tap();
    let (subscriber, connected) = connect(&bench.options_at(tap.port(), "s")?)?;
    if !connected.subscription_identifiers_available() {
        return not_offered("CONNACK says that there are no subscription identifiers");
    }
    let mut inboxes = Vec::new();
    for filter in filters {
        let (handler, inbox) = inbox();
        match ended(subscriber.subscribe(filter, at(QoS::AtLeastOnce), handler)) {
            Ok(_) => inboxes.push((filter, inbox)),
            Err(_)
                if connected.properties.as_properties().shared_subscription_available()
                    == Some(0) =>
            {
                return not_offered("CONNACK says that there are no shared subscriptions");
            }
            Err(stop) => return Err(stop).at(filter),
        }
    }
    let identifiers: BTreeSet<u32> = tap.passed().iter().filter_map(asked_identifier).collect();
    demand(identifiers.len() == filters.len(), || {
        format!("{} filters were subscribed with {identifiers:?}", filters.len())
    })?;
    let payloads: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for payload in &payloads {
        publish(&publisher, &bench.topic("a/b"), QoS::AtLeastOnce, payload)?;
    }
    bench.fence(&publisher, &subscriber)?;
    for (filter, inbox) in inboxes {
        let got = inbox.rest();
        demand(got == payloads, || format!("to the handler of {filter} {got:?} came"))?;
    }
    Ok(())
}

/// The subscription identifier in a SUBSCRIBE.
fn asked_identifier(packet: &Passed) -> Option<u32> {
    match &packet.seen {
        Seen::Subscribe(asked) => asked.properties.number("subscription-identifier"),
        _ => None,
    }
}

pub(super) fn no_local(bench: &Bench<'_>) -> Result {
    let (session, other) = (bench.session("a")?, bench.session("b")?);
    let options = SubscriptionOptions { no_local: true, ..at(QoS::AtLeastOnce) };
    let inbox = subscribe(&session, &bench.topic("t"), options)?;
    publish(&session, &bench.topic("t"), QoS::AtLeastOnce, "own")?;
    publish(&other, &bench.topic("t"), QoS::AtLeastOnce, "other's")?;
    let first = text(&inbox.next()?);
    demand(first == "other's", || format!("{first:?} came to the session that sent it"))
}

pub(super) fn identifiers(bench: &Bench<'_>) -> Result {
    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let mut inboxes = Vec::new();
    for (number, filter) in [(7, bench.topic("a/+")), (300, bench.topic("#"))] {
        let (handler, inbox) = inbox();
        let identifier = properties(&[Property::SubscriptionIdentifier(number)]);
        let filters = [(&filter[..], at(QoS::AtLeastOnce))];
        let subscribing = subscriber.subscribe_many(&filters, identifier, handler);
        match ended(subscribing).at("subscribe")?.remove(0) {
            Ok(_) => inboxes.push((number, inbox)),
            Err(error) if error.code() == Code::NotSupported => {
                return not_offered("CONNACK says that there are no subscription identifiers");
            }
            Err(error) => return wrong(format!("{error:?}")),
        }
    }
    publish(&publisher, &bench.topic("a/b"), QoS::AtLeastOnce, "both")?;
    bench.fence(&publisher, &subscriber)?;
    for (number, inbox) in inboxes {
        // The fence's messages come to the wide filter, too.
        let both = inbox.0.try_iter().filter(|message| text(message) == "both");
        let identifiers: Vec<Vec<u32>> = both.map(|message| carried(&message)).collect();
        demand(identifiers.len() == 1, || {
            format!("the handler of {number} was called {} times", identifiers.len())
        })?;
        demand(identifiers[0].contains(&number), || {
            format!("to the handler of {number} a message with {:?} came", identifiers[0])
        })?;
    }
    Ok(())
}

/// The subscription identifiers of a message.
fn carried(message: &mqttsession::client::OwnedMessage) -> Vec<u32> {
    let number = |property| match property {
        Property::SubscriptionIdentifier(number) => Some(number),
        _ => None,
    };
    message.properties().iter().filter_map(number).collect()
}
