//! What the program is asked while the session connects or authenticates: the questions' lane.
//!
//! A question is called on a callback thread of a pool of its own, not through the receiving queue:
//! a callback that waits for the connection must not keep it from coming about. One question at a
//! time per session. The driver asks, goes on, and looks for the answer when it is woken; nobody
//! waits for a question but `close`, as for a callback. An answer that comes when the driver has
//! given the question up is thrown away.

use std::{
    cell::Cell,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use bytes::Bytes;

use super::{
    AuthenticationStep, Authenticator, Credentials, CredentialsSource, Options, driver, fork,
    inbox::contain, shared::Shared,
};
use crate::{
    engine::Identity,
    error::{Code, Error, Result},
    seldom::Seldom,
    sync::{Condvar, Mutex},
};

/// Something that the program is asked.
pub(super) enum Question {
    Credentials,
    /// The step, and the broker's data.
    Authentication(AuthenticationStep, Option<Bytes>),
}

/// What the program answered.
pub(super) enum Answer {
    Credentials(Credentials),
    Data(Option<Bytes>),
}

/// Whom a session asks.
#[derive(Clone, Default)]
pub(super) struct Asked {
    authenticator: Option<Arc<dyn Authenticator>>,
    source: Option<CredentialsSource>,
}

/// The questions of one session.
pub(super) struct Lane {
    asks_for_credentials: bool,
    asks_for_authentication: bool,
    /// Nothing in a session that has nobody to ask.
    state: Mutex<Seldom<State>>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Empty once the session is closed.
    asked: Asked,
    waiting: Option<Box<Question>>,
    /// A thread has been told to ask.
    busy: bool,
    /// It is inside of the question.
    asking: bool,
    /// Counts the questions.
    last: u64,
    /// The one whose answer is waited for.
    awaited: Option<u64>,
    answer: Option<Box<Result<Answer>>>,
    /// Errors that nobody wants any more. Their causes may be the program's: they go when the next
    /// question is asked, or with whom to ask.
    spent: Vec<Error>,
}

impl State {
    fn throw_answer_away(&mut self) {
        self.spent.extend(self.answer.take().and_then(|answer| answer.err()));
    }
}

thread_local! {
    /// The lane whose question this thread is inside of, and in which process.
    static CURRENT: Cell<Option<(usize, u32)>> = const { Cell::new(None) };
}

/// Whether this thread is inside a question of any session.
pub(super) fn is_asked() -> bool {
    CURRENT.get().is_some_and(|(_, process)| process == fork::generation())
}

impl Lane {
    /// Takes whom to ask out of the options: it goes when the session is closed.
    pub(super) fn new(options: &mut Options) -> Self {
        let asked = Asked {
            authenticator: options.authenticator.take().map(|make| make()),
            source: options.credentials.take(),
        };
        let lane = Self {
            asks_for_credentials: asked.source.is_some(),
            asks_for_authentication: asked.authenticator.is_some(),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        if lane.asks() {
            lane.state.lock().make().asked = asked;
        }
        lane
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether this thread is inside a question of this session.
    pub(super) fn is_current(&self) -> bool {
        CURRENT.get() == Some((self.address(), fork::generation()))
    }

    /// Whether anybody is asked anything.
    fn asks(&self) -> bool {
        self.asks_for_credentials || self.asks_for_authentication
    }

    pub(super) fn has_authenticator(&self) -> bool {
        self.asks_for_authentication
    }

    // ---- the driver's side

    /// Asks; a question that has not begun is replaced. Never waits.
    pub(super) fn ask(&self, shared: &Arc<Shared>, question: Box<Question>) {
        let mut seldom = self.state.lock();
        let state = seldom.make();
        state.last += 1;
        state.awaited = Some(state.last);
        state.waiting = Some(question);
        state.throw_answer_away();
        let starts = !std::mem::replace(&mut state.busy, true);
        drop(seldom);
        if starts {
            shared.question_pool().ask(shared.clone());
        }
    }

    /// Nobody wants an answer any more.
    pub(super) fn withdraw(&self) {
        if let Some(state) = self.state.lock().get_mut() {
            state.awaited = None;
            state.waiting = None;
            state.throw_answer_away();
        }
    }

    /// Lets go of an error of the session where that does no harm: the cause of one that began as an
    /// answer is the program's. Not to be called under a lock.
    pub(super) fn let_go(&self, error: Error) {
        if self.asks() {
            self.state.lock().make().spent.push(error);
        }
    }

    /// Whether an answer is waited for.
    pub(super) fn is_asking(&self) -> bool {
        self.state.lock().get().is_some_and(|state| state.awaited.is_some())
    }

    pub(super) fn take_answer(&self) -> Option<Result<Answer>> {
        self.state.lock().get_mut()?.answer.take().map(|answer| *answer)
    }

    /// No further question begins. The answer is the program's, to be dropped on a callback thread.
    #[must_use]
    pub(super) fn close(&self) -> impl Send + 'static {
        self.state.lock().get_mut().map(|state| {
            state.awaited = None;
            state.throw_answer_away();
            let (asked, spent) = (&mut state.asked, &mut state.spent);
            (std::mem::take(asked), std::mem::take(spent), state.waiting.take())
        })
    }

    // ---- the other side

    /// For the pool: asks one question; whether there is another.
    pub(super) fn run(&self, shared: &Arc<Shared>) -> bool {
        let mut seldom = self.state.lock();
        let state = seldom.make();
        if let Some(question) = state.waiting.take() {
            let (asked, number) = (state.asked.clone(), state.last);
            let spent = std::mem::take(&mut state.spent);
            state.asking = true;
            drop(seldom);
            let mut answer = Some(self.call(shared, *question, (asked, spent)));
            if shared.is_inherited() {
                // The question forked, and this is the child.
                std::mem::forget(answer);
                return false;
            }
            seldom = self.state.lock();
            let state = seldom.make();
            let wanted = state.awaited == Some(number);
            if wanted {
                state.awaited = None;
                state.answer = answer.take().map(Box::new);
            }
            drop(seldom);
            match wanted {
                true => shared.wake_driver(),
                // Too late; its cause may be the program's, so not under the lock.
                false => drop(contain(|| drop(answer))),
            }
            seldom = self.state.lock();
            seldom.make().asking = false;
            self.changed.notify_all();
        }
        let state = seldom.make();
        state.busy = state.waiting.is_some();
        state.busy
    }

    /// Calls the program, and lets go of what is its own where that does no harm.
    fn call(
        &self,
        shared: &Arc<Shared>,
        question: Question,
        owned: (Asked, Vec<Error>),
    ) -> Result<Answer> {
        let mut answer = Err(Code::Internal.into());
        let mut work = Some((question, owned));
        let mut call = || {
            let Some((question, owned)) = work.take() else { return };
            answer = owned.0.answer(question);
            match shared.is_inherited() {
                true => std::mem::forget(owned),
                false => drop(contain(|| drop(owned))),
            }
        };
        CURRENT.set(Some((self.address(), fork::generation())));
        match &shared.options.callback_scope {
            None => call(),
            Some(scope) => scope(&mut call),
        }
        CURRENT.set(None);
        answer
    }

    /// Waits until no question is running, or until then; whether none is. One that no thread had
    /// begun when the lane was closed is not waited for: the threads may be at those of others.
    pub(super) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        let is_asking = |state: &Seldom<State>| state.get().is_some_and(|state| state.asking);
        let mut state = self.state.lock();
        while is_asking(&state) {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline) {
                        return !is_asking(&state);
                    }
                }
            }
        }
        true
    }
}

impl Asked {
    /// The program's bytes are copied: what is left of them goes on this thread.
    fn answer(&self, question: Question) -> Result<Answer> {
        match (question, &self.source, &self.authenticator) {
            (Question::Credentials, Some(source), _) => {
                let call = || {
                    let given = source()?;
                    let password = given.password.as_deref().map(Bytes::copy_from_slice);
                    Ok(Answer::Credentials(Credentials { password, ..given }))
                };
                catch_unwind(AssertUnwindSafe(call))
                    .map_err(|_| panicked("The source of the credentials"))?
            }
            (Question::Authentication(step, data), _, Some(authenticator)) => {
                let call = || {
                    let given = authenticator.answer(step, data.as_deref()).map_err(failed)?;
                    Ok(Answer::Data(given.as_deref().map(Bytes::copy_from_slice)))
                };
                catch_unwind(AssertUnwindSafe(call)).map_err(|_| panicked("The authenticator"))?
            }
            // A method that the program named in CONNECT's properties, and nobody to speak for it.
            (Question::Authentication(AuthenticationStep::Success, _), ..) => {
                Ok(Answer::Data(None))
            }
            (Question::Authentication(..), ..) => Err(Error::new(
                Code::AuthenticationFailed,
                "The broker asks for more authentication data and the session has no authenticator",
            )),
            // The session has been closed.
            (Question::Credentials, None, _) => Err(Code::Cancelled.into()),
        }
    }
}

fn panicked(who: &str) -> Error {
    tracing::error!(target: "mqttsession", "{who} panicked");
    Error::new(Code::AuthenticationFailed, format!("{who} panicked"))
}

/// What ends an exchange.
pub(super) fn failed(cause: Error) -> Error {
    match cause.code() {
        Code::AuthenticationFailed => cause,
        _ => Error::from(Code::AuthenticationFailed).with_source(cause),
    }
}

/// Asks who connects, where the options say so; `None` when the program changed its mind.
pub(super) async fn introduce(shared: &Arc<Shared>, deadline: Instant) -> Result<Option<Identity>> {
    match shared.questions.asks() {
        true => Box::pin(ask(shared, deadline)).await,
        false => Ok(Some(Identity::default())),
    }
}

async fn ask(shared: &Arc<Shared>, deadline: Instant) -> Result<Option<Identity>> {
    let lane = &shared.questions;
    let mut identity = Identity::default();
    let mut questions = Vec::new();
    if lane.asks_for_credentials {
        questions.push((Question::Credentials, "The source of the credentials"));
    }
    if lane.asks_for_authentication {
        let question = Question::Authentication(AuthenticationStep::Connect, None);
        questions.push((question, "The authenticator"));
    }
    for (question, who) in questions {
        lane.ask(shared, Box::new(question));
        let late = || {
            let timeout = shared.options.habits.connect_timeout;
            let sentence = format!("{who} did not answer within the {timeout:?} to connect");
            Error::new(Code::ConnectTimeout, sentence)
        };
        // The answer wakes the driver.
        let answered = poll_fn(|_| lane.take_answer().map_or(Poll::Pending, Poll::Ready));
        match driver::unless_unwanted(shared, deadline, answered, late).await? {
            None => return Ok(None),
            Some(Answer::Credentials(given)) => identity.credentials = Some(given),
            Some(Answer::Data(data)) => identity.authentication_data = data,
        }
    }
    Ok(Some(identity))
}
