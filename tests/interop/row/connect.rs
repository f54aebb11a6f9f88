//! How sessions begin and end.

use std::time::Duration;

use mqttsession::{
    client::{Event, Session, State},
    error::Code,
    protocol::{QoS, Version},
};
use mqttsession_tests::{DEADLINE, seen::Seen, tap::Passed};

use crate::bench::*;

pub(super) fn again(bench: &Bench<'_>) -> Result {
    let session = Session::new(&bench.options("a")?)?;
    for _ in 0..3 {
        let connected = ended(session.connect()).at("connect")?;
        demand(!connected.session_present, || "a clean session was present".to_owned())?;
        publish(&session, &bench.topic("there"), QoS::AtLeastOnce, "there")?;
        disconnect(&session)?;
        demand(session.state() == State::Disconnected, || format!("{:?}", session.state()))?;
    }
    Ok(())
}

pub(super) fn chosen_client_id(bench: &Bench<'_>) -> Result {
    let mut options = bench.options("")?;
    options.set_client_id("")?;
    let (first, _) = connect(&options)?;
    let (second, _) = connect(&options)?;
    // Were both of the same id, the first would have been taken over.
    for session in [&first, &second] {
        publish(session, &bench.topic("there"), QoS::AtLeastOnce, "there")?;
        demand(session.statistics().connections == 1, || "it was taken over".to_owned())?;
    }
    Ok(())
}

pub(super) fn assigned_client_id(bench: &Bench<'_>) -> Result {
    let mut options = bench.options("")?;
    options.set_client_id("")?;
    let (_session, connected) = connect(&options)?;
    // [MQTT-3.1.3-7]: the server says which one it chose.
    let assigned = connected.properties.as_properties().assigned_client_identifier();
    match assigned {
        None => wrong("CONNACK does not say which client id was chosen"),
        Some(id) => demand(*connected.client_id == *id, || {
            format!("the session says {:?}, CONNACK {id:?}", connected.client_id)
        }),
    }
}

pub(super) fn wrong_password(bench: &Bench<'_>) -> Result {
    let mut options = bench.options("a")?;
    options.set_password(Some(b"not it"))?;
    let session = Session::new(&options)?;
    match session.connect()?.wait(Some(DEADLINE)) {
        Ok(_) => wrong("a wrong password was accepted"),
        Err(error) if matches!(error.code(), Code::BadCredentials | Code::NotAuthorized) => {
            demand(session.state() == State::Disconnected, || "it tries again".to_owned())
        }
        Err(error) => wrong(format!("{error:?}")),
    }
}

/// No broker of the matrix knows SCRAM; the session must neither wait for it nor go on without.
pub(super) fn unknown_method(bench: &Bench<'_>) -> Result {
    let mut options = bench.options("a")?;
    options.set_scram_sha_256("interop", "in-and-out")?;
    let session = Session::new(&options)?;
    match session.connect()?.wait(Some(DEADLINE)) {
        Ok(_) => wrong("the session was accepted without proof"),
        Err(error) if error.code() == Code::BadCredentials => {
            demand(session.state() == State::Disconnected, || "it tries again".to_owned())
        }
        Err(error) => wrong(format!("{error:?}")),
    }
}

/// What a refusal brings along: at least a reason code; a reason string is the server's to give.
pub(super) fn reason_string(bench: &Bench<'_>) -> Result {
    let mut options = bench.options("a")?;
    options.set_password(Some(b"not it"))?;
    let session = Session::new(&options)?;
    let Err(error) = session.connect()?.wait(Some(DEADLINE)) else {
        return wrong("a wrong password was accepted");
    };
    demand(error.reason_code().is_some_and(|code| code >= 0x80), || format!("{error:?}"))?;
    match error.reason_string() {
        Some(_) => Ok(()),
        None => not_offered("the broker refuses without a reason string"),
    }
}

pub(super) fn ping(bench: &Bench<'_>) -> Result {
    let tap = bench.tap();
    let mut options = bench.options_at(tap.port(), "a")?;
    options.set_keep_alive(Duration::from_secs(2))?;
    let (_session, _) = connect(&options)?;
    let answered =
        |passed: &[Passed]| passed.iter().any(|packet| packet.seen == Seen::Pingresp).then_some(());
    // On a machine that stands still for a while the connection is lost, and the next ping counts.
    demand(tap.wait_for(answered).is_some(), || "no ping was answered".to_owned())
}

pub(super) fn taken_over(bench: &Bench<'_>) -> Result {
    let tap = bench.tap();
    let mut options = bench.options_at(tap.port(), "a")?;
    options.set_reconnect(false);
    let (first, _) = connect(&options)?;
    let events = events(&first)?;
    let (second, _) = connect(&options)?;
    let lost = events.wait_for("lost", |event| match event {
        Event::Lost(error) => Some(error),
        _ => None,
    })?;
    publish(&second, &bench.topic("there"), QoS::AtLeastOnce, "there")?;
    match bench.version {
        // [MQTT-3.1.4-3]: from 5.0 on the server says so.
        Version::V5 => demand(lost.code() == Code::SessionTakenOver, || {
            format!("the connection ended without a word: {lost:?}")
        }),
        _ => Ok(()),
    }
}
