//! What cargo builds for C: a test of this package does not build it by itself, because no Rust
//! program can link with it.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

/// The directory with the shared and the static library, freshly built.
pub(crate) fn directory() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        succeed(&mut cargo(&["build"], &[]));
        profile_directory()
    });
    &BUILT
}

/// The native libraries that a program needs beside the static library, as rustc lists them.
pub(crate) fn native_libraries() -> Vec<String> {
    let print = ["--", "--print", "native-static-libs"];
    let output = succeed(&mut cargo(&["rustc", "--crate-type", "staticlib"], &print));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let list = said.lines().find_map(|line| line.split_once("native-static-libs: "));
    let (_, list) = list.unwrap_or_else(|| panic!("rustc names no native libraries:\n{said}"));
    list.split_whitespace().map(str::to_owned).collect()
}

/// What a program prints; it must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    String::from_utf8_lossy(&succeed(command).stdout).into_owned()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    output
}

/// Cargo for the library of this package, in the profile and the directory of this test.
fn cargo(verb: &[&str], after: &[&str]) -> Command {
    let profile = profile_directory();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(verb).args(["-p", "mqttsession-ffi", "--lib", "--target-dir"]);
    cargo.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.args(after);
    cargo
}

/// The directory two above this test's own file, `target/debug/deps/test`.
fn profile_directory() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned()
}
