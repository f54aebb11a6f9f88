//! Compiles C programs against the header and the shared library of this build.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{LazyLock, Mutex, PoisonError},
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
}

/// Compiles a program, once for each build; the source is told from the top of the repository.
pub(crate) fn compile(source: &str, build: Build) -> PathBuf {
    static COMPILED: LazyLock<Mutex<HashMap<(String, Build), PathBuf>>> =
        LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = compiled.entry((source.to_owned(), build));
    program.or_insert_with(|| compile_anew(source, build)).clone()
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn compile_anew(source: &str, build: Build) -> PathBuf {
    let directory = directory();
    let program = directory.join(format!("{}-{build:?}", source.replace(['/', '.'], "-")));
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-g", "-pthread"]);
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic"]);
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

/// A directory for programs, in which the library has the name by which they look for it, as in an
/// installation.
fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&directory).unwrap();
    let link = directory.join("libmqttsession.so.0");
    // Compiling is one at a time, so nobody comes between.
    let _missing = fs::remove_file(&link);
    symlink(artifact::directory().join("libmqttsession.so"), &link).unwrap();
    directory
}
