//! From a host name to a connected socket.

use std::{io, net::SocketAddr, time::Duration};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::{
    ConnectOptions, Endpoint, Socket,
    race::{interleave, race},
};
use crate::error::{Code, Error, Layer, Result};

/// Asks the system for the host's addresses, races them and sets the socket up.
pub(super) async fn connect(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Socket> {
    let progress = &options.progress;
    let addresses = resolve(endpoint).await?;
    progress.enter(Layer::Tcp);
    let stream = race(interleave(addresses), |address| async move {
        progress.trying(address);
        let result = connect_one(address).await;
        match &result {
            Ok(_) => progress.connected(address),
            Err(error) => progress.failed(address, error),
        }
        result
    })
    .await
    .map_err(|failures| connect_error(endpoint, failures))?;
    tune(&stream, options);
    Ok(stream.into())
}

/// What came back from one address, as the second half of a sentence.
pub(super) fn outcome(error: &io::Error) -> String {
    match code(error) {
        Code::ConnectionRefused => "refused the connection".to_owned(),
        Code::Unreachable => format!("cannot be reached ({error})"),
        Code::ConnectTimeout => "did not answer".to_owned(),
        Code::ConnectionReset => "broke the connection off".to_owned(),
        _ => format!("failed ({error})"),
    }
}

/// The addresses of the host at this moment: nothing is remembered, so that a reconnect follows a
/// broker that has moved.
async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = endpoint.host().parse() {
        return Ok(vec![SocketAddr::new(address, endpoint.port())]);
    }
    let host = endpoint.host().to_owned();
    // `getaddrinfo` blocks, and has no form that does not. It is asked directly, because std's
    // error does not tell a name that does not exist from a name server that does not answer.
    let lookup = tokio::task::spawn_blocking(move || {
        let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..Default::default() };
        let found = getaddrinfo(Some(&host), None, Some(hints))?;
        // An address of a family that we cannot use is no reason to do without the others.
        Ok(found.flatten().map(|one| one.sockaddr).collect::<Vec<_>>())
    });
    let found = match lookup.await {
        Ok(found) => found,
        Err(stopped) if stopped.is_cancelled() => {
            return Err(Error::from(Code::Cancelled).with_source(stopped));
        }
        // The resolver's text can be in a charset that its wrapper does not read.
        Err(panicked) => {
            let sentence = lookup_sentence(endpoint, "the system's resolver failed");
            return Err(Error::new(Code::NameLookupFailed, sentence).with_source(panicked));
        }
    };
    match found {
        Ok(addresses) if addresses.is_empty() => Err(not_found(endpoint)),
        Ok(mut addresses) => {
            addresses.iter_mut().for_each(|one| one.set_port(endpoint.port()));
            Ok(addresses)
        }
        Err(error) => Err(lookup_error(endpoint, error)),
    }
}

fn lookup_error(endpoint: &Endpoint, error: dns_lookup::LookupError) -> Error {
    let kind = error.kind();
    let source = io::Error::from(error);
    match kind {
        LookupErrorKind::NoName | LookupErrorKind::NoData => not_found(endpoint),
        LookupErrorKind::Again => Error::new(
            Code::NameLookupFailed,
            lookup_sentence(endpoint, "the name server could not be asked or has no answer now"),
        ),
        _ => Error::new(
            Code::NameLookupFailed,
            lookup_sentence(endpoint, &format!("the system's resolver says: {source}")),
        ),
    }
    .with_source(source)
}

fn not_found(endpoint: &Endpoint) -> Error {
    let sentence = format!(
        "The host name {} has no address; check its spelling and the name server",
        endpoint.host()
    );
    Error::new(Code::NameNotFound, sentence)
}

fn lookup_sentence(endpoint: &Endpoint, why: &str) -> String {
    format!(
        "The address of the host {} could not be looked up: {why}; check the network and the \
         name server",
        endpoint.host()
    )
}

async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A connection to a local port of the ephemeral range on which nobody listens can meet itself
    // (TCP's simultaneous open); a client that reconnects for hours does see it.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Sets the socket's options. One that the system refuses costs comfort, not the connection.
fn tune(stream: &TcpStream, options: &ConnectOptions) {
    let note = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            tracing::debug!(%error, "the system does not take {what}");
        }
    };
    // The driver gathers what belongs together itself; Nagle's algorithm would only delay it.
    note("TCP_NODELAY", stream.set_nodelay(true));
    let socket = SockRef::from(stream);
    if let Some(idle) = options.tcp_keep_alive {
        note("keep-alive", socket.set_tcp_keepalive(&keep_alive(idle)));
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if options.tcp_user_timeout.is_some() {
        note("TCP_USER_TIMEOUT", socket.set_tcp_user_timeout(options.tcp_user_timeout));
    }
}

/// Probes after `idle`, and so often that a dead peer is found in twice that time.
fn keep_alive(idle: Duration) -> TcpKeepalive {
    // The systems count whole seconds.
    let idle = idle.max(Duration::from_secs(1));
    let probes = TcpKeepalive::new().with_time(idle);
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows"
    ))]
    let probes =
        probes.with_interval((idle / PROBES).max(Duration::from_secs(1))).with_retries(PROBES);
    probes
}

fn connect_error(endpoint: &Endpoint, mut failures: Vec<(SocketAddr, io::Error)>) -> Error {
    let list: Vec<String> =
        failures.iter().map(|(address, error)| format!("{address} {}", outcome(error))).collect();
    // One code for all: the one that tells most. An address that answered with a refusal says
    // more about the broker than one of a family that this machine has no route for.
    let best = failures
        .iter()
        .enumerate()
        .min_by_key(|(_, (_, error))| {
            TELLING.iter().position(|one| *one == code(error)).unwrap_or(TELLING.len())
        })
        .map(|(index, _)| index);
    let Some((_, source)) = best.map(|index| failures.swap_remove(index)) else {
        return not_found(endpoint);
    };
    let code = code(&source);
    let cure = match code {
        Code::ConnectionRefused => "check host and port, and that the broker runs",
        Code::Unreachable => "check the network and the firewall",
        Code::ConnectTimeout => "check host and port, and that no firewall drops the packets",
        _ => "the cause tells what the system reported",
    };
    let sentence =
        format!("No connection to {}: {}; {cure}", endpoint.authority(), list.join(", "));
    Error::new(code, sentence).with_source(source)
}

/// The code for what `connect` reports.
fn code(error: &io::Error) -> Code {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Code::ConnectionRefused,
        // A local firewall's rule answers with "not permitted".
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::PermissionDenied => Code::Unreachable,
        Kind::TimedOut => Code::ConnectTimeout,
        Kind::ConnectionReset | Kind::ConnectionAborted => Code::ConnectionReset,
        _ => Code::Io,
    }
}

/// The codes of failed attempts, the one that tells most about the broker first.
const TELLING: [Code; 5] = [
    Code::ConnectionRefused,
    Code::ConnectionReset,
    Code::ConnectTimeout,
    Code::Io,
    Code::Unreachable,
];

/// Unanswered probes until the system gives the connection up: one lost packet must not end it.
const PROBES: u32 = 4;
