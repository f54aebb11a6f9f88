//! ejabberd with its module `mod_mqtt`. Its users belong to a domain.

use std::fs;

use mqttsession_tests::probe::free_port;

use super::{PASSWORD, Running, Started, USER, erlang::Erlang, erlang::below, launch, word_behind};

const USER_OF_DOMAIN: &str = "interop@localhost";

pub(super) fn start() -> Started {
    let erlang = Erlang::find()?;
    below(&erlang.libraries, "ejabberd")?;
    let mut release = None;
    let mut registered = false;
    let (port, release, guard) = launch(
        |directory| {
            let (home, port) = (directory.path(), free_port());
            let configuration = format!(
                "hosts: [localhost]\nloglevel: info\nauth_method: internal\nlisten:\n  - {{port: \
                 {port}, ip: \"127.0.0.1\", module: mod_mqtt}}\nmodules:\n  mod_mqtt: {{max_queue: \
                 unlimited}}\n"
            );
            let file = home.join("ejabberd.yml");
            fs::write(&file, configuration).expect("writing into a temporary directory");
            let register = format!(
                "ejabberd_auth:try_register(<<\"{USER}\">>, <<\"localhost\">>, \
                 <<\"{PASSWORD}\">>), io:format(\"registered~n\")."
            );
            let mut command = erlang.command("erlexec", home);
            command
                .env("ERL_LIBS", &erlang.libraries)
                .env("EJABBERD_CONFIG_PATH", file)
                .env("EJABBERD_LOG_PATH", home.join("ejabberd.log"))
                .args(["-noinput", "-mnesia", "dir"])
                .arg(format!("{:?}", home.join("mnesia")))
                .args(["-s", "ejabberd", "-eval", &register]);
            (command, port)
        },
        |line| {
            // In either order: the log is written by a process of its own.
            registered |= line == "registered";
            if line.contains("is started in the node") {
                release = word_behind(line, "ejabberd ");
            }
            release.clone().filter(|_| registered)
        },
    );
    let running = Running::new(port, format!("ejabberd {release}, mod_mqtt"), guard);
    Ok(Running { user: USER_OF_DOMAIN, ..running })
}
