//! A message that has not ended.

use super::{Completion, encoded::Encoded};
use crate::protocol::QoS;

/// Who a message is and who is told of its end: all of it that is needed without its packet.
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) qos: QoS,
    pub(super) completion: Option<Completion>,
}

/// A message with its packet, which may still have to be sent.
pub(super) struct Kept {
    pub(super) pending: Pending,
    pub(super) packet: Encoded,
}
