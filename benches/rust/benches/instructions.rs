//! How many instructions the hot paths take, counted by callgrind: the same on every run, whatever else the
//! machine does. `make instructions` compares them with the limits here, which are what was counted and
//! five percent; who makes a path cheaper lowers its limit.

#![expect(missing_docs, reason = "of the modules that the macros make")]

use std::{hint::black_box, sync::Arc, time::Instant};

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use mqttsession::{
    client::Completion,
    engine::{Engine, Inbound, Output, Payload, Publication},
    protocol::{
        AckKind, Connack, Cut, Packet, PacketId, Properties, PropertyBlock, Publish, QoS,
        RawPublish, SubscriptionOptions, Version, cut, encode_short,
    },
};

/// Messages in each measurement.
const MESSAGES: u16 = 1000;

/// Topics that messages are received under, one after the other.
const TOPICS: usize = 100;

fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

fn message(qos: QoS) -> Publication<'static> {
    Publication {
        topic: "sensors/kitchen/temperature",
        payload: Payload::Borrowed(b"0123456789abcdef"),
        qos,
        retain: false,
        properties: Properties::EMPTY,
        lifetime: None,
    }
}

fn publish(topic: &str) -> Publish<'_> {
    Publish {
        duplicate: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"0123456789abcdef",
    }
}

/// A PUBLISH of QoS 0 for each message, on a hundred topics in turn.
fn publishes() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..usize::from(MESSAGES) {
        let topic = topic(number % TOPICS);
        publish(&topic).encode(Version::V311, &mut bytes).expect("it is legal");
    }
    bytes
}

fn topic(number: usize) -> String {
    format!("sensors/{number}/temperature")
}

/// An engine that is connected and has written what it had to say.
fn online() -> (Engine, Instant) {
    let now = Instant::now();
    let mut engine = Engine::new(Arc::default(), "bench".into(), false).expect("legal settings");
    engine.connect(false, now).expect("it fits into CONNECT");
    let mut connack = Vec::new();
    let accepted =
        Packet::Connack(Connack { session_present: false, code: 0, properties: Properties::EMPTY });
    accepted.encode(Version::V311, &mut connack).expect("it is legal");
    written(&mut engine, now);
    engine.handle_input(&connack, &mut Inbound::default(), now).expect("it is accepted");
    (engine, now)
}

fn written(engine: &mut Engine, now: Instant) {
    let mut output = Output::default();
    engine.poll_output(&mut output, now);
    engine.handle_written(now);
}

/// An engine with that many subscriptions, a hundred of them for what is received.
fn subscribed(filters: usize) -> (Engine, Instant, Vec<u8>) {
    let (mut engine, now) = online();
    for number in 0..filters {
        let filter = topic(number);
        let options = SubscriptionOptions::default();
        let ticket = number as u64 + 1;
        engine.subscribe(ticket, &[(&filter, options)], PropertyBlock::new()).expect("it is legal");
    }
    let mut input = publishes();
    // Each topic has been seen.
    engine.handle_input(&input, &mut Inbound::default(), now).expect("they are legal");
    input.shrink_to_fit();
    (engine, now, input)
}

#[library_benchmark(config = limit(ENCODE))]
#[bench::qos_0(Vec::with_capacity(1 << 20))]
fn encode(mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..MESSAGES {
        black_box(publish("sensors/kitchen/temperature"))
            .encode(Version::V311, &mut bytes)
            .expect("it is legal");
    }
    black_box(bytes)
}

#[library_benchmark(config = limit(DECODE))]
#[bench::qos_0(publishes())]
fn decode(input: Vec<u8>) -> usize {
    let mut rest = &input[..];
    let mut bytes = 0;
    while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
        let publish = RawPublish::decode(frame, Version::V311).expect("it is legal");
        bytes += black_box(publish.payload).len();
        rest = &rest[length..];
    }
    bytes
}

#[library_benchmark(config = limit(PUBLISH_0))]
#[bench::online(online())]
fn publish_qos_0((mut engine, _): (Engine, Instant)) -> Engine {
    for _ in 0..MESSAGES {
        let number = engine.publish(&message(QoS::AtMostOnce), &mut None, false);
        assert!(black_box(number).is_ok());
    }
    engine
}

// To the end: the broker's answers, and each completion in hand.
#[library_benchmark]
#[bench::qos_1(args = (online(), QoS::AtLeastOnce), config = limit(PUBLISH_1))]
#[bench::qos_2(args = (online(), QoS::ExactlyOnce), config = limit(PUBLISH_2))]
fn publish_to_the_end((mut engine, now): (Engine, Instant), qos: QoS) -> usize {
    let mut ended = 0;
    let mut answers = Vec::new();
    let kinds: &[AckKind] = match qos {
        QoS::ExactlyOnce => &[AckKind::Pubrec, AckKind::Pubcomp],
        _ => &[AckKind::Puback],
    };
    for first in (1..=MESSAGES).step_by(20) {
        for _ in 0..20 {
            let completion = Completion::new(|_, _| {});
            let number = engine.publish(&message(qos), &mut Some(completion), false);
            assert!(black_box(number).is_ok());
        }
        written(&mut engine, now);
        for &kind in kinds {
            answers.clear();
            for id in first..first + 20 {
                encode_short(kind, PacketId::new(id).expect("from 1"), &mut answers);
            }
            let handled = engine.handle_input(&answers, &mut Inbound::default(), now);
            assert!(black_box(handled).is_ok());
            written(&mut engine, now);
        }
        ended += black_box(engine.poll_ended()).len();
    }
    assert_eq!(ended, usize::from(MESSAGES));
    ended
}

// One batch, as it comes from a socket: cut, decoded, routed.
#[library_benchmark]
#[bench::among_100(args = (subscribed(100)), config = limit(RECEIVE_AMONG_100))]
#[bench::among_10_000(args = (subscribed(10_000)), config = limit(RECEIVE_AMONG_10_000))]
fn receive((mut engine, now, input): (Engine, Instant, Vec<u8>)) -> (Engine, Inbound) {
    let mut inbound = Inbound::default();
    engine.handle_input(&input, &mut inbound, now).expect("they are legal");
    assert_eq!(inbound.deliveries.len(), usize::from(MESSAGES));
    (engine, black_box(inbound))
}

const ENCODE: u64 = 251_000;
const DECODE: u64 = 79_000;
const PUBLISH_0: u64 = 334_000;
const PUBLISH_1: u64 = 1_676_000;
const PUBLISH_2: u64 = 2_021_000;
const RECEIVE_AMONG_100: u64 = 490_000;
const RECEIVE_AMONG_10_000: u64 = 500_000;

library_benchmark_group!(
    name = hot_paths;
    benchmarks = encode, decode, publish_qos_0, publish_to_the_end, receive
);

main!(library_benchmark_groups = hot_paths);
