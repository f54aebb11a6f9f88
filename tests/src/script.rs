//! The language of the scripted broker: one step a line.
//!
//! ```text
//! accept                                   wait for the next connection
//! expect CONNECT client-id=me clean=1      the next packet, with these fields
//! expect SUBSCRIBE filter=a/b qos=1        fields have the names that traces print
//! expect PUBACK 7                          or stand in a packet's order, * for any value
//! expect closed                            the end of the connection
//! send CONNACK 0 0                         session present and reason, then properties
//! send CONNACK 0 not-authorized            a reason by name, in the number of the session's version
//! send PUBLISH a/b 1 7 "two words" retain  topic, QoS, packet id, payload, flags, properties
//! send SUBACK $id 1                        packet id and reasons
//! send raw 20 02 00 00                     bytes
//! send text "HTTP/1.1 400 Bad Request\r\n"
//! repeat 100 {                             $n counts from 1
//!     send PUBLISH a/b 1 $n "message $n"
//! }
//! serve until DISCONNECT                   answer everything, up to and with such a packet
//! silence                                  read on, answer nothing, until the session closes
//! stall                                    not even read, until the session closes
//! close                                    end the connection and wait for the session's end
//! reset                                    end it the hard way, at once
//! ```
//!
//! `$id`, `$topic`, `$qos` and `$payload` are those of the last packet expected that had one. A
//! `#` begins a comment.

use crate::{
    property,
    word::{byte, quote, split},
};

/// A script that can be played.
#[derive(Debug)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
}

/// One step and the line that it stands on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) action: Action,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Accept,
    Expect(Expectation),
    ExpectClosed,
    Send(Packet),
    SendBytes(Vec<u8>),
    Serve { until: Expectation },
    Silence,
    Stall,
    Close,
    Reset,
    Repeat { count: usize, steps: Vec<Step> },
}

/// A packet to wait for: its name and the fields that matter. A value may hold variables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

/// A packet to send. A value may hold variables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) name: &'static str,
    /// As many as [`POSITIONS`] names, further ones only for a SUBACK or UNSUBACK.
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) properties: Vec<(String, Vec<u8>)>,
}

/// Every packet with the fields that may be given without their names, and how many of them have
/// to be there to send it. A packet that only a client sends cannot be sent.
#[rustfmt::skip]
const POSITIONS: [(&str, &[&str], Option<usize>); 15] = [
    ("CONNECT", &["client-id"], None),
    ("CONNACK", &["session-present", "reason"], Some(2)),
    ("PUBLISH", &["topic", "qos", "id", "payload"], Some(4)),
    ("PUBACK", &["id", "reason"], Some(1)),
    ("PUBREC", &["id", "reason"], Some(1)),
    ("PUBREL", &["id", "reason"], Some(1)),
    ("PUBCOMP", &["id", "reason"], Some(1)),
    ("SUBSCRIBE", &["filter", "qos"], None),
    ("SUBACK", &["id", "reason"], Some(2)),
    ("UNSUBSCRIBE", &["filter"], None),
    ("UNSUBACK", &["id", "reason"], Some(1)),
    ("PINGREQ", &[], None),
    ("PINGRESP", &[], Some(0)),
    ("DISCONNECT", &["reason"], Some(0)),
    ("AUTH", &["reason"], Some(0)),
];

impl Packet {
    /// The same packet with other values.
    pub(crate) fn map(&self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let (values, properties) = (self.values.iter(), self.properties.iter());
        Self {
            values: values.map(|value| change(value)).collect(),
            properties: properties.map(|(name, value)| (name.clone(), change(value))).collect(),
            ..*self
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The number of the first bad line, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let steps = block(&mut lines, None)?;
        Ok(Self { steps })
    }
}

/// Reads steps up to the `}` that closes the block which `opened` on some line, or to the end.
fn block<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    opened: Option<usize>,
) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    while let Some((line, text)) = lines.next() {
        let failed = |reason: String| format!("line {line}: {reason}");
        let words = split(text).map_err(failed)?;
        let Some((first, rest)) = words.split_first() else { continue };
        let action = match (name(first), rest) {
            ("}", []) if opened.is_some() => return Ok(steps),
            ("repeat", [count, brace]) if brace == b"{" => {
                let count =
                    name(count).parse().map_err(|_| failed("repeat needs a number".into()))?;
                Action::Repeat { count, steps: block(lines, Some(line))? }
            }
            (verb, rest) => action(verb, rest).map_err(failed)?,
        };
        steps.push(Step { line, action });
    }
    match opened {
        Some(line) => Err(format!("line {line}: this block is not closed")),
        None => Ok(steps),
    }
}

fn action(verb: &str, words: &[Vec<u8>]) -> Result<Action, String> {
    Ok(match (verb, words) {
        ("accept", []) => Action::Accept,
        ("expect", [what]) if what == b"closed" => Action::ExpectClosed,
        ("expect", [packet, fields @ ..]) => Action::Expect(expectation(packet, fields)?),
        ("send", [what, digits @ ..]) if what == b"raw" => Action::SendBytes(bytes(digits)?),
        ("send", [what, text]) if what == b"text" => Action::SendBytes(text.clone()),
        ("send", [packet, values @ ..]) => Action::Send(self::packet(packet, values)?),
        ("serve", [until, packet, fields @ ..]) if until == b"until" => {
            Action::Serve { until: expectation(packet, fields)? }
        }
        ("silence", []) => Action::Silence,
        ("stall", []) => Action::Stall,
        ("close", []) => Action::Close,
        ("reset", []) => Action::Reset,
        _ => return Err(format!("{verb} is no step, or not in this form")),
    })
}

fn expectation(packet: &[u8], words: &[Vec<u8>]) -> Result<Expectation, String> {
    let (name, positions, _) = find(packet)?;
    let mut fields = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let (field, value) = match assignment(word) {
            Some((field, value)) => (field.to_owned(), value.to_vec()),
            None => {
                let field = positions
                    .get(index)
                    .ok_or_else(|| format!("{name} has no field {} without a name", index + 1))?;
                ((*field).to_owned(), word.clone())
            }
        };
        if value != b"*" {
            fields.push((field, value));
        }
    }
    Ok(Expectation { name, fields })
}

fn packet(packet: &[u8], words: &[Vec<u8>]) -> Result<Packet, String> {
    let (name, positions, needed) = find(packet)?;
    let needed = needed.ok_or_else(|| format!("a broker sends no {name}"))?;
    let list = matches!(name, "SUBACK" | "UNSUBACK");
    let (mut values, mut properties) = (Vec::new(), Vec::new());
    let (mut dup, mut retain) = (false, false);
    for word in words {
        match assignment(word) {
            _ if values.len() < needed => values.push(word.clone()),
            Some((property, value)) => properties.push((property.to_owned(), value.to_vec())),
            None if name == "PUBLISH" && word == b"dup" => dup = true,
            None if name == "PUBLISH" && word == b"retain" => retain = true,
            None if values.len() < positions.len() || list => values.push(word.clone()),
            None => return Err(format!("{name} has no place for {}", quote(word))),
        }
    }
    if values.len() < needed {
        return Err(format!("{name} needs {}", positions[..needed].join(", ")));
    }
    Ok(Packet { name, values, dup, retain, properties })
}

/// `name=value`, where the name is one that a field can have.
fn assignment(word: &[u8]) -> Option<(&str, &[u8])> {
    let equals = word.iter().position(|byte| *byte == b'=')?;
    let field = name(&word[..equals]);
    let known = property::TABLE.iter().any(|row| row.1 == field.trim_start_matches("will:"))
        || FIELDS.contains(&field);
    known.then_some((field, &word[equals + 1..]))
}

/// The names of the fields that are no properties.
#[rustfmt::skip]
const FIELDS: [&str; 22] = [
    "level", "client-id", "clean", "keep-alive", "user", "password",
    "will-topic", "will-qos", "will-retain", "will-payload",
    "session-present", "reason", "topic", "qos", "dup", "retain", "id", "payload",
    "filter", "no-local", "retain-as-published", "retain-handling",
];

fn find(packet: &[u8]) -> Result<(&'static str, &'static [&'static str], Option<usize>), String> {
    let row = POSITIONS.iter().find(|row| row.0.as_bytes() == packet);
    row.copied().ok_or_else(|| format!("there is no packet {}", quote(packet)))
}

fn bytes(words: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let byte = |word| byte(name(word)).ok_or_else(|| format!("{} is not two digits", quote(word)));
    words.iter().map(|word| byte(word)).collect()
}

/// A word that has to be a name: anything that is not even text matches none.
fn name(word: &[u8]) -> &str {
    std::str::from_utf8(word).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Action {
        let mut steps = Script::parse(text).unwrap().steps;
        assert_eq!(steps.len(), 1, "{text}");
        steps.remove(0).action
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn expectations_take_fields_by_place_and_by_name() {
        let Action::Expect(expectation) = only("expect PUBLISH a/b=c * $id hi dup=1") else {
            panic!()
        };
        assert_eq!(expectation.name, "PUBLISH");
        let fields = [("topic", "a/b=c"), ("id", "$id"), ("payload", "hi"), ("dup", "1")];
        assert_eq!(expectation.fields, pairs(&fields));
        assert_eq!(only("expect closed"), Action::ExpectClosed);
    }

    #[test]
    fn packets_take_values_flags_and_properties() {
        let Action::Send(packet) =
            only(r#"send PUBLISH a 1 7 "dup retain" dup retain content-type="text/plain""#)
        else {
            panic!()
        };
        assert_eq!(packet.values, [&b"a"[..], b"1", b"7", b"dup retain"]);
        assert!(packet.dup && packet.retain);
        assert_eq!(packet.properties, pairs(&[("content-type", "text/plain")]));
        let Action::Send(packet) = only("send SUBACK $id 0 1 0x80") else { panic!() };
        assert_eq!(packet.values, [&b"$id"[..], b"0", b"1", b"0x80"]);
        assert_eq!(only("send raw 20 0a FF"), Action::SendBytes(vec![0x20, 0x0A, 0xFF]));
    }

    #[test]
    fn blocks_nest_and_keep_their_lines() {
        let script =
            Script::parse("repeat 2 {\n # two\n repeat 3 {\n close\n }\n}\nreset\n").unwrap();
        let Action::Repeat { count: 2, steps: outer } = &script.steps[0].action else { panic!() };
        let Action::Repeat { count: 3, steps: inner } = &outer[0].action else { panic!() };
        assert_eq!(inner[..], [Step { line: 4, action: Action::Close }]);
        assert_eq!(script.steps[1], Step { line: 7, action: Action::Reset });
    }

    #[test]
    fn a_bad_script_is_refused_with_its_line_and_reason() {
        for (text, reason) in [
            ("accept\nfrob", "line 2: frob is no step, or not in this form"),
            ("close now", "line 1: close is no step, or not in this form"),
            ("}", "line 1: } is no step, or not in this form"),
            ("repeat 2 {\nclose", "line 1: this block is not closed"),
            ("repeat x {\n}", "line 1: repeat needs a number"),
            ("expect HELLO", "line 1: there is no packet HELLO"),
            ("expect PINGREQ 1", "line 1: PINGREQ has no field 1 without a name"),
            ("send CONNECT a", "line 1: a broker sends no CONNECT"),
            ("send CONNACK 0", "line 1: CONNACK needs session-present, reason"),
            ("send PUBACK 1 0 7", "line 1: PUBACK has no place for 7"),
            ("send raw 2", "line 1: 2 is not two digits"),
            ("send text \"a", "line 1: a quote is not closed"),
        ] {
            assert_eq!(Script::parse(text).expect_err(text), reason);
        }
    }
}
