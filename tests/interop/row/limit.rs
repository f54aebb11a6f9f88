//! What either side says that it will not take.

use std::time::Duration;

use mqttsession::{
    client::{Event, PublishOptions, Session},
    error::Code,
    protocol::{PropertyBlock, QoS},
};
use mqttsession_tests::{seen::Seen, tap::Tap};

use crate::bench::*;

/// A session at the broker that takes less, behind a tap, and what CONNACK said.
fn limited(bench: &Bench<'_>) -> Result<(Tap, Session, PropertyBlock)> {
    let tap = Tap::start(bench.limited_port(), bench.version.level());
    let (session, connected) = connect(&bench.options_at(tap.port(), "a")?)?;
    Ok((tap, session, connected.properties))
}

/// The message is refused with this error before anything is sent, and the session goes on.
fn refused(
    bench: &Bench<'_>,
    (tap, session): (&Tap, &Session),
    payload: &[u8],
    options: PublishOptions,
    code: Code,
) -> Result {
    match session.publish(&bench.topic("refused"), payload.into(), options) {
        Ok(_) => return wrong("publish accepted what the broker does not take"),
        Err(error) if error.code() == code => {}
        Err(error) => return wrong(format!("{error:?}")),
    }
    publish(session, &bench.topic("taken"), QoS::AtLeastOnce, "taken")?;
    let is_publish = |seen: &&Seen| matches!(seen, Seen::Publish(_));
    let passed = tap.passed();
    let sent = passed.iter().map(|passed| &passed.seen).filter(is_publish).count();
    demand(sent == 1, || format!("{sent} messages were sent"))?;
    demand(tap.connections() == 1, || "the connection was lost".to_owned())
}

pub(super) fn packet_size(bench: &Bench<'_>) -> Result {
    let (tap, session, said) = limited(bench)?;
    let Some(maximum) = said.as_properties().maximum_packet_size() else {
        return not_offered("CONNACK sets no maximum packet size");
    };
    let payload = match usize::try_from(maximum) {
        Ok(maximum @ ..=20_000_000) => vec![0; maximum],
        _ => return not_offered("CONNACK sets a maximum packet size beyond 20 MB"),
    };
    let options = PublishOptions::default();
    refused(bench, (&tap, &session), &payload, options, Code::PayloadTooLarge)
}

pub(super) fn maximum_qos(bench: &Bench<'_>) -> Result {
    let (tap, session, said) = limited(bench)?;
    let Some(maximum) = said.as_properties().maximum_qos() else {
        return not_offered("CONNACK sets no maximum QoS");
    };
    let qos = QoS::from_u8(maximum + 1).expect("a maximum is below 2");
    let options = PublishOptions { qos, ..PublishOptions::default() };
    refused(bench, (&tap, &session), b"too sure", options, Code::NotSupported)
}

pub(super) fn retain_unavailable(bench: &Bench<'_>) -> Result {
    let (tap, session, said) = limited(bench)?;
    if said.as_properties().retain_available() != Some(0) {
        return not_offered("the broker keeps retained messages");
    }
    let options = PublishOptions { retain: true, ..PublishOptions::default() };
    refused(bench, (&tap, &session), b"to be kept", options, Code::NotSupported)
}

pub(super) fn server_keep_alive(bench: &Bench<'_>) -> Result {
    let mut options = bench.options_at(bench.limited_port(), "a")?;
    options.set_keep_alive(Duration::from_secs(65_535))?;
    let (session, connected) = connect(&options)?;
    publish(&session, &bench.topic("there"), QoS::AtLeastOnce, "there")?;
    match connected.properties.as_properties().server_keep_alive() {
        Some(1..) => Ok(()),
        _ => not_offered("the broker takes the longest keep-alive as it is"),
    }
}

/// [MQTT-3.1.2-25]: what is too large for us is left out, and the rest comes.
pub(super) fn our_packet_size(bench: &Bench<'_>) -> Result {
    let publisher = bench.session("p")?;
    let mut options = bench.options("s")?;
    options.set_maximum_packet_size(1000)?;
    let session = Session::new(&options)?;
    let events = events(&session)?;
    ended(session.connect()).at("connect")?;
    let inbox = subscribe(&session, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    publish(&publisher, &bench.topic("t"), QoS::AtLeastOnce, &"large ".repeat(1000))?;
    publish(&publisher, &bench.topic("t"), QoS::AtLeastOnce, "small")?;
    bench.fence(&publisher, &publisher)?;
    match inbox.next() {
        Ok(message) => {
            let first = text(&message);
            demand(first == "small", || format!("{} bytes came", first.len()))
        }
        Err(_) => events.wait_for("told why", |event| match event {
            Event::Lost(error) => Some(wrong(format!("{error:?}"))),
            _ => None,
        })?,
    }
}
