//! Options of connecting and reconnecting.

use std::time::Duration;

use super::Options;
use crate::error::{Code, Error, Result};

impl Options {
    /// Whether the session reconnects by itself. Default true.
    pub fn set_reconnect(&mut self, reconnect: bool) -> &mut Self {
        self.habits.reconnect = reconnect;
        self
    }

    /// The bounds of the back-off: each pause is random between zero and a value that doubles from
    /// `first` to `longest`. Default 1 s and 60 s.
    ///
    /// # Errors
    /// `INVALID_OPTION` when `first` is zero or above `longest`.
    pub fn set_reconnect_delay(&mut self, first: Duration, longest: Duration) -> Result<&mut Self> {
        if first.is_zero() || first > longest {
            return Err(Error::new(
                Code::InvalidOption,
                "The first reconnect delay must be above zero and at most the longest",
            ));
        }
        self.habits.reconnect_delay = (first, longest);
        Ok(self)
    }

    /// How long a connection must last before the back-off starts anew. Default 10 s.
    pub fn set_stable_time(&mut self, stable: Duration) -> &mut Self {
        self.habits.stable_time = stable;
        self
    }

    /// How long one attempt to connect may take, name lookup to CONNACK. Default 10 s.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_connect_timeout(&mut self, timeout: Duration) -> Result<&mut Self> {
        if timeout.is_zero() {
            return Err(Error::new(Code::InvalidOption, "The connect timeout must not be zero"));
        }
        self.habits.connect_timeout = timeout;
        Ok(self)
    }

    /// How long one attempt to connect may take.
    pub fn connect_timeout(&self) -> Duration {
        self.habits.connect_timeout
    }

    /// Whether a failure of the very first attempt is followed by further ones, as later losses are.
    /// Default false: the connect ends with the error and the session rests.
    pub fn set_retry_first_connect(&mut self, retry: bool) -> &mut Self {
        self.habits.retry_first_connect = retry;
        self
    }

    /// Overrides for one error whether the session tries again after it. The default is what
    /// [`Code::is_retryable`] says.
    pub fn set_retry(&mut self, code: Code, retry: bool) -> &mut Self {
        self.habits.retry.retain(|(of, _)| *of != code);
        self.habits.retry.push((code, retry));
        self
    }

    /// Whether the session tries again after an error of this kind.
    pub fn retries(&self, code: Code) -> bool {
        let overridden = self.habits.retry.iter().find(|(of, _)| *of == code);
        overridden.map_or(code.is_retryable(), |(_, retry)| *retry)
    }

    /// How many times in a row the session follows a broker that sends it to another server (MQTT
    /// 5.0: Use another server, Server moved); of a list it tries the first eight. Default 0: it does not, and connecting ends as
    /// `SERVER_MOVED`. TLS and everything else stays as it is; the other server's certificate must
    /// hold its own name.
    pub fn set_redirect_limit(&mut self, hops: u32) -> &mut Self {
        self.habits.redirect_limit = hops;
        self
    }
}
