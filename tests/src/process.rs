//! A program that is running, and what it has said.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

/// A running program whose output is read line by line. Dropping it kills the program.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    /// Starts a program. Standard output and standard error are read as one, standard input is a
    /// pipe that [`close_input`](Self::close_input) closes.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take().expect("standard output is a pipe");
        let errors = child.stderr.take().expect("standard error is a pipe");
        for pipe in [Box::new(output) as Box<dyn Read + Send>, Box::new(errors)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // Reads on when nobody listens any more: a full pipe would stop the program.
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { child, lines, said: Vec::new() })
    }

    /// Waits for a line that `wanted` turns into something; nothing where the program ends, or the
    /// deadline comes, before it.
    pub fn wait_for<T>(
        &mut self,
        deadline: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = wanted(&line);
                    self.said.push(line);
                    if found.is_some() {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Everything that the program has said so far.
    pub fn said(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        self.said.join("\n")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes the program's standard input.
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Asks the program to terminate; where there is no such signal, kills it.
    pub fn terminate(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            // The child has not been waited for, so that the id is still its own.
            let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let _ = id.map(|id| kill_process(id, Signal::TERM));
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
    }

    /// Waits for the program's end, and kills it at the deadline.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        // Both pipes close when the program ends, which is how the wait gets its deadline.
        self.wait_for(deadline, |_| None::<()>);
        match self.lines.try_recv() {
            Err(mpsc::TryRecvError::Disconnected) => self.child.wait().ok(),
            _ => {
                self.kill();
                None
            }
        }
    }

    /// Kills the program and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Looks for a program on the PATH, then in the given directories.
pub fn find(name: &str, directories: &[&str]) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(directories.iter().map(PathBuf::from))
        .map(|directory| directory.join(&name))
        .find(|path| path.is_file())
}

/// Says loudly that something cannot be tested here; panics where the environment variable
/// `required` is set, since then it has to be.
///
/// It writes to standard error itself, because the test harness hides what `eprintln!` writes in
/// a test that passes.
///
/// # Panics
/// `required` is set to anything but nothing or 0.
pub fn skipped(reason: &str, required: &str) {
    use std::io::Write;
    let demanded =
        std::env::var_os(required).is_some_and(|value| !value.is_empty() && value != "0");
    assert!(!demanded, "{reason}, and {required} is set");
    let _ = writeln!(io::stderr().lock(), "\nSKIPPED: {reason}");
}
