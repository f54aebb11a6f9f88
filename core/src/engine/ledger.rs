//! How messages end, and who wants to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Completion, Delivered, Ended, Outcome, Ticket, Watched, output::Numbers};
use crate::{error::Code, protocol::ReasonCode, seldom::Seldom};

/// How many ended messages with something to tell (a failure, a reason) are remembered for a later
/// [`watch`](Ledger::watch).
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Ledger {
    ended: Vec<Ended>,
    /// Completions that have been handed out and not been called yet keep their place.
    completing: usize,
    inquiries: Seldom<Inquiries>,
    /// Below this number, what is not remembered has been forgotten.
    forgotten_below: u64,
    /// QoS 0 messages in the output that is being written.
    writing: Numbers,
    /// Completions of QoS 0 messages in an output, in the order of their numbers.
    unwritten: VecDeque<(u64, Completion)>,
}

/// Questions about a message that come after its publish.
#[derive(Default)]
struct Inquiries {
    watchers: BTreeMap<u64, Vec<(Ticket, Completion)>>,
    /// Those of QoS 0 in an output that are watched.
    unwritten: BTreeSet<u64>,
    watched: Vec<Watched>,
    remembered: BTreeMap<u64, Outcome>,
}

impl Ledger {
    /// Of a session that goes on behind this number: how earlier messages ended that have not been
    /// taken over nobody knows.
    pub(super) fn recover(last_number: u64) -> Self {
        Self { forgotten_below: last_number + 1, ..Self::default() }
    }

    /// Messages whose completion has been handed out and not been called.
    pub(super) fn completing(&self) -> usize {
        self.completing
    }

    /// QoS 0 messages in an output that have a completion.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// A message has ended.
    pub(super) fn end(&mut self, number: u64, completion: Option<Completion>, outcome: Outcome) {
        if let Some(inquiries) = self.inquiries.get_mut() {
            inquiries.end(number, &outcome);
        }
        // Of one whose like has been forgotten a good end cannot be told from none, either.
        let is_old = number < self.forgotten_below;
        if is_old || outcome.as_ref().ok().is_none_or(Delivered::has_something_to_tell) {
            self.remember(number, outcome.clone());
        }
        if let Some(completion) = completion {
            self.completing += 1;
            self.ended.push(Ended { number, outcome, completion });
        }
    }

    fn remember(&mut self, number: u64, outcome: Outcome) {
        let remembered = &mut self.inquiries.make().remembered;
        remembered.insert(number, outcome);
        if remembered.len() > REMEMBERED
            && let Some((forgotten, _)) = remembered.pop_first()
        {
            self.forgotten_below = self.forgotten_below.max(forgotten + 1);
        }
    }

    /// A message of QoS 0 has been put into the output.
    #[inline]
    pub(super) fn put(&mut self, number: u64, completion: Option<Completion>) {
        if let Some(completion) = completion {
            self.unwritten.push_back((number, completion));
        }
        if let Some(inquiries) = self.inquiries.get_mut()
            && inquiries.watchers.contains_key(&number)
        {
            inquiries.unwritten.insert(number);
        }
    }

    /// The output with these QoS 0 messages has been taken for writing.
    pub(super) fn output_taken(&mut self, qos0: &mut Numbers) {
        self.writing.clear();
        std::mem::swap(&mut self.writing, qos0);
    }

    /// What was taken has been written.
    pub(super) fn output_written(&mut self) {
        if let Some(last) = self.writing.last() {
            self.end_unwritten(last, &Ok(Delivered::new(ReasonCode::Success)));
            self.writing.clear();
        }
    }

    /// Neither what is being written nor what waits to be written will be; how many QoS 0 messages
    /// that were.
    pub(super) fn output_lost(
        &mut self,
        waiting: impl IntoIterator<Item = Numbers>,
        outcome: &Outcome,
    ) -> u64 {
        let mut count = 0;
        for lost in std::iter::once(std::mem::take(&mut self.writing)).chain(waiting) {
            let Some(last) = lost.last() else { continue };
            count += lost.len();
            self.end_unwritten(last, outcome);
            // Those that nobody asked for yet are remembered as far as there is room.
            let from = last.saturating_sub(REMEMBERED as u64 / 2);
            for number in lost.iter_from(from) {
                self.remember(number, outcome.clone());
            }
        }
        count
    }

    /// Ends the QoS 0 messages up to `last` that somebody wants to know of.
    fn end_unwritten(&mut self, last: u64, outcome: &Outcome) {
        while self.unwritten.front().is_some_and(|(number, _)| *number <= last)
            && let Some((number, completion)) = self.unwritten.pop_front()
        {
            self.end(number, Some(completion), outcome.clone());
        }
        let Some(inquiries) = self.inquiries.get_mut() else { return };
        let later = inquiries.unwritten.split_off(&(last + 1));
        for number in std::mem::replace(&mut inquiries.unwritten, later) {
            // One with a completion has been told already.
            if self.inquiries.make().watchers.contains_key(&number) {
                self.end(number, None, outcome.clone());
            }
        }
    }

    /// The bytes of the QoS 0 messages that are being written.
    pub(super) fn bytes_writing(&self) -> usize {
        self.writing.bytes()
    }

    /// The lowest number among the QoS 0 messages that are being written.
    pub(super) fn first_writing(&self) -> Option<u64> {
        self.writing.first()
    }

    /// How a message ended, or `watcher` taken along until it does. `kept` says that it waits or is
    /// in flight; `waiting`, that it is of QoS 0 and stands in an output that waits.
    pub(super) fn watch(
        &mut self,
        number: u64,
        ticket: Ticket,
        watcher: &mut Option<Completion>,
        kept: bool,
        waiting: bool,
    ) -> Option<Outcome> {
        if let Some(inquiries) = self.inquiries.get()
            && let Some(outcome) = inquiries.remembered.get(&number)
        {
            return Some(outcome.clone());
        }
        let unwritten = waiting || self.writing.contains(number);
        if kept || unwritten {
            if let Some(watcher) = watcher.take() {
                let inquiries = self.inquiries.make();
                inquiries.watchers.entry(number).or_default().push((ticket, watcher));
                if unwritten {
                    inquiries.unwritten.insert(number);
                }
            }
            return None;
        }
        Some(match number < self.forgotten_below {
            true => Err(Code::UnknownMessage.into()),
            false => Ok(Delivered::new(ReasonCode::Success)),
        })
    }

    /// Gives a watcher back.
    pub(super) fn unwatch(&mut self, number: u64, ticket: Ticket) -> Option<Completion> {
        let inquiries = self.inquiries.get_mut()?;
        let watchers = inquiries.watchers.get_mut(&number)?;
        let index = watchers.iter().position(|(of, _)| *of == ticket)?;
        let (_, watcher) = watchers.swap_remove(index);
        if watchers.is_empty() {
            inquiries.watchers.remove(&number);
        }
        Some(watcher)
    }

    /// Completions that were taken and called give their places free.
    pub(super) fn completions_taken(&mut self, count: usize) {
        self.completing -= count;
    }

    pub(super) fn take_ended(&mut self) -> Vec<Ended> {
        // The next batch will hardly be much larger than this one.
        let next = Vec::with_capacity(self.ended.len());
        std::mem::replace(&mut self.ended, next)
    }

    pub(super) fn take_watched(&mut self) -> Vec<Watched> {
        self.inquiries.get_mut().map_or_else(Vec::new, |it| std::mem::take(&mut it.watched))
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty() || self.inquiries.get().is_some_and(|it| !it.watched.is_empty())
    }

    pub(super) fn shrink(&mut self) {
        self.ended.shrink_to_fit();
        self.unwritten.shrink_to(16);
        self.writing.shrink();
        self.inquiries.free_if(Inquiries::is_empty);
    }
}

impl Inquiries {
    /// Those who watch a message are to be told how it ended.
    fn end(&mut self, number: u64, outcome: &Outcome) {
        if let Some(watchers) = self.watchers.remove(&number) {
            let watchers = watchers.into_iter().map(|(_, watcher)| watcher).collect();
            self.watched.push(Watched { number, outcome: outcome.clone(), watchers });
        }
    }

    fn is_empty(&self) -> bool {
        self.watchers.is_empty()
            && self.unwritten.is_empty()
            && self.watched.is_empty()
            && self.remembered.is_empty()
    }
}
