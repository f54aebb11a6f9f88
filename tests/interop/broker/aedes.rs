//! aedes, in JavaScript.

use std::process::Command;

use mqttsession_tests::process::find;

use super::{PASSWORD, Running, Started, USER, installed, launch};

pub(super) fn start() -> Started {
    let package = installed("npm/node_modules/aedes")?;
    let node = find("node", &[]).ok_or("there is no node")?;
    let (_, (release, port), guard) = launch(
        |_| {
            let mut command = Command::new(&node);
            command
                .args(["--input-type=module", "--eval", include_str!("aedes.mjs"), "--"])
                .arg(&package)
                .args([USER, PASSWORD]);
            (command, 0)
        },
        |line| {
            let (release, port) = line.strip_prefix("ready: aedes ")?.split_once(" port ")?;
            Some((release.to_owned(), port.parse().ok()?))
        },
    );
    Ok(Running::new(port, format!("aedes {release}"), guard))
}
