//! One connection: the loop between its stream, the engine and the callbacks.
//!
//! Each turn takes five steps in this order: read what is there, let the engine handle it, hand the
//! messages over, write what came of all that, and sleep until something happens.

mod buffers;
mod exchange;
mod hand_over;
pub(super) mod rhythm;

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Buf, BytesMut};
use tokio::time::Sleep;

use super::{
    gather::Pause,
    shared::{Core, Goal, Shared, Wrote},
};
use crate::{
    engine::Inbound,
    error::{Code, Error, Layer, Result},
    protocol::{Properties, ReasonCode},
    sync::MutexGuard,
    transport::{self, Stream},
};
use rhythm::{Rhythm, gathers_more};

/// How many turns one session takes before the other sessions of the I/O thread get theirs.
const TURNS: usize = 16;

/// How often acknowledgements are looked for that wait because a callback does not return.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(10);

/// How long DISCONNECT may wait for a socket that takes nothing: a network that stumbles recovers in
/// less, and a broker that does not read must not keep a session from closing.
const SAY: Duration = Duration::from_secs(5);

/// How long the other side has to close its end after DISCONNECT. Closing at once with something
/// unread would reset the connection, and the broker might never see the DISCONNECT.
const LINGER: Duration = Duration::from_secs(1);

/// How far the good-bye has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// DISCONNECT is in the output; the socket has until then to take it.
    Saying(Instant),
    /// It has been written; the other side has until then to close.
    Lingering(Instant),
}

pub(super) struct Connection<'s> {
    shared: &'s Arc<Shared>,
    number: u64,
    stream: Stream,
    /// The beginning of a packet that has not come whole.
    carry: BytesMut,
    needed: usize,
    /// The session has an authentication method.
    authenticates: bool,
    /// The authenticator has to accept the broker before anything behind CONNACK is looked at.
    verifying: bool,
    /// What lay behind CONNACK is in `carry`, and there may be nothing more to read.
    held: bool,
    sleep: Pin<Box<Sleep>>,
    /// When the broker must have answered CONNECT.
    deadline: Instant,
    /// Since when.
    online: Option<Instant>,
    paused: bool,
    /// The socket took no more at the last write.
    blocked: bool,
    /// So many answers wait for the socket that reading would only make more.
    choked: bool,
    acknowledge_at: Option<Instant>,
    rhythm: Rhythm,
    /// The pause that goes on.
    pause: Option<Pause>,
    leaving: Leaving,
}

impl<'s> Connection<'s> {
    /// `number` is that of the connection in the session's count.
    pub(super) fn new(
        shared: &'s Arc<Shared>,
        number: u64,
        stream: Stream,
        deadline: Instant,
    ) -> Self {
        Self {
            shared,
            number,
            stream,
            carry: BytesMut::new(),
            needed: 0,
            authenticates: exchange::has_method(shared),
            verifying: false,
            held: false,
            sleep: Box::pin(tokio::time::sleep_until(deadline.into())),
            deadline,
            online: None,
            paused: false,
            blocked: false,
            choked: false,
            acknowledge_at: None,
            rhythm: Rhythm::default(),
            pause: None,
            leaving: Leaving::No,
        }
    }

    /// Since when the broker has accepted it.
    pub(super) fn online_since(&self) -> Option<Instant> {
        self.online
    }

    fn awaits_connack(&self) -> bool {
        self.online.is_none() && self.leaving == Leaving::No
    }

    /// Runs it; ready when it has ended, `Ok` when the program wanted it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.shared.core.lock().arm(cx);
        for _ in 0..TURNS {
            match self.turn(cx) {
                Ok(Turn::Again) => {}
                Ok(Turn::Sleep) => return Poll::Pending,
                Ok(Turn::Left) => return Poll::Ready(Ok(())),
                Err(error) => {
                    // What the engine has to say about it, as far as the socket takes it.
                    let core = self.shared.core.lock();
                    let _too_late_to_fail = self.write(core, cx, Instant::now());
                    return Poll::Ready(Err(error));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<Turn> {
        let now = Instant::now();
        self.authenticate(now)?;
        let mut input = Input::default();
        let read = self.read(cx, now, &mut input);
        // What came before the error, or before the broker's DISCONNECT, came.
        self.hand_over(input, now);
        let read = read?;
        self.look_at_the_time(now)?;
        let core = self.follow_goal(self.shared.core.lock(), now)?;
        let core = self.handle_timers(core, now)?;
        if self.gathers(&core) {
            return if read == Read::Some { Ok(Turn::Again) } else { self.sleep(core, cx) };
        }
        let wrote = match self.write(core, cx, now) {
            // After our DISCONNECT it does not matter how the other side ends.
            Err(_) if self.leaving != Leaving::No => return Ok(Turn::Left),
            wrote => wrote?,
        };
        match self.leaving {
            Leaving::Saying(_) if wrote == Some(0) => {
                let _the_other_side_may_be_gone = self.stream.poll_shutdown(cx);
                self.leaving = Leaving::Lingering(now + LINGER);
            }
            Leaving::Saying(until) if now >= until => return Ok(Turn::Left),
            Leaving::Lingering(until) if now >= until || read == Read::End => {
                return Ok(Turn::Left);
            }
            _ => {}
        }
        let unchoked = self.is_unchoked();
        if read == Read::Some || unchoked {
            return Ok(Turn::Again);
        }
        self.sleep(self.shared.core.lock(), cx)
    }

    /// Steps one and two: reads what is there, and lets the engine handle it.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant, input: &mut Input) -> Result<Read> {
        if !self.may_read(now) {
            return Ok(Read::Nothing);
        }
        let needed = self.needed;
        let own = needed > buffers::OWN_BUFFER;
        let mut buffer = match own {
            true => {
                let mut begun = std::mem::take(&mut self.carry);
                buffers::make_room(&mut begun, needed);
                begun
            }
            false => buffers::take(&self.carry),
        };
        let read = self.read_into(&mut buffer, cx, now, input);
        if !own {
            if read.as_ref().is_ok_and(|read| *read == Read::Some) {
                self.carry = BytesMut::from(&buffer[..]);
            }
            buffers::give_back(buffer);
        } else if buffer.is_empty() {
            buffers::spend(buffer, needed);
        } else {
            self.carry = buffer;
        }
        read
    }

    /// Reads behind what `buffer` holds; leaves in it what is no whole packet yet.
    fn read_into(
        &mut self,
        buffer: &mut BytesMut,
        cx: &mut Context<'_>,
        now: Instant,
        input: &mut Input,
    ) -> Result<Read> {
        if !std::mem::take(&mut self.held) {
            let read = match self.stream.poll_read(cx, buffer) {
                Poll::Pending => return Ok(Read::Nothing),
                Poll::Ready(Ok(0)) => return self.handle_end(),
                Poll::Ready(Ok(read)) => read,
                // After our DISCONNECT it does not matter how the other side ends.
                Poll::Ready(Err(_)) if self.leaving != Leaving::No => return Ok(Read::End),
                Poll::Ready(Err(error)) => return Err(self.stream_error(&error)),
            };
            self.shared.traffic.reads.fetch_add(1, Ordering::Relaxed);
            self.shared.traffic.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
        }
        let mut core = self.shared.core.lock();
        let before = core.engine.output_length();
        let handled = core.engine.handle_input(buffer, &mut input.inbound, now);
        core.answers |= core.engine.output_length() > before;
        self.needed = core.engine.needed();
        self.notice_phase(&mut core, now);
        self.held = self.verifying;
        let effects = core.collect();
        drop(core);
        self.shared.apply(effects);
        // After an error nothing behind the deliveries matters any more.
        let whole = *handled.as_ref().unwrap_or(&buffer.len());
        match input.inbound.deliveries.is_empty() {
            true => buffer.advance(whole),
            false => input.chunk = buffer.split_to(whole).freeze(),
        }
        handled.map(|_| Read::Some)
    }

    fn may_read(&mut self, now: Instant) -> bool {
        let may = self.leaving != Leaving::No
            || (!self.choked && !self.verifying && self.shared.inbox.may_read());
        if may == self.paused {
            self.paused = !may;
            self.shared.core.lock().engine.pause(self.paused, now);
        }
        may
    }

    /// Looks whether answers pile up; whether they did and do no longer, so that reading goes on.
    fn is_unchoked(&mut self) -> bool {
        let choked = self.blocked && self.shared.core.lock().engine.is_choked();
        std::mem::replace(&mut self.choked, choked) && !choked
    }

    fn handle_end(&self) -> Result<Read> {
        if self.leaving != Leaving::No {
            return Ok(Read::End);
        }
        Err(if self.online.is_some() {
            Error::new(Code::ConnectionClosed, "The broker closed the connection")
        } else {
            Code::ClosedBeforeConnack.into()
        })
    }

    fn stream_error(&self, error: &io::Error) -> Error {
        let stage = if self.online.is_some() { Layer::Tcp } else { Layer::Connack };
        transport::stream_error(error, stage)
    }

    /// What the program wants of the connection.
    fn follow_goal(
        &mut self,
        mut core: MutexGuard<'s, Core>,
        now: Instant,
    ) -> Result<MutexGuard<'s, Core>> {
        if self.leaving != Leaving::No {
            return Ok(core);
        }
        if let Some(error) = core.fault.take() {
            return Err(error);
        }
        // With a store what has not ended stays, and is counted when the session has come to rest.
        let stays = self.shared.keeper.is_some();
        match core.goal.clone() {
            Goal::Connect | Goal::Rest => return Ok(core),
            Goal::Disconnect(farewell) => {
                if !farewell.is_due(&core, now) {
                    return Ok(core);
                }
                core.cancelled += if stays { 0 } else { core.engine.cancel_all() };
                core.engine.disconnect(farewell.reason, farewell.properties.as_properties());
            }
            Goal::Close => {
                core.cancelled += if stays { 0 } else { core.engine.cancel_all() };
                core.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
            }
        }
        core.direct = None;
        self.leaving = Leaving::Saying(now + SAY);
        let effects = core.collect();
        drop(core);
        self.shared.apply(effects);
        Ok(self.shared.core.lock())
    }

    /// What is due of the driver's own.
    fn look_at_the_time(&mut self, now: Instant) -> Result<()> {
        if self.awaits_connack() && now >= self.deadline {
            return Err(match self.shared.questions.is_asking() {
                true => Error::new(
                    Code::ConnackTimeout,
                    "The authenticator did not answer the broker within the time to connect",
                ),
                false => Code::ConnackTimeout.into(),
            });
        }
        if self.acknowledge_at.is_some_and(|at| now >= at) {
            self.shared.inbox.acknowledge_handled(self.shared);
            self.acknowledge_at = self.shared.inbox.is_busy().then(|| now + ACKNOWLEDGE_EVERY);
        }
        Ok(())
    }

    fn handle_timers(
        &self,
        mut core: MutexGuard<'s, Core>,
        now: Instant,
    ) -> Result<MutexGuard<'s, Core>> {
        if core.engine.poll_timeout().is_none_or(|at| now < at) {
            return Ok(core);
        }
        let handled = core.engine.handle_timeout(now);
        core.shrink();
        let effects = core.collect();
        drop(core);
        self.shared.apply(effects);
        handled?;
        Ok(self.shared.core.lock())
    }

    /// Step four: writes what there is. The answer is how much the socket left over: `Some(0)` when
    /// everything is out, `None` when another thread is at it.
    fn write(
        &mut self,
        core: MutexGuard<'s, Core>,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Result<Option<usize>> {
        self.pause = None;
        let stream = &mut self.stream;
        let wrote = self.shared.write_out(core, self.number, now, TURNS, |slices| {
            match stream.poll_write(cx, slices) {
                Poll::Ready(wrote) => wrote,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        self.blocked = matches!(wrote, Wrote::Blocked);
        match wrote {
            Wrote::Failed(error) => Err(self.stream_error(&error)),
            Wrote::Elsewhere => Ok(None),
            Wrote::Blocked | Wrote::More => Ok(Some(1)),
            Wrote::All => match self.stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => Ok(Some(0)),
                Poll::Ready(Err(error)) => Err(self.stream_error(&error)),
                Poll::Pending => Ok(Some(1)),
            },
        }
    }

    /// Whether what there is to write waits for more: while a pause goes on, as long as it is little.
    fn gathers(&self, core: &Core) -> bool {
        let pauses = self.pause.is_some_and(|pause| !self.shared.io_thread().gather.is_over(pause));
        pauses && self.leaving == Leaving::No && gathers_more(core)
    }

    /// Step five: sleeps until something happens, unless something has happened already.
    fn sleep(&mut self, mut core: MutexGuard<'s, Core>, cx: &mut Context<'_>) -> Result<Turn> {
        // A session that is published to in quick succession pauses instead of sleeping: what it
        // writes next gathers, and nobody has to wake it.
        if self.pause.is_none() {
            let progress = core.engine.progress();
            let noticed = std::mem::take(&mut core.streaming);
            let worth_it = self.rhythm.is_worth_a_pause(progress, noticed);
            if worth_it && !self.blocked && gathers_more(&core) {
                self.rhythm.paused(progress);
                // Not under the lock: it is a system call.
                drop(core);
                self.pause = self.shared.io_thread().gather.begin(cx);
                core = self.shared.core.lock();
            }
        }
        let gathers = self.pause.is_some() && gathers_more(&core);
        if core.has_output() && !gathers && !self.blocked && !core.is_writing() {
            return Ok(Turn::Again);
        }
        core.gathering = self.pause.is_some();
        core.asleep = !core.gathering && !self.blocked;
        let mut deadline = core.expect();
        let farewell = match &core.goal {
            Goal::Disconnect(farewell) if self.leaving == Leaving::No => {
                if farewell.is_due(&core, Instant::now()) {
                    return Ok(Turn::Again);
                }
                Some(farewell.until)
            }
            _ => None,
        };
        drop(core);
        let connack = self.awaits_connack().then_some(self.deadline);
        let linger = match self.leaving {
            Leaving::Saying(until) | Leaving::Lingering(until) => Some(until),
            Leaving::No => None,
        };
        for other in [farewell, connack, linger, self.acknowledge_at] {
            deadline = deadline.into_iter().chain(other).min();
        }
        let Some(deadline) = deadline else { return Ok(Turn::Sleep) };
        if self.sleep.deadline() != deadline.into() {
            self.sleep.as_mut().reset(deadline.into());
        }
        Ok(match self.sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Turn::Again,
            Poll::Pending => Turn::Sleep,
        })
    }
}

/// What has been read.
#[derive(Default)]
struct Input {
    inbound: Inbound,
    chunk: bytes::Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Some,
    Nothing,
    End,
}

/// What comes after a turn.
enum Turn {
    Again,
    Sleep,
    Left,
}
