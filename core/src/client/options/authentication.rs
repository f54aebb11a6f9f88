//! Options of proving who the session is: credentials and enhanced authentication.

use std::sync::Arc;

use super::{Options, add, text};
use crate::{
    client::{Authenticator, CredentialsSource},
    error::{Code, Error, Result},
    protocol::{Place, Property},
};

impl Options {
    /// Asks for user name and password before each attempt to connect, instead of the fixed ones:
    /// for tokens that run out. The question is asked on a thread of its own lane and may overlap a
    /// callback of the session; its error ends the attempt.
    pub fn set_credentials_source(&mut self, source: Option<CredentialsSource>) -> &mut Self {
        self.credentials = source;
        self
    }

    /// Enhanced authentication (MQTT 5.0): the method's name, and who answers the broker's
    /// challenges.
    ///
    /// # Errors
    /// `INVALID_UTF8` for a name that MQTT cannot carry.
    pub fn set_authenticator(
        &mut self,
        method: &str,
        authenticator: Arc<dyn Authenticator>,
    ) -> Result<&mut Self> {
        let method = text(method, "authentication method")?;
        todo!()
    }

    /// Enhanced authentication by SCRAM-SHA-256 (RFC 7677), which proves to each side that the other
    /// knows the password without sending it.
    ///
    /// # Errors
    /// `INVALID_UTF8`; `INVALID_OPTION` for an empty user name, or for a password that SASLprep
    /// forbids.
    pub fn set_scram_sha_256(&mut self, user_name: &str, password: &str) -> Result<&mut Self> {
        todo!()
    }
}
