//! Enhanced authentication: who may say what when (MQTT 5.0, section 4.12), and who connects.

use bytes::Bytes;
use mqttsession::{
    engine::{Credentials, Event, Identity},
    error::Code,
    protocol::{
        Auth, Connack, Packet, Properties, Property, PropertyBlock, PropertyIdentifier, ReasonCode,
        Version,
    },
};

use crate::{
    packets::{connack, connack_with, disconnect, message0, properties, puback, refusal},
    pair::{Pair, VERSIONS},
};

/// An engine whose program authenticates with method `M`.
fn pair() -> Pair {
    Pair::with(Version::V5, |settings| {
        settings.properties = properties(&[Property::AuthenticationMethod("M")]);
    })
}

/// One that has sent CONNECT.
fn connecting() -> Pair {
    let mut pair = pair();
    pair.connect(false);
    assert_eq!(pair.sent(), [r#"CONNECT me clean keep-alive=60 [AuthenticationMethod("M")]"#]);
    pair
}

/// One that the broker has accepted at once, and its program the broker.
fn online() -> Pair {
    let mut pair = connecting();
    pair.receive(connack_with(&step("")));
    assert_eq!(pair.events(), ["challenge Success"]);
    pair.answer(None);
    assert_eq!(pair.events(), ["connected"]);
    pair
}

/// One whose broker is to answer the AUTH that begins anew.
fn reauthenticating() -> Pair {
    let mut pair = online();
    pair.engine.reauthenticate().unwrap();
    assert_eq!(pair.events(), ["challenge Reauthenticate"]);
    pair.answer(Some("one"));
    assert_eq!(pair.sent(), [auth_line("0x19", "one")]);
    pair
}

impl Pair {
    fn answer(&mut self, data: Option<&str>) {
        self.engine.authenticate(data.map(str::as_bytes), self.now).unwrap();
    }
}

/// The properties of a packet of the exchange; no data where it is empty.
fn step(data: &str) -> PropertyBlock {
    let mut block = properties(&[Property::AuthenticationMethod("M")]);
    if !data.is_empty() {
        block.push(Property::AuthenticationData(data.as_bytes())).unwrap();
    }
    block
}

fn auth(reason: ReasonCode, block: &PropertyBlock) -> Packet<'_> {
    Packet::Auth(Auth { reason, properties: block.as_properties() })
}

fn auth_line(reason: &str, data: &str) -> String {
    let properties = r#"[AuthenticationMethod("M"), AuthenticationData(hidden)]"#;
    format!("AUTH {reason} {properties} data={data}")
}

/// The packet ends the connection; the broker is told this.
#[track_caller]
fn ends(mut pair: Pair, packet: Packet<'_>, code: Code, told: &[&str], why: &str) {
    let error = pair.fault(packet);
    assert_eq!(error.code(), code, "{error}");
    assert!(error.message().contains(why), "{error}");
    assert_eq!(pair.sent(), told);
    assert!(!pair.engine.is_online() && !pair.engine.is_verifying());
    pair.answer(Some("late"));
    assert_eq!(pair.sent(), [""; 0]);
}

#[test]
fn an_exchange_goes_back_and_forth_until_connack() {
    let mut pair = pair();
    let authentication_data = Some(Bytes::from_static(b"zero"));
    pair.engine.identify(Identity { authentication_data, ..Identity::default() });
    pair.connect(false);
    let data = r#"[AuthenticationMethod("M"), AuthenticationData(hidden)]"#;
    let bytes = pair.sent_bytes();
    let lines = crate::trace::lines(&bytes, Version::V5);
    assert_eq!(lines, [format!("CONNECT me clean keep-alive=60 {data}")]);
    assert!(bytes.windows(7).any(|window| window == b"\x16\x00\x04zero"));
    for round in ["one", "two"] {
        pair.receive(auth(ReasonCode::ContinueAuthentication, &step(round)));
        assert_eq!(pair.events(), [format!("challenge Continue {round}")]);
        assert_eq!(pair.sent(), [""; 0], "nothing before the program has answered");
        // [MQTT-4.12.0-3] [MQTT-4.12.0-5]
        pair.answer(Some(round));
        assert_eq!(pair.sent(), [auth_line("0x18", round)]);
    }
    pair.receive(connack_with(&step("proof")));
    assert_eq!(pair.events(), ["challenge Success proof"]);
    assert!(pair.engine.is_verifying() && !pair.engine.is_online());
    pair.answer(None);
    assert_eq!(pair.events(), ["connected"]);
    assert!(pair.engine.is_online() && !pair.engine.is_verifying());
    assert_eq!(pair.due(), Some(60));
}

#[test]
fn nothing_but_auth_leaves_while_the_exchange_lasts() {
    // [MQTT-3.1.2-30]
    let mut pair = connecting();
    pair.publish(0, "a", "x");
    pair.publish(1, "a", "y");
    pair.subscribe(&["a:1"]);
    pair.receive(auth(ReasonCode::ContinueAuthentication, &step("one")));
    pair.answer(None);
    assert_eq!(pair.sent(), [r#"AUTH 0x18 [AuthenticationMethod("M")]"#]);
    pair.publish(1, "a", "z");
    assert_eq!(pair.due(), None, "no ping either");
    pair.receive(connack_with(&step("")));
    assert_eq!(pair.sent(), [""; 0], "the program has still to accept the broker");
    pair.answer(None);
    let sent = pair.sent();
    assert_eq!(sent[0], pair.identified("SUBSCRIBE #1 a:1", 1));
    assert_eq!(sent[1..].len(), 3, "{sent:?}");
}

#[test]
fn what_lies_behind_connack_waits_until_the_broker_is_accepted() {
    let mut pair = connecting();
    pair.subscribe(&["a:0"]);
    let both = [
        pair.encoded(connack_with(&step(""))),
        pair.encoded(Packet::Publish(message0("a", "early"))),
    ]
    .concat();
    assert!(pair.input(&both).unwrap().is_empty());
    assert!(pair.input(b"").unwrap().is_empty());
    pair.answer(None);
    let received = pair.input(b"").unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].payload, "early");
}

#[test]
fn a_refusal_may_come_at_any_time() {
    // [MQTT-4.12.0-4]
    for asked in [false, true] {
        let mut pair = connecting();
        if asked {
            pair.receive(auth(ReasonCode::ContinueAuthentication, &step("one")));
        }
        ends(pair, refusal(0x87), Code::NotAuthorized, &[], "");
    }
    // [MQTT-4.12.0-1]
    ends(connecting(), refusal(0x8c), Code::BadCredentials, &[], "");
}

#[test]
fn an_auth_that_was_not_asked_for() {
    // [MQTT-4.12.0-6]
    let why = "an AUTH although this session named no authentication method";
    let packet = step("x");
    let packet = auth(ReasonCode::ContinueAuthentication, &packet);
    ends(Pair::online(Version::V5), packet, Code::ProtocolError, &["DISCONNECT 0x82"], why);
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    pair.sent();
    ends(pair, packet, Code::ProtocolError, &["DISCONNECT 0x82"], why);
    // Before 5.0 it is no packet at all.
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::new(version);
        pair.connect(false);
        pair.sent();
        assert_eq!(pair.fault_of(b"\xf0\x00").code(), Code::NotMqtt);
    }
}

#[test]
fn a_connack_that_speaks_of_authentication_unasked() {
    // [MQTT-4.12.0-6]
    for said in [Property::AuthenticationMethod("M"), Property::AuthenticationData(b"x")] {
        let mut pair = Pair::new(Version::V5);
        pair.connect(false);
        pair.sent();
        let block = properties(&[said]);
        let why = "although this session named no";
        let told = ["DISCONNECT 0x82"];
        ends(pair, connack_with(&block), Code::ProtocolError, &told, why);
    }
}

#[test]
fn another_method_than_the_sessions() {
    // [MQTT-4.12.0-5]
    let other = properties(&[Property::AuthenticationMethod("m")]);
    let packet = auth(ReasonCode::ContinueAuthentication, &other);
    let told = ["DISCONNECT 0x8c"];
    let why = "another authentication method";
    ends(connecting(), packet, Code::ProtocolError, &told, why);
    ends(reauthenticating(), packet, Code::ProtocolError, &told, why);
    let success = auth(ReasonCode::Success, &other);
    ends(reauthenticating(), success, Code::ProtocolError, &told, why);
    ends(connecting(), connack_with(&other), Code::ProtocolError, &told, why);
    let why = "a CONNACK without the authentication method";
    ends(connecting(), connack(false), Code::ProtocolError, &["DISCONNECT 0x82"], why);
}

#[test]
fn an_auth_out_of_turn() {
    let told = ["DISCONNECT 0x82"];
    let (one, two) = (step("one"), step("two"));
    let next = auth(ReasonCode::ContinueAuthentication, &two);
    let mut pair = connecting();
    pair.receive(auth(ReasonCode::ContinueAuthentication, &one));
    ends(pair, next, Code::ProtocolError, &told, "before the last one was answered");
    let mut pair = connecting();
    pair.receive(auth(ReasonCode::ContinueAuthentication, &one));
    ends(pair, connack_with(&one), Code::ProtocolError, &told, "before the last AUTH was answered");
    let success = auth(ReasonCode::Success, &one);
    ends(connecting(), success, Code::ProtocolError, &told, "success, before CONNACK");
    ends(online(), next, Code::ProtocolError, &told, "no exchange is under way");
    ends(online(), success, Code::ProtocolError, &told, "no exchange is under way");
    // Table 3-11: the client alone begins anew.
    let anew = auth(ReasonCode::ReAuthenticate, &one);
    ends(connecting(), anew, Code::ProtocolError, &told, "only clients may give");
    ends(online(), anew, Code::ProtocolError, &told, "only clients may give");
}

#[test]
fn a_malformed_auth_is_not_taken_for_another_protocol() {
    // [MQTT-3.15.2-1] [MQTT-3.15.1-1]
    for bytes in [&b"\xf0\x02\x17\x00"[..], b"\xf1\x00"] {
        let mut pair = connecting();
        assert_eq!(pair.fault_of(bytes).code(), Code::MalformedPacket);
        assert_eq!(pair.sent(), ["DISCONNECT 0x81"]);
        // Unless nobody asked for one.
        for version in VERSIONS {
            let mut pair = Pair::new(version);
            pair.connect(false);
            pair.sent();
            assert_eq!(pair.fault_of(bytes).code(), Code::NotMqtt);
            assert_eq!(pair.sent(), [""; 0]);
        }
    }
}

#[test]
fn a_new_exchange_on_the_live_connection() {
    let mut pair = reauthenticating();
    // Messages go on meanwhile.
    pair.publish(1, "a", "x");
    assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=x"]);
    pair.receive(auth(ReasonCode::ContinueAuthentication, &step("two")));
    assert_eq!(pair.events(), ["challenge Continue two"]);
    pair.receive(puback(1));
    assert_eq!(pair.ended(), ["1: ok"]);
    pair.answer(Some("three"));
    assert_eq!(pair.sent(), [auth_line("0x18", "three")]);
    pair.receive(auth(ReasonCode::Success, &step("four")));
    assert_eq!(pair.events(), ["challenge Success four"]);
    assert!(pair.engine.is_online() && !pair.engine.is_verifying());
    pair.answer(None);
    assert_eq!(pair.events(), ["reauthenticated"]);
    assert_eq!(pair.sent(), [""; 0]);
    // Another may follow.
    pair.engine.reauthenticate().unwrap();
}

#[test]
fn the_shortest_auth_says_success() {
    let mut pair = reauthenticating();
    assert!(pair.input(b"\xf0\x00").unwrap().is_empty());
    assert_eq!(pair.events(), ["challenge Success"]);
}

#[test]
fn an_exchange_begins_anew_only_where_there_is_one() {
    let mut pair = Pair::online(Version::V5);
    // [MQTT-4.12.0-7]
    assert_eq!(pair.engine.reauthenticate().unwrap_err().code(), Code::NotSupported);
    let mut pair = connecting();
    assert_eq!(pair.engine.reauthenticate().unwrap_err().code(), Code::NotConnected);
    pair.lose();
    assert_eq!(pair.engine.reauthenticate().unwrap_err().code(), Code::NotConnected);
    let mut pair = online();
    pair.engine.reauthenticate().unwrap();
    assert_eq!(pair.engine.reauthenticate().unwrap_err().code(), Code::Busy);
    pair.answer(None);
    assert_eq!(pair.engine.reauthenticate().unwrap_err().code(), Code::Busy);
}

#[test]
fn the_broker_ends_a_live_connection_that_fails_to_authenticate_anew() {
    // [MQTT-4.12.1-2]
    let mut pair = reauthenticating();
    let error = pair.fault(disconnect(ReasonCode::NotAuthorized));
    assert_eq!((error.code(), error.reason_code()), (Code::NotAuthorized, Some(0x87)));
}

#[test]
fn giving_up_closes_and_tells_a_broker_that_had_accepted() {
    let mut pair = connecting();
    pair.receive(auth(ReasonCode::ContinueAuthentication, &step("one")));
    pair.engine.give_up_authentication();
    assert_eq!(pair.sent(), [""; 0]);
    let mut pair = connecting();
    pair.receive(connack_with(&step("wrong")));
    pair.engine.give_up_authentication();
    assert_eq!(pair.sent(), ["DISCONNECT 0x80"]);
    assert!(!pair.events().contains(&"connected".to_owned()));
    let mut pair = reauthenticating();
    pair.receive(auth(ReasonCode::Success, &step("wrong")));
    pair.engine.give_up_authentication();
    assert_eq!(pair.sent(), ["DISCONNECT 0x80"]);
    assert_eq!(pair.events(), ["challenge Success wrong"]);
}

#[test]
fn an_exchange_ends_with_its_connection() {
    let mut pair = connecting();
    pair.receive(connack_with(&step("")));
    pair.lose();
    pair.answer(None);
    assert!(!pair.engine.is_online() && !pair.engine.is_verifying());
    pair.connect(false);
    pair.sent();
    pair.receive(auth(ReasonCode::ContinueAuthentication, &step("one")));
    pair.lose();
    pair.answer(Some("late"));
    pair.connect(false);
    assert_eq!(pair.sent().len(), 1, "CONNECT alone");
}

#[test]
fn leaving_before_the_broker_is_accepted_says_good_bye() {
    let mut pair = connecting();
    pair.receive(connack_with(&step("")));
    pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
    assert_eq!(pair.sent(), ["DISCONNECT"]);
    pair.answer(None);
    assert_eq!(pair.sent(), [""; 0]);
}

#[test]
fn data_that_no_packet_can_hold_leaves_the_challenge_unanswered() {
    let mut pair = connecting();
    pair.receive(auth(ReasonCode::ContinueAuthentication, &step("one")));
    let refused = pair.engine.authenticate(Some(&[0; 65_536]), pair.now).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(pair.sent(), [""; 0]);
    pair.answer(Some("two"));
    assert_eq!(pair.sent(), [auth_line("0x18", "two")]);
}

#[test]
fn what_connack_says_besides_counts_once_the_broker_is_accepted() {
    let mut pair = connecting();
    let mut said = step("proof");
    said.push(Property::ServerKeepAlive(7)).unwrap();
    said.push(Property::AssignedClientIdentifier("gift")).unwrap();
    let properties = said.as_properties();
    pair.receive(Packet::Connack(Connack { session_present: false, code: 0, properties }));
    pair.events();
    pair.answer(None);
    assert_eq!(pair.due(), Some(7));
    let Some(Event::Connected(connected)) = pair.engine.poll_event() else { panic!("connected") };
    assert_eq!(&*connected.client_id, "gift");
    assert_eq!(connected.properties().authentication_data(), Some(&b"proof"[..]));
}

#[test]
fn credentials_are_those_of_one_connect() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| {
            settings.user_name = Some("fixed".into());
            settings.password = Some(Bytes::from_static(b"secret"));
        });
        let credentials = Credentials {
            user_name: Some("asked".into()),
            password: Some(Bytes::from_static(b"token-1")),
        };
        let identity = Identity { credentials: Some(credentials), ..Identity::default() };
        assert!(!format!("{identity:?}").contains("token-1"));
        pair.engine.identify(identity);
        pair.connect(false);
        let bytes = pair.sent_bytes();
        assert!(bytes.ends_with(b"\x00\x05asked\x00\x07token-1"), "{bytes:02x?}");
        pair.lose();
        pair.connect(false);
        assert!(pair.sent_bytes().ends_with(b"\x00\x05fixed\x00\x06secret"));
        pair.lose();
        let none = Identity { credentials: Some(Credentials::default()), ..Identity::default() };
        pair.engine.identify(none);
        pair.connect(false);
        assert!(pair.sent_bytes().ends_with(b"\x00\x02me"));
    }
}

#[test]
fn credentials_that_no_connect_can_hold_are_refused() {
    let alone = |user_name: Option<&str>| Identity {
        credentials: Some(Credentials {
            user_name: user_name.map(str::to_owned),
            password: Some(Bytes::from_static(b"secret")),
        }),
        ..Identity::default()
    };
    let refused = |version, identity: Identity| {
        let mut pair = Pair::new(version);
        pair.engine.identify(identity);
        let error = pair.engine.connect(false, pair.now).map_err(|error| error.code());
        (error.err(), pair.sent().len())
    };
    let invalid = (Some(Code::InvalidOption), 0);
    assert_eq!(refused(Version::V311, alone(None)), invalid, "[MQTT-3.1.2-22]");
    assert_eq!(refused(Version::V5, alone(None)), (None, 1));
    assert_eq!(refused(Version::V5, alone(Some("\0"))), invalid);
}

#[test]
fn asked_data_takes_the_place_of_fixed_data() {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.properties = step("fixed");
        assert!(
            settings.properties.as_properties().contains(PropertyIdentifier::AuthenticationData)
        );
    });
    let authentication_data = Some(Bytes::from_static(b"asked"));
    pair.engine.identify(Identity { authentication_data, ..Identity::default() });
    pair.connect(false);
    let bytes = pair.sent_bytes();
    let holds = |text: &[u8]| bytes.windows(5).any(|window| window == text);
    assert!(holds(b"asked") && !holds(b"fixed"));
}

/// A CONNACK that announces this maximum packet size.
fn narrow(size: u32) -> PropertyBlock {
    properties(&[Property::AuthenticationMethod("M"), Property::MaximumPacketSize(size)])
}

#[test]
fn no_packet_of_an_exchange_is_larger_than_the_broker_takes() {
    let mut pair = connecting();
    pair.receive(connack_with(&narrow(20)));
    pair.answer(None);
    pair.engine.reauthenticate().unwrap();
    // Seven bytes before the data, four of the method and two of header and reason.
    let error = pair.engine.authenticate(Some(&[b'x'; 11]), pair.now).unwrap_err();
    assert_eq!(error.code(), Code::PayloadTooLarge);
    assert_eq!(pair.sent(), [""; 0]);
    // It stays unanswered, and another answer is taken.
    pair.answer(Some("short"));
    assert_eq!(pair.sent(), [auth_line("0x19", "short")]);
}

#[test]
fn a_farewell_while_the_program_verifies_is_no_larger_than_the_broker_takes() {
    let mut pair = connecting();
    pair.receive(connack_with(&narrow(20)));
    let said = properties(&[Property::ReasonString("longer than twenty bytes")]);
    pair.engine.disconnect(ReasonCode::Success, said.as_properties());
    assert_eq!(pair.sent(), ["DISCONNECT"]);
}

#[test]
fn an_auth_before_connack_must_not_say_what_nobody_asked_for() {
    let mut pair = Pair::with(Version::V5, |settings| {
        let method = Property::AuthenticationMethod("M");
        settings.properties = properties(&[method, Property::RequestProblemInformation(0)]);
    });
    pair.connect(false);
    pair.sent();
    let mut said = step("one");
    said.push(Property::ReasonString("why")).unwrap();
    ends(
        pair,
        auth(ReasonCode::ContinueAuthentication, &said),
        Code::ProtocolError,
        &["DISCONNECT 0x82"],
        "MQTT-3.1.2-29",
    );
}
