//! A client id as the name of a directory, and the names within it.

use std::path::Path;

/// Names longer than this are cut, and told apart by a checksum: file systems take 255 bytes, some of
/// them fewer.
const LONGEST: usize = 120;
/// What is kept of a name that is too long.
const KEPT: usize = 80;

/// The base.
pub(super) const BASE: &str = "base";
/// The base while it is made.
pub(super) const BASE_DRAFT: &str = "base.draft";
/// A log while it is made.
pub(super) const LOG_DRAFT: &str = "log.draft";
/// What is locked.
pub(super) const LOCK: &str = "lock";
/// How the names of files end that a repair has set aside.
pub(super) const DAMAGED: &str = ".damaged";

/// The directory of a client id. Different ids have different ones also where the file system does not
/// tell upper case from lower; for ids whose names had to be cut that is nearly certain, and the log's
/// header has the last word.
pub(super) fn of_client(client_id: &str) -> String {
    let mut name = String::with_capacity(client_id.len() + 8);
    for (at, byte) in client_id.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.is_empty() {
        // No client id has this name: a percent sign is escaped.
        name.push('%');
    }
    if name.len() > LONGEST {
        let sum = fnv(client_id.as_bytes());
        name.truncate(KEPT);
        name.push_str(&format!("%{sum:016x}"));
    }
    name
}

/// FNV-1a, which spreads short texts well enough.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a file in a store's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Lock,
    Base,
    Log(u64),
    /// What was not finished when the process died.
    Draft,
    /// What a repair has set aside.
    Damaged,
    Strange,
}

/// The log of a number.
pub(super) fn of_log(number: u64) -> String {
    format!("log-{number}")
}

/// What a file is, by its name.
pub(super) fn kind(name: &Path) -> Kind {
    let Some(name) = name.to_str() else { return Kind::Strange };
    match name {
        LOCK => Kind::Lock,
        BASE => Kind::Base,
        BASE_DRAFT | LOG_DRAFT => Kind::Draft,
        _ if name.ends_with(DAMAGED) => Kind::Damaged,
        _ => {
            let number = name.strip_prefix("log-").and_then(|number| number.parse().ok());
            number.filter(|number| of_log(*number) == name).map_or(Kind::Strange, Kind::Log)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_becomes_a_name_that_every_file_system_takes() {
        for (id, name) in [
            ("sensor-1_a.b", "sensor-1_a.b"),
            ("", "%"),
            ("..", "%2e."),
            ("Kitchen/1", "%4bitchen%2f1"),
            ("50%", "50%25"),
            ("ä", "%c3%a4"),
            ("con:", "con%3a"),
        ] {
            assert_eq!(of_client(id), name);
        }
        let [one, two] = ["1", "2"].map(|end| of_client(&("x".repeat(200) + end)));
        assert_eq!((one.len(), one.len()), (97, two.len()));
        assert_ne!(one, two);
        assert_eq!(of_client(&"x".repeat(120)), "x".repeat(120));
        assert!(of_client(&"Ä".repeat(100)).len() <= LONGEST);
    }

    #[test]
    fn a_file_is_known_by_its_name_alone() {
        for (name, expected) in [
            ("lock", Kind::Lock),
            ("base", Kind::Base),
            ("base.draft", Kind::Draft),
            ("log.draft", Kind::Draft),
            ("log-12", Kind::Log(12)),
            ("log-012", Kind::Strange),
            ("log-+1", Kind::Strange),
            ("log-", Kind::Strange),
            ("log-99999999999999999999", Kind::Strange),
            ("base.9.damaged", Kind::Damaged),
            ("Log-1", Kind::Strange),
        ] {
            assert_eq!(kind(Path::new(name)), expected, "{name}");
        }
    }
}
