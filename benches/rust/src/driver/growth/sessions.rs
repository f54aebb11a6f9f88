//! Busy sessions in one process.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use measure::{Result, Run, Start, Tally};
use mqttsession::{client::Payload, protocol::QoS};
use serde_json::json;

use crate::session::{PATIENCE, connect_many, count_in, report, subscription, then};

/// Messages of QoS 1 on their way in each session, published half of them at a time.
const WINDOW: i64 = 100;

/// One thread fills up each session that has acknowledged half its window.
pub(crate) fn publish(run: &Run, count: i64) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let sessions = connect_many(run, count)?;
    let payload = vec![b'x'; run.size];
    let each = run.count / count;
    let all = each * count;
    let mut progress: Vec<(i64, Arc<AtomicI64>)> =
        sessions.iter().map(|_| Default::default()).collect();
    let start = Start::now()?;
    let mut published = 0;
    while published < all {
        let before = COMPLETED.value();
        let mut idle = true;
        for (session, (sent, completed)) in sessions.iter().zip(&mut progress) {
            let open = *sent - completed.load(Ordering::Relaxed);
            if open > WINDOW / 2 || *sent == each {
                continue;
            }
            idle = false;
            for _ in 0..(WINDOW - open).min(each - *sent) {
                let completed = completed.clone();
                let options = then(QoS::AtLeastOnce, move || {
                    completed.fetch_add(1, Ordering::Relaxed);
                    COMPLETED.add();
                });
                session.publish("t/data", Payload::Borrowed(&payload), options)?;
                *sent += 1;
                published += 1;
            }
        }
        if idle {
            COMPLETED.wait(before + WINDOW / 2);
        }
    }
    COMPLETED.wait(all);
    report(run, &start, all, json!({}))
}

/// Each session has the peer send it a stream of messages of QoS 0.
pub(crate) fn receive(run: &Run, count: i64) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let sessions = connect_many(run, count)?;
    let each = run.count / count;
    let filter = format!("source/0/{each}/{}", run.size);
    let start = Start::now()?;
    let mut subscribing = Vec::new();
    for session in &sessions {
        let options = subscription(QoS::AtMostOnce);
        subscribing.push(session.subscribe(&filter, options, count_in(&RECEIVED))?);
    }
    for operation in subscribing {
        operation.wait(PATIENCE)?;
    }
    let messages = RECEIVED.wait(each * count);
    report(run, &start, messages, json!({}))
}
