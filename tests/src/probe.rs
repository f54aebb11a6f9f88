//! Looks for a free port, and asks whether an MQTT broker answers.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::{DEADLINE, seen::Seen, wire};

/// A port of 127.0.0.1 that is free now; until it is bound, somebody else may take it.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of 127.0.0.1");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Connects to a port of 127.0.0.1, sends a CONNECT of 3.1.1 and returns the code of the CONNACK;
/// nothing where something else happens.
pub fn connack(port: u16) -> Option<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).ok()?;
    socket.write_all(&wire::connect(4, "probe", true)).ok()?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).ok()?;
    match Seen::decode(&answer, 4) {
        Ok(Some((Seen::Connack(connack), _))) => {
            // A broker that is already gone again was there all the same.
            let _ = socket.write_all(&wire::disconnect());
            Some(connack.reason)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::ScriptedBroker;

    #[test]
    fn only_an_mqtt_broker_answers() {
        let broker = ScriptedBroker::start();
        let port = broker.port();
        std::thread::scope(|scope| {
            let probe = scope.spawn(|| connack(port));
            let mut peer = broker.accept();
            peer.expect_connect();
            peer.connack(false, 5);
            assert_eq!(probe.join().unwrap(), Some(5));

            let probe = scope.spawn(|| connack(port));
            broker.accept().send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            assert_eq!(probe.join().unwrap(), None);
        });
        assert_eq!(connack(broker.refuse()), None);
    }
}
