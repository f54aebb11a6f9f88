//! The driver of `benches/` for the Rust core: what it measures and prints is what `bench.h` says.
//!
//! The environment's `BENCH_DISPATCH=inline` has callbacks run on the I/O thread; `BENCH_AUTHORITY` is
//! the file of an authority to trust, and asks for TLS. The modes of `growth` measure this library
//! alone: `BENCH_POINT` says how much there is of what grows.

mod growth;
mod modes;
mod session;

use std::{env, process::ExitCode};

use measure::Run;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = Run::read(&arguments).and_then(|run| match run.mode.as_str() {
        "pub" => modes::publish(&run),
        "recv" => modes::receive(&run),
        "latency" => modes::latency(&run),
        "idle" => modes::idle(&run),
        other => growth::run(other, &run),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
