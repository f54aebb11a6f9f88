//! The limit of the rows `tls`: publishes that were encoded beforehand, through rustls and a blocking
//! socket, without a library. Its TLS is set up as the library's, with the same provider.
//!
//! It is a driver as `bench.h` says, for the mode `pub` at QoS 0; `BENCH_AUTHORITY` is the file of the
//! peer's certificate.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    process::ExitCode,
    sync::Arc,
};

use measure::{Result, Run, Start};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::json;

/// Octets of one write: as `raw.c`'s, and four whole records of TLS.
const BLOCK: usize = 64 << 10;

const LIBRARY: &str = "bare rustls";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match Run::read(&arguments).and_then(|run| publish(&run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn connect(run: &Run) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(env::var("BENCH_AUTHORITY")?)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(&run.address)?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, socket);
    let properties: &[u8] = if run.version == 5 { &[0] } else { &[] };
    let mut connect = vec![0x10, 17 + properties.len() as u8];
    connect.extend(b"\x00\x04MQTT");
    connect.extend([run.version, 2, 0, 60]);
    connect.extend(properties);
    connect.extend(b"\x00\x05bench");
    stream.write_all(&connect)?;
    let mut connack = vec![0; 4 + properties.len()];
    stream.read_exact(&mut connack)?;
    Ok(stream)
}

/// A PUBLISH, with an id at QoS 1.
fn message(run: &Run, id: Option<u8>, topic: &str, size: usize) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.extend((topic.len() as u16).to_be_bytes());
    rest.extend(topic.as_bytes());
    rest.extend(id.iter().flat_map(|&id| [0, id]));
    if run.version == 5 {
        rest.push(0);
    }
    rest.resize(rest.len() + size, b'x');
    let mut packet = vec![if id.is_some() { 0x32 } else { 0x30 }];
    let mut left = rest.len();
    while left >= 0x80 {
        packet.push(left as u8 | 0x80);
        left >>= 7;
    }
    packet.push(left as u8);
    packet.append(&mut rest);
    packet
}

/// From the first write to the acknowledgement of a last message, which proves all others.
fn publish(run: &Run) -> Result<()> {
    if run.mode != "pub" || run.qos != 0 {
        return Err("bare rustls only publishes, at QoS 0".into());
    }
    let mut stream = connect(run)?;
    let message_of_run = message(run, None, "t/data", run.size);
    let copies = (BLOCK / message_of_run.len()).max(1);
    let block = message_of_run.repeat(copies);
    let last = message(run, Some(1), "t/fin", 0);
    let start = Start::now()?;
    let mut left = usize::try_from(run.count)?;
    while left > 0 {
        let now = left.min(copies);
        stream.write_all(&block[..now * message_of_run.len()])?;
        left -= now;
    }
    stream.write_all(&last)?;
    stream.read_exact(&mut [0; 4])?;
    start.report(LIBRARY, run, run.count, json!({}))
}
