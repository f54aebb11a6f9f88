//! What is written is read back equal, whatever it is; what is read can be written.

use mqttsession::protocol::{
    Ack, Auth, Connack, Connect, Cut, Disconnect, MAXIMUM_REMAINING_LENGTH, Packet, PacketId,
    PacketType, Place, Property, PropertyBlock, PropertyIdentifier as Identifier, Publish, QoS,
    ReasonCode, RetainHandling, Suback, SubscriptionOptions, Unsuback, Version, Will, cut,
    encode_again_aliased, encode_subscribe, encode_unsubscribe,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{ALL, decode};

/// The packet survives being written behind other bytes and read.
fn round_trip(version: Version, packet: Packet<'_>) -> Result<(), TestCaseError> {
    let mut out = b"before".to_vec();
    packet.encode(version, &mut out).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(decode(version, &out[6..]), Ok(packet));
    Ok(())
}

fn version() -> impl Strategy<Value = Version> {
    select(ALL)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|number| PacketId::new(number).unwrap_or(PacketId::MIN))
}

fn text() -> impl Strategy<Value = String> {
    r"[^\x00]{0,12}"
}

fn topic() -> impl Strategy<Value = String> {
    r"[^\x00+#]{1,12}"
}

fn filter() -> impl Strategy<Value = String> {
    let levels = vec(prop_oneof![Just("+".to_owned()), r"[^\x00+#/$]{0,4}"], 1..5);
    (levels, any::<bool>(), any::<bool>()).prop_filter_map("empty", |(levels, rest, shared)| {
        let mut filter = levels.join("/");
        if rest {
            filter.push_str("/#");
        }
        if filter.is_empty() {
            return None;
        }
        Some(if shared { format!("$share/group/{filter}") } else { filter })
    })
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 100..300)]
}

/// Properties for this place; none before 5.0.
fn properties(version: Version, place: Place) -> impl Strategy<Value = PropertyBlock> {
    let allowed: Vec<Identifier> =
        Identifier::ALL.iter().copied().filter(|one| one.allowed_in(place)).collect();
    let most = if version.is_v5() { 12 } else { 0 };
    vec((select(allowed), any::<u32>(), text(), topic(), payload()), 0..=most).prop_map(
        move |draws| {
            let mut block = PropertyBlock::new();
            for (identifier, number, text, topic, bytes) in &draws {
                let repeatable = *identifier == Identifier::UserProperty
                    || *identifier == Identifier::SubscriptionIdentifier && place == Place::Publish;
                if repeatable || !block.as_properties().contains(*identifier) {
                    block.push(property(*identifier, *number, text, topic, bytes)).unwrap();
                }
            }
            block
        },
    )
}

/// A property of this kind with a valid value.
fn property<'a>(
    identifier: Identifier,
    number: u32,
    text: &'a str,
    topic: &'a str,
    bytes: &'a [u8],
) -> Property<'a> {
    let boolean = (number & 1) as u8;
    let short = number as u16;
    match identifier {
        Identifier::PayloadFormatIndicator => Property::PayloadFormatIndicator(boolean),
        Identifier::MessageExpiryInterval => Property::MessageExpiryInterval(number),
        Identifier::ContentType => Property::ContentType(text),
        Identifier::ResponseTopic => Property::ResponseTopic(topic),
        Identifier::CorrelationData => Property::CorrelationData(bytes),
        Identifier::SubscriptionIdentifier => {
            Property::SubscriptionIdentifier(number % MAXIMUM_REMAINING_LENGTH + 1)
        }
        Identifier::SessionExpiryInterval => Property::SessionExpiryInterval(number),
        Identifier::AssignedClientIdentifier => Property::AssignedClientIdentifier(text),
        Identifier::ServerKeepAlive => Property::ServerKeepAlive(short),
        Identifier::AuthenticationMethod => Property::AuthenticationMethod(text),
        Identifier::AuthenticationData => Property::AuthenticationData(bytes),
        Identifier::RequestProblemInformation => Property::RequestProblemInformation(boolean),
        Identifier::WillDelayInterval => Property::WillDelayInterval(number),
        Identifier::RequestResponseInformation => Property::RequestResponseInformation(boolean),
        Identifier::ResponseInformation => Property::ResponseInformation(text),
        Identifier::ServerReference => Property::ServerReference(text),
        Identifier::ReasonString => Property::ReasonString(text),
        Identifier::ReceiveMaximum => Property::ReceiveMaximum(short.max(1)),
        Identifier::TopicAliasMaximum => Property::TopicAliasMaximum(short),
        Identifier::TopicAlias => Property::TopicAlias(short.max(1)),
        Identifier::MaximumQos => Property::MaximumQos(boolean),
        Identifier::RetainAvailable => Property::RetainAvailable(boolean),
        Identifier::UserProperty => Property::UserProperty(text, topic),
        Identifier::MaximumPacketSize => Property::MaximumPacketSize(number.max(1)),
        Identifier::WildcardSubscriptionAvailable => {
            Property::WildcardSubscriptionAvailable(boolean)
        }
        Identifier::SubscriptionIdentifiersAvailable => {
            Property::SubscriptionIdentifiersAvailable(boolean)
        }
        Identifier::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(boolean),
    }
}

/// A version, and properties of this place for it.
fn place(place: Place) -> impl Strategy<Value = (Version, PropertyBlock)> {
    version().prop_flat_map(move |version| (Just(version), properties(version, place)))
}

fn reason(packet: PacketType) -> impl Strategy<Value = ReasonCode> {
    let allowed: Vec<ReasonCode> =
        ReasonCode::ALL.iter().copied().filter(|one| one.allowed_in(packet)).collect();
    select(allowed)
}

fn codes(packet: PacketType) -> impl Strategy<Value = Vec<u8>> {
    vec(reason(packet).prop_map(ReasonCode::as_u8), 1..6)
}

fn options() -> impl Strategy<Value = SubscriptionOptions> {
    let retain_handling =
        select(vec![RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    (qos(), any::<bool>(), any::<bool>(), retain_handling).prop_map(
        |(qos, no_local, retain_as_published, retain_handling)| SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        },
    )
}

proptest! {
    #[test]
    fn connect(
        (version, mut block) in place(Place::Connect),
        will_properties in properties(Version::V5, Place::Will),
        (clean_start, keep_alive, client_id) in (any::<bool>(), any::<u16>(), topic()),
        will in option::of((topic(), payload(), qos(), any::<bool>())),
        user_name in option::of(text()),
        password in option::of(payload()),
    ) {
        if !block.as_properties().contains(Identifier::AuthenticationMethod) {
            block.remove(Identifier::AuthenticationData);
        }
        let none = PropertyBlock::new();
        let will_properties = if version.is_v5() { &will_properties } else { &none };
        let will = will.as_ref().map(|(topic, payload, qos, retain)| Will {
            topic,
            payload,
            qos: *qos,
            retain: *retain,
            properties: will_properties.as_properties(),
        });
        let alone = user_name.is_none() && !version.is_v5();
        round_trip(version, Packet::Connect(Connect {
            clean_start,
            keep_alive,
            client_id: &client_id,
            will,
            user_name: user_name.as_deref(),
            password: password.as_deref().filter(|_| !alone),
            properties: block.as_properties(),
        }))?;
    }

    #[test]
    fn connack(
        (version, block) in place(Place::Connack),
        session_present: bool,
        return_code in 0..=5_u8,
        reason in reason(PacketType::Connack),
    ) {
        let code = if version.is_v5() { reason.as_u8() } else { return_code };
        let session_present = session_present && code == 0 && version != Version::V31;
        let properties = block.as_properties();
        round_trip(version, Packet::Connack(Connack { session_present, code, properties }))?;
    }

    #[test]
    fn publish(
        (version, block) in place(Place::Publish),
        (duplicate, retain, qos, packet_id) in (any::<bool>(), any::<bool>(), qos(), packet_id()),
        topic in topic(),
        payload in payload(),
        no_topic: bool,
    ) {
        let properties = block.as_properties();
        let above_0 = qos != QoS::AtMostOnce;
        round_trip(version, Packet::Publish(Publish {
            duplicate: duplicate && above_0,
            qos,
            retain,
            topic: if no_topic && properties.topic_alias().is_some() { "" } else { &topic },
            packet_id: above_0.then_some(packet_id),
            properties,
            payload: &payload,
        }))?;
    }

    #[test]
    fn an_alias_is_one_property_more_and_may_stand_for_the_topic(
        mut block in properties(Version::V5, Place::Publish),
        (retain, qos, packet_id) in (any::<bool>(), qos(), packet_id()),
        (topic, payload, abbreviated) in (topic(), payload(), any::<bool>()),
        (alias, beside) in (1..=u16::MAX, 0..300_usize),
    ) {
        block.remove(Identifier::TopicAlias);
        let whole = Publish {
            duplicate: false,
            qos,
            retain,
            topic: &topic,
            packet_id: (qos != QoS::AtMostOnce).then_some(packet_id),
            properties: block.as_properties(),
            payload: &payload,
        };
        let spelled = Publish { topic: if abbreviated { "" } else { &topic }, ..whole };
        let mut with = PropertyBlock::new();
        with.push(Property::TopicAlias(alias)).unwrap();
        for property in whole.properties {
            with.push(property).unwrap();
        }
        let mut once = b"before".to_vec();
        spelled.encode_aliased(Version::V5, alias, &mut once).unwrap();
        let expected = Publish { properties: with.as_properties(), ..spelled };
        prop_assert_eq!(decode(Version::V5, &once[6..]), Ok(Packet::Publish(expected)));
        // What was encoded before becomes the same, also where its payload stands elsewhere.
        let (mut first, mut again) = (Vec::new(), b"before".to_vec());
        whole.encode(Version::V5, &mut first).unwrap();
        encode_again_aliased(&first, 0, alias, abbreviated, &mut again);
        prop_assert_eq!(&again, &once);
        let (mut head, mut head_again, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        whole.encode_head(Version::V5, beside, &mut head).unwrap();
        let id_at = encode_again_aliased(&head, beside, alias, abbreviated, &mut head_again);
        let written = spelled.encode_head_aliased(Version::V5, beside, alias, &mut expected);
        prop_assert_eq!(&head_again, &expected);
        prop_assert_eq!(id_at, written.unwrap().packet_id_at);
    }

    #[test]
    fn acknowledgements(
        ((version, block), packet_id) in (place(Place::Puback), packet_id()),
        answer in reason(PacketType::Puback),
        step in reason(PacketType::Pubrel),
    ) {
        let ack = |reason| Ack {
            packet_id,
            reason: if version.is_v5() { reason } else { ReasonCode::Success },
            properties: block.as_properties(),
        };
        round_trip(version, Packet::Puback(ack(answer)))?;
        round_trip(version, Packet::Pubrec(ack(answer)))?;
        round_trip(version, Packet::Pubrel(ack(step)))?;
        round_trip(version, Packet::Pubcomp(ack(step)))?;
    }

    #[test]
    fn subscribe(
        ((version, block), packet_id) in (place(Place::Subscribe), packet_id()),
        duplicate: bool,
        filters in vec((filter(), options()), 1..5),
    ) {
        let filters: Vec<(&str, SubscriptionOptions)> = filters
            .iter()
            .map(|(filter, options)| {
                let no_local = options.no_local && !filter.starts_with("$share/");
                let plain = SubscriptionOptions { qos: options.qos, ..Default::default() };
                let full = SubscriptionOptions { no_local, ..*options };
                (filter.as_str(), if version.is_v5() { full } else { plain })
            })
            .collect();
        let properties = block.as_properties();
        let mut out = Vec::new();
        let given = filters.iter().copied();
        encode_subscribe(version, duplicate, packet_id, properties, given, &mut out).unwrap();
        match decode(version, &out) {
            Ok(packet @ Packet::Subscribe(subscribe)) => {
                prop_assert_eq!(subscribe.packet_id, packet_id);
                prop_assert_eq!(subscribe.properties, properties);
                prop_assert_eq!(subscribe.filters.iter().collect::<Vec<_>>(), filters);
                round_trip(version, packet)?;
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn unsubscribe(
        ((version, block), packet_id) in (place(Place::Unsubscribe), packet_id()),
        duplicate: bool,
        filters in vec(filter(), 1..5),
    ) {
        let properties = block.as_properties();
        let mut out = Vec::new();
        let given = filters.iter().map(String::as_str);
        encode_unsubscribe(version, duplicate, packet_id, properties, given, &mut out).unwrap();
        match decode(version, &out) {
            Ok(packet @ Packet::Unsubscribe(unsubscribe)) => {
                prop_assert_eq!(unsubscribe.packet_id, packet_id);
                prop_assert_eq!(unsubscribe.properties, properties);
                prop_assert_eq!(unsubscribe.filters.iter().collect::<Vec<_>>(), filters);
                round_trip(version, packet)?;
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn answers_with_codes(
        ((version, block), packet_id) in (place(Place::Suback), packet_id()),
        granted in vec(0..=2_u8, 1..6),
        subscribed in codes(PacketType::Suback),
        unsubscribed in codes(PacketType::Unsuback),
    ) {
        let properties = block.as_properties();
        let codes = if version.is_v5() { &subscribed } else { &granted };
        round_trip(version, Packet::Suback(Suback { packet_id, properties, codes }))?;
        let codes = if version.is_v5() { unsubscribed.as_slice() } else { &[] };
        round_trip(version, Packet::Unsuback(Unsuback { packet_id, properties, codes }))?;
    }

    #[test]
    fn disconnect(
        (version, block) in place(Place::Disconnect),
        reason in reason(PacketType::Disconnect),
    ) {
        let reason = if version.is_v5() { reason } else { ReasonCode::Success };
        let properties = block.as_properties();
        round_trip(version, Packet::Disconnect(Disconnect { reason, properties }))?;
    }

    #[test]
    fn auth(
        mut block in properties(Version::V5, Place::Auth),
        reason in reason(PacketType::Auth),
    ) {
        if !block.as_properties().contains(Identifier::AuthenticationMethod) {
            block.push(Property::AuthenticationMethod("m")).unwrap();
        }
        let properties = block.as_properties();
        round_trip(Version::V5, Packet::Auth(Auth { reason, properties }))?;
    }

    /// Bytes from anywhere: no panic, and what is read can be written and read again.
    #[test]
    fn any_bytes(
        version in version(),
        first: u8,
        body in vec(prop_oneof![0..=5_u8, any::<u8>()], 0..40),
    ) {
        let bytes = [&[first, body.len() as u8], body.as_slice()].concat();
        if let Ok(Cut::Whole { frame, .. }) = cut(&bytes, u32::MAX)
            && let Ok(packet) = Packet::decode(frame, version)
        {
            round_trip(version, packet)?;
        }
    }
}
