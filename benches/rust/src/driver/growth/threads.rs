//! Threads that publish on one session.

use std::{sync::Arc, thread};

use measure::{Result, Run, Start, Tally};
use mqttsession::{
    client::{Payload, Session},
    protocol::QoS,
};
use serde_json::json;

use crate::session::{connect, publish_options, qos, report, then};

/// All threads together publish what the run asks for.
pub(crate) fn measure(run: &Run, threads: i64) -> Result<()> {
    let window = run.window * threads;
    let session = connect(&Run { window, ..run.clone() })?;
    let qos = qos(run)?;
    let each = run.count / threads;
    let start = Start::now()?;
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| publish(&session, run, qos, each))).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread has panicked".to_owned())?)
    })?;
    // Its acknowledgement proves that all before it have arrived.
    let last = publish_options(QoS::AtLeastOnce);
    session.wait(session.publish("t/fin", Payload::Borrowed(b""), last)?, None)?;
    report(run, &start, each * threads, json!({}))
}

/// One thread: at QoS 1 and 2 with a window of its own, so that more threads wait no more often.
fn publish(session: &Session, run: &Run, qos: QoS, count: i64) -> std::result::Result<(), String> {
    let payload = vec![b'x'; run.size];
    let completed = Arc::new(Tally::new());
    let mut known = 0;
    for number in 0..count {
        let options = match qos {
            QoS::AtMostOnce => publish_options(qos),
            _ => {
                if number - known >= run.window {
                    known = completed.wait(number - run.window / 2);
                }
                let completed = completed.clone();
                then(qos, move || completed.add())
            }
        };
        let published = session.publish("t/data", Payload::Borrowed(&payload), options);
        published.map_err(|error| error.to_string())?;
    }
    if qos != QoS::AtMostOnce {
        completed.wait(count);
    }
    Ok(())
}
