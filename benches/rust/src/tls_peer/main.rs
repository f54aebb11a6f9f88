//! The peer of the rows `tls`: it takes a program's publishes through TLS, and is itself no slower than
//! rustls: large reads, records decrypted from where they were read, no payload looked at.
//!
//! ```text
//! mqttsession-tls-peer AUTHORITY    writes its certificate there, prints "listening PORT", and one
//!                                   JSON line of counters at stdin's EOF
//! ```
//!
//! It answers CONNECT, PINGREQ and PUBLISH of QoS 1, and serves one connection after the other.

mod packets;
mod tls;

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use measure::{Result, ticks};
use rustls::ServerConfig;
use serde_json::json;

use crate::{packets::Counters, tls::Connection};

/// What all connections have seen.
#[derive(Default)]
struct Seen {
    accepted: u64,
    errors: u64,
    counters: Counters,
    suite: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let authority = env::args().nth(1).ok_or("usage: mqttsession-tls-peer AUTHORITY")?;
    let (config, certificate) = tls::make_identity()?;
    fs::write(authority, certificate)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("listening {}", listener.local_addr()?.port());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let writer = Arc::clone(&seen);
    thread::spawn(move || accept(&listener, &config, &writer));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let [user, system] = ticks()?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let line = json!({
        "accepted": seen.accepted,
        "publish": seen.counters.publish,
        "pubrel": 0,
        "errors": seen.errors,
        "suite": seen.suite,
        "user_s": user.as_secs_f64(),
        "sys_s": system.as_secs_f64(),
    });
    println!("{line}");
    Ok(())
}

fn accept(listener: &TcpListener, config: &Arc<ServerConfig>, seen: &Mutex<Seen>) {
    let lock = || seen.lock().unwrap_or_else(PoisonError::into_inner);
    for socket in listener.incoming() {
        lock().accepted += 1;
        let served = socket.map_err(Into::into).and_then(|socket| {
            let mut connection = Connection::new(socket, config)?;
            let before = lock().counters;
            // Known before an acknowledgement leaves: what the program waits for, and the runner asks.
            connection.serve(|counters, suite| {
                let mut seen = lock();
                seen.counters = before.plus(counters);
                seen.suite = suite;
            })
        });
        lock().errors += u64::from(served.is_err());
    }
}
