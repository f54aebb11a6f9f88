//! The truth: every message that was published and every copy that a broker made for a subscriber, and
//! what happened to each. Whoever sees something happen says so here, and what must not be is found
//! at once.

use mqttsession::error::Code;

/// How a publish ended in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Delivered,
    Failed(Code),
}

/// A message that a program published.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    /// The message number that it was given.
    pub(crate) number: u64,
    /// Of the process that published it.
    pub(crate) life: u32,
    /// The program was told that it is stored.
    pub(crate) confirmed: bool,
    /// How it ended, and in which process, each time.
    pub(crate) endings: Vec<(u32, Ending)>,
    /// It was not in the store when its process had died.
    pub(crate) vanished: bool,
    /// The broker's sessions that took it, each time.
    pub(crate) takes: Vec<u64>,
    /// The broker has refused it.
    pub(crate) refused: bool,
    /// Its PUBREL has been sent.
    pub(crate) released: bool,
    /// A power cut took what was promised to survive only the process: nothing is promised any more.
    pub(crate) forgiven: bool,
}

/// A message on its way from the broker to one subscriber.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) to: usize,
    /// Whose message, and which.
    pub(crate) of: (usize, usize),
    pub(crate) qos: u8,
    /// The broker's session that it belongs to.
    pub(crate) session: u64,
    /// How many times the subscriber's process had ended, and its power been cut, when it was first sent.
    pub(crate) sent: Option<Fate>,
    /// In which process the store was first asked to note that a handler is about to see it.
    pub(crate) begun: Option<u32>,
    /// In which processes a handler was called with it.
    pub(crate) starts: Vec<u32>,
    /// How many times a handler has returned.
    pub(crate) finished: u32,
    /// What the store held when a process began: handled, never to be handled again.
    pub(crate) settled: bool,
    /// The program has refused it.
    pub(crate) refused: bool,
    pub(crate) forgiven: bool,
}

/// What has happened to a subscriber so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// How many processes it has had.
    pub(crate) lives: u32,
    pub(crate) power_cuts: u32,
}

/// What is known of one session.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    pub(crate) publications: Vec<Publication>,
    pub(crate) fate: Fate,
    /// A power cut has taken records that were stored, not synced, and the broker still has the session
    /// that they were about; or the session was misled.
    pub(crate) forgiven: bool,
    /// The broker's session, and the one that the program's session takes it for; 0 is none.
    pub(crate) session: u64,
    pub(crate) met: u64,
    /// Messages are acknowledged before they are handled.
    pub(crate) on_receipt: bool,
    /// The process does not know what the power cut before it took: what comes again may have been handled.
    pub(crate) doubtful: bool,
}

#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) owners: Vec<Owner>,
    pub(crate) copies: Vec<Copy>,
}

impl Book {
    pub(crate) fn new(owners: usize) -> Self {
        Self { owners: (0..owners).map(|_| Owner::default()).collect(), copies: Vec::new() }
    }

    pub(crate) fn publication(&mut self, (owner, index): (usize, usize)) -> &mut Publication {
        &mut self.owners[owner].publications[index]
    }

    // ---- publishing

    /// A message has been accepted.
    pub(crate) fn publish(&mut self, owner: usize, topic: &str, qos: u8, number: u64) -> usize {
        let owner = &mut self.owners[owner];
        owner.publications.push(Publication {
            topic: topic.to_owned(),
            qos,
            number,
            life: owner.fate.lives,
            confirmed: false,
            endings: Vec::new(),
            vanished: false,
            takes: Vec::new(),
            refused: false,
            released: false,
            forgiven: owner.forgiven,
        });
        owner.publications.len() - 1
    }

    /// The program has been told how a message ended.
    pub(crate) fn end(&mut self, key: (usize, usize), ending: Ending) {
        let life = self.owners[key.0].fate.lives;
        let publication = self.publication(key);
        assert!(
            publication.endings.iter().all(|(before, _)| *before != life),
            "message {} of session {} ended again: {ending:?} after {:?}",
            key.1,
            key.0,
            publication.endings
        );
        if ending == Ending::Failed(Code::StoreFailed) && publication.qos > 0 {
            assert!(
                publication.takes.is_empty() || publication.forgiven,
                "message {} of session {} was never stored, and has been sent",
                key.1,
                key.0
            );
        }
        publication.endings.push((life, ending));
    }

    /// A session of the broker takes a message in as new.
    pub(crate) fn take(&mut self, key: (usize, usize), qos: u8, session: u64) {
        let publication = self.publication(key);
        assert_eq!(publication.qos, qos, "message {} of session {} has another QoS", key.1, key.0);
        let again = publication.takes.contains(&session);
        publication.takes.push(session);
        if publication.forgiven {
            return;
        }
        if qos == 2 {
            assert!(!again, "the broker took message {} of session {} twice", key.1, key.0);
            assert!(
                !publication.released,
                "message {} of session {} came anew after its PUBREL",
                key.1, key.0
            );
        }
        // One whose end has not been recorded when the process dies comes back, and comes late.
        let first = publication.takes.len() == 1 && publication.endings.is_empty();
        if first && qos > 0 {
            self.check_order(key);
        }
    }

    /// Messages of QoS 1 and 2 reach the broker for the first time in the order in which they were
    /// published [MQTT-4.6.0-1].
    fn check_order(&self, (owner, index): (usize, usize)) {
        let later = self.owners[owner].publications.iter().enumerate().skip(index + 1);
        for (after, publication) in later {
            assert!(
                publication.qos == 0 || publication.takes.is_empty() || publication.forgiven,
                "the broker took message {after} of session {owner} before message {index}"
            );
        }
    }

    // ---- receiving

    /// The broker makes a copy for a subscriber.
    pub(crate) fn copy(&mut self, of: (usize, usize), to: usize, qos: u8, session: u64) -> usize {
        self.copies.push(Copy {
            to,
            of,
            qos,
            session,
            sent: None,
            begun: None,
            starts: Vec::new(),
            finished: 0,
            settled: false,
            refused: false,
            forgiven: self.owners[to].forgiven,
        });
        self.copies.len() - 1
    }

    /// The broker sends a copy.
    pub(crate) fn send(&mut self, copy: usize) {
        let fate = self.owners[self.copies[copy].to].fate;
        self.copies[copy].sent.get_or_insert(fate);
    }

    /// A handler is called with a copy.
    pub(crate) fn start(&mut self, index: usize, redelivered: bool) {
        let to = self.copies[index].to;
        let Owner { fate, on_receipt, doubtful, .. } = self.owners[to];
        self.check_delivery_order(index);
        let copy = &mut self.copies[index];
        let sent = copy.sent.expect("what was not sent cannot arrive");
        let power_cut = sent.power_cuts < fate.power_cuts;
        // A refusal that did not reach the broker is asked for again.
        if copy.qos == 2 && !copy.forgiven && !copy.refused {
            assert!(!copy.settled, "copy {index} was handled before, and the store knew it");
            assert!(!copy.starts.contains(&fate.lives), "copy {index} was delivered twice");
            if !copy.starts.is_empty() {
                assert!(redelivered, "copy {index} came again and does not say so");
                assert!(
                    power_cut || !on_receipt,
                    "copy {index} was marked before its handler was called, and came again"
                );
            }
        }
        if redelivered {
            let begun = copy.begun.is_some_and(|life| life < fate.lives);
            assert_eq!(copy.qos, 2, "only a message of QoS 2 can be known to come again");
            assert!(begun || doubtful, "copy {index} is new, and says that it comes again");
        }
        copy.starts.push(fate.lives);
    }

    /// Within a session of the broker, copies of one quality are handled for the first time in the
    /// order in which they were made.
    fn check_delivery_order(&self, index: usize) {
        let copy = &self.copies[index];
        if !copy.starts.is_empty() || copy.forgiven {
            return;
        }
        let later = self.copies.iter().enumerate().skip(index + 1);
        for (after, later) in later {
            let alike = (later.to, later.qos, later.session) == (copy.to, copy.qos, copy.session);
            assert!(
                !alike || later.starts.is_empty() || later.forgiven,
                "copy {after} was handled before copy {index}"
            );
        }
    }

    // ---- what excuses

    /// The broker says that it has the session. It may be another one: where the CONNACK got lost that would
    /// have said so, MQTT has no way to tell. Whether it is. Who knew of none cannot be misled.
    pub(crate) fn resume(&mut self, index: usize) -> bool {
        let owner = &mut self.owners[index];
        let before = std::mem::replace(&mut owner.met, owner.session);
        let misled = before != owner.session && before != 0;
        if misled {
            self.forgive(index);
        }
        misled
    }

    /// The broker says that it does not have the session.
    pub(crate) fn begin_session(&mut self, owner: usize) {
        let owner = &mut self.owners[owner];
        owner.met = owner.session;
        owner.forgiven = false;
    }

    /// The power was cut from a session that had stored without syncing, or it was misled: nothing that it had
    /// under way is certain any more.
    pub(crate) fn forgive(&mut self, owner: usize) {
        let forgiven = &mut self.owners[owner];
        forgiven.forgiven = true;
        forgiven.publications.iter_mut().for_each(|publication| publication.forgiven = true);
        let copies = self.copies.iter_mut().filter(|copy| copy.to == owner);
        copies.for_each(|copy| copy.forgiven = true);
    }

    // ---- when all has calmed down

    /// Everything that was promised has come true. `kept` are the broker's sessions that were never lost.
    pub(crate) fn judge(&self, kept: &[u64]) {
        for (owner, of) in self.owners.iter().enumerate() {
            for (index, publication) in of.publications.iter().enumerate() {
                publication.judge(&format!("message {index} of session {owner}"));
            }
        }
        for (index, copy) in self.copies.iter().enumerate() {
            let lives = self.owners[copy.to].fate.lives;
            if kept.contains(&copy.session) {
                copy.judge(index, self.owners[copy.to].on_receipt, lives);
            }
        }
    }
}

impl Publication {
    fn judge(&self, name: &str) {
        let ended = self.endings.last().map(|(_, ending)| *ending);
        if self.qos == 0 {
            assert!(self.takes.len() <= 1, "{name} of QoS 0 came twice");
            return;
        }
        assert!(ended.is_some() || self.vanished, "{name} has never ended: {self:?}");
        if self.forgiven {
            return;
        }
        if self.vanished {
            assert!(!self.confirmed, "{name} was confirmed as stored, and is gone: {self:?}");
            assert!(self.takes.is_empty(), "{name} was sent before it was stored: {self:?}");
        }
        if ended == Some(Ending::Delivered) {
            assert!(!self.takes.is_empty(), "{name} was acknowledged, and never came: {self:?}");
        }
        if self.confirmed
            && let Some(Ending::Failed(code)) = ended
        {
            let allowed = [
                Code::Dropped,
                Code::Expired,
                Code::SessionLost,
                Code::SetAside,
                Code::PublishRefused,
                Code::PayloadTooLarge,
            ];
            assert!(
                allowed.contains(&code),
                "{name} was confirmed as stored, and ended with {code:?}"
            );
        }
    }
}

impl Copy {
    fn judge(&self, index: usize, on_receipt: bool, lives: u32) {
        let survived = self.sent.is_none_or(|sent| sent.lives == lives);
        // Of QoS 2 it is marked when its handler is about to be called, and not before.
        let is_marked = on_receipt && (self.qos < 2 || self.begun.is_some());
        if self.qos == 0 || self.forgiven || self.refused || (is_marked && !survived) {
            return;
        }
        assert!(self.finished > 0, "copy {index} was never handled: {self:?}");
    }
}
