//! The programs of tests/cpp, and the first one of the examples.

use std::{fs, process::Command};

use mqttsession_tests::{process::find, scripted::ScriptedBroker};

use super::{
    compile::{Build, compile, repository},
    mqtt5::{ASKING, EXPLAINING, IDENTIFIED, UNANSWERED, moved},
    run::{nobody, real, run_under_each, scenario, script, store},
};
use crate::{BURST, LIMIT, SERVE, SILENT, WITH_PROPERTY, artifact};

/// Two messages that are acknowledged, whatever happens in the handler.
const ACKNOWLEDGED: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id 1\nsend PUBLISH demo/in 1 1 one\nsend PUBLISH demo/in 1 2 two\n\
    expect PUBACK 1\nexpect PUBACK 2\nexpect PUBLISH\nexpect PUBLISH\nexpect DISCONNECT\n\
    expect closed";

/// Two messages that are not.
const UNACKNOWLEDGED: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\n\
    send SUBACK $id 1\nsend PUBLISH demo/in 1 1 one\nsend PUBLISH demo/in 1 2 two\n\
    expect PUBLISH\nexpect PUBLISH\nexpect DISCONNECT\nexpect closed";

#[test]
fn the_header_compiles_alone_and_twice_with_each_compiler_and_standard() {
    let compilers = ["g++", "clang++"].into_iter().filter(|compiler| find(compiler, &[]).is_some());
    for compiler in compilers.chain(["c++"]) {
        for standard in ["-std=c++17", "-std=c++20"] {
            for exceptions in [&[][..], &["-fno-exceptions", "-fno-rtti"]] {
                let mut command = Command::new(compiler);
                command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]);
                command.args(["-Wsign-conversion", "-Wshadow", "-fsyntax-only", standard]);
                command.args(exceptions).arg("-I").arg(repository().join("include"));
                artifact::run(command.arg(repository().join("tests/cpp/unit.cpp")));
            }
        }
    }
}

#[test]
fn each_part_of_the_header_compiles_alone() {
    for part in fs::read_dir(repository().join("include/mqttsession")).unwrap() {
        let mut command = Command::new("c++");
        command.args(["-Wall", "-Wextra", "-Werror"]);
        command.args(["-std=c++17", "-fsyntax-only", "-x", "c++"]).arg(part.unwrap().path());
        artifact::run(&mut command);
    }
}

#[test]
fn values_options_and_errors_without_a_broker() {
    run_under_each("value", |run| run(&[]));
}

#[test]
fn calls_inside_a_message_handler_while_messages_arrive() {
    run_under_each("inside", |run| {
        for what in ["publish", "subscribe", "unsubscribe", "disconnect", "destroy"] {
            script(BURST, |address| run(&[address, what]));
        }
    });
}

#[test]
fn publishing_ends_once_and_can_be_waited_for() {
    run_under_each("publish", |run| {
        script(SERVE, |address| run(&[address, "ended"]));
        script(SILENT, |address| run(&[address, "unanswered"]));
    });
}

#[test]
fn a_payload_that_is_moved_in_is_let_go_of_once() {
    run_under_each("lent", |run| script(SERVE, |address| run(&[address])));
}

#[test]
fn an_exception_that_leaves_a_callback_is_reported_and_fails_its_message() {
    run_under_each("throwing", |run| {
        script(ACKNOWLEDGED, |address| run(&[address, "yes"]));
        script(UNACKNOWLEDGED, |address| run(&[address, "no"]));
    });
}

#[test]
fn a_message_shows_all_it_has_and_outlives_its_session() {
    run_under_each("receive", |run| script(WITH_PROPERTY, |address| run(&[address])));
}

#[test]
fn operations_and_events() {
    run_under_each("operation", |run| script(SERVE, |address| run(&[address])));
}

#[test]
fn what_the_broker_says_beside_its_answers() {
    run_under_each("answers", |run| {
        script(EXPLAINING, |address| run(&[address, "answers"]));
        script(&moved("elsewhere"), |address| run(&[address, "moved", "elsewhere"]));
    });
}

#[test]
fn request_and_response() {
    run_under_each("request", |run| real(|port| run(&[&format!("mqtt://127.0.0.1:{port}")])));
}

#[test]
fn authentication() {
    run_under_each("authenticate", |run| {
        script(ASKING, |address| run(&[address, "exchange"]));
        script(UNANSWERED, |address| run(&[address, "throw"]));
        script(IDENTIFIED, |address| run(&[address, "credentials"]));
    });
}

#[test]
fn polled_callbacks() {
    run_under_each("poll", |run| scenario("deliver_qos1", |address| run(&[address])));
}

#[test]
fn connect_errors_are_thrown_and_returned() {
    // The program tries three times.
    let thrice = |name| {
        let path = repository().join("tests/scenarios").join(name).with_extension("script");
        fs::read_to_string(path).unwrap().repeat(3)
    };
    run_under_each("connect_error", |run| {
        for (name, status, layer) in [
            ("connect_refused_credentials", "MQTT_BAD_CREDENTIALS", "connack"),
            ("close_at_once", "MQTT_CLOSED_BEFORE_CONNACK", "connack"),
            ("not_mqtt", "MQTT_NOT_MQTT", "protocol"),
        ] {
            script(&thrice(name), |address| run(&[address, status, layer, LIMIT]));
        }
        let nobody = format!("mqtt://127.0.0.1:{}", ScriptedBroker::start().refuse());
        run(&[&nobody, "MQTT_CONNECTION_REFUSED", "tcp", LIMIT]);
    });
}

#[test]
fn a_session_goes_on_where_the_last_one_ended() {
    run_under_each("store", |run| {
        let (nobody, store) = (nobody(), store());
        scenario("stored_then_delivered", |first| {
            script(SERVE, |second| run(&[&nobody, first, second, store.to_str().unwrap()]));
        });
    });
}

#[test]
fn a_program_without_exceptions() {
    let program = compile("tests/cpp/no_exceptions.cpp", Build::NoExceptions);
    script(SERVE, |address| {
        artifact::run(Command::new(&program).arg(address));
    });
}

#[test]
fn the_facade_in_english_and_french() {
    run_under_each("wlanguage", |run| real(|port| run(&["127.0.0.1", &port.to_string()])));
}

#[test]
fn the_facade_inside_its_procedures_while_messages_arrive() {
    run_under_each("wlanguage_inside", |run| {
        for what in ["publish", "replace", "throw", "disconnect", "destroy"] {
            script(BURST, |address| run(&[address, what]));
        }
    });
}

#[test]
fn the_first_program_prints_what_comes_back() {
    let program = compile("examples/cpp/first.cpp", Build::Plain);
    real(|port| {
        let address = format!("mqtt://127.0.0.1:{port}");
        let output = artifact::run(Command::new(&program).arg(address));
        for word in ["at most once", "at least once", "exactly once"] {
            assert!(output.contains(&format!("greeting/cpp: {word}")), "{output}");
        }
    });
}

#[test]
fn every_cpp_program_of_the_directory_is_run() {
    let here = include_str!("cpp.rs");
    for entry in fs::read_dir(repository().join("tests/cpp")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "cpp") {
            let named = [format!("\"{name}\""), format!("/{name}.cpp\"")];
            assert!(named.iter().any(|named| here.contains(named)), "{name} is never run");
        }
    }
}
