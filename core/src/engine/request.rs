//! One SUBSCRIBE or UNSUBSCRIBE, from the call (or the renewal) to its answer.

use std::borrow::Cow;

use super::{
    Granted, RouteId, Said, Ticket, Unsubscribed, refusal::unsendable, server::ServerLimits,
};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        PacketId, Properties, Property, PropertyBlock, QoS, ReasonCode, SubscriptionOptions,
        Version, encode_subscribe, encode_unsubscribe,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Subscribe,
    Unsubscribe,
}

/// What SUBACK or UNSUBACK says.
pub(super) struct Answer<'a> {
    /// Which of the two it answers.
    pub(super) to: Kind,
    pub(super) codes: &'a [u8],
    pub(super) properties: Properties<'a>,
}

/// A filter of a request.
pub(super) struct Asked {
    pub(super) filter: String,
    /// The route for which it was subscribed; the filter may have got another one since.
    pub(super) route: RouteId,
    /// Why it is not sent on this connection: the broker said in CONNACK that it has no such thing.
    refusal: Option<Error>,
}

impl Asked {
    pub(super) fn new(filter: &str, route: RouteId) -> Self {
        Self { filter: filter.to_owned(), route, refusal: None }
    }
}

pub(super) struct Request {
    pub(super) kind: Kind,
    /// None: a renewal, nobody waits.
    pub(super) ticket: Option<Ticket>,
    pub(super) asked: Vec<Asked>,
    properties: PropertyBlock,
    /// The subscription identifier that the engine adds to the properties, if it adds one and the
    /// broker has such.
    identifier: Option<u32>,
    /// The subscription identifier with which it was sent.
    pub(super) identified_as: Option<u32>,
    /// Present while it is under way.
    pub(super) packet_id: Option<PacketId>,
    /// Sent before, on a connection that was lost.
    again: bool,
}

impl Request {
    pub(super) fn new(
        kind: Kind,
        ticket: Option<Ticket>,
        asked: Vec<Asked>,
        properties: PropertyBlock,
    ) -> Self {
        Self {
            kind,
            ticket,
            asked,
            properties,
            identifier: None,
            identified_as: None,
            packet_id: None,
            again: false,
        }
    }

    /// Adds a subscription identifier.
    pub(super) fn identified_by(self, identifier: Option<u32>) -> Self {
        Self { identifier, ..self }
    }

    /// Sets aside what this broker does not have; whether anything is left to send.
    pub(super) fn check(&mut self, server: &ServerLimits) -> bool {
        if self.kind == Kind::Subscribe {
            let identifier = has_identifier(&self.properties);
            for asked in &mut self.asked {
                asked.refusal = server.allow_filter(&asked.filter, identifier).err();
            }
        }
        self.sent().next().is_some()
    }

    /// The filters that are not set aside.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Asked> {
        self.asked.iter().filter(|asked| asked.refusal.is_none())
    }

    /// Sends it; the error is that of a packet that cannot be encoded or is larger than the broker
    /// takes, and nothing is sent.
    pub(super) fn send(
        &mut self,
        version: Version,
        packet_id: PacketId,
        server: &ServerLimits,
        options: impl Fn(&Asked) -> SubscriptionOptions,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        let properties = with_identifier(&self.properties, self.identifier, server)?;
        let properties = properties.as_properties();
        self.identified_as = properties.subscription_identifiers().next();
        match self.kind {
            Kind::Subscribe => {
                let filters = self.sent().map(|asked| (asked.filter.as_str(), options(asked)));
                encode_subscribe(version, self.again, packet_id, properties, filters, out)
            }
            Kind::Unsubscribe => {
                let filters = self.sent().map(|asked| asked.filter.as_str());
                encode_unsubscribe(version, self.again, packet_id, properties, filters, out)
            }
        }
        .map_err(|error| unsendable("The request", error))?;
        if let Err(error) = server.allow_size(out.len() - start) {
            out.truncate(start);
            return Err(error);
        }
        self.packet_id = Some(packet_id);
        Ok(())
    }

    /// The connection was lost before the answer; its packet id is free again.
    pub(super) fn lost(&mut self) -> Option<PacketId> {
        self.again |= self.packet_id.is_some();
        self.packet_id.take()
    }

    /// How many codes the answer must have.
    pub(super) fn expected_codes(&self, version: Version) -> usize {
        // UNSUBACK has no codes before 5.0.
        if self.kind == Kind::Subscribe || version.is_v5() { self.sent().count() } else { 0 }
    }

    /// One result for each filter from the codes of a SUBACK.
    pub(super) fn granted(&self, codes: &[u8], said: &Said) -> Vec<Result<Granted>> {
        let mut codes = codes.iter();
        let result = |asked: &Asked| match &asked.refusal {
            Some(error) => Err(error.clone()),
            None => granted(*codes.next().expect("they were counted"), &asked.filter, said),
        };
        self.asked.iter().map(result).collect()
    }

    /// One result for each filter from the codes of an UNSUBACK, which has none before 5.0.
    pub(super) fn unsubscribed(&self, codes: &[u8], said: &Said) -> Vec<Result<Unsubscribed>> {
        let codes = codes.iter().copied().chain(std::iter::repeat(0));
        let results = self.asked.iter().zip(codes);
        results.map(|(asked, code)| unsubscribed(code, &asked.filter, said)).collect()
    }

    /// The same result for each filter, but for those that were not sent at all.
    pub(super) fn failures<T>(&self, error: &Error) -> Vec<Result<T>> {
        let failure = |asked: &Asked| Err(asked.refusal.as_ref().unwrap_or(error).clone());
        self.asked.iter().map(failure).collect()
    }
}

pub(super) fn has_identifier(properties: &PropertyBlock) -> bool {
    properties.as_properties().subscription_identifiers().next().is_some()
}

/// The properties of a SUBSCRIBE to this broker.
pub(super) fn with_identifier<'p>(
    properties: &'p PropertyBlock,
    identifier: Option<u32>,
    server: &ServerLimits,
) -> Result<Cow<'p, PropertyBlock>> {
    let Some(identifier) = identifier.filter(|_| server.identifiers) else {
        return Ok(Cow::Borrowed(properties));
    };
    let mut properties = properties.clone();
    properties
        .push(Property::SubscriptionIdentifier(identifier))
        .map_err(|error| unsendable("The subscribe", error))?;
    Ok(Cow::Owned(properties))
}

/// The size of a SUBSCRIBE; the error says why it cannot be encoded.
pub(super) fn measure(
    version: Version,
    filters: &[(&str, SubscriptionOptions)],
    properties: Properties<'_>,
) -> Result<usize> {
    let mut scratch = Vec::new();
    let filters = filters.iter().copied();
    encode_subscribe(version, false, PacketId::MIN, properties, filters, &mut scratch)
        .map_err(|error| unsendable("The subscribe", error))?;
    Ok(scratch.len())
}

fn granted(code: u8, filter: &str, said: &Said) -> Result<Granted> {
    QoS::from_u8(code).map(|qos| Granted { qos, said: said.clone() }).ok_or_else(|| {
        let sentence =
            format!("The broker refused the subscription to {filter}: {}", reason_name(code));
        refused(Code::SubscribeRefused, sentence, code, said)
    })
}

/// 0x11, no subscription existed, is what the program wanted.
fn unsubscribed(code: u8, filter: &str, said: &Said) -> Result<Unsubscribed> {
    match ReasonCode::from_u8(code) {
        Some(reason) if !reason.is_error() => Ok(Unsubscribed { reason, said: said.clone() }),
        _ => {
            let sentence = format!(
                "The broker refused to end the subscription to {filter}: {}",
                reason_name(code)
            );
            Err(refused(Code::UnsubscribeRefused, sentence, code, said))
        }
    }
}

fn refused(kind: Code, sentence: String, code: u8, said: &Said) -> Error {
    Error::new(kind, sentence)
        .with_reason(code, said.reason_string())
        .with_user_properties(said.properties().user_properties())
}

fn reason_name(code: u8) -> &'static str {
    ReasonCode::from_u8(code).map_or("no such reason code", ReasonCode::name)
}
