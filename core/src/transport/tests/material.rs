//! Certificates, keys and options that can or cannot be used: all of it without a server.

use pkcs8::{
    EncryptedPrivateKeyInfoRef,
    der::{Encode, asn1::OctetStringRef},
    pkcs5::{EncryptionScheme, pbes2::Parameters},
};
use rcgen::{CertificateParams, KeyPair};

use crate::{
    error::{Code, Error},
    transport::{Material, Roots, TlsOptions},
};

const PASSWORD: &str = "open sesame";

struct Client {
    certificate: String,
    key: KeyPair,
}

fn client() -> Client {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    Client { certificate: params.self_signed(&key).unwrap().pem(), key }
}

/// The key as `openssl pkcs8 -topk8` encrypts it.
fn encrypted(key: &KeyPair) -> Vec<u8> {
    let parameters =
        Parameters::generate_pbkdf2_sha256_aes256cbc(1000, b"salty salt", [7; 16]).unwrap();
    let encryption_algorithm = EncryptionScheme::from(parameters);
    let data = encryption_algorithm.encrypt(PASSWORD, key.serialized_der()).unwrap();
    let encrypted_data = OctetStringRef::new(&data).unwrap();
    EncryptedPrivateKeyInfoRef { encryption_algorithm, encrypted_data }.to_der().unwrap()
}

fn as_pem(label: &str, der: &[u8]) -> String {
    // rcgen writes PEM for plain keys only, so its armour is dressed around other bytes.
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = ALPHABET[bits >> (18 - 6 * place) & 63];
            text.push(if place > three.len() { '=' } else { char::from(digit) });
        }
        if text.len() % 65 == 64 {
            text.push('\n');
        }
    }
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", text.trim_end())
}

fn memory(bytes: impl AsRef<[u8]>) -> Material {
    Material::Memory(bytes.as_ref().to_vec())
}

fn options(certificate: Option<Material>, key: Option<Material>) -> TlsOptions {
    // Without verification it does not matter what the machine has installed.
    TlsOptions { verify: false, certificate, key, ..TlsOptions::default() }
}

/// The error of building these, whose sentence must have these words.
fn refused(options: &TlsOptions, code: Code, words: &str) -> Error {
    let error = options.build().expect_err(words);
    assert_eq!(error.code(), code, "{error:?}");
    assert!(error.message().contains(words), "{words:?} is missing in: {error}");
    error
}

#[test]
fn a_key_in_each_of_its_forms() {
    let client = client();
    let certificate = memory(&client.certificate);
    let encrypted = encrypted(&client.key);
    let encrypted_pem = as_pem("ENCRYPTED PRIVATE KEY", &encrypted);
    let both = client.certificate.clone() + &encrypted_pem;
    let windows = format!("\u{feff}{}", client.key.serialize_pem().replace('\n', "\r\n"));
    for (what, key) in [
        ("PEM", Some(memory(client.key.serialize_pem()))),
        ("DER", Some(memory(client.key.serialize_der()))),
        ("PEM of Windows", Some(memory(windows))),
        ("encrypted PEM", Some(memory(&encrypted_pem))),
        ("encrypted DER", Some(memory(&encrypted))),
        ("encrypted, both in one", Some(memory(&both))),
    ] {
        let mut options = options(Some(certificate.clone()), key);
        options.key_password = Some(PASSWORD.to_owned());
        options.build().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
    let mut one = options(Some(memory(&both)), None);
    one.key_password = Some(PASSWORD.to_owned());
    one.build().unwrap();
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let client = client();
    let certificate = Some(memory(&client.certificate));
    let encrypted = encrypted(&client.key);

    let mut locked = options(certificate.clone(), Some(memory(&encrypted)));
    refused(&locked, Code::TlsCredentials, "give its password");
    locked.key_password = Some("wrong".to_owned());
    let error = refused(&locked, Code::TlsCredentials, "password does not open");
    assert!(!format!("{error:?}").contains("wrong"));
    locked.key = Some(memory(as_pem("ENCRYPTED PRIVATE KEY", &encrypted)));
    refused(&locked, Code::TlsCredentials, "password does not open");

    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                  DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let options = |key: Option<Material>| options(certificate.clone(), key);
    refused(&options(Some(memory(legacy))), Code::TlsCredentials, "openssl pkcs8 -topk8");
    refused(&options(Some(memory("x"))), Code::TlsCredentials, "private key; it must be PEM");
    refused(&options(None), Code::TlsCredentials, "holds no private key");

    let other = KeyPair::generate().unwrap().serialize_pem();
    refused(&options(Some(memory(other))), Code::TlsCredentials, "does not belong");

    let cut = client.key.serialize_pem().replace("-----END PRIVATE KEY-----", "");
    refused(&options(Some(memory(cut))), Code::TlsCredentials, "cannot be read as private key");
}

#[test]
fn a_certificate_that_cannot_be_used_says_why() {
    let client = client();
    let key = Some(memory(client.key.serialize_pem()));
    refused(&options(None, key.clone()), Code::TlsCredentials, "without certificate");
    refused(&options(key.clone(), None), Code::TlsCredentials, "holds no client certificate");
    refused(&options(Some(memory("x")), key.clone()), Code::TlsCredentials, "cannot be used");

    let path = std::env::temp_dir().join("there is no such directory").join("client.pem");
    let missing = options(Some(Material::File(path.clone())), key);
    let error = refused(&missing, Code::TlsCredentials, path.to_str().unwrap());
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn authorities_that_cannot_be_used_say_why() {
    let mut tls = TlsOptions { roots: Roots::Own(vec![]), ..TlsOptions::default() };
    refused(&tls, Code::TlsCredentials, "No CA certificate");
    tls.roots = Roots::Own(vec![memory(b"\x30\x03\x02\x01\x00")]);
    refused(&tls, Code::TlsCredentials, "is it one, in PEM or DER?");
    tls.roots = Roots::Own(vec![memory(client().key.serialize_pem())]);
    refused(&tls, Code::TlsCredentials, "holds no CA certificate");
    // One that is good is enough.
    tls.roots = Roots::Own(vec![memory(b"\x30\x00"), memory(client().certificate)]);
    tls.build().unwrap();
}

#[test]
fn options_that_tls_cannot_express() {
    let mut tls = options(None, None);
    tls.server_name = Some("not a name".to_owned());
    refused(&tls, Code::InvalidOption, "\"not a name\"");
    tls.server_name = Some("192.0.2.1".to_owned());
    tls.alpn = vec![String::new()];
    refused(&tls, Code::InvalidOption, "1 to 255");
    tls.alpn = vec!["mqtt".to_owned()];
    tls.build().unwrap();
}

#[test]
fn a_debug_print_keeps_the_secrets() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let mut tls = options(None, Some(memory(&key)));
    tls.key_password = Some(PASSWORD.to_owned());
    let print = format!("{tls:?}");
    assert!(!print.contains(PASSWORD) && !print.contains("BEGIN"), "{print}");
    assert!(print.contains(&format!("key: Some(the {} bytes given)", key.len())), "{print}");
}
