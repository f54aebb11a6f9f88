//! amqtt, in Python.

use std::process::Command;

use mqttsession_tests::probe::free_port;

use super::{PASSWORD, Running, Started, USER, installed, launch, word_behind};

pub(super) fn start() -> Started {
    let python = installed("venv/bin/python")?;
    let (port, release, guard) = launch(
        |directory| {
            let port = free_port();
            let mut command = Command::new(&python);
            command
                .args(["-c", include_str!("amqtt.py"), &port.to_string(), USER, PASSWORD])
                .arg(directory.path());
            (command, port)
        },
        |line| word_behind(line, "ready: amqtt "),
    );
    Ok(Running::new(port, format!("amqtt {release}"), guard))
}
