//! A proxy between a session and a real broker: it writes down every packet, and cuts connections.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use crate::{DEADLINE, seen::Seen};

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The session.
    Session,
    /// The broker.
    Broker,
}

/// A packet that was passed on, or cut off: then it is the last of its connection.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Who sent it.
    pub from: Side,
    /// The packet.
    pub seen: Seen,
}

/// A proxy on a free port of 127.0.0.1. Dropping it ends its connections.
///
/// A packet is written down before it is passed on. So whatever one side sends in answer to a
/// packet stands behind it, and counting packets in flight never counts too many.
pub struct Tap {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    broker: u16,
    level: u8,
    state: Mutex<State>,
    changed: Condvar,
}

/// Looks at each packet of a connection, and says at which it is cut.
pub type Cut = Box<dyn FnMut(&Passed) -> bool + Send>;

#[derive(Default)]
struct State {
    passed: Vec<Passed>,
    sockets: Vec<TcpStream>,
    /// Connections so far.
    connections: usize,
    /// What ends each of the first connections.
    cuts: Vec<Cut>,
    /// Whether new connections are hung up on.
    shut: bool,
    ended: bool,
}

impl Tap {
    /// Listens, for sessions that speak MQTT of this level (3, 4 or 5) to a broker on this port.
    ///
    /// # Panics
    /// There is no free port.
    pub fn start(broker: u16, level: u8) -> Self {
        Self::start_cutting(broker, level, Vec::new())
    }

    /// As [`start`](Self::start), and cuts the first connection before the packet at which the first
    /// of `cuts` says so, the second one by the second, and so on; connections behind the last stay.
    ///
    /// # Panics
    /// There is no free port.
    pub fn start_cutting(broker: u16, level: u8, cuts: Vec<Cut>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of 127.0.0.1");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state = Mutex::new(State { cuts, ..State::default() });
        let shared = Arc::new(Shared { broker, level, state, changed: Condvar::new() });
        let accepting = shared.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if accepting.lock().ended {
                    return;
                }
                accepting.connect(socket);
            }
        });
        Self { port, shared }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        self.shared.lock().cut();
    }

    /// Cuts every open connection, and hangs up on new ones until it is opened again.
    pub fn shut(&self) {
        let mut state = self.shared.lock();
        state.shut = true;
        state.cut();
    }

    /// Ends what [`shut`](Self::shut) began.
    pub fn open(&self) {
        self.shared.lock().shut = false;
    }

    /// How many connections there have been, without those that were hung up on.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until `wanted` finds in all packets so far what it looks for; nothing at the deadline.
    pub fn wait_for<T>(&self, mut wanted: impl FnMut(&[Passed]) -> Option<T>) -> Option<T> {
        let end = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = wanted(&state.passed) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All packets so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.shared.lock().passed.clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.cut();
        drop(state);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn cut(&mut self) {
        for socket in self.sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects a session with the broker; where that fails the session is hung up on.
    fn connect(self: &Arc<Self>, session: TcpStream) {
        let Ok(broker) = TcpStream::connect(("127.0.0.1", self.broker)) else { return };
        let Ok(pair) = session.try_clone().and_then(|session| Ok((session, broker.try_clone()?)))
        else {
            return;
        };
        for socket in [&session, &broker] {
            let _ = socket.set_nodelay(true);
        }
        let mut state = self.lock();
        if state.shut {
            return;
        }
        for socket in [&session, &broker] {
            state.sockets.extend(socket.try_clone());
        }
        let connection = state.connections;
        state.connections += 1;
        drop(state);
        let (there, back) = (self.clone(), self.clone());
        thread::spawn(move || there.pump(connection, Side::Session, session, pair.1));
        thread::spawn(move || back.pump(connection, Side::Broker, broker, pair.0));
    }

    /// Passes on what one side sends, packet by packet, until the connection ends or is cut.
    fn pump(&self, connection: usize, from: Side, mut source: TcpStream, mut target: TcpStream) {
        let mut bytes = vec![0; 64 << 10];
        let mut unread = Vec::new();
        while let Ok(count @ 1..) = source.read(&mut bytes) {
            unread.extend_from_slice(&bytes[..count]);
            let (whole, cut) = self.note(connection, from, &unread);
            if target.write_all(&unread[..whole]).is_err() || cut {
                break;
            }
            unread.drain(..whole);
        }
        let _ = source.shutdown(Shutdown::Both);
        let _ = target.shutdown(Shutdown::Both);
        // Whoever waits may wait for the end.
        self.changed.notify_all();
    }

    /// Writes down the packets that are complete. The result is how many bytes are to be passed on,
    /// and whether the connection is to be cut behind them. What is no packet passes unseen: what the
    /// session makes of it is the question.
    fn note(&self, connection: usize, from: Side, unread: &[u8]) -> (usize, bool) {
        let mut state = self.lock();
        let mut whole = 0;
        let cut = loop {
            match Seen::decode(&unread[whole..], self.level) {
                Ok(Some((seen, length))) => {
                    let packet = Passed { from, seen };
                    let cut = state.cuts.get_mut(connection).is_some_and(|cut| cut(&packet));
                    state.passed.push(packet);
                    if cut {
                        break true;
                    }
                    whole += length;
                }
                Ok(None) => break false,
                Err(_) => {
                    whole = unread.len();
                    break false;
                }
            }
        };
        self.changed.notify_all();
        (whole, cut)
    }
}

/// Cuts a connection before the packet with this number, counted from 1 over both sides.
pub fn at_packet(number: usize) -> Cut {
    let mut left = number;
    Box::new(move |_| {
        left = left.saturating_sub(1);
        left == 0
    })
}

/// The most messages of QoS 1 and 2 that one side had sent and the other not confirmed, on one
/// connection, as MQTT 5.0 counts them against a receive maximum.
pub fn most_in_flight(passed: &[Passed], sender: Side) -> usize {
    let mut open = BTreeSet::new();
    let mut most = 0;
    for Passed { from, seen } in passed {
        match seen {
            Seen::Connect(_) => open.clear(),
            Seen::Publish(publish) if *from == sender && publish.qos > 0 => {
                open.insert(publish.id);
            }
            Seen::Puback(done) | Seen::Pubcomp(done) if *from != sender => {
                open.remove(&done.id);
            }
            Seen::Pubrec(refused) if *from != sender && refused.reason >= 0x80 => {
                open.remove(&refused.id);
            }
            _ => {}
        }
        most = most.max(open.len());
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scripted::{Peer, ScriptedBroker},
        seen::{Acknowledgement, Publish},
        wire,
    };

    /// A broker that accepts one client through the tap, and that client's socket.
    fn through(tap: &Tap, broker: &ScriptedBroker) -> (TcpStream, Peer) {
        let mut socket = TcpStream::connect(("127.0.0.1", tap.port())).unwrap();
        socket.write_all(&wire::connect(4, "tapped", true)).unwrap();
        let mut peer = broker.accept();
        peer.expect_connect();
        peer.connack(false, 0);
        let mut connack = [0; 4];
        socket.read_exact(&mut connack).unwrap();
        (socket, peer)
    }

    #[test]
    fn every_packet_passes_and_is_written_down_in_order() {
        let broker = ScriptedBroker::start();
        let tap = Tap::start(broker.port(), 4);
        let (mut socket, mut peer) = through(&tap, &broker);
        // In two pieces: a packet is one wherever its bytes are cut.
        socket.write_all(&[0xC0]).unwrap();
        socket.write_all(&[0x00]).unwrap();
        assert_eq!(peer.receive(), Seen::Pingreq);
        let seen = tap.wait_for(|passed| (passed.len() == 3).then(|| passed.to_vec())).unwrap();
        assert_eq!(
            seen.iter().map(|passed| passed.from).collect::<Vec<_>>(),
            [Side::Session, Side::Broker, Side::Session],
        );
        assert!(matches!(seen[1].seen, Seen::Connack(_)));
        tap.cut();
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "the connection should be cut");
    }

    #[test]
    fn connections_are_cut_before_a_packet_and_the_rest_stay() {
        let broker = ScriptedBroker::start();
        let pong: Cut = Box::new(|packet| packet.seen == Seen::Pingresp);
        let tap = Tap::start_cutting(broker.port(), 4, vec![pong, at_packet(3)]);
        let (mut socket, mut peer) = through(&tap, &broker);
        socket.write_all(&[0xC0, 0x00]).unwrap();
        assert_eq!(peer.receive(), Seen::Pingreq);
        peer.send(&[0xD0, 0x00]);
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "the answer should be cut off");
        let (mut socket, mut peer) = through(&tap, &broker);
        socket.write_all(&[0xC0, 0x00]).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "the ping should be cut off");
        peer.expect_closed();
        let (mut socket, mut peer) = through(&tap, &broker);
        for _ in 0..5 {
            socket.write_all(&[0xC0, 0x00]).unwrap();
            assert_eq!(peer.receive(), Seen::Pingreq);
        }
        assert_eq!(tap.connections(), 3);
    }

    #[test]
    fn nobody_gets_through_while_it_is_shut() {
        let broker = ScriptedBroker::start();
        let tap = Tap::start(broker.port(), 4);
        let (mut first, mut peer) = through(&tap, &broker);
        tap.shut();
        assert_eq!(first.read(&mut [0]).unwrap_or(0), 0, "the connection should be cut");
        peer.expect_closed();
        let mut second = TcpStream::connect(("127.0.0.1", tap.port())).unwrap();
        assert_eq!(second.read(&mut [0]).unwrap_or(0), 0, "it should be hung up on");
        broker.accept().expect_closed();
        tap.open();
        through(&tap, &broker);
        assert_eq!(tap.connections(), 2);
    }

    #[test]
    fn in_flight_is_what_has_not_been_confirmed() {
        let message = |id, qos| {
            let (dup, retain) = (false, false);
            let (topic, payload) = ("t".to_owned(), Vec::new());
            let properties = Default::default();
            let publish = Publish { dup, qos, retain, topic, id, properties, payload };
            Passed { from: Side::Broker, seen: Seen::Publish(publish) }
        };
        let answer = |id, reason| {
            let properties = Default::default();
            Acknowledgement { id, reason, dup: false, properties, length: 2 }
        };
        let session = |seen| Passed { from: Side::Session, seen };
        let mut passed = vec![message(1, 1), message(2, 2), message(0, 0)];
        assert_eq!(most_in_flight(&passed, Side::Broker), 2);
        // Of QoS 2, neither PUBREC nor the own PUBREL ends it; a refusal does.
        passed.extend([session(Seen::Pubrec(answer(2, 0))), message(3, 1)]);
        assert_eq!(most_in_flight(&passed, Side::Broker), 3);
        passed.extend([session(Seen::Puback(answer(1, 0))), session(Seen::Pubcomp(answer(2, 0)))]);
        passed.extend([message(4, 2), session(Seen::Pubrec(answer(4, 0x97))), message(5, 1)]);
        assert_eq!(most_in_flight(&passed, Side::Broker), 3);
        assert_eq!(most_in_flight(&passed, Side::Session), 0);
    }
}
