//! The programs that tests in C, C++ and Python start: `scripted-broker` and `make-certificates`.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output},
};

use mqttsession_tests::{
    DEADLINE,
    certificate::FILES,
    process::{Program, find, skipped},
    real::{Config, Mosquitto, REQUIRED},
    seen::Seen,
    wire,
};

fn scenario(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/scenarios/{name}.script", env!("CARGO_MANIFEST_DIR")))
}

/// Starts the broker with a script; returns it and its port.
fn scripted(script: &str) -> (Program, u16) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scripted-broker"));
    let mut broker = Program::start(command.arg(scenario(script))).unwrap();
    let port = broker.wait_for(DEADLINE, |line| line.strip_prefix("listening ")?.parse().ok());
    (broker, port.expect("the port is printed first"))
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn a_script_that_is_followed_ends_with_0_and_prints_both_sides() {
    let (mut broker, port) = scripted("connect_refused_credentials");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(&wire::connect(4, "me", true)).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received, wire::connack(false, 4));
    drop(client);
    let status = broker.wait(DEADLINE).expect("it ends by itself");
    assert_eq!(status.code(), Some(0), "{}", broker.said());
    let said = broker.said();
    assert!(said.contains("client: CONNECT level=4 client-id=me"), "{said}");
    assert!(said.contains("broker: CONNACK session-present=0 reason=0x04"), "{said}");
}

#[test]
fn a_script_that_is_not_followed_ends_with_1_and_the_reason() {
    let (mut broker, port) = scripted("ping_timeout");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(&[wire::connect(4, "me", true), wire::disconnect()].concat()).unwrap();
    let status = broker.wait(DEADLINE).expect("it ends by itself");
    assert_eq!(status.code(), Some(1), "{}", broker.said());
    let said = broker.said();
    assert!(said.contains("line 5: expected PINGREQ, got DISCONNECT"), "{said}");
}

#[test]
fn a_bad_command_line_or_script_ends_with_2() {
    let program = env!("CARGO_BIN_EXE_scripted-broker");
    for (arguments, reason) in [
        (&["--frob"][..], "--frob is no option"),
        (&["--deadline", "soon"], "--deadline needs seconds"),
        (&["/nowhere/at.all"], "/nowhere/at.all"),
        (&[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "line 1: [package] is no step"),
    ] {
        let output = run(program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said:?} should say {reason:?}");
    }
}

/// The scripts, too, have to be right: a client that nobody here wrote follows them.
#[test]
fn the_clients_of_mosquitto_follow_the_scenarios() {
    let (Some(publish), Some(subscribe)) = (find("mosquitto_pub", &[]), find("mosquitto_sub", &[]))
    else {
        skipped("mosquitto_pub and mosquitto_sub are not installed", REQUIRED);
        return;
    };
    for version in ["311", "5"] {
        for qos in ["0", "1", "2"] {
            let (mut broker, port) = scripted(&format!("publish_qos{qos}"));
            let mut client = Command::new(&publish);
            client.args(["-V", version, "-q", qos, "-t", "demo/out", "-m", "hello"]);
            let output = client.args(["-p", &port.to_string()]).output().unwrap();
            assert!(output.status.success(), "{output:?}\n{}", broker.said());
            let status = broker.wait(DEADLINE).expect("it ends by itself");
            assert!(status.success(), "{}", broker.said());

            let (mut broker, port) = scripted(&format!("deliver_qos{qos}"));
            let mut client = Command::new(&subscribe);
            client.args(["-V", version, "-q", qos, "-t", "demo/in", "-C", "3"]);
            let output = client.args(["-p", &port.to_string()]).output().unwrap();
            let received = String::from_utf8_lossy(&output.stdout);
            assert_eq!(received, "message 1\nmessage 2\nmessage 3\n", "{}", broker.said());
            let status = broker.wait(DEADLINE).expect("it ends by itself");
            assert!(status.success(), "{}", broker.said());
        }
    }
}

/// A mistake of the writer's own would make every session look wrong.
#[test]
fn mosquitto_itself_takes_what_the_writer_writes() {
    let Some(broker) = Mosquitto::start(&Config::default()) else { return };
    let mut client = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut exchange = |sent: &[Vec<u8>], wanted: &[Vec<u8>]| {
        client.write_all(&sent.concat()).unwrap();
        let mut received = vec![0; wanted.concat().len()];
        client.read_exact(&mut received).unwrap();
        // In which order a broker answers different packets is its own affair.
        assert_eq!(sorted(&received), sorted(&wanted.concat()));
    };
    exchange(&[wire::connect(4, "writer", true)], &[wire::connack(false, 0)]);
    exchange(&[wire::subscribe(7, &[("a/#", 2)])], &[wire::suback(7, &[2])]);
    exchange(&[wire::publish("a/b", 2, 9, "x")], &[wire::pubrec(9)]);
    exchange(&[wire::pubrel(9)], &[wire::pubcomp(9), wire::publish("a/b", 2, 1, "x")]);
    exchange(&[wire::pubrec(1)], &[wire::pubrel(1)]);
    exchange(&[wire::pubcomp(1), wire::pingreq()], &[wire::pingresp()]);
    exchange(&[wire::unsubscribe(8, &["a/#"])], &[wire::unsuback(8)]);
}

fn sorted(mut bytes: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((seen, taken)) = Seen::decode(bytes, 4).unwrap() {
        packets.push(seen.to_string());
        bytes = &bytes[taken..];
    }
    assert!(bytes.is_empty(), "half a packet: {bytes:?}");
    packets.sort();
    packets
}

#[test]
fn make_certificates_fills_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("new");
    let program = env!("CARGO_BIN_EXE_make-certificates");
    let output = run(program, &[target.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&target).unwrap().count(), FILES.len());
    assert_eq!(run(program, &[]).status.code(), Some(2));
}
