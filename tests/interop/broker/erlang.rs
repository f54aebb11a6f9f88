//! Erlang as Debian packs it, run from where it was unpacked instead of from `/usr`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::installed;

/// An unpacked Erlang.
pub(super) struct Erlang {
    /// Where `/usr` was unpacked.
    pub(super) usr: PathBuf,
    root: PathBuf,
    binaries: PathBuf,
    /// Where packages put libraries of this machine's architecture.
    pub(super) libraries: PathBuf,
}

impl Erlang {
    pub(super) fn find() -> Result<Self, String> {
        let usr = installed("debian/usr")?;
        let root = installed("debian/usr/lib/erlang")?;
        let binaries = below(&root, "erts-")?.join("bin");
        let libraries = subfolder(&usr.join("lib"), |name| name.ends_with("-linux-gnu"))?;
        Ok(Self { usr, root, binaries, libraries })
    }

    /// A program of the runtime system, with the environment that its start script would set.
    pub(super) fn command(&self, program: &str, home: &Path) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        self.prepare(&mut command, home);
        command
    }

    /// Sets that environment.
    pub(super) fn prepare(&self, command: &mut Command, home: &Path) {
        command
            .env("ROOTDIR", &self.root)
            .env("BINDIR", &self.binaries)
            .env("EMU", "beam")
            .env("PROGNAME", "erl")
            .env("LD_LIBRARY_PATH", &self.libraries)
            // The cookie and the crash dump.
            .env("HOME", home)
            .env("ERL_CRASH_DUMP", home.join("crash"));
    }

    /// A folder for the PATH in which `erl` is the unpacked one.
    pub(super) fn path(&self, home: &Path) -> PathBuf {
        let folder = home.join("bin");
        fs::create_dir_all(&folder).expect("writing into a temporary directory");
        fs::copy(self.binaries.join("erlexec"), folder.join("erl"))
            .expect("copying into a temporary directory");
        folder
    }
}

/// The one subfolder whose name begins so.
pub(super) fn below(folder: &Path, beginning: &str) -> Result<PathBuf, String> {
    subfolder(folder, |name| name.starts_with(beginning))
}

fn subfolder(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|_| "it has not been installed".to_owned())?;
    let is_wanted = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).is_some_and(&wanted);
    let mut found = entries.flatten().map(|entry| entry.path()).filter(is_wanted);
    found.next().ok_or_else(|| "it has not been installed".to_owned())
}
