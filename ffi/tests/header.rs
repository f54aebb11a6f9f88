//! The committed headers are what the sources say; `UPDATE_HEADER=1` writes them anew.

mod header {
    pub(crate) mod contract;
    pub(crate) mod generate;
}

use std::{env, fs};

use header::{contract, generate};

#[test]
fn the_committed_headers_are_what_the_sources_say() {
    for header in &generate::HEADERS {
        let path = generate::include_directory().join(header.name);
        let generated = header.generate();
        if env::var_os("UPDATE_HEADER").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let first = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
        assert!(
            committed == generated,
            "{} differs from the sources, first at line {}; run this test with UPDATE_HEADER=1",
            header.name,
            first.map_or(0, |line| line + 1)
        );
    }
}

#[test]
fn the_headers_are_plain_ascii() {
    for header in &generate::HEADERS {
        let text = header.generate();
        let line = text.lines().find(|line| !line.is_ascii());
        assert_eq!(line, None, "{}", header.name);
    }
}

/// A source that names others as its modules would bring their functions along.
#[test]
fn no_function_is_declared_twice() {
    for header in &generate::HEADERS {
        let text = header.generate();
        let mut seen = std::collections::BTreeSet::new();
        for symbol in fs::read_to_string("symbols.txt").unwrap().lines() {
            let declared = text
                .lines()
                .filter(|line| {
                    !line.trim_start().starts_with('*') && line.contains(&format!("{symbol}("))
                })
                .count();
            assert!(declared <= 1, "{symbol} is declared {declared} times in {}", header.name);
            seen.insert((symbol.to_owned(), declared));
        }
        assert!(seen.iter().any(|(_, declared)| *declared == 1), "the test reads no header");
    }
}

/// What the conventions at the head of mqttsession.h promise of each function.
#[test]
fn every_function_keeps_the_conventions() {
    let text = generate::HEADERS[0].generate();
    let faults = contract::faults(&text);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Otherwise the check above would check nothing.
#[test]
fn a_function_that_breaks_the_conventions_is_found() {
    for (broken, fault) in contract::EXAMPLES {
        let faults = contract::faults(broken);
        assert!(faults.iter().any(|found| found.contains(fault)), "{fault}: {faults:?}");
    }
}
