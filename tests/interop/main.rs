//! What the library does with real brokers: a matrix of brokers, versions of MQTT and things that
//! MQTT can do, printed and judged.
//!
//! `make interop` sets all brokers up and runs all of them (`--all`); `cargo test` runs Mosquitto and
//! the embedded broker. Words on the command line choose rows by parts of their names, and
//! `--broker NAME` a broker. `--write FILE` writes the matrix as a page of Markdown.

mod bench;
mod broker;
mod fault;
mod row;

use std::{
    any::Any,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    thread,
};

use mqttsession::protocol::Version;
use mqttsession_tests::matrix::{self, Column, Matrix, Outcome, Verdict, is_known, judge};

use bench::{Bench, Stop};
use broker::{BROKERS, Broker};
use fault::FAULTS;
use row::ROWS;

/// What the command line chose.
#[derive(Default)]
struct Choice {
    all: bool,
    brokers: Vec<String>,
    rows: Vec<String>,
    file: Option<String>,
    /// `cargo test -- --list`: this target has no test that the harness could run by its name.
    nothing: bool,
}

impl Choice {
    /// Options of the usual test harness, which `cargo test` hands to every target, mean nothing here.
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut choice = Self::default();
        while let Some(word) = words.next() {
            match &word[..] {
                "--all" => choice.all = true,
                "--broker" => choice.brokers.extend(words.next()),
                "--write" => choice.file = words.next(),
                "--list" => choice.nothing = true,
                _ if word.starts_with('-') => {}
                _ => choice.rows.push(word),
            }
        }
        choice
    }

    fn wants(&self, broker: &Broker) -> bool {
        match &self.brokers[..] {
            [] => self.all || broker.everywhere,
            names => names.iter().any(|name| name == broker.name),
        }
    }

    fn wants_row(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| name.contains(&part[..]))
    }
}

/// A broker's release and what it did, version by version.
type Run = Result<(String, Vec<(Column, Vec<Option<Verdict>>)>), Absent>;

/// Why a broker did nothing.
enum Absent {
    /// It cannot be had here: skipped.
    Missing(String),
    /// It is there and does not start: a failure.
    Broken(String),
}

/// The head of the page that `--write` writes.
const HEAD: &str = "\
# What the library does with real brokers

One run of `make interop WRITE=docs/interop.md`, which writes this page. Each row is a program that
works with a running broker through the public interface and checks what came back, and where it
matters what stood on the wire. A row about 5.0 is empty elsewhere.

- **ok**: it holds.
- **fault**: the broker is wrong in a way that is known and described below. The run fails when it is
  wrong in any other way, and when it no longer is.
- **n/a**: the broker does not offer it, which the specification leaves to it.

";

fn main() -> ExitCode {
    let choice = Choice::read(env::args().skip(1));
    if choice.nothing || !ROWS.iter().any(|row| choice.wants_row(row.name)) {
        return ExitCode::SUCCESS;
    }
    let columns: Vec<(&str, Vec<&str>)> = BROKERS
        .iter()
        .map(|broker| {
            (broker.name, broker.versions.iter().map(|version| short(*version)).collect())
        })
        .collect();
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    let wrong = matrix::check(FAULTS, &columns, &names);
    if !wrong.is_empty() {
        eprintln!("The list of faults is wrong:\n{}", wrong.join("\n"));
        return ExitCode::FAILURE;
    }

    // All side by side: much of the time is spent waiting for what never comes.
    let runs: Vec<(&Broker, Run)> = thread::scope(|scope| {
        let choice = &choice;
        let chosen = BROKERS.iter().filter(|broker| choice.wants(broker));
        let running: Vec<_> =
            chosen.map(|broker| (broker, scope.spawn(|| run(broker, choice)))).collect();
        running
            .into_iter()
            .map(|(broker, run)| (broker, run.join().expect("a row's panic is caught")))
            .collect()
    });
    report(&choice, runs)
}

/// Runs the chosen rows in every version that the broker speaks.
fn run(broker: &Broker, choice: &Choice) -> Run {
    let running = match catch_unwind(|| broker.start()) {
        Ok(started) => started.map_err(Absent::Missing)?,
        Err(panic) => return Err(Absent::Broken(said(&*panic))),
    };
    let verdicts = |version: Version| {
        let rows = ROWS.iter().enumerate();
        rows.map(|(number, row)| {
            // What is known to be wrong is looked at again by `make interop` only: it takes its time.
            let skipped = !choice.all && is_known(FAULTS, broker.name, short(version), row.name);
            if !row.exists_in(version) || !choice.wants_row(row.name) || skipped {
                return None;
            }
            let bench = Bench::new(&running, version, number);
            let found = match catch_unwind(AssertUnwindSafe(|| (row.run)(&bench))) {
                Ok(result) => outcome(result),
                Err(panic) => Outcome::Fails(said(&*panic)),
            };
            let verdict = judge(FAULTS, broker.name, short(version), row.name, found);
            if let Verdict::Fails(seen) = &verdict {
                eprintln!("FAIL: {} {}, {}: {seen}", broker.name, short(version), row.name);
            }
            Some(verdict)
        })
        .collect()
    };
    let column = |version: &Version| {
        let (broker, version_name) = (broker.name.to_owned(), short(*version).to_owned());
        (Column { broker, version: version_name }, verdicts(*version))
    };
    let columns = thread::scope(|scope| {
        let columns: Vec<_> =
            broker.versions.iter().map(|version| scope.spawn(|| column(version))).collect();
        columns.into_iter().map(|column| column.join().expect("a row's panic is caught")).collect()
    });
    Ok((running.release, columns))
}

fn report(choice: &Choice, runs: Vec<(&Broker, Run)>) -> ExitCode {
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    let mut matrix = Matrix::new(&names);
    let (mut missing, mut broken) = (Vec::new(), Vec::new());
    for (broker, run) in runs {
        match run {
            Ok((release, columns)) => {
                matrix.add_release(broker.name, &release);
                for (column, verdicts) in columns {
                    matrix.add_column(column, verdicts);
                }
            }
            Err(Absent::Missing(why)) => missing.push(format!("{}: {why}", broker.name)),
            Err(Absent::Broken(why)) => {
                broken.push(format!("{} does not start: {why}", broker.name))
            }
        }
    }
    println!("\n{}", matrix.to_text(FAULTS));
    let failures: Vec<String> = matrix.failures().into_iter().chain(broken).collect();
    for failure in &failures {
        println!("FAIL: {failure}");
    }
    for broker in &missing {
        println!("SKIPPED: {broker}");
    }
    let counts = matrix.counts();
    println!(
        "{} ok, {} faults of brokers, {} not applicable, {} failed; {} brokers skipped",
        counts.holds,
        counts.faults,
        counts.not_offered,
        failures.len(),
        missing.len(),
    );
    if let Some(file) = &choice.file {
        let page = format!("{HEAD}{}", matrix.to_markdown(FAULTS));
        if let Err(error) = fs::write(file, page) {
            eprintln!("{file} cannot be written: {error}");
            return ExitCode::FAILURE;
        }
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn outcome(result: Result<(), Stop>) -> Outcome {
    match result {
        Ok(()) => Outcome::Holds,
        Err(Stop::NotOffered(why)) => Outcome::NotOffered(why),
        Err(Stop::Wrong(seen)) => Outcome::Fails(seen),
    }
}

/// A version as it stands at the head of a column.
fn short(version: Version) -> &'static str {
    match version {
        Version::V31 => "3.1",
        Version::V311 => "3.1.1",
        Version::V5 => "5.0",
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
