//! Properties of MQTT 5.0: one table, from which they are written, read and printed.
//!
//! A property has the name that the specification gives it, in small letters with hyphens, such as
//! `receive-maximum`; scripts and traces use the same names.

use crate::{
    reader::{Malformed, Reader},
    wire::{counted, variable},
};

/// How a property's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One byte.
    Byte,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// A variable byte integer.
    Variable,
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
    /// Two texts: a name and a value.
    Pair,
}

/// Identifier, name and form of every property there is.
#[rustfmt::skip]
pub const TABLE: [(u8, &str, Kind); 27] = [
    (0x01, "payload-format-indicator", Kind::Byte),
    (0x02, "message-expiry-interval", Kind::Four),
    (0x03, "content-type", Kind::Text),
    (0x08, "response-topic", Kind::Text),
    (0x09, "correlation-data", Kind::Binary),
    (0x0B, "subscription-identifier", Kind::Variable),
    (0x11, "session-expiry-interval", Kind::Four),
    (0x12, "assigned-client-identifier", Kind::Text),
    (0x13, "server-keep-alive", Kind::Two),
    (0x15, "authentication-method", Kind::Text),
    (0x16, "authentication-data", Kind::Binary),
    (0x17, "request-problem-information", Kind::Byte),
    (0x18, "will-delay-interval", Kind::Four),
    (0x19, "request-response-information", Kind::Byte),
    (0x1A, "response-information", Kind::Text),
    (0x1C, "server-reference", Kind::Text),
    (0x1F, "reason-string", Kind::Text),
    (0x21, "receive-maximum", Kind::Two),
    (0x22, "topic-alias-maximum", Kind::Two),
    (0x23, "topic-alias", Kind::Two),
    (0x24, "maximum-qos", Kind::Byte),
    (0x25, "retain-available", Kind::Byte),
    (0x26, "user-property", Kind::Pair),
    (0x27, "maximum-packet-size", Kind::Four),
    (0x28, "wildcard-subscription-available", Kind::Byte),
    (0x29, "subscription-identifier-available", Kind::Byte),
    (0x2A, "shared-subscription-available", Kind::Byte),
];

/// Writes a property whose value is a number.
///
/// # Panics
/// For an unknown name, one whose value is not a number, and a number too large for it.
pub fn number(name: &str, value: u32) -> Vec<u8> {
    encode(name, &value.to_string()).unwrap_or_else(|reason| panic!("{reason}"))
}

/// Writes a property whose value is text or binary data.
///
/// # Panics
/// For an unknown name and one whose value is neither.
pub fn text(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    match find(name) {
        Ok((id, Kind::Text | Kind::Binary)) => [&[id][..], &counted(value)].concat(),
        Ok((_, kind)) => panic!("{name} is no text but a {kind:?}"),
        Err(reason) => panic!("{reason}"),
    }
}

/// Writes a user property.
pub fn user(name: &str, value: &str) -> Vec<u8> {
    [&[0x26][..], &counted(name), &counted(value)].concat()
}

/// Writes any property from its value in text form; a user property's is `name:value`.
///
/// # Errors
/// A sentence, for an unknown name and for a value that the property cannot have.
pub fn encode(name: &str, value: &str) -> Result<Vec<u8>, String> {
    let (id, kind) = find(name)?;
    let not = |what: &str| format!("{name} takes {what}, not {value:?}");
    let number = || value.parse::<u32>().map_err(|_| not("a number"));
    let value = match kind {
        Kind::Byte => vec![u8::try_from(number()?).map_err(|_| not("one byte"))?],
        Kind::Two => u16::try_from(number()?).map_err(|_| not("two bytes"))?.to_be_bytes().into(),
        Kind::Four => number()?.to_be_bytes().into(),
        Kind::Variable if number()? < 1 << 28 => variable(number()? as usize),
        Kind::Variable => return Err(not("at most 268435455")),
        Kind::Text | Kind::Binary => counted(value),
        Kind::Pair => {
            let (name, value) = value.split_once(':').ok_or_else(|| not("name:value"))?;
            [counted(name), counted(value)].concat()
        }
    };
    Ok([vec![id], value].concat())
}

fn find(name: &str) -> Result<(u8, Kind), String> {
    let row = TABLE.iter().find(|row| row.1 == name);
    row.map(|row| (row.0, row.2)).ok_or_else(|| format!("there is no property {name}"))
}

/// A property that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name in [`TABLE`].
    pub name: &'static str,
    /// Its value.
    pub value: Value,
}

/// The value of a property that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of one, two or four bytes, or a variable byte integer.
    Number(u32),
    /// UTF-8 text.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
    /// Name and value of a user property.
    Pair(String, String),
}

/// The properties of one packet, in their order on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    list: Vec<Property>,
    raw: Vec<u8>,
}

impl Properties {
    /// Reads a block of properties with its length in front.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = reader.variable()?;
        let raw = reader.bytes(length as usize)?;
        let mut inner = Reader::new(raw);
        let mut list = Vec::new();
        while !inner.is_empty() {
            let id = inner.byte()?;
            let row = TABLE.iter().find(|row| row.0 == id);
            let &(_, name, kind) =
                row.ok_or_else(|| Malformed::new(format!("there is no property {id:#04x}")))?;
            let value = match kind {
                Kind::Byte => Value::Number(inner.byte()?.into()),
                Kind::Two => Value::Number(inner.two()?.into()),
                Kind::Four => Value::Number(inner.four()?),
                Kind::Variable => Value::Number(inner.variable()?),
                Kind::Text => Value::Text(inner.text()?),
                Kind::Binary => Value::Binary(inner.counted()?.to_vec()),
                Kind::Pair => Value::Pair(inner.text()?, inner.text()?),
            };
            // "It is a Protocol Error to include it more than once" stands with each of the others.
            let repeatable = matches!(name, "user-property" | "subscription-identifier");
            if !repeatable && list.iter().any(|property: &Property| property.name == name) {
                return Err(Malformed::new(format!("{name} is there twice")));
            }
            list.push(Property { name, value });
        }
        Ok(Self { list, raw: raw.to_vec() })
    }

    /// The encoded properties, without their length.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Property> {
        self.list.iter()
    }

    /// The first value of a property.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|property| property.name == name).map(|property| &property.value)
    }

    /// The value of a property that is a number.
    pub fn number(&self, name: &str) -> Option<u32> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a property that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// All user properties, in order.
    pub fn user(&self) -> Vec<(&str, &str)> {
        self.list
            .iter()
            .filter_map(|property| match &property.value {
                Value::Pair(name, value) => Some((name.as_str(), value.as_str())),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &[u8]) -> Result<Properties, Malformed> {
        let block = [variable(raw.len()), raw.to_vec()].concat();
        Properties::read(&mut Reader::new(&block))
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        assert_eq!(number("payload-format-indicator", 1), [0x01, 1]);
        assert_eq!(number("receive-maximum", 258), [0x21, 1, 2]);
        assert_eq!(number("session-expiry-interval", 0xFFFF_FFFF), [0x11, 255, 255, 255, 255]);
        assert_eq!(number("subscription-identifier", 128), [0x0B, 0x80, 0x01]);
        assert_eq!(text("reason-string", "no"), b"\x1F\0\x02no");
        assert_eq!(text("correlation-data", [0, 255]), [0x09, 0, 2, 0, 255]);
        assert_eq!(user("a", "b"), b"\x26\0\x01a\0\x01b");
        assert_eq!(encode("user-property", "a:b:c").unwrap(), b"\x26\0\x01a\0\x03b:c");
    }

    #[test]
    fn what_was_written_is_read_back() {
        let raw = [
            number("topic-alias", 7),
            user("k", "1"),
            user("k", "2"),
            text("content-type", "text/plain"),
            text("correlation-data", [0xFF]),
        ]
        .concat();
        let properties = read(&raw).unwrap();
        assert_eq!(properties.raw(), raw);
        assert_eq!(properties.number("topic-alias"), Some(7));
        assert_eq!(properties.text("content-type"), Some("text/plain"));
        assert_eq!(properties.user(), [("k", "1"), ("k", "2")]);
        assert_eq!(properties.value("correlation-data"), Some(&Value::Binary(vec![0xFF])));
        assert_eq!(properties.number("receive-maximum"), None);
        assert_eq!(properties.iter().count(), 5);
    }

    #[test]
    fn what_breaks_a_rule_is_malformed() {
        for (raw, reason) in [
            (&[0x00][..], "there is no property 0x00"),
            (&[0x21, 0], "cut short"),
            (&[0x21, 0, 1, 0x21, 0, 1], "receive-maximum is there twice"),
            (&[0x1F, 0, 1, 0xFF], "not UTF-8"),
        ] {
            let error = read(raw).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error:?} should say {reason:?}");
        }
    }

    #[test]
    fn a_value_that_a_property_cannot_have_is_refused() {
        for (name, value, reason) in [
            ("colour", "1", "there is no property colour"),
            ("receive-maximum", "70000", "receive-maximum takes two bytes, not \"70000\""),
            ("maximum-qos", "x", "maximum-qos takes a number, not \"x\""),
            ("user-property", "x", "user-property takes name:value, not \"x\""),
        ] {
            assert_eq!(encode(name, value).expect_err(name), reason);
        }
    }
}
