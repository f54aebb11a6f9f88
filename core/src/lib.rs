//! An MQTT client: protocol 3.1, 3.1.1 and 5.0.
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod client;
pub mod engine;
pub mod error;
pub mod protocol;
mod seldom;
#[cfg(feature = "client")]
pub mod store;
#[cfg(feature = "client")]
mod sync;
#[cfg(feature = "client")]
mod transport;
