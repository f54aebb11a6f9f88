//! What the shared library exports is what symbols.txt lists; `UPDATE_HEADER=1` writes it anew.

#![cfg(target_os = "linux")]

mod artifact;

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use artifact::run;

#[test]
fn the_library_exports_exactly_the_symbols_of_the_list() {
    let exported: BTreeSet<String> = nm(&["-D", "--defined-only"])
        .lines()
        .filter_map(|line| line.split_whitespace().next_back().map(str::to_owned))
        .collect();
    let list = file("symbols.txt");
    if env::var_os("UPDATE_HEADER").is_some() {
        let text: String = exported.iter().map(|symbol| format!("{symbol}\n")).collect();
        fs::write(&list, text).unwrap();
    }
    let listed: BTreeSet<String> =
        fs::read_to_string(&list).unwrap_or_default().lines().map(str::to_owned).collect();
    let missing: Vec<_> = listed.difference(&exported).collect();
    let unlisted: Vec<_> = exported.difference(&listed).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "no longer exported: {missing:?}; not in symbols.txt: {unlisted:?}"
    );
}

#[test]
fn every_exported_symbol_is_declared_in_a_header_and_the_other_way_round() {
    let headers = ["mqttsession.h", "mqttsession_wlanguage.h"]
        .map(|name| fs::read_to_string(file("../include").join(name)).unwrap())
        .concat();
    let declared: BTreeSet<&str> = headers
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter(|line| !line.starts_with("typedef") && !line.starts_with("extern"))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(head, _)| head.rsplit([' ', '*']).next())
        .collect();
    let listed = fs::read_to_string(file("symbols.txt")).unwrap();
    let listed: BTreeSet<&str> = listed.lines().collect();
    assert_eq!(declared, listed);
}

#[test]
fn the_library_has_its_soname_and_is_never_unmapped() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library()));
    assert!(dynamic.contains("[libmqttsession.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

fn nm(arguments: &[&str]) -> String {
    run(Command::new("nm").args(arguments).arg(library()))
}

fn library() -> PathBuf {
    artifact::directory().join("libmqttsession.so")
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}
