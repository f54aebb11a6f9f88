//! PUBLISH: a message.
//!
//! The hot packet. Reading and writing it takes a handful of branches, no allocation when reading and
//! at most one when writing.

use super::{
    EncodeError, Frame, MAXIMUM_REMAINING_LENGTH, PacketId, PacketType, Place, Properties,
    PropertyIdentifier, QoS, Version, Violation, topic,
    wire::{Reader, Writer, read_variable, variable_length},
};

/// The bytes of the property Topic Alias.
const ALIAS_LENGTH: usize = 3;

const PACKET: PacketType = PacketType::Publish;

const QOS_3: Violation = Violation::malformed("with QoS 3", "MQTT-3.3.1-4").on(PACKET);
const DUP_QOS_0: Violation =
    Violation::malformed("with QoS 0 and DUP set", "MQTT-3.3.1-2").on(PACKET);
const CUT_TOPIC: &str = "that ends before the end of its topic";
const EMPTY_TOPIC: Violation =
    Violation::malformed("with an empty topic", "MQTT-4.7.3-1").on(PACKET);
const NO_TOPIC: Violation =
    Violation::protocol_error("with neither topic nor topic alias", "").on(PACKET);
const TWO_ALIASES: Violation = Violation::protocol_error("with two topic aliases", "").on(PACKET);
const ID_QOS_0: Violation =
    Violation::malformed("with QoS 0 and a packet id", "MQTT-2.2.1-2").on(PACKET);
const NO_ID: Violation =
    Violation::malformed("with QoS 1 or 2 and no packet id", "MQTT-2.2.1-3").on(PACKET);

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may have been sent before; never at QoS 0.
    pub duplicate: bool,
    /// The quality of service of this hop.
    pub qos: QoS,
    /// To the server: keep it for later subscribers. From the server: it was kept.
    pub retain: bool,
    /// The topic. Under 5.0 it may be empty where a topic alias stands for it.
    pub topic: &'a str,
    /// Present exactly when the QoS is 1 or 2.
    pub packet_id: Option<PacketId>,
    /// What 5.0 says about the message.
    pub properties: Properties<'a>,
    /// The message itself. It is never looked into, also where the payload format indicator says
    /// that it is UTF-8: section 3.3.2.3.2 leaves that check to whoever wants it, and what the text
    /// is worth the application knows best.
    pub payload: &'a [u8],
}

/// A [`Publish`] whose topic has not been checked, for receivers that look the topic up as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is that of Publish")]
pub struct RawPublish<'a> {
    pub duplicate: bool,
    pub qos: QoS,
    pub retain: bool,
    /// The topic: its presence is checked, its encoding and characters are not. A topic that equals
    /// a valid one needs no check; any other goes through [`topic::check_name`].
    pub topic: &'a [u8],
    pub packet_id: Option<PacketId>,
    pub properties: Properties<'a>,
    pub payload: &'a [u8],
}

/// Where the parts of a PUBLISH stand that a sender may have to change later, in bytes from the
/// packet's first byte (which holds DUP, QoS and RETAIN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The length of everything before the payload.
    pub length: usize,
    /// The two bytes of the packet identifier; nothing at QoS 0.
    pub packet_id_at: Option<usize>,
    /// The first property, behind the property length; nothing before 5.0 or without properties.
    pub properties_at: Option<usize>,
}

impl<'a> RawPublish<'a> {
    /// Reads a PUBLISH; the caller has seen that it is one.
    ///
    /// # Errors
    ///
    /// Every broken rule but those of the topic's characters.
    #[inline]
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let flags = frame.flags();
        let duplicate = flags & 0b1000 != 0;
        // [MQTT-3.3.1-4]
        let Some(qos) = QoS::from_u8(flags >> 1 & 0b11) else {
            return Err(QOS_3);
        };
        // [MQTT-3.3.1-2]
        if duplicate && qos == QoS::AtMostOnce {
            return Err(DUP_QOS_0);
        }
        let mut reader = Reader::new(PACKET, frame.body);
        // [MQTT-3.3.2-1]
        let topic = reader.binary().map_err(|violation| violation.said(CUT_TOPIC))?;
        let packet_id = match qos {
            // [MQTT-2.2.1-2]
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(reader.packet_id()?),
        };
        let properties = reader.properties(version, Place::Publish)?;
        if topic.is_empty() {
            check_no_topic(version, properties)?;
        }
        let retain = flags & 1 != 0;
        Ok(Self { duplicate, qos, retain, topic, packet_id, properties, payload: reader.rest() })
    }
}

impl<'a> Publish<'a> {
    /// Reads a PUBLISH; the caller has seen that it is one.
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        let RawPublish { duplicate, qos, retain, topic, packet_id, properties, payload } =
            RawPublish::decode(frame, version)?;
        let topic = match topic {
            // An alias stands for it.
            [] => "",
            // [MQTT-3.3.2-2]
            name => topic::check_name(name).map_err(|error| error.violation().on(PACKET))?,
        };
        Ok(Self { duplicate, qos, retain, topic, packet_id, properties, payload })
    }

    /// Appends the packet to `out`; the answer tells where its parts stand. An empty `out` takes just
    /// the memory that the packet needs.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<Head, EncodeError> {
        self.check_topic(version, 0)?;
        self.encode_checked(version, out)
    }

    /// [`encode`](Self::encode) where [`topic::check_name`] has been asked about the topic, so that
    /// each byte of it is looked at once.
    ///
    /// # Errors
    ///
    /// As for `encode`, but for those of the topic.
    #[inline(always)]
    pub(crate) fn encode_checked(
        &self,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<Head, EncodeError> {
        debug_assert_eq!(self.check_topic(version, 0).err(), None);
        let head = self.write_head(version, self.payload.len(), self.payload.len(), 0, out)?;
        out.extend_from_slice(self.payload);
        Ok(head)
    }

    /// Appends all but the payload, which has `payload_len` bytes and is sent from elsewhere; the
    /// payload of `self` is not looked at.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    #[inline]
    pub fn encode_head(
        &self,
        version: Version,
        payload_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<Head, EncodeError> {
        self.encode_head_aliased(version, payload_len, 0, out)
    }

    /// [`encode`](Self::encode) with this topic alias in front of the properties, which hold none
    /// (5.0). The topic may be empty where the receiver knows what the alias stands for.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    pub fn encode_aliased(
        &self,
        version: Version,
        alias: u16,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.check_topic(version, alias)?;
        self.write_head(version, self.payload.len(), self.payload.len(), alias, out)?;
        out.extend_from_slice(self.payload);
        Ok(())
    }

    /// [`encode_head`](Self::encode_head) with this topic alias, or with none where it is 0, as
    /// [`encode_aliased`](Self::encode_aliased) does it.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    pub fn encode_head_aliased(
        &self,
        version: Version,
        payload_len: usize,
        alias: u16,
        out: &mut Vec<u8>,
    ) -> Result<Head, EncodeError> {
        self.check_topic(version, alias)?;
        self.write_head(version, payload_len, 0, alias, out)
    }

    /// Writes all but the payload and reserves room for `follows` bytes behind it; an alias of 0 is
    /// none. The topic has been checked.
    #[inline(always)]
    fn write_head(
        &self,
        version: Version,
        payload_len: usize,
        follows: usize,
        alias: u16,
        out: &mut Vec<u8>,
    ) -> Result<Head, EncodeError> {
        self.check(version, alias)?;
        let properties = self.properties.as_bytes();
        let property_length = properties.len() + if alias == 0 { 0 } else { ALIAS_LENGTH };
        let property_block =
            if version.is_v5() { variable_length(property_length) + property_length } else { 0 };
        let id = if self.packet_id.is_some() { 2 } else { 0 };
        let before_payload = 2 + self.topic.len() + id + property_block;
        let remaining = before_payload
            .checked_add(payload_len)
            .and_then(|remaining| u32::try_from(remaining).ok())
            .filter(|&remaining| remaining <= MAXIMUM_REMAINING_LENGTH)
            .ok_or(EncodeError::PacketTooLarge)?;
        let header = 1 + variable_length(remaining as usize);
        let length = header + before_payload;
        match out.is_empty() {
            true => out.reserve_exact(length + follows),
            false => out.reserve(length + follows),
        }

        let flags = (self.duplicate as u8) << 3 | (self.qos as u8) << 1 | self.retain as u8;
        let first = (PACKET as u8) << 4 | flags;
        // The topic has been seen to fit its length.
        let [high, low] = (self.topic.len() as u16).to_be_bytes();
        // What stands before the topic is appended in one go: nearly every packet has a length of one
        // or two bytes.
        match remaining {
            0..=0x7F => out.extend_from_slice(&[first, remaining as u8, high, low]),
            0x80..=0x3FFF => {
                let length = [remaining as u8 | 0x80, (remaining >> 7) as u8];
                out.extend_from_slice(&[first, length[0], length[1], high, low]);
            }
            _ => {
                out.push(first);
                Writer::new(out).variable(remaining)?;
                out.extend_from_slice(&[high, low]);
            }
        }
        let mut writer = Writer::new(out);
        writer.raw(self.topic.as_bytes());
        if let Some(id) = self.packet_id {
            writer.packet_id(id);
        }
        if version.is_v5() {
            writer.variable(property_length as u32)?;
            if alias != 0 {
                writer.raw(&alias_property(alias));
            }
            writer.raw(properties);
        }
        Ok(Head {
            length,
            packet_id_at: self.packet_id.map(|_| header + 2 + self.topic.len()),
            properties_at: (!properties.is_empty()).then_some(length - properties.len()),
        })
    }

    #[inline]
    fn check(&self, version: Version, alias: u16) -> Result<(), EncodeError> {
        match (self.qos, self.packet_id) {
            // [MQTT-3.3.1-2]
            (QoS::AtMostOnce, None) if self.duplicate => return Err(DUP_QOS_0.into()),
            (QoS::AtMostOnce, None) => {}
            // [MQTT-2.2.1-2]
            (QoS::AtMostOnce, Some(_)) => return Err(ID_QOS_0.into()),
            // [MQTT-2.2.1-3]
            (_, None) => return Err(NO_ID.into()),
            (_, Some(_)) => {}
        }
        if !self.properties.is_empty() {
            if !version.is_v5() {
                return self.properties.check_absent();
            }
            self.properties.check_place(Place::Publish)?;
        }
        if alias != 0 {
            check_alias(version, self.properties)?;
        }
        Ok(())
    }

    #[inline]
    fn check_topic(&self, version: Version, alias: u16) -> Result<(), EncodeError> {
        if self.topic.is_empty() {
            return match alias {
                0 => Ok(check_no_topic(version, self.properties)?),
                _ => Ok(()),
            };
        }
        // [MQTT-3.3.2-2]
        match topic::check_name_str(self.topic) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.violation().on(PACKET).into()),
        }
    }
}

/// Aliases came with 5.0, and there is one for a packet.
fn check_alias(version: Version, properties: Properties<'_>) -> Result<(), EncodeError> {
    if !version.is_v5() {
        return Err(EncodeError::NotInVersion("topic aliases"));
    }
    match properties.contains(PropertyIdentifier::TopicAlias) {
        true => Err(TWO_ALIASES.into()),
        false => Ok(()),
    }
}

/// The property Topic Alias.
#[inline]
fn alias_property(alias: u16) -> [u8; ALIAS_LENGTH] {
    let [high, low] = alias.to_be_bytes();
    [PropertyIdentifier::TopicAlias as u8, high, low]
}

/// Only a topic alias can stand for a topic.
fn check_no_topic(version: Version, properties: Properties<'_>) -> Result<(), Violation> {
    if !version.is_v5() {
        return Err(EMPTY_TOPIC);
    }
    if properties.contains(PropertyIdentifier::TopicAlias) { Ok(()) } else { Err(NO_TOPIC) }
}

/// Appends a PUBLISH that was encoded before (5.0, with its topic and without an alias) with this
/// topic alias, and without the topic where the alias stands for it (`abbreviated`). `packet` lacks
/// the last `beside` bytes of the payload, and so does what is appended. The answer is where the
/// packet identifier stands in it.
///
/// # Panics
///
/// When `packet` is no such packet, or would become too large.
pub fn encode_again_aliased(
    packet: &[u8],
    beside: usize,
    alias: u16,
    abbreviated: bool,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let length = |at: usize| match read_variable(&packet[at..]) {
        Ok(Some((value, digits))) => (value as usize, digits),
        _ => panic!("a packet that was encoded here has whole lengths"),
    };
    let qos_0 = packet[0] >> 1 & 0b11 == 0;
    let id_length = if qos_0 { 0 } else { size_of::<PacketId>() };
    let topic_at = 1 + length(1).1 + 2;
    let topic_end =
        topic_at + usize::from(u16::from_be_bytes([packet[topic_at - 2], packet[topic_at - 1]]));
    let topic = if abbreviated { &[] } else { &packet[topic_at..topic_end] };
    let (properties, digits) = length(topic_end + id_length);
    let rest = &packet[topic_end + id_length + digits..];
    let properties = properties + ALIAS_LENGTH;
    let before_rest = 2 + topic.len() + id_length + variable_length(properties) + ALIAS_LENGTH;
    let remaining = before_rest + rest.len() + beside;
    let header = 1 + variable_length(remaining);
    out.reserve(header + before_rest + rest.len());
    out.push(packet[0]);
    let mut writer = Writer::new(out);
    let fits = "the caller has seen that it fits";
    writer.variable(remaining as u32).expect(fits);
    writer.two_byte(topic.len() as u16).expect(fits);
    writer.raw(topic);
    writer.raw(&packet[topic_end..topic_end + id_length]);
    writer.variable(properties as u32).expect(fits);
    writer.raw(&alias_property(alias));
    writer.raw(rest);
    (!qos_0).then_some(header + 2 + topic.len())
}
