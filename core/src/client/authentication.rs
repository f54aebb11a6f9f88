//! Enhanced authentication (MQTT 5.0, section 4.12) and credentials that are asked for: what the
//! program is asked. [`question`](super::question) tells how.

use std::sync::Arc;

use bytes::Bytes;

use super::{AuthenticationStep, Credentials};
use crate::error::Result;

/// Answers the broker's challenges.
///
/// Called on a thread of the questions' own lane, one question at a time per session, outside all
/// locks; it may overlap a callback of the session. A call of the same session that waits answers
/// `WOULD_DEADLOCK` there. The time to connect runs on meanwhile; an answer that comes when it is
/// over is thrown away.
///
/// One authenticator may be asked by several sessions at the same time when they share its options.
pub trait Authenticator: Send + Sync + 'static {
    /// The client's data for this step; `None` is no data at all. `data` is what the broker sent.
    ///
    /// # Errors
    /// Whatever ends the exchange: the connection is closed, and the session reports
    /// `AUTHENTICATION_FAILED` with this error as its cause (or this error, when it is an
    /// `AUTHENTICATION_FAILED` itself). A panic is such an error.
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>>;
}

/// Gives the credentials for the next attempt to connect; its error ends the attempt, and decides
/// by its code whether others follow.
pub type CredentialsSource = Arc<dyn Fn() -> Result<Credentials> + Send + Sync>;

/// Makes the authenticator of one session: a ready-made method keeps the state of its exchange.
pub(super) type MakeAuthenticator = Arc<dyn Fn() -> Arc<dyn Authenticator> + Send + Sync>;
