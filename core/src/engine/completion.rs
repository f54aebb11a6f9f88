//! Who is told how a message ended.

use std::{fmt, sync::atomic::AtomicPtr};

use super::Outcome;

/// Told exactly once how a message ended. The engine carries it along and gives it back; it never
/// calls it.
pub struct Completion(Told);

enum Told {
    Closure(Box<dyn FnOnce(u64, Outcome) + Send>),
    // Pointers that may be sent to another thread: nobody changes them.
    Function(fn([*mut (); 2], u64, Outcome), [AtomicPtr<()>; 2]),
}

impl Completion {
    /// A closure, called with the number of the message and how it ended.
    pub fn new(closure: impl FnOnce(u64, Outcome) + Send + 'static) -> Self {
        Self(Told::Closure(Box::new(closure)))
    }

    /// A function, called with two pointers of the caller's beside number and outcome: for bindings to
    /// other languages, where a callback is a function with its data. It takes no memory, which one
    /// thread would allocate and another one free for each message.
    ///
    /// The function is called on another thread, and nothing is done with the pointers when it is
    /// dropped without being called.
    pub fn from_pointers(function: fn([*mut (); 2], u64, Outcome), pointers: [*mut (); 2]) -> Self {
        Self(Told::Function(function, pointers.map(AtomicPtr::new)))
    }

    /// Tells how the message with this number ended.
    #[inline]
    pub fn call(self, number: u64, outcome: Outcome) {
        match self.0 {
            Told::Closure(closure) => closure(number, outcome),
            Told::Function(function, pointers) => {
                function(pointers.map(AtomicPtr::into_inner), number, outcome);
            }
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").finish_non_exhaustive()
    }
}
