//! Where the next attempt to connect goes: the address of the options, or the server that a broker
//! names (MQTT 5.0, section 4.13).

use std::collections::VecDeque;

use super::options::Shareable;
use crate::{
    error::{Code, Error},
    protocol::ReasonCode,
    transport::{Endpoint, TlsOptions},
};

/// The most servers of one list that are tried: between them there is no pause, and whoever writes
/// such a list decides what is knocked at.
const MOST: usize = 8;

/// The servers of a session.
pub(super) struct Servers<'o> {
    /// The address of the options.
    given: &'o Endpoint,
    /// Where attempts go when no broker has said otherwise.
    home: Endpoint,
    /// Servers that a broker has named and that have not been tried yet.
    named: VecDeque<Endpoint>,
    /// Where the last attempt went.
    tried: Endpoint,
    /// The broker that named them has moved for good.
    moved: bool,
    /// How many times in a row brokers have been followed.
    hops: u32,
    limit: u32,
}

impl<'o> Servers<'o> {
    pub(super) fn new(given: &'o Endpoint, limit: u32) -> Self {
        let (home, tried) = (given.clone(), given.clone());
        Self { given, home, named: VecDeque::new(), tried, moved: false, hops: 0, limit }
    }

    /// Whether the next attempt goes to a server that a broker has named.
    pub(super) fn is_redirected(&self) -> bool {
        !self.named.is_empty()
    }

    /// Where the next attempt goes, and with which TLS options. A server that was named is tried
    /// once: whatever comes after that goes home again, unless that is where home now is.
    pub(super) fn next(
        &mut self,
        tls: &Shareable<TlsOptions>,
    ) -> (Endpoint, Shareable<TlsOptions>) {
        let endpoint = self.named.pop_front().unwrap_or_else(|| {
            self.moved = false;
            self.home.clone()
        });
        self.tried.clone_from(&endpoint);
        let mut tls = tls.clone();
        if endpoint.host() != self.given.host() && tls.server_name.is_some() {
            // That name was meant for the server of the options; another one has to prove its own.
            tls.server_name = None;
        }
        (endpoint, tls)
    }

    /// The server of the last attempt has accepted the session: the others are not needed, and
    /// whoever moved lives there now. Not before, or a wrong address would be for good, too.
    pub(super) fn accepted(&mut self) {
        self.named.clear();
        if std::mem::take(&mut self.moved) {
            self.home.clone_from(&self.tried);
        }
    }

    /// A connection has lasted: who is sent on from here on is not being sent in circles.
    pub(super) fn settled(&mut self) {
        self.hops = 0;
    }

    /// Follows a broker that sends the session to another server; where to. Nothing when it does not
    /// say where, or the session does not follow (any more).
    pub(super) fn follow(&mut self, error: &Error) -> Option<String> {
        if error.code() != Code::ServerMoved || self.hops >= self.limit {
            return None;
        }
        let reference = error.server_reference()?;
        let named = reference.split_ascii_whitespace().filter_map(|one| self.server(one));
        self.named = named.take(MOST).collect();
        let first = self.named.front()?;
        self.moved = error.reason_code() == Some(ReasonCode::ServerMoved.as_u8());
        self.hops += 1;
        Some(first.to_string())
    }

    /// A server as a broker names it: `host` or `host:port`. Whether TLS is spoken is the program's
    /// decision alone.
    fn server(&self, named: &str) -> Option<Endpoint> {
        if named.contains("://") {
            return None;
        }
        let mut server = Endpoint::parse(named).ok()?;
        if !server.has_port() {
            server.set_port(self.home.port()).ok()?;
        }
        server.set_tls(self.home.tls());
        Some(server)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn moved(reason: ReasonCode, reference: Option<&str>) -> Error {
        Error::from(Code::ServerMoved)
            .with_reason(reason.as_u8(), None)
            .with_server_reference(reference)
    }

    static GIVEN: LazyLock<Endpoint> =
        LazyLock::new(|| Endpoint::parse("mqtts://home:7000").unwrap());

    fn servers(limit: u32) -> Servers<'static> {
        Servers::new(&GIVEN, limit)
    }

    fn next(servers: &mut Servers<'_>) -> String {
        servers.next(&Shareable::default()).0.to_string()
    }

    #[test]
    fn another_server_is_for_once_and_a_new_one_for_good() {
        for (reason, then) in [
            (ReasonCode::UseAnotherServer, "mqtts://home:7000"),
            (ReasonCode::ServerMoved, "mqtts://other:7000"),
        ] {
            let mut servers = servers(1);
            let to = servers.follow(&moved(reason, Some("other")));
            assert_eq!(to.as_deref(), Some("mqtts://other:7000"));
            assert_eq!(next(&mut servers), "mqtts://other:7000");
            servers.accepted();
            assert_eq!(next(&mut servers), then);
        }
    }

    #[test]
    fn a_new_address_at_which_nobody_answers_is_forgotten() {
        let mut servers = servers(1);
        servers.follow(&moved(ReasonCode::ServerMoved, Some("wrong"))).unwrap();
        let tried = [next(&mut servers), next(&mut servers)];
        assert_eq!(tried, ["mqtts://wrong:7000", "mqtts://home:7000"]);
        servers.accepted();
        assert_eq!(next(&mut servers), "mqtts://home:7000");
    }

    #[test]
    fn the_first_of_a_list_that_accepts_is_the_last_that_is_tried() {
        let mut servers = servers(1);
        servers.follow(&moved(ReasonCode::ServerMoved, Some("one two three"))).unwrap();
        next(&mut servers);
        let two = next(&mut servers);
        servers.accepted();
        assert!(!servers.is_redirected());
        assert_eq!(next(&mut servers), two);
    }

    #[test]
    fn the_servers_of_a_list_are_tried_in_its_order() {
        let mut servers = servers(1);
        let list = "one:1 [::1]:2 10.0.0.3 tcp://plain:4 user@five:5 :6 seven:x";
        servers.follow(&moved(ReasonCode::UseAnotherServer, Some(list))).unwrap();
        let tried: Vec<_> = (0..4).map(|_| next(&mut servers)).collect();
        let usable =
            ["mqtts://one:1", "mqtts://[::1]:2", "mqtts://10.0.0.3:7000", "mqtts://home:7000"];
        assert_eq!(tried, usable, "and TLS is never given up");
    }

    #[test]
    fn a_list_without_end_is_tried_only_at_its_beginning() {
        let mut servers = servers(1);
        let list: Vec<String> = (1..=9999).map(|port| format!("victim:{port}")).collect();
        servers.follow(&moved(ReasonCode::UseAnotherServer, Some(&list.join(" ")))).unwrap();
        let mut tried = 0;
        while servers.is_redirected() {
            next(&mut servers);
            tried += 1;
        }
        assert_eq!(tried, MOST);
    }

    #[test]
    fn it_is_followed_so_many_times_until_a_connection_lasts() {
        let mut servers = servers(2);
        let error = moved(ReasonCode::UseAnotherServer, Some("other"));
        assert!(servers.follow(&error).is_some());
        assert!(servers.follow(&error).is_some());
        assert!(servers.follow(&error).is_none());
        servers.settled();
        assert!(servers.follow(&error).is_some());
    }

    #[test]
    fn nobody_is_followed_who_does_not_say_where() {
        let mut servers = servers(9);
        for reference in [None, Some(""), Some("tcp://plain:4")] {
            assert!(servers.follow(&moved(ReasonCode::ServerMoved, reference)).is_none());
        }
        assert!(servers.follow(&Code::NotAuthorized.into()).is_none());
        assert_eq!(next(&mut servers), "mqtts://home:7000");
    }

    #[test]
    fn the_name_that_the_options_expect_is_not_expected_of_another_server() {
        let mut tls = Shareable::<TlsOptions>::default();
        tls.server_name = Some("expected".to_owned());
        let mut servers = servers(1);
        assert_eq!(servers.next(&tls).1.server_name.as_deref(), Some("expected"));
        servers.follow(&moved(ReasonCode::ServerMoved, Some("other"))).unwrap();
        assert_eq!(servers.next(&tls).1.server_name, None);
    }
}
