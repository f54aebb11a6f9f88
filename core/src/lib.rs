//! An MQTT client: protocol 3.1, 3.1.1 and 5.0.
#![forbid(unsafe_code)]

pub mod engine;
pub mod error;
pub mod protocol;
#[cfg(feature = "client")]
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the client comes to use it"))]
#[expect(unreachable_pub, reason = "the client comes to export it")]
pub(crate) mod transport;
