//! What the broker said in CONNACK that it will and will not take (MQTT 5.0, 3.2.2.3).

use crate::{
    error::{Code, Error, Result},
    protocol::{Properties, QoS},
};

use super::settings::LARGEST_PACKET;

/// The broker's limits on this connection; before 5.0 there are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerLimits {
    pub(super) receive_maximum: u16,
    maximum_qos: QoS,
    pub(super) topic_alias_maximum: u16,
    retain: bool,
    pub(super) maximum_packet_size: usize,
    wildcards: bool,
    shared: bool,
    pub(super) identifiers: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self::new(Properties::EMPTY)
    }
}

impl ServerLimits {
    pub(super) fn new(said: Properties<'_>) -> Self {
        let yes = |value: Option<u8>| value != Some(0);
        Self {
            receive_maximum: said.receive_maximum().unwrap_or(u16::MAX),
            maximum_qos: said.maximum_qos().and_then(QoS::from_u8).unwrap_or(QoS::ExactlyOnce),
            topic_alias_maximum: said.topic_alias_maximum().unwrap_or(0),
            retain: yes(said.retain_available()),
            maximum_packet_size: said.maximum_packet_size().unwrap_or(LARGEST_PACKET) as usize,
            wildcards: yes(said.wildcard_subscription_available()),
            shared: yes(said.shared_subscription_available()),
            identifiers: yes(said.subscription_identifiers_available()),
        }
    }

    /// Whether a message may be sent at all [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15],
    /// [MQTT-3.2.2-17]. `size` is that of the packet; `alias` is 0 without one.
    #[inline]
    pub(super) fn allow(&self, qos: QoS, retain: bool, size: usize, alias: u16) -> Result<()> {
        if qos <= self.maximum_qos
            && (!retain || self.retain)
            && size <= self.maximum_packet_size
            && alias <= self.topic_alias_maximum
        {
            return Ok(());
        }
        self.refuse(qos, size, alias)
    }

    #[cold]
    fn refuse(&self, qos: QoS, size: usize, alias: u16) -> Result<()> {
        self.allow_size(size)?;
        Err(if alias > self.topic_alias_maximum {
            Error::new(
                Code::NotSupported,
                format!("The broker takes topic aliases up to {}", self.topic_alias_maximum),
            )
        } else if qos > self.maximum_qos {
            Error::new(
                Code::NotSupported,
                format!("The broker takes no messages above QoS {}", self.maximum_qos as u8),
            )
        } else {
            Error::new(Code::NotSupported, "The broker keeps no retained messages")
        })
    }

    /// Whether a packet may have this size [MQTT-3.2.2-15].
    pub(super) fn allow_size(&self, size: usize) -> Result<()> {
        if size <= self.maximum_packet_size {
            return Ok(());
        }
        Err(Error::new(
            Code::PayloadTooLarge,
            format!(
                "The broker takes packets of at most {} bytes; this one would have {size}",
                self.maximum_packet_size
            ),
        ))
    }

    /// Whether a filter may be subscribed.
    pub(super) fn allow_filter(&self, filter: &str, identifier: bool) -> Result<()> {
        let refusal = if !self.shared && filter.starts_with("$share/") {
            "The broker has no shared subscriptions"
        } else if !self.wildcards && filter.contains(['+', '#']) {
            "The broker has no wildcard subscriptions"
        } else if identifier && !self.identifiers {
            "The broker has no subscription identifiers"
        } else {
            return Ok(());
        };
        Err(Error::new(Code::NotSupported, refusal))
    }
}
