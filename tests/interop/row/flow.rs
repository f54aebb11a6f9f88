//! Both receive maximums, counted on the wire.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
};

use mqttsession::{
    client::{Acknowledge, Acknowledgement, Event, Handled, Handler, Message, PublishOptions},
    error::Error,
    protocol::QoS,
};
use mqttsession_tests::{
    DEADLINE,
    tap::{Side, most_in_flight},
};

use crate::bench::*;

/// What the row waits for.
enum Step {
    Received(Acknowledgement),
    Lost(Error),
}

/// Hands its messages' acknowledgements to the row.
struct Keeper(Mutex<Sender<Step>>);

impl Handler for Keeper {
    fn handle(&self, message: &Message<'_>) -> Handled {
        let sender = self.0.lock().expect("the lock is held for a send only");
        let _ = sender.send(Step::Received(message.acknowledgement()));
        Handled::Deferred
    }
}

pub(super) fn ours_at_least_once(bench: &Bench<'_>) -> Result {
    ours(bench, QoS::AtLeastOnce)
}

/// A message of QoS 2 counts until PUBCOMP (4.9).
pub(super) fn ours_exactly_once(bench: &Bench<'_>) -> Result {
    ours(bench, QoS::ExactlyOnce)
}

/// Every message is acknowledged late: as many are held back as the broker sends, and none before it
/// has had the time to send too many.
fn ours(bench: &Bench<'_>, qos: QoS) -> Result {
    const MAXIMUM: u16 = 5;
    const MESSAGES: usize = 60;

    let (publisher, other) = (bench.session("p")?, bench.session("o")?);
    let tap = bench.tap();
    let mut options = bench.options_at(tap.port(), "s")?;
    options.set_receive_maximum(MAXIMUM)?.set_acknowledge(Acknowledge::Manual);
    let (subscriber, _) = connect(&options)?;
    let (sender, steps) = channel();
    let lost = sender.clone();
    subscriber.set_event_handler(Some(Arc::new(move |event: &Event| {
        if let Event::Lost(error) = event {
            let _ = lost.send(Step::Lost(error.clone()));
        }
    })))?;
    let keeper = Arc::new(Keeper(Mutex::new(sender)));
    ended(subscriber.subscribe(&bench.topic("t"), at(qos), keeper)).at("subscribe")?;
    for count in 0..MESSAGES {
        publish(&publisher, &bench.topic("t"), qos, &count.to_string())?;
    }
    bench.fence(&publisher, &other)?;
    let mut held = VecDeque::new();
    let mut received = 0;
    while received < MESSAGES {
        let step = match held.is_empty() {
            true => steps.recv_timeout(DEADLINE).or_else(|_| wrong("a message never came"))?,
            false => match steps.try_recv() {
                Ok(step) => step,
                Err(_) => {
                    held.pop_front().map_or(Ok(()), Acknowledgement::acknowledge)?;
                    continue;
                }
            },
        };
        match step {
            Step::Received(acknowledgement) => held.push_back(acknowledgement),
            Step::Lost(error) => return wrong(format!("{error:?}")),
        }
        received += 1;
    }
    let most = most_in_flight(&tap.passed(), Side::Broker);
    demand(most <= usize::from(MAXIMUM), || format!("{most} in flight, {MAXIMUM} are allowed"))
}

pub(super) fn theirs(bench: &Bench<'_>) -> Result {
    const MESSAGES: usize = 500;

    let tap = bench.tap();
    let (publisher, connected) = connect(&bench.options_at(tap.port(), "p")?)?;
    let said = connected.properties.as_properties().receive_maximum();
    for count in 0..MESSAGES {
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][count % 2];
        let options = PublishOptions { qos, ..PublishOptions::default() };
        publisher.publish(&bench.topic("t"), "many".into(), options)?;
    }
    ended(publisher.flush()).at("flush")?;
    let most = most_in_flight(&tap.passed(), Side::Session);
    match said {
        None => not_offered("CONNACK sets no receive maximum"),
        Some(said) => demand(most <= usize::from(said), || {
            format!("{most} were in flight, the broker allows {said}")
        }),
    }
}
