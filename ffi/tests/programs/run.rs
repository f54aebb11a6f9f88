//! Runs compiled programs, each under what finds its memory errors, and the brokers they need.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use mqttsession_tests::{
    DEADLINE,
    player::play,
    process::{find, skipped},
    real::{Config, Mosquitto},
    script::Script,
    scripted::ScriptedBroker,
    trace::Trace,
};
use rustls::ServerConfig;

use super::compile::{Build, compile, repository};
use crate::artifact;

/// What watches a program while it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Under {
    AddressSanitizer,
    Valgrind,
    Nothing,
}

impl Under {
    fn build(self) -> Build {
        match self {
            Self::AddressSanitizer => Build::Sanitized,
            Self::Valgrind | Self::Nothing => Build::Plain,
        }
    }

    /// Runs a program of tests/c, which must succeed.
    pub(crate) fn run(self, name: &str, arguments: &[&str]) {
        self.watch(&format!("tests/c/{name}.c"), arguments);
    }

    /// Runs a program, which must succeed.
    pub(crate) fn watch(self, source: &str, arguments: &[&str]) {
        let program = compile(source, self.build());
        let mut command = match self {
            Self::AddressSanitizer | Self::Nothing => Command::new(program),
            Self::Valgrind => {
                let mut command = Command::new("valgrind");
                command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
                command.args(["--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"]);
                let known = repository().join("tests/c/valgrind.supp");
                command.arg(format!("--suppressions={}", known.display()));
                if source.ends_with("/fork.c") || source.ends_with("/store_refused.c") {
                    // A child has lost the parent's threads, and with their stacks all they held.
                    command.arg("--leak-check=no");
                }
                command.arg(program);
                command
            }
        };
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{self:?} {source} {arguments:?}: {}", said(&output));
    }
}

/// Does a test under everything that there is.
pub(crate) fn under_each(test: impl Fn(Under)) {
    // Built before any broker waits for a program.
    artifact::directory();
    test(Under::AddressSanitizer);
    if find("valgrind", &[]).is_some() {
        test(Under::Valgrind);
    } else {
        skipped("valgrind is not installed", "MQTTSESSION_REQUIRE_VALGRIND");
    }
}

/// The same with a program of tests/cpp, given what runs it. It is compiled before, because that may
/// take longer than a broker waits.
pub(crate) fn run_under_each(name: &str, test: impl Fn(&dyn Fn(&[&str]))) {
    let source = format!("tests/cpp/{name}.cpp");
    under_each(|under| {
        compile(&source, under.build());
        test(&|arguments| under.watch(&source, arguments));
    });
}

/// Gives a test the address of a broker that plays this script, which must come to its end. A line
/// that ends with a backslash goes on in the next.
pub(crate) fn script(text: &str, test: impl FnOnce(&str)) {
    played(&text.replace("\\\n", " "), ScriptedBroker::start(), "mqtt", test);
}

/// The same with a script of tests/scenarios.
pub(crate) fn scenario(name: &str, test: impl FnOnce(&str)) {
    let path = repository().join("tests/scenarios").join(name).with_extension("script");
    script(&fs::read_to_string(path).unwrap(), test);
}

/// Gives a test the address of a TLS server; what comes of the handshake is the test's to say.
pub(crate) fn tls(config: Arc<ServerConfig>, test: impl FnOnce(&str)) {
    let broker = ScriptedBroker::start_with(Some(config), Trace::default(), DEADLINE);
    let address = format!("mqtts://localhost:{}", broker.port());
    let script = Script::parse("accept\nexpect CONNECT").unwrap();
    let server = thread::spawn(move || play(&script, &broker));
    test(&address);
    let played = server.join().unwrap();
    assert!(played.is_err(), "a session spoke MQTT over TLS that it should not have trusted");
}

/// Gives a test the port of a real broker; a loud line where there is none.
pub(crate) fn real(test: impl FnOnce(u16)) {
    if let Some(broker) = Mosquitto::start(&Config::default()) {
        test(broker.port());
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    format!("mqtt://127.0.0.1:{}", ScriptedBroker::start().refuse())
}

/// The path of a store's directory, of which nothing is there; each call gives another.
pub(crate) fn store() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores");
    fs::create_dir_all(&all).unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = all.join(format!("{}-{number}", std::process::id()));
    let _missing = fs::remove_dir_all(&directory);
    directory
}

fn played(text: &str, broker: ScriptedBroker, scheme: &str, test: impl FnOnce(&str)) {
    let script = Script::parse(text).unwrap();
    let address = format!("{scheme}://127.0.0.1:{}", broker.port());
    let trace = broker.trace().clone();
    let server = thread::spawn(move || play(&script, &broker));
    test(&address);
    if let Err(reason) = server.join().unwrap() {
        panic!("the script did not come to its end: {reason}\n{trace}");
    }
}

fn said(output: &Output) -> String {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{stdout}\n{stderr}", output.status)
}
