//! Options of what is received: limits, where callbacks run, acknowledging.

use super::{Acknowledge, CallbackScope, Dispatch, Failure, Options, not_zero};
use crate::{
    client::Handled,
    error::{Code, Error, Result},
    protocol::{PacketType, ReasonCode},
};

impl Options {
    /// The largest packet that the session accepts, in bytes. Default: what the protocol allows.
    ///
    /// A larger message is not kept in memory while it comes in. Under MQTT 5.0 the broker is told the
    /// limit; one that does not keep it ends the connection, and is refused when it has done so as
    /// often as [`set_set_aside_after`](Self::set_set_aside_after) says. Before, it is skipped and
    /// acknowledged at once. Either is reported as [`Event::SetAside`](crate::client::Event).
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_maximum_packet_size(&mut self, size: u32) -> Result<&mut Self> {
        if size == 0 {
            return Err(Error::new(
                Code::InvalidOption,
                "The maximum packet size must not be zero",
            ));
        }
        self.settings.maximum_packet_size = size;
        Ok(self)
    }

    /// The most unacknowledged messages that the broker may send (MQTT 5.0). Default 65,535; never
    /// more than the incoming queue holds.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_receive_maximum(&mut self, maximum: u16) -> Result<&mut Self> {
        if maximum == 0 {
            return Err(Error::new(Code::InvalidOption, "The receive maximum must not be zero"));
        }
        self.settings.receive_maximum = maximum;
        Ok(self)
    }

    /// The limits of the receiving queue: messages and bytes that have not been handled yet. A
    /// full queue pauses reading and loses nothing. Default 65,535 messages and 16 MiB.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_incoming_limit(&mut self, messages: usize, bytes: usize) -> Result<&mut Self> {
        not_zero(messages, bytes)?;
        (self.habits.incoming_messages, self.habits.incoming_bytes) = (messages, bytes);
        Ok(self)
    }

    /// Where callbacks run. Default: on the library's callback threads.
    pub fn set_dispatch(&mut self, dispatch: Dispatch) -> &mut Self {
        self.dispatch = dispatch;
        self
    }

    /// When received messages are acknowledged. Default: when they have been handled.
    pub fn set_acknowledge(&mut self, acknowledge: Acknowledge) -> &mut Self {
        self.manual = acknowledge == Acknowledge::Manual;
        self.settings.acknowledge_on_receipt = acknowledge == Acknowledge::OnReceipt;
        self
    }

    /// What becomes of a message whose handler failed. Default: it is acknowledged all the same.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a refusal with a reason code that is no error of PUBACK and PUBREC.
    pub fn set_on_failure(&mut self, failure: Failure) -> Result<&mut Self> {
        if let Failure::Refuse(reason) = failure
            && !(reason.is_error() && reason.allowed_in(PacketType::Puback))
        {
            return Err(Error::new(
                Code::InvalidOption,
                "A message can only be refused with a reason code that is an error of PUBACK",
            ));
        }
        self.failure = failure;
        Ok(self)
    }

    /// How a message is acknowledged after its handlers have done this; not at all, or later.
    #[inline]
    pub(crate) fn acknowledgement_after(&self, handled: Handled) -> Option<ReasonCode> {
        match (handled, self.failure) {
            (Handled::Deferred, _) | (Handled::Failed, Failure::Leave) => None,
            (Handled::Failed, Failure::Refuse(reason)) => Some(reason),
            (Handled::Failed, Failure::Acknowledge) | (Handled::Done, _) => {
                (!self.manual).then_some(ReasonCode::Success)
            }
        }
    }

    /// A wrapper round every series of callbacks, for bindings to other languages. What takes
    /// [runs](crate::client::Run) is called without it.
    pub fn set_callback_scope(&mut self, scope: Option<CallbackScope>) -> &mut Self {
        self.callback_scope = scope;
        self
    }
}
