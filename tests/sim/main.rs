//! The durable session under deterministic simulation: real engines with real stores on files that lose
//! what was not synced, a broker that keeps the rules and checks that they do, and everything between
//! them that can go wrong. A seed is a run: it fails again, the same way, whenever it is asked to.
//!
//! `--seeds N` plays so many, `--from S` begins elsewhere than at 0, `--seed S` plays one and tells its
//! story. docs/simulation.md says what is simulated and what is proved.

mod book;
mod broker;
mod fuse;
mod network;
mod plan;
mod process;
mod program;
mod scene;
mod tally;
mod witness;
mod world;

use std::{
    any::Any,
    cell::RefCell,
    env,
    panic::{self, catch_unwind},
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use tally::Tally;

/// What `cargo test` plays: a few seconds without optimisation.
const SEEDS: u64 = 2000;

/// From so many seeds on, everything has to have happened.
const ENOUGH: u64 = 1000;

/// What the command line chose.
struct Choice {
    seeds: u64,
    from: u64,
    /// One seed, with its story.
    seed: Option<u64>,
    /// `cargo test -- --list`: this target has no test that the harness could run by its name.
    nothing: bool,
}

impl Choice {
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut choice = Self { seeds: SEEDS, from: 0, seed: None, nothing: false };
        while let Some(word) = words.next() {
            let mut number = || {
                let number = words.next().and_then(|number| number.parse().ok());
                number.unwrap_or_else(|| panic!("{word} needs a number"))
            };
            match &word[..] {
                "--seeds" => choice.seeds = number(),
                "--from" => choice.from = number(),
                "--seed" => choice.seed = Some(number()),
                "--list" => choice.nothing = true,
                // Options of the usual test harness, and names of tests of other targets.
                _ => {}
            }
        }
        choice
    }
}

/// A seed that fails, and why.
struct Failure {
    seed: u64,
    why: String,
}

thread_local! {
    /// Where the last panic of this thread was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() -> ExitCode {
    let choice = Choice::read(env::args().skip(1));
    if choice.nothing {
        return ExitCode::SUCCESS;
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        PLACE.with_borrow_mut(|last| *last = place);
    }));
    match choice.seed {
        Some(seed) => tell(seed),
        None => play_all(&choice),
    }
}

/// Plays one seed and tells its story.
fn tell(seed: u64) -> ExitCode {
    match play(seed, true) {
        Ok(_) => {
            println!("simulation: seed {seed} keeps every promise");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("simulation: seed {seed} FAILS: {}", failure.why);
            ExitCode::FAILURE
        }
    }
}

fn play(seed: u64, tells: bool) -> Result<Tally, Failure> {
    catch_unwind(|| world::play(seed, tells)).map_err(|panic| Failure {
        seed,
        why: format!("{}: {}", PLACE.with_borrow(Clone::clone), words(&*panic)),
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Plays many, on every processor.
fn play_all(choice: &Choice) -> ExitCode {
    let next = AtomicU64::new(choice.from);
    let end = choice.from + choice.seeds;
    let failed = AtomicBool::new(false);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut tally = Tally::default();
        let mut failures = Vec::new();
        // What has failed once is looked at before more is played.
        while !failed.load(Relaxed) {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= end {
                break;
            }
            match play(seed, false) {
                Ok(happened) => tally.absorb(&happened),
                Err(failure) => {
                    failed.store(true, Relaxed);
                    failures.push(failure);
                }
            }
        }
        (tally, failures)
    };
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (happened, failed) =
                worker.join().expect("a worker catches what a run panics with");
            tally.absorb(&happened);
            failures.extend(failed);
        }
    });
    report(choice, &tally, &mut failures)
}

fn report(choice: &Choice, tally: &Tally, failures: &mut [Failure]) -> ExitCode {
    failures.sort_unstable_by_key(|failure| failure.seed);
    if !failures.is_empty() {
        for Failure { seed, why } in &*failures {
            println!("simulation: seed {seed} FAILS: {}", why.lines().next().unwrap_or_default());
            println!("  its story: cargo test -p mqttsession-tests --test sim -- --seed {seed}");
        }
        return ExitCode::FAILURE;
    }
    for (words, count) in tally.rows() {
        println!("{count:>12} {words}");
    }
    let missing = tally.missing();
    if choice.seeds >= ENOUGH && !missing.is_empty() {
        println!("simulation: FAILED: proves nothing about {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    println!("simulation: {} seeds from {} keep every promise", choice.seeds, choice.from);
    ExitCode::SUCCESS
}
