//! TLS: what is accepted, and the error of what is not.

use std::time::Duration;

use mqttsession::{
    client::{Material, Options, Session},
    error::{Code, Layer},
    protocol::QoS,
};
use mqttsession_tests::{
    certificate::{Certificates, PASSWORD},
    real::{Config, Mosquitto, Tls},
    scripted::ScriptedBroker,
    wire,
};

use crate::{
    connect::{failure, failure_with},
    support::*,
};

fn material(certificates: &Certificates, name: &str) -> Material {
    Material::File(certificates.path(name))
}

/// For a broker, trusting the test's authority.
fn trusting(broker: &ScriptedBroker, certificates: &Certificates) -> Options {
    let mut options = options(broker);
    options.add_tls_authority(material(certificates, "ca.pem"));
    options
}

#[test]
fn each_bad_certificate_is_refused_for_its_own_reason() {
    let certificates = Certificates::new();
    for (stem, expected) in [
        ("expired", Code::TlsExpired),
        ("wrong-name", Code::TlsWrongName),
        ("unknown", Code::TlsUnknownIssuer),
    ] {
        let broker = ScriptedBroker::start_tls(certificates.server(stem, false));
        let options = trusting(&broker, &certificates);
        let error = failure_with(&broker, &options, |broker| broker.accept().expect_closed());
        assert_eq!((error.code(), error.layer()), (expected, Layer::Tls), "{error:?}");
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_server_that_wants_another_certificate_of_the_client() {
    let certificates = Certificates::new();
    for stem in [None, Some("unknown-client")] {
        let broker = ScriptedBroker::start_tls(certificates.server("server", true));
        let mut options = trusting(&broker, &certificates);
        if let Some(stem) = stem {
            let key = material(&certificates, &format!("{stem}.key"));
            let certificate = material(&certificates, &format!("{stem}.pem"));
            options.set_tls_certificate(certificate, Some(key), None);
        }
        let error = failure_with(&broker, &options, |broker| broker.accept().expect_closed());
        assert_eq!(error.code(), Code::TlsClientRefused, "{stem:?}: {error:?}");
    }
}

#[test]
fn a_server_without_tls() {
    let certificates = Certificates::new();
    let plain = ScriptedBroker::start();
    let mut options = trusting(&plain, &certificates);
    options.set_tls(true);
    let error = failure_with(&plain, &options, |broker| {
        let mut peer = broker.accept();
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.close();
    });
    assert_eq!(error.code(), Code::TlsNotTls, "{error:?}");
    let error = failure_with(&plain, &options, |broker| broker.accept().close());
    assert_eq!(error.code(), Code::TlsHandshake, "{error:?}");
    options.set_connect_timeout(Duration::from_secs(1)).unwrap();
    let error = failure_with(&plain, &options, |broker| broker.accept().stall());
    assert_eq!(error.code(), Code::TlsTimeout, "{error:?}");
}

#[test]
fn a_server_with_tls_for_a_session_without() {
    let certificates = Certificates::new();
    let broker = ScriptedBroker::start_tls(certificates.server("server", false));
    let mut options = trusting(&broker, &certificates);
    options.set_tls(false);
    let error = failure_with(&broker, &options, |broker| broker.accept().expect_closed());
    assert_eq!(error.code(), Code::NotMqtt, "{error:?}");
}

#[test]
fn a_certificate_that_cannot_be_read() {
    let certificates = Certificates::new();
    let broker = ScriptedBroker::start_tls(certificates.server("server", true));
    for password in [None, Some("wrong")] {
        let mut options = trusting(&broker, &certificates);
        let key = material(&certificates, "client-encrypted.key");
        options.set_tls_certificate(material(&certificates, "client.pem"), Some(key), password);
        let error = failure(&options);
        assert_eq!(error.code(), Code::TlsCredentials, "{error:?}");
        assert!(!format!("{error:?}").contains("wrong"), "the password is in {error:?}");
    }
}

#[test]
fn messages_go_both_ways_through_tls() {
    let certificates = Certificates::new();
    let broker = ScriptedBroker::start_tls(certificates.server("server", true));
    let mut options = trusting(&broker, &certificates);
    options.set_tls_certificate(
        material(&certificates, "client.pem"),
        Some(material(&certificates, "client-encrypted.key")),
        Some(PASSWORD),
    );
    let (session, mut peer) = connect(&broker, &options);
    let (handler, messages) = collect();
    subscribe(&session, &mut peer, "in", handler);
    peer.publish("in", 1, 7, "hello");
    assert_eq!(payloads(&messages, 1), ["hello"]);
    peer.expect_puback(7);
    let number = publish(&session, "out", QoS::AtLeastOnce, "there");
    let id = peer.expect_publish().id;
    peer.send(&wire::puback(id));
    session.wait(number, Some(DEADLINE)).unwrap();
    let served = serve(peer);
    session.close();
    served.join().unwrap();
}

#[test]
fn mosquitto_with_tls_and_bad_credentials() {
    let certificates = Certificates::new();
    let tls = Tls {
        ca: certificates.path("ca.pem"),
        certificate: certificates.path("server.pem"),
        key: certificates.path("server.key"),
        require_certificate: false,
    };
    let users = vec![("ada".to_owned(), "secret".to_owned())];
    let config = Config { users, tls: Some(tls), ..Config::default() };
    let Some(broker) = Mosquitto::start(&config) else { return };
    let mut options = Options::new();
    options.set_address(&format!("mqtts://localhost:{}", broker.tls_port())).unwrap();
    options.add_tls_authority(material(&certificates, "ca.pem"));
    options.set_user_name(Some("ada")).unwrap().set_password(Some(b"guessed")).unwrap();
    let error = failure(&options);
    // Mosquitto does not tell a wrong password from a missing right.
    assert!(matches!(error.code(), Code::NotAuthorized | Code::BadCredentials), "{error:?}");
    assert!(!format!("{error:?}").contains("guessed"), "the password is in {error:?}");
    options.set_password(Some(b"secret")).unwrap();
    let session = Session::new(&options).unwrap();
    ended(session.connect()).unwrap();
    session.close();
}
