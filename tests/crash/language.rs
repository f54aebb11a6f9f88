//! The programs that are killed: what a C compiler makes of the sources beside this file, and Python's.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mqttsession_tests::process::{find, skipped};
use tempfile::TempDir;

/// The environment variable with the interpreter that has the package.
pub(crate) const PYTHON: &str = "MQTTSESSION_PYTHON";

/// The environment variable that makes the absence of a language a failure.
pub(crate) const REQUIRED: &str = "MQTTSESSION_REQUIRE_CRASH";

/// What a program is written in.
pub(crate) enum Language {
    /// Compiled against the shared library of this build.
    C(TempDir),
    /// Run by this interpreter.
    Python(PathBuf),
}

impl Language {
    /// Builds the library and the programs; nothing, and a loud line, where there is no compiler.
    ///
    /// # Panics
    /// Something does not compile.
    pub(crate) fn c() -> Option<Self> {
        if find("cc", &[]).is_none() {
            skipped("there is no C compiler", REQUIRED);
            return None;
        }
        let profile = profile_directory();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-q", "-p", "mqttsession-ffi", "--lib", "--target-dir"]);
        cargo.arg(profile.parent().expect("a profile has a target directory"));
        cargo.args(profile.ends_with("release").then_some("--release"));
        succeed(&mut cargo);
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["publisher", "receiver"] {
            let mut compiler = Command::new("cc");
            compiler.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror"]);
            compiler.arg("-I").arg(repository().join("include"));
            compiler.arg(sources().join(format!("{name}.c")));
            compiler.arg("-o").arg(directory.path().join(name));
            // As a user links it: by its own name, so that what cargo calls it does not matter.
            compiler.arg(profile.join("libmqttsession.so"));
            compiler.arg(format!("-Wl,-rpath,{}", profile.display()));
            succeed(&mut compiler);
        }
        let soname = profile.join("libmqttsession.so.0");
        if !soname.exists() {
            std::os::unix::fs::symlink("libmqttsession.so", soname)
                .expect("a link beside the library");
        }
        Some(Self::C(directory))
    }

    /// Finds an interpreter with the package: the one that the environment names, or that of `make test`;
    /// nothing, and a loud line, where there is none.
    pub(crate) fn python() -> Option<Self> {
        let beside = repository().join("build/venv/bin/python");
        let python = env::var_os(PYTHON).map_or(beside, PathBuf::from);
        let package = ["-c", "import mqttsession; mqttsession.Store"];
        let works = Command::new(&python).args(package).output();
        if !works.is_ok_and(|output| output.status.success()) {
            skipped("the Python package is not installed (make test does it)", REQUIRED);
            return None;
        }
        Some(Self::Python(python))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::C(_) => "C",
            Self::Python(_) => "Python",
        }
    }

    /// A program, to be started with further arguments.
    pub(crate) fn program(&self, name: &str) -> Command {
        match self {
            Self::C(directory) => Command::new(directory.path().join(name)),
            Self::Python(python) => {
                let mut command = Command::new(python);
                command.arg("-B").arg(sources().join(format!("{name}.py")));
                command
            }
        }
    }
}

/// The top of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository")
}

fn sources() -> PathBuf {
    repository().join("tests/crash")
}

/// The directory two above this program's own file, `target/debug/deps/crash`.
fn profile_directory() -> PathBuf {
    let this = env::current_exe().and_then(fs::canonicalize).expect("this program has a file");
    this.ancestors().nth(2).expect("cargo put it into a directory of directories").to_owned()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}
