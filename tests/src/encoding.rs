//! A packet of a script to bytes, in the form of the session's protocol level.

use crate::{
    property,
    script::Packet,
    wire::{self, v5},
    word::quote,
};

/// Reason codes that scripts may name, with the return code of 3.1.1 in front where it has one.
const REASONS: [(&str, Option<u8>, u8); 11] = [
    ("success", Some(0), 0x00),
    ("unacceptable-version", Some(1), 0x84),
    ("identifier-rejected", Some(2), 0x85),
    ("server-unavailable", Some(3), 0x88),
    ("bad-credentials", Some(4), 0x86),
    ("not-authorized", Some(5), 0x87),
    ("refused", Some(0x80), 0x80),
    ("server-busy", None, 0x89),
    ("server-shutting-down", None, 0x8B),
    ("keep-alive-timeout", None, 0x8D),
    ("session-taken-over", None, 0x8E),
];

impl Packet {
    /// The bytes, once every variable has been replaced.
    pub(crate) fn encode(&self, level: u8) -> Result<Vec<u8>, String> {
        let properties = &self.encoded_properties()?;
        if level < 5 && !properties.is_empty() {
            return Err("properties for a session below 5.0".into());
        }
        let present = || Ok::<_, String>(number(&self.values[0])? != 0);
        let id = || sixteen_bits(&self.values[0]);
        let reason =
            |index: usize| self.values.get(index).map_or(Ok(0), |word| reason(word, level));
        let reasons = || -> Result<Vec<u8>, String> {
            self.values[1..].iter().map(|word| self::reason(word, level)).collect()
        };
        // The short form, which every level has, wherever it says the same.
        let short = level < 5 || self.values.len() < 2 && properties.is_empty();
        Ok(match self.name {
            "CONNACK" if level < 5 => wire::connack(present()?, reason(1)?),
            "CONNACK" => v5::connack(present()?, reason(1)?, properties),
            "PUBLISH" => self.publish(level, properties)?,
            "PUBACK" if short => wire::puback(id()?),
            "PUBACK" => v5::puback(id()?, reason(1)?, properties),
            "PUBREC" if short => wire::pubrec(id()?),
            "PUBREC" => v5::pubrec(id()?, reason(1)?, properties),
            "PUBREL" if short => wire::pubrel(id()?),
            "PUBREL" => v5::pubrel(id()?, reason(1)?, properties),
            "PUBCOMP" if short => wire::pubcomp(id()?),
            "PUBCOMP" => v5::pubcomp(id()?, reason(1)?, properties),
            "SUBACK" if level < 5 => wire::suback(id()?, &reasons()?),
            "SUBACK" => v5::suback(id()?, properties, &reasons()?),
            "UNSUBACK" if level < 5 => wire::unsuback(id()?),
            "UNSUBACK" => v5::unsuback(id()?, properties, &reasons()?),
            "PINGRESP" => wire::pingresp(),
            "DISCONNECT" | "AUTH" if level < 5 => {
                return Err(format!("below 5.0 a broker sends no {}", self.name));
            }
            "DISCONNECT" => v5::disconnect(reason(0)?, properties),
            "AUTH" => v5::auth(reason(0)?, properties),
            other => unreachable!("the parser lets no {other} through"),
        })
    }

    fn publish(&self, level: u8, properties: &[u8]) -> Result<Vec<u8>, String> {
        let [topic, qos, id, payload] = &self.values[..] else {
            unreachable!("the parser wants four values");
        };
        let topic = std::str::from_utf8(topic).map_err(|_| "the topic is not UTF-8")?;
        let qos = number(qos)?;
        if qos > 3 {
            return Err(format!("two bits hold no QoS {qos}"));
        }
        let (qos, id) = (qos as u8, sixteen_bits(id)?);
        let mut publish = match level {
            5 => v5::publish(topic, qos, id, properties, payload),
            _ => wire::publish(topic, qos, id, payload),
        };
        if self.dup {
            publish = wire::duplicate(publish);
        }
        if self.retain {
            publish = wire::retained(publish);
        }
        Ok(publish)
    }

    fn encoded_properties(&self) -> Result<Vec<u8>, String> {
        let mut encoded = Vec::new();
        for (name, value) in &self.properties {
            let value = std::str::from_utf8(value).map_err(|_| format!("{name} is not UTF-8"))?;
            encoded.extend(property::encode(name, value)?);
        }
        Ok(encoded)
    }
}

/// Equal bytes, or equal numbers however they are written, or a reason by its name.
pub(crate) fn same(wanted: &[u8], found: &[u8]) -> bool {
    let number = |bytes| number(bytes).ok();
    let named = || {
        let row = REASONS.iter().find(|row| row.0.as_bytes() == wanted)?;
        let found = number(found)?;
        Some(u32::from(row.2) == found || row.1.map(u32::from) == Some(found))
    };
    wanted == found
        || number(wanted).is_some_and(|wanted| number(found) == Some(wanted))
        || named() == Some(true)
}

fn reason(word: &[u8], level: u8) -> Result<u8, String> {
    match REASONS.iter().find(|row| row.0.as_bytes() == word) {
        Some((_, _, code)) if level == 5 => Ok(*code),
        Some((name, code, _)) => code.ok_or_else(|| format!("below 5.0 there is no {name}")),
        None => u8::try_from(number(word)?).map_err(|_| format!("{} is too large", quote(word))),
    }
}

/// A number, in decimal or with `0x` in front.
fn number(word: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(word).unwrap_or_default();
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| format!("{} is not a number", quote(word)))
}

fn sixteen_bits(word: &[u8]) -> Result<u16, String> {
    u16::try_from(number(word)?).map_err(|_| format!("{} is too large", quote(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        assert!(same(b"a", b"a") && !same(b"a", b"b"));
        assert!(same(b"5", b"0x05") && same(b"0x05", b"5") && !same(b"5", b"0x06"));
        assert!(same(b"not-authorized", b"0x87") && same(b"not-authorized", b"0x05"));
        assert!(!same(b"not-authorized", b"0x86") && !same(b"server-busy", b"0x00"));
    }
}
