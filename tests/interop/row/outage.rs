//! What becomes of messages that cannot be sent, or not be taken.

use std::time::Duration;

use mqttsession::{
    client::{Event, PublishOptions, Session},
    error::Code,
    protocol::{Property, QoS},
};
use mqttsession_tests::DEADLINE;

use crate::bench::*;

/// While the session is offline one message runs out of time, and the other one waits as long.
pub(super) fn expired(bench: &Bench<'_>) -> Result {
    let subscriber = bench.session("s")?;
    let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    let tap = bench.tap();
    let publisher = Session::new(&bench.options_at(tap.port(), "p")?)?;
    let events = events(&publisher)?;
    ended(publisher.connect()).at("connect")?;
    tap.shut();
    events.wait_for("lost", |event| matches!(event, Event::Lost(_)).then_some(()))?;
    let publish = |payload: &str, seconds: u32| {
        let mut options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        match bench.version.is_v5() {
            true => options.properties = properties(&[Property::MessageExpiryInterval(seconds)]),
            false => options.time_to_live = Some(Duration::from_secs(seconds.into())),
        }
        publisher.publish(&bench.topic("t"), payload.into(), options)
    };
    let (lasting, short_lived) = (publish("lasting", 3600)?, publish("short-lived", 1)?);
    match publisher.wait(short_lived, Some(DEADLINE)) {
        Err(error) if error.code() == Code::Expired => {}
        other => return wrong(format!("what expired ended as {other:?}")),
    }
    tap.open();
    publisher.wait(lasting, Some(DEADLINE)).at("publish")?;
    let message = inbox.next()?;
    demand(text(&message) == "lasting", || format!("{message:?} came"))?;
    bench.fence(&publisher, &subscriber)?;
    inbox.expect_nothing()?;
    // [MQTT-3.3.2-6]: what it waited here is gone, too.
    match message.properties().message_expiry_interval() {
        Some(3000..=3599) => Ok(()),
        None if !bench.version.is_v5() => Ok(()),
        other => wrong(format!("more than a second after 3600 {other:?} came")),
    }
}

/// Before 5.0 a broker can only hang up on a message that it does not take. That costs this message,
/// and none of its neighbours.
pub(super) fn set_aside(bench: &Bench<'_>) -> Result {
    let subscriber = connect(&bench.options_at(bench.limited_port(), "s")?)?.0;
    let inbox = subscribe(&subscriber, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    let publisher = Session::new(&bench.lasting_at(bench.limited_port(), "p")?)?;
    let events = events(&publisher)?;
    ended(publisher.connect()).at("connect")?;
    let large = vec![b'x'; 2_000_000];
    let neighbours: [&[u8]; 4] = [b"1", b"2", b"3", b"4"];
    let mut numbers = Vec::new();
    for payload in [neighbours[0], neighbours[1], &large, neighbours[2], neighbours[3]] {
        let options = PublishOptions { qos: QoS::AtLeastOnce, ..PublishOptions::default() };
        match publisher.publish(&bench.topic("t"), payload.into(), options) {
            Ok(number) => numbers.push(number),
            Err(error) if error.code() == Code::PayloadTooLarge => {
                return not_offered("CONNACK says what is too large, and the session refuses it");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let outcomes = numbers.iter().map(|&number| publisher.wait(number, Some(DEADLINE)));
    let outcomes: Vec<_> = outcomes.collect();
    if outcomes.iter().all(Result::is_ok) {
        return not_offered("the broker takes 2 MB");
    }
    for (at, outcome) in outcomes.into_iter().enumerate() {
        let fate = outcome.map(drop).map_err(|error| error.code());
        let due = if at == 2 { Err(Code::SetAside) } else { Ok(()) };
        demand(fate == due, || format!("message {at} ended as {fate:?}"))?;
    }
    events.wait_for("told what was set aside", |event| match event {
        Event::SetAside(aside) => (aside.number == Some(numbers[2])).then_some(()),
        _ => None,
    })?;
    // QoS 1: once each at least; what was sent again may have come out of order.
    bench.fence(&publisher, &subscriber)?;
    let came = inbox.rest();
    for neighbour in ["1", "2", "3", "4"] {
        demand(came.iter().any(|text| text == neighbour), || format!("{neighbour} never came"))?;
    }
    demand(came.iter().all(|text| text.len() == 1), || "what was set aside came".to_owned())
}
