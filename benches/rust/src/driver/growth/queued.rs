//! Messages of QoS 1 that wait for a connection.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use measure::{Result, Run, Start, Tally, process_status};
use mqttsession::{
    client::{Credentials, Payload, Session},
    protocol::QoS,
};
use serde_json::json;
use std::time::Duration;

use crate::session::{options, report, then};

/// As long as connecting may take: all that is queued is queued meanwhile.
const CONNECTING: Duration = Duration::from_secs(300);

/// Keeps the session from connecting until it is opened: the session is asked for its credentials.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(open, |open| !*open));
    }
}

/// Queues all of them, then lets the session connect and send them.
pub(crate) fn measure(run: &Run, count: i64) -> Result<()> {
    static COMPLETED: Tally = Tally::new();
    let gate = Arc::new(Gate::default());
    let mut options = options(run, "bench")?;
    options.set_outgoing_limit(usize::try_from(count)? + 1, 1 << 30)?;
    options.set_connect_timeout(CONNECTING)?;
    let asked = gate.clone();
    options.set_credentials_source(Some(Arc::new(move || {
        asked.pass();
        Ok(Credentials::default())
    })));
    let session = Session::new(&options)?;
    let connecting = session.connect()?;
    let payload = vec![b'x'; run.size];
    let before = process_status("VmRSS")?;
    let queueing = Start::now()?;
    for _ in 0..count {
        let options = then(QoS::AtLeastOnce, || COMPLETED.add());
        session.publish("t/data", Payload::Borrowed(&payload), options)?;
    }
    let queued = (queueing.wall(), queueing.cpu());
    let memory = process_status("VmRSS")? - before;
    let waiting = session.statistics().outgoing_messages;
    let draining = Start::now()?;
    gate.open();
    connecting.wait(Some(CONNECTING))?;
    COMPLETED.wait(count);
    let extra = json!({
        "waiting": waiting,
        "queue_wall_s": queued.0.as_secs_f64(),
        "queue_cpu_s": queued.1.as_secs_f64(),
        "queue_kb": memory,
    });
    report(run, &draining, count, extra)
}
