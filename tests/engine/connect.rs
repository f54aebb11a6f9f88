//! CONNECT and its answer.

use std::time::Instant;

use bytes::Bytes;
use mqttsession::{
    engine::{Engine, Event, Settings, Will},
    error::Code,
    protocol::{Property, QoS, Version},
};

use crate::{
    packets::{connack, connack_with, properties, refusal},
    pair::{Pair, VERSIONS, persist},
};

#[test]
fn the_defaults_ask_for_keep_alive_60_a_clean_session_and_nothing_else() {
    let expected: [&[u8]; 3] = [
        b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02me",
        b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me",
        b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02me",
    ];
    for (version, expected) in VERSIONS.into_iter().zip(expected) {
        let mut pair = Pair::new(version);
        pair.connect(false);
        assert_eq!(pair.sent_bytes(), expected, "{version:?}");
        assert!(pair.engine.is_connecting());
        pair.receive(connack(false));
        assert!(pair.engine.is_online());
        assert_eq!(pair.events(), ["connected"]);
        assert_eq!(pair.sent(), [""; 0]);
    }
}

#[test]
fn every_setting_has_its_field() {
    for version in VERSIONS {
        let mut pair = Pair::with(version, |settings| {
            settings.clean_session = false;
            settings.keep_alive = 7;
            settings.user_name = Some("user".into());
            settings.password = Some(Bytes::from_static(b"secret"));
            let will = Will { topic: "last".into(), qos: QoS::AtLeastOnce, ..Will::default() };
            settings.will = Some(will);
        });
        pair.connect(false);
        assert_eq!(pair.sent(), ["CONNECT me keep-alive=7 will=last user=user"]);
    }
}

#[test]
fn version_5_announces_what_was_set_and_what_is_below_the_protocols_own_limit() {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.properties = properties(&[Property::UserProperty("k", "v")]);
        settings.receive_maximum = 10;
        settings.maximum_packet_size = 1000;
    });
    pair.connect(false);
    let expected = "CONNECT me clean keep-alive=60 [UserProperty(\"k\", \"v\"), ReceiveMaximum(10), \
                    MaximumPacketSize(1000)]";
    assert_eq!(pair.sent(), [expected]);
}

#[test]
fn a_second_announcement_of_the_same_limit_is_refused() {
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.properties = properties(&[Property::ReceiveMaximum(5)]);
        settings.receive_maximum = 10;
    });
    let error = pair.engine.connect(false, pair.now).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert_eq!(pair.sent(), [""; 0]);
}

#[test]
fn a_client_id_suits_the_version() {
    let long = "x".repeat(24);
    let cases: [(Version, &str, bool, bool, bool); 8] = [
        // version, client id, clean session, any client id, accepted
        (Version::V31, "", true, false, false),
        (Version::V31, &long, true, false, false),
        (Version::V31, &long, true, true, true),
        (Version::V31, &long[..23], true, false, true),
        (Version::V311, "", true, false, true),
        (Version::V311, "", false, false, false),
        (Version::V311, &long, false, false, true),
        (Version::V5, "", false, false, true),
    ];
    for (version, client_id, clean_session, any, accepted) in cases {
        let settings = Settings { version, clean_session, ..Settings::default() };
        let engine = Engine::new(settings.into(), client_id.into(), any);
        let code = engine.map_err(|error| error.code()).err();
        let expected = (!accepted).then_some(Code::InvalidClientId);
        assert_eq!(code, expected, "{version:?} {clean_session} {any}");
    }
}

#[test]
fn a_password_stands_alone_under_5_0_only() {
    for version in VERSIONS {
        let settings = Settings {
            version,
            password: Some(Bytes::from_static(b"secret")),
            ..Settings::default()
        };
        let engine = Engine::new(settings.into(), "me".into(), false);
        let code = engine.map_err(|error| error.code()).err();
        assert_eq!(code, (!version.is_v5()).then_some(Code::InvalidOption), "{version:?}");
    }
}

#[test]
fn settings_print_no_secret() {
    let settings = Settings {
        user_name: Some("bob".into()),
        password: Some(Bytes::from_static(b"secret")),
        ..Settings::default()
    };
    let text = format!("{settings:?}");
    assert!(!text.contains("bob") && !text.contains("secret"), "{text}");
}

#[test]
fn each_refusal_has_its_error() {
    use Code::*;
    let before_5 = [
        (1, RefusedVersion),
        (2, RefusedClientId),
        (3, ServerUnavailable),
        (4, BadCredentials),
        (5, NotAuthorized),
    ];
    let since_5 = [
        (0x80, ConnectRefused),
        (0x84, RefusedVersion),
        (0x85, RefusedClientId),
        (0x86, BadCredentials),
        (0x87, NotAuthorized),
        (0x88, ServerUnavailable),
        (0x89, ServerUnavailable),
        (0x8a, Banned),
        (0x8c, BadCredentials),
        (0x97, ConnectRefused),
        (0x9c, ServerMoved),
        (0x9d, ServerMoved),
    ];
    for version in VERSIONS {
        let table = if version.is_v5() { &since_5[..] } else { &before_5[..] };
        for &(code, expected) in table {
            let mut pair = Pair::new(version);
            pair.connect(false);
            pair.sent();
            let error = pair.fault(refusal(code));
            assert_eq!((error.code(), error.reason_code()), (expected, Some(code)), "{version:?}");
            assert_eq!(pair.sent(), [""; 0], "nothing answers a refusal");
            assert!(!pair.engine.is_online());
        }
    }
}

#[test]
fn a_broker_without_5_0_refuses_in_its_own_words() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    let error = pair.fault_of(b"\x20\x02\x00\x01");
    assert_eq!(error.code(), Code::RefusedVersion);
}

#[test]
fn a_broker_with_5_0_alone_refuses_in_its_own_words() {
    let refusals: [&[u8]; 2] = [b"\x20\x02\x00\x84", b"\x20\x03\x00\x84\x00"];
    for version in [Version::V31, Version::V311] {
        for refusal in refusals {
            let mut pair = Pair::new(version);
            pair.connect(false);
            let error = pair.fault_of(refusal);
            assert_eq!(error.code(), Code::RefusedVersion);
            assert_eq!(
                error.message(),
                format!("The broker does not speak MQTT {}", version.name())
            );
        }
    }
}

#[test]
fn what_answers_with_anything_else_is_no_mqtt_server() {
    let answers: [&[u8]; 3] =
        [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00\x02"];
    for version in VERSIONS {
        for answer in answers {
            let mut pair = Pair::new(version);
            pair.connect(false);
            pair.sent();
            assert_eq!(pair.fault_of(answer).code(), Code::NotMqtt, "{answer:02x?}");
            assert_eq!(pair.sent(), [""; 0]);
        }
    }
}

#[test]
fn connack_may_come_byte_by_byte_and_once_only() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.connect(false);
        pair.sent();
        let bytes = pair.encoded(connack(false));
        for (index, &byte) in bytes.iter().enumerate() {
            assert!(!pair.engine.is_online(), "before byte {index}");
            pair.input(&[byte]).unwrap();
        }
        assert!(pair.engine.is_online());
        assert_eq!(pair.fault_of(&bytes).code(), Code::ProtocolError);
    }
}

#[test]
fn the_length_of_an_unfinished_packet_is_told_as_soon_as_it_is_known() {
    let mut pair = Pair::online(Version::V311);
    pair.input(b"\x30").unwrap();
    assert_eq!(pair.engine.needed(), 0);
    pair.input(b"\x80").unwrap();
    assert_eq!(pair.engine.needed(), 0);
    pair.input(b"\x08").unwrap();
    assert_eq!(pair.engine.needed(), 3 + 1024);
    pair.lose();
    assert_eq!(pair.engine.needed(), 0);
}

#[test]
fn the_client_id_that_the_broker_assigned_is_used_again() {
    let settings = Settings { version: Version::V5, ..Settings::default() };
    let engine = Engine::new(settings.into(), "".into(), false).unwrap();
    let mut pair = Pair::of(engine, Version::V5, Instant::now());
    pair.connect(false);
    assert_eq!(pair.sent(), ["CONNECT  clean keep-alive=60"]);
    pair.receive(connack_with(&properties(&[Property::AssignedClientIdentifier("gift")])));
    let Some(Event::Connected(connected)) = pair.engine.poll_event() else { panic!("connected") };
    assert_eq!(&*connected.client_id, "gift");
    pair.lose();
    pair.connect(true);
    assert_eq!(pair.sent(), ["CONNECT gift clean keep-alive=60"]);
}

#[test]
fn the_properties_of_connack_are_handed_on() {
    let mut pair = Pair::new(Version::V5);
    pair.connect(false);
    let said = [Property::ResponseInformation("r/"), Property::UserProperty("k", "v")];
    pair.receive(connack_with(&properties(&said)));
    let Some(Event::Connected(connected)) = pair.engine.poll_event() else { panic!("connected") };
    assert!(connected.properties.as_properties().iter().eq(said));
}

#[test]
fn a_clean_start_concerns_the_first_connection_of_a_session_that_is_kept() {
    // Under 5.0 the clean start clears the past and the expiry interval keeps the future.
    let mut pair = Pair::with(Version::V5, |settings| {
        settings.properties = properties(&[Property::SessionExpiryInterval(60)]);
    })
    .connected();
    pair.lose();
    pair.connect(true);
    let resuming = "CONNECT me keep-alive=60 [SessionExpiryInterval(60)]";
    assert_eq!(pair.sent(), [resuming]);
    // A program that connects anew wants a clean start again.
    pair.lose();
    pair.connect(false);
    assert_eq!(pair.sent(), [resuming.replace("me ", "me clean ")]);
    // Before 5.0 the flag also tells what happens afterwards: it stays what it is.
    for version in [Version::V31, Version::V311] {
        let mut pair = Pair::online(version);
        pair.lose();
        pair.connect(true);
        assert_eq!(pair.sent(), ["CONNECT me clean keep-alive=60"]);
        let mut pair = Pair::persistent(version);
        pair.lose();
        pair.connect(true);
        assert_eq!(pair.sent(), ["CONNECT me keep-alive=60"]);
    }
}

#[test]
fn a_session_that_asked_for_persistence_may_find_one() {
    for version in [Version::V311, Version::V5] {
        let mut pair = Pair::with(version, persist);
        pair.connect(false);
        pair.receive(connack(true));
        assert_eq!(pair.events(), ["connected, resumed"]);
    }
}

#[test]
fn a_clean_start_cannot_find_a_session() {
    for keeps in [false, true] {
        let mut pair = Pair::with(Version::V5, |settings| {
            if keeps {
                settings.properties = properties(&[Property::SessionExpiryInterval(60)]);
            }
        });
        pair.connect(false);
        pair.sent();
        // [MQTT-3.2.2-2]
        let error = pair.fault(connack(true));
        assert_eq!(error.code(), Code::ProtocolError, "keeps: {keeps}");
        assert_eq!(pair.sent(), ["DISCONNECT 0x82"]);
    }
    let mut pair = Pair::new(Version::V311);
    pair.connect(false);
    pair.sent();
    assert_eq!(pair.fault(connack(true)).code(), Code::ProtocolError);
    assert_eq!(pair.sent(), [""; 0]);
}

#[test]
fn a_malformed_connack_is_not_taken_for_another_protocol() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.connect(false);
        assert_eq!(pair.fault_of(b"\x20\x01\x00").code(), Code::MalformedPacket, "{version:?}");
    }
}

#[test]
fn a_connection_that_ends_before_connack_leaves_nothing_behind() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        let number = pair.publish(1, "a", "x");
        pair.connect(false);
        pair.sent();
        pair.lose();
        assert!(!pair.engine.is_connecting());
        assert_eq!(pair.engine.poll_timeout(), None);
        pair.connect(false);
        pair.sent();
        pair.receive(connack(false));
        assert_eq!(pair.sent(), ["PUBLISH q1 #1 a=x"]);
        assert_eq!(pair.outcome(number), None);
    }
}
