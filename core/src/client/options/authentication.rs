//! Options of proving who the session is: credentials and enhanced authentication.

use std::sync::Arc;

use super::{Options, text};
use crate::{
    client::{Authenticator, CredentialsSource, authentication::MakeAuthenticator, scram},
    error::{Code, Error, Result},
    protocol::{Property, PropertyIdentifier},
};

impl Options {
    /// Asks for user name and password before each attempt to connect, instead of the fixed ones:
    /// for tokens that run out. The question is asked on a thread of its own lane and may overlap a
    /// callback of the session; its error ends the attempt, and decides by its code whether others
    /// follow ([`retries`](Self::retries)).
    pub fn set_credentials_source(&mut self, source: Option<CredentialsSource>) -> &mut Self {
        self.credentials = source;
        self
    }

    /// Enhanced authentication (MQTT 5.0): the method's name, and who answers the broker's
    /// challenges. It replaces what an earlier call, or [`set_scram_sha_256`](Self::set_scram_sha_256),
    /// has set. A session of an earlier version cannot be made with it.
    ///
    /// # Errors
    /// `INVALID_UTF8` for a name that MQTT cannot carry.
    pub fn set_authenticator(
        &mut self,
        method: &str,
        authenticator: Arc<dyn Authenticator>,
    ) -> Result<&mut Self> {
        self.authenticate_by(method, Arc::new(move || authenticator.clone()))
    }

    /// Enhanced authentication by SCRAM-SHA-256 (RFC 7677), which proves to each side that the other
    /// knows the password without sending it. The broker must accept it as authentication method
    /// `SCRAM-SHA-256`; Mosquitto does not.
    ///
    /// A broker that asks for fewer than 4,096 or more than 10,000,000 iterations is refused: the
    /// first would make the password cheap to guess, the second could keep the session busy for
    /// minutes.
    ///
    /// # Errors
    /// `INVALID_UTF8`; `INVALID_OPTION` for an empty user name, or for a user name or password that
    /// SASLprep (RFC 4013) forbids.
    pub fn set_scram_sha_256(&mut self, user_name: &str, password: &str) -> Result<&mut Self> {
        let user = Arc::new(scram::User::new(
            &text(user_name, "user name")?,
            &text(password, "password")?,
        )?);
        self.authenticate_by(
            scram::METHOD,
            Arc::new(move || Arc::new(scram::Scram::new(user.clone()))),
        )
    }

    fn authenticate_by(&mut self, method: &str, make: MakeAuthenticator) -> Result<&mut Self> {
        let method = text(method, "authentication method")?;
        let properties = &mut self.settings.properties;
        properties.remove(PropertyIdentifier::AuthenticationMethod);
        properties.remove(PropertyIdentifier::AuthenticationData);
        properties
            .push(Property::AuthenticationMethod(&method))
            .expect("the text has been checked and is the only one of its kind");
        self.authenticator = Some(make);
        Ok(self)
    }

    /// Whether the version has what is to prove who the session is.
    pub(in crate::client) fn check_authentication(&self) -> Result<()> {
        if self.authenticator.is_some() && !self.settings.version.is_v5() {
            return Err(Error::new(
                Code::InvalidOption,
                "Enhanced authentication needs MQTT 5.0; an earlier version would connect without it",
            ));
        }
        Ok(())
    }
}
