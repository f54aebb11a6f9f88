//! What everything happens on: a broker that is restarted, and a way to it that is cut.

use std::{
    os::unix::process::ExitStatusExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use mqttsession_tests::{
    DEADLINE,
    process::Program,
    random::Random,
    real::{Config, Mosquitto},
    tap::Tap,
};

/// A Mosquitto that keeps its sessions, and a tap in front of it whose connections are cut at random
/// moments as long as this lives.
pub(crate) struct Stage {
    pub(crate) broker: Mosquitto,
    pub(crate) tap: Arc<Tap>,
    pub(crate) restarts: usize,
    cuts: Arc<AtomicUsize>,
    end: Option<Sender<()>>,
    cutter: Option<JoinHandle<()>>,
}

impl Stage {
    /// Starts both; `level` is that of the packets that pass the tap. Nothing, and a loud line, where
    /// Mosquitto is not installed.
    pub(crate) fn start(level: u8, seed: u64) -> Option<Self> {
        let broker = Mosquitto::start(&Config { persistence: true, ..Config::default() })?;
        let tap = Arc::new(Tap::start(broker.port(), level));
        let cuts = Arc::<AtomicUsize>::default();
        let (end, ended) = channel();
        let (cutting, counting) = (tap.clone(), cuts.clone());
        // The pauses are the fault that is injected; nothing is waited for by them.
        let cutter = thread::spawn(move || {
            let mut random = Random(seed);
            let pause = |random: &mut Random, from, to| {
                Duration::from_millis(from + random.below(to - from))
            };
            while let Err(RecvTimeoutError::Timeout) =
                ended.recv_timeout(pause(&mut random, 20, 400))
            {
                if random.one_in(4) {
                    cutting.shut();
                    let _ = ended.recv_timeout(pause(&mut random, 5, 80));
                    cutting.open();
                } else {
                    cutting.cut();
                }
                counting.fetch_add(1, Ordering::Relaxed);
            }
        });
        Some(Self { broker, tap, restarts: 0, cuts, end: Some(end), cutter: Some(cutter) })
    }

    /// The address that the programs connect to.
    pub(crate) fn address(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.tap.port())
    }

    /// Stops the broker in good order, so that it saves its sessions, and starts it again.
    pub(crate) fn restart_broker(&mut self) {
        self.broker.restart();
        self.restarts += 1;
    }

    /// No connection is cut from here on; how many times it happened.
    pub(crate) fn calm_down(&mut self) -> usize {
        self.end = None;
        if let Some(cutter) = self.cutter.take() {
            cutter.join().expect("cutting connections does not panic");
        }
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.calm_down();
    }
}

/// A program's life: started, and killed at a random moment; what it said. One in five is killed while it
/// starts, the others up to some milliseconds after one of the first `lines` lines that they say.
///
/// # Panics
/// It ended by itself, or does not say so much.
pub(crate) fn live(command: &mut Command, random: &mut Random, lines: u64) -> String {
    let mut program = begin(command);
    let starting = random.one_in(5);
    if !starting {
        let mut left = 1 + random.below(lines);
        let heard = program.wait_for(DEADLINE, |_| {
            left -= 1;
            (left == 0).then_some(())
        });
        assert!(heard.is_some(), "{command:?} says no more:\n{}", program.said());
    }
    let moment = Duration::from_micros(random.below(if starting { 100_000 } else { 5_000 }));
    program.wait_for(moment, |_| None::<()>);
    program.kill();
    let status = program.wait(DEADLINE);
    let said = program.said();
    let killed = status.is_some_and(|status| status.signal() == Some(9));
    assert!(killed, "{command:?} ended by itself, {status:?}:\n{said}");
    said
}

/// Starts a program.
///
/// # Panics
/// That is not possible.
pub(crate) fn begin(command: &mut Command) -> Program {
    Program::start(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
