//! The CHANGELOG names every C symbol and every public Python name.

use std::{collections::BTreeSet, fs};

use crate::root;

/// The words of the CHANGELOG that stand in backquotes, split where a list does.
fn named() -> BTreeSet<String> {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let quoted = changelog.split('`').skip(1).step_by(2);
    let words =
        quoted.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.'));
    words.map(str::to_owned).collect()
}

#[test]
fn every_c_symbol_is_in_the_changelog() {
    let named = named();
    let symbols = fs::read_to_string(root().join("ffi/symbols.txt")).unwrap();
    let missing: Vec<&str> =
        symbols.lines().filter(|symbol| !symbol.is_empty() && !named.contains(*symbol)).collect();
    assert!(missing.is_empty(), "not in CHANGELOG.md: {missing:?}");
}

#[test]
fn every_python_name_is_in_the_changelog() {
    let named = named();
    let package = root().join("python/python/mqttsession");
    for module in ["__init__", "aio", "wlanguage", "testing"] {
        let source = fs::read_to_string(package.join(format!("{module}.py"))).unwrap();
        let list = source.split_once("__all__ = [").expect("each module lists its names").1;
        let list = list.split_once(']').expect("the list ends").0;
        for name in list.split('"').skip(1).step_by(2) {
            let name = match module {
                "__init__" => name.to_owned(),
                module => format!("{module}.{name}"),
            };
            assert!(named.contains(&name), "not in CHANGELOG.md: {name}");
        }
    }
}
