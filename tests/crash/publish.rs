//! The first part: a publisher is killed, and who subscribes counts.

use std::{collections::BTreeSet, process::Command};

use mqttsession_tests::{
    DEADLINE,
    process::{Program, find},
    random::Random,
    tap::Tap,
};

use crate::{
    Choice, Report, Run,
    client::{Counter, TOPIC, feed, number},
    evidence::{sent_as_new_again, story},
    stage::{Stage, begin, live},
};

/// A publisher lives for so many lines at most: a message takes about one.
const LINES: u64 = 200;

/// Kills the publisher so many times, and then has one deliver what is left.
pub(crate) fn run(run: &Run<'_>, choice: &Choice) -> Option<Report> {
    let mut random = Random(run.seed);
    let mut stage = Stage::start(run.level(), run.seed)?;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = choice.store(directory.path());
    let address = stage.address();
    let publisher = |first: u64| {
        let mut command = run.language.program("publisher");
        command.args([&address, run.version, run.set_aside_after, &store, &first.to_string()]);
        command
    };
    let counter = Counter::start(stage.broker.port());
    let mut witness = Witness::start(stage.broker.port());

    let (mut stored, mut tried) = (BTreeSet::new(), 0);
    for kill in 1..=choice.kills {
        let said = live(&mut publisher(tried + 1), &mut random, LINES);
        for line in said.lines() {
            match line.split_once(' ') {
                Some(("try", last)) => tried = number(last.as_bytes()),
                Some(("stored", each)) => drop(stored.insert(number(each.as_bytes()))),
                _ => panic!("the publisher says more than it should:\n{said}"),
            }
        }
        if kill % 20 == choice.kills.min(20) / 2 {
            stage.restart_broker();
            counter.broker_is_up();
        }
    }
    let cuts = stage.calm_down();
    let mut last = begin(&mut publisher(0));
    let drained = last.wait_for(4 * DEADLINE, |line| (line == "drained").then_some(()));
    assert!(drained.is_some(), "what was left in the store is not delivered:\n{}", last.said());
    // Whatever the broker has for the subscribers stands before this.
    feed(stage.broker.port(), 0..=0);
    counter.wait_until("it has all", |counts| counts.numbers.contains_key(&0));

    let counts = counter.counts();
    let mut report =
        Report { kills: choice.kills, cuts, restarts: stage.restarts, ..Report::default() };
    let passed = stage.tap.passed();
    let missing: Vec<u64> =
        stored.iter().filter(|each| !counts.numbers.contains_key(each)).copied().collect();
    for each in &missing {
        report.wrong(format!("{each} was stored and has not arrived"), || story(&passed, *each));
    }
    if stored.is_empty() {
        report
            .wrong("nothing was confirmed as stored, so nothing was shown".to_owned(), String::new);
    }
    let repeated = counts.numbers.iter().filter(|(_, times)| **times > 1);
    for (each, times) in repeated.clone() {
        report.wrong(format!("{each} arrived {times} times"), || story(&passed, *each));
    }
    for unknown in counts.numbers.keys().filter(|each| **each > tried) {
        report.wrong(format!("{unknown} was never published"), String::new);
    }
    let unconfirmed = counts.numbers.keys().filter(|each| **each > 0 && !stored.contains(each));
    report.broker_faults = counts.repeated;
    report.counted = format!(
        "{} numbers confirmed as stored: {} missing, {} came twice; {} unconfirmed ones came, too",
        stored.len(),
        missing.len(),
        repeated.count(),
        unconfirmed.count(),
    );
    if let Some(witness) = &mut witness {
        witness.judge(&mut report, &stored);
    }
    Some(report)
}

/// Mosquitto's own subscriber, with a persistent session of its own: somebody else's count. A tap stands
/// before it, too, that cuts nothing.
struct Witness {
    program: Program,
    tap: Tap,
}

impl Witness {
    /// Nothing where it is not installed.
    fn start(port: u16) -> Option<Self> {
        let path = find("mosquitto_sub", &["/usr/bin", "/usr/local/bin"])?;
        let tap = Tap::start(port, 4);
        let port = tap.port().to_string();
        let subscribe = || {
            let mut command = Command::new(&path);
            command.args(["-h", "127.0.0.1", "-p", &port, "-i", "witness"]);
            command.args(["-c", "-q", "2", "-t", TOPIC, "-F", "%p"]);
            command
        };
        // Once only for the subscription, so that it stands before anything is published.
        let subscribed = subscribe().arg("-E").status();
        subscribed.is_ok_and(|status| status.success()).then(|| {
            let program = begin(&mut subscribe());
            Self { program, tap }
        })
    }

    /// What it says of the same numbers. It repeats what the broker sends to it as new, which the broker
    /// may do after a restart; what came twice here and once to the counter was published once.
    fn judge(&mut self, report: &mut Report, stored: &BTreeSet<u64>) {
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        let over = self.program.wait_for(DEADLINE, |line| {
            let number = number(line.as_bytes());
            if !seen.insert(number) {
                twice.insert(number);
            }
            (number == 0).then_some(())
        });
        if over.is_none() {
            report.wrong("mosquitto_sub did not come to the end".to_owned(), String::new);
        }
        let passed = self.tap.passed();
        let missing: Vec<_> = stored.difference(&seen).collect();
        for each in &missing {
            report.wrong(format!("{each} was stored, and mosquitto_sub has not got it"), || {
                story(&passed, **each)
            });
        }
        report.counted += &format!("; mosquitto_sub: {} missing", missing.len());
        if !twice.is_empty() {
            let again = sent_as_new_again(&passed);
            let sent = twice.intersection(&again).count();
            report.counted +=
                &format!(", {} twice, {sent} of them sent to it twice by the broker", twice.len(),);
        }
    }
}
