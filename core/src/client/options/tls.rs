//! Options of TLS.

use super::Options;
use crate::transport::{Material, Roots};

impl Options {
    /// TLS or plain TCP.
    pub fn set_tls(&mut self, tls: bool) -> &mut Self {
        self.endpoint.set_tls(tls);
        self
    }

    /// Trusts this authority instead of the system's. Repeating it adds one.
    pub fn add_tls_authority(&mut self, authority: Material) -> &mut Self {
        match &mut self.tls.roots {
            Roots::Own(own) | Roots::SystemAnd(own) => own.push(authority),
            Roots::System => self.tls.roots = Roots::Own(vec![authority]),
        }
        self
    }

    /// Whether the system's authorities are trusted beside those that have been added. Without any
    /// added they always are.
    pub fn set_tls_system_authorities(&mut self, too: bool) -> &mut Self {
        self.tls.roots = match (std::mem::take(&mut self.tls.roots), too) {
            (Roots::Own(own), true) => Roots::SystemAnd(own),
            (Roots::SystemAnd(own), false) => Roots::Own(own),
            (other, _) => other,
        };
        self
    }

    /// The client's certificate and key. Without `key` the certificate's PEM holds both. Files are
    /// read anew at each connection, so a renewed certificate needs no new session.
    pub fn set_tls_certificate(
        &mut self,
        certificate: Material,
        key: Option<Material>,
        key_password: Option<&str>,
    ) -> &mut Self {
        self.tls.certificate = Some(certificate);
        self.tls.key = key;
        self.tls.key_password = key_password.map(str::to_owned);
        self
    }

    /// The name that the server's certificate must hold, when it is not the host.
    pub fn set_tls_server_name(&mut self, name: Option<&str>) -> &mut Self {
        self.tls.server_name = name.map(str::to_owned);
        self
    }

    /// Whether the server's certificate is checked. Default true; false is for experiments only.
    pub fn set_tls_verify(&mut self, verify: bool) -> &mut Self {
        self.tls.verify = verify;
        self
    }
}
