//! The second part: a receiver is killed, between two handlers and inside one.

use std::collections::{BTreeMap, BTreeSet};

use mqttsession_tests::{DEADLINE, random::Random, seen::Seen, tap::Passed};

use crate::{
    Choice, Report, Run,
    client::{feed, number},
    evidence::{sent_after_release, story},
    stage::{Stage, begin, live},
};

/// Kills the receiver so many times, and then lets one receive what is left.
pub(crate) fn run(run: &Run<'_>, choice: &Choice) -> Option<Report> {
    let mut random = Random(run.seed);
    let mut stage = Stage::start(run.level(), run.seed)?;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = choice.store(directory.path());
    let address = stage.address();
    let receiver = || {
        let mut command = run.language.program("receiver");
        command.args([&address, run.version, run.set_aside_after, &store]);
        command
    };
    // Its subscription has to stand before anything is published.
    let mut first = begin(&mut receiver());
    subscribed(&stage);
    first.kill();

    let mut lives = Vec::new();
    let mut fed = 0;
    for kill in 1..=choice.kills {
        let more = 5 + random.below(40);
        feed(stage.broker.port(), fed + 1..=fed + more);
        fed += more;
        let mut life = Life::default();
        // Each of them brings a line when its handler begins, and one when it ends.
        live(&mut receiver(), &mut random, 2 * more).lines().for_each(|line| life.hear(line));
        lives.push(life);
        if kill % 20 == choice.kills.min(20) / 2 {
            stage.restart_broker();
        }
    }
    let cuts = stage.calm_down();
    // What comes last, and says that all the rest has come.
    feed(stage.broker.port(), 0..=0);
    let mut life = Life::default();
    let mut last = begin(&mut receiver());
    let over = last.wait_for(4 * DEADLINE, |line| {
        life.hear(line);
        (life.entered.last()?.number == 0).then_some(())
    });
    assert!(over.is_some(), "the receiver does not come to the end:\n{}", last.said());
    lives.push(life);

    let mut report =
        Report { kills: choice.kills, cuts, restarts: stage.restarts, ..Report::default() };
    judge(&mut report, &lives, fed, &stage.tap.passed());
    Some(report)
}

/// Waits until the broker has granted the subscription.
fn subscribed(stage: &Stage) {
    let granted = stage.tap.wait_for(|passed| {
        passed.iter().any(|packet| matches!(packet.seen, Seen::Suback(_))).then_some(())
    });
    assert!(granted.is_some(), "the receiver does not subscribe:\n{:?}", stage.tap.passed());
}

/// What one process said, in order.
#[derive(Default)]
struct Life {
    entered: Vec<Entered>,
}

/// A call of the handler.
#[derive(Debug)]
struct Entered {
    number: u64,
    redelivered: bool,
    left: bool,
}

impl Life {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["enter", each, redelivered] => self.entered.push(Entered {
                number: number(each.as_bytes()),
                redelivered: redelivered == "1",
                left: false,
            }),
            ["leave", each] => {
                let entered = self.entered.last_mut().expect("a handler ends after it has begun");
                assert_eq!(entered.number, number(each.as_bytes()), "handlers overlap");
                entered.left = true;
            }
            _ => panic!("the receiver says {line:?}, after {:?}", self.entered.last()),
        }
    }
}

/// Each number once; once more only when its process died before the next handler began, and marked.
fn judge(report: &mut Report, lives: &[Life], fed: u64, passed: &[Passed]) {
    let by_broker = sent_after_release(passed);
    // Of each number, whether the last process that began to handle it died over it.
    let mut begun: BTreeMap<u64, bool> = BTreeMap::new();
    let (mut again, mut marked, mut inside, mut unmarked) = (0, 0, 0, 0);
    let mut faults = BTreeSet::new();
    for life in lives {
        for (place, entered) in life.entered.iter().enumerate() {
            let is_last = place + 1 == life.entered.len();
            let number = entered.number;
            match (begun.insert(number, is_last), entered.redelivered) {
                (None, false) => {}
                // The process before it died after the mark was written and before the handler began.
                (None, true) => marked += 1,
                (Some(true), true) => again += 1,
                (Some(_), _) if by_broker.contains(&number) => drop(faults.insert(number)),
                (Some(died), redelivered) => {
                    unmarked += 1;
                    let what = format!(
                        "{number} came again, {}, although its process {}",
                        if redelivered { "marked" } else { "unmarked" },
                        if died { "had died over it" } else { "had handled it and gone on" },
                    );
                    report.wrong(what, || story(passed, number));
                }
            }
            inside += usize::from(is_last && !entered.left && number > 0);
        }
    }
    let mut missing = 0;
    for each in (0..=fed).filter(|each| !begun.contains_key(each)) {
        missing += 1;
        report.wrong(format!("{each} never came"), || story(passed, each));
    }
    report.broker_faults = faults.len();
    report.counted = format!(
        "{fed} numbers sent: {missing} missing; {inside} kills inside a handler, {again} came again and \
         marked, {marked} marked had not reached their handler before, {unmarked} came again otherwise",
    );
}
