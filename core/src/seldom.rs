//! Parts of a session that most sessions do not use most of the time.

/// A value that takes memory only while it is not at its default: ten thousand idle sessions are to be
/// small.
#[derive(Debug)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default> Seldom<T> {
    /// The value, unless it is at its default.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The same.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The value, for something to be put into it.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// Takes the value out, and its memory back.
    pub(crate) fn take(&mut self) -> T {
        self.0.take().map_or_else(T::default, |value| *value)
    }

    /// Takes the memory back if nothing is left in the value.
    pub(crate) fn free_if(&mut self, is_default: impl FnOnce(&T) -> bool) {
        self.0.take_if(|value| is_default(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_there_while_something_is_in_it() {
        let mut seldom = Seldom::<Vec<u8>>::default();
        assert_eq!(seldom.get(), None);
        assert!(seldom.take().is_empty());
        seldom.make().push(7);
        seldom.free_if(Vec::is_empty);
        assert_eq!(seldom.get_mut(), Some(&mut vec![7]));
        seldom.make().pop();
        seldom.free_if(Vec::is_empty);
        assert_eq!(seldom.get(), None);
        seldom.make().push(8);
        assert_eq!(seldom.take(), vec![8_u8]);
        assert_eq!(seldom.get(), None);
    }
}
