"""Builds the C library and installs it: shared and static library, headers, pkg-config file and
CMake package.

    python3 ffi/install/install.py --prefix /usr/local [--destdir STAGE]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
INCLUDE = REPOSITORY / "include"


def main() -> None:
    """Does what the command line asks for."""
    parser = argparse.ArgumentParser(description="Builds and installs the C library.")
    parser.add_argument("--prefix", default="/usr/local", help="where it will be used")
    parser.add_argument("--destdir", default="", help="put before the prefix while installing")
    parser.add_argument("--libdir", default="lib", help="of the libraries, below the prefix")
    parser.add_argument("--profile", default="release", help="cargo's profile")
    options = parser.parse_args()

    prefix = Path(options.prefix)
    if not prefix.is_absolute():
        parser.error("the prefix must be an absolute path")
    built, native = build(options.profile)
    version = package_version()
    # Joined as text, because an absolute path would replace what stands before it.
    install(Path(f"{options.destdir}{prefix}"), prefix, options.libdir, built, native, version)


def build(profile: str) -> tuple[Path, list[str]]:
    """The directory of the libraries, and what a program needs beside the static one.

    Both come from one run of cargo, which says the second again when there is nothing to build.
    """
    cargo = [os.environ.get("CARGO", "cargo"), "rustc", "--locked", "-p", "mqttsession-ffi"]
    cargo += ["--lib", "--profile", profile, "--", "--print", "native-static-libs"]
    native = None
    with subprocess.Popen(cargo, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr or ():
            sys.stderr.write(line)
            found = re.search(r"native-static-libs: (.*)", line)
            native = found[1].split() if found else native
    if run.returncode != 0 or native is None:
        sys.exit("The library could not be built.")
    target = Path(REPOSITORY, os.environ.get("CARGO_TARGET_DIR", "target"))
    return target / {"dev": "debug"}.get(profile, profile), native


def package_version() -> str:
    """The version of the workspace."""
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text(encoding="utf-8"))
    version: str = manifest["workspace"]["package"]["version"]
    return version


def library_names(version: str) -> tuple[str, str, str, str]:
    """The shared library's names: as built, its file, its soname, and for linking."""
    major = version.partition(".")[0]
    if sys.platform == "darwin":
        stem = "libmqttsession"
        return f"{stem}.dylib", f"{stem}.{version}.dylib", f"{stem}.{major}.dylib", f"{stem}.dylib"
    stem = "libmqttsession.so"
    return stem, f"{stem}.{version}", f"{stem}.{major}", stem


def install(
    root: Path, prefix: Path, libdir: str, built: Path, native: list[str], version: str
) -> None:
    """Puts everything in its place below `root`, to be used below `prefix`."""
    made, file, soname, link = library_names(version)
    library = root / libdir
    copy(built / made, library / file, 0o755)
    symlink(file, library / soname)
    symlink(soname, library / link)
    copy(built / "libmqttsession.a", library / "libmqttsession.a", 0o644)
    for header in sorted(path for path in INCLUDE.rglob("*") if path.is_file()):
        copy(header, root / "include" / header.relative_to(INCLUDE), 0o644)

    cmake = f"{libdir}/cmake/mqttsession"
    values = {
        "PREFIX": str(prefix),
        "LIBDIR": libdir,
        "VERSION": version,
        "MAJOR": version.partition(".")[0],
        "FILE": file,
        "SONAME": soname,
        "NATIVE_FLAGS": " ".join(native),
        "NATIVE_LIST": ";".join(native).replace("-framework;", "-framework "),
        "UP_TO_PREFIX": os.path.relpath(".", cmake),
    }
    fill("mqttsession.pc.in", library / "pkgconfig" / "mqttsession.pc", values)
    for name in ("mqttsession-config.cmake", "mqttsession-config-version.cmake"):
        fill(f"{name}.in", root / cmake / name, values)


def fill(template: str, path: Path, values: dict[str, str]) -> None:
    """Writes a template with its @NAMES@ replaced."""
    text = (HERE / template).read_text(encoding="utf-8")
    filled = re.sub(r"@([A-Z_]+)@", lambda name: values[name[1]], text)
    clear(path)
    path.write_text(filled, encoding="utf-8")
    path.chmod(0o644)


def copy(source: Path, path: Path, mode: int) -> None:
    """Copies a file."""
    clear(path)
    shutil.copyfile(source, path)
    path.chmod(mode)


def symlink(target: str, path: Path) -> None:
    """Makes a link to a file beside it."""
    clear(path)
    path.symlink_to(target)


def clear(path: Path) -> None:
    """Makes room for a file. An older one is removed, not overwritten: a running program may have
    it mapped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    print(path)


if __name__ == "__main__":
    main()
