//! `make-certificates DIRECTORY`: the certificates of the tests, for C, C++ and Python.

use std::{path::Path, process::ExitCode};

use mqttsession_tests::certificate::{Certificates, FILES};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(directory), None) = (words.next(), words.next()) else {
        eprintln!("Usage: make-certificates DIRECTORY\n\nMakes in DIRECTORY:");
        for (name, what) in FILES {
            eprintln!("  {name:22}{what}");
        }
        return ExitCode::from(2);
    };
    let directory = Path::new(&directory);
    match std::fs::create_dir_all(directory).and_then(|()| Certificates::write(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make-certificates: {}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
