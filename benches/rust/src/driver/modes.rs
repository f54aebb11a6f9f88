//! What is measured, mode by mode.

use std::{thread, time::Duration};

use measure::{Result, Run, Start, Tally, process_status};
use mqttsession::{
    client::{Payload, PublishOptions},
    protocol::QoS,
};
use serde_json::json;

use crate::session::{connect, connect_many, publish_options, qos, report, subscribe, then};

const TOPIC: &str = "t/data";

/// Round trips that are not measured.
const WARM_UP: usize = 200;

/// From the first call to the last acknowledgement.
pub(crate) fn publish(run: &Run) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let session = connect(run)?;
    let payload = vec![b'x'; run.size];
    let payload = Payload::Borrowed(&payload);
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
    let mut trips = Vec::with_capacity(run.count as usize);
    for number in 0..WARM_UP + run.count as usize {
        if number == WARM_UP {
            start = Start::now()?;
        }
        let before = std::time::Instant::now();
        session.publish("echo/x", Payload::Borrowed(&payload), PublishOptions::default())?;
        RECEIVED.wait(number as i64 + 1);
        if number >= WARM_UP {
            trips.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    trips.sort_unstable_by(f64::total_cmp);
    let [least, p50, p99] = [0, trips.len() / 2, trips.len() * 99 / 100].map(|at| trips[at]);
    report(run, &start, run.count, json!({ "min_us": least, "p50_us": p50, "p99_us": p99 }))
}

/// From before the first connection to one second after the last.
pub(crate) fn idle(run: &Run) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let sessions = connect_many(run, run.count)?;
    let connecting = start.wall().as_secs_f64();
    thread::sleep(Duration::from_secs(1));
    let grown = process_status("VmRSS")? - before;
    let extra = json!({
        "conns": sessions.len(),
        "rss_per_conn_kb": grown as f64 / run.count as f64,
        "threads": process_status("Threads")?,
        "connect_s": connecting,
    });
    report(run, &start, run.count, extra)
}
