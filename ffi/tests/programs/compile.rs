//! Compiles C and C++ programs against the headers and the shared library of this build.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use crate::artifact;

/// How a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Build {
    /// As a user builds it; valgrind can run it.
    Plain,
    /// With AddressSanitizer, which also finds leaks, and with UndefinedBehaviorSanitizer.
    Sanitized,
    /// With the static library and the native libraries that rustc names for it.
    Static,
    /// C++ without exceptions and without run-time types.
    NoExceptions,
}

/// Compiles a program, once for each build; the source is told from the top of the repository.
pub(crate) fn compile(source: &str, build: Build) -> PathBuf {
    type Compiled = HashMap<(String, Build), Arc<OnceLock<PathBuf>>>;
    static COMPILED: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);
    // Locked for the look only: a test with a broker waiting must not wait for other programs.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Arc::clone(compiled.entry((source.to_owned(), build)).or_default());
    drop(compiled);
    program.get_or_init(|| compile_anew(source, build)).clone()
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn compile_anew(source: &str, build: Build) -> PathBuf {
    let directory = directory();
    let program = directory.join(format!("{}-{build:?}", source.replace(['/', '.'], "-")));
    let mut command = compiler(source);
    command.args(["-g", "-pthread", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
    if build == Build::NoExceptions {
        command.args(["-fno-exceptions", "-fno-rtti"]);
    }
    if build == Build::Sanitized {
        command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        command.arg("-fno-omit-frame-pointer");
    }
    command.arg("-I").arg(repository().join("include"));
    command.arg(repository().join(source)).arg("-o").arg(&program);
    if build == Build::Static {
        command.arg(artifact::directory().join("libmqttsession.a"));
        command.args(artifact::native_libraries());
    } else {
        command.arg(artifact::directory().join("libmqttsession.so"));
        command.arg(format!("-Wl,-rpath,{}", directory.display()));
    }
    artifact::run(&mut command);
    program
}

/// The compiler of a source's language, with its standard. C++ has the unit beside it that includes
/// the header once more, for a program of its tests.
fn compiler(source: &str) -> Command {
    if !source.ends_with(".cpp") {
        let mut c = Command::new("cc");
        c.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L"]);
        return c;
    }
    let mut cpp = Command::new("c++");
    cpp.args(["-std=c++17", "-Wconversion", "-Wsign-conversion", "-Wshadow"]);
    if source.starts_with("tests/") {
        cpp.arg(repository().join("tests/cpp/unit.cpp"));
    }
    cpp
}

/// A directory for programs, in which the library has the name by which they look for it, as in an
/// installation.
fn directory() -> &'static Path {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        fs::create_dir_all(&directory).unwrap();
        let link = directory.join("libmqttsession.so.0");
        let _missing = fs::remove_file(&link);
        symlink(artifact::directory().join("libmqttsession.so"), &link).unwrap();
        directory
    });
    &DIRECTORY
}
