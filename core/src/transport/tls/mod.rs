//! TLS by rustls: whom to trust, who we are, and the handshake.

pub(super) mod error;
mod material;
mod verifier;

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub use self::material::Material;
use super::{Socket, endpoint::literal_address};
use crate::error::{Code, Error, Result};

/// How to speak TLS with a broker.
///
/// The default trusts the system's authorities and shows no certificate of its own. Its debug
/// print shows neither key nor password.
#[derive(Clone)]
#[non_exhaustive]
pub(crate) struct TlsOptions {
    /// Which authorities may have issued the server's certificate.
    pub roots: Roots,
    /// The client's certificate, followed by the intermediate ones, where the server wants one.
    pub certificate: Option<Material>,
    /// The private key of the client's certificate. Not needed when `certificate` is PEM that
    /// holds both.
    pub key: Option<Material>,
    /// The password of an encrypted key (PKCS#8).
    pub key_password: Option<String>,
    /// The name that the server's certificate must hold, where it is not the endpoint's host.
    pub server_name: Option<String>,
    /// Whether the server's certificate is verified at all. Without it anybody in between can
    /// read and change everything: for tests only.
    pub verify: bool,
    /// The protocols to offer (ALPN), the preferred one first; empty offers none.
    pub alpn: Vec<String>,
}

/// Which authorities are trusted.
///
/// Own ones are CA certificates. A server's own certificate may be given too: a server that
/// presents exactly that certificate, byte for byte, is then trusted whether it is a CA
/// certificate or not; its validity is checked, and its names where it holds any.
#[derive(Clone, Debug, Default)]
pub(crate) enum Roots {
    /// Those of the operating system.
    #[default]
    System,
    /// These only.
    Own(Vec<Material>),
    /// Those of the operating system and these.
    SystemAnd(Vec<Material>),
}

/// What [`TlsOptions::build`] made: read once, used by every connection and reconnection, and fit
/// to be shared by many sessions.
#[derive(Debug)]
pub(crate) struct TlsConfig {
    client: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl TlsOptions {
    /// Reads the files and checks everything that can be checked without a server. It may block on
    /// the file system; it is for the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Code::TlsCredentials`] when a certificate, key or CA cannot be read or used, with its
    /// origin in the sentence; [`Code::InvalidOption`] for a server name or protocol that TLS
    /// cannot express.
    pub(crate) fn build(&self) -> Result<Arc<TlsConfig>> {
        let server_name = self.server_name.as_deref().map(parse_server_name).transpose()?;
        // Explicit, because a process may hold several providers and then has no default.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::from(Code::Internal).with_source(error))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider)?);
        let mut client = match self.identity()? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(unusable_identity)?
            }
        };
        // The default remembers 256 sessions, and takes the memory for them at once; a session of
        // ours speaks with one server, or a few of a cluster.
        client.resumption = Resumption::in_memory_sessions(RESUMABLE_SESSIONS);
        client.alpn_protocols =
            self.alpn.iter().map(|name| alpn_protocol(name)).collect::<Result<_>>()?;
        Ok(Arc::new(TlsConfig { client: Arc::new(client), server_name }))
    }

    fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn rustls::client::danger::ServerCertVerifier>> {
        if !self.verify {
            return Ok(verifier::unverified(&provider));
        }
        match &self.roots {
            Roots::System => verifier::system(provider),
            Roots::Own(given) => verifier::own(certificates(given)?, provider),
            Roots::SystemAnd(given) => verifier::system_and(certificates(given)?, provider),
        }
    }

    /// The client's certificate chain and key, where they were given.
    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        let Some(certificate) = &self.certificate else {
            return match &self.key {
                None => Ok(None),
                Some(key) => {
                    let sentence = format!("A private key ({key:?}) was given without certificate");
                    Err(Error::new(Code::TlsCredentials, sentence))
                }
            };
        };
        let chain = certificate.certificates("client certificate")?;
        let holder = self.key.as_ref().unwrap_or(certificate);
        match holder.private_key(self.key_password.as_deref())? {
            Some(key) => Ok(Some((chain, key))),
            None => {
                let sentence = format!(
                    "{holder:?} holds no private key; give the key of the client certificate"
                );
                Err(Error::new(Code::TlsCredentials, sentence))
            }
        }
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            certificate: None,
            key: None,
            key_password: None,
            server_name: None,
            verify: true,
            alpn: Vec::new(),
        }
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("roots", &self.roots)
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .field("key_password", &self.key_password.as_ref().map(|_| "…"))
            .field("server_name", &self.server_name)
            .field("verify", &self.verify)
            .field("alpn", &self.alpn)
            .finish()
    }
}

/// Shakes hands with the server at the other end of `tcp`.
pub(super) async fn connect(tls: &TlsConfig, host: &str, tcp: Socket) -> Result<TlsStream<Socket>> {
    let name = match &tls.server_name {
        Some(name) => name.clone(),
        None => name_of(host)?,
    };
    TlsConnector::from(Arc::clone(&tls.client))
        .connect(name, tcp)
        .await
        .map_err(|error| error::handshake_error(&error, host))
}

fn certificates(given: &[Material]) -> Result<Vec<CertificateDer<'static>>> {
    let mut all = Vec::new();
    for one in given {
        all.append(&mut one.certificates("CA certificate")?);
    }
    Ok(all)
}

fn name_of(host: &str) -> Result<ServerName<'static>> {
    if let Some(address) = literal_address(host) {
        return Ok(ServerName::from(address));
    }
    ServerName::try_from(host.to_owned()).map_err(|error| {
        let sentence = format!(
            "{host} is not a name that a certificate can hold; set the server name that TLS shall \
             expect"
        );
        Error::new(Code::InvalidAddress, sentence).with_source(error)
    })
}

fn parse_server_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|error| {
        let sentence = format!("The TLS server name {name:?} is neither a host name nor an IP");
        Error::new(Code::InvalidOption, sentence).with_source(error)
    })
}

fn alpn_protocol(name: &str) -> Result<Vec<u8>> {
    // RFC 7301, 3.1: the length is one byte, and an empty name is not allowed.
    if (1..=255).contains(&name.len()) {
        Ok(name.as_bytes().to_vec())
    } else {
        Err(Error::new(Code::InvalidOption, "An ALPN protocol name is 1 to 255 bytes long"))
    }
}

fn unusable_identity(error: rustls::Error) -> Error {
    let sentence = match &error {
        rustls::Error::InconsistentKeys(_) => {
            "The private key does not belong to the client certificate".to_owned()
        }
        _ => format!("The client certificate and its key cannot be used: {error}"),
    };
    Error::new(Code::TlsCredentials, sentence).with_source(error)
}

/// Tickets kept for resumption: rustls counts eight for a server.
const RESUMABLE_SESSIONS: usize = 32;
