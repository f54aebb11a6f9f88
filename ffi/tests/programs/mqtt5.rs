//! The C programs of what MQTT 5.0 adds, with the brokers that they need.

use super::run::{Under, real, script, under_each};

/// Runs a program of tests/c against a broker that plays this script.
fn against(under: Under, text: &str, name: &str, words: &[&str]) {
    script(text, |address| under.run(name, &[&[address], words].concat()));
}

/// One that says all that it can when it accepts, to a session that says all that it can.
const TALKATIVE: &str = r#"
    accept
    expect CONNECT level=5 session-expiry-interval=60 receive-maximum=20 maximum-packet-size=5000 \
        topic-alias-maximum=5 request-response-information=1 request-problem-information=0 \
        user-property="who:me" will-topic=gone will-payload=bye will-qos=1 will-retain=1 \
        will:will-delay-interval=7 will:payload-format-indicator=1 \
        will:message-expiry-interval=8 will:content-type="text/plain" \
        will:response-topic=condolences will:correlation-data=42 \
        will:user-property="cause:unknown"
    send CONNACK 1 0 receive-maximum=10 maximum-qos=1 retain-available=0 \
        maximum-packet-size=1000 topic-alias-maximum=3 wildcard-subscription-available=0 \
        shared-subscription-available=0 server-keep-alive=30 \
        assigned-client-identifier=assigned response-information="answers/" \
        reason-string=welcome user-property="hello:you"
    expect DISCONNECT
    expect closed"#;

/// One that explains each of its answers.
pub(crate) const EXPLAINING: &str = r#"
    accept
    expect CONNECT level=5
    send CONNACK 0 0
    expect PUBLISH topic=demo/out qos=1 content-type="text/plain" user-property="from:here"
    send PUBACK $id 0x10 reason-string="nobody listens" user-property="colour:blue"
    expect PUBLISH topic=demo/out qos=1
    send PUBACK $id 0x97 reason-string="too much" user-property="colour:red"
    expect SUBSCRIBE a
    send SUBACK $id 0 0x87 0 reason-string="not b" user-property="colour:green"
    expect UNSUBSCRIBE a user-property="why:enough"
    send UNSUBACK $id 0 0x11 0x87
    expect UNSUBSCRIBE a user-property="why:enough"
    send UNSUBACK $id 0x11 0x11 reason-string="gone already" user-property="colour:grey"
    expect DISCONNECT
    expect closed"#;

/// One that looks at the choices of subscriptions, and has topic aliases.
const CHOOSY: &str = r#"
    accept
    expect CONNECT level=5
    send CONNACK 0 0 topic-alias-maximum=10
    expect SUBSCRIBE "demo/+" 1 no-local=1 retain-as-published=1 retain-handling=2 \
        user-property="for:all"
    send SUBACK $id 1
    expect SUBSCRIBE filter=demo/one filter=demo/two user-property="for:all"
    send SUBACK $id 0 0x80
    expect PUBLISH topic=demo/out topic-alias=1
    expect PUBLISH topic="" topic-alias=1
    expect PUBLISH topic="" topic-alias=1
    expect DISCONNECT
    expect closed"#;

/// One that takes a single message at a time, and does not acknowledge it.
const SLOW: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0 receive-maximum=1\n\
    expect PUBLISH payload=first\nexpect DISCONNECT\nexpect closed";

/// One that asks who it is, and asks again when told to.
pub(crate) const ASKING: &str = r#"
    accept
    expect CONNECT level=5 authentication-method=rot13 authentication-data=hello
    send AUTH 0x18 authentication-method=rot13 authentication-data="who?"
    expect AUTH 0x18 authentication-method=rot13 authentication-data=me
    send CONNACK 0 0 authentication-method=rot13 authentication-data=welcome
    expect AUTH 0x19 authentication-method=rot13 authentication-data="still me"
    send AUTH 0x18 authentication-method=rot13 authentication-data=""
    expect AUTH 0x18 authentication-method=rot13
    send AUTH 0 authentication-method=rot13
    expect DISCONNECT
    expect closed"#;

/// One whose question is not answered.
pub(crate) const UNANSWERED: &str = "accept\nexpect CONNECT authentication-method=rot13\n\
    send AUTH 0x18 authentication-method=rot13 authentication-data=who\nsilence";

/// One that does not know the password: its nonce does not even continue the session's.
const FALSE: &str = "accept\nexpect CONNECT authentication-method=SCRAM-SHA-256\n\
    send AUTH 0x18 authentication-method=SCRAM-SHA-256 \
    authentication-data=\"r=another,s=QSXCR+Q6sek8bf92,i=4096\"\nsilence";

/// One that sees other credentials on each connection.
pub(crate) const IDENTIFIED: &str = "accept\nexpect CONNECT user=me password=first\n\
    send CONNACK 0 0\nclose\n\
    accept\nexpect CONNECT user=me password=second\nsend CONNACK 0 0\nclose";

/// One whose first message is refused by hand, and whose second because its handler failed.
const REFUSED: &str = r#"
    accept
    expect CONNECT
    send CONNACK 0 0
    expect SUBSCRIBE
    send SUBACK $id 1
    send PUBLISH demo/in 1 1 one
    send PUBLISH demo/in 1 2 two
    expect PUBACK 1 0x97 reason-string="no room" user-property="disk:full"
    expect PUBACK 2 0x83
    expect DISCONNECT
    expect closed"#;

/// One that lets a session in at the third attempt.
const RELUCTANT: &str = r#"
    repeat 2 {
        accept
        expect CONNECT
        send CONNACK 0 not-authorized reason-string="come back" user-property="when:later"
        close
    }
    accept
    expect CONNECT
    send CONNACK 0 0
    serve until DISCONNECT
    expect closed"#;

/// One whose connection a message ends twice; the second time it is sent alone, after a ping.
const POISONED: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\n\
    expect PUBLISH payload=poison\nreset\n\
    accept\nexpect CONNECT\nsend CONNACK 1 0\nexpect PINGREQ\nsend PINGRESP\n\
    expect PUBLISH payload=poison dup=1\nreset\n\
    accept\nexpect CONNECT\nsend CONNACK 1 0\nexpect PUBLISH payload=food\nsend PUBACK $id\n\
    expect DISCONNECT\nexpect closed";

/// One that sends a message which is too large and one that is not, and one more once it has their
/// acknowledgements: a program that has that one is free to leave.
const LARGE: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id 1\nsend PUBLISH demo/in 1 1 \
    \"more bytes than the options of this session say that it accepts\"\n\
    send PUBLISH demo/in 1 2 small\nexpect PUBACK 1\nexpect PUBACK 2\n\
    send PUBLISH demo/in 0 0 small\nexpect DISCONNECT\nexpect closed";

/// One that sends its sessions away.
pub(crate) fn moved(to: &str) -> String {
    format!(
        "accept\nexpect CONNECT\nsend CONNACK 0 0x9D server-reference=\"{to}\" \
         user-property=\"why:full\"\nclose"
    )
}

#[test]
fn connect_says_all_and_what_the_broker_answers_can_be_read() {
    under_each(|under| against(under, TALKATIVE, "connection", &[]));
}

#[test]
fn what_the_broker_says_beside_its_answers() {
    under_each(|under| against(under, EXPLAINING, "outcome", &[]));
}

#[test]
fn the_choices_of_a_subscription_and_topic_aliases() {
    under_each(|under| against(under, CHOOSY, "subscribe", &[]));
}

#[test]
fn a_message_expires_while_it_waits() {
    under_each(|under| against(under, SLOW, "expire", &[]));
}

#[test]
fn request_and_response() {
    under_each(|under| {
        real(|port| under.run("request", &[&format!("mqtt://127.0.0.1:{port}")]));
    });
}

#[test]
fn authentication() {
    under_each(|under| {
        against(under, ASKING, "authenticate", &["exchange"]);
        against(under, UNANSWERED, "authenticate", &["give_up"]);
        against(under, UNANSWERED, "authenticate", &["free"]);
        against(under, FALSE, "authenticate", &["scram"]);
        against(under, IDENTIFIED, "authenticate", &["credentials"]);
    });
}

#[test]
fn messages_are_refused() {
    under_each(|under| against(under, REFUSED, "refuse_message", &["refuse"]));
}

#[test]
fn an_acknowledgement_that_does_not_come_is_reported() {
    under_each(|under| against(under, REFUSED, "refuse_message", &["held"]));
}

#[test]
fn messages_are_set_aside() {
    under_each(|under| {
        against(under, LARGE, "set_aside", &["incoming"]);
        against(under, POISONED, "set_aside", &["outgoing"]);
    });
}

#[test]
fn reconnecting_by_the_table_and_by_redirection() {
    under_each(|under| {
        against(under, RELUCTANT, "reconnect", &["retry"]);
        let nowhere = "127.0.0.1:1";
        against(under, &moved(nowhere), "reconnect", &["stay", nowhere]);
        script(crate::SERVE, |elsewhere| {
            let to = elsewhere.trim_start_matches("mqtt://");
            against(under, &moved(to), "reconnect", &["follow", to]);
        });
    });
}
