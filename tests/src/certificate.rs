//! Certificates made on the spot: an authority, and what it and another one signed.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use pkcs8::{LineEnding, PrivateKeyInfoRef, pkcs5::pbes2};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;

/// The password of `client-encrypted.key`.
pub const PASSWORD: &str = "correct horse";

/// What [`Certificates::write`] writes, with what each file is for.
pub const FILES: [(&str, &str); 14] = [
    ("ca.pem", "the authority that the tests trust"),
    ("server.pem", "for localhost, 127.0.0.1 and ::1, signed by it"),
    ("server.key", ""),
    ("expired.pem", "as server.pem, but its time is long over"),
    ("expired.key", ""),
    ("wrong-name.pem", "signed by the authority for another host"),
    ("wrong-name.key", ""),
    ("unknown.pem", "as server.pem, but signed by an authority that nobody trusts"),
    ("unknown.key", ""),
    ("client.pem", "a client's, signed by the authority"),
    ("client.key", ""),
    ("client-encrypted.key", "client.key behind the password `correct horse`"),
    ("unknown-client.pem", "a client's, signed by the other authority"),
    ("unknown-client.key", ""),
];

/// A directory of certificates and keys; all are PEM. See [`FILES`] for their names.
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes them in a temporary directory, which is removed with the value.
    ///
    /// # Panics
    /// There is no temporary directory to be had.
    #[expect(clippy::new_without_default, reason = "this writes files, which no default should")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::write(directory.path()).expect("writing into a temporary directory");
        Self { directory }
    }

    /// Makes them in an existing directory.
    ///
    /// # Errors
    /// A file cannot be written.
    ///
    /// # Panics
    /// rcgen refuses what is written here, which a test would have shown.
    pub fn write(directory: &Path) -> io::Result<()> {
        let trusted = authority("mqttsession test authority");
        let stranger = authority("an authority that nobody trusts");
        let here = [
            SanType::DnsName("localhost".try_into().expect("an ASCII name")),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        let elsewhere = [SanType::DnsName("elsewhere.example".try_into().expect("an ASCII name"))];
        let server = |names: &[SanType]| {
            let mut params = leaf("localhost", ExtendedKeyUsagePurpose::ServerAuth);
            params.subject_alt_names = names.to_vec();
            params
        };
        let mut expired = server(&here);
        expired.not_before = date_time_ymd(2000, 1, 1);
        expired.not_after = date_time_ymd(2001, 1, 1);
        let client = || leaf("client", ExtendedKeyUsagePurpose::ClientAuth);

        fs::write(directory.join("ca.pem"), trusted.pem())?;
        for (stem, params, issuer) in [
            ("server", server(&here), &trusted),
            ("expired", expired, &trusted),
            ("wrong-name", server(&elsewhere), &trusted),
            ("unknown", server(&here), &stranger),
            ("client", client(), &trusted),
            ("unknown-client", client(), &stranger),
        ] {
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, issuer).expect("a certificate");
            fs::write(directory.join(format!("{stem}.pem")), certificate.pem())?;
            fs::write(directory.join(format!("{stem}.key")), key.serialize_pem())?;
            if stem == "client" {
                let encrypted = encrypt(key.serialized_der());
                fs::write(directory.join("client-encrypted.key"), encrypted)?;
            }
        }
        Ok(())
    }

    /// The path of one of [`FILES`].
    ///
    /// # Panics
    /// There is no such file.
    pub fn path(&self, name: &str) -> PathBuf {
        assert!(FILES.iter().any(|file| file.0 == name), "no file {name} is made");
        self.directory.path().join(name)
    }

    /// A TLS server for [`ScriptedBroker::start_tls`](crate::scripted::ScriptedBroker::start_tls):
    /// `server`, `expired`, `wrong-name` or `unknown`, which may insist on a client's certificate.
    ///
    /// # Panics
    /// There is no such server.
    pub fn server(&self, stem: &str, require_client_certificate: bool) -> Arc<ServerConfig> {
        server(self.directory.path(), stem, require_client_certificate)
    }
}

/// As [`Certificates::server`], from a directory of certificates.
///
/// # Panics
/// The files are not there or hold something else.
pub fn server(directory: &Path, stem: &str, require_client_certificate: bool) -> Arc<ServerConfig> {
    let read = |name: String| {
        CertificateDer::from_pem_file(directory.join(&name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let key = PrivateKeyDer::from_pem_file(directory.join(format!("{stem}.key")))
        .unwrap_or_else(|error| panic!("{stem}.key: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions");
    let builder = if require_client_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(read("ca.pem".to_owned())).expect("an authority's certificate");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("there is an authority"))
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(vec![read(format!("{stem}.pem"))], key);
    Arc::new(config.expect("the key belongs to the certificate"))
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

/// PKCS #8 in the form that `openssl pkcs8 -topk8` writes: PBES2, PBKDF2, AES-256.
fn encrypt(der: &[u8]) -> String {
    // Salt and vector may be the same each time: the key is new and guards nothing.
    let parameters =
        pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, b"mqttsession-test", [7; 16]);
    let parameters = parameters.expect("a salt of sixteen bytes");
    let key = PrivateKeyInfoRef::try_from(der).expect("rcgen writes PKCS #8");
    let document =
        key.encrypt_with_params(parameters, PASSWORD).expect("a key that can be encrypted");
    document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).expect("it is DER").to_string()
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsString,
        io::{Read, Write},
        net::TcpStream,
    };

    use rustls::{ClientConfig, ClientConnection, StreamOwned};

    use super::*;
    use crate::{scripted::ScriptedBroker, wire};

    /// A session's way in, with rustls alone: trusts the authority, has a certificate or not.
    fn connect(
        certificates: &Certificates,
        port: u16,
        client: Option<&str>,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let read = |name: &str| CertificateDer::from_pem_file(certificates.path(name)).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(read("ca.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(stem) => {
                let key = certificates.path(&format!("{stem}.key"));
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                let chain = vec![read(&format!("{stem}.pem"))];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = "localhost".try_into().unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
        stream.write_all(&wire::connect(4, "me", true))?;
        stream.read_exact(&mut [0; 4])?;
        Ok(stream)
    }

    #[test]
    fn each_server_is_accepted_or_refused_for_its_own_reason() {
        let certificates = Certificates::new();
        for (stem, reason) in [
            ("server", None),
            ("expired", Some("expired")),
            ("wrong-name", Some("not valid for name")),
            ("unknown", Some("UnknownIssuer")),
        ] {
            let broker = ScriptedBroker::start_tls(certificates.server(stem, false));
            let port = broker.port();
            std::thread::scope(|scope| {
                let client = scope.spawn(|| connect(&certificates, port, None).map(drop));
                let mut peer = broker.accept();
                match reason {
                    None => drop(peer.accept_session()),
                    Some(_) => peer.expect_closed(),
                }
                let said = client.join().unwrap().map_err(|error| error.to_string());
                match (reason, said) {
                    (None, said) => assert_eq!(said, Ok(()), "{stem}"),
                    (Some(reason), Err(said)) => assert!(said.contains(reason), "{stem}: {said}"),
                    (Some(reason), Ok(())) => panic!("{stem} should be refused: {reason}"),
                }
            });
        }
    }

    #[test]
    fn a_server_may_insist_on_a_certificate_of_the_authority() {
        let certificates = Certificates::new();
        for (client, accepted) in
            [(Some("client"), true), (Some("unknown-client"), false), (None, false)]
        {
            let broker = ScriptedBroker::start_tls(certificates.server("server", true));
            let port = broker.port();
            std::thread::scope(|scope| {
                let session = scope.spawn(|| connect(&certificates, port, client).map(drop));
                let mut peer = broker.accept();
                match accepted {
                    true => drop(peer.accept_session()),
                    false => peer.expect_closed(),
                }
                assert_eq!(session.join().unwrap().is_ok(), accepted, "{client:?}");
            });
        }
    }

    #[test]
    fn the_encrypted_key_is_the_other_one_behind_a_password() {
        let certificates = Certificates::new();
        let read = |name| fs::read_to_string(certificates.path(name)).unwrap();
        let (_, plain) = pkcs8::SecretDocument::from_pem(&read("client.key")).unwrap();
        let encrypted = read("client-encrypted.key");
        let (label, hidden) = pkcs8::SecretDocument::from_pem(&encrypted).unwrap();
        assert_eq!(label, "ENCRYPTED PRIVATE KEY");
        let hidden = pkcs8::EncryptedPrivateKeyInfoRef::try_from(hidden.as_bytes()).unwrap();
        assert_eq!(hidden.decrypt(PASSWORD).unwrap().as_bytes(), plain.as_bytes());
        assert!(hidden.decrypt("wrong").is_err());
    }

    #[test]
    fn every_file_of_the_list_is_made_and_no_other() {
        let certificates = Certificates::new();
        let made = fs::read_dir(certificates.directory.path()).unwrap();
        let mut made: Vec<_> = made.map(|file| file.unwrap().file_name()).collect();
        let mut listed: Vec<OsString> = FILES.iter().map(|file| file.0.into()).collect();
        made.sort();
        listed.sort();
        assert_eq!(made, listed);
    }
}
