//! Options that cannot be.

use std::time::Duration;

use mqttsession::{
    client::{Options, Session, set_callback_threads, set_io_threads},
    error::{Code, Result},
    protocol::{Property, QoS, Version},
};

use super::assert_told;

/// What is called, its code and its sentence.
type Setting = (fn(&mut Options) -> Result<&mut Options>, Code, &'static str);

const SETTINGS: &[Setting] = &[
    (
        |options| options.set_address(""),
        Code::InvalidAddress,
        "The address has no host; write a name or an IP address",
    ),
    (
        |options| options.set_address("http://broker"),
        Code::InvalidAddress,
        "The address has the unknown scheme http://; known are mqtt://, mqtts://, tcp://, ssl://",
    ),
    (
        |options| options.set_address("://broker"),
        Code::InvalidAddress,
        "The address has no scheme before ://; known are mqtt://, mqtts://, tcp://, ssl://",
    ),
    (
        |options| options.set_address("mqtt://ada:secret@broker"),
        Code::InvalidAddress,
        "The address must not hold a user name or password; give them as options",
    ),
    (
        |options| options.set_address("mqtt://broker/path"),
        Code::InvalidAddress,
        "The address must end after host and port; leave the path out",
    ),
    (
        |options| options.set_address("broker:0"),
        Code::InvalidAddress,
        "The port must be a number from 1 to 65535",
    ),
    (
        |options| options.set_address("::1:2:3::4"),
        Code::InvalidAddress,
        "The address has several colons; write IPv6 as [::1]:1883",
    ),
    (
        |options| options.set_address("[::1"),
        Code::InvalidAddress,
        "The address opens a bracket and does not close it; write [::1]:1883",
    ),
    (
        |options| options.set_address("[broker]"),
        Code::InvalidAddress,
        "The address has no IPv6 address in its brackets",
    ),
    (
        |options| options.set_host("my broker"),
        Code::InvalidAddress,
        "The host cannot hold the character ' '",
    ),
    (
        |options| options.set_host("bücher.example"),
        Code::InvalidAddress,
        "The host has characters outside ASCII; write an international name in its xn-- form",
    ),
    (
        |options| options.set_port(0),
        Code::InvalidAddress,
        "The port must be a number from 1 to 65535",
    ),
    (
        |options| options.set_client_id("a\0b"),
        Code::InvalidUtf8,
        "The client id must have at most 65,535 bytes and no U+0000",
    ),
    (
        |options| options.set_user_name(Some(&"x".repeat(65_536))),
        Code::InvalidUtf8,
        "The user name must have at most 65,535 bytes and no U+0000",
    ),
    (
        |options| options.set_password(Some(&[0; 65_536])),
        Code::InvalidOption,
        "A password has at most 65,535 bytes",
    ),
    (
        |options| options.set_keep_alive(Duration::from_secs(65_536)),
        Code::InvalidOption,
        "A keep-alive has at most 65,535 seconds",
    ),
    (
        |options| options.set_connect_timeout(Duration::ZERO),
        Code::InvalidOption,
        "The connect timeout must not be zero",
    ),
    (
        |options| options.set_will("", b"gone", QoS::AtMostOnce, false),
        Code::InvalidTopic,
        "The topic of the will cannot be used: it is empty",
    ),
    (
        |options| options.set_will("a/#", b"gone", QoS::AtMostOnce, false),
        Code::InvalidTopic,
        "The topic of the will cannot be used: it holds a wildcard, which only a filter may",
    ),
    (
        |options| options.set_will("a", &[0; 65_536], QoS::AtMostOnce, false),
        Code::PayloadTooLarge,
        "The payload of a will has at most 65,535 bytes",
    ),
    (
        |options| options.add_will_property(Property::TopicAlias(1)),
        Code::InvalidOption,
        "The property Topic Alias cannot be added to the will: it has no place there",
    ),
    (
        |options| options.add_will_property(Property::PayloadFormatIndicator(2)),
        Code::InvalidOption,
        "The property Payload Format Indicator cannot be added to the will: it would be a CONNECT \
         whose property Payload Format Indicator is neither 0 nor 1",
    ),
    (
        |options| options.add_connect_property(Property::ContentType("text")),
        Code::InvalidOption,
        "The property Content Type cannot be added to CONNECT: it has no place there",
    ),
    (
        |options| {
            options.add_connect_property(Property::SessionExpiryInterval(1))?;
            options.add_connect_property(Property::SessionExpiryInterval(2))
        },
        Code::InvalidOption,
        "The property Session Expiry Interval cannot be added to CONNECT: it would be a CONNECT \
         with the property Session Expiry Interval twice",
    ),
    (
        |options| options.add_connect_property(Property::UserProperty("a\0", "b")),
        Code::InvalidOption,
        "The property User Property cannot be added to CONNECT: it would be a CONNECT with U+0000 \
         in a text [MQTT-1.5.4-2]",
    ),
    (
        |options| options.set_maximum_packet_size(0),
        Code::InvalidOption,
        "The maximum packet size must not be zero",
    ),
    (
        |options| options.set_receive_maximum(0),
        Code::InvalidOption,
        "The receive maximum must not be zero",
    ),
    (
        |options| options.add_connect_property(Property::ReceiveMaximum(0)),
        Code::InvalidOption,
        "The receive maximum must not be zero",
    ),
    (
        |options| options.set_in_flight_limit(0),
        Code::InvalidOption,
        "The in-flight limit must not be zero",
    ),
    (
        |options| options.set_outgoing_limit(0, 1),
        Code::InvalidOption,
        "Both limits of a queue, in messages and in bytes, must be above zero",
    ),
    (
        |options| options.set_incoming_limit(1, 0),
        Code::InvalidOption,
        "Both limits of a queue, in messages and in bytes, must be above zero",
    ),
    (
        |options| options.set_reconnect_delay(Duration::from_secs(2), Duration::from_secs(1)),
        Code::InvalidOption,
        "The first reconnect delay must be above zero and at most the longest",
    ),
];

#[test]
fn an_option_is_checked_when_it_is_set() {
    for &(set, code, sentence) in SETTINGS {
        assert_told(sentence, set(&mut Options::new()).map(drop), code, sentence);
    }
}

/// Options that only together cannot be, the code and the sentence.
type Contradiction = (fn(&mut Options), Code, &'static str);

const CONTRADICTIONS: &[Contradiction] = &[
    (
        |options| {
            options.set_version(Version::V31).set_client_id(&"x".repeat(24)).unwrap();
        },
        Code::InvalidClientId,
        "Under MQTT 3.1 a client id has 1 to 23 characters (an option tries longer ones)",
    ),
    (
        |options| {
            options.set_clean_session(false);
        },
        Code::InvalidClientId,
        "Under MQTT 3.1.1 a session that is to be kept needs a client id",
    ),
    (
        |options| {
            options.set_password(Some(b"secret")).unwrap();
        },
        Code::InvalidOption,
        "Before MQTT 5.0 a password needs a user name; set one",
    ),
    (
        |options| {
            options.set_version(Version::V5);
            options.add_will_property(Property::WillDelayInterval(1)).unwrap();
        },
        Code::InvalidOption,
        "The will has properties and no topic; set the will, too",
    ),
];

#[test]
fn options_that_contradict_each_other_make_no_session() {
    for &(set, code, sentence) in CONTRADICTIONS {
        let mut options = Options::new();
        set(&mut options);
        assert_told(sentence, Session::new(&options).map(drop), code, sentence);
    }
}

#[test]
fn the_process_has_threads() {
    for threads in [0, 65] {
        let sentence = "The number of I/O threads is 1 to 64";
        assert_told(sentence, set_io_threads(threads), Code::InvalidArgument, sentence);
    }
    let sentence = "There must be at least one callback thread";
    assert_told(sentence, set_callback_threads(0), Code::InvalidArgument, sentence);
}
