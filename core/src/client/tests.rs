//! Interleavings that no program can bring about at will.

use std::{sync::Arc, time::Instant};

use super::{
    Options,
    shared::{Shared, Wrote},
};
use crate::{
    engine::{Output, Publication, Recovered},
    error::Result,
    protocol::{Properties, QoS},
    store::Storage,
};

fn shared() -> Arc<Shared> {
    Shared::new(&Options::new(), |_| Ok(None)).unwrap()
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
