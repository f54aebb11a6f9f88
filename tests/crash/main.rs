//! Real crashes. Programs in C and in Python, which publish and receive with QoS 2 through a store, are
//! killed with SIGKILL at random moments; their connections to a Mosquitto that keeps its sessions are
//! cut, and it is itself stopped and started; and somebody else counts: each number once, none missing.
//!
//! `make crash-test` kills hundreds of times, `cargo test` a few times. Options: `--kills N` for each
//! run, `--seed N`, `--language c|python`, `--part publish|receive`, and `--without-store`, with which
//! the same must fail: a proof that cannot fail proves nothing.

mod client;
mod evidence;
mod language;
mod publish;
mod receive;
mod stage;

use std::{env, path::Path, process::ExitCode};

use mqttsession_tests::real::Mosquitto;

use language::Language;

/// Kills in each run when nobody says how many.
const FEW: usize = 3;

/// How many things that are wrong are told whole.
const TOLD: usize = 5;

/// What the command line chose.
pub(crate) struct Choice {
    pub(crate) kills: usize,
    seed: u64,
    language: Option<String>,
    part: Option<String>,
    without_store: bool,
    /// `cargo test -- --list`, or another test's name: this target has none.
    nothing: bool,
}

impl Choice {
    /// Options of the usual test harness, which `cargo test` hands to every target, mean nothing here.
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut choice = Self {
            kills: FEW,
            seed: 1,
            language: None,
            part: None,
            without_store: false,
            nothing: false,
        };
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().unwrap_or_default();
                value.parse().map_err(|_| format!("{word} {value}: not a number"))
            };
            match &word[..] {
                "--kills" => choice.kills = number()? as usize,
                "--seed" => choice.seed = number()?,
                "--language" => choice.language = words.next(),
                "--part" => choice.part = words.next(),
                "--without-store" => choice.without_store = true,
                "--list" => choice.nothing = true,
                _ if word.starts_with('-') => {}
                _ => choice.nothing = true,
            }
        }
        Ok(choice)
    }

    /// Where the programs have their store; `-` is what they take for none.
    pub(crate) fn store(&self, directory: &Path) -> String {
        match self.without_store {
            true => "-".to_owned(),
            false => directory.join("store").to_string_lossy().into_owned(),
        }
    }
}

/// One run: who is killed, and how its session is set.
pub(crate) struct Run<'a> {
    pub(crate) language: &'a Language,
    pub(crate) version: &'static str,
    pub(crate) set_aside_after: &'static str,
    pub(crate) seed: u64,
}

impl Run<'_> {
    /// The version as CONNECT says it.
    pub(crate) fn level(&self) -> u8 {
        if self.version == "5.0" { 5 } else { 4 }
    }
}

/// What came out of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) kills: usize,
    pub(crate) cuts: usize,
    pub(crate) restarts: usize,
    /// Messages that the broker demonstrably sent once more than it may.
    pub(crate) broker_faults: usize,
    pub(crate) counted: String,
    wrong: Vec<String>,
    /// How many of them there are; not all are told.
    failures: usize,
}

impl Report {
    /// Something that must not be, and the packets about it.
    pub(crate) fn wrong(&mut self, what: String, story: impl FnOnce() -> String) {
        self.failures += 1;
        if self.failures <= TOLD {
            self.wrong.push(format!("{what}\n{}", story()));
        }
    }
}

fn main() -> ExitCode {
    let choice = match Choice::read(env::args().skip(1)) {
        Ok(choice) if choice.nothing => return ExitCode::SUCCESS,
        Ok(choice) => choice,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    if !Mosquitto::available() {
        return ExitCode::SUCCESS;
    }
    let wants = |wanted: &Option<String>, name: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let languages = [("c", Language::c as fn() -> _), ("python", Language::python)];
    let languages: Vec<Language> = languages
        .into_iter()
        .filter(|(name, _)| wants(&choice.language, name))
        .filter_map(|(_, have)| have())
        .collect();

    let mut total = Report::default();
    let mut runs = 0;
    for language in &languages {
        for (set_aside_after, version) in [("0", "3.1.1"), ("10", "5.0")] {
            for (part, run) in [("publish", publish::run as Part), ("receive", receive::run)] {
                if !wants(&choice.part, part) {
                    continue;
                }
                runs += 1;
                let seed = choice.seed.wrapping_mul(1000) + runs;
                let Some(report) = run(&Run { language, version, set_aside_after, seed }, &choice)
                else {
                    return ExitCode::SUCCESS;
                };
                println!(
                    "{}, {part}, {version}, set aside after {set_aside_after}: {} kills, {} connections \
                     cut, {} restarts of the broker: {}",
                    language.name(),
                    report.kills,
                    report.cuts,
                    report.restarts,
                    report.counted,
                );
                if report.broker_faults > 0 {
                    println!(
                        "  {} messages that the broker sent again after their exchange had ended (its \
                         fault, see docs/interop.md) are counted apart",
                        report.broker_faults,
                    );
                }
                if !choice.without_store {
                    report.wrong.iter().for_each(|wrong| println!("  WRONG: {wrong}"));
                }
                total.kills += report.kills;
                total.cuts += report.cuts;
                total.restarts += report.restarts;
                total.broker_faults += report.broker_faults;
                total.failures += report.failures;
            }
        }
    }
    println!(
        "{} kills, {} connections cut, {} restarts of the broker, {} of its messages counted apart: {} wrong{}",
        total.kills,
        total.cuts,
        total.restarts,
        total.broker_faults,
        total.failures,
        if choice.without_store { ", and that is as it must be without a store" } else { "" },
    );
    match (total.failures > 0) == choice.without_store {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A part of the test.
type Part = fn(&Run<'_>, &Choice) -> Option<Report>;
