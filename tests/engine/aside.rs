//! Received messages that are set aside: too large, or such that every connection ends on them.

use mqttsession::{
    engine::{Engine, Event, Inbound, Settings},
    error::Code,
    protocol::{Packet, Property, Publish, ReasonCode, Version},
};

use crate::{
    packets::{again, connack, disconnect, message0, message1, message2, properties, pubrel},
    pair::{Pair, VERSIONS, persist},
};

const OLDER: [Version; 2] = [Version::V31, Version::V311];

/// A session that takes packets of at most 40 bytes, and a topic that it has subscribed.
fn small(version: Version, change: impl FnOnce(&mut Settings)) -> Pair {
    let mut pair = Pair::with(version, |settings| {
        persist(settings);
        settings.maximum_packet_size = 40;
        change(settings);
    })
    .connected();
    pair.granted("a:2");
    pair
}

/// With five bytes before it, and a packet id or properties, it is larger than 40.
fn large() -> String {
    "x".repeat(35)
}

/// The events but those of connecting.
fn events(pair: &mut Pair) -> Vec<String> {
    pair.events().into_iter().filter(|event| !event.starts_with("connected")).collect()
}

fn set_aside(pair: &Pair) -> u64 {
    pair.engine.counters().incoming_set_aside
}

#[test]
fn before_5_0_an_oversized_message_is_skipped_and_acknowledged_in_its_turn() {
    for version in OLDER {
        let mut pair = small(version, |_| {});
        let slow = pair.deliver(message1(1, "a", "small")).remove(0);
        assert!(pair.deliver(message1(2, "a", &large())).is_empty());
        assert!(pair.deliver(message2(3, "a", &large())).is_empty());
        assert!(pair.deliver(message0("a", &"x".repeat(36))).is_empty());
        assert_eq!(pair.deliver(message0("a", &large())).len(), 1, "just small enough");
        assert_eq!(pair.sent(), ["PUBREC #3"], "the first has not been handled");
        pair.handled(&slow);
        assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2"]);
        pair.receive(pubrel(3));
        assert_eq!(pair.sent(), ["PUBCOMP #3"]);
        let expected =
            [42, 42, 41].map(|size| format!("set aside a of {size} bytes: PACKET_TOO_LARGE"));
        assert_eq!(events(&mut pair), expected);
        assert_eq!((set_aside(&pair), pair.engine.counters().received), (3, 2));
        // The connection goes on.
        assert_eq!(pair.deliver(message0("a", "next")).len(), 1);
    }
}

#[test]
fn an_oversized_message_is_skipped_however_it_comes() {
    for version in OLDER {
        let whole = Pair::new(version).encoded(Packet::Publish(message1(7, "a", &"x".repeat(500))));
        for step in [1, 2, 3, 7, 64, whole.len()] {
            let mut pair = small(version, |_| {});
            for part in whole.chunks(step) {
                assert_eq!(pair.sent(), [""; 0], "before it has ended");
                assert!(pair.input(part).unwrap().is_empty());
            }
            assert_eq!(pair.sent(), ["PUBACK #7"]);
            assert_eq!(events(&mut pair), ["set aside a of 508 bytes: PACKET_TOO_LARGE"]);
            assert_eq!(pair.deliver(message0("a", "next")).len(), 1);
        }
    }
}

/// Feeds the engine without keeping anything that it has consumed; the most that it left behind.
fn feed(engine: &mut Engine, pair_now: std::time::Instant, bytes: &[u8]) -> usize {
    let mut kept = Vec::new();
    let mut most = 0;
    for part in bytes.chunks(1000) {
        kept.extend_from_slice(part);
        let consumed = engine.handle_input(&kept, &mut Inbound::default(), pair_now).unwrap();
        kept.drain(..consumed);
        most = most.max(kept.len());
    }
    most
}

#[test]
fn nothing_but_the_beginning_of_an_oversized_message_is_kept() {
    let mut pair = small(Version::V311, |_| {});
    let payload = "x".repeat(300_000);
    let short = pair.encoded(Packet::Publish(message1(1, "a", &payload)));
    assert!(feed(&mut pair.engine, pair.now, &short) < 10);
    let topic = "t".repeat(65_535);
    let long = pair.encoded(Packet::Publish(message1(2, &topic, &payload)));
    assert!(feed(&mut pair.engine, pair.now, &long) < 66_000);
    assert_eq!(set_aside(&pair), 2);
    assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2"]);
}

#[test]
fn a_connection_lost_in_the_middle_of_it_acknowledges_nothing() {
    for version in [Version::V31, Version::V311] {
        let mut pair = small(version, |_| {});
        let bytes = pair.encoded(Packet::Publish(message1(7, "a", &large())));
        assert!(pair.input(&bytes[..30]).unwrap().is_empty());
        pair.reconnect(true);
        pair.deliver(again(message1(7, "a", &large())));
        assert_eq!(pair.sent().pop().as_deref(), Some("PUBACK #7"));
        assert_eq!(set_aside(&pair), 1);
    }
}

#[test]
fn an_oversized_message_that_was_set_aside_before_is_acknowledged_again_and_not_reported() {
    for version in OLDER {
        let mut pair = small(version, |_| {});
        pair.deliver(message2(3, "a", &large()));
        pair.reconnect(true);
        pair.deliver(again(message2(3, "a", &large())));
        assert_eq!(pair.sent().pop().as_deref(), Some("PUBREC #3"));
        assert_eq!(set_aside(&pair), 1);
    }
}

#[test]
fn an_oversized_packet_that_is_no_message_ends_the_connection() {
    for version in VERSIONS {
        let mut pair = small(version, |settings| settings.set_aside_after = 1);
        let codes = [0x00; 50];
        for _ in 0..3 {
            let error = pair.fault(crate::packets::suback(9, &codes));
            assert_eq!(error.code(), Code::PacketTooLarge);
            pair.reconnect(true);
        }
        assert_eq!(set_aside(&pair), 0);
    }
}

#[test]
fn under_5_0_an_oversized_message_ends_so_many_connections_and_is_then_refused() {
    for (number, expected) in [(1, "PUBACK #5 0x97"), (2, "PUBREC #5 0x97")] {
        let mut pair = small(Version::V5, |settings| settings.set_aside_after = 3);
        let payload = large();
        let message = match number {
            1 => message1(5, "a", &payload),
            _ => message2(5, "a", &payload),
        };
        for _ in 0..3 {
            let error = pair.fault(Packet::Publish(message));
            assert_eq!(error.code(), Code::PacketTooLarge);
            assert_eq!(pair.sent(), ["DISCONNECT 0x95"]);
            pair.reconnect(true);
        }
        assert_eq!(events(&mut pair), [""; 0]);
        pair.deliver(again(message));
        assert_eq!(pair.sent(), [expected]);
        assert_eq!(events(&mut pair), ["set aside a of 43 bytes: PACKET_TOO_LARGE"]);
        assert_eq!(set_aside(&pair), 1);
        assert_eq!(pair.deliver(message0("a", "next")).len(), 1);
    }
}

#[test]
fn the_alias_that_a_skipped_message_sets_stays_good() {
    let mut pair = small(Version::V5, |settings| {
        settings.set_aside_after = 1;
        settings.properties.push(Property::TopicAliasMaximum(5)).unwrap();
    });
    let alias = properties(&[Property::TopicAlias(2)]);
    let payload = large();
    let setting = Publish { properties: alias.as_properties(), ..message0("a", &payload) };
    pair.fault(Packet::Publish(setting));
    pair.reconnect(true);
    pair.events();
    pair.deliver(setting);
    let using = Publish { properties: alias.as_properties(), ..message0("", "x") };
    assert_eq!(pair.deliver(using)[0].topic, "a");
}

#[test]
fn an_alias_tells_the_topic_of_a_skipped_message() {
    let mut pair = small(Version::V5, |settings| {
        settings.set_aside_after = 1;
        settings.properties.push(Property::TopicAliasMaximum(5)).unwrap();
    });
    let alias = properties(&[Property::TopicAlias(2)]);
    let payload = large();
    let setting = Publish { properties: alias.as_properties(), ..message0("a", "x") };
    let using = Publish { properties: alias.as_properties(), ..message0("", &payload) };
    pair.deliver(setting);
    pair.fault(Packet::Publish(using));
    pair.reconnect(true);
    pair.events();
    pair.deliver(setting);
    pair.deliver(using);
    assert_eq!(pair.events(), ["set aside a of 43 bytes: PACKET_TOO_LARGE"]);
}

/// Messages that break the rules, for a version: a wildcard in the topic, and under 5.0 two content
/// types.
fn deadly(version: Version) -> Vec<Vec<u8>> {
    let mut deadly =
        vec![b"\x32\x06\x00\x01#\x00\x07x".to_vec(), b"\x34\x06\x00\x01#\x00\x07x".to_vec()];
    if version.is_v5() {
        deadly = vec![
            b"\x32\x07\x00\x01#\x00\x07\x00x".to_vec(),
            b"\x34\x07\x00\x01#\x00\x07\x00x".to_vec(),
            b"\x32\x0f\x00\x01a\x00\x07\x08\x03\x00\x01t\x03\x00\x01tx".to_vec(),
        ];
    }
    deadly
}

#[test]
fn a_message_that_breaks_the_rules_ends_so_many_connections_and_is_then_set_aside() {
    for version in VERSIONS {
        for mut message in deadly(version) {
            let mut pair = Pair::persistent(version);
            pair.granted("#:2");
            for round in 0..3 {
                let error = pair.fault_of(&message);
                assert_eq!(set_aside(&pair), 0, "in round {round}: {error}");
                pair.reconnect(true);
                // It comes again with DUP and under another packet id.
                message[0] |= 0x08;
                message[6] = round;
                message[6] += 1;
            }
            pair.sent();
            pair.events();
            assert!(pair.input(&message).unwrap().is_empty());
            let kind = if message[0] & 0x04 == 0 { "PUBACK" } else { "PUBREC" };
            let reason = if version.is_v5() { " 0x80" } else { "" };
            assert_eq!(pair.sent(), [format!("{kind} #3{reason}")]);
            let topic = char::from(message[4]);
            let size = message.len();
            assert_eq!(pair.events(), [format!("set aside {topic} of {size} bytes: SET_ASIDE")]);
            assert_eq!((set_aside(&pair), pair.engine.counters().received), (1, 0));
            assert_eq!(pair.deliver(message0("a", "next")).len(), 1);
        }
    }
}

/// What was reported as the cause of the message that was set aside last.
fn cause(pair: &mut Pair) -> Option<String> {
    let events = std::iter::from_fn(|| pair.engine.poll_event());
    let reported = events.filter_map(|event| match event {
        Event::SetAside(what) => Some(what.error),
        _ => None,
    });
    let error = reported.last().expect("it is reported");
    std::error::Error::source(&error).map(ToString::to_string)
}

#[test]
fn the_error_of_what_is_set_aside_has_the_last_loss_as_its_cause() {
    for version in VERSIONS {
        let mut pair = small(version, |settings| settings.set_aside_after = 1);
        let deadly = &deadly(version)[0];
        pair.fault_of(deadly);
        pair.reconnect(true);
        pair.input(deadly).unwrap();
        let sentence = cause(&mut pair).expect("a loss");
        assert!(sentence.contains("The broker sent a PUBLISH"), "{sentence}");
    }
    let mut pair = small(Version::V5, |settings| settings.set_aside_after = 1);
    pair.fault(Packet::Publish(message0("a", &"x".repeat(40))));
    pair.reconnect(true);
    pair.deliver(message0("a", &"x".repeat(40)));
    let sentence = cause(&mut pair).expect("a loss");
    assert!(sentence.contains("larger than the maximum"), "{sentence}");
    let mut pair = small(Version::V311, |_| {});
    pair.deliver(message0("a", &"x".repeat(40)));
    assert_eq!(cause(&mut pair), None, "no connection was lost on it");
}

#[test]
fn a_message_whose_expiry_counts_down_is_the_same_message() {
    let mut pair = Pair::persistent(Version::V5);
    // Message expiry interval, then a content type that is cut off.
    let message = |left| {
        [b"\x32\x0e\x00\x01a\x00\x07\x08\x02\x00\x00\x00", &[left][..], b"\x03\x00\x09"].concat()
    };
    for left in [9, 8, 7] {
        pair.fault_of(&message(left));
        pair.reconnect(true);
    }
    assert!(pair.input(&message(6)).unwrap().is_empty());
    assert_eq!(pair.sent(), ["PUBACK #7 0x80"]);
}

#[test]
fn a_message_whose_packet_id_cannot_be_read_is_set_aside_without_an_acknowledgement() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.set_aside_after = 1).connected();
        for message in
            [&b"\x32\x03\x00\x01a"[..], b"\x32\x06\x00\x01a\x00\x00\x00", b"\x32\x02\x00\x09"]
        {
            pair.fault_of(message);
            pair.reconnect(false);
            assert!(pair.input(message).unwrap().is_empty(), "{version:?} {message:02x?}");
            assert_eq!(pair.sent(), [""; 0]);
            pair.reconnect(false);
        }
        assert_eq!(set_aside(&pair), 3);
    }
}

#[test]
fn only_connections_in_a_row_count() {
    for version in VERSIONS {
        let settings = |settings: &mut Settings| {
            persist(settings);
            settings.set_aside_after = 2;
        };
        let mut pair = Pair::with(version, settings).connected();
        let deadly = &deadly(version)[0];
        pair.fault_of(deadly);
        pair.reconnect(true);
        // This one ends otherwise.
        pair.reconnect(true);
        for _ in 0..2 {
            pair.fault_of(deadly);
            pair.reconnect(true);
        }
        assert_eq!(set_aside(&pair), 0);
    }
}

#[test]
fn an_attempt_that_fails_does_not_clear_the_suspect() {
    for version in VERSIONS {
        let settings = |settings: &mut Settings| {
            persist(settings);
            settings.set_aside_after = 2;
        };
        let mut pair = Pair::with(version, settings).connected();
        let deadly = &deadly(version)[0];
        for _ in 0..2 {
            pair.fault_of(deadly);
            pair.lose();
            pair.connect(true);
            pair.reconnect(true);
        }
        assert!(pair.input(deadly).unwrap().is_empty());
        assert_eq!(set_aside(&pair), 1);
    }
}

#[test]
fn another_message_is_another_suspect() {
    let mut pair = Pair::with(Version::V311, |settings| settings.set_aside_after = 1).connected();
    for payload in [b'x', b'y', b'z'] {
        pair.fault_of(&[0x30, 4, 0, 1, b'#', payload]);
        pair.reconnect(false);
    }
    assert!(pair.input(b"\x30\x04\x00\x01#z").unwrap().is_empty());
}

#[test]
fn zero_never_sets_a_message_aside() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| settings.set_aside_after = 0).connected();
        for _ in 0..10 {
            pair.fault_of(&deadly(version)[0]);
            pair.reconnect(false);
        }
    }
}

#[test]
fn more_than_the_receive_maximum_is_no_fault_of_the_message() {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.receive_maximum = 1;
        settings.set_aside_after = 1;
    })
    .connected();
    pair.granted("a:1");
    for _ in 0..3 {
        pair.deliver(message1(1, "a", "x"));
        let error = pair.fault(Packet::Publish(message1(2, "a", "y")));
        assert_eq!(error.code(), Code::ReceiveMaximumExceeded);
        pair.reconnect(false);
    }
}

#[test]
fn a_large_connack_is_refused_before_it_has_come() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.connect(false);
        pair.sent();
        // CONNACK of 1 MiB.
        let error = pair.fault_of(b"\x20\x80\x80\x40");
        assert_eq!(error.code(), Code::PacketTooLarge);
        assert!(error.message().contains("65,536"), "{error}");
        pair.lose();
        pair.connect(false);
        pair.receive(connack(false));
        // A message of that size is nothing special.
        assert!(pair.input(b"\x30\x80\x80\x40\x00\x01a").unwrap().is_empty());
        assert_eq!(pair.engine.needed(), 4 + (1 << 20));
    }
}

#[test]
fn what_follows_a_skipped_message_in_the_same_input_is_taken_in() {
    let mut pair = small(Version::V311, |_| {});
    let mut bytes = pair.encoded(Packet::Publish(message1(1, "a", &large())));
    bytes.extend(pair.encoded(Packet::Publish(message1(2, "a", "next"))));
    let received = pair.input(&bytes).unwrap();
    assert_eq!(received[0].payload, "next");
    pair.handled(&received[0]);
    assert_eq!(pair.sent(), ["PUBACK #1", "PUBACK #2"]);
}

#[test]
fn the_brokers_good_bye_clears_the_suspect() {
    let mut pair = Pair::with(Version::V5, |settings| settings.set_aside_after = 1).connected();
    for _ in 0..3 {
        pair.fault_of(&deadly(Version::V5)[0]);
        pair.reconnect(false);
        pair.fault(disconnect(ReasonCode::ServerBusy));
        pair.reconnect(false);
    }
}

/// Delivers these on every connection until none ends on them; how many connections did.
fn connections_ended_by(pair: &mut Pair, messages: &[impl AsRef<[u8]>]) -> usize {
    let mut ended = 0;
    while messages.iter().any(|message| pair.input(message.as_ref()).is_err()) {
        ended += 1;
        pair.reconnect(false);
    }
    ended
}

#[test]
fn several_deadly_messages_at_the_beginning_of_every_connection_are_set_aside_one_after_the_other()
{
    let mut pair = Pair::with(Version::V311, |settings| settings.set_aside_after = 2).connected();
    let retained: Vec<_> = (0..16).map(|number| [0x31, 4, 0, 1, b'#', number]).collect();
    assert_eq!(connections_ended_by(&mut pair, &retained), 2 * retained.len());
    // They stay so while they come on every connection.
    for _ in 0..3 {
        pair.reconnect(false);
        assert_eq!(connections_ended_by(&mut pair, &retained), 0);
    }
}
