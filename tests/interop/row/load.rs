//! Many messages, and connections that are cut under them.

use std::sync::mpsc::channel;

use mqttsession::{
    client::{Completion, Options, Outcome, PublishOptions, Session},
    protocol::QoS,
};
use mqttsession_tests::{
    DEADLINE,
    seen::Seen,
    tap::{Tap, at_packet},
};

use crate::bench::*;

/// At which packet each connection is cut: late enough for what the last one left open to be repeated.
const APART: [usize; 8] = [90, 150, 211, 101, 333, 175, 260, 120];

/// The same, with connections that end in the middle of repeating.
const AT_ONCE: [usize; 8] = [40, 9, 150, 33, 8, 211, 60, 17];

pub(super) fn in_order(bench: &Bench<'_>) -> Result {
    const MESSAGES: usize = 10_000;

    let (publisher, subscriber) = (bench.session("p")?, bench.session("s")?);
    let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    publish_many(bench, &publisher, MESSAGES, QoS::AtLeastOnce)?;
    for count in 0..MESSAGES {
        let found = text(&inbox.next().at(&format!("message {count}"))?);
        demand(found == count.to_string(), || format!("{found} came in place of {count}"))?;
    }
    inbox.expect_nothing()
}

/// Publishes numbers as fast as the window allows, and waits until all have been confirmed.
fn publish_many(bench: &Bench<'_>, publisher: &Session, messages: usize, qos: QoS) -> Result {
    let (sender, ends) = channel();
    for count in 0..messages {
        let sender = sender.clone();
        let completion = Completion::new(move |_, outcome: Outcome| {
            drop(sender.send((count, outcome.map(drop))))
        });
        let options =
            PublishOptions { qos, completion: Some(completion), ..PublishOptions::default() };
        publisher.publish(&bench.topic("t"), count.to_string().as_bytes().into(), options)?;
    }
    for done in 0..messages {
        match ends.recv_timeout(DEADLINE) {
            Ok((count, outcome)) => outcome.at(&format!("message {count}"))?,
            Err(_) => return wrong(format!("only {done} of {messages} were confirmed")),
        }
    }
    Ok(())
}

pub(super) fn publisher_cut(bench: &Bench<'_>) -> Result {
    let tap = bench.cutting_tap(AT_ONCE.map(at_packet).into());
    let mut publisher = bench.lasting_at(tap.port(), "p")?;
    // The tap hangs up in the broker's name; what that says of a message is another row's.
    publisher.set_set_aside_after(0);
    exactly_once(bench, &publisher, &bench.lasting("s")?, &tap)
}

pub(super) fn subscriber_cut(bench: &Bench<'_>) -> Result {
    let tap = bench.cutting_tap(APART.map(at_packet).into());
    exactly_once(bench, &bench.lasting("p")?, &bench.lasting_at(tap.port(), "s")?, &tap)
}

pub(super) fn subscriber_cut_again(bench: &Bench<'_>) -> Result {
    let tap = bench.cutting_tap(AT_ONCE.map(at_packet).into());
    exactly_once(bench, &bench.lasting("p")?, &bench.lasting_at(tap.port(), "s")?, &tap)
}

fn exactly_once(bench: &Bench<'_>, publisher: &Options, subscriber: &Options, tap: &Tap) -> Result {
    const MESSAGES: usize = 1000;

    let (publisher, subscriber) = (connect(publisher)?.0, connect(subscriber)?.0);
    let exactly_once = at(QoS::ExactlyOnce);
    let (granted, inbox) = subscribe_granted(&subscriber, &bench.topic("t"), exactly_once)?;
    publish_many(bench, &publisher, MESSAGES, QoS::ExactlyOnce)?;
    if granted.qos < QoS::ExactlyOnce {
        return not_offered("subscriptions of QoS 2 are granted QoS 1");
    }
    let mut seen = vec![0; MESSAGES];
    let mut missing = MESSAGES;
    while missing > 0 {
        let message = inbox.next().at(&format!("with {missing} messages missing"))?;
        let number: usize = text(&message).parse().or_else(|_| wrong("a payload was changed"))?;
        missing -= usize::from(seen[number] == 0);
        seen[number] += 1;
    }
    demand(tap.connections() > AT_ONCE.len(), || "not every cut was made".to_owned())?;
    // A second one may still be on its way.
    bench.fence(&publisher, &subscriber)?;
    for text in inbox.rest() {
        seen[text.parse::<usize>().or_else(|_| wrong("a payload was changed"))?] += 1;
    }
    let repeated = seen.iter().filter(|times| **times > 1).count();
    demand(repeated == 0, || format!("{repeated} messages came more than once"))
}

pub(super) fn puback_lost(bench: &Bench<'_>) -> Result {
    lost(bench, QoS::AtLeastOnce, |seen| matches!(seen, Seen::Puback(_)))
}

pub(super) fn pubrec_lost(bench: &Bench<'_>) -> Result {
    lost(bench, QoS::ExactlyOnce, |seen| matches!(seen, Seen::Pubrec(_)))
}

pub(super) fn pubcomp_lost(bench: &Bench<'_>) -> Result {
    lost(bench, QoS::ExactlyOnce, |seen| matches!(seen, Seen::Pubcomp(_)))
}

/// The connection is cut just when the broker answers; the session goes on where it stood.
fn lost(bench: &Bench<'_>, qos: QoS, answer: fn(&Seen) -> bool) -> Result {
    let subscriber = bench.session("s")?;
    let (granted, inbox) = subscribe_granted(&subscriber, &bench.topic("t"), at(qos))?;
    let tap = bench.cutting_tap(vec![Box::new(move |packet| answer(&packet.seen))]);
    let (publisher, _) = connect(&bench.lasting_at(tap.port(), "p")?)?;
    publish(&publisher, &bench.topic("t"), qos, "once")?;
    demand(tap.connections() > 1, || "the answer was not cut off".to_owned())?;
    inbox.expect(&["once"])?;
    bench.fence(&publisher, &subscriber)?;
    if qos == QoS::ExactlyOnce && granted.qos == qos {
        return inbox.expect_nothing();
    }
    Ok(())
}
