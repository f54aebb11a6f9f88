//! A part of the options that sessions do not change.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value that all its clones share until one of them is changed, which then gets its own: options are
/// cloned for each session and each attempt to connect, and are hardly ever changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shareable<T>(Arc<T>);

impl<T> Shareable<T> {
    /// The value as others share it.
    pub(crate) fn shared(&self) -> Arc<T> {
        self.0.clone()
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
