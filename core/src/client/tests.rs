//! Interleavings that no program can bring about at will.

use std::{sync::Arc, time::Instant};

use super::{
    Options,
    shared::{Shared, Wrote},
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
    let late = shared.write_out(former, Instant::now(), 1, |_| panic!("to the former stream"));
    assert!(matches!(late, Wrote::Elsewhere));
    let wrote = shared.write_out(present, Instant::now(), 1, |slices| {
        written += slices[0].len();
        Ok(slices[0].len())
    });
    assert!(matches!(wrote, Wrote::All));
    assert!(written > 0, "CONNECT left on the present connection");
}
