//! The driver of `benches/` for the Rust core: what it measures and prints is what `bench.h` says.
//!
//! The environment's `BENCH_DISPATCH=inline` has callbacks run on the I/O thread.

mod measure;
mod modes;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = measure::Run::read(&arguments).and_then(|run| match run.mode.as_str() {
        "pub" => modes::publish(&run),
        "recv" => modes::receive(&run),
        "latency" => modes::latency(&run),
        "idle" => modes::idle(&run),
        other => Err(format!("no mode {other:?}").into()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
