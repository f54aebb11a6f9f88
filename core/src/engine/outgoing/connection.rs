//! What the beginning and the end of a connection mean for own messages.

use super::{
    super::{Outcome, SetAside, record::Record},
    Kept, Outbox, Outgoing, PacketIds, Pending, ServerLimits, Tools,
    suspicion::{Isolation, may_be_due_to_a_message},
};
use crate::{
    error::{Code, Error},
    protocol::QoS,
};

impl Outgoing {
    /// The connection is gone. QoS 0 messages that had not been written are gone with it. Where a
    /// `loss` ended it, that may be due to a message; one that has to be set aside is the answer.
    /// `asked` says that a request had no answer yet.
    pub(in crate::engine) fn disconnected(
        &mut self,
        loss: Option<&Error>,
        asked: bool,
        Tools { ids, output, journal }: Tools<'_>,
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
        let packet = self.flights.packet(number)?;
        let set_aside = SetAside {
            number: Some(number),
            topic: Some(String::from_utf8_lossy(packet.topic()).into_owned()),
            size: packet.weight(),
            error: error.clone(),
        };
        let landed = self.flights.set_aside(number, ids, journal, error)?;
        self.end(landed, journal);
        Some(set_aside)
    }

    /// A connection begins: the broker still has the session, or it does not. The answer is how many
    /// messages are published as new then, and how many ended.
    pub(in crate::engine) fn connected(
        &mut self,
        resumed: bool,
        end_on_loss: bool,
        server: ServerLimits,
        Tools { ids, journal, .. }: Tools<'_>,
    ) -> (usize, usize) {
        self.server = server;
        self.aliases.reset(server.topic_alias_maximum);
        self.flights.connected(&server);
        self.isolation = self.suspicion.isolation();
        if resumed {
            self.flights.resume();
            return (0, 0);
        }
        let (ending, returning): (Vec<_>, Vec<_>) = self
            .flights
            .take_all(ids)
            .into_iter()
            .partition(|(_, released)| *released || end_on_loss);
        ids.release_retired();
        let loss = (returning.len(), ending.len());
        for (kept, _) in ending {
            self.end((kept.pending, Err(Code::SessionLost.into())), journal);
        }
        // Newest first, so that the front of the queue ends up in the original order.
        for (kept, _) in returning.into_iter().rev() {
            self.queue.take_back(kept);
        }
        loss
    }

    /// Ends everything that has not ended, but what a store keeps; how many messages that were and
    /// how many are kept, without those of QoS 0 in the output.
    pub(in crate::engine) fn cancel_all(
        &mut self,
        Tools { ids, output, journal }: Tools<'_>,
    ) -> usize {
        let cancelled: Outcome = Err(Code::Cancelled.into());
        self.end_output(output, Code::Cancelled.into());
        let count = self.queue.len() + self.flights.len();
        let ending = match journal.is_on() {
            true => self.queue.take_qos0(),
            false => self.take_all(ids),
        };
        for kept in ending {
            self.end((kept.pending, cancelled.clone()), journal);
        }
        count
    }

    /// Ends everything for this process, and for the store only what it has not taken; how many
    /// messages that were, without those of QoS 0 in the output.
    pub(in crate::engine) fn leave_in_store(
        &mut self,
        Tools { ids, output, journal }: Tools<'_>,
    ) -> usize {
        self.end_output(output, Code::Cancelled.into());
        let mut unstored = Error::from(Code::StoreFailed);
        if let Some(failure) = journal.failure() {
            unstored = unstored.with_source(failure.clone());
        }
        let ending = self.take_all(ids);
        let count = ending.len();
        for kept in ending {
            let Pending { number, qos, .. } = kept.pending;
            let error = match qos {
                QoS::AtMostOnce => Code::Cancelled.into(),
                _ if journal.batch_of(number) == 0 => Code::LeftInStore.into(),
                _ => {
                    // Should the message still be written, it does not come back: who has been told
                    // that it was not stored may publish it anew.
                    journal.record(&Record::Ended { number });
                    unstored.clone()
                }
            };
            self.conclude((kept.pending, Err(error)), journal);
        }
        count
    }

    fn take_all(&mut self, ids: &mut PacketIds) -> Vec<Kept> {
        let flights = self.flights.take_all(ids).into_iter().map(|(kept, _)| kept);
        let mut all: Vec<Kept> = flights.collect();
        all.extend(std::iter::from_fn(|| self.queue.pop_front()));
        all
    }

    /// Ends the QoS 0 messages that have not been written.
    fn end_output(&mut self, output: &mut Outbox, error: Error) {
        let outcome = Err(error);
        let lost = self.ledger.output_lost(output.take_qos0(), &outcome);
        if let Err(error) = &outcome
            && lost > 0
        {
            self.failed.make().count(error, lost);
        }
    }
}
