//! Bytes to packets: the strict reader behind [`Seen::decode`].

use crate::{
    property::Properties,
    reader::{Malformed, Reader},
    seen::{
        Acknowledgement, Answer, Auth, Connack, Connect, Disconnect, Filter, Publish, Seen,
        Subscribe, Unsubscribe, Will,
    },
};

impl Seen {
    /// Takes the first packet off `bytes`: it and how many bytes it took, or nothing yet.
    ///
    /// `level` is that of the connection; a CONNECT says its own.
    ///
    /// # Errors
    /// The bytes can never become a packet.
    pub fn decode(bytes: &[u8], level: u8) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(&first_byte) = bytes.first() else { return Ok(None) };
        // The remaining length ends with the first byte below 0x80, the fourth at the latest.
        let ended = bytes[1..].iter().take(4).position(|byte| byte & 0x80 == 0);
        let Some(ended) = ended else {
            return match bytes.len() > 4 {
                true => Err(Malformed::new("a remaining length of more than four bytes")),
                false => Ok(None),
            };
        };
        let start = ended + 2;
        let length = Reader::new(&bytes[1..start]).variable()? as usize;
        match bytes.get(start..start + length) {
            Some(body) => Ok(Some((Self::read(first_byte, body, level)?, start + length))),
            None => Ok(None),
        }
    }

    /// Reads one packet from its first byte and what is behind the remaining length.
    fn read(first_byte: u8, body: &[u8], level: u8) -> Result<Self, Malformed> {
        let (kind, flags) = (first_byte >> 4, first_byte & 0x0F);
        let reader = &mut Reader::new(body);
        let dup = flags & 0b1000 != 0;
        if kind != 3 {
            check_flags(kind, flags, level)?;
        }
        let seen = match kind {
            1 => Self::Connect(Connect::read(reader)?),
            2 => Self::Connack(Connack::read(reader, level)?),
            3 => Self::Publish(Publish::read(reader, flags, level)?),
            4 => Self::Puback(Acknowledgement::read(reader, false, level, body.len())?),
            5 => Self::Pubrec(Acknowledgement::read(reader, false, level, body.len())?),
            6 => Self::Pubrel(Acknowledgement::read(reader, dup, level, body.len())?),
            7 => Self::Pubcomp(Acknowledgement::read(reader, false, level, body.len())?),
            8 => Self::Subscribe(Subscribe::read(reader, dup, level)?),
            9 => Self::Suback(Answer::read(reader, level)?),
            10 => Self::Unsubscribe(Unsubscribe::read(reader, dup, level)?),
            11 => Self::Unsuback(Answer::read(reader, level)?),
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => {
                let (reason, properties) = reason(reader, level)?;
                Self::Disconnect(Disconnect { reason, properties })
            }
            15 if level == 5 => {
                let (reason, properties) = reason(reader, level)?;
                Self::Auth(Auth { reason, properties })
            }
            _ => return Err(Malformed::new(format!("there is no packet of type {kind}"))),
        };
        match reader.rest().len() {
            0 => Ok(seen),
            left => Err(Malformed::new(format!("{left} bytes too many at the end of {seen}"))),
        }
    }
}

/// Reserved flags have the value of the table [MQTT-2.1.3-1]; 3.1 has a DUP flag in some.
fn check_flags(kind: u8, flags: u8, level: u8) -> Result<(), Malformed> {
    let wanted = if matches!(kind, 6 | 8 | 10) { 0b0010 } else { 0 };
    let repeated = level == 3 && matches!(kind, 6 | 8 | 10) && flags == wanted | 0b1000;
    match flags == wanted || repeated {
        true => Ok(()),
        false => Err(Malformed::new(format!("flags {flags:04b} on a packet of type {kind}"))),
    }
}

fn properties(reader: &mut Reader<'_>, level: u8) -> Result<Properties, Malformed> {
    if level == 5 { Properties::read(reader) } else { Ok(Properties::default()) }
}

/// Reason code and properties where 5.0 may leave out both, or the properties.
fn reason(reader: &mut Reader<'_>, level: u8) -> Result<(u8, Properties), Malformed> {
    if level < 5 || reader.is_empty() {
        return Ok((0, Properties::default()));
    }
    let reason = reader.byte()?;
    let short = reader.is_empty();
    Ok((reason, if short { Properties::default() } else { Properties::read(reader)? }))
}

fn qos(bits: u8) -> Result<u8, Malformed> {
    if bits < 3 { Ok(bits) } else { Err(Malformed::new("QoS 3")) }
}

impl Connect {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let name = reader.text()?;
        let level = reader.byte()?;
        if !matches!((name.as_str(), level), ("MQIsdp", 3) | ("MQTT", 4 | 5)) {
            return Err(Malformed::new(format!("protocol {name:?} at level {level}")));
        }
        let flags = reader.byte()?;
        let flag = |bit: u8| flags >> bit & 1 == 1;
        // The reserved flag is 0 [MQTT-3.1.2-3]; without a will its bits are 0 [MQTT-3.1.2-11]
        // [MQTT-3.1.2-13].
        if flag(0) || !flag(2) && flags & 0b0011_1000 != 0 {
            return Err(Malformed::new(format!("connect flags {flags:08b}")));
        }
        // Before 5.0 there is no password without a user name [3.1.1 MQTT-3.1.2-22].
        if level < 5 && flag(6) && !flag(7) {
            return Err(Malformed::new("a password without a user name"));
        }
        let keep_alive = reader.two()?;
        let properties = properties(reader, level)?;
        let client_id = reader.text()?;
        let will = match flag(2) {
            true => Some(Will {
                properties: self::properties(reader, level)?,
                topic: reader.text()?,
                payload: reader.counted()?.to_vec(),
                qos: qos(flags >> 3 & 3)?,
                retain: flag(5),
            }),
            false => None,
        };
        let user = if flag(7) { Some(reader.text()?) } else { None };
        let password = if flag(6) { Some(reader.counted()?.to_vec()) } else { None };
        let clean = flag(1);
        Ok(Self { level, client_id, clean, keep_alive, will, user, password, properties })
    }
}

impl Connack {
    fn read(reader: &mut Reader<'_>, level: u8) -> Result<Self, Malformed> {
        let session_present = reader.byte()? & 1 == 1;
        let reason = reader.byte()?;
        Ok(Self { session_present, reason, properties: properties(reader, level)? })
    }
}

impl Publish {
    fn read(reader: &mut Reader<'_>, flags: u8, level: u8) -> Result<Self, Malformed> {
        let (dup, qos, retain) = (flags & 8 != 0, qos(flags >> 1 & 3)?, flags & 1 != 0);
        // DUP is 0 at QoS 0 [MQTT-3.3.1-2].
        if dup && qos == 0 {
            return Err(Malformed::new("DUP at QoS 0"));
        }
        let topic = reader.text()?;
        // No wildcards in a topic [MQTT-3.3.2-2].
        if topic.contains(['+', '#']) {
            return Err(Malformed::new(format!("wildcards in the topic {topic:?}")));
        }
        let id = if qos == 0 { 0 } else { reader.id()? };
        let properties = properties(reader, level)?;
        if topic.is_empty() && properties.number("topic-alias").is_none() {
            return Err(Malformed::new("neither a topic nor an alias"));
        }
        let payload = reader.rest().to_vec();
        Ok(Self { dup, qos, retain, topic, id, properties, payload })
    }
}

impl Acknowledgement {
    fn read(
        reader: &mut Reader<'_>,
        dup: bool,
        level: u8,
        length: usize,
    ) -> Result<Self, Malformed> {
        let id = reader.id()?;
        let (reason, properties) = reason(reader, level)?;
        Ok(Self { id, reason, dup, properties, length })
    }
}

impl Subscribe {
    fn read(reader: &mut Reader<'_>, dup: bool, level: u8) -> Result<Self, Malformed> {
        let id = reader.id()?;
        let properties = properties(reader, level)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(Filter::read(reader, level)?);
        }
        // At least one filter [MQTT-3.8.3-2].
        match filters.is_empty() {
            true => Err(Malformed::new("SUBSCRIBE without a filter")),
            false => Ok(Self { id, dup, filters, properties }),
        }
    }
}

impl Filter {
    fn read(reader: &mut Reader<'_>, level: u8) -> Result<Self, Malformed> {
        let filter = reader.text()?;
        if filter.is_empty() {
            return Err(Malformed::new("an empty filter"));
        }
        let options = reader.byte()?;
        let reserved = if level == 5 { 0b1100_0000 } else { 0b1111_1100 };
        let retain_handling = options >> 4 & 3;
        // Reserved bits are 0 [MQTT-3.8.3-5]; retain handling 3 is a protocol error.
        if options & reserved != 0 || retain_handling == 3 {
            return Err(Malformed::new(format!("subscription options {options:08b}")));
        }
        let no_local = options & 4 != 0;
        // A shared subscription has no No Local [MQTT-3.8.3-4].
        if no_local && filter.starts_with("$share/") {
            return Err(Malformed::new("No Local on a shared subscription"));
        }
        Ok(Self {
            filter,
            qos: qos(options & 3)?,
            no_local,
            retain_as_published: options & 8 != 0,
            retain_handling,
        })
    }
}

impl Answer {
    fn read(reader: &mut Reader<'_>, level: u8) -> Result<Self, Malformed> {
        let id = reader.id()?;
        let properties = properties(reader, level)?;
        Ok(Self { id, reasons: reader.rest().to_vec(), properties })
    }
}

impl Unsubscribe {
    fn read(reader: &mut Reader<'_>, dup: bool, level: u8) -> Result<Self, Malformed> {
        let id = reader.id()?;
        let properties = properties(reader, level)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(reader.text()?);
        }
        // At least one filter [MQTT-3.10.3-2].
        match filters.is_empty() {
            true => Err(Malformed::new("UNSUBSCRIBE without a filter")),
            false => Ok(Self { id, dup, filters, properties }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{property, wire};

    fn read(bytes: &[u8], level: u8) -> Seen {
        match Seen::decode(bytes, level) {
            Ok(Some((seen, taken))) if taken == bytes.len() => seen,
            other => panic!("{bytes:02x?} gave {other:?}"),
        }
    }

    fn malformed(bytes: &[u8], level: u8) -> String {
        match Seen::decode(bytes, level) {
            Err(malformed) => malformed.to_string(),
            Ok(other) => panic!("{bytes:02x?} gave {other:?}"),
        }
    }

    #[test]
    fn a_connect_shows_all_that_it_carries() {
        // Will of QoS 1, retained; user and password; clean; from the figures of the specification.
        let body = b"\0\x04MQTT\x04\xEE\0\x0A\0\x02me\0\x01w\0\x03bye\0\x01u\0\x02pw";
        let Seen::Connect(connect) = read(&wire::packet(0x10, body), 9) else { panic!() };
        assert_eq!((connect.level, connect.client_id.as_str(), connect.clean), (4, "me", true));
        assert_eq!((connect.keep_alive, connect.user.as_deref()), (10, Some("u")));
        assert_eq!(connect.password.as_deref(), Some(&b"pw"[..]));
        let will = connect.will.expect("there is a will");
        assert_eq!(
            (will.topic.as_str(), &will.payload[..], will.qos, will.retain),
            ("w", &b"bye"[..], 1, true)
        );
    }

    #[test]
    fn what_the_writer_writes_the_reader_reads() {
        let reason = property::text("reason-string", "because");
        for (level, bytes, line) in [
            (3, wire::connect(3, "x", true), "CONNECT level=3 client-id=x clean=1 keep-alive=60"),
            (5, wire::connect(5, "x", false), "CONNECT level=5 client-id=x clean=0 keep-alive=60"),
            (4, wire::connack(true, 5), "CONNACK session-present=1 reason=0x05"),
            (
                5,
                wire::v5::connack(false, 0x87, &reason),
                "CONNACK session-present=0 reason=0x87 reason-string=because",
            ),
            (4, wire::publish("a/b", 0, 0, "hi"), "PUBLISH topic=a/b qos=0 payload=hi"),
            (
                4,
                wire::duplicate(wire::publish("a", 2, 7, "")),
                "PUBLISH topic=a qos=2 dup=1 id=7 payload=\"\"",
            ),
            (
                5,
                wire::v5::publish("", 1, 7, &property::number("topic-alias", 3), "x"),
                "PUBLISH topic=\"\" qos=1 id=7 topic-alias=3 payload=x",
            ),
            (4, wire::puback(1), "PUBACK id=1"),
            (5, wire::v5::puback(1, 0x10, &[]), "PUBACK id=1 reason=0x10"),
            (5, wire::pubrec(1), "PUBREC id=1"),
            (
                5,
                wire::v5::pubrel(1, 0x92, &reason),
                "PUBREL id=1 reason=0x92 reason-string=because",
            ),
            (3, wire::duplicate(wire::pubrel(1)), "PUBREL id=1 dup=1"),
            (4, wire::pubcomp(65_535), "PUBCOMP id=65535"),
            (
                4,
                wire::subscribe(2, &[("a", 1), ("b", 0)]),
                "SUBSCRIBE id=2 filter=a qos=1 filter=b qos=0",
            ),
            (
                5,
                wire::v5::subscribe(2, &[], &[("a", 0x2D)]),
                "SUBSCRIBE id=2 filter=a qos=1 no-local=1 retain-as-published=1 retain-handling=2",
            ),
            (5, wire::v5::suback(2, &[], &[1, 0x87]), "SUBACK id=2 reason=0x01 reason=0x87"),
            (4, wire::unsubscribe(3, &["a", "b"]), "UNSUBSCRIBE id=3 filter=a filter=b"),
            (4, wire::unsuback(3), "UNSUBACK id=3"),
            (5, wire::v5::unsuback(3, &[], &[0x11]), "UNSUBACK id=3 reason=0x11"),
            (4, wire::pingreq(), "PINGREQ"),
            (4, wire::pingresp(), "PINGRESP"),
            (4, wire::disconnect(), "DISCONNECT"),
            (5, wire::disconnect(), "DISCONNECT"),
            (5, wire::v5::disconnect(0x8B, &[]), "DISCONNECT reason=0x8b"),
            (
                5,
                wire::v5::auth(0x18, &property::text("authentication-method", "M")),
                "AUTH reason=0x18 authentication-method=M",
            ),
        ] {
            assert_eq!(read(&bytes, level).to_string(), line);
        }
    }

    #[test]
    fn a_packet_may_come_in_pieces_and_two_at_once() {
        let both = [wire::publish("a", 1, 1, vec![b'x'; 200]), wire::pingreq()].concat();
        for end in 0..both.len() - 2 {
            assert_eq!(Seen::decode(&both[..end], 4), Ok(None), "{end} bytes");
        }
        let (first, taken) = Seen::decode(&both, 4).unwrap().expect("the PUBLISH is complete");
        assert!(matches!(first, Seen::Publish(publish) if publish.payload.len() == 200));
        assert_eq!(read(&both[taken..], 4), Seen::Pingreq);
    }

    #[test]
    fn what_a_client_may_not_send_is_malformed() {
        for (level, bytes, reason) in [
            (4, &[0x00, 0][..], "no packet of type 0"),
            (4, &[0xF0, 0], "no packet of type 15"),
            (4, &[0xC0, 0x80, 0x80, 0x80, 0x80, 1], "more than four bytes"),
            (4, &[0xC0, 0x80, 0x00], "more bytes than it needs"),
            (4, &[0xC1, 0], "flags 0001"),
            (4, &[0x80, 6, 0, 1, 0, 1, b'a', 0], "flags 0000"),
            (4, &[0x6A, 2, 0, 1], "flags 1010"),
            (4, &[0xC0, 1, 0], "1 bytes too many at the end of PINGREQ"),
            (4, &[0xE0, 1, 0], "1 bytes too many at the end of DISCONNECT"),
            (4, &[0x40, 2, 0, 0], "packet id is 0"),
            (4, &[0x40, 1, 0], "cut short"),
            (4, &[0x36, 5, 0, 1, b'a', 0, 1], "QoS 3"),
            (4, &[0x38, 3, 0, 1, b'a'], "DUP at QoS 0"),
            (4, &[0x30, 3, 0, 1, b'#'], "wildcards"),
            (4, &[0x30, 2, 0, 0], "neither a topic nor an alias"),
            (4, &[0x82, 2, 0, 1], "SUBSCRIBE without a filter"),
            (4, &[0x82, 5, 0, 1, 0, 0, 0], "an empty filter"),
            (4, &[0x82, 6, 0, 1, 0, 1, b'a', 4], "subscription options 00000100"),
            (5, &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0x30], "subscription options 00110000"),
            (4, &[0xA2, 2, 0, 1], "UNSUBSCRIBE without a filter"),
            (4, b"\x10\x0C\0\x04MQTT\x06\x02\0\0\0\0", "protocol \"MQTT\" at level 6"),
            (4, b"\x10\x0C\0\x04MQTT\x04\x03\0\0\0\0", "connect flags 00000011"),
            (4, b"\x10\x0C\0\x04MQTT\x04\x0A\0\0\0\0", "connect flags 00001010"),
            (4, b"\x10\x0C\0\x04MQTT\x04\x42\0\0\0\0", "a password without a user name"),
        ] {
            let said = malformed(bytes, level);
            assert!(said.contains(reason), "{bytes:02x?}: {said:?} should say {reason:?}");
        }
        let shared = wire::v5::subscribe(1, &[], &[("$share/g/a", 4)]);
        assert!(malformed(&shared, 5).contains("No Local"));
    }

    #[test]
    fn a_password_is_never_printed() {
        let body = b"\0\x04MQTT\x04\xC2\0\0\0\0\0\x01u\0\x06secret";
        let seen = read(&wire::packet(0x10, body), 4);
        assert!(seen.to_string().ends_with("user=u password=(6 bytes)"), "{seen}");
        assert!(!format!("{seen:?}").contains("115"), "the bytes of the password: {seen:?}");
    }
}
