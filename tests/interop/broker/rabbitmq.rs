//! RabbitMQ with its plug-in `rabbitmq_mqtt`, and the port mapper that its node registers with.

use std::{env, fs, process::Command};

use mqttsession_tests::{probe::free_port, process::Program};

use super::{
    PASSWORD, Running, Started, USER,
    erlang::{Erlang, below},
    launch, word_behind,
};

pub(super) fn start() -> Started {
    let erlang = Erlang::find()?;
    let server = below(&erlang.usr.join("lib/rabbitmq/lib"), "rabbitmq_server-")?;
    let mut release = String::new();
    let mut mapper = None;
    let (port, (), guard) = launch(
        |directory| {
            let (home, port, mapped) = (directory.path(), free_port(), free_port());
            let mut command = erlang.command("epmd", home);
            command.args(["-address", "127.0.0.1", "-port", &mapped.to_string()]);
            mapper = Some(Program::start(&mut command).expect("epmd is part of Erlang"));

            let configuration = format!(
                "listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\n\
                 mqtt.allow_anonymous = false\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n\
                 loopback_users = none\nlog.console = true\nlog.file = false\n"
            );
            for (name, text) in
                [("rabbitmq.conf", &configuration[..]), ("plugins", "[rabbitmq_mqtt].\n")]
            {
                fs::write(home.join(name), text).expect("writing into a temporary directory");
            }
            let path = env::var_os("PATH").unwrap_or_default();
            let path = [erlang.path(home)].into_iter().chain(env::split_paths(&path));
            let mut command = Command::new("sh");
            erlang.prepare(&mut command, home);
            command
                .arg(server.join("sbin/rabbitmq-server"))
                .arg("-noinput")
                .env("PATH", env::join_paths(path).expect("no name on the PATH has a colon"))
                .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                .env("ERL_EPMD_PORT", mapped.to_string())
                .env("RABBITMQ_DIST_PORT", free_port().to_string())
                .env("RABBITMQ_NODENAME", "interop@localhost")
                // Has the script become the server instead of watching over it.
                .env("RABBITMQ_ALLOW_INPUT", "1")
                .env("RABBITMQ_LOGS", "-")
                .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
                .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf"))
                .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
                .env("RABBITMQ_MNESIA_BASE", home.join("data"))
                .env("RABBITMQ_LOG_BASE", home.join("log"));
            (command, port)
        },
        |line| {
            if let Some(found) = word_behind(line, "Starting RabbitMQ ") {
                release = found;
            }
            line.contains("Server startup complete").then_some(())
        },
    );
    Ok(Running::new(port, format!("RabbitMQ {release}, rabbitmq_mqtt"), (guard, mapper)))
}
