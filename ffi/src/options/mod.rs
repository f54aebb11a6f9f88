//! What a session is told before it connects.

pub mod authentication;
pub mod connection;
pub mod object;
pub mod queue;
pub mod reconnect;
pub mod store;
pub mod tls;
pub mod will;

use mqttsession::{client::Options, error::Result};

pub use object::mqtt_options;

use crate::{boundary::boundary, status::mqtt_status};

/// The body of every setter.
fn set(
    options: Result<&mut mqtt_options>,
    change: impl FnOnce(&mut Options) -> Result<()>,
) -> mqtt_status {
    boundary(|| change(&mut options?.0))
}
