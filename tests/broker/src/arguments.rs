//! The command line.

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
mqttsession-broker: a small MQTT 3.1.1 and 5.0 broker for demos and tests

Usage: mqttsession-broker [options]

  --host ADDRESS                 the address to listen on (127.0.0.1)
  --port N                       the port for MQTT over TCP (0: any free one)
  --tls-port N                   also listen with TLS; needs --certificate and --key
  --certificate FILE             the server's certificate chain, PEM
  --key FILE                     the server's private key, PEM
  --ca FILE                      the issuer of client certificates, PEM
  --require-client-certificate   refuse a TLS client that has no certificate from --ca
  --websocket-port N             also listen for MQTT over WebSocket, path /mqtt
  --user NAME:PASSWORD           accept only the users named this way; may be repeated
  --no-stdin                     do not stop at the end of standard input
  --help, --version

Prints one line for each listener, such as `listening mqtt://127.0.0.1:40123`, once it answers
there. Keeps everything in memory. Stops, with exit code 0, at the end of standard input, on an
interrupt or when it is asked to terminate. A bad command line ends it with exit code 2.
";

/// What the command line asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Version,
    Serve(Arguments),
}

/// Where to listen, and whom to let in.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    pub(crate) websocket_port: Option<u16>,
    /// Name and password. Empty: everybody is welcome.
    pub(crate) users: Vec<(String, String)>,
    pub(crate) stop_at_end_of_input: bool,
}

/// The TLS listener.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) port: u16,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) require_client_certificate: bool,
}

impl Request {
    /// Reads the words after the program's name; the error is a sentence for standard error.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let mut arguments = Arguments {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            tls: None,
            websocket_port: None,
            users: Vec::new(),
            stop_at_end_of_input: true,
        };
        let (mut tls_port, mut certificate, mut key, mut ca) = (None, None, None, None);
        let mut require_client_certificate = false;

        while let Some(word) = words.next() {
            let option = word.to_string_lossy().into_owned();
            let mut value = || words.next().ok_or_else(|| format!("{option} needs a value"));
            match option.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--version" => return Ok(Self::Version),
                "--host" => arguments.host = parsed(&option, &value()?, "an IP address")?,
                "--port" => arguments.port = parsed(&option, &value()?, "a port")?,
                "--tls-port" => tls_port = Some(parsed(&option, &value()?, "a port")?),
                "--certificate" => certificate = Some(PathBuf::from(value()?)),
                "--key" => key = Some(PathBuf::from(value()?)),
                "--ca" => ca = Some(PathBuf::from(value()?)),
                "--require-client-certificate" => require_client_certificate = true,
                "--websocket-port" => {
                    arguments.websocket_port = Some(parsed(&option, &value()?, "a port")?);
                }
                "--user" => arguments.users.push(user(&value()?)?),
                "--no-stdin" => arguments.stop_at_end_of_input = false,
                _ => return Err(format!("{option} is not an option; see --help")),
            }
        }

        let tls_detail = certificate.is_some() || key.is_some() || ca.is_some();
        arguments.tls = match (tls_port, certificate, key) {
            (Some(port), Some(certificate), Some(key)) => {
                if require_client_certificate && ca.is_none() {
                    return Err("--require-client-certificate needs --ca".into());
                }
                Some(Tls { port, certificate, key, ca, require_client_certificate })
            }
            (Some(_), _, _) => return Err("--tls-port needs --certificate and --key".into()),
            (None, _, _) if tls_detail || require_client_certificate => {
                return Err("the options of TLS need --tls-port".into());
            }
            (None, _, _) => None,
        };
        Ok(Self::Serve(arguments))
    }
}

fn parsed<T: std::str::FromStr>(option: &str, value: &OsString, what: &str) -> Result<T, String> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| format!("{option} needs {what}, not {text:?}"))
}

/// The message never shows the value: it may hold a password.
fn user(value: &OsString) -> Result<(String, String), String> {
    value
        .to_str()
        .and_then(|text| text.split_once(':'))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, password)| (name.to_owned(), password.to_owned()))
        .ok_or_else(|| "--user needs NAME:PASSWORD".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(line.split_whitespace().map(OsString::from))
    }

    fn served(line: &str) -> Arguments {
        match parse(line) {
            Ok(Request::Serve(arguments)) => arguments,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    #[test]
    fn by_default_a_free_port_of_this_machine_for_everybody() {
        let arguments = served("");
        assert_eq!((arguments.host.to_string().as_str(), arguments.port), ("127.0.0.1", 0));
        assert!(arguments.tls.is_none() && arguments.websocket_port.is_none());
        assert!(arguments.users.is_empty() && arguments.stop_at_end_of_input);
    }

    #[test]
    fn every_option_is_understood() {
        let arguments = served(
            "--host ::1 --port 1 --tls-port 2 --certificate c --key k --ca a \
             --require-client-certificate --websocket-port 3 --user a:b:c --user d: --no-stdin",
        );
        let tls = arguments.tls.expect("TLS was asked for");
        assert_eq!(arguments.host.to_string(), "::1");
        assert_eq!((arguments.port, tls.port, arguments.websocket_port), (1, 2, Some(3)));
        assert_eq!((tls.certificate, tls.key), ("c".into(), "k".into()));
        assert_eq!((tls.ca, tls.require_client_certificate), (Some("a".into()), true));
        // Only the first colon separates: a password may hold more.
        assert_eq!(arguments.users, [("a".into(), "b:c".into()), ("d".into(), String::new())]);
        assert!(!arguments.stop_at_end_of_input);
    }

    #[test]
    fn a_bad_line_is_refused_with_its_reason() {
        for (line, reason) in [
            ("--port", "--port needs a value"),
            ("--port 70000", "--port needs a port, not \"70000\""),
            ("--host localhost", "--host needs an IP address, not \"localhost\""),
            ("--frob", "--frob is not an option; see --help"),
            ("--tls-port 0", "--tls-port needs --certificate and --key"),
            ("--key k", "the options of TLS need --tls-port"),
            ("--user secret", "--user needs NAME:PASSWORD"),
            (
                "--tls-port 0 --certificate c --key k --require-client-certificate",
                "--require-client-certificate needs --ca",
            ),
        ] {
            assert_eq!(parse(line).expect_err(line), reason);
        }
    }
}
