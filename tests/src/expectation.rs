//! What a test tells the scripted broker to expect.

use crate::{
    peer::Peer,
    seen::{self, Seen},
    wire,
};

/// Expectations. Each panics, with the trace of both sides, where something else comes.
impl Peer {
    /// The next packet, whatever it is.
    #[track_caller]
    pub fn receive(&mut self) -> Seen {
        match self.try_receive() {
            Ok(Some(seen)) => seen,
            Ok(None) => self.fail("the session closed the connection"),
            Err(reason) => self.fail(&reason),
        }
    }

    /// The next packet, which `wanted` has to accept; `what` says in words what that is.
    #[track_caller]
    pub fn expect(&mut self, what: &str, wanted: impl FnOnce(&Seen) -> bool) -> Seen {
        let seen = self.receive();
        match wanted(&seen) {
            true => seen,
            false => self.fail(&format!("expected {what}, got {seen}")),
        }
    }

    /// The next packet, of which `pick` takes what it wants.
    #[track_caller]
    fn take<T>(&mut self, what: &str, pick: impl FnOnce(&Seen) -> Option<T>) -> T {
        let seen = self.receive();
        pick(&seen).unwrap_or_else(|| self.fail(&format!("expected {what}, got {seen}")))
    }

    /// A CONNECT.
    #[track_caller]
    pub fn expect_connect(&mut self) -> seen::Connect {
        self.take("CONNECT", |seen| match seen {
            Seen::Connect(connect) => Some(connect.clone()),
            _ => None,
        })
    }

    /// A PUBLISH.
    #[track_caller]
    pub fn expect_publish(&mut self) -> seen::Publish {
        self.take("PUBLISH", |seen| match seen {
            Seen::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
    }

    /// The PUBACK of this packet id.
    #[track_caller]
    pub fn expect_puback(&mut self, id: u16) -> seen::Acknowledgement {
        self.acknowledgement("PUBACK", id)
    }

    /// The PUBREC of this packet id.
    #[track_caller]
    pub fn expect_pubrec(&mut self, id: u16) -> seen::Acknowledgement {
        self.acknowledgement("PUBREC", id)
    }

    /// The PUBREL of this packet id.
    #[track_caller]
    pub fn expect_pubrel(&mut self, id: u16) -> seen::Acknowledgement {
        self.acknowledgement("PUBREL", id)
    }

    /// The PUBCOMP of this packet id.
    #[track_caller]
    pub fn expect_pubcomp(&mut self, id: u16) -> seen::Acknowledgement {
        self.acknowledgement("PUBCOMP", id)
    }

    #[track_caller]
    fn acknowledgement(&mut self, name: &str, id: u16) -> seen::Acknowledgement {
        self.take(&format!("{name} id={id}"), |seen| match seen {
            Seen::Puback(it) | Seen::Pubrec(it) | Seen::Pubrel(it) | Seen::Pubcomp(it) => {
                (seen.name() == name && it.id == id).then(|| it.clone())
            }
            _ => None,
        })
    }

    /// A SUBSCRIBE.
    #[track_caller]
    pub fn expect_subscribe(&mut self) -> seen::Subscribe {
        self.take("SUBSCRIBE", |seen| match seen {
            Seen::Subscribe(subscribe) => Some(subscribe.clone()),
            _ => None,
        })
    }

    /// An UNSUBSCRIBE.
    #[track_caller]
    pub fn expect_unsubscribe(&mut self) -> seen::Unsubscribe {
        self.take("UNSUBSCRIBE", |seen| match seen {
            Seen::Unsubscribe(unsubscribe) => Some(unsubscribe.clone()),
            _ => None,
        })
    }

    /// A PINGREQ.
    #[track_caller]
    pub fn expect_ping(&mut self) {
        self.expect("PINGREQ", |seen| *seen == Seen::Pingreq);
    }

    /// A DISCONNECT.
    #[track_caller]
    pub fn expect_disconnect(&mut self) -> seen::Disconnect {
        self.take("DISCONNECT", |seen| match seen {
            Seen::Disconnect(disconnect) => Some(disconnect.clone()),
            _ => None,
        })
    }

    /// An AUTH.
    #[track_caller]
    pub fn expect_auth(&mut self) -> seen::Auth {
        self.take("AUTH", |seen| match seen {
            Seen::Auth(auth) => Some(auth.clone()),
            _ => None,
        })
    }

    /// The end of the connection, by the session and without another packet.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        match self.try_receive() {
            Ok(None) => {}
            Ok(Some(seen)) => self.fail(&format!("expected the connection's end, got {seen}")),
            Err(reason) => self.fail(&reason),
        }
    }

    /// Answers nothing and reads on until the session closes the connection; returns what it sent.
    #[track_caller]
    pub fn silence(&mut self) -> Vec<Seen> {
        let mut ignored = Vec::new();
        loop {
            match self.try_receive() {
                Ok(Some(seen)) => ignored.push(seen),
                Ok(None) => return ignored,
                Err(reason) => self.fail(&reason),
            }
        }
    }

    /// A subscription to exactly this filter, granted with the QoS that it asks for.
    #[track_caller]
    pub fn accept_subscription(&mut self, filter: &str) -> seen::Subscribe {
        let subscribe = self.expect_subscribe();
        if !matches!(&subscribe.filters[..], [only] if only.filter == filter) {
            self.fail(&format!("expected SUBSCRIBE filter={filter} alone"));
        }
        self.answer(&Seen::Subscribe(subscribe.clone()));
        subscribe
    }

    /// A CONNECT, answered with success and no session present.
    #[track_caller]
    pub fn accept_session(&mut self) -> seen::Connect {
        let connect = self.expect_connect();
        self.connack(false, 0);
        connect
    }

    /// Proves that nothing more was sent: gives the session something that it must answer at once,
    /// and returns what came before the answer.
    ///
    /// It is a PUBREL for a packet id that was never used, 65535. It concerns protocol answers and
    /// what was published; a handler that is still running may acknowledge later.
    #[track_caller]
    pub fn fence(&mut self) -> Vec<Seen> {
        const ID: u16 = 65_535;
        self.send(&wire::pubrel(ID));
        let mut before = Vec::new();
        loop {
            match self.receive() {
                Seen::Pubcomp(pubcomp) if pubcomp.id == ID => return before,
                other => before.push(other),
            }
        }
    }

    /// Answers like an obliging broker until a packet comes that `last` accepts, and answers that
    /// too. Returns all of them.
    #[track_caller]
    pub fn serve_until(&mut self, mut last: impl FnMut(&Seen) -> bool) -> Vec<Seen> {
        let mut served = Vec::new();
        loop {
            let seen = self.receive();
            self.answer(&seen);
            let done = last(&seen);
            served.push(seen);
            if done {
                return served;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        panic::{AssertUnwindSafe, catch_unwind},
    };

    use super::*;
    use crate::scripted::ScriptedBroker;

    /// A connection whose client has said all this at once.
    fn connected(client: &[Vec<u8>]) -> (ScriptedBroker, Peer, TcpStream) {
        let broker = ScriptedBroker::start();
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        socket.write_all(&client.concat()).unwrap();
        let peer = broker.accept();
        (broker, peer, socket)
    }

    fn failure(action: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(action)).expect_err("it should have panicked");
        *panic.downcast::<String>().expect("a panic with a formatted message")
    }

    #[test]
    fn a_failure_shows_what_both_sides_said() {
        let (_broker, mut peer, _socket) =
            connected(&[wire::connect(5, "me", true), wire::v5::puback(7, 0x10, &[])]);
        assert_eq!(peer.accept_session().client_id, "me");
        let message = failure(|| drop(peer.expect_publish()));
        let wanted = [
            "connection 1: expected PUBLISH, got PUBACK id=7 reason=0x10",
            "#1 connected",
            "#1 client: CONNECT level=5 client-id=me clean=1 keep-alive=60",
            "#1 broker: CONNACK session-present=0 reason=0x00",
            "#1 client: PUBACK id=7 reason=0x10",
        ];
        for line in wanted {
            assert!(message.contains(line), "{message:?} should contain {line:?}");
        }
    }

    #[test]
    fn what_is_sent_in_pieces_or_is_no_packet_is_shown_too() {
        let (broker, mut peer, mut socket) = connected(&[]);
        let publish = wire::publish("a", 0, 0, "x");
        peer.send(&publish[..3]);
        peer.send(&publish[3..]);
        peer.send(b"\xFFnonsense");
        std::thread::scope(|scope| {
            scope.spawn(|| peer.close());
            let mut received = Vec::new();
            socket.read_to_end(&mut received).unwrap();
            assert_eq!(received, [&publish[..], b"\xFFnonsense"].concat());
            drop(socket);
        });
        let trace = broker.trace().to_string();
        for line in [
            "broker: 3 bytes of a packet",
            "broker: PUBLISH topic=a qos=0 payload=x",
            "broker: closes",
        ] {
            assert!(trace.contains(line), "{trace:?} should contain {line:?}");
        }
    }

    #[test]
    fn the_fence_returns_what_was_sent_before_it() {
        let (_broker, mut peer, mut socket) = connected(&[wire::pingreq(), wire::pubcomp(1)]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut pubrel = [0; 4];
                socket.read_exact(&mut pubrel).unwrap();
                assert_eq!(pubrel, *wire::pubrel(65_535));
                socket.write_all(&wire::pubcomp(65_535)).unwrap();
            });
            let before: Vec<_> = peer.fence().iter().map(ToString::to_string).collect();
            assert_eq!(before, ["PINGREQ", "PUBCOMP id=1"]);
        });
    }

    #[test]
    fn an_end_is_told_from_a_packet_and_from_half_a_packet() {
        let (_broker, mut peer, socket) = connected(&[]);
        drop(socket);
        peer.expect_closed();

        let (_broker, mut peer, _socket) = connected(&[wire::pingreq()]);
        let message = failure(|| peer.expect_closed());
        assert!(message.contains("expected the connection's end, got PINGREQ"), "{message}");

        let (_broker, mut peer, socket) = connected(&[vec![0xC0]]);
        drop(socket);
        let message = failure(|| peer.expect_closed());
        assert!(message.contains("closed 1 bytes into a packet"), "{message}");

        let (_broker, mut peer, socket) = connected(&[]);
        drop(socket);
        let message = failure(|| peer.expect_ping());
        assert!(message.contains("the session closed the connection"), "{message}");
    }

    #[test]
    fn closing_loses_nothing_although_something_was_left_unread() {
        let (_broker, mut peer, mut socket) = connected(&[wire::connect(4, "", true)]);
        peer.send(&wire::connack(false, 2));
        std::thread::scope(|scope| {
            scope.spawn(|| peer.close());
            let mut received = Vec::new();
            socket.read_to_end(&mut received).unwrap();
            assert_eq!(received, wire::connack(false, 2));
            drop(socket);
        });
    }

    #[test]
    fn a_reset_is_a_reset() {
        let (_broker, peer, mut socket) = connected(&[wire::pingreq()]);
        peer.reset();
        let error = socket.read(&mut [0; 1]).expect_err("the connection should be reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn silence_takes_what_comes_until_the_session_goes() {
        let (_broker, mut peer, socket) = connected(&[wire::pingreq(), wire::disconnect()]);
        drop(socket);
        let names: Vec<_> = peer.silence().iter().map(Seen::name).collect();
        assert_eq!(names, ["PINGREQ", "DISCONNECT"]);
    }

    #[test]
    fn stalling_leaves_everything_unread_until_the_session_goes() {
        let (broker, peer, socket) = connected(&[wire::pingreq()]);
        drop(socket);
        peer.stall();
        assert!(!broker.trace().to_string().contains("PINGREQ"), "{}", broker.trace());
    }

    #[test]
    fn serving_returns_everything_up_to_the_last() {
        let (_broker, mut peer, mut socket) = connected(&[
            wire::connect(4, "", true),
            wire::publish("a", 1, 5, ""),
            wire::disconnect(),
        ]);
        let served = peer.serve_until(|seen| matches!(seen, Seen::Disconnect(_)));
        assert_eq!(
            served.iter().map(Seen::name).collect::<Vec<_>>(),
            ["CONNECT", "PUBLISH", "DISCONNECT"]
        );
        drop(peer);
        let mut received = Vec::new();
        socket.read_to_end(&mut received).unwrap();
        assert_eq!(received, [wire::connack(false, 0), wire::puback(5)].concat());
    }
}
