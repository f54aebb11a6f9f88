//! Who decides about the server's certificate.

use std::{sync::Arc, time::Duration};

use pkcs8::der::{
    self, Reader, SliceReader, Tag,
    asn1::{GeneralizedTime, UtcTime},
};
use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::error::{Code, Error, Result};

/// The operating system's authorities (and on Windows and macOS its verdict).
pub(super) fn system(provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err(no_system_roots(error)),
    }
}

/// The given authorities and no others.
pub(super) fn own(
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let given = usable(given)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(given.iter().cloned());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::from(Code::TlsCredentials).with_source(error))?;
    Ok(Arc::new(Given { inner, given }))
}

/// The operating system's authorities and the given ones.
#[cfg(not(target_os = "android"))]
pub(super) fn system_and(
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    use rustls_platform_verifier::Verifier;
    let given = usable(given)?;
    let inner = Arc::new(
        Verifier::new_with_extra_roots(given.iter().cloned(), provider).map_err(no_system_roots)?,
    );
    Ok(Arc::new(Given { inner, given }))
}

/// Android's verifier takes no further authorities.
#[cfg(target_os = "android")]
pub(super) fn system_and(
    _given: Vec<CertificateDer<'static>>,
    _provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let sentence = "Android cannot combine its own authorities with others; give all or none";
    Err(Error::new(Code::NotSupported, sentence))
}

/// Everybody is trusted.
pub(super) fn unverified(provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Unverified { schemes: provider.signature_verification_algorithms.supported_schemes() })
}

/// Given authorities, or a server's own certificate among them.
///
/// Many people make one self-signed certificate for a broker and give it to the clients as "CA".
/// If it calls itself a CA (as `openssl req -x509` does), webpki refuses to see it as a server's
/// certificate. It is nevertheless exactly what the user trusts, and whoever holds its key could
/// issue any certificate that webpki would accept; so taking it as it is gives nothing away.
#[derive(Debug)]
struct Given {
    inner: Arc<dyn ServerCertVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.given.iter().any(|one| one == end_entity) {
            return verify_itself(end_entity, server_name, now);
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Accepts whatever certificate comes, and does not even parse it: of those who switch the
/// verification off, some do so because of a certificate that webpki cannot read. The handshake's
/// signature is not checked either; without a trusted key it proves nothing.
#[derive(Debug)]
struct Unverified {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Those that can be used as an authority; at least one. A bundle of many may hold a few that
/// cannot, old ones above all: no reason to refuse the others.
fn usable(given: Vec<CertificateDer<'static>>) -> Result<Vec<CertificateDer<'static>>> {
    let mut cause = None;
    let mut good = Vec::with_capacity(given.len());
    for one in given {
        match webpki::anchor_from_trusted_cert(&one) {
            Ok(_) => good.push(one),
            Err(error) => {
                tracing::debug!(%error, "a CA certificate was left out");
                cause = Some(error);
            }
        }
    }
    match cause {
        _ if !good.is_empty() => Ok(good),
        None => Err(Error::new(Code::TlsCredentials, "No CA certificate was given")),
        Some(error) => {
            let sentence =
                format!("The CA certificate cannot be used; is it one, in PEM or DER? ({error})");
            Err(Error::new(Code::TlsCredentials, sentence).with_source(error))
        }
    }
}

fn no_system_roots(error: rustls::Error) -> Error {
    let sentence = "This system has no CA certificates that can be used; install them (the \
                    package is often called ca-certificates) or give the CA certificate";
    Error::new(Code::TlsCredentials, sentence).with_source(error)
}

/// The checks that are left for a certificate that was given byte for byte.
fn verify_itself(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let (not_before, not_after) =
        validity(certificate).map_err(|_| CertificateError::BadEncoding)?;
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    match verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name) {
        // It names nobody (but perhaps a common name, which TLS no longer looks at), so there is
        // nothing to compare.
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) if presented.is_empty() => Ok(ServerCertVerified::assertion()),
        result => result.map(|()| ServerCertVerified::assertion()),
    }
}

/// The first and the last second of a certificate's validity (RFC 5280, 4.1): the fifth field of
/// the first part, after an optional version.
fn validity(certificate: &[u8]) -> der::Result<(UnixTime, UnixTime)> {
    SliceReader::new(certificate)?.sequence(|certificate| {
        let validity = certificate.sequence(|to_be_signed| {
            if to_be_signed.peek_byte() == Some(VERSION_TAG) {
                to_be_signed.tlv_bytes()?;
            }
            let [_serial, _algorithm, _issuer] =
                [to_be_signed.tlv_bytes()?, to_be_signed.tlv_bytes()?, to_be_signed.tlv_bytes()?];
            let validity =
                to_be_signed.sequence(|pair| Ok::<_, der::Error>((time(pair)?, time(pair)?)))?;
            to_be_signed.drain(to_be_signed.remaining_len())?;
            Ok::<_, der::Error>(validity)
        })?;
        certificate.drain(certificate.remaining_len())?;
        Ok(validity)
    })
}

fn time<'a>(reader: &mut SliceReader<'a>) -> der::Result<UnixTime> {
    let since_epoch: Duration = match Tag::peek(reader)? {
        Tag::UtcTime => reader.decode::<UtcTime>()?.to_unix_duration(),
        _ => reader.decode::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(UnixTime::since_unix_epoch(since_epoch))
}

/// `[0]`, context-specific and constructed.
const VERSION_TAG: u8 = 0xA0;
