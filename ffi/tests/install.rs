//! Installs the library and builds programs with nothing but what was installed: with pkg-config
//! and with CMake, shared and static, in C and in C++.

#![cfg(target_os = "linux")]

mod artifact;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use mqttsession_tests::{
    process::{find, skipped},
    scripted::ScriptedBroker,
};

#[test]
fn everything_is_in_its_place() {
    let Some(prefix) = installed() else { return };
    let mut files: Vec<String> = files(prefix);
    files.sort();
    assert_eq!(
        files,
        [
            "include/mqttsession.h 644",
            "include/mqttsession.hpp 644",
            "include/mqttsession/authentication.hpp 644",
            "include/mqttsession/connection.hpp 644",
            "include/mqttsession/error.hpp 644",
            "include/mqttsession/event.hpp 644",
            "include/mqttsession/lent.hpp 644",
            "include/mqttsession/log.hpp 644",
            "include/mqttsession/message.hpp 644",
            "include/mqttsession/operation.hpp 644",
            "include/mqttsession/options.hpp 644",
            "include/mqttsession/outcome.hpp 644",
            "include/mqttsession/owner.hpp 644",
            "include/mqttsession/property.hpp 644",
            "include/mqttsession/request.hpp 644",
            "include/mqttsession/session.hpp 644",
            "include/mqttsession/store.hpp 644",
            "include/mqttsession/value.hpp 644",
            "include/mqttsession/wlanguage.hpp 644",
            "include/mqttsession_wlanguage.h 644",
            "lib/cmake/mqttsession/mqttsession-config-version.cmake 644",
            "lib/cmake/mqttsession/mqttsession-config.cmake 644",
            "lib/libmqttsession.a 644",
            "lib/libmqttsession.so -> libmqttsession.so.0",
            "lib/libmqttsession.so.0 -> libmqttsession.so.0.1.0",
            "lib/libmqttsession.so.0.1.0 755",
            "lib/pkgconfig/mqttsession.pc 644",
        ]
    );
}

/// A package is made below another directory than the one in which it will be used.
#[test]
fn a_staged_installation_names_the_place_where_it_will_be_used() {
    let stage = empty("stage");
    if !install(&["--destdir", text(&stage), "--prefix", "/opt/mqtt", "--libdir", "lib64"]) {
        return;
    }
    let root = stage.join("opt/mqtt");
    let description = fs::read_to_string(root.join("lib64/pkgconfig/mqttsession.pc")).unwrap();
    assert!(description.starts_with("prefix=/opt/mqtt\n"), "{description}");
    assert!(description.contains("libdir=${exec_prefix}/lib64\n"), "{description}");
    for path in files(&root) {
        let path = root.join(path.split(' ').next().unwrap());
        if path.extension().is_some_and(|extension| extension == "cmake" || extension == "pc") {
            let written = fs::read_to_string(&path).unwrap();
            assert!(!written.contains(text(&stage)) && !written.contains('@'), "{written}");
        }
    }
}

#[test]
fn pkg_config_names_the_native_libraries_as_rustc_does() {
    let Some(package) = package_config(&["--libs-only-l", "--static"]) else { return };
    let mut named = package.split_whitespace();
    assert_eq!(named.next(), Some("-lmqttsession"));
    assert_eq!(named.collect::<Vec<_>>(), artifact::native_libraries());
}

#[test]
fn programs_are_built_with_pkg_config() {
    let (Some(prefix), Some(compile), Some(shared), Some(all)) = (
        installed(),
        package_config(&["--cflags"]),
        package_config(&["--libs"]),
        package_config(&["--static", "--libs"]),
    ) else {
        return;
    };
    let directory = empty("pkg-config");
    let run_path = format!("-Wl,-rpath,{}", prefix.join("lib").display());
    for (compiler, source) in [("cc", "examples/c/first.c"), ("c++", "examples/cpp/first.cpp")] {
        let build = |name: &str, libraries: &str| {
            let program = directory.join(format!("{compiler}-{name}"));
            let mut command = Command::new(compiler);
            command.current_dir(&directory).arg(repository().join(source)).arg("-o").arg(&program);
            command.args(compile.split_whitespace()).args(libraries.split_whitespace());
            artifact::run(command.args((compiler == "c++").then_some("-std=c++17")));
            program
        };
        check(&build("shared", &format!("{shared} {run_path}")), true);
        check(&build("static", &all.replace("-lmqttsession", "-l:libmqttsession.a")), false);
    }
}

#[test]
fn programs_are_built_with_cmake() {
    let Some(prefix) = installed() else { return };
    if find("cmake", &[]).is_none() {
        return skipped("cmake is not installed", "MQTTSESSION_REQUIRE_CMAKE");
    }
    let directory = empty("cmake");
    for source in ["tests/install/CMakeLists.txt", "examples/c/first.c", "examples/cpp/first.cpp"] {
        let name = Path::new(source).file_name().unwrap();
        fs::copy(repository().join(source), directory.join(name)).unwrap();
    }
    let mut configure = Command::new("cmake");
    configure.args(["-S", ".", "-B", "build"]).current_dir(&directory);
    configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
    artifact::run(&mut configure);
    artifact::run(Command::new("cmake").args(["--build", "build"]).current_dir(&directory));
    for language in ["c", "cpp"] {
        check(&directory.join(format!("build/{language}-shared")), true);
        check(&directory.join(format!("build/{language}-static")), false);
    }
}

/// It runs: nobody listens at the address, and it says so. And it needs the shared library or not.
fn check(program: &Path, shared: bool) {
    let address = format!("mqtt://127.0.0.1:{}", ScriptedBroker::start().refuse());
    let output = Command::new(program).arg(address).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("refused the connection"), "{said}");
    let needed = artifact::run(Command::new("readelf").arg("-d").arg(program));
    assert_eq!(needed.contains("[libmqttsession.so.0]"), shared, "{needed}");
}

/// What pkg-config says about the installed library; nothing, and a loud line, without it.
fn package_config(questions: &[&str]) -> Option<String> {
    let prefix = installed()?;
    if find("pkg-config", &[]).is_none() {
        skipped("pkg-config is not installed", "MQTTSESSION_REQUIRE_PKG_CONFIG");
        return None;
    }
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    Some(artifact::run(command.args(questions).arg("mqttsession")).trim().to_owned())
}

/// The prefix below which the library is installed, once for all tests.
fn installed() -> Option<&'static Path> {
    static PREFIX: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let prefix = empty("prefix");
        install(&["--prefix", text(&prefix)]).then_some(prefix)
    });
    PREFIX.as_deref()
}

/// Installs in this test's profile; false, and a loud line, where that is not possible.
fn install(arguments: &[&str]) -> bool {
    if find("python3", &[]).is_none() {
        skipped("python3 is not installed", "MQTTSESSION_REQUIRE_PYTHON");
        return false;
    }
    let built = artifact::directory();
    let profile = if built.ends_with("release") { "release" } else { "dev" };
    let mut command = Command::new("python3");
    command.arg(repository().join("ffi/install/install.py")).args(["--profile", profile]);
    command.env("CARGO", env!("CARGO")).env("CARGO_TARGET_DIR", built.parent().unwrap());
    artifact::run(command.args(arguments));
    true
}

/// Every file below a directory with its mode, every link with its target.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(directory).unwrap().display();
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else {
                found.push(format!("{name} {:o}", kind.permissions().mode() & 0o777));
            }
        }
    }
    found
}

/// An empty directory of this name.
fn empty(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("install").join(name);
    let _missing = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
