//! Where a broker is: the address as people write it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use crate::error::{Code, Error, Result};

/// The address of a broker: host, port, and whether TLS is spoken there.
///
/// It is read from `mqtt://host`, `mqtts://host:port`, `tcp://…`, `ssl://…`, `host`, `host:port`,
/// `[::1]:1883` or `::1`, and prints as a URL that reads back to the same value. A port that is not
/// given follows from TLS: 1883 without, 8883 with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// Shared by the copies that a session has of it.
    host: Arc<str>,
    port: Option<u16>,
    tls: bool,
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidAddress`], with a sentence that names what is wrong. User name, password and
    /// whatever else stands outside scheme and host is never repeated in it.
    pub(crate) fn parse(address: &str) -> Result<Self> {
        // First of all, so that no later sentence can repeat a password.
        if address.contains('@') {
            return Err(invalid(
                "The address must not hold a user name or password; give them as options",
            ));
        }
        let (tls, rest) = match address.split_once("://") {
            Some((scheme, rest)) => (scheme_is_tls(scheme)?, rest),
            None => (false, address),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A lone slash is what software that normalises URLs adds to an empty path.
        if !matches!(&rest[end..], "" | "/") {
            return Err(invalid("The address must end after host and port; leave the path out"));
        }
        let (host, port) = split_port(&rest[..end])?;
        check_host(host)?;
        Ok(Self { host: host.into(), port: port.map(parse_port).transpose()?, tls })
    }

    /// The scheme in its usual spelling: `mqtt`, or `mqtts` for TLS.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "mqtts" } else { "mqtt" }
    }

    /// The host: a name, or an IP address without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port that was given, or else the usual one.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 8883 } else { 1883 })
    }

    /// Whether the port was given.
    pub(crate) fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// Whether TLS is spoken there.
    pub(crate) fn tls(&self) -> bool {
        self.tls
    }

    /// Replaces the host: a name or an IP address, nothing else.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidAddress`]; the endpoint is then unchanged.
    pub(crate) fn set_host(&mut self, host: &str) -> Result<()> {
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        check_host(host)?;
        self.host = host.into();
        Ok(())
    }

    /// Replaces the port, 1 to 65535.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidAddress`] for 0; the endpoint is then unchanged.
    pub(crate) fn set_port(&mut self, port: u16) -> Result<()> {
        if port == 0 {
            return Err(bad_port());
        }
        self.port = Some(port);
        Ok(())
    }

    /// Turns TLS on or off. A port that was not given follows.
    pub(crate) fn set_tls(&mut self, tls: bool) {
        self.tls = tls;
    }

    /// `host:port`, as it stands in error sentences.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port())
        } else {
            format!("{}:{}", self.host, self.port())
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl std::str::FromStr for Endpoint {
    type Err = Error;

    fn from_str(address: &str) -> Result<Self> {
        Self::parse(address)
    }
}

fn scheme_is_tls(scheme: &str) -> Result<bool> {
    match SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)) {
        Some(&(_, tls)) => Ok(tls),
        None if !scheme.is_empty() && scheme.bytes().all(is_scheme_byte) => Err(invalid(format!(
            "The address has the unknown scheme {scheme}://; known are {}",
            known_schemes()
        ))),
        None => Err(invalid(format!(
            "The address has no scheme before ://; known are {}",
            known_schemes()
        ))),
    }
}

/// Cuts `host:port` at the colon that separates the two, if there is one.
fn split_port(authority: &str) -> Result<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err(invalid(
                "The address opens a bracket and does not close it; write [::1]:1883",
            ));
        };
        if !is_ipv6(host) {
            return Err(invalid("The address has no IPv6 address in its brackets"));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(invalid(
                "The address goes on after its closing bracket; only a colon and a port may follow",
            )),
        };
    }
    if is_ipv6(authority) {
        return Ok((authority, None));
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((_, port)) if port.contains(':') => {
            Err(invalid("The address has several colons; write IPv6 as [::1]:1883"))
        }
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(text: &str) -> Result<u16> {
    // `u16::from_str` would take a sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad_port());
    }
    text.parse().ok().filter(|&port| port != 0).ok_or_else(bad_port)
}

fn check_host(host: &str) -> Result<()> {
    if host.is_empty() {
        return Err(invalid("The address has no host; write a name or an IP address"));
    }
    if host.len() > MAX_HOST_LENGTH {
        return Err(invalid("The host is longer than the 253 characters that a name can have"));
    }
    if is_ipv6(host) {
        return Ok(());
    }
    match host.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_')) {
        None => Ok(()),
        Some(c) if c.is_ascii() => {
            Err(invalid(format!("The host cannot hold the character {c:?}")))
        }
        Some(_) => Err(invalid(
            "The host has characters outside ASCII; write an international name in its xn-- form",
        )),
    }
}

/// An IPv6 address, perhaps with a zone (`fe80::1%eth0`), which the system's resolver understands.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "lo"));
    address.parse::<Ipv6Addr>().is_ok()
        && !zone.is_empty()
        && zone.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// The address that a host without a name is, its zone left out: certificates know no zones.
pub(super) fn literal_address(host: &str) -> Option<IpAddr> {
    host.split_once('%').map_or(host, |(address, _)| address).parse().ok()
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn known_schemes() -> String {
    SCHEMES.map(|(name, _)| format!("{name}://")).join(", ")
}

fn bad_port() -> Error {
    invalid("The port must be a number from 1 to 65535")
}

fn invalid(sentence: impl Into<String>) -> Error {
    Error::new(Code::InvalidAddress, sentence)
}

/// Each scheme, and whether it means TLS.
const SCHEMES: [(&str, bool); 4] =
    [("mqtt", false), ("mqtts", true), ("tcp", false), ("ssl", true)];

/// What fits into a DNS message (RFC 1035, 2.3.4: 255 bytes with the lengths of first and last
/// label).
const MAX_HOST_LENGTH: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, host, port, tls) in [
            ("localhost", "localhost", 1883, false),
            ("localhost:1884", "localhost", 1884, false),
            ("mqtt://broker.example", "broker.example", 1883, false),
            ("mqtt://broker.example/", "broker.example", 1883, false),
            ("MQTTS://Broker.Example", "Broker.Example", 8883, true),
            ("mqtts://h:443", "h", 443, true),
            ("tcp://h:1", "h", 1, false),
            ("ssl://h:65535", "h", 65535, true),
            ("my_broker.local.", "my_broker.local.", 1883, false),
            ("192.0.2.7:1885", "192.0.2.7", 1885, false),
            ("::1", "::1", 1883, false),
            ("[::1]", "::1", 1883, false),
            ("[::1]:1884", "::1", 1884, false),
            ("mqtts://[2001:db8::7]", "2001:db8::7", 8883, true),
            ("fe80::1%eth0", "fe80::1%eth0", 1883, false),
            ("[fe80::1%2]:1884", "fe80::1%2", 1884, false),
        ] {
            let endpoint = Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (endpoint.host(), endpoint.port(), endpoint.tls()),
                (host, port, tls),
                "{text}"
            );
            let again = Endpoint::parse(&endpoint.to_string()).unwrap();
            assert_eq!((again.host(), again.port(), again.tls()), (host, port, tls), "{endpoint}");
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        let long = "a".repeat(254);
        for (text, says) in [
            ("", "no host"),
            ("mqtt://", "no host"),
            (":1883", "no host"),
            ("://h", "no scheme"),
            ("http://h", "http://; known are mqtt://, mqtts://, tcp://, ssl://"),
            ("h:", "1 to 65535"),
            ("h:0", "1 to 65535"),
            ("h:65536", "1 to 65535"),
            ("h:+1", "1 to 65535"),
            ("h:port", "1 to 65535"),
            ("mqtt://h/path", "path"),
            ("mqtt://h?x", "path"),
            ("mqtt://h:1883#x", "path"),
            ("1:2:3", "IPv6"),
            ("[::1", "bracket"),
            ("[::1]1883", "closing bracket"),
            ("[localhost]:1883", "no IPv6"),
            ("fe80::1%", "several colons"),
            ("a b", "' '"),
            ("host\n", "'\\n'"),
            ("h\0", "'\\0'"),
            ("bücher.example", "xn--"),
            (&long, "253"),
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert_eq!(error.code(), Code::InvalidAddress, "{text}");
            assert!(error.message().contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_never_repeated() {
        for text in [
            "mqtt://anna:hunter2@broker",
            "mqtt://broker:hunter2",
            "mqtt://broker/hunter2",
            "mqtt://broker?password=hunter2",
            "anna:hunter2@broker",
            "anna:hunter2@x://broker",
            "mqtt://a:hunter2:b",
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn the_parts_can_be_set_one_by_one() {
        let mut endpoint = Endpoint::parse("h").unwrap();
        endpoint.set_tls(true);
        assert_eq!(endpoint.to_string(), "mqtts://h:8883");
        endpoint.set_port(1).unwrap();
        endpoint.set_tls(false);
        endpoint.set_host("[::1]").unwrap();
        assert_eq!(endpoint.to_string(), "mqtt://[::1]:1");
        assert_eq!(endpoint.set_port(0).unwrap_err().code(), Code::InvalidAddress);
        assert_eq!(endpoint.set_host("a:1").unwrap_err().code(), Code::InvalidAddress);
        assert_eq!(endpoint.to_string(), "mqtt://[::1]:1");
    }
}
