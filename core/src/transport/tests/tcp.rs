//! Name lookup and bare TCP.

use std::{
    future::{Future, poll_fn},
    io::{Read, Write},
    pin::pin,
    task::{Context, Waker},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    error::{Code, Error, Layer},
    transport::stream_error,
};

/// A connection and the server's end of it.
async fn pair() -> (Stream, tokio::net::TcpStream) {
    let (listener, endpoint) = listen("mqtt", "127.0.0.1").await;
    let options = ConnectOptions::default();
    let (stream, accepted) = tokio::join!(connect(&endpoint, &options), listener.accept());
    (stream.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let (mut stream, mut server) = pair().await;
    assert_eq!(stream.peer(), Some(server.local_addr().unwrap()));

    write(&mut stream, &[b"one ", b"", b"two"]).await.unwrap();
    let mut received = [0; 7];
    server.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"one two");

    server.write_all(b"answer").await.unwrap();
    assert_eq!(read(&mut stream, 64).await.unwrap(), b"answer");

    stream.direct().unwrap().try_write(b"direct").unwrap();
    server.read_exact(&mut received[..6]).await.unwrap();
    assert_eq!(&received[..6], b"direct");

    poll_fn(|cx| stream.poll_shutdown(cx)).await.unwrap();
    assert_eq!(server.read(&mut received).await.unwrap(), 0);
    server.write_all(b"still").await.unwrap();
    assert_eq!(read(&mut stream, 64).await.unwrap(), b"still");
    drop(server);
    assert_eq!(read(&mut stream, 64).await.unwrap(), b"", "the end of the stream");
    assert_eq!(read(&mut stream, 64).await.unwrap(), b"", "and it stays the end");
}

#[tokio::test]
async fn a_read_takes_no_more_than_there_is_space_for() {
    let (mut stream, mut server) = pair().await;
    server.write_all(b"0123456789").await.unwrap();
    let mut buffer = BytesMut::with_capacity(4);
    let space = buffer.capacity();
    let count = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await.unwrap();
    assert!(count <= space && buffer.capacity() == space, "{count} of {space}");
    let mut rest = buffer.to_vec();
    while rest.len() < 10 {
        rest.extend(read(&mut stream, 4).await.unwrap());
    }
    assert_eq!(rest, b"0123456789");
}

/// After a short read the socket counts as drained. Every later byte must wake the task again,
/// however reads and arrivals interleave: the second byte of each answer comes at a moment that
/// sweeps over the reading of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_is_overslept_after_a_short_read() {
    const ROUNDS: usize = 2000;
    let (mut stream, server) = pair().await;
    let mut server = server.into_std().unwrap();
    server.set_nonblocking(false).unwrap();
    server.set_nodelay(true).unwrap();
    let answering = std::thread::spawn(move || {
        let mut byte = [0];
        for round in 0..ROUNDS {
            server.read_exact(&mut byte).unwrap();
            server.write_all(&byte).unwrap();
            (0..20 * (round % 500)).for_each(|_| std::hint::spin_loop());
            server.write_all(&byte).unwrap();
        }
    });
    tokio::spawn(async move {
        for _ in 0..ROUNDS {
            write(&mut stream, &[b"x"]).await.unwrap();
            let mut missing = 2;
            while missing > 0 {
                missing -= read(&mut stream, 64).await.unwrap().len();
            }
        }
    })
    .await
    .unwrap();
    answering.join().unwrap();
}

#[tokio::test]
async fn the_name_localhost_is_resolved() {
    let (listener, endpoint) = listen("mqtt", "localhost").await;
    let options = ConnectOptions::default();
    let (stream, _accepted) = tokio::join!(connect(&endpoint, &options), listener.accept());
    assert_eq!(stream.unwrap().peer(), Some(listener.local_addr().unwrap()));
    assert_eq!(options.progress.stage(), Layer::Tcp);
}

#[tokio::test]
async fn nobody_listens() {
    // Bound and not listening: the port is ours, and every connection to it is refused.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&SockAddr::from(any)).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let error = connect_fails(&endpoint("mqtt", "127.0.0.1", address)).await;
    assert_eq!((error.code(), error.layer()), (Code::ConnectionRefused, Layer::Tcp));
    assert!(error.message().contains(&format!("{address} refused")), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    // The domain is reserved for names that do not exist (RFC 2606). On a machine without any
    // name server the resolver can only say that it could not ask.
    let error = connect_fails(&Endpoint::parse("nothing.invalid").unwrap()).await;
    assert_eq!(error.layer(), Layer::NameLookup);
    assert!(matches!(error.code(), Code::NameNotFound | Code::NameLookupFailed), "{error:?}");
    assert!(error.message().contains("nothing.invalid"), "{error}");
}

#[tokio::test]
async fn a_connection_that_has_just_begun_stands_at_the_name_lookup() {
    let endpoint = Endpoint::parse("localhost").unwrap();
    let options = ConnectOptions::default();
    let mut attempt = pin!(connect(&endpoint, &options));
    assert!(attempt.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let error = options.progress.timeout_error(std::time::Duration::from_secs(1));
    assert_eq!(error.code(), Code::NameTimeout);
}

#[tokio::test]
async fn the_future_of_a_connection_is_small() {
    let endpoint = Endpoint::parse("localhost").unwrap();
    let options = ConnectOptions::default();
    assert!(size_of_val(&connect(&endpoint, &options)) <= 64);
    assert!(size_of::<Stream>() <= 16);
}

#[tokio::test]
async fn a_reset_has_its_own_error_and_means_refusal_before_the_answer() {
    let (mut stream, server) = pair().await;
    socket2::SockRef::from(&server).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(server);
    let reset = read(&mut stream, 64).await.unwrap_err();
    assert_eq!(stream_error(&reset, Layer::Connack).code(), Code::ClosedBeforeConnack);
    assert_eq!(stream_error(&reset, Layer::Broker).code(), Code::ConnectionReset);
    let write = loop {
        match poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(b"x")])).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(stream_error(&write, Layer::Broker).code(), Code::ConnectionClosed);
}

#[test]
fn every_kind_of_stream_failure_has_a_code() {
    use io::ErrorKind as Kind;
    for (kind, code) in [
        (Kind::UnexpectedEof, Code::ConnectionClosed),
        (Kind::BrokenPipe, Code::ConnectionClosed),
        (Kind::ConnectionReset, Code::ConnectionReset),
        (Kind::ConnectionAborted, Code::ConnectionReset),
        (Kind::TimedOut, Code::ConnectionReset),
        (Kind::HostUnreachable, Code::Unreachable),
        (Kind::OutOfMemory, Code::Io),
    ] {
        let error = stream_error(&kind.into(), Layer::Protocol);
        assert_eq!(error.code(), code, "{kind:?}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

async fn connect_fails(endpoint: &Endpoint) -> Error {
    connect(endpoint, &ConnectOptions::default()).await.expect_err("nothing is there")
}
