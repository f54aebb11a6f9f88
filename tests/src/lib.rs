//! Test support: everything that stands at the other end of a session under test.
//!
//! Nothing here uses the library's own codec. [`wire`] writes packets and [`seen`] reads them from
//! an understanding of the specification of their own, so that a mistake in the library cannot
//! agree with itself.
//!
//! - [`scripted`]: a broker that does exactly what a test tells it, packet by packet. [`script`]
//!   and [`player`] make the same broker a program, `scripted-broker`, for C, C++ and Python.
//! - [`real`] and [`embedded`]: guards round Mosquitto and round `mqttsession-broker`; a broker is
//!   started on free ports and ended when its guard is dropped.
//! - [`scram`]: the server's half of SCRAM-SHA-256.
//! - [`violation`]: the table of what a broker must not send.
//! - [`tap`]: a proxy between a session and a real broker. [`matrix`]: what holds at which broker.
//! - [`certificate`]: certificates made on the spot, good ones and bad ones.

pub mod certificate;
mod decode;
pub mod embedded;
mod encoding;
mod expectation;
mod field;
pub mod matrix;
mod peer;
pub mod player;
pub mod probe;
pub mod process;
pub mod property;
pub mod random;
mod reader;
pub mod real;
pub mod scram;
pub mod script;
pub mod scripted;
pub mod seen;
mod stream;
pub mod tap;
pub mod trace;
pub mod violation;
pub mod wire;
mod word;

use std::time::Duration;

/// How long anything in a test may take before it counts as never. Not a measure of speed: it is
/// only there so that a broken test ends, and long enough for a slow machine under valgrind.
pub const DEADLINE: Duration = Duration::from_secs(30);
