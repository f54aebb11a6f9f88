//! Which message the broker cannot take without ending the connection.
//!
//! A broker that breaks down over a message breaks down over it again when it is sent again, for
//! ever. What can be seen from here is the oldest message that it had not answered when it ended the
//! connection. One that is found there several times in a row is sent alone, once a ping has shown
//! that the connection lives without it: then the finding is certain, and neither a neighbour nor the
//! victim of a broker that ends every connection is blamed. When the connection ends on it once more,
//! and nothing else had to be answered, it is set aside. When the connection lives on with it, too,
//! until the next ping, the others need not wait any longer.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
};

use crate::{
    error::{Code, Error},
    protocol::ReasonCode,
};

/// After so many findings a message is sent alone.
const CERTAIN_AFTER: u32 = 2;

/// Whether a suspect is sent alone on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// There is none that would have to.
    No,
    /// It will be, when the broker has answered a ping.
    Asking,
    /// It is: no other message leaves until the broker has answered for it.
    Alone,
}

pub(super) struct Suspicion {
    /// After how many findings in a row a message is set aside; 0 is never.
    limit: u32,
    suspect: Option<Suspect>,
}

struct Suspect {
    number: u64,
    /// How many connections in a row ended on it.
    findings: u32,
}

impl Suspicion {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, suspect: None }
    }

    /// How a connection begins.
    pub(super) fn isolation(&self) -> Isolation {
        // Where fewer findings suffice, the last of them is still to be certain.
        let from = CERTAIN_AFTER.min(self.limit.saturating_sub(1)).max(1);
        match &self.suspect {
            Some(suspect) if suspect.findings >= from => Isolation::Asking,
            _ => Isolation::No,
        }
    }

    /// The broker ended a connection on this message; whether it is to be set aside.
    pub(super) fn find(&mut self, number: u64) -> bool {
        if self.limit == 0 {
            return false;
        }
        let findings = match &self.suspect {
            Some(suspect) if suspect.number == number => suspect.findings + 1,
            _ => 1,
        };
        self.suspect = Some(Suspect { number, findings });
        findings >= self.limit
    }

    /// The suspect, if there is one.
    pub(super) fn number(&self) -> Option<u64> {
        self.suspect.as_ref().map(|suspect| suspect.number)
    }

    /// The broker has answered for this message, or it has ended. Whether it was the suspect.
    #[inline]
    pub(super) fn clear(&mut self, number: u64) -> bool {
        self.suspect.take_if(|suspect| suspect.number == number).is_some()
    }
}

/// Whether a connection that ended like this may have ended on a message: the broker did it, and
/// gives no other reason.
pub(super) fn may_be_due_to_a_message(loss: &Error) -> bool {
    match loss.code() {
        // A network that lost the other side is no judgement of the broker's.
        Code::ConnectionReset | Code::ConnectionClosed => !is_timeout(loss),
        Code::MalformedPacket | Code::ProtocolError => true,
        Code::ServerDisconnected | Code::NotAuthorized => {
            loss.reason_code().and_then(ReasonCode::from_u8).is_none_or(is_about_a_packet)
        }
        _ => false,
    }
}

fn is_timeout(loss: &Error) -> bool {
    let cause = loss.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == ErrorKind::TimedOut)
}

/// Whether a DISCONNECT with this reason speaks of what it was sent, and not of the broker's or the
/// session's state.
fn is_about_a_packet(reason: ReasonCode) -> bool {
    use ReasonCode::*;
    !matches!(
        reason,
        Success
            | ServerBusy
            | ServerShuttingDown
            | KeepAliveTimeout
            | SessionTakenOver
            | MessageRateTooHigh
            | AdministrativeAction
            | UseAnotherServer
            | ServerMoved
            | ConnectionRateExceeded
            | MaximumConnectTime
    )
}
