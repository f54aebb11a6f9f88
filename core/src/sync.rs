//! Locks and conditions, the standard library's without its poison: a panic of the program's is caught
//! where the program is called, with no lock held.
//!
//! Each of them is whole in itself. A child of fork has locks of its own to work with, so none may share
//! state with those that the parent's threads waited for: a table of all waiting threads, as other
//! implementations have, is inherited with threads in it that do not exist in the child, and whoever
//! waits behind one of those is never woken.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        self, PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Mutual exclusion.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// The right to use what a [`Mutex`] holds.
pub(crate) struct MutexGuard<'a, T> {
    /// Missing while a [`Condvar`] has it.
    held: Option<sync::MutexGuard<'a, T>>,
}

/// A condition to wait for, with one mutex.
///
/// Where nobody waits, telling costs no system call. So what is waited for has to change, or the mutex be
/// taken after the change, before it is told: whoever waits was counted under the mutex.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    condition: sync::Condvar,
    /// How many threads wait. A child of fork may have some too many here, and tells in vain.
    waiting: AtomicUsize,
}

/// Many readers or one writer.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let held = self.try_lock().unwrap_or_else(|| self.lock_contended());
        MutexGuard { held: Some(held) }
    }

    #[inline]
    fn try_lock(&self) -> Option<sync::MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Another thread has it. What is done under a lock is short, so it is looked for a while whether
    /// it is free again, at growing intervals: to sleep, and to be woken, costs more than most waits.
    #[cold]
    fn lock_contended(&self) -> sync::MutexGuard<'_, T> {
        for round in 0..SPINS + YIELDS {
            match round < SPINS {
                true => (0..2 << round).for_each(|_| std::hint::spin_loop()),
                false => std::thread::yield_now(),
            }
            if let Some(held) = self.try_lock() {
                return held;
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a thread that waits for a lock looks again without leaving the processor, and how often
/// it then lets others run first.
const SPINS: u32 = 3;
const YIELDS: u32 = 7;

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.held.as_ref().expect("no condition is waited for")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("no condition is waited for")
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self { condition: sync::Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    /// Lets go of the mutex until it is told to look again, or earlier for no reason.
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let Some(held) = guard.held.take() else { return };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let held = self.condition.wait(held).unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard.held = Some(held);
    }

    /// The same, for at most this long; whether that has passed.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, most: Duration) -> bool {
        let Some(held) = guard.held.take() else { return false };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waited = self.condition.wait_timeout(held, most);
        let (held, result) = waited.unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard.held = Some(held);
        result.timed_out()
    }

    /// The same, until then.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        self.wait_for(guard, deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn notify_one(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.condition.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.condition.notify_all();
        }
    }
}

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }
}
