//! Messages of QoS 1 in flight.

use measure::{Result, Run, Start, Tally};
use mqttsession::{client::Payload, protocol::QoS};
use serde_json::json;

use crate::session::{connect, publish_options, report, then};

/// What is published and acknowledged at a time, however much is in flight: half of this, as in the
/// rows `pub`. So waking up costs the same everywhere, and only what is in flight differs.
const BATCH: i64 = 1000;

/// The peer keeps all acknowledgements back but those of a batch.
pub(crate) fn measure(run: &Run, in_flight: i64) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let session = connect(&Run { window: in_flight, ..run.clone() })?;
    let held = (in_flight - BATCH).max(0);
    let topic = format!("hold/{held}");
    let batch = (in_flight - held + 1) / 2;
    let payload = vec![b'x'; run.size];
    let publish = |topic: &str| {
        let options = then(QoS::AtLeastOnce, || COMPLETED.add());
        session.publish(topic, Payload::Borrowed(&payload), options)
    };
    // In flight, and through the queue, before the clock runs.
    for _ in 0..held + BATCH {
        publish(&topic)?;
    }
    let (mut known, start) = (COMPLETED.wait(BATCH), Start::now()?);
    let before = held + BATCH;
    for number in before..before + run.count {
        if number - known >= in_flight {
            known = COMPLETED.wait(number - in_flight + batch);
        }
        publish(&topic)?;
    }
    COMPLETED.wait(BATCH + run.count);
    report(run, &start, run.count, json!({}))?;
    // Lets the rest go.
    session.publish("hold/0", Payload::Borrowed(b""), publish_options(QoS::AtLeastOnce))?;
    COMPLETED.wait(before + run.count);
    Ok(())
}
