//! Packets, events and ends as one line each, so that a failed assertion shows both traces.
//!
//! ```text
//! PUBLISH dup q1 #7 retain a/b=payload [properties]      SUBSCRIBE #2 a/b:1 c/#:0+NoLocal
//! PUBREL #7      PUBACK #7 0x97      PINGREQ      DISCONNECT 0x82
//! ```

use mqttsession::{
    engine::{Event, Outcome},
    error::Error,
    protocol::{
        Ack, Cut, Packet, Properties, Publish, QoS, ReasonCode, RetainHandling, Sender,
        SubscriptionOptions, Version, cut,
    },
};

/// Every packet in these bytes, which a client sent.
pub(crate) fn lines(bytes: &[u8], version: Version) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) else {
            panic!("no whole packet after {lines:?}: {rest:02x?}");
        };
        let packet = Packet::decode_from(Sender::Client, frame, version)
            .unwrap_or_else(|violation| panic!("after {lines:?} the client sent {violation}"));
        // The bit that only 3.1 has for these three; a PUBLISH shows its own.
        let again = frame.first & 8 != 0 && !matches!(packet, Packet::Publish(_));
        lines.push(line(&packet, again));
        rest = &rest[length..];
    }
    lines
}

fn line(packet: &Packet<'_>, again: bool) -> String {
    let name = packet.packet_type().name();
    let again = if again { " dup" } else { "" };
    let rest = match packet {
        Packet::Connect(connect) => {
            let clean = if connect.clean_start { " clean" } else { "" };
            let will = connect.will.map_or(String::new(), |will| format!(" will={}", will.topic));
            let user = connect.user_name.map_or(String::new(), |name| format!(" user={name}"));
            let properties = properties(connect.properties);
            format!(
                " {}{clean} keep-alive={}{will}{user}{properties}",
                connect.client_id, connect.keep_alive
            )
        }
        Packet::Publish(message) => publish(message),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            acknowledgement(ack)
        }
        Packet::Subscribe(subscribe) => {
            let filters: String = subscribe
                .filters
                .iter()
                .map(|(filter, asked)| format!(" {filter}:{}", options(asked)))
                .collect();
            format!(" #{}{filters}{}", subscribe.packet_id, properties(subscribe.properties))
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters: Vec<_> = unsubscribe.filters.iter().collect();
            let properties = properties(unsubscribe.properties);
            format!(" #{} {}{properties}", unsubscribe.packet_id, filters.join(" "))
        }
        Packet::Disconnect(disconnect) => {
            format!("{}{}", reason(disconnect.reason), properties(disconnect.properties))
        }
        Packet::Auth(auth) => {
            let data = auth
                .properties
                .authentication_data()
                .map_or(String::new(), |data| format!(" data={}", String::from_utf8_lossy(data)));
            format!("{}{}{data}", reason(auth.reason), properties(auth.properties))
        }
        _ => String::new(),
    };
    format!("{name}{again}{rest}")
}

fn publish(message: &Publish<'_>) -> String {
    let duplicate = if message.duplicate { " dup" } else { "" };
    let id = message.packet_id.map_or(String::new(), |id| format!(" #{id}"));
    let retain = if message.retain { " retain" } else { "" };
    let payload = match message.payload.len() {
        0..100 => String::from_utf8_lossy(message.payload).into_owned(),
        length => format!("<{length}>"),
    };
    let (qos, topic) = (message.qos as u8, message.topic);
    format!("{duplicate} q{qos}{id}{retain} {topic}={payload}{}", properties(message.properties))
}

fn acknowledgement(ack: &Ack<'_>) -> String {
    format!(" #{}{}{}", ack.packet_id, reason(ack.reason), properties(ack.properties))
}

fn reason(reason: ReasonCode) -> String {
    match reason {
        ReasonCode::Success => String::new(),
        other => format!(" {:#04x}", other.as_u8()),
    }
}

fn options(asked: SubscriptionOptions) -> String {
    let mut text = format!("{}", asked.qos as u8);
    text += if asked.no_local { "+NoLocal" } else { "" };
    text += if asked.retain_as_published { "+RetainAsPublished" } else { "" };
    text += match asked.retain_handling {
        RetainHandling::Send => "",
        RetainHandling::SendIfNew => "+SendIfNew",
        RetainHandling::DoNotSend => "+DoNotSend",
    };
    text
}

fn properties(of: Properties<'_>) -> String {
    if of.is_empty() { String::new() } else { format!(" {of:?}") }
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Connected(connected) if connected.session_present => "connected, resumed".into(),
        Event::Connected(_) => "connected".into(),
        Event::Subscribed(ticket, results) => {
            let results: Vec<_> = results
                .iter()
                .map(|result| match result {
                    Ok(granted) => format!("q{}", granted.qos as u8),
                    Err(refusal) => error(refusal),
                })
                .collect();
            format!("subscribed {ticket}: {}", results.join(", "))
        }
        Event::SubscriptionRefused(filter, refusal) => {
            format!("renewal of {filter}: {}", error(refusal))
        }
        Event::Unsubscribed(ticket, results) => {
            let results: Vec<_> = results
                .iter()
                .map(|result| match result {
                    Ok(done) => format!("ok{}", reason(done.reason)),
                    Err(refusal) => error(refusal),
                })
                .collect();
            format!("unsubscribed {ticket}: {}", results.join(", "))
        }
        Event::Flushed(ticket) => format!("flushed {ticket}"),
        Event::Challenge(step, data) => {
            let data = data
                .as_ref()
                .map_or(String::new(), |data| format!(" {}", String::from_utf8_lossy(data)));
            format!("challenge {step:?}{data}")
        }
        Event::Reauthenticated => "reauthenticated".into(),
        Event::SetAside(what) => {
            let number = what.number.map_or(String::new(), |number| format!("{number}: "));
            let topic = what.topic.as_deref().unwrap_or("?");
            format!("set aside {number}{topic} of {} bytes: {}", what.size, error(&what.error))
        }
        Event::AcknowledgementHeld(count) => format!("held back {count}"),
        Event::Stored(ticket, Ok(())) => format!("stored {ticket}"),
        Event::Stored(ticket, Err(failure)) => format!("stored {ticket}: {}", error(failure)),
        Event::SessionLost(loss) => format!(
            "session lost: {} renewed, {} unknown, {} forgotten",
            loss.renewed, loss.unknown, loss.forgotten
        ),
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> String {
    outcome.as_ref().map_or_else(error, |delivered| format!("ok{}", reason(delivered.reason)))
}

pub(crate) fn error(error: &Error) -> String {
    let reason = error.reason_code().map_or(String::new(), |code| format!(" {code:#04x}"));
    format!("{}{reason}", error.code().name())
}

pub(crate) fn qos(number: u8) -> QoS {
    QoS::from_u8(number).expect("0, 1 or 2")
}
