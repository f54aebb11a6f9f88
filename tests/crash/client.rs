//! The other end of the broker, on packets that this crate writes and reads by itself: who counts what a
//! publisher published, and who feeds a receiver. Neither is killed; they lose connections only
//! when the broker is restarted.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use mqttsession_tests::{DEADLINE, seen::Seen, wire};

/// What all programs publish to and subscribe to.
pub(crate) const TOPIC: &str = "crash";

/// One connection in MQTT 3.1.1.
struct Connection {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    fn open(port: u16, client_id: &str, clean: bool) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        let mut connection = Self { socket, unread: Vec::new() };
        connection.send(&wire::connect(4, client_id, clean))?;
        match connection.receive()? {
            Seen::Connack(connack) if connack.reason == 0 => Ok(connection),
            other => Err(io::Error::other(format!("{other:?} in place of CONNACK"))),
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.socket.write_all(packet)
    }

    fn receive(&mut self) -> io::Result<Seen> {
        let mut bytes = [0; 8192];
        loop {
            if let Some((seen, length)) = Seen::decode(&self.unread, 4).map_err(io::Error::other)? {
                self.unread.drain(..length);
                return Ok(seen);
            }
            match self.socket.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.unread.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

/// A subscriber with a persistent session that counts each number.
pub(crate) struct Counter {
    port: u16,
    shared: Arc<Shared>,
    up: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<Counts>,
    changed: Condvar,
}

/// What has arrived.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    /// How many times each number arrived.
    pub(crate) numbers: BTreeMap<u64, u32>,
    /// Exchanges that the broker began once more, marked as a repetition, after it had ended them.
    pub(crate) repeated: usize,
    /// Connections so far.
    connections: usize,
    /// The present one, to be ended by somebody else than who reads it.
    socket: Option<Arc<TcpStream>>,
    ended: bool,
}

impl Counter {
    /// Subscribes, and counts from then on.
    ///
    /// # Panics
    /// The broker does not take the subscription.
    pub(crate) fn start(port: u16) -> Self {
        let shared = Arc::<Shared>::default();
        let (up, ups) = channel();
        let counting = shared.clone();
        let thread = thread::spawn(move || counting.run(port, &ups));
        let counter = Self { port, shared, up, thread: Some(thread) };
        counter.wait_until("it has subscribed", |counts| counts.connections > 0);
        counter
    }

    /// The broker runs again after it had been stopped.
    pub(crate) fn broker_is_up(&self) {
        let before = self.shared.lock().connections;
        self.up.send(()).expect("the counter waits for its broker");
        self.wait_until("it has connected again", |counts| counts.connections > before);
    }

    /// Waits until what has arrived is as wanted.
    ///
    /// # Panics
    /// At the deadline.
    pub(crate) fn wait_until(&self, what: &str, wanted: impl Fn(&Counts) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut counts = self.shared.lock();
        while !wanted(&counts) {
            let left = end.checked_duration_since(Instant::now());
            let left =
                left.unwrap_or_else(|| panic!("the counter at port {}: {what}: never", self.port));
            let waited = self.shared.changed.wait_timeout(counts, left);
            counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has arrived so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().clone()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let mut counts = self.shared.lock();
        counts.ended = true;
        if let Some(socket) = &counts.socket {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(counts);
        let _ = self.up.send(());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, port: u16, ups: &Receiver<()>) {
        let mut receiving = Receiving::default();
        loop {
            // A lost connection is what a restart of the broker is.
            let _ = self.serve(port, &mut receiving);
            if ups.recv().is_err() || self.lock().ended {
                return;
            }
        }
    }

    fn serve(&self, port: u16, receiving: &mut Receiving) -> io::Result<()> {
        let mut connection = Connection::open(port, "counter", false)?;
        let mut counts = self.lock();
        if counts.ended {
            return Ok(());
        }
        counts.socket = connection.socket.try_clone().ok().map(Arc::new);
        let first = counts.connections == 0;
        drop(counts);
        if first {
            connection.send(&wire::subscribe(1, &[(TOPIC, 2)]))?;
            let Seen::Suback(_) = connection.receive()? else {
                return Err(io::Error::other("no SUBACK"));
            };
        }
        self.lock().connections += 1;
        self.changed.notify_all();
        loop {
            match connection.receive()? {
                Seen::Publish(publish) => {
                    let number = number(&publish.payload);
                    let mut counts = self.lock();
                    match receiving.arrived(publish.id, number, publish.dup) {
                        Arrival::New => *counts.numbers.entry(number).or_default() += 1,
                        Arrival::Again => {}
                        Arrival::AfterItsEnd => counts.repeated += 1,
                    }
                    drop(counts);
                    self.changed.notify_all();
                    connection.send(&wire::pubrec(publish.id))?;
                }
                Seen::Pubrel(pubrel) => {
                    receiving.released(pubrel.id);
                    connection.send(&wire::pubcomp(pubrel.id))?;
                }
                _ => {}
            }
        }
    }
}

/// The receiver's half of QoS 2.
#[derive(Default)]
struct Receiving {
    open: HashMap<u16, u64>,
    ended: HashSet<(u16, u64)>,
}

enum Arrival {
    New,
    /// The same exchange, which is what DUP is for.
    Again,
    /// The broker had sent PUBREL, and sends the PUBLISH with the same id and DUP.
    AfterItsEnd,
}

impl Receiving {
    fn arrived(&mut self, id: u16, number: u64, dup: bool) -> Arrival {
        if self.open.get(&id) == Some(&number) {
            return Arrival::Again;
        }
        self.open.insert(id, number);
        match dup && self.ended.contains(&(id, number)) {
            true => Arrival::AfterItsEnd,
            false => Arrival::New,
        }
    }

    fn released(&mut self, id: u16) {
        if let Some(number) = self.open.remove(&id) {
            self.ended.insert((id, number));
        }
    }
}

/// The number that a payload says; 0, which nobody publishes but to say that all is over, for others.
pub(crate) fn number(payload: &[u8]) -> u64 {
    std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Publishes these numbers with QoS 2, and returns when the broker has taken them for good.
///
/// # Panics
/// The broker does not.
pub(crate) fn feed(port: u16, numbers: std::ops::RangeInclusive<u64>) {
    // No more than Mosquitto remembers of QoS 2.
    const WINDOW: usize = 20;

    let exchange = || -> io::Result<()> {
        let mut connection = Connection::open(port, "feeder", true)?;
        connection.socket.set_read_timeout(Some(DEADLINE))?;
        let mut left = numbers.clone().zip((1..=u16::MAX).cycle());
        let mut open = 0;
        loop {
            while open < WINDOW
                && let Some((number, id)) = left.next()
            {
                connection.send(&wire::publish(TOPIC, 2, id, number.to_string()))?;
                open += 1;
            }
            if open == 0 {
                return connection.send(&wire::disconnect());
            }
            match connection.receive()? {
                Seen::Pubrec(pubrec) => connection.send(&wire::pubrel(pubrec.id))?,
                Seen::Pubcomp(_) => open -= 1,
                other => {
                    return Err(io::Error::other(format!("{other:?} in an exchange of QoS 2")));
                }
            }
        }
    };
    exchange().unwrap_or_else(|error| panic!("the broker does not take what it is fed: {error}"));
}
