//! A guard round Mosquitto, the first of the real brokers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    DEADLINE,
    probe::{self, free_port},
    process::{Program, find, skipped},
};

/// The environment variable that makes Mosquitto's absence a failure.
pub const REQUIRED: &str = "MQTTSESSION_REQUIRE_MOSQUITTO";

/// Where Mosquitto lies when it is not on the PATH.
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/// What kind of Mosquitto a test needs. The default: everybody may connect, nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Names and passwords; if there is one, nobody else may connect.
    pub users: Vec<(String, String)>,
    /// A second listener, with TLS.
    pub tls: Option<Tls>,
    /// Whether sessions survive an orderly end.
    pub persistence: bool,
    /// Further lines of the configuration file.
    pub lines: Vec<String>,
}

/// The TLS listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The issuer of client certificates.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// Whether a client has to have a certificate.
    pub require_certificate: bool,
}

/// A running Mosquitto, killed when it is dropped.
pub struct Mosquitto {
    program: Program,
    path: PathBuf,
    directory: TempDir,
    port: u16,
    tls_port: Option<u16>,
}

impl Mosquitto {
    /// Whether Mosquitto is installed. If not, that is said loudly.
    ///
    /// # Panics
    /// It is not, although `MQTTSESSION_REQUIRE_MOSQUITTO` is set.
    pub fn available() -> bool {
        Self::find().is_some()
    }

    fn find() -> Option<PathBuf> {
        let path = find("mosquitto", &DIRECTORIES);
        if path.is_none() {
            skipped("mosquitto is not installed", REQUIRED);
        }
        path
    }

    /// Starts Mosquitto on free ports and waits until it answers; nothing, and a loud line, where
    /// it is not installed.
    ///
    /// # Panics
    /// It does not start, or is not installed although `MQTTSESSION_REQUIRE_MOSQUITTO` is set.
    pub fn start(config: &Config) -> Option<Self> {
        // Between our looking for a free port and Mosquitto's taking it, somebody may take it.
        const ATTEMPTS: usize = 10;

        let path = Self::find()?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let (port, tls_port) = (free_port(), config.tls.as_ref().map(|_| free_port()));
            configure(config, directory.path(), port, tls_port);
            match launch(&path, directory.path(), port) {
                Ok(program) => return Some(Self { program, path, directory, port, tls_port }),
                Err(output) if output.contains("Address already in use") => said = output,
                Err(output) => panic!("mosquitto does not start:\n{output}"),
            }
        }
        panic!("mosquitto found no port in {ATTEMPTS} attempts:\n{said}");
    }

    /// The port without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port with TLS.
    ///
    /// # Panics
    /// The configuration had none.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("a configuration with TLS")
    }

    /// What Mosquitto has logged so far.
    pub fn log(&mut self) -> String {
        self.program.said()
    }

    /// Ends Mosquitto in good order; with persistence it saves its sessions.
    ///
    /// # Panics
    /// It does not end.
    pub fn stop_gracefully(&mut self) {
        self.program.terminate();
        let ended = self.program.wait(DEADLINE);
        assert!(ended.is_some(), "mosquitto does not stop:\n{}", self.program.said());
    }

    /// Kills Mosquitto, which saves nothing and says goodbye to nobody.
    pub fn crash(&mut self) {
        self.program.kill();
    }

    /// Ends Mosquitto in good order, unless it has ended, and starts it again on the same ports.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        self.stop_gracefully();
        self.program = launch(&self.path, self.directory.path(), self.port)
            .unwrap_or_else(|output| panic!("mosquitto does not start again:\n{output}"));
    }
}

/// Starts the program and waits until it answers; the error is what it said.
fn launch(path: &Path, directory: &Path, port: u16) -> Result<Program, String> {
    let mut command = Command::new(path);
    command.arg("-c").arg(directory.join("mosquitto.conf"));
    let mut program = Program::start(&mut command).map_err(|error| error.to_string())?;
    // Its last line before it begins to serve: `mosquitto version 2.0.11 running`.
    let running = |line: &str| {
        (line.contains("mosquitto version") && line.ends_with("running")).then_some(())
    };
    // Any CONNACK will do: with users, it is a refusal.
    match program.wait_for(DEADLINE, running).and_then(|()| probe::connack(port)) {
        Some(_) => Ok(program),
        None => Err(program.said()),
    }
}

fn configure(config: &Config, directory: &Path, port: u16, tls_port: Option<u16>) {
    let mut lines = vec![
        // Started by root it would otherwise become a user who cannot read our files.
        "user root".to_owned(),
        "log_dest stderr".to_owned(),
        "log_type all".to_owned(),
        // No message is to be lost for the broker's own limits.
        "max_queued_messages 0".to_owned(),
        format!("allow_anonymous {}", config.users.is_empty()),
        format!("listener {port} 127.0.0.1"),
    ];
    if let (Some(tls), Some(port)) = (&config.tls, tls_port) {
        lines.extend([
            format!("listener {port} 127.0.0.1"),
            format!("cafile {}", tls.ca.display()),
            format!("certfile {}", tls.certificate.display()),
            format!("keyfile {}", tls.key.display()),
            format!("require_certificate {}", tls.require_certificate),
        ]);
    }
    if config.persistence {
        lines.push("persistence true".to_owned());
        lines.push(format!("persistence_location {}/", directory.display()));
    }
    if !config.users.is_empty() {
        lines.push(format!("password_file {}", passwords(&config.users, directory).display()));
    }
    lines.extend(config.lines.iter().cloned());
    fs::write(directory.join("mosquitto.conf"), lines.join("\n") + "\n")
        .expect("writing into a temporary directory");
}

/// Writes the password file with Mosquitto's own program, which knows how it hashes.
fn passwords(users: &[(String, String)], directory: &Path) -> PathBuf {
    let file = directory.join("passwords");
    fs::write(&file, "").expect("writing into a temporary directory");
    let program = find("mosquitto_passwd", &DIRECTORIES)
        .expect("mosquitto_passwd is installed together with mosquitto");
    for (name, password) in users {
        let output = Command::new(&program).arg("-b").arg(&file).args([name, password]).output();
        let output = output.expect("mosquitto_passwd can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Certificates;

    #[test]
    fn it_answers_and_comes_back_on_the_same_port() {
        let Some(mut broker) = Mosquitto::start(&Config::default()) else { return };
        let port = broker.port();
        assert_eq!(probe::connack(port), Some(0));
        broker.stop_gracefully();
        assert_eq!(probe::connack(port), None);
        broker.restart();
        assert_eq!((broker.port(), probe::connack(port)), (port, Some(0)));
        broker.crash();
        assert_eq!(probe::connack(port), None);
    }

    #[test]
    fn with_users_nobody_else_may_connect() {
        let users = vec![("ada".to_owned(), "secret".to_owned())];
        let Some(broker) = Mosquitto::start(&Config { users, ..Config::default() }) else { return };
        assert_eq!(probe::connack(broker.port()), Some(5));
    }

    #[test]
    fn with_tls_there_is_a_second_port_and_with_persistence_a_file() {
        let certificates = Certificates::new();
        let tls = Tls {
            ca: certificates.path("ca.pem"),
            certificate: certificates.path("server.pem"),
            key: certificates.path("server.key"),
            require_certificate: true,
        };
        let config = Config { tls: Some(tls), persistence: true, ..Config::default() };
        let Some(mut broker) = Mosquitto::start(&config) else { return };
        assert_ne!(broker.port(), broker.tls_port());
        std::net::TcpStream::connect(("127.0.0.1", broker.tls_port()))
            .expect("TLS is listened for");
        broker.stop_gracefully();
        assert!(broker.directory.path().join("mosquitto.db").is_file(), "{}", broker.log());
    }
}
