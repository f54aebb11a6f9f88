//! What the beginning and the end of a connection mean for own messages.

use super::{
    super::{Outcome, SetAside},
    Kept, Outgoing, Output, PacketIds, ServerLimits,
    suspicion::{Isolation, may_be_due_to_a_message},
};
use crate::error::{Code, Error};

impl Outgoing {
    /// The connection is gone. QoS 0 messages that had not been written are gone with it. Where a
    /// `loss` ended it, that may be due to a message; one that has to be set aside is the answer.
    /// `asked` says that a request had no answer yet.
    pub(in crate::engine) fn disconnected(
        &mut self,
        loss: Option<&Error>,
        asked: bool,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Option<SetAside> {
        if let Some(suspect) = self.suspicion.number()
            && self.flights.has_answered_after(suspect)
        {
            self.acquit(suspect);
        }
        // Where the message was to be alone it was not: the finding would not be certain.
        let neighboured =
            self.isolation == Isolation::Alone && (asked || self.flights.is_releasing());
        let due = loss.filter(|loss| !neighboured && may_be_due_to_a_message(loss));
        let found = due.and_then(|loss| Some((self.flights.first_unanswered()?, loss)));
        self.flights.disconnected();
        self.aliases.reset(0);
        self.isolation = Isolation::No;
        let lost = Error::new(
            Code::ConnectionClosed,
            "The connection was lost before the message was written",
        );
        self.end_output(output, lost);
        let (number, loss) = found?;
        if !self.suspicion.find(number) {
            return None;
        }
        let error = Error::from(Code::SetAside).with_source(loss.clone());
        let (kept, outcome) = self.flights.set_aside(number, ids, error.clone())?;
        let set_aside = SetAside {
            number: Some(number),
            topic: Some(String::from_utf8_lossy(kept.topic()).into_owned()),
            size: kept.weight(),
            error,
        };
        self.end((kept, outcome));
        Some(set_aside)
    }

    /// A connection begins: the broker still has the session, or it does not.
    pub(in crate::engine) fn connected(
        &mut self,
        resumed: bool,
        end_on_loss: bool,
        server: ServerLimits,
        ids: &mut PacketIds,
    ) {
        self.server = server;
        self.aliases.reset(server.topic_alias_maximum);
        self.flights.connected(&server);
        self.isolation = self.suspicion.isolation();
        if resumed {
            return self.flights.resume();
        }
        let (ending, returning): (Vec<_>, Vec<_>) = self
            .flights
            .take_all(ids)
            .into_iter()
            .partition(|flight| flight.released || end_on_loss);
        ids.release_retired();
        for flight in ending {
            self.end((flight.kept, Err(Code::SessionLost.into())));
        }
        // Newest first, so that the front of the queue ends up in the original order.
        for flight in returning.into_iter().rev() {
            self.queue.push_front(flight.kept);
        }
    }

    /// Ends everything that has not ended; how many messages that were, without those of QoS 0 in
    /// the output.
    pub(in crate::engine) fn cancel_all(
        &mut self,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> usize {
        let cancelled: Outcome = Err(Code::Cancelled.into());
        self.end_output(output, Code::Cancelled.into());
        let flights = self.flights.take_all(ids).into_iter().map(|flight| flight.kept);
        let mut ending: Vec<Kept> = flights.collect();
        ending.extend(std::iter::from_fn(|| self.queue.pop_front()));
        let count = ending.len();
        for kept in ending {
            self.end((kept, cancelled.clone()));
        }
        count
    }

    /// Ends the QoS 0 messages that have not been written.
    fn end_output(&mut self, output: &mut Output, error: Error) {
        let outcome = Err(error);
        let lost = self.ledger.output_lost(&mut output.qos0, &outcome);
        if let Err(error) = &outcome {
            self.failed.count(error, lost);
        }
    }
}
