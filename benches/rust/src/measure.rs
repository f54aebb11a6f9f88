//! Arguments, clocks, waiting, and the line of JSON: what the benchmark's programs in Rust share.

use std::{
    env,
    error::Error,
    fs,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Whatever ends a run says why.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a program is asked for: `host port mode qos count size [version]`.
#[derive(Clone)]
pub struct Run {
    /// The peer: host and port.
    pub address: String,
    /// What is measured.
    pub mode: String,
    /// The quality of service.
    pub qos: u8,
    /// Messages, round trips or connections.
    pub count: i64,
    /// Octets of a payload.
    pub size: usize,
    /// 4 (3.1.1) or 5.
    pub version: u8,
    /// Messages of QoS 1 and 2 handed over and not yet complete.
    pub window: i64,
}

impl Run {
    /// From the command line, and `BENCH_WINDOW` from the environment.
    ///
    /// # Errors
    /// The usage, or what is no number.
    pub fn read(arguments: &[String]) -> Result<Self> {
        let [host, port, mode, qos, count, size, version @ ..] = arguments else {
            return Err("usage: driver host port mode qos count size [4|5]".into());
        };
        let window = env::var("BENCH_WINDOW").map_or(Ok(1000), |window| window.parse())?;
        Ok(Self {
            address: format!("{host}:{port}"),
            mode: mode.clone(),
            qos: qos.parse()?,
            count: count.parse()?,
            size: size.parse()?,
            version: version.first().map_or(Ok(4), |version| version.parse())?,
            window,
        })
    }
}

/// The wall clock and the CPU time of this process.
pub struct Start {
    wall: Instant,
    ticks: [Duration; 2],
    cpu: Duration,
}

impl Start {
    /// From here on.
    ///
    /// # Errors
    /// The system tells no times.
    pub fn now() -> Result<Self> {
        Ok(Self { wall: Instant::now(), ticks: ticks()?, cpu: cpu() })
    }

    /// What has passed.
    pub fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    /// CPU time of this process since then.
    pub fn cpu(&self) -> Duration {
        cpu().saturating_sub(self.cpu)
    }

    /// Prints what it cost from here to this call, and `extra` members.
    ///
    /// # Errors
    /// The system tells no times.
    pub fn report(&self, library: &str, run: &Run, messages: i64, extra: Value) -> Result<()> {
        let (wall, cpu) = (self.wall(), self.cpu());
        let [user, system] = ticks()?;
        let mut line = json!({
            "library": library,
            "mode": run.mode,
            "qos": run.qos,
            "count": run.count,
            "size": run.size,
            "version": run.version,
            "messages": messages,
            "wall_s": wall.as_secs_f64(),
            "user_s": (user - self.ticks[0]).as_secs_f64(),
            "sys_s": (system - self.ticks[1]).as_secs_f64(),
            "cpu_s": cpu.as_secs_f64(),
            "rss_kb": process_status("VmHWM")?,
        });
        if let (Some(line), Value::Object(extra)) = (line.as_object_mut(), extra) {
            line.extend(extra);
        }
        println!("{line}");
        Ok(())
    }
}

/// User and system time of this process, as the kernel counts it: in hundredths of a second.
///
/// # Errors
/// The system tells no times.
pub fn ticks() -> Result<[Duration; 2]> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold anything.
    let fields = stat.rsplit_once(')').ok_or("the system tells no times")?.1;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let mut next = || times.next().ok_or("the system tells no times");
    Ok([TICK * next()??, TICK * next()??])
}

/// CPU time of this process, finer than the kernel tells user and system time apart.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// A number from `/proc/self/status`.
///
/// # Errors
/// There is no such number.
pub fn process_status(key: &str) -> Result<i64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the system tells no such number")?.parse()?)
}

/// Round trips that are not measured.
pub const WARM_UP: i64 = 200;

/// What is told of round trips, each in microseconds.
pub fn describe_trips(mut trips: Vec<f64>) -> Value {
    trips.sort_unstable_by(f64::total_cmp);
    let [least, p50, p99] = [0, trips.len() / 2, trips.len() * 99 / 100].map(|at| trips[at]);
    json!({ "min_us": least, "p50_us": p50, "p99_us": p99 })
}

/// What is told of so many connections, which took the memory of the process beyond `before` KiB, after
/// a moment for the library to settle.
///
/// # Errors
/// The system tells no such numbers.
pub fn describe_idle(start: &Start, before: i64, connections: i64) -> Result<Value> {
    let connecting = start.wall().as_secs_f64();
    thread::sleep(Duration::from_secs(1));
    let grown = process_status("VmRSS")? - before;
    Ok(json!({
        "conns": connections,
        "rss_per_conn_kb": grown as f64 / connections as f64,
        "threads": process_status("Threads")?,
        "connect_s": connecting,
    }))
}

/// Counts up in any thread; one thread at a time may wait for a value.
pub struct Tally {
    value: AtomicI64,
    wanted: AtomicI64,
    lock: Mutex<()>,
    reached: Condvar,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// At zero.
    pub const fn new() -> Self {
        Self {
            value: AtomicI64::new(0),
            wanted: AtomicI64::new(i64::MAX),
            lock: Mutex::new(()),
            reached: Condvar::new(),
        }
    }

    /// One more.
    #[inline]
    pub fn add(&self) {
        let value = self.value.fetch_add(1, Ordering::SeqCst) + 1;
        let wanted = self.wanted.load(Ordering::SeqCst);
        // Told once: a condition of the standard library costs a system call each time.
        let reached = value >= wanted
            && self
                .wanted
                .compare_exchange(wanted, i64::MAX, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
        if !reached {
            return;
        }
        // Taken: closes the gap between the waiter's last look and its falling asleep.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.reached.notify_one();
    }

    /// The value as it is.
    pub fn value(&self) -> i64 {
        self.value.load(Ordering::SeqCst)
    }

    /// Returns the value, which is at least `wanted` then.
    pub fn wait(&self, wanted: i64) -> i64 {
        let value = self.value.load(Ordering::SeqCst);
        if value >= wanted {
            return value;
        }
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.wanted.store(wanted, Ordering::SeqCst);
        while self.value.load(Ordering::SeqCst) < wanted {
            lock = self.reached.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.value.load(Ordering::SeqCst)
    }
}
