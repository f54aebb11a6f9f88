//! The brokers: how each is started on free ports, and what it speaks.

mod aedes;
mod amqtt;
mod ejabberd;
mod embedded;
mod erlang;
mod mosquitto;
mod nats;
mod rabbitmq;

use std::{any::Any, env, path::PathBuf, process::Command, sync::Mutex, time::Duration};

use mqttsession::protocol::Version;
use mqttsession_tests::process::Program;
use tempfile::TempDir;

/// A broker that can be started.
pub(crate) struct Broker {
    pub(crate) name: &'static str,
    pub(crate) versions: &'static [Version],
    /// Whether it runs in every `cargo test`, not in `make interop` alone.
    pub(crate) everywhere: bool,
    start: fn() -> Started,
}

/// A running broker, or why there is none. A broker that is there and does not start panics.
type Started = Result<Running, String>;

/// A running broker. Dropping it ends it.
pub(crate) struct Running {
    pub(crate) port: u16,
    /// Its own word for its version.
    pub(crate) release: String,
    pub(crate) user: &'static str,
    /// Another one that takes less, where there is one: QoS 1, nothing retained, small packets.
    pub(crate) limited: Option<u16>,
    /// Never looked at again; the lock is what lets threads share this.
    _guard: Mutex<Box<dyn Any + Send>>,
}

/// How long a broker may take to start; on a busy machine RabbitMQ takes a minute.
const START: Duration = Duration::from_secs(300);

/// The name and password that every broker accepts.
pub(crate) const USER: &str = "interop";
pub(crate) const PASSWORD: &str = "in-and-out";

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

/// In the order of the matrix.
pub(crate) static BROKERS: [Broker; 7] = [
    broker("mosquitto", &[V31, V311, V5], mosquitto::start).everywhere(),
    broker("embedded", &[V311, V5], embedded::start).everywhere(),
    broker("ejabberd", &[V311, V5], ejabberd::start),
    broker("rabbitmq", &[V31, V311], rabbitmq::start),
    broker("nats", &[V311], nats::start),
    broker("amqtt", &[V311], amqtt::start),
    broker("aedes", &[V31, V311], aedes::start),
];

const fn broker(
    name: &'static str,
    versions: &'static [Version],
    start: fn() -> Started,
) -> Broker {
    Broker { name, versions, everywhere: false, start }
}

impl Broker {
    const fn everywhere(self) -> Self {
        Self { everywhere: true, ..self }
    }

    pub(crate) fn start(&self) -> Started {
        (self.start)()
    }
}

impl Running {
    fn new(port: u16, release: String, guard: impl Any + Send) -> Self {
        Self { port, release, user: USER, limited: None, _guard: Mutex::new(Box::new(guard)) }
    }
}

/// A file or folder below the folder that `setup.sh` filled; an error where it is not there.
fn installed(path: &str) -> Result<PathBuf, String> {
    let folder = env::var_os("MQTTSESSION_INTEROP").ok_or("make interop has not set it up")?;
    let path = PathBuf::from(folder).join(path);
    if path.exists() { Ok(path) } else { Err("it has not been installed".to_owned()) }
}

/// Starts a program and waits for the line that `ready` turns into something. As a port that was
/// free may be taken before the broker binds it, `command` is asked for a new one some times.
///
/// # Panics
/// It does not become ready.
fn launch<T>(
    mut command: impl FnMut(&TempDir) -> (Command, u16),
    mut ready: impl FnMut(&str) -> Option<T>,
) -> (u16, T, (Program, TempDir)) {
    const ATTEMPTS: usize = 3;

    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (mut command, port) = command(&directory);
        let mut program = Program::start(&mut command)
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        match program.wait_for(START, &mut ready) {
            Some(found) => return (port, found, (program, directory)),
            None => said = program.said(),
        }
    }
    panic!("it did not become ready in {ATTEMPTS} attempts:\n{said}");
}

/// The word behind a piece of a line.
fn word_behind(line: &str, what: &str) -> Option<String> {
    let (_, rest) = line.split_once(what)?;
    rest.split_whitespace().next().map(str::to_owned)
}
