//! What went wrong in TLS, and what to do about it.

use std::{fmt::Write, io};

use pkcs8::der::DateTime;
use rustls::{
    AlertDescription as Alert, CertificateError, InvalidMessage, PeerIncompatible,
    pki_types::UnixTime,
};

use crate::error::{Code, Error};

/// The error for a handshake that failed.
pub(super) fn handshake_error(error: &io::Error, host: &str) -> Error {
    use InvalidMessage::{InvalidContentType, MessageTooLarge, UnknownProtocolVersion};
    match cause(error) {
        // What other protocols say looks like a record of an impossible kind, version or length.
        Some(
            tls @ rustls::Error::InvalidMessage(
                InvalidContentType | MessageTooLarge | UnknownProtocolVersion,
            ),
        ) => {
            let sentence = format!(
                "{host} does not speak TLS on this port; use the TLS port (usually 8883), or \
                 connect without TLS"
            );
            Error::new(Code::TlsNotTls, sentence).with_source(tls.clone())
        }
        Some(tls) => explain(tls, Some(host)),
        None => {
            let sentence = format!(
                "{host} broke the TLS handshake off ({error}); does this port speak TLS (usually \
                 8883), in version 1.2 or newer?"
            );
            Error::new(Code::TlsHandshake, sentence).with_source(super::super::copy(error))
        }
    }
}

/// The TLS error inside an I/O error, where it is one.
pub(in super::super) fn cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The error for what rustls reports, in the handshake or later.
pub(in super::super) fn explain(error: &rustls::Error, host: Option<&str>) -> Error {
    let server = host.unwrap_or("the server");
    let (code, sentence) = match error {
        rustls::Error::InvalidCertificate(reason) => certificate(reason, server),
        rustls::Error::AlertReceived(alert) => alert_received(*alert, server),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => old_version(server),
        rustls::Error::NoApplicationProtocol => no_protocol(server),
        _ => (Code::TlsHandshake, format!("TLS with {server} failed: {error}")),
    };
    Error::new(code, capitalise(sentence)).with_source(error.clone())
}

fn certificate(reason: &CertificateError, server: &str) -> (Code, String) {
    use CertificateError as Reason;
    match reason {
        Reason::UnknownIssuer => (
            Code::TlsUnknownIssuer,
            format!(
                "the certificate of {server} comes from an authority that is not trusted; give \
                 the CA certificate that issued it, or the certificate itself if it is self-signed"
            ),
        ),
        // webpki says so when a CA has the issuer's name and another key: one that was made anew.
        Reason::BadSignature => (
            Code::TlsUnknownIssuer,
            format!(
                "the certificate of {server} is not signed by the trusted CA of that name; fetch \
                 the CA certificate anew, and use RSA keys of 2048 bits or more"
            ),
        ),
        Reason::Expired => (
            Code::TlsExpired,
            format!(
                "the certificate of {server} has expired; renew it, or check this machine's clock"
            ),
        ),
        Reason::ExpiredContext { time, not_after } => (
            Code::TlsExpired,
            format!(
                "the certificate of {server} expired on {}, and this machine's clock says {}; \
                 renew the certificate, or set the clock",
                date(*not_after),
                date(*time)
            ),
        ),
        Reason::NotValidYet => (
            Code::TlsExpired,
            format!("the certificate of {server} is not valid yet; check this machine's clock"),
        ),
        Reason::NotValidYetContext { time, not_before } => (
            Code::TlsExpired,
            format!(
                "the certificate of {server} is valid from {} on, and this machine's clock says \
                 {}; set the clock",
                date(*not_before),
                date(*time)
            ),
        ),
        Reason::NotValidForName => (
            Code::TlsWrongName,
            format!(
                "the certificate of {server} is for another name; connect by the name it holds"
            ),
        ),
        Reason::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            (Code::TlsWrongName, wrong_name(server, &expected, presented))
        }
        _ => (
            Code::TlsBadCertificate,
            format!("the certificate of {server} cannot be accepted: {}", complaint(reason)),
        ),
    }
}

fn wrong_name(server: &str, expected: &str, presented: &[String]) -> String {
    if presented.is_empty() {
        return format!(
            "the certificate of {server} holds no name but perhaps a common name, which no longer \
             counts; make it anew with the subject alternative name {expected}"
        );
    }
    let mut sentence = format!("the certificate of {server} is not for {expected} but for ");
    for (index, name) in presented.iter().take(NAMES_SHOWN).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(sentence, "{comma}{}", bare_name(name));
    }
    if presented.len() > NAMES_SHOWN {
        let _ = write!(sentence, " and {} more", presented.len() - NAMES_SHOWN);
    }
    sentence + "; connect by such a name, or set it as the TLS server name"
}

/// `DnsName("a.example")` is how webpki writes a name; it comes from the server, so it is cut and
/// its control characters are escaped.
fn bare_name(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(presented)
        .trim_matches('"');
    inner.chars().take(NAME_LENGTH_SHOWN).flat_map(char::escape_debug).collect()
}

/// What is wrong with a certificate, and how to make a better one.
fn complaint(reason: &CertificateError) -> String {
    use CertificateError as Reason;
    let known = match reason {
        Reason::BadEncoding => "it is damaged",
        Reason::Revoked => "its issuer has revoked it",
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => {
            "it is not made for servers; make it anew with the extended key usage serverAuth"
        }
        Reason::UnhandledCriticalExtension => "it has a critical extension that is not known here",
        #[expect(deprecated, reason = "the platform's verifier may still report it")]
        Reason::UnsupportedSignatureAlgorithm
        | Reason::UnsupportedSignatureAlgorithmContext { .. }
        | Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it, or one above it, is signed by a method that no longer counts as safe; sign with \
             SHA-256 or better"
        }
        Reason::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                "it is a CA certificate; issue one for the server, or give exactly this one as CA"
            }
            Some(webpki::Error::UnsupportedCertVersion) => {
                "it is of X.509 version 1; make it anew in version 3, with a subject alternative \
                 name"
            }
            Some(webpki::Error::EndEntityUsedAsCa) => {
                "the one that issued it is no CA certificate (basic constraint CA:TRUE)"
            }
            _ => return other.to_string(),
        },
        other => return other.to_string(),
    };
    known.to_owned()
}

fn alert_received(alert: Alert, server: &str) -> (Code, String) {
    let refused = |why: &str| {
        (Code::TlsClientRefused, format!("{server} refuses the client's certificate: {why}"))
    };
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => (
            Code::TlsClientRefused,
            format!("{server} wants a client certificate; give certificate and key"),
        ),
        Alert::UnknownCA => refused("it does not know the CA that issued it"),
        Alert::CertificateExpired => refused("it has expired"),
        Alert::CertificateRevoked => refused("it has been revoked"),
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
            refused("it cannot accept it; is it made for clients (clientAuth), by the right CA?")
        }
        Alert::AccessDenied => refused("it grants it no access"),
        Alert::HandshakeFailure => (
            Code::TlsHandshake,
            format!(
                "{server} ended the TLS handshake without giving a reason; it may want a client \
                 certificate, or have no cipher in common with this client"
            ),
        ),
        Alert::ProtocolVersion => old_version(server),
        Alert::UnrecognisedName => (
            Code::TlsHandshake,
            format!("{server} has no certificate for this name; check host and TLS server name"),
        ),
        Alert::NoApplicationProtocol => no_protocol(server),
        other => (Code::TlsHandshake, format!("{server} ended TLS with the alert {other:?}")),
    }
}

fn old_version(server: &str) -> (Code, String) {
    (Code::TlsHandshake, format!("{server} speaks no TLS version that counts as safe (1.2 or 1.3)"))
}

fn no_protocol(server: &str) -> (Code, String) {
    (Code::TlsHandshake, format!("{server} accepts none of the ALPN protocols offered"))
}

fn date(time: UnixTime) -> String {
    let since_epoch = std::time::Duration::from_secs(time.as_secs());
    match DateTime::from_unix_duration(since_epoch) {
        Ok(date) => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        Err(_) => "a day after the year 9999".to_owned(),
    }
}

fn capitalise(mut sentence: String) -> String {
    if sentence.starts_with("the ") {
        sentence.replace_range(..1, "T");
    }
    sentence
}

const NAMES_SHOWN: usize = 5;
const NAME_LENGTH_SHOWN: usize = 64;
