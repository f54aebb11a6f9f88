//! Bytes that a server sends to a session that has something of everything under way.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| mqttsession_fuzz::session::play(input));
