//! Sessions as every mode wants them, and what is done with them everywhere.

use std::{env, sync::Arc, time::Duration};

use measure::{Result, Run, Start, Tally};
use mqttsession::{
    client::{
        Completion, Dispatch, Handler, Material, Message, Operation, Options, PublishOptions,
        Session,
    },
    protocol::{QoS, SubscriptionOptions, Version},
};
use serde_json::Value;

/// How long anything but the run itself may take.
pub(crate) const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

pub(crate) fn options(run: &Run, client_id: &str) -> Result<Options> {
    let mut options = Options::new();
    options.set_address(&run.address)?.set_client_id(client_id)?;
    if let Ok(authority) = env::var("BENCH_AUTHORITY") {
        options.set_address(&format!("mqtts://{}", run.address))?;
        options.add_tls_authority(Material::File(authority.into()));
    }
    options.set_version(if run.version == 5 { Version::V5 } else { Version::V311 });
    options.set_in_flight_limit(u16::try_from(run.window).unwrap_or(u16::MAX))?;
    if env::var("BENCH_DISPATCH").is_ok_and(|dispatch| dispatch == "inline") {
        options.set_dispatch(Dispatch::Inline);
    }
    Ok(options)
}

pub(crate) fn connect(run: &Run) -> Result<Session> {
    let session = Session::new(&options(run, "bench")?)?;
    session.connect()?.wait(PATIENCE)?;
    Ok(session)
}

/// So many at the same time.
pub(crate) fn connect_many(run: &Run, count: i64) -> Result<Vec<Session>> {
    let sessions: Result<Vec<Session>> = (0..count)
        .map(|number| Ok(Session::new(&options(run, &format!("bench{number}"))?)?))
        .collect();
    let sessions = sessions?;
    let connecting: std::result::Result<Vec<Operation<_>>, _> =
        sessions.iter().map(Session::connect).collect();
    for operation in connecting? {
        operation.wait(PATIENCE)?;
    }
    Ok(sessions)
}

pub(crate) fn qos(run: &Run) -> Result<QoS> {
    QoS::from_u8(run.qos).ok_or_else(|| "QoS is 0, 1 or 2".into())
}

pub(crate) fn publish_options(qos: QoS) -> PublishOptions {
    PublishOptions { qos, ..PublishOptions::default() }
}

/// The same with a completion that runs `done`.
pub(crate) fn then(qos: QoS, done: impl FnOnce() + Send + 'static) -> PublishOptions {
    let completion = Completion::new(move |_, outcome| {
        outcome.expect("the sink refuses nothing");
        done();
    });
    PublishOptions { completion: Some(completion), ..publish_options(qos) }
}

pub(crate) fn count_in(tally: &'static Tally) -> Arc<dyn Handler> {
    Arc::new(|_: &Message<'_>| tally.add())
}

pub(crate) fn subscription(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

pub(crate) fn subscribe(
    session: &Session,
    filter: &str,
    qos: QoS,
    tally: &'static Tally,
) -> Result<()> {
    session.subscribe(filter, subscription(qos), count_in(tally))?.wait(PATIENCE)?;
    Ok(())
}

pub(crate) fn report(run: &Run, start: &Start, messages: i64, extra: Value) -> Result<()> {
    let library = format!("mqttsession (Rust) {}", env!("CARGO_PKG_VERSION"));
    start.report(&library, run, messages, extra)
}
