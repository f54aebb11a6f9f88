//! What messages carry: the payload tells whose message it is, and which.

/// The payload of a session's message, with so many bytes of padding.
pub(crate) fn payload(owner: usize, index: usize, padding: usize) -> Vec<u8> {
    let mut payload = format!("{owner}.{index}.").into_bytes();
    payload.resize(payload.len() + padding, b'-');
    payload
}

/// Whose message it is, and which.
pub(crate) fn origin(payload: &[u8]) -> (usize, usize) {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(owner)), Some(Ok(index))) => (owner, index),
        _ => panic!("a message that was never published: {text:?}"),
    }
}

/// The payload of a copy that the broker sends.
pub(crate) fn copy_payload(copy: usize) -> Vec<u8> {
    format!("copy {copy}").into_bytes()
}

/// Which copy it is.
pub(crate) fn copy_of(payload: &[u8]) -> usize {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let number = text.strip_prefix("copy ").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("a message that the broker never sent: {text:?}"))
}
