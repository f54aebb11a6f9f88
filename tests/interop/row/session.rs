//! What a broker keeps of a session while it is away.

use mqttsession::{
    client::{DisconnectOptions, Session},
    protocol::{Property, QoS, Version},
};

use crate::bench::*;

pub(super) fn queued(bench: &Bench<'_>) -> Result {
    let publisher = bench.session("p")?;
    let options = bench.lasting("s")?;
    {
        let (session, connected) = connect(&options)?;
        demand(!connected.session_present, || "a new session was present".to_owned())?;
        subscribe(&session, &bench.topic("+"), at(QoS::AtLeastOnce))?;
        disconnect(&session)?;
    }
    let payloads = ["1", "2", "3", "4", "5"];
    for payload in payloads {
        publish(&publisher, &bench.topic(payload), QoS::AtLeastOnce, payload)?;
    }
    // As after a restart of the program: what it had subscribed it subscribes before it connects.
    let session = Session::new(&options)?;
    let (handler, inbox) = inbox();
    let subscribing = session.subscribe(&bench.topic("+"), at(QoS::AtLeastOnce), handler);
    let connected = ended(session.connect()).at("connect")?;
    // CONNACK of 3.1 cannot say that the session is present; the messages will.
    demand(connected.session_present || bench.version == Version::V31, || {
        "the session was gone".to_owned()
    })?;
    ended(subscribing).at("subscribe")?;
    inbox.expect(&payloads)?;
    bench.fence(&publisher, &session)?;
    inbox
        .rest()
        .iter()
        .try_for_each(|payload| demand(payload == "fence", || format!("{payload:?} came twice")))
}

pub(super) fn clean(bench: &Bench<'_>) -> Result {
    let publisher = bench.session("p")?;
    let lasting = bench.lasting("s")?;
    let (session, _) = connect(&lasting)?;
    subscribe(&session, &bench.topic("t"), at(QoS::AtLeastOnce))?;
    disconnect(&session)?;
    publish(&publisher, &bench.topic("t"), QoS::AtLeastOnce, "for nobody")?;
    let mut clean = lasting.clone();
    clean.set_clean_session(true);
    let (session, connected) = connect(&clean)?;
    demand(!connected.session_present, || "a clean session was present".to_owned())?;
    bench.fence(&publisher, &session)?;
    // The fence's own six.
    let received = session.statistics().received;
    demand(received == 6, || format!("{received} messages came, of the fence and the past"))
}

pub(super) fn expiry(bench: &Bench<'_>) -> Result {
    let mut ends = bench.options("a")?;
    ends.set_clean_session(false);
    let mut stays = ends.clone();
    stays.add_connect_property(Property::SessionExpiryInterval(3600))?;

    // Without an interval the session ends with the connection.
    disconnect(&connect(&ends)?.0)?;
    let (session, connected) = connect(&stays)?;
    demand(!connected.session_present, || "a session without expiry was kept".to_owned())?;
    // With one it is kept.
    disconnect(&session)?;
    let (session, connected) = connect(&stays)?;
    demand(connected.session_present, || "a session with expiry was not kept".to_owned())?;
    // DISCONNECT may change the interval (3.14.2.2.2).
    let options = DisconnectOptions {
        properties: properties(&[Property::SessionExpiryInterval(0)]),
        ..DisconnectOptions::default()
    };
    ended(session.disconnect(options)).at("disconnect")?;
    let (_session, connected) = connect(&stays)?;
    demand(!connected.session_present, || "DISCONNECT's expiry of 0 was ignored".to_owned())
}
