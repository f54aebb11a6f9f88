//! `tests/specification.txt` names each numbered statement of MQTT once, and for each the tests that
//! prove our part of it.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{inventory, root};

/// How many statements appendix B of each version lists.
const TOTALS: [(&str, usize); 2] = [("3.1.1", 141), ("5.0", 251)];

/// The one number that a section leaves out: MQTT 5.0 begins 2.2.1 with 2.
const LEFT_OUT: (&str, Number) = ("5.0", Number([2, 2, 1, 1]));

/// The longest wording, in characters: it reminds of the statement and does not repeat it.
const LONGEST: usize = 100;

/// Section and place of a statement: the x.y.z-n of its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number([u16; 4]);

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (section, place) = text.split_once('-')?;
        let mut parts = section.split('.').chain([place]).map(|part| part.parse().ok());
        let number = Self([parts.next()??, parts.next()??, parts.next()??, parts.next()??]);
        // One way to write a number, so that it can be searched for.
        (parts.next().is_none() && number.to_string() == text).then_some(number)
    }

    /// The statement before it in its section.
    fn previous(self) -> Option<Self> {
        let Self([x, y, z, n]) = self;
        (n > 1).then(|| Self([x, y, z, n - 1]))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self([x, y, z, n]) = self;
        write!(f, "{x}.{y}.{z}-{n}")
    }
}

/// One statement.
struct Row<'a> {
    version: &'a str,
    number: Number,
    tests: Vec<&'a str>,
    has_reason: bool,
    /// What is still missing.
    missing: Vec<&'a str>,
}

/// The rows of the table, and what is wrong with its form.
fn parse(table: &str) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::<Row<'_>>::new(), Vec::new());
    for (index, line) in table.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let mut fault = |what: &str| faults.push(format!("line {}: {what}: {line}", index + 1));
        if !line.starts_with(' ') {
            match parse_statement(content) {
                Ok(row) => rows.push(row),
                Err(what) => fault(what),
            }
            continue;
        }
        let Some(row) = rows.last_mut() else {
            fault("a proof before the first statement");
            continue;
        };
        if let Some(reason) = content.strip_prefix("--") {
            row.has_reason = true;
            if reason.trim().is_empty() {
                fault("an empty reason");
            }
        } else if let Some(missing) = content.strip_prefix("??") {
            row.missing.push(missing.trim());
        } else if row.tests.contains(&content) {
            fault("a test that stands twice");
        } else {
            row.tests.push(content);
        }
    }
    (rows, faults)
}

fn parse_statement(line: &str) -> Result<Row<'_>, &'static str> {
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap_or_default();
    let (version, number, who) = (word(), word(), word());
    if TOTALS.iter().all(|&(known, _)| known != version) {
        return Err("no such version");
    }
    let number = Number::parse(number).ok_or("no number of a statement")?;
    if !["client", "server", "both"].contains(&who) {
        return Err("neither client nor server nor both");
    }
    let text: Vec<&str> = words.collect();
    match text.join(" ").chars().count() {
        0 => Err("no words"),
        length if length > LONGEST => Err("too many words"),
        _ => Ok(Row { version, number, tests: vec![], has_reason: false, missing: vec![] }),
    }
}

/// A tag in a source: version, number, and where it stands.
struct Citation {
    version: &'static str,
    number: String,
    place: String,
    /// Whether the source enforces the statement, which then needs a test.
    enforces: bool,
}

/// The tags in a source; one of 3.1.1 has its version before it, or is what one of 5.0 is mapped to.
fn citations(source: &str, place: &str, enforces: bool) -> Vec<Citation> {
    let mut found = Vec::new();
    for (at, tag) in source.match_indices("MQTT-") {
        let rest = &source[at + tag.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && !".-".contains(c));
        let number = rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', '-']);
        if number.is_empty() {
            continue;
        }
        let is_of_3_1_1 =
            ["3.1.1 ", "\" => \""].iter().any(|before| source[..at].ends_with(before));
        let version = if is_of_3_1_1 { "3.1.1" } else { "5.0" };
        let line = source[..at].lines().count();
        let place = format!("{place}:{line}");
        found.push(Citation { version, number: number.to_owned(), place, enforces });
    }
    found
}

/// Everything that is wrong with the table.
fn faults(
    table: &str,
    totals: &[(&str, usize)],
    exists: impl Fn(&str) -> bool,
    cited: &[Citation],
) -> Vec<String> {
    let (rows, mut faults) = parse(table);
    let mut by_number = BTreeMap::new();
    let mut last: Option<(usize, Number)> = None;
    for row in &rows {
        let Row { version, number, tests, has_reason, missing } = row;
        let mut fault = |what: String| faults.push(format!("{version} {number}: {what}"));
        if by_number.insert((*version, *number), row).is_some() {
            fault("stands twice".into());
        }
        let order = TOTALS.iter().position(|(known, _)| known == version).map(|at| (at, *number));
        if order < last {
            fault("stands behind a later one".into());
        }
        last = order;
        if let Some(previous) = number.previous()
            && !by_number.contains_key(&(*version, previous))
            && (*version, previous) != LEFT_OUT
        {
            fault(format!("{previous} is not there"));
        }
        if tests.is_empty() && !has_reason && missing.is_empty() {
            fault("has neither a test nor a reason".into());
        }
        missing.iter().for_each(|what| fault(format!("is still missing: {what}")));
        for test in tests.iter().filter(|test| !exists(test)) {
            fault(format!("names a test that does not exist: {test}"));
        }
    }
    for &(version, total) in totals {
        let rows = rows.iter().filter(|row| row.version == version).count();
        if rows != total {
            faults.push(format!("{version} has {rows} statements of {total}"));
        }
    }
    for Citation { version, number, place, enforces } in cited {
        let key = Number::parse(number).map(|number| (*version, number));
        match key.and_then(|key| by_number.get(&key)) {
            None => faults.push(format!("{place} names {version} {number}, which does not exist")),
            Some(row) if *enforces && row.tests.is_empty() && row.missing.is_empty() => {
                faults.push(format!("{place} enforces {version} {number}, which has no test"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// The tags in all Rust files below a folder.
fn cited_below(folder: &Path, enforces: bool) -> Vec<Citation> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| match path.is_dir() {
        true => cited_below(&path, enforces),
        false if path.extension().is_some_and(|extension| extension == "rs") => {
            let source = fs::read_to_string(&path).unwrap();
            citations(&source, &path.strip_prefix(root()).unwrap().to_string_lossy(), enforces)
        }
        false => Vec::new(),
    });
    below.collect()
}

#[test]
fn every_statement_has_its_proof() {
    let table = fs::read_to_string(root().join("tests/specification.txt")).unwrap();
    let tests = inventory::tests();
    let mut cited = cited_below(&root().join("core/src"), true);
    assert!(cited.len() > 100, "the sources name {} statements: they are not read", cited.len());
    for target in ["client", "engine", "protocol", "soundness", "src"] {
        cited.extend(cited_below(&root().join("tests").join(target), false));
    }
    let faults = faults(&table, &TOTALS, |test| tests.contains(test), &cited);
    assert!(faults.is_empty(), "tests/specification.txt:\n{}", faults.join("\n"));
}

const GOOD: &str = "\
# A comment.
3.1.1  1.1.1-1  client  Does one thing.
    engine::one
5.0    1.1.1-1  both    Does one thing.
    -- there is no such thing
5.0    1.1.1-2  server  Does another.
    engine::one
    tests/python/test_x.py::test_y
    -- and more
5.0    2.2.1-2  server  Has no first.
    engine::one
";

/// What is wrong when `from` stands as `to` in a good table.
#[track_caller]
fn wrong(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from));
    let table = GOOD.replacen(from, to, 1);
    let exists = |test: &str| ["engine::one", "tests/python/test_x.py::test_y"].contains(&test);
    faults(&table, &[("3.1.1", 1), ("5.0", 3)], exists, &[]).join("; ")
}

#[test]
fn a_good_table_has_no_fault() {
    assert_eq!(wrong("", ""), "");
}

#[test]
fn each_fault_of_a_table_is_found() {
    for (from, to, expected) in [
        ("    engine::one\n", "", "3.1.1 1.1.1-1: has neither a test nor a reason"),
        (
            "engine::one",
            "engine::two",
            "3.1.1 1.1.1-1: names a test that does not exist: engine::two",
        ),
        (
            "test_y",
            "test_z",
            "5.0 1.1.1-2: names a test that does not exist: tests/python/test_x.py::test_z",
        ),
        ("engine::one", "?? the thing", "3.1.1 1.1.1-1: is still missing: the thing"),
        ("-- there is no such thing", "--", "line 5: an empty reason:     --"),
        ("    -- and more", "    engine::one", "line 9: a test that stands twice:     engine::one"),
        ("1.1.1-2  server", "1.1.1-1  server", "5.0 1.1.1-1: stands twice"),
        ("1.1.1-2", "1.1.1-3", "5.0 1.1.1-3: 1.1.1-2 is not there"),
        ("2.2.1-2", "2.2.2-2", "5.0 2.2.2-2: 2.2.2-1 is not there"),
        ("2.2.1-2", "1.1.0-1", "5.0 1.1.0-1: stands behind a later one"),
        (
            "# A comment.",
            "    engine::one",
            "line 1: a proof before the first statement:     engine::one",
        ),
        ("client  Does", "clients Does", "line 2: neither client nor server nor both: "),
        ("5.0    2.2.1-2", "4.0    2.2.1-2", "line 10: no such version: "),
        ("2.2.1-2", "2.2.1.2", "line 10: no number of a statement: "),
        ("2.2.1-2", "2.2.01-2", "line 10: no number of a statement: "),
        ("client  Does one thing.", "client", "line 2: no words: "),
    ] {
        let found = wrong(from, to);
        assert!(found.starts_with(expected), "{from} as {to}: {found}");
    }
    let long = "x".repeat(LONGEST + 1);
    assert!(wrong("Has no first.", &long).starts_with("line 10: too many words"));
    let fewer = wrong("5.0    2.2.1-2  server  Has no first.\n    engine::one\n", "");
    assert_eq!(fewer, "5.0 has 2 statements of 3");
}

#[test]
fn the_numbers_in_the_sources_are_looked_up() {
    let found = |source: &str, enforces| {
        let cited = citations(source, "file.rs", enforces);
        faults(GOOD, &[], |_| true, &cited).join("; ")
    };
    assert_eq!(found("// [MQTT-1.1.1-2] \\[MQTT-2.2.1-2\\], \"3.1.1 MQTT-1.1.1-1\".", true), "");
    assert_eq!(found("// MQTT-CONNECT", true), "");
    assert_eq!(found("\"MQTT-1.1.1-2\" => \"MQTT-1.1.1-1\",", true), "");
    let missing = "names 5.0 1.1.1-3, which does not exist";
    assert_eq!(found("//\n// [MQTT-1.1.1-3].", true), format!("file.rs:2 {missing}"));
    let other_version = "file.rs:1 names 3.1.1 1.1.1-2, which does not exist";
    assert_eq!(found("[3.1.1 MQTT-1.1.1-2]", false), other_version);
    assert_eq!(found("[MQTT-1-1.1-2]", false), "file.rs:1 names 5.0 1-1.1-2, which does not exist");
    let unproved = "file.rs:1 enforces 5.0 1.1.1-1, which has no test";
    assert_eq!(found("[MQTT-1.1.1-1]", true), unproved);
    assert_eq!(found("[MQTT-1.1.1-1]", false), "");
}
