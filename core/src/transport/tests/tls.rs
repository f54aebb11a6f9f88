//! TLS against a rustls server with certificates made for each test.

use std::{pin::pin, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    error::{Code, Error, Layer},
    transport::{Material, Roots, TlsOptions, stream_error},
};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn issue(authority: &Authority, params: CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity { certificate_pem: certificate.pem(), certificate: certificate.into(), key }
}

fn self_signed(params: CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity { certificate_pem: certificate.pem(), certificate: certificate.into(), key }
}

fn pem(text: &str) -> Material {
    Material::Memory(text.as_bytes().to_vec())
}

/// Options that trust this CA only.
fn trust(ca: &str) -> TlsOptions {
    TlsOptions { roots: Roots::Own(vec![pem(ca)]), ..TlsOptions::default() }
}

fn server(identity: &Identity, version: &'static rustls::SupportedProtocolVersion) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], key_of(identity))
        .unwrap()
}

/// A server that wants a client certificate from this authority.
fn strict_server(
    identity: &Identity,
    authority: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.certificate.clone()], key_of(identity))
        .unwrap()
}

fn key_of(identity: &Identity) -> rustls::pki_types::PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(identity.key.serialize_der()).into()
}

/// Connects to a server that echoes one message, and exchanges it. The error is the connection's,
/// or the one that the first read or write has.
async fn exchange(config: ServerConfig, host: &str, tls: &TlsOptions) -> Result<(), Error> {
    let (listener, endpoint) = listen("mqtts", host).await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let echo = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        let mut stream = acceptor.accept(tcp).await?;
        let mut message = [0; 4];
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
        stream.flush().await
    });
    let options = ConnectOptions { tls: Some(tls.build()?), ..ConnectOptions::default() };
    let mut stream = connect(&endpoint, &options).await?;
    assert!(stream.direct().is_none() && stream.peer().is_some());
    let exchanged = async {
        // A refusal can meet the write already; the reason then still waits to be read.
        let _ = write(&mut stream, &[b"pi", b"ng"]).await;
        let answer = read(&mut stream, 64).await?;
        assert_eq!(answer, b"ping");
        poll_fn(|cx| stream.poll_shutdown(cx)).await
    };
    exchanged.await.map_err(|error| stream_error(&error, Layer::Connack))?;
    echo.await.unwrap().unwrap();
    Ok(())
}

/// As [`exchange`], of which it expects this error with all these words in its sentence.
async fn fails(config: ServerConfig, tls: &TlsOptions, code: Code, words: &[&str]) {
    let error = exchange(config, "localhost", tls).await.expect_err("must not connect");
    assert_eq!((error.code(), error.layer()), (code, Layer::Tls), "{error:?}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} is missing in: {error}");
    }
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
}

#[tokio::test]
async fn a_server_of_the_own_ca_is_trusted() {
    let ca = authority("Own CA");
    let identity = issue(&ca, params(&["localhost", "127.0.0.1"]));
    for version in [&TLS12, &TLS13] {
        exchange(server(&identity, version), "localhost", &trust(&ca.pem())).await.unwrap();
        exchange(server(&identity, version), "127.0.0.1", &trust(&ca.pem())).await.unwrap();
    }
    let der = Material::Memory(ca.der().to_vec());
    for roots in [Roots::Own(vec![der.clone()]), Roots::SystemAnd(vec![der])] {
        let tls = TlsOptions { roots, ..TlsOptions::default() };
        exchange(server(&identity, &TLS13), "localhost", &tls).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_issuer() {
    let (ca, other) = (authority("Own CA"), authority("Other CA"));
    let identity = issue(&ca, params(&["localhost"]));
    let config = server(&identity, &TLS13);
    fails(config.clone(), &trust(&other.pem()), Code::TlsUnknownIssuer, &["localhost", "CA"]).await;

    // The system's authorities know it as little, where the system has any.
    let system = TlsOptions::default();
    match system.build() {
        Ok(_) => fails(config.clone(), &system, Code::TlsUnknownIssuer, &["CA"]).await,
        Err(error) => assert!(error.message().contains("ca-certificates"), "{error:?}"),
    }

    // The same name, another key: a CA that was made anew.
    let again = authority("Own CA");
    fails(config, &trust(&again.pem()), Code::TlsUnknownIssuer, &["anew"]).await;
}

#[tokio::test]
async fn an_expired_certificate_and_one_of_the_future() {
    let ca = authority("Own CA");
    let mut expired = params(&["localhost"]);
    expired.not_after = date_time_ymd(2020, 2, 29);
    let config = server(&issue(&ca, expired), &TLS13);
    fails(config, &trust(&ca.pem()), Code::TlsExpired, &["expired on 2020-02-29", "clock"]).await;

    let mut future = params(&["localhost"]);
    future.not_before = date_time_ymd(4000, 1, 1);
    let config = server(&issue(&ca, future), &TLS13);
    fails(config, &trust(&ca.pem()), Code::TlsExpired, &["from 4000-01-01 on", "clock"]).await;
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let ca = authority("Own CA");
    let identity = issue(&ca, params(&["broker.example", "192.0.2.1"]));
    let words = ["localhost", "broker.example, 192.0.2.1", "TLS server name"];
    let mut tls = trust(&ca.pem());
    fails(server(&identity, &TLS13), &tls, Code::TlsWrongName, &words).await;
    tls.server_name = Some("broker.example".to_owned());
    exchange(server(&identity, &TLS13), "localhost", &tls).await.unwrap();

    let nameless = issue(&ca, params(&[]));
    let words = ["common name", "subject alternative name localhost"];
    fails(server(&nameless, &TLS13), &trust(&ca.pem()), Code::TlsWrongName, &words).await;
}

#[tokio::test]
async fn hostile_names_are_cut_and_escaped() {
    let mut error = rustls::CertificateError::NotValidForNameContext {
        expected: "localhost".try_into().unwrap(),
        presented: vec![format!("DnsName(\"{}\n\x1b[31m\")", "a".repeat(60)); 9],
    };
    let sentence = super::super::tls::error::explain(&error.clone().into(), None).to_string();
    assert!(!sentence.contains(['\n', '\x1b']) && sentence.len() < 800, "{sentence}");
    assert!(sentence.contains("and 4 more"), "{sentence}");
    error = rustls::CertificateError::Revoked;
    let error = super::super::tls::error::explain(&error.into(), Some("h"));
    assert_eq!(error.code(), Code::TlsBadCertificate);
    assert_eq!(
        error.message(),
        "The certificate of h cannot be accepted: its issuer has revoked it"
    );
}

#[tokio::test]
async fn the_servers_own_certificate_given_as_ca_is_trusted() {
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::ExplicitNoCa, IsCa::NoCa] {
        for names in [&["localhost"][..], &[]] {
            let mut params = params(names);
            params.is_ca = is_ca;
            let identity = self_signed(params);
            let tls = trust(&identity.certificate_pem);
            for version in [&TLS12, &TLS13] {
                exchange(server(&identity, version), "localhost", &tls).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn the_servers_own_certificate_is_still_checked() {
    let mut wrong = params(&["broker.example"]);
    wrong.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let wrong = self_signed(wrong);
    let tls = trust(&wrong.certificate_pem);
    fails(server(&wrong, &TLS13), &tls, Code::TlsWrongName, &["broker.example"]).await;

    let mut expired = params(&["localhost"]);
    expired.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    expired.not_after = date_time_ymd(2020, 1, 1);
    let expired = self_signed(expired);
    let tls = trust(&expired.certificate_pem);
    fails(server(&expired, &TLS13), &tls, Code::TlsExpired, &["2020-01-01"]).await;

    let mut future = params(&["localhost"]);
    // After 2049 a time is written in another form (RFC 5280, 4.1.2.5).
    future.not_before = date_time_ymd(2051, 1, 1);
    let future = self_signed(future);
    let tls = trust(&future.certificate_pem);
    fails(server(&future, &TLS13), &tls, Code::TlsExpired, &["2051-01-01"]).await;

    // Another certificate that calls itself a CA is not helped by the one that was given.
    let mut other = params(&["localhost"]);
    other.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = self_signed(other);
    let error =
        exchange(server(&other, &TLS13), "localhost", &trust(&expired.certificate_pem)).await;
    let code = error.unwrap_err().code();
    assert!(matches!(code, Code::TlsBadCertificate | Code::TlsUnknownIssuer), "{code:?}");
}

#[tokio::test]
async fn without_verification_everything_is_taken() {
    let mut params = params(&["broker.example"]);
    params.not_after = date_time_ymd(2020, 1, 1);
    let identity = self_signed(params);
    let tls = TlsOptions { verify: false, ..TlsOptions::default() };
    for version in [&TLS12, &TLS13] {
        exchange(server(&identity, version), "localhost", &tls).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_certificate() {
    let (ca, other) = (authority("Own CA"), authority("Other CA"));
    let identity = issue(&ca, params(&["localhost"]));
    for version in [&TLS12, &TLS13] {
        let config = || strict_server(&identity, &ca, version);
        let without = trust(&ca.pem());
        fails(config(), &without, Code::TlsClientRefused, &["wants a client certificate"]).await;

        let mut stranger = without.clone();
        let unknown = issue(&other, params(&["client"]));
        stranger.certificate = Some(pem(&unknown.certificate_pem));
        stranger.key = Some(pem(&unknown.key.serialize_pem()));
        fails(config(), &stranger, Code::TlsClientRefused, &["client's certificate"]).await;

        let mut known = without.clone();
        let client = issue(&ca, params(&["client"]));
        known.certificate = Some(pem(&client.certificate_pem));
        known.key = Some(Material::Memory(client.key.serialize_der()));
        exchange(config(), "localhost", &known).await.unwrap();

        let both = client.key.serialize_pem() + &client.certificate_pem;
        known.certificate = Some(pem(&both));
        known.key = None;
        exchange(config(), "localhost", &known).await.unwrap();
    }
}

#[tokio::test]
async fn protocols_are_negotiated() {
    let ca = authority("Own CA");
    let mut config = server(&issue(&ca, params(&["localhost"])), &TLS13);
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let mut tls = trust(&ca.pem());
    tls.alpn = vec!["other".to_owned(), "mqtt".to_owned()];
    exchange(config.clone(), "localhost", &tls).await.unwrap();
    tls.alpn = vec!["other".to_owned()];
    fails(config, &tls, Code::TlsHandshake, &["ALPN"]).await;
}

/// Connects with TLS to a server that answers the first bytes with these and closes.
async fn answered_with(answer: &'static [u8]) -> Error {
    let (listener, endpoint) = listen("mqtts", "localhost").await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut hello = [0; 4096];
        assert!(tcp.read(&mut hello).await.unwrap() > 0);
        tcp.write_all(answer).await.unwrap();
        tcp.shutdown().await.unwrap();
        // Its end is read, so that closing does not become a reset.
        while tcp.read(&mut hello).await.is_ok_and(|count| count > 0) {}
    });
    let tls = trust(&authority("Own CA").pem()).build().unwrap();
    let options = ConnectOptions { tls: Some(tls), ..ConnectOptions::default() };
    connect(&endpoint, &options).await.expect_err("no TLS there")
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls() {
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x20\x02\x00\x00\x00\x00\x00\x00"] {
        let error = answered_with(answer).await;
        assert_eq!(error.code(), Code::TlsNotTls, "{error:?}");
        assert!(error.message().contains("8883"), "{error}");
    }
    let error = answered_with(b"").await;
    assert_eq!(error.code(), Code::TlsHandshake, "{error:?}");
    assert!(error.message().contains("does this port speak TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_cut_off_in_the_layer_of_tls() {
    let (listener, endpoint) = listen("mqtts", "localhost").await;
    let tls = trust(&authority("Own CA").pem()).build().unwrap();
    let options = ConnectOptions { tls: Some(tls), ..ConnectOptions::default() };
    let mut attempt = pin!(connect(&endpoint, &options));
    let hello = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.read_u8().await.unwrap();
        tcp
    };
    let silent = tokio::select! {
        result = &mut attempt => panic!("{result:?}"),
        tcp = hello => tcp,
    };
    let error = options.progress.timeout_error(Duration::from_secs(10));
    assert_eq!((error.code(), options.progress.stage()), (Code::TlsTimeout, Layer::Tls));
    assert!(error.message().contains(&silent.local_addr().unwrap().to_string()), "{error}");
}

#[tokio::test]
async fn tls_without_options_is_a_mistake_of_the_caller() {
    let endpoint = Endpoint::parse("mqtts://localhost").unwrap();
    let error = connect(&endpoint, &ConnectOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
}
