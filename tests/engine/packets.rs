//! What the peer sends, one short constructor for each packet.

use mqttsession::protocol::{
    Ack, Connack, Disconnect, Packet, PacketId, Properties, Property, PropertyBlock, Publish, QoS,
    ReasonCode, Suback, Unsuback,
};

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("a packet id is not 0")
}

/// The block of some properties.
pub(crate) fn properties(of: &[Property<'_>]) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    of.iter().for_each(|&property| block.push(property).expect("a legal property"));
    block
}

pub(crate) fn connack(session_present: bool) -> Packet<'static> {
    Packet::Connack(Connack { session_present, code: 0, properties: Properties::EMPTY })
}

/// A CONNACK without a session, with what the broker announces.
pub(crate) fn connack_with(announced: &PropertyBlock) -> Packet<'_> {
    let properties = announced.as_properties();
    Packet::Connack(Connack { session_present: false, code: 0, properties })
}

pub(crate) fn refusal(code: u8) -> Packet<'static> {
    Packet::Connack(Connack { session_present: false, code, properties: Properties::EMPTY })
}

pub(crate) fn puback(number: u16) -> Packet<'static> {
    Packet::Puback(Ack::success(id(number)))
}

pub(crate) fn pubrec(number: u16) -> Packet<'static> {
    Packet::Pubrec(Ack::success(id(number)))
}

pub(crate) fn pubrel(number: u16) -> Packet<'static> {
    Packet::Pubrel(Ack::success(id(number)))
}

pub(crate) fn pubcomp(number: u16) -> Packet<'static> {
    Packet::Pubcomp(Ack::success(id(number)))
}

/// The fields of an acknowledgement with a reason.
pub(crate) fn because(number: u16, reason: ReasonCode) -> Ack<'static> {
    Ack { reason, ..Ack::success(id(number)) }
}

pub(crate) fn message0<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        duplicate: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        properties: Properties::EMPTY,
        payload: payload.as_bytes(),
    }
}

pub(crate) fn message1<'a>(number: u16, topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish { qos: QoS::AtLeastOnce, packet_id: Some(id(number)), ..message0(topic, payload) }
}

pub(crate) fn message2<'a>(number: u16, topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish { qos: QoS::ExactlyOnce, packet_id: Some(id(number)), ..message0(topic, payload) }
}

/// The same, sent once more.
pub(crate) fn again(message: Publish<'_>) -> Publish<'_> {
    Publish { duplicate: true, ..message }
}

pub(crate) fn suback(number: u16, codes: &[u8]) -> Packet<'_> {
    Packet::Suback(Suback { packet_id: id(number), properties: Properties::EMPTY, codes })
}

pub(crate) fn unsuback(number: u16, codes: &[u8]) -> Packet<'_> {
    Packet::Unsuback(Unsuback { packet_id: id(number), properties: Properties::EMPTY, codes })
}

pub(crate) fn disconnect(reason: ReasonCode) -> Packet<'static> {
    Packet::Disconnect(Disconnect { reason, properties: Properties::EMPTY })
}
