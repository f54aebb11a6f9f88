//! A pause of some tens of microseconds in which the publishes of a busy session gather, so that
//! one write takes hundreds of them.
//!
//! tokio's timers count in milliseconds; the pause comes from the system's high-resolution timer,
//! one for each I/O thread, however many sessions pause.

#[cfg(target_os = "linux")]
mod timer {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::{Context, Waker},
    };

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    use crate::sync::Mutex;

    /// Long enough for hundreds of publishes, short beside the time that a packet takes through any
    /// network.
    const PAUSE_NANOSECONDS: i64 = 60_000;

    /// A pause that has begun.
    #[derive(Clone, Copy)]
    pub(crate) struct Pause(u64);

    pub(crate) struct Gather {
        /// Not a pipe, but used like one: it becomes readable, and is read.
        timer: Receiver,
        pausing: Mutex<Vec<Waker>>,
        /// How many pauses are over.
        over: AtomicU64,
    }

    impl Gather {
        /// Must be called inside the runtime of the I/O thread.
        pub(crate) fn start() -> io::Result<Arc<Self>> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let timer = Receiver::from_owned_fd_unchecked(timer)?;
            let gather =
                Arc::new(Self { timer, pausing: Mutex::default(), over: AtomicU64::new(0) });
            tokio::spawn(gather.clone().wake_pausing());
            Ok(gather)
        }

        /// Begins a pause of the calling task, which is woken at its end; nothing when there can be
        /// none.
        pub(crate) fn begin(&self, cx: &Context<'_>) -> Option<Pause> {
            let mut pausing = self.pausing.lock();
            if pausing.is_empty() {
                let once = Timespec { tv_sec: 0, tv_nsec: PAUSE_NANOSECONDS };
                let never = Timespec { tv_sec: 0, tv_nsec: 0 };
                let time = Itimerspec { it_interval: never, it_value: once };
                if timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &time).is_err() {
                    return None;
                }
            }
            pausing.push(cx.waker().clone());
            Some(Pause(self.over.load(Ordering::Relaxed)))
        }

        /// Whether this pause is over.
        pub(crate) fn is_over(&self, pause: Pause) -> bool {
            self.over.load(Ordering::Relaxed) > pause.0
        }

        /// The one task that waits for the timer.
        async fn wake_pausing(self: Arc<Self>) {
            while self.timer.readable().await.is_ok() {
                let mut expirations = [0; 8];
                let Ok(_) = self.timer.try_read(&mut expirations) else { continue };
                self.over.fetch_add(1, Ordering::Relaxed);
                let pausing = std::mem::take(&mut *self.pausing.lock());
                pausing.into_iter().for_each(Waker::wake);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::{io, sync::Arc, task::Context};

    /// A pause, of which there is none.
    #[derive(Clone, Copy)]
    pub(crate) enum Pause {}

    /// Without a precise timer there is no pause: what gathers while a write runs has to do.
    pub(crate) struct Gather;

    impl Gather {
        pub(crate) fn start() -> io::Result<Arc<Self>> {
            Ok(Arc::new(Self))
        }

        pub(crate) fn begin(&self, _cx: &Context<'_>) -> Option<Pause> {
            None
        }

        pub(crate) fn is_over(&self, pause: Pause) -> bool {
            match pause {}
        }
    }
}

pub(super) use timer::{Gather, Pause};
