//! A connection: the handshake, and records in and out.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use measure::Result;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivatePkcs8KeyDer,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, UnbufferedStatus, WriteTraffic},
};

use crate::packets::{Counters, Reader};

/// One read: so large that system calls cost nothing per message.
const READ_SIZE: usize = 256 << 10;

/// What a handshake or the answers of one read take at most.
const WRITE_SIZE: usize = 256 << 10;

/// A certificate for this machine alone, and the server that shows it.
pub(crate) fn make_identity() -> Result<(Arc<ServerConfig>, String)> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    Ok((Arc::new(config), made.cert.pem()))
}

pub(crate) struct Connection {
    socket: TcpStream,
    tls: UnbufferedServerConnection,
    packets: Reader,
    /// What has been read and not been decrypted: from here to there.
    incoming: Vec<u8>,
    from: usize,
    to: usize,
    outgoing: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            tls: UnbufferedServerConnection::new(Arc::clone(config))?,
            packets: Reader::default(),
            incoming: vec![0; 2 * READ_SIZE],
            from: 0,
            to: 0,
            outgoing: vec![0; WRITE_SIZE],
            filled: 0,
        })
    }

    /// Until the program goes; `tell` is told what has been counted before an answer leaves.
    pub(crate) fn serve(&mut self, mut tell: impl FnMut(Counters, Option<String>)) -> Result<()> {
        loop {
            let suite = self.tls.negotiated_cipher_suite();
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut self.incoming[self.from..self.to]);
            let mut blocked = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.packets.take(record.payload)?;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    self.filled += data.encode(&mut self.outgoing[self.filled..])?;
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.socket.write_all(&self.outgoing[..self.filled])?;
                    self.filled = 0;
                    data.done();
                }
                ConnectionState::WriteTraffic(traffic) => {
                    if !self.packets.answers.is_empty() {
                        tell(self.packets.counters, suite.map(|suite| format!("{suite:?}")));
                        let size = encrypt(traffic, &self.packets.answers, &mut self.outgoing)?;
                        self.packets.answers.clear();
                        self.socket.write_all(&self.outgoing[..size])?;
                    }
                    blocked = true;
                }
                ConnectionState::BlockedHandshake => blocked = true,
                ConnectionState::PeerClosed | ConnectionState::Closed => return Ok(()),
                _ => return Err("no early data was offered".into()),
            }
            self.from += discard;
            if blocked && !self.read()? {
                return Ok(());
            }
        }
    }

    /// Reads behind what is left of the last record; false at the end.
    fn read(&mut self) -> Result<bool> {
        self.incoming.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let got = self.socket.read(&mut self.incoming[self.to..][..READ_SIZE])?;
        self.to += got;
        Ok(got > 0)
    }
}

fn encrypt<Data>(
    mut traffic: WriteTraffic<'_, Data>,
    plain: &[u8],
    outgoing: &mut [u8],
) -> Result<usize> {
    traffic.encrypt(plain, outgoing).map_err(|error| format!("{error:?}").into())
}
