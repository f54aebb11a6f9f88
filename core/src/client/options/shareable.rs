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

impl<T: Clone + PartialEq> Shareable<T> {
    /// Shares the usual value where this one is the same, as it is where setters have said once more
    /// what is so anyway.
    pub(crate) fn share(&mut self, usual: &Self) {
        if *self.0 == *usual.0 {
            self.clone_from(usual);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_is_no_longer_shared_until_it_is_the_same_again() {
        let usual = Shareable::<u32>::default();
        let mut mine = usual.clone();
        assert!(Arc::ptr_eq(&mine.0, &usual.0));
        *mine = 7;
        mine.share(&usual);
        assert_eq!((*mine, *usual), (7, 0));
        *mine = 0;
        assert!(!Arc::ptr_eq(&mine.0, &usual.0));
        mine.share(&usual);
        assert!(Arc::ptr_eq(&mine.0, &usual.0));
    }
}
