//! What both sides said, in the order in which this side saw it.

use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// A list of lines that grows; its copies share it.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    live: Option<Box<dyn Write + Send>>,
}

impl Trace {
    /// A trace that also writes each line, as it comes, to `live`.
    pub fn live(live: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Inner { lines: Vec::new(), live: Some(Box::new(live)) })))
    }

    /// Adds a line about a connection, counted from 1.
    pub(crate) fn note(&self, connection: usize, line: impl fmt::Display) {
        self.with(|inner| {
            let line = format!("#{connection} {line}");
            if let Some(live) = &mut inner.live {
                // Nobody reads any more: the lines are kept all the same.
                let _ = writeln!(live, "{line}").and_then(|()| live.flush());
            }
            inner.lines.push(line);
        });
    }

    fn with<T>(&self, action: impl FnOnce(&mut Inner) -> T) -> T {
        // A test that panicked in here has left whole lines.
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|inner| {
            writeln!(f, "what both sides said ({} lines):", inner.lines.len())?;
            inner.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
        })
    }
}
