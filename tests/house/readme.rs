//! The README's programs are those of `examples/`, which the demo and the tests run.

use std::fs;

use crate::root;

/// `UPDATE_README=1` writes the programs into the README anew.
#[test]
fn the_programs_in_the_readme_are_those_that_are_tested() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut expected = String::new();
    let mut rest = readme.as_str();
    let mut programs = 0;
    while let Some(at) = rest.find("<!-- file: ") {
        let (before, marked) = rest.split_at(at);
        let (marker, after) = marked.split_once('\n').expect("a block follows");
        let file = marker.trim_start_matches("<!-- file: ").trim_end_matches(" -->");
        let (fence, after) = after.split_once('\n').expect("a fence follows");
        assert!(fence.starts_with("```"), "{marker} is not followed by a block");
        let end = if after.starts_with("```") { 0 } else { after.find("\n```").unwrap() + 1 };
        let program = fs::read_to_string(root().join(file)).unwrap();
        expected += &format!("{before}{marker}\n{fence}\n{program}");
        rest = &after[end..];
        programs += 1;
    }
    expected += rest;
    assert_eq!(programs, 10, "a program in each style, two that ask and answer, two durable ones");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert!(
            readme == expected,
            "run `UPDATE_README=1 cargo test -p mqttsession-tests --test house`"
        );
    }
}
