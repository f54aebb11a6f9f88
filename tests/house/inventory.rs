//! Every test there is, by the name that `specification.txt` calls it: found in the sources, so that
//! a name in the table cannot outlive its test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::root;

/// What runs the rows of `violations.txt`.
const ROWS_RUNNER: &str = "engine::violation::every_row_is_answered_and_explained";

/// The names of all tests that run: Rust tests that are not ignored, the rows of a table that one of
/// them runs, Python tests, and the C and C++ programs that the tests of `ffi` build.
pub(crate) fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect("core", &root().join("core/src/lib.rs"), &mut found);
    for (target, path) in targets() {
        collect(&target, &root().join("tests").join(path), &mut found);
    }
    if found.contains(ROWS_RUNNER) {
        let table = fs::read_to_string(root().join("tests/violations.txt")).unwrap();
        found.extend(rows(&table).map(|name| format!("tests/violations.txt::{name}")));
    }
    for path in files("tests/python") {
        let source = fs::read_to_string(&path).unwrap();
        found.extend(python(&source).map(|name| format!("{}::{name}", shown(&path))));
    }
    let runners = files("ffi/tests").into_iter().chain(files("ffi/tests/programs"));
    let runners: String = runners.map(|path| fs::read_to_string(path).unwrap()).collect();
    for path in files("tests/c").into_iter().chain(files("tests/cpp")) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let is_run = runners.contains(&format!("\"{stem}\""));
        if path.extension().is_some_and(|extension| extension == "c" || extension == "cpp")
            && is_run
        {
            found.insert(shown(&path));
        }
    }
    found
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// The test targets of the support crate: name and root file.
fn targets() -> Vec<(String, String)> {
    let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_start_matches([' ', '=']).trim_matches('"').to_owned())
    };
    let blocks = manifest.split("[[test]]").skip(1);
    blocks.map(|block| value(block, "name").zip(value(block, "path")).unwrap()).collect()
}

/// Adds the tests of a Rust file and of the modules that it declares.
fn collect(module: &str, path: &Path, found: &mut BTreeSet<String>) {
    let source = fs::read_to_string(path).unwrap();
    let Module { tests, files } = rust(&source);
    found.extend(tests.into_iter().map(|test| format!("{module}::{test}")));
    let folder = path.parent().unwrap();
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let is_root = !module.contains("::") || stem == "mod";
    let folder = if is_root { folder.to_owned() } else { folder.join(stem) };
    for name in files {
        let candidates = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
        let file = candidates.iter().find(|file| file.exists());
        let file = file.unwrap_or_else(|| panic!("{} declares `{name}`", path.display()));
        collect(&format!("{module}::{name}"), file, found);
    }
}

/// What a Rust file holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Module {
    /// Its tests, with the inline modules before the name.
    tests: Vec<String>,
    /// The modules in files of their own.
    files: Vec<String>,
}

/// Reads a file as rustfmt leaves it: an attribute is a line, and an inline module of a file ends
/// with the first brace that is not indented.
fn rust(source: &str) -> Module {
    let mut module = Module::default();
    let mut inline = String::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines() {
        let code = line.trim_start();
        if line == "}" {
            inline.clear();
        } else if let Some(name) = declared(line, "mod ") {
            match line.ends_with('{') {
                true => inline = format!("{name}::"),
                false => module.files.push(name.to_owned()),
            }
        } else if code == "#[test]" || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if code.starts_with("#[ignore") {
            is_ignored = true;
        } else if let Some(name) = declared(code.trim_start_matches("async "), "fn ") {
            if std::mem::take(&mut is_test) && !is_ignored {
                module.tests.push(format!("{inline}{name}"));
            }
            is_ignored = false;
        }
    }
    module
}

/// The name behind a keyword that begins a declaration, whatever its visibility.
fn declared<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    let rest = line.strip_prefix(keyword)?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The names of the rows of `violations.txt`, each the first of the columns of a line.
fn rows(table: &str) -> impl Iterator<Item = &str> {
    let lines = table.lines().filter(|line| !line.starts_with([' ', '#']));
    lines.filter_map(|line| line.split_once(" | ").map(|(name, _)| name))
}

/// The test functions of a Python file.
fn python(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        let name = line.strip_prefix("def ")?.split('(').next()?;
        name.starts_with("test_").then_some(name)
    })
}

#[test]
fn tests_are_found_where_they_stand() {
    let found = tests();
    for name in [
        "house::inventory::tests_are_found_where_they_stand",
        "protocol::golden::connect::connect",
        "protocol::round_trip::connect",
        "engine::window::no_more_are_in_flight_than_the_session_allows",
        "process::shutdown_closes_every_session_after_its_last_callback",
        "core::engine::router::tests::agrees_with_the_definition_of_a_match",
        "core::transport::tests::tcp::bytes_go_both_ways",
        "tests/violations.txt::publish-qos-3",
        "tests/python/test_aio.py::test_messages_come_back",
        "tests/c/misuse.c",
        "tests/cpp/value.cpp",
    ] {
        assert!(found.contains(name), "{name} is not found");
    }
    for name in ["engine::pair::persist", "tests/c/check.h", "protocol::golden::golden"] {
        assert!(!found.contains(name), "{name} is no test");
    }
}

#[test]
fn only_tests_that_run_are_tests() {
    // Line by line, or these would be taken for declarations of this file.
    let source = [
        "mod other;",
        "pub(crate) mod third;",
        "fn helper() {}",
        "#[test]",
        "#[should_panic]",
        "fn first() {}",
        "#[test]",
        "#[ignore = \"slow\"]",
        "fn never() {}",
        "proptest! {",
        "    #[test]",
        "    fn second(of in any::<u8>()) {}",
        "}",
        "#[cfg(test)]",
        "mod tests {",
        "    #[tokio::test(start_paused = true)]",
        "    async fn inner() {}",
        "}",
        "#[test]",
        "fn last() {}",
    ];
    let expected = Module {
        tests: ["first", "second", "tests::inner", "last"].map(str::to_owned).into(),
        files: ["other", "third"].map(str::to_owned).into(),
    };
    assert_eq!(rust(&source.join("\n")), expected);
    let table =
        "# name | versions\n\nfirst-row | all | online\n    The broker | sent it\nsecond | 5.0\n";
    assert!(rows(table).eq(["first-row", "second"]));
    let source = "def helper():\nasync def test_one(a):\n    def test_inner():\ndef test_two():\n";
    assert!(python(source).eq(["test_one", "test_two"]));
}
