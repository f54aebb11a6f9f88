//! What is measured, mode by mode.

use std::time::Instant;

use bytes::Bytes;
use measure::{Result, Run, Start, Tally, WARM_UP, describe_idle, describe_trips, process_status};
use mqttsession::{
    client::{Payload, PublishOptions},
    engine::LARGE_PAYLOAD,
    protocol::QoS,
};
use serde_json::json;

use crate::session::{connect, connect_many, publish_options, qos, report, subscribe, then};

const TOPIC: &str = "t/data";

/// From the first call to the last acknowledgement.
pub(crate) fn publish(run: &Run) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let session = connect(run)?;
    let bytes = Bytes::from(vec![b'x'; run.size]);
    // As a program does that has a large payload at hand: it gives a count of it away, as the drivers
    // of the peers in Rust do, and not a copy.
    let payload = match run.size >= LARGE_PAYLOAD {
        true => Payload::Shared(bytes.clone()),
        false => Payload::Borrowed(&bytes),
    };
    let qos = qos(run)?;
    let start = Start::now()?;
    if qos == QoS::AtMostOnce {
        for _ in 0..run.count {
            session.publish(TOPIC, payload.share(), publish_options(qos))?;
        }
        // Its acknowledgement proves that all before it have arrived.
        let last = publish_options(QoS::AtLeastOnce);
        let last = session.publish("t/fin", Payload::Borrowed(b""), last)?;
        session.wait(last, None)?;
    } else {
        let mut known = 0;
        for number in 0..run.count {
            if number - known >= run.window {
                // Half a window at a time, so that waking up is not what is measured.
                known = COMPLETED.wait(number - run.window / 2);
            }
            session.publish(TOPIC, payload.share(), then(qos, || COMPLETED.add()))?;
        }
        COMPLETED.wait(run.count);
    }
    report(run, &start, run.count, json!({}))
}

/// From the subscribe call to the last message in the program's hands.
pub(crate) fn receive(run: &Run) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let session = connect(run)?;
    let filter = format!("source/{}/{}/{}", run.qos, run.count, run.size);
    let qos = qos(run)?;
    let start = Start::now()?;
    subscribe(&session, &filter, qos, &RECEIVED)?;
    let messages = RECEIVED.wait(run.count);
    report(run, &start, messages, json!({}))
}

/// From the publish call to the waiting thread having its message back.
pub(crate) fn latency(run: &Run) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let session = connect(run)?;
    let payload = vec![b'x'; run.size];
    subscribe(&session, "echo/x", QoS::AtMostOnce, &RECEIVED)?;
    let mut start = Start::now()?;
    let mut trips = Vec::new();
    for number in -WARM_UP..run.count {
        if number == 0 {
            start = Start::now()?;
        }
        let before = Instant::now();
        session.publish("echo/x", Payload::Borrowed(&payload), PublishOptions::default())?;
        RECEIVED.wait(number + WARM_UP + 1);
        if number >= 0 {
            trips.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    report(run, &start, run.count, describe_trips(trips))
}

/// From before the first connection to one second after the last.
pub(crate) fn idle(run: &Run) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let sessions = connect_many(run, run.count)?;
    let extra = describe_idle(&start, before, sessions.len() as i64)?;
    report(run, &start, run.count, extra)
}
