//! A broker that sends anything at all (contract 9): the connection may end, the process may not.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use mqttsession::{
    engine::{Lifetime, Publication, Receipt},
    protocol::{
        Auth, Connack, Packet, Property, PropertyBlock, Publish, ReasonCode, SubscriptionOptions,
        Version,
    },
};
use mqttsession_tests::random::Random;

use crate::{
    packets::{
        again, because, connack, disconnect, message0, message1, message2, properties, puback,
        pubcomp, pubrec, pubrel, suback, unsuback,
    },
    pair::{Pair, VERSIONS, message},
};

const SEEDS: u64 = 4000;
const PACKETS: u64 = 12;
const METHOD: Property<'_> = Property::AuthenticationMethod("M");

#[test]
fn whatever_arrives_in_whatever_order_is_survived_and_answered_legally() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let authenticates = version.is_v5() && random.one_in(3);
        let mut trace = Vec::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut pair = busy(version, authenticates);
            let mut receipts = Vec::new();
            for _ in 0..PACKETS {
                let bytes = match seed % 2 {
                    0 => damaged(&mut random, &pair),
                    _ => misplaced(&mut random, &pair),
                };
                trace.push(bytes.clone());
                for part in bytes.chunks(1 + random.below(60) as usize) {
                    let Ok(received) = pair.input(part) else { break };
                    receipts.extend(received.iter().filter_map(|message| message.receipt));
                }
                // Panics at a packet that a client may not send.
                pair.sent();
                act(&mut random, &mut pair, &mut receipts);
                pair.sent();
                if !pair.engine.is_online() || random.one_in(8) {
                    come_back(&mut random, &mut pair, authenticates);
                }
                look(&mut pair);
            }
        }));
        assert!(run.is_ok(), "seed {seed} under {version:?}: {trace:02x?}");
    }
}

/// What is kept is bounded by what was agreed on.
fn look(pair: &mut Pair) {
    pair.ended();
    pair.events();
    pair.engine.poll_refused();
    let counters = pair.engine.counters();
    assert!(counters.held_back <= counters.unacknowledged, "{counters:?}");
    // Those of this connection, and those that the connections before it left behind.
    assert!(counters.unacknowledged as u64 <= 8 + PACKETS, "{counters:?}");
}

/// A session with something of everything under way.
fn busy(version: Version, authenticates: bool) -> Pair {
    let mut pair = Pair::with(version, |settings| {
        crate::pair::persist(settings);
        settings.receive_maximum = 5;
        settings.maximum_packet_size = 40;
        settings.set_aside_after = 1;
        settings.topic_alias_limit = 2;
        if version.is_v5() {
            settings.properties.push(Property::TopicAliasMaximum(2)).expect("a first one");
        }
        if authenticates {
            settings.properties.push(METHOD).expect("a first one");
        }
    });
    pair.connect(false);
    pair.sent();
    accept(&mut pair, false, &PropertyBlock::new(), authenticates);
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

/// The broker accepts the connection, and the program the broker.
fn accept(pair: &mut Pair, session_present: bool, announced: &PropertyBlock, authenticates: bool) {
    let mut said = announced.clone();
    if authenticates {
        said.push(METHOD).expect("a first one");
    }
    let properties = said.as_properties();
    pair.receive(Packet::Connack(Connack { session_present, code: 0, properties }));
    pair.engine.authenticate(None, pair.now).expect("nothing to say");
    assert!(pair.engine.is_online());
}

/// Connects again, to a broker that may have kept the session and may take one message at a time.
fn come_back(random: &mut Random, pair: &mut Pair, authenticates: bool) {
    pair.lose();
    pair.connect(true);
    pair.sent();
    let limits = [
        Property::ReceiveMaximum(1),
        Property::TopicAliasMaximum(2),
        Property::MaximumQos(1),
        Property::MaximumPacketSize(30),
        Property::SubscriptionIdentifiersAvailable(0),
        Property::WildcardSubscriptionAvailable(0),
    ];
    let announced = match pair.version.is_v5() && random.one_in(2) {
        true => properties(&[limits[random.below(6) as usize]]),
        false => PropertyBlock::new(),
    };
    let session_present = pair.version != Version::V31 && !random.one_in(4);
    accept(pair, session_present, &announced, authenticates);
    pair.sent();
}

/// Something that the program or the clock does meanwhile.
fn act(random: &mut Random, pair: &mut Pair, receipts: &mut Vec<Receipt>) {
    let v5 = pair.version.is_v5();
    let now = pair.now;
    match random.below(9) {
        0 | 1 if !receipts.is_empty() => {
            let receipt = receipts.swap_remove(random.below(receipts.len() as u64) as usize);
            let said = match v5 {
                true => properties(&[Property::ReasonString("no")]),
                false => PropertyBlock::new(),
            };
            let reasons =
                [ReasonCode::Success, ReasonCode::QuotaExceeded, ReasonCode::NotAuthorized];
            pair.engine.refuse(receipt, reasons[random.below(3) as usize], said);
        }
        2 => drop(pair.engine.reauthenticate()),
        3 => drop(pair.engine.authenticate(Some(b"data"), now)),
        4 => {
            let block = match v5 && random.one_in(2) {
                true => properties(&[Property::MessageExpiryInterval(u32::MAX)]),
                false => PropertyBlock::new(),
            };
            let times = [Duration::ZERO, Duration::from_secs(3), Duration::MAX];
            let time_to_live = Some(times[random.below(3) as usize]);
            let lifetime = Lifetime { since: now, now, time_to_live };
            let publication = Publication {
                properties: block.as_properties(),
                lifetime: Some(lifetime),
                ..message(random.below(3) as u8, "topic", "x")
            };
            drop(pair.try_publish(publication));
        }
        5 => {
            let options = SubscriptionOptions::default();
            let block = match v5 && random.one_in(2) {
                true => {
                    let number = 1 + random.below(4) as u32;
                    properties(&[Property::SubscriptionIdentifier(number)])
                }
                false => PropertyBlock::new(),
            };
            let filter = ["a/+", "a/b", "#", "$share/g/a/b"][random.below(4) as usize];
            let ticket = 100 + random.below(1 << 40);
            drop(pair.engine.subscribe(ticket, &[(filter, options)], block));
        }
        6 => drop(pair.unsubscribe(&[["a/+", "a/b", "#"][random.below(3) as usize]])),
        7 => {
            pair.elapse(random.below(30));
            drop(pair.engine.handle_timeout(pair.now));
        }
        _ => {}
    }
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
    let alias = properties(&[
        Property::TopicAlias(1 + random.below(3) as u16),
        Property::SubscriptionIdentifier(1 + random.below(4) as u32),
    ]);
    let step = properties(&[METHOD, Property::AuthenticationData(b"data")]);
    let auth = |reason| Packet::Auth(Auth { reason, properties: step.as_properties() });
    // One in four messages is larger than the session accepts.
    let payload = &"x".repeat(if random.one_in(4) { 50 } else { 1 });
    let with_alias =
        |topic| Publish { properties: alias.as_properties(), ..message0(topic, payload) };
    let packet = match random.below(19) {
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
        15 if pair.version.is_v5() => auth(ReasonCode::Success),
        16 if pair.version.is_v5() => auth(ReasonCode::ContinueAuthentication),
        // It breaks the rules, every time.
        17 => return b"\x32\x07\0\x03a/+\0\x07".to_vec(),
        18 => return b"\x3d\x0a\0\x03a/b\0\x05\x7fxyz".to_vec(),
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
