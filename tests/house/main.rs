//! The rules of the house that a machine can check: which layer may look where, what is sans-IO,
//! where `unsafe` may stand, what names every face shares.

mod changelog;
mod errors;
mod guide;
mod inventory;
mod readme;
mod specification;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each layer of `core/src`, and what it may look at. `tests` modules are not bound.
const LAYERS: [(&str, &[&str]); 9] = [
    ("protocol", &["protocol"]),
    ("engine", &["engine", "protocol", "error", "seldom"]),
    ("transport", &["transport", "error", "sync"]),
    ("store", &["store", "engine", "protocol", "error", "sync"]),
    ("client", &["client", "engine", "protocol", "store", "transport", "error", "sync", "seldom"]),
    ("error.rs", &[]),
    ("seldom.rs", &[]),
    ("sync.rs", &[]),
    ("lib.rs", &["client", "engine", "protocol", "store", "transport", "error", "sync", "seldom"]),
];

/// What would let the outside into the sans-IO layers.
const OUTSIDE: [&str; 9] = [
    "tokio",
    "std::net",
    "std::thread",
    "std::fs",
    "Instant::now",
    "SystemTime",
    "fastrand",
    "Mutex",
    "tracing::",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent").to_owned()
}

/// Every Rust file below a folder (or the file itself), with its path and its lines of code:
/// without comments and without the unit tests at its end.
fn sources(below: &Path) -> Vec<(PathBuf, Vec<String>)> {
    if below.is_dir() {
        let mut entries: Vec<_> =
            fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        return entries.iter().flat_map(|entry| sources(entry)).collect();
    }
    if below.extension().is_none_or(|extension| extension != "rs")
        || below.components().any(|part| part.as_os_str() == "tests")
    {
        return Vec::new();
    }
    let text = fs::read_to_string(below).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    vec![(below.to_owned(), lines.map(str::to_owned).collect())]
}

/// The modules behind `crate::` in a line, also in `use crate::{…}` spread over lines.
fn looks_at(lines: &[String]) -> Vec<String> {
    let joined = lines.join(" ");
    let mut found = Vec::new();
    for (at, _) in joined.match_indices("crate::") {
        let rest = &joined[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    other if depth == 0 => name.push(other),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.to_owned());
        }
    }
    let first = |path: &String| {
        let path = path.trim();
        path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned()
    };
    found.iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn layers_look_only_downwards() {
    let core = root().join("core/src");
    let mut seen = 0;
    for (layer, allowed) in LAYERS {
        for (path, lines) in sources(&core.join(layer)) {
            for name in looks_at(&lines) {
                seen += 1;
                assert!(
                    allowed.contains(&name.as_str()),
                    "{} looks at `{name}`, which `{layer}` may not",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 50, "the scan has found {seen} paths: it does not read the sources any more");
    let on_disk = fs::read_dir(&core).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.is_file() || fs::read_dir(path).unwrap().next().is_some()
    });
    assert_eq!(on_disk.count(), LAYERS.len(), "a layer of core is missing in the table");
}

#[test]
fn protocol_and_engine_are_sans_io() {
    for layer in ["protocol", "engine"] {
        for (path, lines) in sources(&root().join("core/src").join(layer)) {
            for line in lines {
                let outside = OUTSIDE.iter().find(|outside| line.contains(**outside));
                assert_eq!(outside, None, "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_faces_know_neither_each_other_nor_what_is_below_the_client() {
    for (face, others) in
        [("ffi", ["mqttsession_python", "_native"]), ("python", ["mqttsession_ffi", "ffi::"])]
    {
        for (path, lines) in sources(&root().join(face).join("src")) {
            for line in lines {
                for forbidden in others.into_iter().chain([
                    "mqttsession::engine",
                    "mqttsession::store",
                    "mqttsession::transport",
                ]) {
                    assert!(!line.contains(forbidden), "{}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn every_face_has_the_same_stems() {
    for stem in ["session", "options", "message", "callback"] {
        for folder in ["core/src/client", "ffi/src", "python/src"] {
            let file = root().join(folder).join(stem);
            assert!(
                file.with_extension("rs").exists() || file.is_dir(),
                "{folder} has no `{stem}`"
            );
        }
    }
}
