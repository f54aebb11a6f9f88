//! Interleavings that no program can bring about at will.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    },
    time::{Duration, Instant},
};

use super::{
    Lent, Options, PublishOptions,
    connection::rhythm::gathers_more,
    shared::{Shared, Wrote},
};
use crate::{
    engine::{Inbound, LARGE_PAYLOAD, Output, Publication, Recovered},
    error::{Code, Result},
    protocol::{Properties, QoS, ReasonCode},
    store::Storage,
    sync::Mutex,
};

fn shared() -> Arc<Shared> {
    Shared::new(&Options::new(), |_| Ok(None)).unwrap()
}

/// Connects to a broker that accepts; the number of the connection.
fn connect(shared: &Shared, now: Instant) -> u64 {
    let mut core = shared.core.lock();
    core.engine.connect(false, now).unwrap();
    core.engine.poll_output(&mut Output::default(), now);
    core.engine.handle_input(&[0x20, 2, 0, 0], &mut Inbound::default(), now).unwrap();
    core.connection
}

#[test]
fn a_writer_that_comes_late_does_not_write_for_the_next_connection() {
    let shared = shared();
    let connect = || {
        let mut core = shared.core.lock();
        assert!(core.reset_connection().is_none());
        core.engine.handle_closed(None);
        core.engine.connect(false, Instant::now()).unwrap();
        core.connection
    };
    let former = connect();
    let present = connect();
    let mut written = 0;
    let late = shared.write_out(shared.core.lock(), former, Instant::now(), 1, |_| {
        panic!("to the former stream")
    });
    assert!(matches!(late, Wrote::Elsewhere));
    let wrote = shared.write_out(shared.core.lock(), present, Instant::now(), 1, |slices| {
        written += slices[0].len();
        Ok(slices[0].len())
    });
    assert!(matches!(wrote, Wrote::All));
    assert!(written > 0, "CONNECT left on the present connection");
}

/// A store that takes everything.
struct Willing;

impl Storage for Willing {
    fn append(&self, _batch: &Output) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn tidy(&self) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }

    fn is_failed(&self) -> bool {
        false
    }

    fn size(&self) -> u64 {
        0
    }
}

/// What the last callback leaves behind is written, and not synced, when the store is closed.
#[test]
fn a_job_that_comes_after_the_end_has_nothing_to_do() {
    let options = Options::new();
    let opened = || Ok(Some((Box::new(Willing) as Box<dyn Storage>, Recovered::default())));
    let shared = Shared::new(&options, |_| opened()).unwrap();
    let publication = Publication {
        topic: "t",
        payload: "".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Properties::EMPTY,
        lifetime: None,
    };
    let published = shared.core.lock().engine.publish(&publication, &mut None, false);
    assert!(published.is_ok());
    assert!(!shared.run_closing());
    assert!(shared.wait_until_store_closed(None));
    assert!(!shared.run_store(), "it would run for ever");
}

/// Who waits for an answer, or for a window to open, must not wait for a pause.
#[test]
fn an_answer_ends_the_gathering_of_publishes() {
    let shared = shared();
    let now = Instant::now();
    let connection = connect(&shared, now);
    let leave = || shared.write_out(shared.core.lock(), connection, now, 1, |it| Ok(it[0].len()));
    let gathers = || gathers_more(&shared.core.lock());
    shared.core.lock().accepting = true;
    shared.publish("t", "one of many".into(), PublishOptions::default(), false).unwrap();
    assert!(gathers());
    // A message of QoS 1 with the id 7, which nobody is subscribed to.
    let message = [0x32, 6, 0, 1, b't', 0, 7, b'x'];
    let mut inbound = Inbound::default();
    shared.core.lock().engine.handle_input(&message, &mut inbound, now).unwrap();
    assert!(gathers(), "it has not been handled");
    let receipt = inbound.deliveries[0].receipt.unwrap();
    assert!(shared.acknowledge(&[(receipt, ReasonCode::Success)]));
    assert!(!gathers());
    assert!(matches!(leave(), Wrote::All));
    shared.publish("t", "the next ones".into(), PublishOptions::default(), false).unwrap();
    assert!(gathers(), "the answer has left");
}

/// A payload whose owner tells that it is dropped by hanging up.
struct Payload(Vec<u8>, #[expect(dead_code, reason = "its drop is what matters")] Sender<()>);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Lends a session a large payload at QoS 1; what says that it has come back.
fn publish_lent(shared: &Arc<Shared>) -> Receiver<()> {
    let (sender, back) = channel();
    let payload = Lent::new(Payload(vec![b'x'; LARGE_PAYLOAD], sender));
    let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
    shared.core.lock().accepting = true;
    shared.publish_lent("t", &payload, options).unwrap();
    back
}

#[track_caller]
fn assert_back(back: &Receiver<()>) {
    assert_eq!(back.recv_timeout(Duration::from_secs(30)), Err(RecvTimeoutError::Disconnected));
}

/// The message ends while a thread writes it; and with it, the second time, the connection.
#[test]
fn what_only_a_writer_has_comes_back_when_it_has_written() {
    for lost in [false, true] {
        let shared = shared();
        let now = Instant::now();
        let connection = connect(&shared, now);
        let back = publish_lent(&shared);
        let wrote = shared.write_out(shared.core.lock(), connection, now, 1, |slices| {
            let mut core = shared.core.lock();
            assert_eq!(core.engine.cancel_all(), 1);
            if lost {
                core.engine.handle_closed(None);
                assert!(core.reset_connection().is_none());
            }
            shared.settle(core);
            assert_eq!(back.try_recv(), Err(TryRecvError::Empty));
            Ok(slices.iter().map(|slice| slice.len()).sum())
        });
        assert_eq!(matches!(wrote, Wrote::Elsewhere), lost);
        assert_back(&back);
    }
}

/// A store that takes nothing, and says so when it is allowed to.
struct Unwilling {
    asked: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Storage for Unwilling {
    fn append(&self, _batch: &Output) -> Result<()> {
        let _nobody_listens = self.asked.send(());
        let _nobody_waits = self.go_on.lock().recv();
        Err(Code::StoreFull.into())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn tidy(&self) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }

    fn is_failed(&self) -> bool {
        false
    }

    fn size(&self) -> u64 {
        0
    }
}

#[test]
fn what_a_store_has_not_taken_comes_back_when_it_is_closed() {
    let ((asked, question), (answer, go_on)) = (channel(), channel());
    let storage: Box<dyn Storage> = Box::new(Unwilling { asked, go_on: go_on.into() });
    let opened = || Ok(Some((storage, Recovered::default())));
    let shared = Shared::new(&Options::new(), |_| opened()).unwrap();
    let offered = publish_lent(&shared);
    question.recv().unwrap();
    // Behind the batch that the store is being offered.
    let waiting = publish_lent(&shared);
    shared.core.lock().engine.leave_in_store();
    drop(answer);
    assert!(!shared.run_closing());
    assert_back(&offered);
    assert_back(&waiting);
}
