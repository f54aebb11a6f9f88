//! The brokers' own faults: what each does wrong, and what is done about it.
//!
//! A fault belongs to the releases in the file `versions`. Each is an expectation: a row in which it
//! no longer shows fails until the fault is taken off the list.

use mqttsession_tests::matrix::Fault;

/// The rows that cannot hold without QoS 2.
const ROWS_OF_QOS_2: &[&str] = &[
    "QoS 2 there and back",
    "QoS 2, PUBREC lost",
    "QoS 2, PUBCOMP lost",
    "QoS 2 exactly once, publisher cut",
    "QoS 2 exactly once, subscriber cut",
    "the same, cut again at once",
];

/// In the order of their numbers; a number is not used again.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        number: 1,
        broker: "mosquitto",
        versions: &["5.0"],
        rows: &["taken over by the same client id"],
        sometimes: &[],
        shows: &["the connection ended without a word"],
        wrong: "It closes the connection of a session that is taken over without the DISCONNECT with \
                reason 0x8E that [MQTT-3.1.4-3] demands.",
        answer: "The session cannot tell this from a lost connection and reconnects, after pauses that \
                 grow as long as connections do not last, so that two sessions of one client id do not \
                 hammer the broker. Where it is said, the session stops with SESSION_TAKEN_OVER.",
    },
    Fault {
        number: 2,
        broker: "mosquitto",
        versions: &["5.0"],
        rows: &["will at the session's end before its delay"],
        sometimes: &[],
        shows: &["a message never came"],
        wrong: "It holds the will back for the whole delay, although the session has ended with the \
                connection and the will is due then (3.1.3.2.2).",
        answer: "Nothing: it is the broker's to send. A program that gives a will delay there gives a \
                 session expiry, too.",
    },
    Fault {
        number: 3,
        broker: "mosquitto",
        versions: &["5.0"],
        rows: &["our receive maximum, QoS 1", "our receive maximum, QoS 2"],
        sometimes: &[],
        shows: &["RECEIVE_MAXIMUM_EXCEEDED"],
        wrong: "Once messages are queued and the first is acknowledged, it has more of them in flight \
                than the session's receive maximum allows [MQTT-3.3.4-9].",
        answer: "The session ends the connection with reason 0x93, as it should, and reconnects. By \
                 default it allows 65,535, which is not reached: leave it so there, or take MQTT 3.1.1, \
                 which has no such limit.",
    },
    Fault {
        number: 4,
        broker: "mosquitto",
        versions: &["3.1", "3.1.1", "5.0"],
        rows: &[],
        sometimes: &["the same, cut again at once"],
        shows: &["came more than once"],
        wrong: "A connection that ends before every PUBREL has been repeated makes it send the PUBLISH \
                again on the next one, with an id that has been completed [MQTT-4.3.3-6].",
        answer: "Nothing can tell such a message from a new one: between PUBREL and PUBCOMP the id is \
                 free again. Where each cut leaves time for the repetitions, exactly once holds.",
    },
    Fault {
        number: 5,
        broker: "embedded",
        versions: &["3.1.1"],
        rows: &["QoS 2, PUBCOMP lost"],
        sometimes: &["QoS 2 exactly once, publisher cut"],
        shows: &["publish: TIMEOUT", "were confirmed"],
        wrong: "It answers a PUBREL that it has answered before with a PUBCOMP of MQTT 5.0, two bytes too \
                long for 3.1.1.",
        answer: "The session reports a malformed packet and reconnects with growing pauses; the message \
                 stays unconfirmed. Use 5.0 there, where it is right.",
    },
    Fault {
        number: 6,
        broker: "ejabberd",
        versions: &["3.1.1"],
        rows: &["$share"],
        sometimes: &[],
        shows: &["subscribe: TIMEOUT"],
        wrong: "It does not answer a SUBSCRIBE with a shared filter [MQTT-3.8.4-1].",
        answer: "The subscribe can be waited for with a timeout; the connection and its other \
                 subscriptions go on. Under 5.0 the broker says that it has none, and the session \
                 refuses the call before anything is sent.",
    },
    Fault {
        number: 7,
        broker: "ejabberd",
        versions: &["5.0"],
        rows: &["our maximum packet size"],
        sometimes: &[],
        shows: &["PACKET_TOO_LARGE"],
        wrong: "It sends messages that are larger than the maximum packet size that the session has \
                announced [MQTT-3.1.2-24].",
        answer: "The session takes no memory for it, ends the connection with reason 0x95, reports \
                 PACKET_TOO_LARGE and reconnects. There, only announce a limit that no message exceeds.",
    },
    Fault {
        number: 8,
        broker: "rabbitmq",
        versions: &["3.1", "3.1.1"],
        rows: ROWS_OF_QOS_2,
        sometimes: &[],
        shows: &["SET_ASIDE", "were confirmed"],
        wrong: "It answers a PUBLISH of QoS 2 with PUBACK instead of PUBREC [MQTT-3.3.4-1].",
        answer: "The session reports PROTOCOL_ERROR and reconnects; when it has sent the message alone \
                 and the answer is the same, the message ends as SET_ASIDE, because what PUBACK says of \
                 QoS 2 nobody can know, and its neighbours go on. Publish with QoS 1 there.",
    },
    Fault {
        number: 9,
        broker: "nats",
        versions: &["3.1.1"],
        rows: ROWS_OF_QOS_2,
        sometimes: &[],
        shows: &["SET_ASIDE", "were confirmed"],
        wrong: "It closes the connection at a PUBLISH of QoS 2, which it does not know.",
        answer: "The session reconnects; when it has sent the message alone and the broker has closed \
                 the connection again, the message ends as SET_ASIDE, and its neighbours go on. Publish \
                 with QoS 1 there.",
    },
    Fault {
        number: 10,
        broker: "amqtt",
        versions: &["3.1.1"],
        rows: &["taken over by the same client id"],
        sometimes: &[],
        shows: &["the session was never lost"],
        wrong: "It keeps the first connection when a second one comes with the same client id \
                [MQTT-3.1.4-2].",
        answer: "Nothing: which of the two it then serves is the broker's choice. Client ids have to be \
                 unique all the more.",
    },
    Fault {
        number: 11,
        broker: "amqtt",
        versions: &["3.1.1"],
        rows: &["several filters, lower QoS granted"],
        sometimes: &[],
        shows: &["QoS 2) came"],
        wrong: "It sends a message that was published with QoS 1 with the higher QoS that the \
                subscription was granted [MQTT-3.8.4-6].",
        answer: "The session takes part in the higher QoS; the message comes once.",
    },
    Fault {
        number: 12,
        broker: "amqtt",
        versions: &["3.1.1"],
        rows: &["QoS 2, PUBCOMP lost"],
        sometimes: &["QoS 2 exactly once, publisher cut"],
        shows: &["publish: TIMEOUT", "were confirmed"],
        wrong: "On a resumed session it does not answer a PUBREL [MQTT-4.3.3-2].",
        answer: "The session keeps the message and asks again on each connection; the place in the \
                 window stays taken.",
    },
    Fault {
        number: 13,
        broker: "amqtt",
        versions: &["3.1.1"],
        rows: &[],
        sometimes: &["QoS 2 exactly once, subscriber cut", "the same, cut again at once"],
        shows: &["a message never came", "came more than once", "not every cut was made"],
        wrong: "On a resumed session it does not send again what had not been confirmed [MQTT-4.4.0-1].",
        answer: "Nothing: what the broker has forgotten nobody can ask for.",
    },
    Fault {
        number: 14,
        broker: "aedes",
        versions: &["3.1.1"],
        rows: &["QoS 2, PUBREC lost", "QoS 2, PUBCOMP lost"],
        sometimes: &["QoS 2 exactly once, publisher cut"],
        shows: &["SESSION_LOST", "came and should not have"],
        wrong: "It says that there is no session when the session has no subscriptions, although it \
                has kept its messages [MQTT-3.2.2-2].",
        answer: "The session believes it: what was half confirmed ends as SESSION_LOST, the rest is \
                 published anew and may arrive twice. An option ends all of it as SESSION_LOST instead; \
                 a session that has subscribed to anything is not concerned.",
    },
    Fault {
        number: 15,
        broker: "aedes",
        versions: &["3.1"],
        rows: &["QoS 2, PUBCOMP lost"],
        sometimes: &["QoS 2 exactly once, publisher cut"],
        shows: &["publish: TIMEOUT", "were confirmed"],
        wrong: "It closes the connection at a PUBREL that it has answered before, instead of \
                answering it again.",
        answer: "The session reconnects with growing pauses; the message stays unconfirmed.",
    },
    Fault {
        number: 16,
        broker: "aedes",
        versions: &["3.1", "3.1.1"],
        rows: &[],
        sometimes: &["QoS 2 exactly once, subscriber cut", "the same, cut again at once"],
        shows: &[
            "came more than once",
            "a message never came",
            "not every cut was made",
            "fence: ",
        ],
        wrong: "On a resumed session it sends messages whose PUBREL it has sent again as new, without \
                DUP [MQTT-4.3.3-1], out of order, and closes the connection when they are answered.",
        answer: "Nothing can tell such a message from a new one once its PUBREL has been answered; it \
                 may come twice. The session reconnects with growing pauses.",
    },
    Fault {
        number: 17,
        broker: "mosquitto",
        versions: &["5.0"],
        rows: &[],
        sometimes: &["refused, QoS 2"],
        shows: &["never came"],
        wrong: "After a PUBREC that refuses a message it may leave what is queued behind it unsent, \
                although nothing is in flight any more and the PUBREC has given its place back (4.9).",
        answer: "Nothing: it is the broker's to send, and it does on the next connection. Refuse \
                 messages of QoS 1 there; PUBACK has no such consequence.",
    },
    Fault {
        number: 18,
        broker: "ejabberd",
        versions: &["5.0"],
        rows: &["unsubscribe several at once"],
        sometimes: &[],
        shows: &["Success, not NoSubscriptionExisted"],
        wrong: "Its UNSUBACK says 0x00, the subscription is deleted, of a filter that was not \
                subscribed, in place of 0x11 (3.11.3).",
        answer: "The result of the call is what the broker said.",
    },
];
