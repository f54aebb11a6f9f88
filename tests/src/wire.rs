//! Writes packets: one small function each, bytes out, nothing remembered.
//!
//! Functions at the top write what 3.1, 3.1.1 and 5.0 have in common or what 3.1.1 has; [`v5`]
//! holds the 5.0 forms. A malformed packet is made by changing the bytes of a good one, or with
//! [`packet`], which checks nothing.

/// A packet from its first byte and everything behind the remaining length.
pub fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    [&[first_byte][..], &variable(body.len()), body].concat()
}

/// A variable byte integer: the remaining length, a property length, some properties.
///
/// # Panics
/// Above 268,435,455, which four bytes cannot hold.
pub fn variable(mut value: usize) -> Vec<u8> {
    assert!(value < 1 << 28, "{value} does not fit a variable byte integer");
    let mut bytes = Vec::with_capacity(4);
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Text or binary data with its two bytes of length.
///
/// # Panics
/// Above 65,535 bytes.
pub fn counted(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let length = u16::try_from(data.len()).expect("two bytes of length hold 65,535 at most");
    [&length.to_be_bytes()[..], data].concat()
}

/// Turns a PUBLISH (under 3.1 also PUBREL, SUBSCRIBE, UNSUBSCRIBE) into its repetition.
pub fn duplicate(mut packet: Vec<u8>) -> Vec<u8> {
    packet[0] |= 0b1000;
    packet
}

/// Sets the retain flag of a PUBLISH.
pub fn retained(mut publish: Vec<u8>) -> Vec<u8> {
    publish[0] |= 0b0001;
    publish
}

/// CONNECT without will, user name or password, with a keep alive of one minute.
///
/// # Panics
/// For a level other than 3, 4 and 5.
pub fn connect(level: u8, client_id: &str, clean: bool) -> Vec<u8> {
    let (name, properties): (&str, &[u8]) = match level {
        3 => ("MQIsdp", &[]),
        4 => ("MQTT", &[]),
        5 => ("MQTT", &[0]),
        _ => panic!("there is no protocol level {level}"),
    };
    let flags = u8::from(clean) << 1;
    packet(
        0x10,
        &[&counted(name), &[level, flags, 0, 60][..], properties, &counted(client_id)].concat(),
    )
}

/// CONNACK with a return code of 3.1.1.
pub fn connack(session_present: bool, code: u8) -> Vec<u8> {
    packet(0x20, &[u8::from(session_present), code])
}

/// PUBLISH; the packet id is written for QoS 1 and above only. QoS 3 is written as it stands.
pub fn publish(topic: &str, qos: u8, id: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    publish_with(topic, qos, id, &[], payload.as_ref())
}

fn publish_with(topic: &str, qos: u8, id: u16, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let id = if qos == 0 { &[][..] } else { &id };
    packet(0x30 | qos << 1, &[&counted(topic), id, properties, payload].concat())
}

/// PUBACK.
pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

/// PUBREC.
pub fn pubrec(id: u16) -> Vec<u8> {
    packet(0x50, &id.to_be_bytes())
}

/// PUBREL.
pub fn pubrel(id: u16) -> Vec<u8> {
    packet(0x62, &id.to_be_bytes())
}

/// PUBCOMP.
pub fn pubcomp(id: u16) -> Vec<u8> {
    packet(0x70, &id.to_be_bytes())
}

/// SUBSCRIBE for filters with their requested QoS.
pub fn subscribe(id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes()[..], &filter_list(filters)].concat())
}

fn filter_list(filters: &[(&str, u8)]) -> Vec<u8> {
    filters
        .iter()
        .flat_map(|(filter, options)| [counted(filter), vec![*options]].concat())
        .collect()
}

/// SUBACK with one return code for each filter.
pub fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes()[..], codes].concat())
}

/// UNSUBSCRIBE.
pub fn unsubscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let filters: Vec<u8> = filters.iter().flat_map(counted).collect();
    packet(0xA2, &[&id.to_be_bytes()[..], &filters].concat())
}

/// UNSUBACK, which before 5.0 has nothing but the packet id.
pub fn unsuback(id: u16) -> Vec<u8> {
    packet(0xB0, &id.to_be_bytes())
}

/// PINGREQ.
pub fn pingreq() -> Vec<u8> {
    packet(0xC0, &[])
}

/// PINGRESP.
pub fn pingresp() -> Vec<u8> {
    packet(0xD0, &[])
}

/// DISCONNECT; under 5.0 the short form of a normal disconnection.
pub fn disconnect() -> Vec<u8> {
    packet(0xE0, &[])
}

/// The forms of 5.0. Every `properties` is the encoded properties without their length; see
/// [`property`](crate::property) for functions that write one each.
pub mod v5 {
    use super::{counted, filter_list, packet, publish_with, variable};

    /// Properties behind their length.
    pub fn properties(properties: &[u8]) -> Vec<u8> {
        [&variable(properties.len())[..], properties].concat()
    }

    /// CONNACK with a reason code.
    pub fn connack(session_present: bool, reason: u8, properties: &[u8]) -> Vec<u8> {
        let body = [&[u8::from(session_present), reason], &self::properties(properties)[..]];
        packet(0x20, &body.concat())
    }

    /// PUBLISH; the packet id is written for QoS 1 and above only.
    pub fn publish(
        topic: &str,
        qos: u8,
        id: u16,
        properties: &[u8],
        payload: impl AsRef<[u8]>,
    ) -> Vec<u8> {
        publish_with(topic, qos, id, &self::properties(properties), payload.as_ref())
    }

    /// PUBACK in its long form, with reason code and properties.
    pub fn puback(id: u16, reason: u8, properties: &[u8]) -> Vec<u8> {
        acknowledgement(0x40, id, reason, properties)
    }

    /// PUBREC in its long form.
    pub fn pubrec(id: u16, reason: u8, properties: &[u8]) -> Vec<u8> {
        acknowledgement(0x50, id, reason, properties)
    }

    /// PUBREL in its long form.
    pub fn pubrel(id: u16, reason: u8, properties: &[u8]) -> Vec<u8> {
        acknowledgement(0x62, id, reason, properties)
    }

    /// PUBCOMP in its long form.
    pub fn pubcomp(id: u16, reason: u8, properties: &[u8]) -> Vec<u8> {
        acknowledgement(0x70, id, reason, properties)
    }

    fn acknowledgement(first_byte: u8, id: u16, reason: u8, properties: &[u8]) -> Vec<u8> {
        let body = [&id.to_be_bytes()[..], &[reason], &self::properties(properties)];
        packet(first_byte, &body.concat())
    }

    /// SUBSCRIBE for filters with their option bytes.
    pub fn subscribe(id: u16, properties: &[u8], filters: &[(&str, u8)]) -> Vec<u8> {
        let body =
            [&id.to_be_bytes()[..], &self::properties(properties), &filter_list(filters)].concat();
        packet(0x82, &body)
    }

    /// SUBACK with one reason code for each filter.
    pub fn suback(id: u16, properties: &[u8], reasons: &[u8]) -> Vec<u8> {
        packet(0x90, &[&id.to_be_bytes()[..], &self::properties(properties), reasons].concat())
    }

    /// UNSUBSCRIBE.
    pub fn unsubscribe(id: u16, properties: &[u8], filters: &[&str]) -> Vec<u8> {
        let filters: Vec<u8> = filters.iter().flat_map(counted).collect();
        packet(0xA2, &[&id.to_be_bytes()[..], &self::properties(properties), &filters].concat())
    }

    /// UNSUBACK with one reason code for each filter.
    pub fn unsuback(id: u16, properties: &[u8], reasons: &[u8]) -> Vec<u8> {
        packet(0xB0, &[&id.to_be_bytes()[..], &self::properties(properties), reasons].concat())
    }

    /// DISCONNECT in its long form.
    pub fn disconnect(reason: u8, properties: &[u8]) -> Vec<u8> {
        packet(0xE0, &[&[reason], &self::properties(properties)[..]].concat())
    }

    /// AUTH in its long form.
    pub fn auth(reason: u8, properties: &[u8]) -> Vec<u8> {
        packet(0xF0, &[&[reason], &self::properties(properties)[..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vectors are written out by hand from the tables of the specification.

    #[test]
    fn variable_byte_integers_are_those_of_the_specification() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            assert_eq!(variable(value), bytes, "{value}");
        }
    }

    #[test]
    fn packets_of_3_1_1() {
        assert_eq!(connect(4, "a", true), b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01a");
        assert_eq!(connect(3, "a", false), b"\x10\x0F\0\x06MQIsdp\x03\x00\0\x3C\0\x01a");
        assert_eq!(connack(true, 0), [0x20, 2, 1, 0]);
        assert_eq!(publish("a/b", 0, 9, "x"), b"\x30\x06\0\x03a/bx");
        assert_eq!(publish("a/b", 1, 0x0102, "x"), b"\x32\x08\0\x03a/b\x01\x02x");
        assert_eq!(duplicate(retained(publish("a", 2, 1, ""))), b"\x3D\x05\0\x01a\0\x01");
        assert_eq!(puback(258), [0x40, 2, 1, 2]);
        assert_eq!(pubrec(1), [0x50, 2, 0, 1]);
        assert_eq!(pubrel(1), [0x62, 2, 0, 1]);
        assert_eq!(pubcomp(1), [0x70, 2, 0, 1]);
        assert_eq!(subscribe(1, &[("a", 1), ("#", 0)]), b"\x82\x0A\0\x01\0\x01a\x01\0\x01#\0");
        assert_eq!(suback(1, &[0x80, 2]), [0x90, 4, 0, 1, 0x80, 2]);
        assert_eq!(unsubscribe(1, &["a"]), b"\xA2\x05\0\x01\0\x01a");
        assert_eq!(unsuback(1), [0xB0, 2, 0, 1]);
        assert_eq!([pingreq(), pingresp(), disconnect()].concat(), [0xC0, 0, 0xD0, 0, 0xE0, 0]);
    }

    #[test]
    fn packets_of_5_0() {
        let receive_maximum = [0x21, 0, 10];
        assert_eq!(connect(5, "", true), b"\x10\x0D\0\x04MQTT\x05\x02\0\x3C\0\0\0");
        assert_eq!(v5::connack(false, 0x87, &[]), [0x20, 3, 0, 0x87, 0]);
        assert_eq!(v5::connack(true, 0, &receive_maximum), [0x20, 6, 1, 0, 3, 0x21, 0, 10]);
        assert_eq!(v5::publish("a", 1, 1, &[], "x"), b"\x32\x07\0\x01a\0\x01\0x");
        assert_eq!(v5::puback(1, 0x10, &[]), [0x40, 4, 0, 1, 0x10, 0]);
        assert_eq!(v5::pubrel(1, 0x92, &[]), [0x62, 4, 0, 1, 0x92, 0]);
        assert_eq!(v5::subscribe(1, &[], &[("a", 0x2D)]), b"\x82\x07\0\x01\0\0\x01a\x2D");
        assert_eq!(v5::suback(1, &[], &[1, 0x87]), [0x90, 5, 0, 1, 0, 1, 0x87]);
        assert_eq!(v5::unsubscribe(1, &[], &["a"]), b"\xA2\x06\0\x01\0\0\x01a");
        assert_eq!(v5::unsuback(1, &[], &[0x11]), [0xB0, 4, 0, 1, 0, 0x11]);
        assert_eq!(v5::disconnect(0x8B, &[]), [0xE0, 2, 0x8B, 0]);
        assert_eq!(v5::auth(0x18, &[]), [0xF0, 2, 0x18, 0]);
    }
}
