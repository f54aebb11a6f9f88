//! The NATS server, with its MQTT listener.

use std::{fs, process::Command};

use super::{PASSWORD, Running, Started, USER, installed, launch, word_behind};

pub(super) fn start() -> Started {
    let program = installed("debian/usr/sbin/nats-server")?;
    let (mut release, mut port) = (String::new(), 0);
    let (_, (), guard) = launch(
        |directory| {
            // -1 is any free port; which one, it says.
            let configuration = format!(
                "server_name: interop\nlisten: \"127.0.0.1:-1\"\nmqtt {{ listen: \
                 \"127.0.0.1:-1\" }}\njetstream {{ store_dir: {:?} }}\nauthorization {{ users: [ \
                 {{ user: {USER}, password: \"{PASSWORD}\" }} ] }}\n",
                directory.path().join("store"),
            );
            let file = directory.path().join("nats.conf");
            fs::write(&file, configuration).expect("writing into a temporary directory");
            let mut command = Command::new(&program);
            command.arg("-c").arg(file);
            (command, 0)
        },
        |line| {
            if let Some(found) = word_behind(line, "Version: ") {
                release = found;
            }
            if let Some(address) = word_behind(line, "mqtt://127.0.0.1:") {
                port = address.parse().expect("a port behind the address");
            }
            line.contains("Server is ready").then_some(())
        },
    );
    Ok(Running::new(port, format!("nats-server {release}"), guard))
}
