//! What CONNECT announces under 5.0, and a broker that does not keep to it.

use mqttsession::{
    error::Code,
    protocol::{
        Ack, Connack, Disconnect, Packet, Property, PropertyBlock, Publish, ReasonCode, Suback,
        Unsuback, Version,
    },
};

use crate::{
    packets::{id, message0, properties, pubrec},
    pair::Pair,
};

/// A packet from the broker, and what has to go before it.
type Carrier<'a> = (Packet<'a>, fn(&mut Pair));

/// Every packet that can carry these properties once the session is online.
fn carriers(properties: &PropertyBlock) -> Vec<Carrier<'_>> {
    let properties = properties.as_properties();
    let ack = Ack { properties, ..Ack::success(id(1)) };
    let codes: &[u8] = &[0];
    vec![
        (Packet::Puback(ack), |pair| {
            pair.publish(1, "a", "x");
        }),
        (Packet::Pubrec(ack), |pair| {
            pair.publish(2, "a", "x");
        }),
        (Packet::Pubrel(ack), |_| {}),
        (Packet::Pubcomp(ack), |pair| {
            pair.publish(2, "a", "x");
            pair.sent();
            pair.receive(pubrec(1));
        }),
        (Packet::Suback(Suback { packet_id: id(1), properties, codes }), |pair| {
            pair.subscribe(&["a:0"]);
        }),
        (Packet::Unsuback(Unsuback { packet_id: id(2), properties, codes }), |pair| {
            pair.granted("a:0");
            pair.unsubscribe(&["a"]);
        }),
        (Packet::Publish(Publish { properties, ..message0("a", "") }), |_| {}),
        (Packet::Disconnect(Disconnect { reason: ReasonCode::ServerBusy, properties }), |_| {}),
    ]
}

fn announcing(announced: Property<'_>) -> Pair {
    Pair::with(Version::V5, |settings| settings.properties = properties(&[announced]))
}

/// [MQTT-3.1.2-29]: at 0, only PUBLISH, CONNACK and DISCONNECT say more than a code.
#[test]
fn problem_information_that_is_not_wanted_breaks_the_protocol() {
    for told in [Property::ReasonString("no"), Property::UserProperty("k", "v")] {
        let told = properties(&[told]);
        for (packet, before) in carriers(&told) {
            let mut pair = announcing(Property::RequestProblemInformation(0)).connected();
            before(&mut pair);
            pair.sent();
            match packet {
                Packet::Publish(message) if told.as_properties().reason_string().is_none() => {
                    pair.deliver(message);
                }
                Packet::Publish(_) => {}
                Packet::Disconnect(_) => {
                    assert_eq!(pair.fault(packet).code(), Code::ServerDisconnected);
                }
                _ => {
                    assert_eq!(pair.fault(packet).code(), Code::ProtocolError, "{packet:?}");
                    assert_eq!(pair.sent(), ["DISCONNECT 0x82"]);
                }
            }
        }
        let mut pair = announcing(Property::RequestProblemInformation(0));
        pair.connect(false);
        let properties = told.as_properties();
        pair.receive(Packet::Connack(Connack { session_present: false, code: 0, properties }));
    }
}

#[test]
fn problem_information_is_welcome_unless_it_was_declined() {
    let told = properties(&[Property::UserProperty("k", "v")]);
    for welcome in [Property::RequestProblemInformation(1), Property::SessionExpiryInterval(0)] {
        for (packet, before) in carriers(&told) {
            let mut pair = announcing(welcome).connected();
            before(&mut pair);
            match packet {
                Packet::Disconnect(_) => drop(pair.fault(packet)),
                _ => drop(pair.receive(packet)),
            }
        }
    }
}

/// [MQTT-3.1.2-24], and with it every statement that forbids a property which makes a packet too
/// large: the whole packet counts, whatever it is and whatever made it long.
#[test]
fn a_property_that_makes_a_packet_too_large_makes_it_too_large() {
    let long = "x".repeat(100);
    let told = properties(&[Property::UserProperty("k", &long)]);
    for (packet, before) in carriers(&told) {
        let mut pair = Pair::with(Version::V5, |settings| settings.maximum_packet_size = 100);
        pair = pair.connected();
        before(&mut pair);
        pair.sent();
        assert_eq!(pair.fault(packet).code(), Code::PacketTooLarge, "{packet:?}");
        assert_eq!(pair.sent(), ["DISCONNECT 0x95"]);
    }
    let mut pair = Pair::with(Version::V5, |settings| settings.maximum_packet_size = 100);
    pair.connect(false);
    let properties = told.as_properties();
    let connack = Packet::Connack(Connack { session_present: false, code: 0, properties });
    assert_eq!(pair.fault(connack).code(), Code::PacketTooLarge);
}
