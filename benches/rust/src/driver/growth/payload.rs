//! One large message: how many copies of its payload there are in memory at the same time.

use bytes::Bytes;
use measure::{Result, Run, Start, Tally, process_status};
use mqttsession::{
    client::{Payload, Session},
    protocol::QoS,
};
use serde_json::json;

use crate::session::{connect, publish_options, report, subscribe};

/// The payload is handed over: the program's copy is the only one.
pub(crate) fn send_shared(run: &Run) -> Result<()> {
    let session = connect(run)?;
    let payload = Bytes::from(vec![b'x'; run.size]);
    send(run, &session, Payload::Shared(payload))
}

/// The program keeps its payload, so the session has to copy it.
pub(crate) fn send_borrowed(run: &Run) -> Result<()> {
    let session = connect(run)?;
    let payload = vec![b'x'; run.size];
    send(run, &session, Payload::Borrowed(&payload))
}

fn send(run: &Run, session: &Session, payload: Payload<'_>) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let number = session.publish("t/data", payload, publish_options(QoS::AtLeastOnce))?;
    session.wait(number, None)?;
    report(run, &start, 1, json!({ "copies": copies(run, before)? }))
}

/// The peer sends it.
pub(crate) fn receive(run: &Run) -> Result<()> {
    static RECEIVED: Tally = Tally::new();
    let session = connect(run)?;
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    subscribe(&session, &format!("source/1/1/{}", run.size), QoS::AtLeastOnce, &RECEIVED)?;
    let messages = RECEIVED.wait(1);
    report(run, &start, messages, json!({ "copies": copies(run, before)? }))
}

/// By how many payloads the process was larger at its largest than `before`, in KiB.
fn copies(run: &Run, before: i64) -> Result<f64> {
    let grown = process_status("VmHWM")? - before;
    Ok(grown as f64 * 1024.0 / run.size as f64)
}
