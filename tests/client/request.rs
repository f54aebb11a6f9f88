//! Request and response: each answer reaches the one who asked, and every request ends.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Wake},
    time::Duration,
};

use mqttsession::{
    client::{
        Acknowledge, Dispatch, Message, Operation, Options, OwnedMessage, PublishOptions,
        RequestOptions, Responder, Response, Session,
    },
    error::{Code, Error, Result},
    protocol::{Property, PropertyBlock, QoS, Version},
};
use mqttsession_tests::{
    property,
    real::{Config, Mosquitto},
    scripted::{Peer, ScriptedBroker},
    seen::{self, Seen},
    wire,
};

use crate::support::*;

fn ask(session: &Session, payload: &str) -> Operation<OwnedMessage> {
    session.request("ask", payload.into(), RequestOptions::default()).unwrap()
}

/// Takes the subscribe of the response topic and grants it; the topic.
#[track_caller]
fn grant_responses(peer: &mut Peer) -> String {
    let subscribe = peer.expect_subscribe();
    let [filter] = &subscribe.filters[..] else { panic!("{subscribe:?}") };
    let topic = filter.filter.clone();
    peer.answer(&Seen::Subscribe(subscribe));
    topic
}

/// Takes the next request and confirms it; its correlation data.
#[track_caller]
fn take_request(peer: &mut Peer, response_topic: &str) -> (seen::Publish, Vec<u8>) {
    let request = peer.expect_publish();
    assert_eq!(request.properties.text("response-topic"), Some(response_topic));
    let correlation = correlation(&request);
    peer.answer(&Seen::Publish(request.clone()));
    (request, correlation)
}

fn correlation(message: &seen::Publish) -> Vec<u8> {
    match message.properties.value("correlation-data") {
        Some(property::Value::Binary(data)) => data.clone(),
        other => panic!("no correlation data: {other:?}"),
    }
}

/// That the request has ended, and not only the wait for it.
#[track_caller]
fn assert_too_late(request: &Operation<OwnedMessage>) {
    let error = request.wait(Some(DEADLINE)).unwrap_err();
    assert_eq!(error.code(), Code::Timeout);
    assert_eq!(error.message(), "The request was not answered in time");
}

fn answer(topic: &str, correlation: &[u8], payload: &str) -> Vec<u8> {
    wire::v5::publish(topic, 0, 0, &property::text("correlation-data", correlation), payload)
}

#[test]
fn every_answer_reaches_the_one_who_asked() {
    let (_broker, session, mut peer) = connected_v5();
    let asked: Vec<_> = ["a", "b", "c"].map(|question| ask(&session, question)).into();
    let topic = grant_responses(&mut peer);
    let requests: Vec<_> = asked.iter().map(|_| take_request(&mut peer, &topic)).collect();
    let distinct: HashSet<_> = requests.iter().map(|(_, correlation)| correlation).collect();
    assert_eq!(distinct.len(), 3);
    for (request, correlation) in requests.iter().rev() {
        let echo = format!("re: {}", String::from_utf8_lossy(&request.payload));
        peer.send(&answer(&topic, correlation, &echo));
    }
    for (operation, question) in asked.iter().zip(["a", "b", "c"]) {
        let reply = operation.wait(Some(DEADLINE)).unwrap();
        assert_eq!(reply.payload(), format!("re: {question}").as_bytes());
    }
}

#[test]
fn answers_that_nobody_waits_for_are_nobodys() {
    let (_broker, session, mut peer) = connected_v5();
    let first = ask(&session, "1");
    let topic = grant_responses(&mut peer);
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&wire::v5::publish(&topic, 0, 0, &[], "without correlation data"));
    peer.send(&answer(&topic, b"of another kind", "?"));
    peer.send(&answer(&topic, &99u64.to_be_bytes(), "never asked"));
    peer.send(&answer(&topic, &correlation, "yes"));
    peer.send(&answer(&topic, &correlation, "once more"));
    assert_eq!(first.wait(Some(DEADLINE)).unwrap().payload(), b"yes");
    // The response topic is subscribed once.
    let second = ask(&session, "2");
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&answer(&topic, &correlation, "no"));
    assert_eq!(second.wait(Some(DEADLINE)).unwrap().payload(), b"no");
}

#[test]
fn a_request_that_is_not_answered_ends_when_its_time_is_up() {
    let (_broker, session, mut peer) = connected_v5();
    let patient = ask(&session, "patient");
    let topic = grant_responses(&mut peer);
    let options =
        RequestOptions { timeout: Duration::ZERO, qos: QoS::AtMostOnce, ..Default::default() };
    let hasty = session.request("ask", "hasty".into(), options).unwrap();
    assert_too_late(&hasty);
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&answer(&topic, &correlation, "worth the wait"));
    assert_eq!(patient.wait(Some(DEADLINE)).unwrap().payload(), b"worth the wait");
}

#[test]
fn a_broker_that_knows_nobody_who_would_answer_says_so() {
    let (_broker, session, mut peer) = connected_v5();
    let asked = ask(&session, "");
    grant_responses(&mut peer);
    let request = peer.expect_publish();
    peer.send(&wire::v5::puback(request.id, 0x10, &property::text("reason-string", "empty room")));
    let error = asked.wait(Some(DEADLINE)).unwrap_err();
    assert_eq!((error.code(), error.reason_code()), (Code::NoResponder, Some(0x10)));
    assert_eq!(error.reason_string(), Some("empty room"));
}

#[test]
fn a_request_that_the_broker_refuses_ends_with_the_refusal() {
    let (_broker, session, mut peer) = connected_v5();
    let asked = ask(&session, "");
    grant_responses(&mut peer);
    let request = peer.expect_publish();
    peer.send(&wire::v5::puback(request.id, 0x87, &[]));
    let error = asked.wait(Some(DEADLINE)).unwrap_err();
    assert_eq!((error.code(), error.reason_code()), (Code::PublishRefused, Some(0x87)));
}

#[test]
fn a_try_does_not_wait_for_room() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5).set_outgoing_limit(1, 10_000).unwrap();
    // Who waits, waits until this test is given up.
    options.set_outgoing_wait(Duration::from_secs(3600));
    let (session, mut peer) = connect(&broker, &options);
    publish(&session, "out", QoS::AtLeastOnce, "x");
    let attempt = || session.try_request("ask", "now".into(), RequestOptions::default());
    assert_eq!(attempt().err().map(|error| error.code()), Some(Code::QueueFull));
    let published = peer.expect_publish();
    peer.answer(&Seen::Publish(published));
    let topic = grant_responses(&mut peer);
    session.flush().unwrap().wait(Some(DEADLINE)).unwrap();
    let operation = attempt().unwrap();
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&answer(&topic, &correlation, "then"));
    assert_eq!(operation.wait(Some(DEADLINE)).unwrap().payload(), b"then");
}

#[test]
fn where_no_answer_can_come_nothing_waits_for_one() {
    let (_broker, session, mut peer) = connected_v5();
    let asked = [ask(&session, "1"), ask(&session, "2")];
    let subscribe = peer.expect_subscribe();
    peer.suback(subscribe.id, &[0x87]);
    for operation in asked {
        assert_eq!(operation.wait(Some(DEADLINE)).unwrap_err().code(), Code::SubscribeRefused);
    }
    for _ in 0..2 {
        let request = peer.expect_publish();
        peer.answer(&Seen::Publish(request));
    }
    // The next request tries again.
    let asked = ask(&session, "3");
    let topic = grant_responses(&mut peer);
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&answer(&topic, &correlation, "now"));
    assert_eq!(asked.wait(Some(DEADLINE)).unwrap().payload(), b"now");
}

#[test]
fn closing_the_session_ends_its_requests() {
    let (_broker, session, peer) = connected_v5();
    let asked = ask(&session, "");
    let serving = serve(peer);
    session.close();
    assert_eq!(asked.wait(Some(DEADLINE)).unwrap_err().code(), Code::Cancelled);
    serving.join().unwrap();
}

#[test]
fn the_broker_may_suggest_the_response_topic() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    options.add_connect_property(Property::RequestResponseInformation(1)).unwrap();
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut peer = broker.accept();
    assert_eq!(peer.expect_connect().properties.number("request-response-information"), Some(1));
    peer.send(&wire::v5::connack(
        false,
        0,
        &property::text("response-information", "mine/replies/"),
    ));
    ended(connecting).unwrap();
    let _asked = ask(&session, "");
    let topic = grant_responses(&mut peer);
    assert!(topic.starts_with("mine/replies/") && topic.len() > 20, "{topic}");
}

#[test]
fn two_sessions_have_two_response_topics() {
    let topics: HashSet<String> = (0..2)
        .map(|_| {
            let (_broker, session, mut peer) = connected_v5();
            let _asked = ask(&session, "");
            grant_responses(&mut peer)
        })
        .collect();
    assert_eq!(topics.len(), 2);
}

#[test]
fn answers_are_acknowledged_also_where_that_is_the_programs() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5).set_acknowledge(Acknowledge::Manual);
    let (session, mut peer) = connect(&broker, &options);
    let asked = ask(&session, "");
    let topic = grant_responses(&mut peer);
    let (_, correlation) = take_request(&mut peer, &topic);
    let data = property::text("correlation-data", correlation);
    peer.send(&wire::v5::publish(&topic, 1, 9, &data, "yes"));
    assert_eq!(asked.wait(Some(DEADLINE)).unwrap().payload(), b"yes");
    peer.expect_puback(9);
}

#[test]
fn what_the_version_or_the_properties_do_not_allow_is_refused_at_once() {
    let (_broker, session, _peer) = connected();
    let error = session.request("ask", "".into(), RequestOptions::default()).err().unwrap();
    assert_eq!(error.code(), Code::NotSupported);
    let error = session.respond("ask", at(QoS::AtMostOnce), Arc::new(Echo)).err().unwrap();
    assert_eq!(error.code(), Code::NotSupported);
    let (_broker, session, _peer) = connected_v5();
    let mut properties = PropertyBlock::new();
    properties.push(Property::ResponseTopic("mine")).unwrap();
    let options = RequestOptions { properties, ..RequestOptions::default() };
    let error = session.request("ask", "".into(), options).err().unwrap();
    assert_eq!(error.code(), Code::InvalidArgument);
    let error = session.request("ask/+", "".into(), RequestOptions::default()).err().unwrap();
    assert_eq!(error.code(), Code::InvalidTopic);
}

#[test]
fn a_request_may_be_made_and_waited_for_in_a_callback() {
    let (_broker, session, mut peer) = connected_v5();
    let (sender, answers) = std::sync::mpsc::channel();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| {
            drop(sender.send(ask(&session, "inside").wait(Some(DEADLINE))));
        }
    };
    subscribe(&session, &mut peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    let topic = grant_responses(&mut peer);
    let (_, correlation) = take_request(&mut peer, &topic);
    peer.send(&answer(&topic, &correlation, "yes"));
    assert_eq!(next(&answers).unwrap().payload(), b"yes");
}

/// A request that nothing but an end of its own ends.
fn ask_for_ever(session: &Session) -> Operation<OwnedMessage> {
    let options = RequestOptions { timeout: Duration::MAX, ..RequestOptions::default() };
    session.request("ask", "".into(), options).unwrap()
}

/// Asks inside a callback and waits there; the error.
#[track_caller]
fn asked_inside(
    session: &Session,
    peer: &mut Peer,
    meanwhile: impl FnOnce(&mut Peer),
) -> (Code, Option<u8>) {
    let (sender, errors) = std::sync::mpsc::channel();
    let handler = {
        let session = session.clone();
        move |_: &Message<'_>| {
            let error = ask_for_ever(&session).wait(Some(DEADLINE)).unwrap_err();
            sender.send((error.code(), error.reason_code())).unwrap();
        }
    };
    subscribe(session, peer, "in", Arc::new(handler));
    peer.publish("in", 0, 0, "");
    meanwhile(peer);
    next(&errors)
}

#[test]
fn a_callback_that_waits_for_its_request_learns_at_once_that_nobody_answers() {
    let (_broker, session, mut peer) = connected_v5();
    let ended = asked_inside(&session, &mut peer, |peer| {
        grant_responses(peer);
        let request = peer.expect_publish();
        peer.send(&wire::v5::puback(request.id, 0x10, &[]));
    });
    assert_eq!(ended, (Code::NoResponder, Some(0x10)));
}

#[test]
fn a_callback_that_waits_for_its_request_learns_at_once_that_no_answer_can_come() {
    let (_broker, session, mut peer) = connected_v5();
    let ended = asked_inside(&session, &mut peer, |peer| {
        let subscribe = peer.expect_subscribe();
        peer.suback(subscribe.id, &[0x87]);
        let request = peer.expect_publish();
        peer.answer(&Seen::Publish(request));
    });
    assert_eq!(ended, (Code::SubscribeRefused, Some(0x87)));
}

#[test]
fn a_refused_response_topic_ends_its_own_requests_only() {
    let (_broker, session, mut peer) = connected_v5();
    let (gate, handler) = gated();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 0, 0, "");
    gate.wait_for_arrival();
    let first = ask_for_ever(&session);
    let subscribe = peer.expect_subscribe();
    peer.suback(subscribe.id, &[0x87]);
    let request = peer.expect_publish();
    peer.answer(&Seen::Publish(request));
    assert_eq!(first.wait(Some(DEADLINE)).unwrap_err().code(), Code::SubscribeRefused);
    let second = ask_for_ever(&session);
    let topic = grant_responses(&mut peer);
    let (_, correlation) = take_request(&mut peer, &topic);
    // Whatever waited behind the callback runs now.
    gate.let_one_pass();
    ended(session.flush()).unwrap();
    peer.send(&answer(&topic, &correlation, "yes"));
    assert_eq!(second.wait(Some(DEADLINE)).unwrap().payload(), b"yes");
}

#[test]
fn a_request_ends_where_nobody_polls() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5).set_dispatch(Dispatch::Polled);
    let (session, mut peer) = connect(&broker, &options);
    let asked = ask_for_ever(&session);
    grant_responses(&mut peer);
    let request = peer.expect_publish();
    peer.send(&wire::v5::puback(request.id, 0x10, &[]));
    assert_eq!(asked.wait(Some(DEADLINE)).unwrap_err().code(), Code::NoResponder);
}

#[test]
fn a_request_that_expires_before_its_time_is_up_ends_as_expired() {
    let broker = ScriptedBroker::start();
    let mut options = options(&broker);
    options.set_version(Version::V5);
    let session = Session::new(&options).unwrap();
    let connecting = session.connect();
    let mut properties = PropertyBlock::new();
    properties.push(Property::MessageExpiryInterval(0)).unwrap();
    let options =
        RequestOptions { timeout: Duration::MAX, properties, ..RequestOptions::default() };
    let asked = session.request("ask", "".into(), options).unwrap();
    assert_eq!(asked.wait(Some(DEADLINE)).unwrap_err().code(), Code::Expired);
    session.close();
    drop(connecting);
}

#[test]
fn a_request_ends_although_the_future_of_another_cannot_be_woken() {
    struct Faulty;

    impl Wake for Faulty {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }

    let (_broker, session, mut peer) = connected_v5();
    let ask_for = |timeout| {
        let options = RequestOptions { timeout, qos: QoS::AtMostOnce, ..Default::default() };
        session.request("ask", "".into(), options).unwrap()
    };
    let second = ask_for(Duration::from_millis(400));
    let mut first = ask_for(Duration::from_millis(200));
    let waker = Arc::new(Faulty).into();
    // On a machine too slow for this it has ended already, and nobody is woken.
    let _ = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
    grant_responses(&mut peer);
    assert_too_late(&first);
    assert_too_late(&second);
}

/// Answers with what it was asked.
struct Echo;

impl Responder for Echo {
    fn respond(&self, request: &Message<'_>) -> Result<Option<Response>> {
        match request.payload() {
            b"silence" => Ok(None),
            b"failure" => Err(Error::new(Code::InvalidArgument, "that cannot be answered")),
            payload => {
                let mut properties = PropertyBlock::new();
                properties.push(Property::ContentType("echo")).unwrap();
                Ok(Some(Response { payload: payload.to_vec().into(), properties }))
            }
        }
    }
}

fn question(response_topic: &str, correlation: Option<&str>, payload: &str, id: u16) -> Vec<u8> {
    let mut properties = property::text("response-topic", response_topic);
    if let Some(data) = correlation {
        properties.extend(property::text("correlation-data", data));
    }
    wire::v5::publish("ask", 1, id, &properties, payload)
}

#[test]
fn a_responder_answers_where_it_is_asked_to() {
    let (_broker, session, mut peer) = connected_v5();
    let responding = session.respond("ask", at(QoS::AtLeastOnce), Arc::new(Echo));
    peer.accept_subscription("ask");
    ended(responding).unwrap();
    for (id, correlation) in [(1, Some("7")), (2, None)] {
        peer.send(&question("reply/here", correlation, "hello", id));
        let reply = peer.expect_publish();
        assert_eq!((reply.topic.as_str(), reply.qos), ("reply/here", 1));
        assert_eq!(reply.payload, b"hello");
        assert_eq!(reply.properties.text("content-type"), Some("echo"));
        let data = reply.properties.value("correlation-data").cloned();
        assert_eq!(data, correlation.map(|data| property::Value::Binary(data.into())));
        peer.answer(&Seen::Publish(reply));
        peer.expect_puback(id);
    }
    // Neither of these is answered; both are acknowledged.
    peer.send(&question("reply/here", None, "silence", 3));
    peer.expect_puback(3);
    peer.send(&question("reply/here", None, "failure", 4));
    peer.expect_puback(4);
    peer.send(&wire::v5::publish("ask", 1, 5, &[], "nowhere to answer to"));
    peer.expect_puback(5);
    assert!(peer.fence().is_empty());
}

#[test]
fn an_answer_may_be_given_later_and_elsewhere() {
    let (_broker, session, mut peer) = connected_v5();
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "ask", handler);
    peer.send(&question("reply/here", Some("7"), "later?", 1));
    peer.expect_puback(1);
    let to = next(&messages).reply_address().unwrap();
    assert_eq!((to.topic(), to.correlation_data()), ("reply/here", Some(&b"7"[..])));
    let number = session.reply(&to, "now".into(), PublishOptions::default()).unwrap();
    let reply = peer.expect_publish();
    assert_eq!((reply.topic.as_str(), &reply.payload[..]), ("reply/here", &b"now"[..]));
    session.wait(number, Some(DEADLINE)).unwrap();
    peer.send(&wire::v5::publish("ask", 0, 0, &[], "no question"));
    assert!(next(&messages).reply_address().is_none());
}

#[test]
fn two_sessions_ask_and_answer_each_other() {
    let Some(broker) = Mosquitto::start(&Config::default()) else { return };
    let session = |id: &str| {
        let mut options = Options::new();
        options.set_address(&format!("127.0.0.1:{}", broker.port())).unwrap();
        options.set_client_id(id).unwrap();
        options.set_version(Version::V5);
        let session = Session::new(&options).unwrap();
        ended(session.connect()).unwrap();
        session
    };
    let (asking, answering) = (session("asking"), session("answering"));
    ended(answering.respond("ask", at(QoS::ExactlyOnce), Arc::new(Echo))).unwrap();
    let questions: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let asked: Vec<_> = questions.iter().map(|question| ask(&asking, question)).collect();
    for (operation, question) in asked.iter().zip(&questions) {
        assert_eq!(operation.wait(Some(DEADLINE)).unwrap().payload(), question.as_bytes());
    }
}
