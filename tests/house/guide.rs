//! What `docs/guide.md` and the README name exists: C functions, and errors of the table.

use std::{collections::HashSet, fs};

use mqttsession::error::Code;

use super::root;

/// The words between backticks.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    document.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

fn is_function(word: &str) -> bool {
    word.starts_with("mqtt_")
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_error(word: &str) -> bool {
    word.len() > 4 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[test]
fn every_name_of_the_guide_exists() {
    let symbols = fs::read_to_string(root().join("ffi/symbols.txt")).unwrap();
    let symbols: HashSet<&str> = symbols.lines().collect();
    let errors: HashSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    for name in ["docs/guide.md", "README.md"] {
        let document = fs::read_to_string(root().join(name)).unwrap();
        let functions = quoted(&document).filter(|word| is_function(word));
        let unknown: Vec<_> = functions.filter(|word| !symbols.contains(word)).collect();
        assert_eq!(unknown, [""; 0], "{name}");
        let named = quoted(&document).filter(|word| is_error(word));
        let unknown: Vec<_> = named.filter(|word| !errors.contains(word)).collect();
        assert_eq!(unknown, [""; 0], "{name}");
    }
}

#[test]
fn names_are_found_in_prose_and_not_in_programs() {
    let document = "a `mqtt_x` and `TIMEOUT`\n```c\nx = `mqtt_y`;\n```\n`mqtt_z(1)`";
    let words: Vec<_> = quoted(document).collect();
    assert_eq!(words, ["mqtt_x", "TIMEOUT", "mqtt_z(1)"]);
    assert!(is_function("mqtt_x") && !is_function("mqtt_z(1)") && is_error("TIMEOUT"));
}
