//! `scripted-broker`: plays a script against a session that is written in any language.
//!
//! Prints `listening PORT`, then what both sides say, line by line. Ends with exit code 0 after
//! the script's last line, with 1 and the reason on standard error where something else happened,
//! and with 2 where the command line or the script is wrong. See `mqttsession_tests::script` for
//! the language.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use mqttsession_tests::{
    DEADLINE, certificate, player::play, script::Script, scripted::ScriptedBroker, trace::Trace,
};

const USAGE: &str = "\
Usage: scripted-broker [options] [SCRIPT]

Without SCRIPT, or with -, the script is read from standard input.

  --deadline SECONDS             how long any step may take (30)
  --certificates DIRECTORY       speak TLS, with what make-certificates made there
  --identity STEM                server, expired, wrong-name or unknown (server)
  --require-client-certificate   with TLS: from the authority in DIRECTORY
";

fn main() -> ExitCode {
    let (script, broker) = match prepare() {
        Ok(prepared) => prepared,
        Err(reason) => {
            eprintln!("scripted-broker: {reason}");
            return ExitCode::from(2);
        }
    };
    match play(&script, &broker) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("scripted-broker: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<(Script, ScriptedBroker), String> {
    let mut file = None;
    let mut deadline = DEADLINE;
    let mut certificates: Option<PathBuf> = None;
    let mut identity = "server".to_owned();
    let mut require_client_certificate = false;

    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        let option = word.to_string_lossy().into_owned();
        let mut value = || words.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Err(format!("\n{USAGE}")),
            "--deadline" => {
                let seconds = value()?.to_string_lossy().parse();
                deadline = Duration::from_secs(seconds.map_err(|_| "--deadline needs seconds")?);
            }
            "--certificates" => certificates = Some(value()?.into()),
            "--identity" => identity = value()?.to_string_lossy().into_owned(),
            "--require-client-certificate" => require_client_certificate = true,
            "-" => file = None,
            _ if option.starts_with('-') => return Err(format!("{option} is no option\n{USAGE}")),
            _ => file = Some(PathBuf::from(word)),
        }
    }

    let text = match file {
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
            text
        }
    };
    let script = Script::parse(&text)?;
    let tls = certificates
        .map(|directory| certificate::server(&directory, &identity, require_client_certificate));
    let broker = ScriptedBroker::start_with(tls, Trace::live(io::stdout()), deadline);
    let mut output = io::stdout().lock();
    writeln!(output, "listening {}", broker.port())
        .and_then(|()| output.flush())
        .map_err(|error| error.to_string())?;
    drop(output);
    Ok((script, broker))
}
