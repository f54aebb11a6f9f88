//! A part of the options that sessions do not change.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value that all its clones share until one of them is changed, which then gets its own: options are
/// cloned for each session and each attempt to connect, and are hardly ever changed.
#[derive(Clone, Default)]
pub(crate) struct Shareable<T>(Arc<T>);

impl<T> Shareable<T> {
    /// The value as others share it.
    pub(crate) fn shared(&self) -> Arc<T> {
        self.0.clone()
    }
}

/// That it is shared is nobody's business: it prints as what it is.
impl<T: fmt::Debug> fmt::Debug for Shareable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Deref for Shareable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shareable<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}
