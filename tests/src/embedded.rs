//! A guard round `mqttsession-broker`.

use std::{env, path::PathBuf, process::Command};

use crate::{
    DEADLINE,
    process::{Program, skipped},
};

/// The environment variable with the broker's path.
pub const PATH: &str = "MQTTSESSION_BROKER";

/// The environment variable that makes the broker's absence a failure.
pub const REQUIRED: &str = "MQTTSESSION_REQUIRE_BROKER";

/// A running `mqttsession-broker`, stopped when it is dropped.
///
/// It stops by itself, too, should the test's process end in any way: its standard input ends.
pub struct EmbeddedBroker {
    program: Program,
    listeners: Vec<String>,
}

impl EmbeddedBroker {
    /// Starts the broker with further arguments and waits until it answers; nothing, and a loud
    /// line, where it has not been built.
    ///
    /// # Panics
    /// It does not start, or is not there although `MQTTSESSION_REQUIRE_BROKER` is set.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let Some(path) = path() else {
            skipped(
                "mqttsession-broker has not been built (cargo build -p mqttsession-broker)",
                REQUIRED,
            );
            return None;
        };
        let mut program = Program::start(Command::new(&path).args(arguments))
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", path.display()));
        let mut listeners = Vec::new();
        // One line for MQTT, then one for each listener that was asked for.
        let asked = ["--tls-port", "--websocket-port"];
        let count = 1 + asked.iter().filter(|option| arguments.contains(option)).count();
        while listeners.len() < count {
            let listener = program
                .wait_for(DEADLINE, |line| line.strip_prefix("listening ").map(str::to_owned))
                .unwrap_or_else(|| panic!("the broker does not start:\n{}", program.said()));
            listeners.push(listener);
        }
        Some(Self { program, listeners })
    }

    /// The port for MQTT over TCP.
    pub fn port(&self) -> u16 {
        self.port_of("mqtt").expect("there is always one")
    }

    /// The port for a scheme, `mqtt`, `mqtts` or `ws`, where there is one.
    pub fn port_of(&self, scheme: &str) -> Option<u16> {
        let url = self
            .listeners
            .iter()
            .find(|url| url.split_once("://").is_some_and(|(s, _)| s == scheme))?;
        let (_, behind) = url.rsplit_once(':')?;
        behind.split('/').next()?.parse().ok()
    }

    /// Ends the broker's input, waits for it and says whether it ended well.
    pub fn stop(mut self) -> bool {
        self.program.close_input();
        self.program.wait(DEADLINE).is_some_and(|status| status.success())
    }
}

/// The path in the environment; else the program beside this one or, as tests lie in a directory
/// of their own, one above.
fn path() -> Option<PathBuf> {
    if let Some(path) = env::var_os(PATH) {
        return Some(path.into());
    }
    let name = format!("mqttsession-broker{}", env::consts::EXE_SUFFIX);
    let this = env::current_exe().ok()?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(&name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificate::Certificates, probe};

    #[test]
    fn it_answers_on_every_listener_and_stops_well() {
        let certificates = Certificates::new();
        let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
        let Some(broker) = EmbeddedBroker::start(&[
            "--tls-port",
            "0",
            "--certificate",
            certificate.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
            "--websocket-port",
            "0",
        ]) else {
            return;
        };
        assert_eq!(probe::connack(broker.port()), Some(0));
        let ports = ["mqtt", "mqtts", "ws"].map(|scheme| broker.port_of(scheme).unwrap());
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2], "{ports:?}");
        assert!(broker.stop(), "it should end with exit code 0");
    }
}
