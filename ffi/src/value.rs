//! Views of bytes, and time limits.
//!
//! Everything that goes between C and Rust and is no object; nothing that C gives is believed.

use std::{
    ffi::{CStr, c_char, c_void},
    str::Utf8Error,
    time::Duration,
};

use mqttsession::{
    error::{Code, Error, Result},
    protocol::{QoS, ReasonCode},
};

use crate::handle;

/// No limit of time, for every `timeout_ms`.
pub const MQTT_FOREVER: i64 = -1;

/// Bytes, or UTF-8 text, that an object of the library shows.
///
/// It is not ended with NUL. `data` is never NULL, also when `size` is 0. It lives as long as the
/// object that gave it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mqtt_view {
    /// The first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub size: usize,
}

impl mqtt_view {
    pub(crate) const EMPTY: Self = Self::new(&[]);

    pub(crate) const fn new(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }
}

/// The UTF-8 text that C gave.
///
/// # Safety
/// The pointer is NULL, or points to a NUL-terminated text that nobody changes for `'a`.
#[inline]
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(handle::null(name));
    }
    // SAFETY: not NULL, and the caller's promise.
    unsafe { utf8(text, name) }
}

/// The UTF-8 text that C gave, or nothing for NULL.
///
/// # Safety
/// As for [`text`].
#[inline]
pub(crate) unsafe fn optional_text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller's promise.
    unsafe { utf8(text, name) }.map(Some)
}

/// The same of what is not NULL.
///
/// # Safety
/// As for [`text`], without NULL.
#[inline]
unsafe fn utf8<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    // Topics are short, and ASCII most often: that is seen quicker than that they are UTF-8.
    if text.to_bytes().is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Ok(unsafe { str::from_utf8_unchecked(text.to_bytes()) });
    }
    text.to_str().map_err(|cause| not_utf8(name, cause))
}

#[cold]
fn not_utf8(name: &str, cause: Utf8Error) -> Error {
    Error::new(Code::InvalidUtf8, format!("`{name}` is not valid UTF-8")).with_source(cause)
}

/// The texts of an array that C gave.
///
/// # Safety
/// The pointer is NULL, or points to `count` pointers as for [`text`].
pub(crate) unsafe fn texts<'a>(
    texts: *const *const c_char,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>> {
    // SAFETY: the caller's promise.
    let texts = unsafe { handle::array(texts, count, name) }?;
    // SAFETY: the same.
    texts.iter().map(|&text| unsafe { self::text(text, name) }).collect()
}

/// The bytes that C gave.
///
/// # Safety
/// The pointer is NULL, or points to `size` bytes that nobody changes for `'a`.
#[inline]
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: usize, name: &str) -> Result<&'a [u8]> {
    // SAFETY: the caller's promise.
    unsafe { handle::array(data.cast(), size, name) }
}

/// A copy of bytes that C gave, of which MQTT carries at most 65,535.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn short(data: *const c_void, size: usize, name: &str) -> Result<Vec<u8>> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(data, size, name) }?;
    if bytes.len() > usize::from(u16::MAX) {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("`{name}` has at most 65,535 bytes"),
        ));
    }
    Ok(bytes.to_vec())
}

/// A quality of service.
#[inline]
pub(crate) fn qos(value: i32) -> Result<QoS> {
    u8::try_from(value).ok().and_then(QoS::from_u8).ok_or_else(|| {
        Error::new(
            Code::InvalidQos,
            format!("The quality of service must be 0, 1 or 2, and not {value}"),
        )
    })
}

/// A reason code of MQTT 5.0.
pub(crate) fn reason(value: i32) -> Result<ReasonCode> {
    u8::try_from(value).ok().and_then(ReasonCode::from_u8).ok_or_else(|| {
        Error::new(Code::InvalidArgument, format!("MQTT has no reason code {value}"))
    })
}

/// A duration in milliseconds.
pub(crate) fn duration(milliseconds: i64, name: &str) -> Result<Duration> {
    u64::try_from(milliseconds)
        .map(Duration::from_millis)
        .map_err(|_| Error::new(Code::InvalidArgument, format!("`{name}` must not be negative")))
}

/// A duration in milliseconds, MQTT_FOREVER for none.
pub(crate) fn optional_duration(milliseconds: i64, name: &str) -> Result<Option<Duration>> {
    match milliseconds {
        MQTT_FOREVER => Ok(None),
        _ => duration(milliseconds, name).map(Some),
    }
}

/// A time that never passes, where one must be given: it is added to the present moment, which
/// must not overflow.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A number that fits its type.
pub(crate) fn number<T: TryFrom<i64>>(value: i64, name: &str) -> Result<T> {
    T::try_from(value).map_err(|_| out_of_range(value, name))
}

/// The error for a number that means nothing.
#[cold]
pub(crate) fn out_of_range(value: i64, name: &str) -> Error {
    Error::new(Code::InvalidArgument, format!("`{name}` is out of range: {value}"))
}

/// How long a call waits.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    /// It starts the thing and returns.
    No,
    /// At most this long, or for ever.
    For(Option<Duration>),
}

impl Wait {
    /// The wait of a `timeout_ms`.
    pub(crate) fn new(timeout_ms: i64) -> Result<Self> {
        match timeout_ms {
            0 => Ok(Self::No),
            _ => timeout(timeout_ms).map(Self::For),
        }
    }
}

/// The longest time to wait of a `timeout_ms`; nothing is for ever.
pub(crate) fn timeout(timeout_ms: i64) -> Result<Option<Duration>> {
    match timeout_ms {
        MQTT_FOREVER => Ok(None),
        _ => u64::try_from(timeout_ms).map(|ms| Some(Duration::from_millis(ms))).map_err(|_| {
            Error::new(Code::InvalidArgument, "`timeout_ms` must be 0 or more, or MQTT_FOREVER")
        }),
    }
}
