//! What the broker says for a session that can no longer speak.

use mqttsession::{
    client::{DisconnectOptions, OwnedMessage},
    protocol::{Property, QoS, ReasonCode},
};

use crate::bench::*;

pub(super) fn abnormal_end(bench: &Bench<'_>) -> Result {
    last_will(bench, &[]).map(drop)
}

pub(super) fn disconnect(bench: &Bench<'_>) -> Result {
    let watcher = bench.session("w")?;
    let inbox = subscribe(&watcher, &bench.topic("will"), at(QoS::AtLeastOnce))?;
    let mut options = bench.options("a")?;
    options.set_will(&bench.topic("will"), b"gone", QoS::AtLeastOnce, false)?;
    let (session, _) = connect(&options)?;
    crate::bench::disconnect(&session)?;
    bench.fence(&watcher, &watcher)?;
    inbox.expect_nothing()
}

pub(super) fn properties(bench: &Bench<'_>) -> Result {
    let will = last_will(
        bench,
        &[
            Property::PayloadFormatIndicator(1),
            Property::ContentType("text/plain"),
            Property::ResponseTopic("answer"),
            Property::CorrelationData(&[0, 255]),
            Property::UserProperty("cause", "cut"),
        ],
    )?;
    let carried = will.properties();
    demand(
        carried.payload_format_indicator() == Some(1)
            && carried.content_type() == Some("text/plain")
            && carried.response_topic() == Some("answer")
            && carried.correlation_data() == Some(&[0, 255])
            && carried.iter().any(|one| one == Property::UserProperty("cause", "cut")),
        || format!("the will came with {carried:?}"),
    )
}

/// Without a session expiry the session ends with its connection, and the will comes then, however
/// long its delay is (3.1.3.2.2).
pub(super) fn delay(bench: &Bench<'_>) -> Result {
    last_will(bench, &[Property::WillDelayInterval(3600)]).map(drop)
}

/// The will of a session that is cut off.
fn last_will(bench: &Bench<'_>, properties: &[Property<'_>]) -> Result<OwnedMessage> {
    let watcher = bench.session("w")?;
    let inbox = subscribe(&watcher, &bench.topic("will"), at(QoS::AtLeastOnce))?;
    let tap = bench.tap();
    let mut options = bench.options_at(tap.port(), "a")?;
    options.set_will(&bench.topic("will"), b"gone", QoS::AtLeastOnce, false)?;
    for property in properties {
        options.add_will_property(*property)?;
    }
    options.set_reconnect(false);
    let (_session, _) = connect(&options)?;
    tap.cut();
    let will = inbox.next()?;
    demand(text(&will) == "gone", || format!("{will:?} came"))?;
    Ok(will)
}

pub(super) fn disconnect_with_will(bench: &Bench<'_>) -> Result {
    let watcher = bench.session("w")?;
    let inbox = subscribe(&watcher, &bench.topic("will"), at(QoS::AtLeastOnce))?;
    let mut options = bench.options("a")?;
    options.set_will(&bench.topic("will"), b"gone", QoS::AtLeastOnce, false)?;
    let (session, _) = connect(&options)?;
    let reason = ReasonCode::DisconnectWithWillMessage;
    ended(session.disconnect(DisconnectOptions { reason, ..DisconnectOptions::default() }))?;
    inbox.expect(&["gone"])
}
