//! The only place where raw pointers become references, boxes and back.
//!
//! Three ways to hold an object: `give`/`take` for one that C owns alone, `share`/`unshare` for
//! one that callbacks keep alive beyond its free, and `borrow` for either during a call.

use std::{
    ffi::c_char,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use mqttsession::error::{Code, Error, Result};

/// How many objects C owns at this moment.
static LIVE: AtomicU64 = AtomicU64::new(0);

/// The number of objects that have been given to C and not taken back.
pub(crate) fn live() -> u64 {
    LIVE.load(Ordering::Relaxed)
}

/// Gives an object to C.
pub(crate) fn give<T>(object: T) -> *mut T {
    LIVE.fetch_add(1, Ordering::Relaxed);
    Box::into_raw(Box::new(object))
}

/// Takes back what [`give`] gave; nothing for NULL.
///
/// # Safety
/// The pointer is NULL, or comes from `give` and is not used again.
pub(crate) unsafe fn take<T>(object: *mut T) -> Option<Box<T>> {
    if object.is_null() {
        return None;
    }
    LIVE.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: not NULL, and by the caller's promise made by Box::into_raw in `give`.
    Some(unsafe { Box::from_raw(object) })
}

/// Gives C a share of an object.
pub(crate) fn share<T>(object: Arc<T>) -> *mut T {
    LIVE.fetch_add(1, Ordering::Relaxed);
    Arc::into_raw(object).cast_mut()
}

/// Takes a further share of an object for a call, so that a free on another thread waits for it.
///
/// # Safety
/// The pointer is NULL, or comes from `share` and has not been given to `unshare`.
pub(crate) unsafe fn hold<T>(object: *const T, name: &str) -> Result<Arc<T>> {
    if object.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL, and by the caller's promise made by Arc::into_raw in `share`.
    unsafe { Arc::increment_strong_count(object) };
    // SAFETY: the same; this owns the count that was just added.
    Ok(unsafe { Arc::from_raw(object) })
}

/// Takes back what [`share`] gave; nothing for NULL.
///
/// # Safety
/// The pointer is NULL, or comes from `share` and is not used again.
pub(crate) unsafe fn unshare<T>(object: *mut T) -> Option<Arc<T>> {
    if object.is_null() {
        return None;
    }
    LIVE.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: not NULL, and by the caller's promise made by Arc::into_raw in `share`.
    Some(unsafe { Arc::from_raw(object) })
}

/// Borrows an object for a call.
///
/// # Safety
/// The pointer is NULL or points to a living `T` that nobody changes for the lifetime `'a`.
#[inline]
pub(crate) unsafe fn borrow<'a, T>(object: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { object.as_ref() }.ok_or_else(|| null(name))
}

/// Borrows an object that may be absent.
///
/// # Safety
/// As for [`borrow`].
#[inline]
pub(crate) unsafe fn borrow_optional<'a, T>(object: *const T) -> Option<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { object.as_ref() }
}

/// Borrows an object to change it.
///
/// # Safety
/// The pointer is NULL or points to a living `T` that nobody else uses for the lifetime `'a`.
#[inline]
pub(crate) unsafe fn borrow_mut<'a, T>(object: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { object.as_mut() }.ok_or_else(|| null(name))
}

/// Borrows an array.
///
/// # Safety
/// The pointer is NULL, or points to `count` values that nobody changes for the lifetime `'a`.
#[inline]
pub(crate) unsafe fn array<'a, T>(first: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() {
        return Err(null(name));
    }
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("The size of `{name}` is more than any memory holds"),
        ));
    }
    // SAFETY: not NULL, not longer than an allocation can be, and the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

/// A place of the caller's for a result.
pub(crate) struct Output<T>(*mut T);

impl<T> Output<T> {
    /// A place that the caller must have.
    #[inline]
    pub(crate) fn required(place: *mut T, name: &str) -> Result<Self> {
        if place.is_null() { Err(null(name)) } else { Ok(Self(place)) }
    }

    /// A place that the caller may have left out.
    #[inline]
    pub(crate) fn optional(place: *mut T) -> Self {
        Self(place)
    }

    /// Writes the result, if there is a place for it.
    ///
    /// # Safety
    /// The place is NULL or writable, and holds nothing that has to be dropped.
    #[inline]
    pub(crate) unsafe fn write(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not NULL, and the caller's promise.
            unsafe { self.0.write(value) };
        }
    }
}

/// Writes results into an array of the caller's, if there is one; never more than it holds.
///
/// # Safety
/// The pointer is NULL, or points to `count` places that are writable and hold nothing that has to be
/// dropped.
pub(crate) unsafe fn write_array<T>(
    first: *mut T,
    count: usize,
    values: impl IntoIterator<Item = T>,
) {
    if first.is_null() {
        return;
    }
    for (place, value) in values.into_iter().take(count).enumerate() {
        // SAFETY: not NULL, and by the caller's promise one of its places.
        let place = unsafe { first.add(place) };
        // SAFETY: the same.
        unsafe { place.write(value) };
    }
}

impl Output<c_char> {
    /// Writes a text and its NUL, cut off where the buffer ends.
    ///
    /// # Safety
    /// The place has room for `capacity` bytes, at least one.
    pub(crate) unsafe fn write_text(self, text: &str, capacity: usize) {
        // SAFETY: the caller's promise.
        let buffer = unsafe { std::slice::from_raw_parts_mut(self.0.cast::<u8>(), capacity) };
        let fits = |&length: &usize| text.is_char_boundary(length);
        let length = (0..capacity.min(text.len() + 1)).rev().find(fits).unwrap_or(0);
        buffer[..length].copy_from_slice(&text.as_bytes()[..length]);
        buffer[length] = 0;
    }
}

/// The error for a pointer that is NULL and must not be.
#[cold]
pub(crate) fn null(name: &str) -> Error {
    Error::new(Code::InvalidArgument, format!("`{name}` must not be NULL"))
}
