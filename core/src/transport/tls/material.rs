//! Certificates and keys as people have them: in a file or in memory, as PEM or as DER.

use std::{borrow::Cow, fmt, fs, io, path::PathBuf};

use memchr::memmem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{self, PemObject},
};

use crate::error::{Code, Error, Result};

/// A certificate, several, a key, or a certificate and its key.
///
/// PEM (text, any number of sections) and DER (one certificate or one key) are told apart by what
/// they hold. The debug print shows the path or the length, never the content.
#[derive(Clone)]
pub enum Material {
    /// A file, read when the options are built.
    File(PathBuf),
    /// The bytes themselves.
    Memory(Vec<u8>),
}

impl Material {
    /// All certificates, in their order; at least one. `role` says what they are for.
    pub(super) fn certificates(&self, role: &str) -> Result<Vec<CertificateDer<'static>>> {
        let bytes = self.read(role)?;
        let Some(pem) = pem_part(&bytes) else {
            return Ok(vec![CertificateDer::from(bytes.into_owned())]);
        };
        let found = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.damaged(role, error))?;
        if found.is_empty() {
            return Err(credentials(format!(
                "{self:?} holds no {role} (a section -----BEGIN CERTIFICATE-----)"
            )));
        }
        Ok(found)
    }

    /// The first private key, decrypted; `None` when this is PEM without one.
    pub(super) fn private_key(
        &self,
        password: Option<&str>,
    ) -> Result<Option<PrivateKeyDer<'static>>> {
        let bytes = self.read(ROLE_KEY)?;
        let Some(pem) = pem_part(&bytes) else {
            return self.der_key(&bytes, password).map(Some);
        };
        if memmem::find(pem, LEGACY_ENCRYPTION).is_some() {
            return Err(credentials(format!(
                "The private key in {self:?} is encrypted in OpenSSL's old way, which cannot be \
                 read; convert it: openssl pkcs8 -topk8 -in old.pem -out new.pem"
            )));
        }
        if let Some(encrypted) = encrypted_section(pem).map_err(|e| self.damaged(ROLE_KEY, e))? {
            return self.decrypt(encrypted.secret_pkcs8_der(), password).map(Some);
        }
        match PrivateKeyDer::from_pem_slice(pem) {
            Ok(key) => Ok(Some(key)),
            Err(pem::Error::NoItemsFound) => Ok(None),
            Err(error) => Err(self.damaged(ROLE_KEY, error)),
        }
    }

    fn der_key(&self, der: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>> {
        if EncryptedPrivateKeyInfoRef::try_from(der).is_ok() {
            return self.decrypt(der, password);
        }
        PrivateKeyDer::try_from(der.to_vec())
            .map_err(|reason| self.damaged(ROLE_KEY, io::Error::other(reason)))
    }

    fn decrypt(&self, der: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>> {
        let Some(password) = password else {
            return Err(credentials(format!(
                "The private key in {self:?} is encrypted; give its password"
            )));
        };
        let unreadable = |error: pkcs8::Error| {
            use pkcs8::{Error as Pkcs8, pkcs5::Error as Pkcs5};
            let sentence = match error {
                // A wrong password is seen at the padding, or else at what comes out.
                Pkcs8::EncryptedPrivateKey(Pkcs5::DecryptFailed) | Pkcs8::Asn1(_) => {
                    format!("The password does not open the private key in {self:?}")
                }
                _ => format!(
                    "The private key in {self:?} is encrypted in a way that cannot be read; \
                     convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in old.pem -out new.pem"
                ),
            };
            credentials(sentence).with_source(error)
        };
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(der)
            .map_err(|error| self.damaged(ROLE_KEY, error))?;
        let key = encrypted.decrypt(password).map_err(unreadable)?;
        Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
    }

    fn read(&self, role: &str) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File(path) => fs::read(path).map(Cow::Owned).map_err(|error| {
                credentials(format!("The {role} {} cannot be read: {error}", path.display()))
                    .with_source(error)
            }),
        }
    }

    fn damaged(&self, role: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        credentials(format!(
            "{self:?} cannot be read as {role}; it must be PEM or DER (PKCS#12 can be converted: \
             openssl pkcs12 -in old.p12 -out new.pem -nodes)"
        ))
        .with_source(error)
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory(bytes) => write!(f, "the {} bytes given", bytes.len()),
        }
    }
}

/// From the first section on, if there is any: before it a byte order mark may stand, which would
/// hide it from the parser.
fn pem_part(bytes: &[u8]) -> Option<&[u8]> {
    memmem::find(bytes, b"-----BEGIN ").map(|start| &bytes[start..])
}

/// The encrypted key of a PEM text, still encrypted.
fn encrypted_section(text: &[u8]) -> Result<Option<PrivatePkcs8KeyDer<'static>>, pem::Error> {
    let Some(start) = memmem::find(text, ENCRYPTED_BEGIN) else {
        return Ok(None);
    };
    // The parser knows no such section and would pass it over. With the label of the plain form
    // it does what is wanted here: it undoes the base64 and does not look into it.
    let mut plain = PLAIN_BEGIN.to_vec();
    let body = &text[start + ENCRYPTED_BEGIN.len()..];
    let end = memmem::find(body, ENCRYPTED_END).unwrap_or(body.len());
    plain.extend_from_slice(&body[..end]);
    if end < body.len() {
        plain.extend_from_slice(PLAIN_END);
    }
    PrivatePkcs8KeyDer::from_pem_slice(&plain).map(Some)
}

fn credentials(sentence: String) -> Error {
    Error::new(Code::TlsCredentials, sentence)
}

const ROLE_KEY: &str = "private key";
const LEGACY_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";
const ENCRYPTED_BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
const PLAIN_BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----";
const PLAIN_END: &[u8] = b"-----END PRIVATE KEY-----\n";
