//! The session over its store on a real disk.

use std::path::Path;

use mqttsession::{
    client::{Durability, Options, Session},
    error::Code,
    protocol::QoS,
};
use mqttsession_tests::{scripted::ScriptedBroker, wire};

use super::support::{close, connect_session};
use crate::support::*;

fn stored_in(directory: &Path, broker: &ScriptedBroker) -> Options {
    let mut options = lasting(broker);
    options.set_store(Some(directory)).unwrap();
    options
}

#[test]
fn a_message_survives_from_one_session_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let broker = ScriptedBroker::start();
    for durability in [Durability::Message, Durability::System] {
        let mut options = stored_in(directory.path(), &broker);
        options.set_durability(durability).unwrap();
        let session = Session::new(&options).unwrap();
        let peer = connect_session(&session, &broker, false);
        let large = "x".repeat(100_000);
        let number = publish(&session, "t", QoS::ExactlyOnce, &large);
        session.wait_stored(number, Some(DEADLINE)).unwrap();
        drop(peer);
        session.close();
        let session = Session::new(&options).unwrap();
        let mut peer = connect_session(&session, &broker, true);
        let sent = peer.expect_publish();
        assert_eq!(sent.payload, large.as_bytes());
        peer.send(&wire::pubrec(sent.id));
        peer.expect_pubrel(sent.id);
        peer.send(&wire::pubcomp(sent.id));
        ended(session.flush()).unwrap();
        assert_eq!(session.statistics().outgoing_messages, 0);
        close(&session, peer);
    }
}

#[test]
fn a_store_serves_one_session_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let broker = ScriptedBroker::start();
    let mut options = stored_in(directory.path(), &broker);
    let session = Session::new(&options).unwrap();
    let locked = Session::new(&options).unwrap_err();
    assert_eq!(locked.code(), Code::StoreLocked);
    // Another client id has another store in the same directory.
    options.set_client_id("other").unwrap();
    Session::new(&options).unwrap().close();
    options.set_client_id("test").unwrap();
    session.close();
    let session = Session::new(&options).unwrap();
    drop(session);
    let mut again = Err(Code::StoreLocked.into());
    eventually("a dropped session gives its store back", || {
        again = Session::new(&options);
        again.is_ok()
    });
    again.unwrap().close();
}

#[test]
fn a_store_needs_a_client_id_and_leaves_no_directory_behind_without_one() {
    let directory = tempfile::tempdir().unwrap();
    let broker = ScriptedBroker::start();
    let stores = directory.path().join("stores");
    let mut options = stored_in(&stores, &broker);
    options.set_client_id("").unwrap();
    assert_eq!(Session::new(&options).unwrap_err().code(), Code::InvalidClientId);
    options.set_client_id("test").unwrap().set_password(Some(b"no user name")).unwrap();
    assert_eq!(Session::new(&options).unwrap_err().code(), Code::InvalidOption);
    assert!(!stores.exists());
}
