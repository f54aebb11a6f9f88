//! Byte streams to a broker: TCP, and TLS on top of it. Nothing here knows MQTT.
//!
//! [`connect`] goes the whole way (name, TCP, TLS) and gives a [`Stream`]. A further kind of
//! stream is a further variant of [`Stream`] and a further step of [`connect`].

mod endpoint;
mod progress;
mod race;
mod socket;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    future::Future,
    io::{self, IoSlice},
    net::Shutdown,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio_rustls::client::TlsStream;

pub use self::tls::Material;
pub(crate) use self::{
    endpoint::Endpoint,
    progress::Progress,
    socket::Socket,
    tls::{Roots, TlsConfig, TlsOptions},
};
use crate::error::{Code, Error, Layer, Result};

/// How [`connect`] shall connect.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions {
    /// Certificates and names, from [`TlsOptions::build`]; an endpoint with TLS needs it.
    pub(crate) tls: Option<Arc<TlsConfig>>,
    /// The silence after which TCP asks the peer's system whether it still is there; `None` leaves
    /// the system's default, which is never.
    pub(crate) tcp_keep_alive: Option<Duration>,
    /// How long sent bytes may stay without TCP's acknowledgement before the connection counts as
    /// dead (Linux and Android; elsewhere without effect); `None` leaves the system's default,
    /// which is about a quarter of an hour.
    pub(crate) tcp_user_timeout: Option<Duration>,
    /// Kept up to date while connecting.
    pub(crate) progress: Progress,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            tls: None,
            // As long as MQTT's usual keep alive: a shorter time would wake devices for nothing.
            tcp_keep_alive: Some(Duration::from_secs(60)),
            tcp_user_timeout: Some(Duration::from_secs(60)),
            progress: Progress::default(),
        }
    }
}

/// Connects: looks the name up (afresh each time), races its addresses, and shakes hands over TLS
/// where the endpoint says so.
///
/// It sets itself no deadline. Whoever wraps one round it asks [`Progress::timeout_error`] for the
/// error. Dropping the future abandons the attempt.
///
/// # Errors
///
/// Of the layers name lookup, TCP and TLS; [`Code::InvalidOption`] when the endpoint wants TLS and
/// the options have none.
pub(crate) async fn connect(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Stream> {
    // A session that is connected must not carry the space for this in its driver, nor one without
    // TLS, while a thousand of them connect, that for a handshake.
    Box::pin(async move {
        options.progress.begin(endpoint.authority());
        let tls = match (endpoint.tls(), &options.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls),
            (true, None) => {
                let sentence = format!("{endpoint} wants TLS, and no TLS options were given");
                return Err(Error::new(Code::InvalidOption, sentence));
            }
        };
        let tcp = tcp::connect(endpoint, options).await?;
        let Some(tls) = tls else {
            return Ok(Stream::Tcp(Arc::new(tcp)));
        };
        options.progress.enter(Layer::Tls);
        let stream = Box::pin(tls::connect(tls, endpoint.host(), tcp)).await?;
        Ok(Stream::Tls(Box::new(stream)))
    })
    .await
}

/// A connection. One task reads and writes it; only [`direct`](Self::direct) is for others.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Bare TCP, shared so that any thread can write without waiting for the task.
    Tcp(Arc<Socket>),
    /// TLS over TCP.
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    /// Reads what is there into the spare capacity of `buffer`, which must have some, and never
    /// more than that. `Ready(Ok(0))` is the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        debug_assert!(buffer.capacity() > buffer.len(), "a read without space looks like the end");
        match self {
            Self::Tcp(stream) => poll_read_tcp(stream, cx, buffer),
            // The future holds nothing between two polls, so a new one each time is right.
            Self::Tls(stream) => pin!(stream.read_buf(buffer)).poll(cx),
        }
    }

    /// Writes from several slices, over TCP in one system call; returns how many bytes it took.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    /// Ready when everything that was taken has been handed to the system: TLS buffers.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Says that nothing more will be written: close_notify over TLS, then FIN. Reading goes on.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Poll::Ready(SockRef::from(&***stream).shutdown(Shutdown::Write)),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// The socket for a non-blocking write from another thread, where the stream is a bare one.
    /// Who writes must see to it that the task does not write at the same time.
    pub(crate) fn direct(&self) -> Option<Arc<Socket>> {
        match self {
            Self::Tcp(stream) => Some(Arc::clone(stream)),
            Self::Tls(_) => None,
        }
    }

    /// The address at the other end, as long as the socket is connected.
    #[cfg(test)]
    pub(crate) fn peer(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Tls(stream) => stream.get_ref().0.peer_addr().ok(),
        }
    }
}

fn poll_read_tcp(
    stream: &Socket,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let space = buffer.capacity() - buffer.len();
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let mut read = 0;
        // The outer `try_io` remembers the readiness from before the read. When its closure says
        // "would block" it clears that one, and no newer one: an event between the two is kept.
        let outcome = stream.try_io(Interest::READABLE, || {
            read = stream.try_read_buf(buffer)?;
            // A short read has drained the socket: on edge-triggered systems the next bytes bring
            // a new event, and one vain system call in two is saved. (The end of the stream stays
            // ready for ever.) tokio does the same for a stream that is not shared.
            let drained = DRAINED_BY_SHORT_READ && 0 < read && read < space;
            if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && read == 0 => {}
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Poll::Ready(Err(error));
            }
            _ => return Poll::Ready(Ok(read)),
        }
    }
}

/// The error for what a read or write of a connected stream reports.
///
/// `stage` is where the session stands: with [`Layer::Connack`] (CONNECT sent, no answer yet) a
/// connection that breaks is an answer too. Under TLS 1.3 a server's refusal of the client's
/// certificate arrives only here.
pub(crate) fn stream_error(error: &io::Error, stage: Layer) -> Error {
    use io::ErrorKind as Kind;
    if let Some(tls) = tls::error::cause(error) {
        return tls::error::explain(tls, None);
    }
    let code = match error.kind() {
        Kind::UnexpectedEof | Kind::BrokenPipe | Kind::WriteZero | Kind::NotConnected => {
            Code::ConnectionClosed
        }
        Kind::ConnectionReset | Kind::ConnectionAborted => Code::ConnectionReset,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Code::Unreachable,
        Kind::TimedOut => {
            let sentence = "The other side no longer answers, not even at the level of TCP; check \
                            the network in between";
            return Error::new(Code::ConnectionReset, sentence).with_source(copy(error));
        }
        _ => {
            let sentence = format!("The operating system ended the connection: {error}");
            return Error::new(Code::Io, sentence).with_source(copy(error));
        }
    };
    // Whether a server that closes at once is seen as an end or as a reset is a matter of
    // microseconds; what it means is the same.
    let ended = matches!(code, Code::ConnectionClosed | Code::ConnectionReset);
    let code = if ended && stage == Layer::Connack { Code::ClosedBeforeConnack } else { code };
    Error::from(code).with_source(copy(error))
}

/// An owned cause: `io::Error` cannot be cloned.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Whether the system reports readiness by edges (epoll, kqueue), so that after a short read it
/// will tell of the next byte.
const DRAINED_BY_SHORT_READ: bool = cfg!(any(
    target_os = "android",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "linux",
    target_os = "macos",
    target_os = "netbsd",
    target_os = "openbsd",
));
