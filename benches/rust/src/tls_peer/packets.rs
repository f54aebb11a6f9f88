//! As much of MQTT as a stream of publishes needs.

use measure::Result;

/// PUBLISH packets that have arrived whole, by their quality of service.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) publish: [u64; 3],
}

impl Counters {
    pub(crate) fn plus(self, more: Self) -> Self {
        let [a, b] = [self.publish, more.publish];
        Self { publish: [a[0] + b[0], a[1] + b[1], a[2] + b[2]] }
    }
}

/// What a packet is, as far as it matters here.
#[derive(Clone, Copy)]
enum Kind {
    Connect { version: u8 },
    Publish { qos: u8, id: [u8; 2] },
    Ping,
    Disconnect,
}

/// Cuts packets off a stream that comes in pieces.
#[derive(Default)]
pub(crate) struct Reader {
    /// The start of a packet that could not be understood yet.
    partial: Vec<u8>,
    /// What is still to come of a packet that has been understood.
    open: Option<(Kind, usize)>,
    pub(crate) counters: Counters,
    /// What is to be sent back.
    pub(crate) answers: Vec<u8>,
}

impl Reader {
    pub(crate) fn take(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() {
            if let Some((kind, left)) = self.open {
                let skipped = left.min(piece.len());
                piece = &piece[skipped..];
                self.advance(kind, left - skipped);
            } else if self.partial.is_empty() {
                match parse(piece)? {
                    Some((kind, head, rest)) => {
                        piece = &piece[head..];
                        self.advance(kind, rest);
                    }
                    None => {
                        self.partial.extend_from_slice(piece);
                        return Ok(());
                    }
                }
            } else {
                self.partial.push(piece[0]);
                piece = &piece[1..];
                if let Some((kind, _, rest)) = parse(&self.partial)? {
                    self.partial.clear();
                    self.advance(kind, rest);
                }
            }
        }
        Ok(())
    }

    /// So much of the packet is still to come.
    fn advance(&mut self, kind: Kind, left: usize) {
        self.open = (left > 0).then_some((kind, left));
        if left > 0 {
            return;
        }
        match kind {
            Kind::Connect { version: 5 } => self.answers.extend([0x20, 3, 0, 0, 0]),
            Kind::Connect { .. } => self.answers.extend([0x20, 2, 0, 0]),
            Kind::Publish { qos, id } => {
                self.counters.publish[usize::from(qos)] += 1;
                if qos == 1 {
                    self.answers.extend([0x40, 2, id[0], id[1]]);
                }
            }
            Kind::Ping => self.answers.extend([0xd0, 0]),
            Kind::Disconnect => {}
        }
    }
}

/// The kind of the packet, the size of what was looked at, and of what follows; nothing while there is
/// too little to say.
fn parse(bytes: &[u8]) -> Result<Option<(Kind, usize, usize)>> {
    let mut size = 0;
    for at in 1..bytes.len().min(5) {
        size |= usize::from(bytes[at] & 0x7f) << (7 * (at - 1));
        if bytes[at] < 0x80 {
            let body = &bytes[at + 1..];
            let kind = match (bytes[0] >> 4, bytes[0] >> 1 & 3) {
                // The version stands behind the protocol's name.
                (1, _) => field(body, 6, 1).map(|level| (Kind::Connect { version: level[0] }, 7)),
                (3, qos @ 0..=1) => publish(body, qos),
                (12, _) => Some((Kind::Ping, 0)),
                (14, _) => Some((Kind::Disconnect, 0)),
                _ => return Err("nothing that a publisher sends at QoS 0 and 1".into()),
            };
            let Some((kind, head)) = kind else { return Ok(None) };
            let rest = size.checked_sub(head).ok_or("a packet is too short for its kind")?;
            return Ok(Some((kind, at + 1 + head, rest)));
        }
    }
    if bytes.len() < 5 { Ok(None) } else { Err("a length of more than four octets".into()) }
}

/// A PUBLISH, and the octets before its properties or its payload.
fn publish(body: &[u8], qos: u8) -> Option<(Kind, usize)> {
    let topic = field(body, 0, 2)?;
    let topic = 2 + usize::from(u16::from_be_bytes([topic[0], topic[1]]));
    if qos == 0 {
        return (body.len() >= topic).then_some((Kind::Publish { qos, id: [0; 2] }, topic));
    }
    let id = field(body, topic, 2)?;
    Some((Kind::Publish { qos, id: [id[0], id[1]] }, topic + 2))
}

fn field(body: &[u8], at: usize, size: usize) -> Option<&[u8]> {
    body.get(at..at + size)
}
