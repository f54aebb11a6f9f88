//! Packets cut at every byte: what the session makes of a stream does not depend on its pieces.

use mqttsession::protocol::QoS;
use mqttsession_tests::wire;

use crate::support::*;

/// Messages of every QoS with an acknowledgement among them.
fn stream(id: u16) -> Vec<u8> {
    [
        wire::publish("in", 0, 0, "zero"),
        wire::puback(id),
        wire::publish("in", 1, 1, "one"),
        wire::publish("in", 2, 2, vec![b'2'; 200]),
    ]
    .concat()
}

#[test]
fn in_two_pieces() {
    let (_broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    for at in 1..stream(1).len() {
        let number = publish(&session, "out", QoS::AtLeastOnce, "");
        let whole = stream(peer.expect_publish().id);
        let (first, second) = whole.split_at(at);
        let before = session.statistics().reads;
        peer.send(first);
        eventually("the first piece is read", || session.statistics().reads > before);
        peer.send(second);
        let received = payloads(&messages, 3);
        assert_eq!(received, ["zero", "one", &"2".repeat(200)[..]], "cut at {at}");
        session.wait(number, Some(DEADLINE)).unwrap();
        let mut answers = [(); 2].map(|()| peer.receive().name());
        answers.sort_unstable();
        assert_eq!(answers, ["PUBACK", "PUBREC"]);
        peer.send(&wire::pubrel(2));
        peer.expect_pubcomp(2);
    }
}

#[test]
fn in_single_bytes() {
    let (_broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let number = publish(&session, "out", QoS::AtLeastOnce, "");
    for byte in stream(peer.expect_publish().id) {
        let before = session.statistics().bytes_in;
        peer.send(&[byte]);
        eventually("the byte is read", || session.statistics().bytes_in > before);
    }
    assert_eq!(payloads(&messages, 3)[..2], ["zero", "one"]);
    session.wait(number, Some(DEADLINE)).unwrap();
}

#[test]
fn a_large_packet_between_small_ones() {
    let (_broker, session, mut peer) = connected();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    let large = vec![b'x'; 300_000];
    let whole = [
        wire::publish("in", 0, 0, "before"),
        wire::publish("in", 0, 0, &large),
        wire::publish("in", 0, 0, "after"),
    ]
    .concat();
    for at in [9, 10, 12, 13, 17, 5000, 65_536, 65_550, 131_072, 300_010, 300_023, 300_030] {
        let before = session.statistics().bytes_in;
        peer.send(&whole[..at]);
        eventually("the first piece is read", || {
            session.statistics().bytes_in - before == at as u64
        });
        peer.send(&whole[at..]);
        let received = [(); 3].map(|()| next(&messages));
        assert_eq!(received.each_ref().map(|message| message.payload().len()), [6, 300_000, 5]);
        assert!(received[1].payload().iter().all(|byte| *byte == b'x'), "cut at {at}");
    }
}
