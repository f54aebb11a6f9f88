//! The transport against real sockets. What a server does is written out in each test; nothing
//! waits for time to pass.

mod material;
mod tcp;
mod tls;

use std::{future::poll_fn, io, io::IoSlice, net::SocketAddr};

use bytes::BytesMut;
use tokio::net::TcpListener;

use super::{ConnectOptions, Endpoint, Stream, connect};

/// A listener on a free port, and its endpoint under the name `localhost` or as an address.
async fn listen(scheme: &str, host: &str) -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let endpoint = endpoint(scheme, host, listener.local_addr().unwrap());
    (listener, endpoint)
}

fn endpoint(scheme: &str, host: &str, address: SocketAddr) -> Endpoint {
    let mut endpoint = Endpoint::parse(&format!("{scheme}://{host}")).unwrap();
    endpoint.set_port(address.port()).unwrap();
    endpoint
}

/// Reads once, into as much space as asked for.
async fn read(stream: &mut Stream, space: usize) -> io::Result<Vec<u8>> {
    let mut buffer = BytesMut::with_capacity(space);
    let count = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await?;
    assert_eq!(count, buffer.len());
    Ok(buffer.to_vec())
}

/// Writes everything, as several slices, and flushes.
async fn write(stream: &mut Stream, parts: &[&[u8]]) -> io::Result<()> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let count = poll_fn(|cx| stream.poll_write(cx, &slices)).await?;
    assert_eq!(count, parts.iter().map(|part| part.len()).sum::<usize>());
    poll_fn(|cx| stream.poll_flush(cx)).await
}
