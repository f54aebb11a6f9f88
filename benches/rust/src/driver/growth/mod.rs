//! How the cost of a message, or the memory of a session, grows: one mode for each thing that there
//! can be more of. `benches/growth.py` has the points, and what is wanted.

mod flight;
mod payload;
mod queued;
mod quiet;
mod sessions;
mod subscriptions;
mod threads;

use std::env;

use measure::{Result, Run};

pub(crate) fn run(mode: &str, run: &Run) -> Result<()> {
    let point: i64 = env::var("BENCH_POINT")
        .map_err(|_| format!("no mode {mode:?}, or no BENCH_POINT"))?
        .parse()?;
    match mode {
        "flight" => flight::measure(run, point),
        "subscriptions-hot" => subscriptions::measure(run, point, point.min(100)),
        "subscriptions-any" => subscriptions::measure(run, point, point),
        "sessions-publish" => sessions::publish(run, point),
        "sessions-receive" => sessions::receive(run, point),
        "queued" => queued::measure(run, point),
        "threads" => threads::measure(run, point),
        "payload-shared" => payload::send_shared(run),
        "payload-borrowed" => payload::send_borrowed(run),
        "payload-received" => payload::receive(run),
        "quiet" => quiet::measure(run, point),
        other => Err(format!("no mode {other:?}").into()),
    }
}
