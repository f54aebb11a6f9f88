//! What is measured, mode by mode.

use std::{env, sync::Arc, thread, time::Duration};

use mqttsession::{
    client::{
        Completion, Dispatch, Handler, Message, Operation, Options, Payload, PublishOptions,
        Session,
    },
    protocol::{QoS, SubscriptionOptions, Version},
};
use serde_json::json;

use crate::measure::{Result, Run, Start, Tally, process_status};

const TOPIC: &str = "t/data";

/// How long anything but the run itself may take.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

/// Round trips that are not measured.
const WARM_UP: usize = 200;

fn session(run: &Run, client_id: &str) -> Result<Session> {
    let mut options = Options::new();
    options.set_address(&run.address)?.set_client_id(client_id)?;
    options.set_version(if run.version == 5 { Version::V5 } else { Version::V311 });
    options.set_in_flight_limit(u16::try_from(run.window).unwrap_or(u16::MAX))?;
    if env::var("BENCH_DISPATCH").is_ok_and(|dispatch| dispatch == "inline") {
        options.set_dispatch(Dispatch::Inline);
    }
    Ok(Session::new(&options)?)
}

fn connect(run: &Run) -> Result<Session> {
    let session = session(run, "bench")?;
    session.connect()?.wait(PATIENCE)?;
    Ok(session)
}

fn publish_options(qos: QoS) -> PublishOptions {
    PublishOptions { qos, ..PublishOptions::default() }
}

fn count_in(tally: &'static Tally) -> Arc<dyn Handler> {
    Arc::new(|_: &Message<'_>| tally.add())
}

/// From the first call to the last acknowledgement.
pub(crate) fn publish(run: &Run) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let session = connect(run)?;
    let payload = vec![b'x'; run.size];
    let payload = Payload::Borrowed(&payload);
    let qos = QoS::from_u8(run.qos).ok_or("QoS is 0, 1 or 2")?;
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
            let completion: Completion = Box::new(|_, outcome| {
                outcome.expect("the sink refuses nothing");
                COMPLETED.add();
            });
            let options = PublishOptions { completion: Some(completion), ..publish_options(qos) };
            session.publish(TOPIC, payload.share(), options)?;
        }
        COMPLETED.wait(run.count);
    }
    start.report(run, run.count, json!({}))
}

/// From the subscribe call to the last message in the program's hands.
pub(crate) fn receive(run: &Run) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let session = connect(run)?;
    let filter = format!("source/{}/{}/{}", run.qos, run.count, run.size);
    let qos = QoS::from_u8(run.qos).ok_or("QoS is 0, 1 or 2")?;
    let start = Start::now()?;
    subscribe(&session, &filter, qos, &RECEIVED)?;
    let messages = RECEIVED.wait(run.count);
    start.report(run, messages, json!({}))
}

fn subscribe(session: &Session, filter: &str, qos: QoS, tally: &'static Tally) -> Result<()> {
    let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    session.subscribe(filter, options, count_in(tally))?.wait(PATIENCE)?;
    Ok(())
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
    start.report(run, run.count, json!({ "min_us": least, "p50_us": p50, "p99_us": p99 }))
}

/// From before the first connection to one second after the last.
pub(crate) fn idle(run: &Run) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let sessions: Result<Vec<Session>> =
        (0..run.count).map(|number| session(run, &format!("bench{number}"))).collect();
    let sessions = sessions?;
    let connecting: std::result::Result<Vec<Operation<_>>, _> =
        sessions.iter().map(Session::connect).collect();
    for operation in connecting? {
        operation.wait(PATIENCE)?;
    }
    let connect = start.wall().as_secs_f64();
    thread::sleep(Duration::from_secs(1));
    let grown = process_status("VmRSS")? - before;
    let extra = json!({
        "conns": run.count,
        "rss_per_conn_kb": grown as f64 / run.count as f64,
        "threads": process_status("Threads")?,
        "connect_s": connect,
    });
    start.report(run, run.count, extra)
}
