//! A broker that sends anything at all (contract 9): the connection may end, the process may not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mqttsession::protocol::{Connack, Packet, Property, Publish, ReasonCode, Version};

use crate::{
    packets::{
        again, because, connack, disconnect, message0, message1, message2, properties, puback,
        pubcomp, pubrec, pubrel, suback, unsuback,
    },
    pair::{Pair, VERSIONS},
    random::Random,
};

const SEEDS: u64 = 4000;
const PACKETS: u64 = 12;

#[test]
fn whatever_arrives_in_whatever_order_is_survived_and_answered_legally() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let mut trace = Vec::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut pair = busy(version);
            for _ in 0..PACKETS {
                let bytes = match seed % 2 {
                    0 => damaged(&mut random, &pair),
                    _ => misplaced(&mut random, &pair),
                };
                trace.push(bytes.clone());
                let _ = pair.input(&bytes);
                // Panics at a packet that a client may not send.
                pair.sent();
                if !pair.engine.is_online() || random.one_in(8) {
                    come_back(&mut random, &mut pair);
                }
            }
        }));
        assert!(run.is_ok(), "seed {seed} under {version:?}: {trace:02x?}");
    }
}

/// A session with something of everything under way.
fn busy(version: Version) -> Pair {
    let mut pair = Pair::with(version, |settings| {
        crate::pair::persist(settings);
        settings.receive_maximum = 5;
        settings.maximum_packet_size = 40;
        settings.set_aside_after = 1;
        if version.is_v5() {
            settings.properties.push(Property::TopicAliasMaximum(2)).expect("a first one");
        }
    })
    .connected();
    pair.granted("a/#:2");
    for qos in [1, 2, 2] {
        pair.publish(qos, "a", "x");
    }
    pair.sent();
    pair.receive(pubrec(4));
    pair.subscribe(&["b:1", "c:0"]);
    pair.unsubscribe(&["a/#"]);
    pair.sent();
    pair
}

/// Connects again, to a broker that may have kept the session and may take one message at a time.
fn come_back(random: &mut Random, pair: &mut Pair) {
    pair.lose();
    pair.connect(true);
    pair.sent();
    let announced = match pair.version.is_v5() && random.one_in(2) {
        true => properties(&[Property::ReceiveMaximum(1)]),
        false => properties(&[]),
    };
    pair.receive(Packet::Connack(Connack {
        session_present: pair.version != Version::V31 && !random.one_in(4),
        code: 0,
        properties: announced.as_properties(),
    }));
    pair.sent();
}

/// A good acknowledgement of one of the messages that are on their way, due or not.
fn misplaced(random: &mut Random, pair: &Pair) -> Vec<u8> {
    let id = 2 + random.below(3) as u16;
    pair.encoded(match random.below(3) {
        0 => puback(id),
        1 => pubrec(id),
        _ => pubcomp(id),
    })
}

/// A packet of any kind, sometimes with a few bytes changed, cut off or added.
fn damaged(random: &mut Random, pair: &Pair) -> Vec<u8> {
    let id = 1 + random.below(8) as u16;
    let alias = properties(&[Property::TopicAlias(1 + random.below(3) as u16)]);
    // One in four messages is larger than the session accepts.
    let payload = &"x".repeat(if random.one_in(4) { 50 } else { 1 });
    let with_alias =
        |topic| Publish { properties: alias.as_properties(), ..message0(topic, payload) };
    let packet = match random.below(15) {
        0 => connack(false),
        1 => Packet::Publish(message0("a/b", payload)),
        2 => Packet::Publish(message1(id, "a/b", payload)),
        3 => Packet::Publish(message2(id, "a/b", payload)),
        4 => Packet::Publish(again(message2(id, "a/b", payload))),
        5 if pair.version.is_v5() => Packet::Publish(with_alias("")),
        6 if pair.version.is_v5() => Packet::Publish(with_alias("a/c")),
        7 => puback(id),
        8 => pubrec(id),
        9 => pubrel(id),
        10 => pubcomp(id),
        11 => suback(id, &[0, 1]),
        12 => unsuback(id, if pair.version.is_v5() { &[0] } else { &[] }),
        13 if pair.version.is_v5() => disconnect(ReasonCode::ServerBusy),
        14 if pair.version.is_v5() => Packet::Pubrec(because(id, ReasonCode::QuotaExceeded)),
        _ => Packet::Pingresp,
    };
    let mut bytes = pair.encoded(packet);
    match random.below(6) {
        0 => {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
        }
        1 => bytes.truncate(1 + random.below(bytes.len() as u64) as usize),
        2 => bytes.extend((0..random.below(5)).map(|_| random.below(256) as u8)),
        _ => {}
    }
    bytes
}
