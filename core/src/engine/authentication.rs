//! Who connects, and the steps of enhanced authentication (MQTT 5.0, section 4.12).

use std::fmt;

use bytes::Bytes;

/// Where an exchange stands when its authenticator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationStep {
    /// It begins, with CONNECT: the answer is the first authentication data, if the method has any
    /// then.
    Connect,
    /// It begins anew on a live connection: the answer is the first data of the AUTH packet.
    Reauthenticate,
    /// The broker's AUTH with more data: the answer goes back.
    Continue,
    /// The broker has accepted; its last data is to be checked, and there is nothing to answer.
    Success,
}

/// User name and password for one attempt to connect.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user name, or none.
    pub user_name: Option<String>,
    /// The password, or none.
    pub password: Option<Bytes>,
}

impl fmt::Debug for Credentials {
    /// Without their content: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What one CONNECT says about who connects.
#[derive(Clone, Default)]
pub struct Identity {
    /// User name and password, in place of those of the settings.
    pub credentials: Option<Credentials>,
    /// The first data of the authentication method that the settings' properties name.
    pub authentication_data: Option<Bytes>,
}

impl fmt::Debug for Identity {
    /// Without its content: it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Whose turn it is in an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exchange {
    /// None is under way.
    #[default]
    None,
    /// The broker's.
    Broker,
    /// The program's, which has been asked for this step.
    Program(AuthenticationStep),
}
