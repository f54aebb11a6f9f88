//! Builds the programs of tests/c, tests/cpp and the examples, and runs them against scripted and
//! real brokers, under AddressSanitizer and under valgrind.

#![cfg(target_os = "linux")]

mod artifact;
mod programs {
    pub(crate) mod compile;
    mod cpp;
    mod durable;
    mod lent;
    pub(crate) mod mqtt5;
    pub(crate) mod run;
}

use std::{fs, process::Command};

use mqttsession_tests::{certificate::Certificates, scripted::ScriptedBroker};
use programs::{
    compile::{Build, compile, repository},
    run::{Under, real, scenario, script, store, tls, under_each},
};

/// Milliseconds that no attempt to connect needs.
const LIMIT: &str = "30000";

/// A broker that answers everything.
const SERVE: &str =
    "accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\nexpect closed";

/// One that never acknowledges.
const SILENT: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect PUBLISH\nsilence";

/// One that sends a thousand messages of QoS 1, and serves meanwhile.
const BURST: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id 1\nrepeat 1000 {\nsend PUBLISH demo/in 1 $n \"message $n\"\n}\n\
    serve until DISCONNECT\nexpect closed";

/// One that refuses a subscription.
const REFUSING: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id refused\nserve until DISCONNECT\nexpect closed";

/// One message with a property.
const WITH_PROPERTY: &str = "accept\nexpect CONNECT level=5\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id 1\nsend PUBLISH demo/in 1 7 hello retain content-type=\"text/plain\"\n\
    expect PUBACK 7\nexpect DISCONNECT\nexpect closed";

#[test]
fn each_header_compiles_alone_as_c_and_as_cpp() {
    for first in [true, false] {
        for (compiler, standard) in [("cc", "c11"), ("c++", "c++17")] {
            let mut command = Command::new(compiler);
            command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]);
            command.arg(format!("-std={standard}")).arg("-I").arg(repository().join("include"));
            command.args(if compiler == "cc" { ["-x", "c"] } else { ["-x", "c++"] });
            command.args(first.then_some("-DFIRST")).arg(repository().join("tests/c/alone.c"));
            artifact::run(&mut command);
        }
    }
}

#[test]
fn a_program_is_linked_with_the_static_library() {
    let program = compile("tests/c/misuse.c", Build::Static);
    let needed = artifact::run(Command::new("readelf").arg("-d").arg(&program));
    assert!(!needed.contains("libmqttsession"), "{needed}");
    artifact::run(&mut Command::new(program));
}

/// Without this, a silent change of a flag would make the sanitizer's silence worthless.
#[test]
fn the_address_sanitizer_is_in_the_programs_that_claim_it() {
    let symbols = |build| artifact::run(Command::new("nm").arg(compile("tests/c/misuse.c", build)));
    assert!(symbols(Build::Sanitized).contains("__asan_init"));
    assert!(!symbols(Build::Plain).contains("__asan_init"));
}

#[test]
fn misuse() {
    under_each(|under| {
        under.run("misuse", &[]);
        under.run("misuse_session", &[]);
    });
}

#[test]
fn calls_inside_a_message_callback_while_messages_arrive() {
    for what in ["publish", "subscribe", "unsubscribe", "disconnect", "free"] {
        under_each(|under| script(BURST, |address| under.run("inside", &[address, what])));
    }
}

#[test]
fn publishing_ends_once_and_can_be_waited_for() {
    under_each(|under| {
        script(SERVE, |address| under.run("publish", &[address, "ended"]));
        script(SILENT, |address| under.run("publish", &[address, "unanswered"]));
    });
}

#[test]
fn a_message_shows_all_it_has_and_is_acknowledged_later() {
    under_each(|under| script(WITH_PROPERTY, |address| under.run("receive", &[address])));
}

#[test]
fn polled_callbacks() {
    under_each(|under| scenario("deliver_qos1", |address| under.run("poll", &[address])));
}

#[test]
fn inline_callbacks() {
    under_each(|under| script(BURST, |address| under.run("inline", &[address])));
}

#[test]
fn operations_events_and_log_lines() {
    under_each(|under| script(SERVE, |address| under.run("operation", &[address])));
}

#[test]
fn a_refused_subscription() {
    under_each(|under| scenario("reject_subscription", |address| under.run("refused", &[address])));
}

#[test]
fn a_program_that_knows_nothing_of_sigpipe_is_not_ended_by_it() {
    // Without valgrind, under which one side is too slow to write to what has just ended.
    artifact::directory();
    Under::AddressSanitizer.run("pipe", &[]);
}

#[test]
fn fork() {
    under_each(|under| {
        let store = store();
        script(SERVE, |parent| {
            script(SERVE, |child| under.run("fork", &[parent, child, store.to_str().unwrap()]));
        });
    });
}

#[test]
fn a_fork_while_threads_wait_inside_the_library() {
    // AddressSanitizer's allocator has locks that a child inherits, and valgrind runs one thread at a time.
    artifact::directory();
    Under::Nothing.run("fork_waiting", &[]);
}

#[test]
fn each_connect_error_has_its_own_status_and_layer() {
    const SCENARIOS: [(&str, &str, &str); 8] = [
        ("connect_refused_version", "MQTT_REFUSED_VERSION", "connack"),
        ("connect_refused_identifier", "MQTT_REFUSED_CLIENT_ID", "connack"),
        ("connect_refused_unavailable", "MQTT_SERVER_UNAVAILABLE", "connack"),
        ("connect_refused_credentials", "MQTT_BAD_CREDENTIALS", "connack"),
        ("connect_refused_authorization", "MQTT_NOT_AUTHORIZED", "connack"),
        ("no_connack", "MQTT_CONNACK_TIMEOUT", "connack"),
        ("close_at_once", "MQTT_CLOSED_BEFORE_CONNACK", "connack"),
        ("not_mqtt", "MQTT_NOT_MQTT", "protocol"),
    ];
    under_each(|under| {
        for (name, status, layer) in SCENARIOS {
            // Only a broker that never answers makes the limit pass.
            let limit = if name == "no_connack" { "1000" } else { LIMIT };
            scenario(name, |address| {
                under.run("connect_error", &[address, status, layer, limit]);
            });
        }
        let nobody = format!("mqtt://127.0.0.1:{}", ScriptedBroker::start().refuse());
        under.run("connect_error", &[&nobody, "MQTT_CONNECTION_REFUSED", "tcp", LIMIT]);
        let nowhere = "mqtt://nothing.invalid";
        under.run("connect_error", &[nowhere, "MQTT_NAME_NOT_FOUND", "name lookup", LIMIT]);
    });
}

#[test]
fn each_tls_error_has_its_own_status() {
    let certificates = Certificates::new();
    let authority = certificates.path("ca.pem");
    let authority = authority.to_str().unwrap();
    under_each(|under| {
        for (identity, status) in [
            ("expired", "MQTT_TLS_EXPIRED"),
            ("wrong-name", "MQTT_TLS_WRONG_NAME"),
            ("unknown", "MQTT_TLS_UNKNOWN_ISSUER"),
        ] {
            tls(certificates.server(identity, false), |address| {
                under.run("connect_error", &[address, status, "tls", LIMIT, authority]);
            });
        }
    });
}

#[test]
fn the_facade_in_english_and_french() {
    under_each(|under| real(|port| under.run("wlanguage", &["127.0.0.1", &port.to_string()])));
}

#[test]
fn calls_inside_a_procedure_of_the_facade() {
    for what in ["publish", "disconnect", "free"] {
        under_each(|under| {
            script(BURST, |address| under.run("wlanguage_inside", &[address, what]))
        });
    }
}

#[test]
fn error_info_says_why_a_connect_failed() {
    under_each(|under| {
        script(REFUSING, |address| under.run("wlanguage_error", &[address, "subscription"]));
        scenario("connect_refused_credentials", |address| {
            under.run("wlanguage_error", &[address, "password"]);
        });
    });
}

#[test]
fn the_request_program_prints_its_answer() {
    let program = compile("examples/c/request.c", Build::Plain);
    real(|port| {
        let address = format!("mqtt://127.0.0.1:{port}");
        let output = artifact::run(Command::new(&program).arg(address));
        assert_eq!(output.trim(), "41 and 1 are 42");
    });
}

#[test]
fn the_first_programs_print_what_comes_back() {
    for name in ["c", "wlanguage"] {
        let program = compile(&format!("examples/{name}/first.c"), Build::Plain);
        real(|port| {
            let address = format!("mqtt://127.0.0.1:{port}");
            let output = artifact::run(Command::new(&program).arg(address));
            for word in ["at most once", "at least once", "exactly once"] {
                assert!(output.contains(&format!("greeting/{name}: {word}")), "{output}");
            }
        });
    }
}

#[test]
fn every_c_program_of_the_directory_is_run() {
    let here = [
        include_str!("programs.rs"),
        include_str!("programs/durable.rs"),
        include_str!("programs/lent.rs"),
        include_str!("programs/mqtt5.rs"),
    ]
    .concat();
    for entry in fs::read_dir(repository().join("tests/c")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "c") {
            let named = [format!("\"{name}\""), format!("/{name}.c\"")];
            assert!(named.iter().any(|named| here.contains(named)), "{name} is never run");
        }
    }
}
