//! Messages that the session refuses.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
};

use mqttsession::{
    client::{Handled, Handler, Message},
    error::Error,
    protocol::{Property, QoS, ReasonCode},
};
use mqttsession_tests::{
    DEADLINE,
    seen::Seen,
    tap::{Passed, Side},
};

use crate::bench::*;

const REASON: ReasonCode = ReasonCode::QuotaExceeded;

/// Refuses every other message.
struct Chooser(Mutex<Sender<Result<usize, Error>>>);

impl Handler for Chooser {
    fn handle(&self, message: &Message<'_>) -> Handled {
        let number = String::from_utf8_lossy(message.payload()).parse().unwrap_or(usize::MAX);
        let (result, handled) = if number.is_multiple_of(2) {
            let why = properties(&[Property::ReasonString("an even one")]);
            (message.acknowledgement().refuse(REASON, why), Handled::Deferred)
        } else {
            (Ok(()), Handled::Done)
        };
        let sender = self.0.lock().expect("the lock is held for a send only");
        let _the_row_has_ended = sender.send(result.map(|()| number));
        handled
    }
}

pub(super) fn at_least_once(bench: &Bench<'_>) -> Result {
    refuse(bench, QoS::AtLeastOnce)
}

pub(super) fn exactly_once(bench: &Bench<'_>) -> Result {
    refuse(bench, QoS::ExactlyOnce)
}

/// More refusals than a broker has in flight at a time: each gives its place back, and none comes
/// again, not on a new connection either.
fn refuse(bench: &Bench<'_>, qos: QoS) -> Result {
    const MESSAGES: usize = 100;

    let publisher = bench.session("p")?;
    let tap = bench.tap();
    let (subscriber, _) = connect(&bench.lasting_at(tap.port(), "s")?)?;
    let (sender, came) = channel();
    let chooser = Arc::new(Chooser(Mutex::new(sender)));
    ended(subscriber.subscribe(&bench.topic("t"), at(qos), chooser)).at("subscribe")?;
    for number in 0..MESSAGES {
        publish(&publisher, &bench.topic("t"), qos, &number.to_string())?;
    }
    let mut left: BTreeSet<usize> = (0..MESSAGES).collect();
    let mut take = |what: &str| match came.recv_timeout(DEADLINE) {
        Ok(number) => {
            let number = number.at("refuse")?;
            demand(left.remove(&number) || number == MESSAGES, || format!("{number} came twice"))
        }
        Err(_) => wrong(format!("{what} never came")),
    };
    (0..MESSAGES).try_for_each(|number| take(&format!("message {number}")))?;
    let count = |passed: &[Passed]| {
        let refused = passed.iter().filter(|packet| is_refusal(packet)).count();
        let taken = passed.iter().filter(|packet| is_last_word(packet)).count();
        (refused, taken)
    };
    let half = MESSAGES / 2;
    let all_sent = |passed: &[Passed]| (count(passed) == (half, half)).then_some(());
    demand(tap.wait_for(all_sent).is_some(), || {
        format!("{:?} were refused and taken on the wire", count(&tap.passed()))
    })?;
    // What stands on the wire may be cut off; what is in front of a fence has arrived.
    bench.fence(&publisher, &subscriber)?;
    demand(tap.connections() == 1, || "the broker ended the connection".to_owned())?;
    tap.cut();
    publish(&publisher, &bench.topic("t"), qos, &MESSAGES.to_string())?;
    take("what was published later")?;
    bench.fence(&publisher, &subscriber)?;
    match came.try_recv() {
        Err(_) => Ok(()),
        Ok(number) => wrong(format!("{number:?} came again")),
    }
}

/// PUBACK and PUBREC say no with the same words.
fn is_refusal(packet: &Passed) -> bool {
    let (Seen::Puback(answer) | Seen::Pubrec(answer)) = &packet.seen else { return false };
    packet.from == Side::Session
        && answer.reason == REASON.as_u8()
        && answer.properties.text("reason-string") == Some("an even one")
}

/// The answer after which a message that was taken is over.
fn is_last_word(packet: &Passed) -> bool {
    let (Seen::Puback(answer) | Seen::Pubcomp(answer)) = &packet.seen else { return false };
    packet.from == Side::Session && answer.reason == 0
}
