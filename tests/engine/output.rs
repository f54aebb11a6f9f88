//! How output is handed over.

use mqttsession::{
    engine::{Output, Publication, Refused},
    protocol::Version,
};

use crate::pair::{Pair, message};

/// How much the engine encodes ahead of the socket.
const LIMIT: usize = 512 << 10;

#[test]
fn encoded_output_is_bounded_and_the_rest_waits_as_messages() {
    let mut pair = Pair::online(Version::V311);
    let payload = "x".repeat(1000);
    for _ in 0..1000 {
        pair.publish(0, "a", &payload);
    }
    assert!(pair.engine.output_length() < LIMIT + 2000);
    let first = pair.taken();
    pair.engine.handle_written(pair.now);
    let bytes = first.len() + pair.sent_bytes().len();
    assert_eq!(bytes, 1000 * (3 + 3 + 1000));
    assert_eq!(pair.ended().len(), 1000);
}

#[test]
fn a_patient_publisher_waits_for_the_socket() {
    let mut pair = Pair::online(Version::V311);
    let payload = vec![b'x'; LIMIT];
    let publication =
        |payload: &[u8]| Publication { payload: payload.to_vec().into(), ..message(0, "a", "") };
    pair.engine.publish(&publication(&payload), &mut None, true).unwrap();
    let refused = pair.engine.publish(&publication(b"x"), &mut None, true).unwrap_err();
    assert!(matches!(refused, Refused::Full));
    assert!(!pair.engine.has_room());
    pair.taken();
    assert!(pair.engine.has_room());
    pair.engine.publish(&publication(b"x"), &mut None, true).unwrap();
}

#[test]
fn the_buffer_of_the_last_output_is_used_again() {
    let mut pair = Pair::online(Version::V311);
    let mut spare = Output::default();
    for _ in 0..3 {
        pair.publish(0, "a", "x");
        pair.engine.poll_output(&mut spare, pair.now);
        assert_eq!(spare.len(), 6);
        assert_eq!(spare.with_slices(|slices| slices.len()), 1);
        spare.advance(6);
        pair.engine.handle_written(pair.now);
        spare.clear(4096);
    }
}

#[test]
fn shrinking_loses_nothing() {
    let mut pair = Pair::with(Version::V311, |settings| settings.in_flight_limit = 1).connected();
    pair.granted("f:0");
    pair.publish(1, "a", "1");
    pair.publish(1, "a", "2");
    pair.engine.shrink();
    assert_eq!(pair.sent(), ["PUBLISH q1 #2 a=1"]);
    pair.engine.shrink();
    pair.receive(crate::packets::puback(2));
    assert_eq!(pair.sent(), ["PUBLISH q1 #3 a=2"]);
}
