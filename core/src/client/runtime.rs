//! The library's own threads: one for I/O by default, and those that run callbacks, ask questions and
//! write to stores.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use once_cell::sync::OnceCell;
use tokio::runtime::Handle;

use super::{fork, gather::Gather, pool::Pool, shared::Shared};
use crate::{
    error::{Code, Error, Result},
    sync::Mutex,
};

/// The threads of one process. Never dropped: a process that has one keeps it, and a child of fork
/// makes its own.
pub(super) struct Runtime {
    io: Vec<IoThread>,
    next: AtomicUsize,
    pub(super) pool: Arc<Pool>,
    /// Callbacks that wait for a connection must leave threads to the questions that it needs.
    pub(super) question_pool: Arc<Pool>,
    /// A disk that is slow must hold up neither.
    pub(super) store_pool: Arc<Pool>,
}

/// A thread that waits for sockets and timers on behalf of sessions.
#[derive(Clone)]
pub(super) struct IoThread {
    pub(super) handle: Handle,
    pub(super) gather: Arc<Gather>,
}

/// Sessions by their addresses.
pub(super) type Sessions = BTreeMap<usize, Weak<Shared>>;

/// The runtimes of this process and, in a child of fork, those that it inherited and must not touch.
struct Generation {
    number: u32,
    runtime: OnceCell<Runtime>,
    sessions: Mutex<Sessions>,
    next: OnceLock<&'static Generation>,
}

impl Generation {
    const fn new(number: u32) -> Self {
        Self {
            number,
            runtime: OnceCell::new(),
            sessions: Mutex::new(Sessions::new()),
            next: OnceLock::new(),
        }
    }
}

/// How many name lookups may hang at the same time before others have to wait for them.
const NAME_LOOKUPS: usize = 16;

static FIRST: Generation = Generation::new(0);
static IO_THREADS: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    /// In which process this is an I/O thread; what a child of fork makes of it is none.
    static IS_IO: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whether this is an I/O thread, where nothing may wait.
pub(super) fn on_io_thread() -> bool {
    IS_IO.get().is_some_and(|process| process == fork::generation())
}

fn present() -> &'static Generation {
    let number = fork::generation();
    let mut generation = &FIRST;
    while generation.number != number {
        generation = generation
            .next
            .get_or_init(|| Box::leak(Box::new(Generation::new(generation.number + 1))));
    }
    generation
}

/// The sessions that were made in this process. Nothing is taken under their lock.
pub(super) fn sessions() -> &'static Mutex<Sessions> {
    &present().sessions
}

/// The threads of this process, started at the first call.
pub(super) fn runtime() -> Result<&'static Runtime> {
    present().runtime.get_or_try_init(Runtime::start)
}

/// Sets the number of I/O threads that the sessions of this process share; one by default.
///
/// # Errors
/// `ALREADY_CONNECTED` once a session has been made, `INVALID_ARGUMENT` for zero or more than 64.
pub fn set_io_threads(threads: usize) -> Result<()> {
    if !(1..=64).contains(&threads) {
        return Err(Error::new(Code::InvalidArgument, "The number of I/O threads is 1 to 64"));
    }
    if present().runtime.get().is_some() {
        return Err(Error::new(
            Code::AlreadyConnected,
            "The I/O threads are running; set their number before the first session is made",
        ));
    }
    IO_THREADS.store(threads, Ordering::Relaxed);
    Ok(())
}

impl Runtime {
    fn start() -> Result<Self> {
        let io = (0..IO_THREADS.load(Ordering::Relaxed)).map(start_io_thread);
        Ok(Self {
            io: io.collect::<Result<_>>()?,
            next: AtomicUsize::new(0),
            pool: Arc::new(Pool::new("mqtt-callback")),
            question_pool: Arc::new(Pool::new("mqtt-question")),
            store_pool: Arc::new(Pool::new("mqtt-store")),
        })
    }

    /// The I/O threads take turns in getting sessions.
    pub(super) fn next_io_thread(&self) -> IoThread {
        self.io[self.next.fetch_add(1, Ordering::Relaxed) % self.io.len()].clone()
    }
}

fn start_io_thread(number: usize) -> Result<IoThread> {
    let cannot = |error: std::io::Error| {
        Error::new(Code::OutOfMemory, "The I/O thread could not be started").with_source(error)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(NAME_LOOKUPS)
        .thread_keep_alive(Duration::from_secs(1))
        .thread_name(format!("mqtt-lookup-{number}"))
        .build()
        .map_err(cannot)?;
    let handle = runtime.handle().clone();
    let gather = {
        let _inside = handle.enter();
        Gather::start().map_err(cannot)?
    };
    let process = fork::generation();
    std::thread::Builder::new()
        .name(format!("mqtt-io-{number}"))
        .spawn(move || {
            IS_IO.set(Some(process));
            runtime.block_on(std::future::pending::<()>());
        })
        .map_err(cannot)?;
    Ok(IoThread { handle, gather })
}
