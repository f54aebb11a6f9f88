//! The C programs that lend payloads, with the brokers that they need.

use super::run::{nobody, script, store, under_each};
use crate::{SERVE, SILENT};

/// How much the programs lend where it is looked at.
const SIZE: usize = 64 << 10;

/// One that does not answer before the program has gone on.
const POLLED: &str = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect PUBLISH qos=2\nexpect PUBLISH qos=0\n\
                      send PUBREC 1\nserve until DISCONNECT\nexpect closed";

/// One that gets the message, is lost, and gets it again when its content has changed.
fn again() -> String {
    format!(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect PUBLISH qos=1 payload={}\nclose\n\
         accept\nexpect CONNECT\nsend CONNACK 1 0\nexpect PUBLISH qos=1 dup=1 payload={}\n\
         send PUBACK $id\nserve until DISCONNECT\nexpect closed",
        "a".repeat(SIZE),
        "b".repeat(SIZE)
    )
}

/// One that confirms what is left in a store on the next connection only.
fn stored() -> String {
    let payload = "a".repeat(SIZE);
    format!(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n\
         accept\nexpect CONNECT\nsend CONNACK 1 0\nexpect PUBLISH qos=2 payload={payload}\n\
         send PUBREC $id\nserve until DISCONNECT\nexpect closed"
    )
}

#[test]
fn a_payload_that_is_lent_comes_back_once() {
    under_each(|under| {
        script(SERVE, |address| under.run("lent", &["ended", address]));
        script(POLLED, |address| under.run("lent", &["polled", address]));
        script(SILENT, |address| under.run("lent", &["refused", address]));
        script(SILENT, |address| under.run("lent", &["unanswered", address]));
        under.run("lent", &["unsent", &nobody()]);
    });
}

#[test]
fn a_payload_that_is_lent_is_not_copied_and_not_given_back_before_it_is_acknowledged() {
    let script_again = again();
    under_each(|under| {
        script(&script_again, |address| under.run("lent", &["unacknowledged", address]));
    });
}

#[test]
fn a_payload_that_is_lent_to_a_session_with_a_store() {
    let script_stored = stored();
    under_each(|under| {
        let store = store();
        script(&script_stored, |address| {
            under.run("lent", &["stored", address, store.to_str().unwrap()]);
        });
    });
}
