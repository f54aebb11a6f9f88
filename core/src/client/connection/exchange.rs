//! A connection's part in authenticating: between the engine, which has challenges, and the questions'
//! lane, which has answers.

use std::time::Instant;

use super::{Connection, Leaving};
use crate::{
    client::{
        question::{self, Answer},
        shared::{Core, Shared},
    },
    error::Result,
};

impl Connection<'_> {
    /// Before all else: asks the authenticator what the broker wants to know, and passes on what it
    /// answered.
    pub(super) fn authenticate(&mut self, now: Instant) -> Result<()> {
        // After our DISCONNECT it does not matter what was answered.
        if !self.authenticates || self.leaving != Leaving::No {
            return Ok(());
        }
        let challenge = self.shared.core.lock().challenge.take();
        if let Some(question) = challenge {
            self.shared.questions.ask(self.shared, question);
        }
        let Some(answer) = self.shared.questions.take_answer() else { return Ok(()) };
        let mut core = self.shared.core.lock();
        let done = match answer {
            Ok(Answer::Data(data)) => core.engine.authenticate(data.as_deref(), now),
            Ok(Answer::Credentials(_)) => unreachable!("they are asked for before CONNECT"),
            Err(error) => Err(error),
        };
        if done.is_err() {
            core.engine.give_up_authentication();
        }
        self.notice_phase(&mut core, now);
        let effects = core.collect();
        drop(core);
        self.shared.apply(effects);
        done.map_err(question::failed)
    }

    /// The broker has accepted the connection, perhaps, and the authenticator the broker.
    pub(super) fn notice_phase(&mut self, core: &mut Core, now: Instant) {
        self.verifying = core.engine.is_verifying();
        if self.online.is_none() && core.engine.is_online() {
            self.online = Some(now);
            core.direct = self.stream.direct();
        }
    }
}

/// Whether there is ever something to ask.
pub(super) fn has_method(shared: &Shared) -> bool {
    let settings = &shared.options.settings;
    settings.version.is_v5()
        && settings.properties.as_properties().authentication_method().is_some()
}
