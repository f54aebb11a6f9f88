//! Enhanced authentication (MQTT 5.0, section 4.12) and credentials that are asked for.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;

/// Where an exchange stands when its [`Authenticator`] is asked.
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

/// Answers the broker's challenges.
///
/// Called on a thread of the questions' own lane, one question at a time per session, outside all
/// locks; it may overlap a callback of the session. A call of the same session that waits answers
/// `WOULD_DEADLOCK` there.
pub trait Authenticator: Send + Sync + 'static {
    /// The client's data for this step; `None` is no data at all. `data` is what the broker sent.
    ///
    /// # Errors
    /// Whatever ends the exchange: the connection is closed, and the session reports
    /// `AUTHENTICATION_FAILED` with this error as its cause.
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>>;
}

/// User name and password for one attempt to connect.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user name, or none.
    pub user_name: Option<String>,
    /// The password, or none.
    pub password: Option<Bytes>,
}

/// Gives the credentials for the next attempt to connect; its error ends the attempt.
pub type CredentialsSource = Arc<dyn Fn() -> Result<Credentials> + Send + Sync>;
