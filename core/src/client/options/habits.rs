//! What a session does by itself, beside what it says to a broker.

use std::time::Duration;

use super::Durability;
use crate::error::Code;

/// See the setters of the options for what each is.
#[derive(Clone, PartialEq)]
pub(crate) struct Habits {
    pub(crate) connect_timeout: Duration,
    pub(crate) reconnect: bool,
    pub(crate) retry_first_connect: bool,
    /// What differs from the table of errors.
    pub(crate) retry: Vec<(Code, bool)>,
    pub(crate) redirect_limit: u32,
    /// The first bound of the pause, and the last one.
    pub(crate) reconnect_delay: (Duration, Duration),
    pub(crate) stable_time: Duration,
    pub(crate) outgoing_wait: Duration,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) incoming_messages: usize,
    pub(crate) incoming_bytes: usize,
    pub(crate) durability: Durability,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            reconnect: true,
            retry_first_connect: false,
            retry: Vec::new(),
            redirect_limit: 0,
            reconnect_delay: (Duration::from_secs(1), Duration::from_secs(60)),
            stable_time: Duration::from_secs(10),
            outgoing_wait: Duration::from_secs(10),
            time_to_live: None,
            incoming_messages: usize::from(u16::MAX),
            incoming_bytes: 16 << 20,
            durability: Durability::Message,
        }
    }
}
