//! Topics and filters: which are valid, and which filter matches which topic.

use super::Violation;

/// What is wrong with a topic or a filter; as a caller's mistake it prints as what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// It has no characters.
    #[error("it is empty")]
    Empty,
    /// It has more than 65,535 bytes.
    #[error("it is longer than 65,535 bytes")]
    TooLong,
    /// It is not valid UTF-8.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// It holds U+0000.
    #[error("it holds the character U+0000")]
    Nul,
    /// A topic holds `+` or `#`.
    #[error("it holds a wildcard, which only a filter may")]
    Wildcard,
    /// `#` in a filter is not a level of its own, or not the last one.
    #[error("`#` must be a level of its own, and the last one")]
    MultiLevelWildcard,
    /// `+` in a filter is not a level of its own.
    #[error("`+` must be a level of its own")]
    SingleLevelWildcard,
    /// A filter that starts with `$share/` has no share name.
    #[error("`$share/` must be followed by the name of a group")]
    ShareName,
    /// A filter that starts with `$share/` has a wildcard in its share name, or no filter behind it.
    #[error("a filter must read `$share/group/filter`, without a wildcard in the group")]
    ShareFilter,
}

impl TopicError {
    /// The same as a broken rule of the other side.
    pub const fn violation(self) -> Violation {
        match self {
            Self::Empty => Violation::malformed("with an empty topic", "MQTT-4.7.3-1"),
            Self::TooLong => {
                Violation::malformed("with a topic longer than 65,535 bytes", "MQTT-4.7.3-3")
            }
            Self::NotUtf8 => {
                Violation::malformed("with a topic that is not valid UTF-8", "MQTT-1.5.4-1")
            }
            Self::Nul => Violation::malformed("with U+0000 in its topic", "MQTT-4.7.3-2"),
            Self::Wildcard => Violation::malformed("with a wildcard in its topic", "MQTT-4.7.0-1"),
            Self::MultiLevelWildcard => {
                Violation::malformed("with a misplaced # in a filter", "MQTT-4.7.1-1")
            }
            Self::SingleLevelWildcard => {
                Violation::malformed("with a misplaced + in a filter", "MQTT-4.7.1-2")
            }
            Self::ShareName => {
                Violation::malformed("with a shared filter without a name", "MQTT-4.8.2-1")
            }
            Self::ShareFilter => {
                Violation::malformed("with a misspelt shared filter", "MQTT-4.8.2-2")
            }
        }
    }
}

/// The topic, if a message may have it.
///
/// # Errors
///
/// It is empty, longer than 65,535 bytes, not UTF-8, or holds U+0000, `+` or `#`.
#[inline]
pub fn check_name(topic: &[u8]) -> Result<&str, TopicError> {
    check_characters(topic)?;
    std::str::from_utf8(topic).map_err(|_| TopicError::NotUtf8)
}

/// [`check_name`] of what is UTF-8 by its type.
///
/// # Errors
///
/// As for `check_name`.
#[inline]
pub fn check_name_str(topic: &str) -> Result<(), TopicError> {
    check_characters(topic.as_bytes())
}

/// All of [`check_name`] but UTF-8.
#[inline]
pub(super) fn check_characters(topic: &[u8]) -> Result<(), TopicError> {
    check_length(topic)?;
    if !holds_forbidden(topic) {
        return Ok(());
    }
    // [MQTT-4.7.3-2] [MQTT-4.7.0-1]
    Err(if topic.contains(&0) { TopicError::Nul } else { TopicError::Wildcard })
}

/// Whether there is a U+0000, `+` or `#`: eight bytes at a time, for every message passes here.
#[inline]
fn holds_forbidden(topic: &[u8]) -> bool {
    // The last eight may overlap those before them, which is quicker than to take bytes singly.
    if let Some(last) = topic.last_chunk() {
        let (eights, _) = topic.as_chunks();
        return eights
            .iter()
            .fold(forbidden_in(*last), |found, &eight| found | forbidden_in(eight));
    }
    if let (Some(first), Some(last)) = (topic.first_chunk::<4>(), topic.last_chunk::<4>()) {
        let halves = [u32::from_le_bytes(*first), u32::from_le_bytes(*last)].map(u64::from);
        return forbidden_in((halves[0] | halves[1] << 32).to_le_bytes());
    }
    topic.iter().any(|&byte| matches!(byte, 0 | b'+' | b'#'))
}

/// Whether one of these is forbidden.
#[inline]
fn forbidden_in(bytes: [u8; 8]) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let bytes = u64::from_le_bytes(bytes);
    // Borrows into a byte's highest bit only where there is a zero, or above one.
    let has_zero = |bytes: u64| bytes.wrapping_sub(EACH) & !bytes & (EACH << 7) != 0;
    // `#` is 0x23, `+` 0x2B: they differ in one bit.
    has_zero(bytes) | has_zero((bytes | (EACH * 0x08)) ^ (EACH * 0x2B))
}

/// The filter, if one may subscribe to it. The rules of `$share/` hold in every version.
///
/// # Errors
///
/// It is empty, longer than 65,535 bytes, not UTF-8, holds U+0000, has a wildcard in the wrong
/// place, or starts with `$share/` and does not go on with a group and a filter.
pub fn check_filter(filter: &[u8]) -> Result<&str, TopicError> {
    check_length(filter)?;
    let filter = std::str::from_utf8(filter).map_err(|_| TopicError::NotUtf8)?;
    // [MQTT-4.7.3-2]
    if filter.as_bytes().contains(&0) {
        return Err(TopicError::Nul);
    }
    let Some(shared) = filter.strip_prefix("$share/") else {
        return check_levels(filter).map(|()| filter);
    };
    let (group, inner) = shared.split_once('/').unwrap_or((shared, ""));
    // [MQTT-4.8.2-1]
    if group.is_empty() {
        return Err(TopicError::ShareName);
    }
    // [MQTT-4.8.2-2]
    if inner.is_empty() || group.contains(['+', '#']) {
        return Err(TopicError::ShareFilter);
    }
    check_levels(inner).map(|()| filter)
}

/// The group and the filter of a shared subscription's filter, `$share/group/filter`.
pub fn share_filter(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/")?.split_once('/')
}

/// Whether messages with this topic go to subscriptions with this filter. Both must be valid; of a
/// shared filter it is the part that [`share_filter`] returns.
pub fn matches(filter: &str, topic: &str) -> bool {
    // [MQTT-4.7.2-1] A wildcard in the first level does not reach the server's own topics.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            // Also the parent level itself: `a/#` matches `a`.
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[inline]
fn check_length(text: &[u8]) -> Result<(), TopicError> {
    match text.len() {
        // [MQTT-4.7.3-1]
        0 => Err(TopicError::Empty),
        1..=0xFFFF => Ok(()),
        // [MQTT-4.7.3-3]
        _ => Err(TopicError::TooLong),
    }
}

fn check_levels(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/');
    while let Some(level) = levels.next() {
        // [MQTT-4.7.1-1]
        if level.contains('#') && (level != "#" || levels.next().is_some()) {
            return Err(TopicError::MultiLevelWildcard);
        }
        // [MQTT-4.7.1-2]
        if level.contains('+') && level != "+" {
            return Err(TopicError::SingleLevelWildcard);
        }
    }
    Ok(())
}
