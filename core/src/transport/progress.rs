//! How far a connection attempt has come: what a deadline needs in order to say what it cut off.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::tcp;
use crate::{
    error::{Code, Error, Layer},
    sync::Mutex,
};

/// A cell that [`connect`](super::connect) keeps up to date and that whoever set the deadline
/// reads. Clones share the cell; any thread may look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    stage: Layer,
    /// `host:port` as the user gave it.
    target: String,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    address: SocketAddr,
    /// What came back; nothing yet while it is under way.
    failure: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self { stage: Layer::NameLookup, target: String::new(), attempts: Vec::new() }
    }
}

impl Progress {
    /// The layer that is at work: name lookup, TCP or TLS. After the connection has been made it
    /// stays at the last one.
    #[cfg(test)]
    pub(crate) fn stage(&self) -> Layer {
        self.0.lock().stage
    }

    /// The error for a deadline that has passed now, `after` this time: its code tells the layer,
    /// its sentence the host, the addresses tried and what to check.
    pub(crate) fn timeout_error(&self, after: Duration) -> Error {
        let state = self.0.lock();
        let target = &state.target;
        match state.stage {
            Layer::NameLookup => Error::new(
                Code::NameTimeout,
                format!(
                    "The name server did not answer for {target} within {after:?}; check the \
                     network and the name server, or connect by IP address"
                ),
            ),
            Layer::Tls => Error::new(
                Code::TlsTimeout,
                format!(
                    "{target}{} took the connection but did not finish the TLS handshake within \
                     {after:?}; does this port speak TLS (usually 8883)?",
                    state.connected()
                ),
            ),
            _ => Error::new(
                Code::ConnectTimeout,
                format!(
                    "No connection to {target} within {after:?}{}; check host and port, and that \
                     no firewall drops the packets",
                    state.tried()
                ),
            ),
        }
    }

    /// A new attempt begins: what is left of an earlier one is forgotten.
    pub(super) fn begin(&self, target: String) {
        *self.0.lock() = State { target, ..State::default() };
    }

    pub(super) fn enter(&self, stage: Layer) {
        self.0.lock().stage = stage;
    }

    pub(super) fn trying(&self, address: SocketAddr) {
        self.0.lock().attempts.push(Attempt { address, failure: None });
    }

    pub(super) fn failed(&self, address: SocketAddr, error: &io::Error) {
        let mut state = self.0.lock();
        if let Some(attempt) = state.attempts.iter_mut().find(|one| one.address == address) {
            attempt.failure = Some(tcp::outcome(error));
        }
    }

    /// One address has been connected: the others no longer matter.
    pub(super) fn connected(&self, address: SocketAddr) {
        self.0.lock().attempts.retain(|one| one.address == address);
    }
}

impl State {
    fn connected(&self) -> String {
        self.attempts.first().map(|one| format!(" ({})", one.address)).unwrap_or_default()
    }

    fn tried(&self) -> String {
        let list: Vec<String> = self
            .attempts
            .iter()
            .map(|one| {
                let came = one.failure.as_deref().unwrap_or("did not answer");
                format!("{} {came}", one.address)
            })
            .collect();
        if list.is_empty() { String::new() } else { format!(": {}", list.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_names_the_layer_and_what_was_tried() {
        let progress = Progress::default();
        let after = Duration::from_secs(10);
        progress.begin("broker.example:1883".to_owned());
        let error = progress.timeout_error(after);
        assert_eq!((error.code(), progress.stage()), (Code::NameTimeout, Layer::NameLookup));
        assert!(error.message().contains("broker.example:1883 within 10s"), "{error}");

        let (first, second) =
            ("192.0.2.1:1883".parse().unwrap(), "[2001:db8::1]:1883".parse().unwrap());
        progress.enter(Layer::Tcp);
        progress.trying(first);
        progress.trying(second);
        progress.failed(second, &io::ErrorKind::NetworkUnreachable.into());
        let error = progress.timeout_error(after);
        assert_eq!((error.code(), progress.stage()), (Code::ConnectTimeout, Layer::Tcp));
        assert!(error.message().contains("192.0.2.1:1883 did not answer"), "{error}");
        assert!(error.message().contains("[2001:db8::1]:1883 cannot be reached"), "{error}");

        progress.connected(first);
        progress.enter(Layer::Tls);
        let error = progress.timeout_error(after);
        assert_eq!((error.code(), progress.stage()), (Code::TlsTimeout, Layer::Tls));
        assert!(error.message().contains("broker.example:1883 (192.0.2.1:1883)"), "{error}");
    }
}
