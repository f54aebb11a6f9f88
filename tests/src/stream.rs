//! A connection's bytes, plain or through TLS.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A TCP connection, or TLS over one. The handshake happens in the first read or write.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    pub(crate) fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        Ok(match tls {
            None => Self::Plain(socket),
            Some(tls) => {
                let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
                Self::Tls(Box::new(StreamOwned::new(connection, socket)))
            }
        })
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Makes dropping it end the connection with a reset.
    pub(crate) fn reset_on_drop(&self) -> io::Result<()> {
        socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Waits for the other side's end without reading what lies before it.
#[cfg(target_os = "linux")]
pub(crate) fn wait_until_gone(socket: &TcpStream, deadline: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec::try_from(deadline).map_err(io::Error::other)?;
    let mut sockets = [PollFd::new(socket, PollFlags::RDHUP)];
    Ok(poll(&mut sockets, Some(&timeout))? > 0)
}

/// Elsewhere the end can only be seen by reading up to it; the session notices the difference only
/// where it sends more than the system's buffers hold.
#[cfg(not(target_os = "linux"))]
pub(crate) fn wait_until_gone(mut socket: &TcpStream, deadline: Duration) -> io::Result<bool> {
    socket.set_read_timeout(Some(deadline))?;
    match io::copy(&mut socket, &mut io::sink()) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Ok(false)
        }
        _ => Ok(true),
    }
}
