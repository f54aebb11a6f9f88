//! One measurement of one candidate, as a JSON line; `run.py` asks for all of them.
//!
//!     stores rate CANDIDATE DIRECTORY LEVEL PUBLISHERS SIZE SECONDS
//!     stores fsync DIRECTORY SECONDS
//!     stores fill CANDIDATE DIRECTORY LEVEL MESSAGES SIZE BATCH    says each batch that was confirmed
//!     stores open CANDIDATE DIRECTORY

mod candidate;
#[cfg(feature = "fjall")]
mod fjall;
#[cfg(feature = "ours")]
mod ours;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{
    env,
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use candidate::{Candidate, Change, Level, NAMES, Result, open};

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["names"] => println!("{}", NAMES.join(" ")),
        ["rate", name, directory, level, publishers, size, seconds] => {
            let mut store = open(name, Path::new(directory), parse_level(level)?)?;
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            rate(&mut *store, publishers.parse()?, size.parse()?, seconds)?;
        }
        ["fsync", directory, seconds] => {
            fsync(Path::new(directory), Duration::from_secs_f64(seconds.parse()?))?;
        }
        ["fill", name, directory, level, messages, size, batch] => {
            let mut store = open(name, Path::new(directory), parse_level(level)?)?;
            fill(&mut *store, messages.parse()?, size.parse()?, batch.parse()?)?;
        }
        ["open", name, directory] => measure_open(name, Path::new(directory))?,
        _ => return Err("see the head of main.rs".into()),
    }
    Ok(())
}

fn parse_level(word: &str) -> Result<Level> {
    match word {
        "synced" => Ok(Level::Synced),
        "written" => Ok(Level::Written),
        _ => Err(format!("{word} is no level").into()),
    }
}

/// So many publishers, each of which waits until its message is stored before it publishes the next:
/// what they publish during one commit is the next one, together with what has happened to the messages
/// before. The publishers are no threads, so that the store is measured and not the scheduler.
fn rate(store: &mut dyn Candidate, publishers: u64, size: usize, seconds: Duration) -> Result<()> {
    let noise = Noise::new(size);
    let written = io("write_bytes")?;
    let (start, mut commits, mut next) = (Instant::now(), 0_u64, 1);
    while start.elapsed() < seconds {
        let mut changes = Vec::new();
        for number in next..next + publishers {
            changes.push(Change::Insert(number, noise.payload(number)));
        }
        // They were sent when they had been stored, and acknowledged a round later.
        for number in next.saturating_sub(publishers).max(1)..next {
            changes.push(Change::Launch(number, number as u16));
        }
        for number in next.saturating_sub(2 * publishers).max(1)..next.saturating_sub(publishers) {
            changes.push(Change::Remove(number));
        }
        store.apply(&changes)?;
        next += publishers;
        commits += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let messages = (next - 1) as f64;
    let amplification = (io("write_bytes")? - written) as f64 / (messages * size as f64);
    println!(
        r#"{{"rate": {:.0}, "commits": {:.0}, "amplification": {amplification:.2}}}"#,
        messages / elapsed,
        commits as f64 / elapsed,
    );
    Ok(())
}

/// What the disk itself does: as many bytes as one small message behind the last ones, synced.
fn fsync(directory: &Path, seconds: Duration) -> Result<()> {
    let path = directory.join("fsync");
    let mut file = File::create(&path)?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < seconds {
        file.write_all(&[1; 150])?;
        file.sync_data()?;
        count += 1;
    }
    println!(r#"{{"rate": {:.0}}}"#, f64::from(count) / start.elapsed().as_secs_f64());
    Ok(fs::remove_file(path)?)
}

/// Accepts messages and says after each batch up to which number it was confirmed; goes on to the end
/// or the first error, and then waits to be killed.
fn fill(store: &mut dyn Candidate, messages: u64, size: usize, batch: u64) -> Result<()> {
    let noise = Noise::new(size);
    let mut output = std::io::stdout().lock();
    let mut next = 1;
    // From where the store ends, so that a run can go on.
    store.pending(&mut |number, _| next = next.max(number + 1))?;
    let last = next + messages;
    while next < last {
        let numbers = next..(next + batch).min(last);
        next = numbers.end;
        let changes: Vec<_> =
            numbers.map(|number| Change::Insert(number, noise.payload(number))).collect();
        match store.apply(&changes) {
            Ok(()) => writeln!(output, "{}", next - 1)?,
            Err(error) => {
                writeln!(output, "error: {error}")?;
                break;
            }
        }
    }
    writeln!(output, "end")?;
    output.flush()?;
    // The death of the process is what `run.py` brings about.
    loop {
        std::thread::park();
    }
}

/// Opens, and visits what there is.
fn measure_open(name: &str, directory: &Path) -> Result<()> {
    let before = status("VmRSS")?;
    let start = Instant::now();
    let store = open(name, directory, Level::Synced)?;
    let (mut count, mut last, mut bytes) = (0_u64, 0, 0);
    store.pending(&mut |number, payload| {
        (count, last, bytes) = (count + 1, last.max(number), bytes + payload.len());
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let memory = status("VmRSS")?.saturating_sub(before);
    println!(
        r#"{{"seconds": {seconds:.4}, "messages": {count}, "last": {last}, "bytes": {bytes}, "memory_kib": {memory}}}"#
    );
    Ok(())
}

/// Payloads that no candidate can compress, each another.
struct Noise(Vec<u8>, usize);

impl Noise {
    fn new(size: usize) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        Self(std::iter::repeat_with(next).take((1 << 20) + size).collect(), size)
    }

    fn payload(&self, number: u64) -> &[u8] {
        let from = (number * 7919 % (1 << 20)) as usize;
        &self.0[from..from + self.1]
    }
}

/// A line of /proc/self/io: what this process caused to be written to the disk.
fn io(key: &str) -> Result<u64> {
    proc("/proc/self/io", key)
}

/// A line of /proc/self/status, in KiB.
fn status(key: &str) -> Result<u64> {
    proc("/proc/self/status", key)
}

fn proc(file: &str, key: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.split(':').next() == Some(key));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(value.ok_or_else(|| format!("{file} has no {key}"))?.parse()?)
}
