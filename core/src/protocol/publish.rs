//! PUBLISH: a message.
//!
//! The hot packet. Reading and writing it takes a handful of branches, no allocation when reading and
//! at most one when writing.

use super::{
    EncodeError, Frame, MAXIMUM_REMAINING_LENGTH, PacketId, PacketType, Place, Properties,
    PropertyIdentifier, QoS, Version, Violation, topic,
    wire::{Reader, Writer, variable_length},
};

const PACKET: PacketType = PacketType::Publish;

const QOS_3: Violation = Violation::malformed("with QoS 3", "MQTT-3.3.1-4").on(PACKET);
const DUP_QOS_0: Violation =
    Violation::malformed("with QoS 0 and DUP set", "MQTT-3.3.1-2").on(PACKET);
const CUT_TOPIC: &str = "that ends before the end of its topic";
const EMPTY_TOPIC: Violation =
    Violation::malformed("with an empty topic", "MQTT-4.7.3-1").on(PACKET);
const NO_TOPIC: Violation =
    Violation::protocol_error("with neither topic nor topic alias", "").on(PACKET);
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

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write_head(version, self.payload.len(), self.payload.len(), out)?;
        out.extend_from_slice(self.payload);
        Ok(())
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
        self.write_head(version, payload_len, 0, out)
    }

    /// Writes all but the payload and reserves room for `follows` bytes behind it.
    #[inline]
    fn write_head(
        &self,
        version: Version,
        payload_len: usize,
        follows: usize,
        out: &mut Vec<u8>,
    ) -> Result<Head, EncodeError> {
        self.check(version)?;
        let properties = self.properties.as_bytes();
        let property_block =
            if version.is_v5() { variable_length(properties.len()) + properties.len() } else { 0 };
        let id = if self.packet_id.is_some() { 2 } else { 0 };
        let before_payload = 2 + self.topic.len() + id + property_block;
        let remaining = before_payload
            .checked_add(payload_len)
            .and_then(|remaining| u32::try_from(remaining).ok())
            .filter(|&remaining| remaining <= MAXIMUM_REMAINING_LENGTH)
            .ok_or(EncodeError::PacketTooLarge)?;
        let header = 1 + variable_length(remaining as usize);
        let length = header + before_payload;
        out.reserve(length + follows);

        let flags = (self.duplicate as u8) << 3 | (self.qos as u8) << 1 | self.retain as u8;
        out.push((PACKET as u8) << 4 | flags);
        let mut writer = Writer::new(out);
        writer.variable(remaining)?;
        // `check` has seen that the topic fits its length.
        writer.two_byte(self.topic.len() as u16)?;
        writer.raw(self.topic.as_bytes());
        if let Some(id) = self.packet_id {
            writer.packet_id(id);
        }
        if version.is_v5() {
            writer.variable(properties.len() as u32)?;
            writer.raw(properties);
        }
        Ok(Head {
            length,
            packet_id_at: self.packet_id.map(|_| header + 2 + self.topic.len()),
            properties_at: (!properties.is_empty()).then_some(length - properties.len()),
        })
    }

    #[inline]
    fn check(&self, version: Version) -> Result<(), EncodeError> {
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
        if self.topic.is_empty() {
            return Ok(check_no_topic(version, self.properties)?);
        }
        // [MQTT-3.3.2-2]
        match topic::check_characters(self.topic.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.violation().on(PACKET).into()),
        }
    }
}

/// Only a topic alias can stand for a topic.
fn check_no_topic(version: Version, properties: Properties<'_>) -> Result<(), Violation> {
    if !version.is_v5() {
        return Err(EMPTY_TOPIC);
    }
    if properties.contains(PropertyIdentifier::TopicAlias) { Ok(()) } else { Err(NO_TOPIC) }
}
