//! The C programs with a store, with the brokers that they need.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    compile::{Build, compile},
    run::{nobody, real, scenario, script, store, under_each},
};
use crate::{BURST, SERVE, artifact};

/// One that answers nothing, and one that completes what is still to be sent.
const KILLED: &str = "accept\nexpect CONNECT client-id=facade-store clean=0\nsend CONNACK 0 0\n\
    silence\naccept\nexpect CONNECT client-id=facade-store clean=0\nsend CONNACK 1 0\n\
    expect PUBLISH topic=facade/out qos=2 payload=hello\nsend PUBREC $id\nexpect PUBREL $id\n\
    send PUBCOMP $id\nexpect DISCONNECT\nexpect closed";

#[test]
fn a_session_goes_on_where_the_last_one_ended() {
    under_each(|under| {
        let (nobody, store) = (nobody(), store());
        scenario("stored_then_delivered", |address| {
            under.run("store_restart", &[&nobody, address, text(&store)]);
        });
    });
}

#[test]
fn a_process_that_dies_inside_a_handler_gets_that_one_message_again() {
    under_each(|under| {
        for (name, what) in [("killed_then_resume", "kept"), ("killed_then_session_lost", "lost")] {
            let store = store();
            scenario(name, |address| under.run("store_killed", &[address, text(&store), what]));
        }
    });
}

#[test]
fn a_store_that_is_full_says_so_and_goes_on_when_there_is_room() {
    under_each(|under| {
        let (nobody, store) = (nobody(), store());
        script(SERVE, |address| under.run("store_full", &[&nobody, address, text(&store)]));
    });
}

#[test]
fn misuse_of_stores_and_stores_that_cannot_be_opened() {
    under_each(|under| {
        under.run("misuse_store", &[text(&store())]);
        under.run("store_refused", &[&nobody(), text(&store())]);
    });
}

#[test]
fn the_facade_with_a_store() {
    under_each(|under| {
        for (broker, what) in
            [(KILLED, "killed"), (KILLED, "left"), (BURST, "inside"), (SERVE, "full")]
        {
            let store = store();
            script(broker, |address| under.run("wlanguage_store", &[address, text(&store), what]));
        }
    });
}

/// It is killed when it has said that its message is on disk; its next run delivers that, too.
#[test]
fn the_durable_program_loses_nothing_when_it_is_killed() {
    let program = compile("examples/c/durable.c", Build::Plain);
    real(|port| {
        let store = store();
        let mut first = Command::new(&program);
        first.args([&nobody(), text(&store), "first"]).stdout(Stdio::piped());
        let mut first = first.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
        first.kill().unwrap();
        first.wait().unwrap();
        assert_eq!(line, "message 1 is on disk\n");
        let address = format!("mqtt://127.0.0.1:{port}");
        let second = artifact::run(Command::new(&program).args([&address, text(&store), "second"]));
        assert_eq!(second, "message 2 is on disk\nall messages are delivered, each once\n");
    });
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
