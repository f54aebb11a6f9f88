//! Publishing: the attempt under the lock, and waiting for room.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{Core, Shared};
use crate::{
    client::{
        PublishOptions, later,
        operation::{self, Signal},
        runtime,
        session::check,
    },
    engine::{Completion, LARGE_PAYLOAD, Lifetime, Payload, Publication, Refused},
    error::{Code, Error, Result},
    protocol::{PropertyIdentifier, topic},
};

impl Shared {
    /// Publishes; see [`Session::publish`](crate::client::Session::publish). `may_wait` says that it
    /// waits for room where the options say so.
    #[inline]
    pub(in crate::client) fn publish(
        self: &Arc<Self>,
        topic: &str,
        payload: Payload<'_>,
        options: PublishOptions,
        may_wait: bool,
    ) -> Result<u64> {
        self.check_fork()?;
        topic::check_name_str(topic).map_err(|error| {
            Error::new(Code::InvalidTopic, format!("The topic cannot be used: {error}"))
        })?;
        let PublishOptions { qos, retain, properties, time_to_live, mut completion } = options;
        if !properties.is_empty() {
            check::message(self.options.settings.version)?;
        }
        let payload = match payload {
            // A large payload is copied before the lock is taken.
            Payload::Borrowed(bytes) if bytes.len() >= LARGE_PAYLOAD => {
                Payload::Shared(Bytes::copy_from_slice(bytes))
            }
            small_or_shared => small_or_shared,
        };
        let time_to_live = time_to_live.or(self.options.habits.time_to_live);
        let expires = time_to_live.is_some()
            || properties.as_properties().contains(PropertyIdentifier::MessageExpiryInterval);
        let since = expires.then(Instant::now);
        let mut publication = Publication {
            topic,
            payload,
            qos,
            retain,
            properties: properties.as_properties(),
            lifetime: since.map(|since| Lifetime { since, now: since, time_to_live }),
        };
        let mut attempt = |core: &mut Core, now: Option<Instant>, patient: bool| {
            if !core.accepting {
                return Some(Err(check::not_accepting(&core.goal)));
            }
            if let (Some(lifetime), Some(now)) = (&mut publication.lifetime, now) {
                lifetime.now = now;
            }
            match core.engine.publish(&publication, &mut completion, patient) {
                Ok(number) => Some(Ok(number)),
                Err(Refused::Full) => None,
                Err(Refused::Because(error)) => Some(Err(error)),
            }
        };
        let blocks = self.options.blocks_when_full();
        let patient = blocks && !runtime::on_io_thread();
        let mut core = self.core.lock();
        let done = attempt(&mut core, None, patient);
        self.settle(core);
        let done = match done {
            Some(done) => done,
            None if blocks && may_wait => {
                self.wait_for_room(|core, now| attempt(core, Some(now), patient))?
            }
            None => Err(Error::new(
                Code::QueueFull,
                "The outgoing queue is full; wait until messages have ended, or set its limits higher",
            )),
        };
        if expires {
            self.expect_expiry();
        }
        done
    }

    /// Tells how a message ends, or has ended, wherever that is found out: not through the receiving
    /// queue, so the watcher neither waits nor runs what is the program's.
    pub(in crate::client) fn watch(self: &Arc<Self>, number: u64, watcher: Completion) {
        let mut watcher = Some(watcher);
        let mut core = self.core.lock();
        let ticket = core.ticket();
        let ended = core.engine.watch(number, ticket, &mut watcher);
        self.settle(core);
        if let (Some(outcome), Some(watcher)) = (ended, watcher) {
            watcher.call(number, outcome);
        }
    }

    /// Repeats an attempt to publish, which is told the time, whenever there is room, until the wait
    /// that the options allow is over.
    fn wait_for_room<T>(
        self: &Arc<Self>,
        mut attempt: impl FnMut(&mut Core, Instant) -> Option<T>,
    ) -> Result<T> {
        let deadline = later(Instant::now(), self.options.habits.outgoing_wait);
        loop {
            let signal = Arc::new(Signal::default());
            let now = Instant::now();
            let mut core = self.core.lock();
            if let Some(done) = attempt(&mut core, now) {
                self.settle(core);
                return Ok(done);
            }
            core.blocked.push(signal.clone());
            self.settle(core);
            let left = deadline.saturating_duration_since(Instant::now());
            let waited = operation::wait_for(self, &signal, Some(left));
            if let Err(error) = waited {
                self.core.lock().blocked.retain(|blocked| !Arc::ptr_eq(blocked, &signal));
                return Err(match error.code() {
                    Code::Timeout => Error::new(
                        Code::QueueFull,
                        "The outgoing queue was full for as long as the call may wait; is the broker \
                         reachable and fast enough?",
                    ),
                    _ => error,
                });
            }
        }
    }
}
