//! An MQTT client: protocol 3.1, 3.1.1 and 5.0.
#![forbid(unsafe_code)]

pub mod engine;
pub mod error;
pub mod protocol;
