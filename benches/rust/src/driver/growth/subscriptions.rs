//! Subscriptions, each with a handler of its own.

use std::sync::Arc;

use measure::{Result, Run, Start, Tally};
use mqttsession::{client::Message, protocol::QoS};
use serde_json::json;

use crate::session::{PATIENCE, connect, count_in, report, subscription};

/// Messages come at QoS 0 on `topics` topics of those that are subscribed, drawn at random.
pub(crate) fn measure(run: &Run, subscriptions: i64, topics: i64) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let session = connect(run)?;
    let options = || subscription(QoS::AtMostOnce);
    let mut subscribing = Vec::new();
    for number in 0..subscriptions {
        // Every other one has a wildcard.
        let last = if number % 2 == 0 { "v" } else { "+" };
        let filter = format!("t/{number:07}/{last}");
        subscribing.push(session.subscribe(&filter, options(), count_in(&RECEIVED))?);
    }
    for operation in subscribing {
        operation.wait(PATIENCE)?;
    }
    let filter = format!("spread/{}/{}/{topics}/{subscriptions}", run.count, run.size);
    let start = Start::now()?;
    session.subscribe(&filter, options(), Arc::new(|_: &Message<'_>| ()))?.wait(PATIENCE)?;
    let messages = RECEIVED.wait(run.count);
    report(run, &start, messages, json!({}))
}
