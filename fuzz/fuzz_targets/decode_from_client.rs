//! Bytes that a client sends to its server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqttsession::protocol::Sender;

fuzz_target!(|input: &[u8]| mqttsession_fuzz::read_stream(Sender::Client, input));
