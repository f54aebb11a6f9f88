//! Plays a [`Script`] with a [`ScriptedBroker`].

use std::collections::HashMap;

use crate::{
    encoding::same,
    script::{Action, Expectation, Script, Step},
    scripted::{Peer, ScriptedBroker},
    seen::Seen,
    word::quote,
};

/// Plays the script from its first line to its last.
///
/// # Errors
/// The line at which something else happened than the script says, and what that was.
pub fn play(script: &Script, broker: &ScriptedBroker) -> Result<(), String> {
    Player { broker, peer: None, variables: HashMap::new() }.steps(&script.steps)
}

struct Player<'a> {
    broker: &'a ScriptedBroker,
    peer: Option<Peer>,
    variables: HashMap<&'static str, Vec<u8>>,
}

impl Player<'_> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        steps.iter().try_for_each(|step| match &step.action {
            // A failure inside has the number of its own line.
            Action::Repeat { count, steps } => (1..=*count).try_for_each(|n| {
                self.variables.insert("n", n.to_string().into());
                self.steps(steps)
            }),
            action => self.act(action).map_err(|reason| format!("line {}: {reason}", step.line)),
        })
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Accept => {
                drop(self.peer.take());
                self.peer = Some(self.broker.try_accept()?);
            }
            Action::Expect(expectation) => {
                let seen = self.next()?.ok_or("the session closed the connection")?;
                self.compare(expectation, &seen)?;
                self.remember(&seen);
            }
            Action::ExpectClosed => {
                if let Some(seen) = self.next()? {
                    return Err(format!("expected the connection's end, got {seen}"));
                }
                self.peer = None;
            }
            Action::Send(packet) => {
                let packet = packet.map(|value| self.expand(value));
                let peer = self.peer()?;
                peer.try_send(&packet.encode(peer.level())?)?;
            }
            Action::SendBytes(bytes) => self.peer()?.try_send(bytes)?,
            Action::Serve { until } => loop {
                let seen = self.next()?.ok_or("the session closed the connection")?;
                self.peer()?.try_answer(&seen)?;
                if self.compare(until, &seen).is_ok() {
                    self.remember(&seen);
                    break;
                }
            },
            Action::Silence => {
                while self.next()?.is_some() {}
                self.peer = None;
            }
            Action::Stall => {
                self.peer()?.try_stall()?;
                self.peer = None;
            }
            Action::Close => self.taken()?.try_close()?,
            Action::Reset => self.taken()?.reset(),
            Action::Repeat { .. } => unreachable!("steps() takes them apart"),
        }
        Ok(())
    }

    fn peer(&mut self) -> Result<&mut Peer, String> {
        self.peer.as_mut().ok_or_else(|| "there is no connection: accept one first".into())
    }

    fn taken(&mut self) -> Result<Peer, String> {
        self.peer()?;
        Ok(self.peer.take().expect("peer() has just found it"))
    }

    fn next(&mut self) -> Result<Option<Seen>, String> {
        self.peer()?.try_receive()
    }

    /// The k-th mention of a field means the k-th field of that name; one that a packet does not
    /// have is as good as 0.
    fn compare(&self, expectation: &Expectation, seen: &Seen) -> Result<(), String> {
        let unlike = |what: String| Err(format!("expected {what}, got {seen}"));
        if seen.name() != expectation.name {
            return unlike(expectation.name.to_owned());
        }
        let fields = seen.fields();
        for (index, (name, value)) in expectation.fields.iter().enumerate() {
            let wanted = self.expand(value);
            let mentioned = expectation.fields[..index].iter().filter(|field| field.0 == *name);
            let mut found = fields.iter().filter(|field| field.name == *name);
            let found = found.nth(mentioned.count()).map_or(&b"0"[..], |field| &field.value);
            if !same(&wanted, found) {
                return unlike(format!("{} {name}={}", seen.name(), quote(&wanted)));
            }
        }
        Ok(())
    }

    fn remember(&mut self, seen: &Seen) {
        for field in seen.fields() {
            if let Some(name) = VARIABLES.into_iter().find(|name| field.name == *name) {
                self.variables.insert(name, field.value);
            }
        }
    }

    /// Puts values in the place of `$name`. A `$` before anything else stays, as in `$share`.
    fn expand(&self, value: &[u8]) -> Vec<u8> {
        let mut expanded = Vec::with_capacity(value.len());
        let mut rest = value;
        while let Some((first, behind)) = rest.split_first() {
            if *first == b'$' {
                let length = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let (name, after) = behind.split_at(length);
                let known = self.variables.iter().find(|variable| variable.0.as_bytes() == name);
                if let Some((_, value)) = known {
                    expanded.extend_from_slice(value);
                    rest = after;
                    continue;
                }
            }
            expanded.push(*first);
            rest = behind;
        }
        expanded
    }
}

/// The fields that are kept for `$name`.
const VARIABLES: [&str; 4] = ["id", "topic", "qos", "payload"];

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpStream},
        time::Duration,
    };

    use super::*;
    use crate::{trace::Trace, wire};

    /// Plays a script against a client that sends all it has to say at once; returns how the
    /// script ended and what the client was sent.
    fn played(script: &str, client: &[Vec<u8>]) -> (Result<(), String>, Vec<u8>) {
        let script = Script::parse(script).unwrap();
        let broker = ScriptedBroker::start_with(None, Trace::default(), Duration::from_secs(10));
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        socket.write_all(&client.concat()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let ended = play(&script, &broker);
        drop(broker);
        let mut received = Vec::new();
        // A reset is an end as good as another.
        let _ = socket.read_to_end(&mut received);
        (ended, received)
    }

    fn scenario(name: &str) -> String {
        let path = format!("{}/scenarios/{name}.script", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[test]
    fn a_script_that_is_followed_ends_well() {
        for (level, granted) in [(4, wire::suback(9, &[1])), (5, wire::v5::suback(9, &[], &[1]))] {
            let (connack, subscribe, publish) = match level {
                4 => (
                    wire::connack(false, 0),
                    wire::subscribe(9, &[("a", 1)]),
                    wire::publish("a", 1, 1, "1 of a"),
                ),
                _ => (
                    wire::v5::connack(false, 0, &[]),
                    wire::v5::subscribe(9, &[], &[("a", 1)]),
                    wire::v5::publish("a", 1, 1, &[], "1 of a"),
                ),
            };
            let client =
                [wire::connect(level, "me", true), subscribe, wire::puback(1), wire::disconnect()];
            let (ended, received) = played(
                "accept\n expect CONNECT me clean=1\n send CONNACK 0 0\n expect SUBSCRIBE a 1\n \
                 send SUBACK $id 1\n repeat 1 {\n send PUBLISH a 1 $n \"$n of a\"\n }\n \
                 expect PUBACK 1 success\n expect DISCONNECT reason=0\n expect closed\n",
                &client,
            );
            assert_eq!(ended, Ok(()));
            assert_eq!(received, [connack, granted, publish].concat());
        }
    }

    #[test]
    fn a_script_that_is_not_followed_says_where_and_how() {
        let connect = || wire::connect(4, "me", true);
        for (script, client, reason) in [
            (
                "accept\nexpect CONNECT you",
                vec![connect()],
                "line 2: expected CONNECT client-id=you, got CONNECT",
            ),
            (
                "accept\nexpect PUBLISH",
                vec![wire::pingreq()],
                "line 2: expected PUBLISH, got PINGREQ",
            ),
            (
                "accept\nexpect closed",
                vec![wire::pingreq()],
                "line 2: expected the connection's end, got PINGREQ",
            ),
            (
                "accept\nrepeat 2 {\nexpect PINGREQ\n}",
                vec![wire::pingreq()],
                "line 3: the session closed the connection",
            ),
            ("accept\nexpect PINGREQ", vec![vec![0xC0]], "line 2: closed 1 bytes into a packet"),
            ("accept\nexpect PINGREQ", vec![vec![0xC1, 0]], "line 2: malformed: flags 0001"),
            ("expect PINGREQ", vec![], "line 1: there is no connection"),
            (
                "accept\nexpect CONNECT\nsend DISCONNECT 0",
                vec![connect()],
                "line 3: below 5.0 a broker sends no DISCONNECT",
            ),
            (
                "accept\nexpect CONNECT\nsend CONNACK 0 0 topic-alias-maximum=1",
                vec![connect()],
                "line 3: properties for a session below 5.0",
            ),
        ] {
            let said = played(script, &client).0.expect_err(script);
            assert!(said.starts_with(reason), "{said:?} should say {reason:?}");
        }
    }

    #[test]
    fn an_obliging_broker_answers_everything() {
        let client = [
            wire::connect(4, "me", true),
            wire::publish("a", 1, 1, ""),
            wire::publish("a", 2, 2, ""),
            wire::pubrel(2),
            wire::subscribe(3, &[("a", 2)]),
            wire::unsubscribe(4, &["a"]),
            wire::pingreq(),
            wire::disconnect(),
        ];
        let (ended, received) = played("accept\nserve until DISCONNECT\nexpect closed", &client);
        assert_eq!(ended, Ok(()));
        let answers = [
            wire::connack(false, 0),
            wire::puback(1),
            wire::pubrec(2),
            wire::pubcomp(2),
            wire::suback(3, &[2]),
            wire::unsuback(4),
            wire::pingresp(),
        ];
        assert_eq!(received, answers.concat());
    }

    #[test]
    fn a_reason_by_name_is_the_number_of_the_version() {
        for (level, answer) in
            [(4, wire::connack(false, 5)), (5, wire::v5::connack(false, 0x87, &[]))]
        {
            let connect = wire::connect(level, "me", true);
            let (ended, received) = played(&scenario("connect_refused_authorization"), &[connect]);
            assert_eq!((ended, received), (Ok(()), answer));
        }
    }

    #[test]
    fn every_scenario_can_be_read() {
        let directory = format!("{}/scenarios", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "script") {
                let text = std::fs::read_to_string(&path).unwrap();
                Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                count += 1;
            }
        }
        assert!(count >= 12, "only {count} scenarios");
    }
}
