//! A broker that does what a test tells it, and nothing else.
//!
//! ```no_run
//! use mqttsession_tests::{scripted::ScriptedBroker, wire};
//!
//! let broker = ScriptedBroker::start();
//! // ... a session connects to 127.0.0.1 and broker.port() ...
//! let mut peer = broker.accept();
//! peer.accept_session();
//! let publish = peer.expect_publish();
//! peer.send(&wire::puback(publish.id));
//! peer.expect_disconnect();
//! peer.expect_closed();
//! ```
//!
//! Whatever does not happen as told, or not within [`DEADLINE`], panics and prints what both sides
//! said. Plain threads and blocking sockets, so that it works the same below any runtime.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustls::ServerConfig;

pub use crate::peer::Peer;
use crate::{DEADLINE, trace::Trace};

/// A listener on a free port of 127.0.0.1.
///
/// Connections are accepted at once and wait for [`accept`](Self::accept). Dropping it closes the
/// port; connections that were taken live on.
pub struct ScriptedBroker {
    address: SocketAddr,
    connections: Receiver<TcpStream>,
    listener: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    accepted: AtomicUsize,
    tls: Option<Arc<ServerConfig>>,
    trace: Trace,
    deadline: Duration,
}

impl ScriptedBroker {
    /// Listens for plain TCP.
    ///
    /// # Panics
    /// No port can be had.
    pub fn start() -> Self {
        Self::start_with(None, Trace::default(), DEADLINE)
    }

    /// Listens for TLS; see [`Certificates::server`](crate::certificate::Certificates::server).
    ///
    /// The handshake begins with the first expectation, which is also where it fails.
    ///
    /// # Panics
    /// No port can be had.
    pub fn start_tls(tls: Arc<ServerConfig>) -> Self {
        Self::start_with(Some(tls), Trace::default(), DEADLINE)
    }

    /// Listens with a trace and a deadline of the caller's.
    ///
    /// # Panics
    /// No port can be had.
    pub fn start_with(tls: Option<Arc<ServerConfig>>, trace: Trace, deadline: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, connections) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) || sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            connections,
            listener: Some(listener),
            stop,
            accepted: AtomicUsize::new(0),
            tls,
            trace,
            deadline,
        }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address as a session takes it, such as `mqtt://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "mqtts" } else { "mqtt" }, self.address)
    }

    /// What all connections have said so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Waits for the next connection.
    ///
    /// # Panics
    /// None comes before the deadline.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        self.try_accept().unwrap_or_else(|reason| panic!("{reason}\n\n{}", self.trace))
    }

    /// Waits for the next connection; the error says that none came.
    pub(crate) fn try_accept(&self) -> Result<Peer, String> {
        let stream = self
            .connections
            .recv_timeout(self.deadline)
            .map_err(|_| format!("no connection within {:?}", self.deadline))?;
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        Peer::new(stream, self.tls.clone(), number, self.trace.clone(), self.deadline)
            .map_err(|error| format!("connection {number} is gone already: {error}"))
    }

    /// Waits for the next connection and lets it in: a CONNECT, answered with success.
    ///
    /// # Panics
    /// As [`accept`](Self::accept) and [`Peer::accept_session`].
    #[track_caller]
    pub fn accept_session(&self) -> Peer {
        let mut peer = self.accept();
        peer.accept_session();
        peer
    }

    /// Closes the port: further attempts to connect are refused.
    ///
    /// Returns the port, on which nobody listens any more.
    pub fn refuse(self) -> u16 {
        self.port()
    }
}

impl Drop for ScriptedBroker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The listener waits for a connection, so that is what wakes it.
        let woken = TcpStream::connect_timeout(&self.address, DEADLINE);
        if let (Ok(_), Some(listener)) = (woken, self.listener.take()) {
            let _ = listener.join();
        }
    }
}
