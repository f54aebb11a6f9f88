//! One connection of the scripted broker: what the session at its other end sends, and what it
//! gets.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::ServerConfig;

use crate::{
    seen::Seen,
    stream::{Stream, wait_until_gone},
    trace::Trace,
    wire,
    word::quote,
};

/// A connection, driven by the test.
///
/// Every method that expects something panics with the trace of both sides if something else
/// comes, or nothing before the deadline. Dropping it closes the connection.
pub struct Peer {
    stream: Stream,
    number: usize,
    level: u8,
    received: Vec<u8>,
    /// Sent, and not yet a whole packet in the trace.
    sent: Vec<u8>,
    trace: Trace,
    deadline: Duration,
}

/// Reading and speaking: the failures are sentences, for a test to panic with and for a script to
/// report.
impl Peer {
    pub(crate) fn new(
        stream: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        number: usize,
        trace: Trace,
        deadline: Duration,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(deadline))?;
        let stream = Stream::new(stream, tls)?;
        trace.note(number, "connected");
        let (received, sent) = (Vec::new(), Vec::new());
        Ok(Self { stream, number, level: 4, received, sent, trace, deadline })
    }

    /// The next packet; nothing where the connection was closed.
    pub(crate) fn try_receive(&mut self) -> Result<Option<Seen>, String> {
        let end = Instant::now() + self.deadline;
        loop {
            let decoded = Seen::decode(&self.received, self.level);
            if let Some((seen, taken)) = decoded.map_err(|malformed| {
                let bytes = quote(&self.received[..self.received.len().min(80)]);
                format!("{malformed}: {bytes}")
            })? {
                self.received.drain(..taken);
                if let Seen::Connect(connect) = &seen {
                    self.level = connect.level;
                }
                self.trace.note(self.number, format_args!("client: {seen}"));
                return Ok(Some(seen));
            }
            if !self.fill(end)? {
                self.trace.note(self.number, "client: closed");
                return match self.received.len() {
                    0 => Ok(None),
                    left => Err(format!("closed {left} bytes into a packet")),
                };
            }
        }
    }

    /// Reads what there is; false where the connection was closed.
    fn fill(&mut self, end: Instant) -> Result<bool, String> {
        let late = || format!("nothing came within {:?}", self.deadline);
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        let left = left.ok_or_else(late)?;
        self.stream.socket().set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(true),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(late()),
                // Reset, a TLS alert, TLS without its goodbye: the session has gone.
                _ => {
                    self.trace.note(self.number, format_args!("client: {error}"));
                    Ok(false)
                }
            },
        }
    }

    /// Sends bytes as they are, whatever they are.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.sent.extend_from_slice(bytes);
        loop {
            match Seen::decode(&self.sent, self.level) {
                Ok(Some((seen, taken))) => {
                    self.trace.note(self.number, format_args!("broker: {seen}"));
                    self.sent.drain(..taken);
                }
                Ok(None) => break,
                Err(_) => {
                    let bytes = std::mem::take(&mut self.sent);
                    let bytes = quote(&bytes);
                    self.trace.note(self.number, format_args!("broker: bytes {bytes}"));
                }
            }
        }
        if !self.sent.is_empty() {
            let count = self.sent.len();
            self.trace.note(self.number, format_args!("broker: {count} bytes of a packet"));
        }
        self.stream.write_all(bytes).map_err(|error| format!("cannot send: {error}"))
    }

    /// Sends the answer that an obliging broker gives, if there is one: a CONNECT is let in, every
    /// subscription granted, every message acknowledged.
    pub(crate) fn try_answer(&mut self, seen: &Seen) -> Result<(), String> {
        let answer = match seen {
            Seen::Connect(_) => self.connack_bytes(false, 0),
            Seen::Publish(publish) if publish.qos == 1 => wire::puback(publish.id),
            Seen::Publish(publish) if publish.qos == 2 => wire::pubrec(publish.id),
            Seen::Pubrec(pubrec) => wire::pubrel(pubrec.id),
            Seen::Pubrel(pubrel) => wire::pubcomp(pubrel.id),
            Seen::Subscribe(subscribe) => {
                let granted: Vec<u8> = subscribe.filters.iter().map(|filter| filter.qos).collect();
                self.suback_bytes(subscribe.id, &granted)
            }
            Seen::Unsubscribe(unsubscribe) => {
                self.unsuback_bytes(unsubscribe.id, &vec![0; unsubscribe.filters.len()])
            }
            Seen::Pingreq => wire::pingresp(),
            _ => return Ok(()),
        };
        self.try_send(&answer)
    }

    /// The protocol level of the CONNECT; 4 before there was one.
    pub fn level(&self) -> u8 {
        self.level
    }

    fn connack_bytes(&self, session_present: bool, reason: u8) -> Vec<u8> {
        match self.level {
            5 => wire::v5::connack(session_present, reason, &[]),
            _ => wire::connack(session_present, reason),
        }
    }

    fn suback_bytes(&self, id: u16, reasons: &[u8]) -> Vec<u8> {
        match self.level {
            5 => wire::v5::suback(id, &[], reasons),
            _ => wire::suback(id, reasons),
        }
    }

    fn unsuback_bytes(&self, id: u16, reasons: &[u8]) -> Vec<u8> {
        match self.level {
            5 => wire::v5::unsuback(id, &[], reasons),
            _ => wire::unsuback(id),
        }
    }

    /// Says goodbye and reads up to the session's own end: closing a socket with something unread
    /// sends a reset, which would overtake what was sent.
    pub(crate) fn try_close(mut self) -> Result<(), String> {
        self.trace.note(self.number, "broker: closes");
        self.stream.finish();
        let end = Instant::now() + self.deadline;
        loop {
            self.received.clear();
            match self.fill(end) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(late) => return Err(format!("the session does not close its side: {late}")),
            }
        }
    }

    /// Reads nothing and sends nothing until the session is gone.
    pub(crate) fn try_stall(&mut self) -> Result<(), String> {
        self.trace.note(self.number, "broker: stalls");
        match wait_until_gone(self.stream.socket(), self.deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("still connected after {:?}", self.deadline)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What a test tells the broker to do.
impl Peer {
    /// Sends bytes, mostly from [`wire`]; several packets at once, or a part of one.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|reason| self.fail(&reason));
    }

    /// Sends a CONNACK without properties in the form of the session's level.
    #[track_caller]
    pub fn connack(&mut self, session_present: bool, reason: u8) {
        self.send(&self.connack_bytes(session_present, reason));
    }

    /// Sends a PUBLISH without properties in the form of the session's level.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, qos: u8, id: u16, payload: impl AsRef<[u8]>) {
        self.send(&match self.level {
            5 => wire::v5::publish(topic, qos, id, &[], payload),
            _ => wire::publish(topic, qos, id, payload),
        });
    }

    /// Sends a SUBACK without properties in the form of the session's level.
    #[track_caller]
    pub fn suback(&mut self, id: u16, reasons: &[u8]) {
        self.send(&self.suback_bytes(id, reasons));
    }

    /// Sends an UNSUBACK without properties in the form of the session's level.
    #[track_caller]
    pub fn unsuback(&mut self, id: u16, reasons: &[u8]) {
        self.send(&self.unsuback_bytes(id, reasons));
    }

    /// Sends the answer that an obliging broker gives to a packet, if there is one.
    #[track_caller]
    pub fn answer(&mut self, seen: &Seen) {
        self.try_answer(seen).unwrap_or_else(|reason| self.fail(&reason));
    }

    /// Reads nothing and sends nothing until the session has gone.
    #[track_caller]
    pub fn stall(mut self) {
        self.try_stall().unwrap_or_else(|reason| self.fail(&reason));
    }

    /// Ends the connection in good order, without a packet, and waits until the session has closed
    /// its side too. (Dropping the peer closes at once, and may lose what was just sent.)
    #[track_caller]
    pub fn close(self) {
        let (number, trace) = (self.number, self.trace.clone());
        self.try_close().unwrap_or_else(|reason| failed(number, &trace, &reason));
    }

    /// Ends the connection with a reset, as a broker does that crashes.
    pub fn reset(self) {
        self.trace.note(self.number, "broker: resets");
        // Without it the connection still ends, only more politely.
        let _ = self.stream.reset_on_drop();
    }

    #[track_caller]
    pub(crate) fn fail(&self, reason: &str) -> ! {
        failed(self.number, &self.trace, reason)
    }
}

#[track_caller]
fn failed(number: usize, trace: &Trace, reason: &str) -> ! {
    panic!("connection {number}: {reason}\n\n{trace}")
}
