//! Mosquitto, with a second one that takes less.

use mqttsession_tests::real::{Config, Mosquitto};

use super::{PASSWORD, Running, Started, USER, word_behind};

pub(super) fn start() -> Started {
    let config = Config {
        users: vec![(USER.to_owned(), PASSWORD.to_owned())],
        lines: vec!["max_packet_size 1000000".to_owned()],
        ..Config::default()
    };
    let limits =
        ["max_packet_size 20000", "max_qos 1", "retain_available false", "max_keepalive 600"];
    let lines = limits.map(str::to_owned).to_vec();
    let limited = Config { lines, ..config.clone() };
    let (Some(mut broker), Some(limited)) = (Mosquitto::start(&config), Mosquitto::start(&limited))
    else {
        return Err("it is not installed".to_owned());
    };
    let release = word_behind(&broker.log(), "mosquitto version ").unwrap_or_default();
    let (port, limited_port) = (broker.port(), limited.port());
    let running = Running::new(port, format!("Mosquitto {release}"), (broker, limited));
    Ok(Running { limited: Some(limited_port), ..running })
}
