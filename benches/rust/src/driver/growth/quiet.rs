//! Sessions that have nothing to do.

use std::{thread, time::Duration};

use measure::{Result, Run, Start};
use serde_json::json;

use crate::session::{connect_many, report};

/// How long doing nothing is watched: shorter than the time between two pings.
const WATCHED: Duration = Duration::from_secs(5);

/// What sessions cost that are connected and have nothing to do.
pub(crate) fn measure(run: &Run, count: i64) -> Result<()> {
    let sessions = connect_many(run, count)?;
    let start = Start::now()?;
    thread::sleep(WATCHED);
    report(run, &start, sessions.len() as i64, json!({}))
}
