//! The embedded broker of this project.

use mqttsession_tests::embedded::EmbeddedBroker;

use super::{PASSWORD, Running, Started, USER};

pub(super) fn start() -> Started {
    let user = format!("{USER}:{PASSWORD}");
    let broker = EmbeddedBroker::start(&["--user", &user]).ok_or("it has not been built")?;
    Ok(Running::new(broker.port(), format!("mqttsession-broker, mqtt5 {}", release()), broker))
}

/// The release of the crate that it is made of.
fn release() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let behind = lock.split_once("name = \"mqtt5\"\nversion = \"").map(|(_, behind)| behind);
    behind.and_then(|behind| behind.split('"').next()).expect("mqtt5 is locked")
}
