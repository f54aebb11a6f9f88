"""The table of drivers: what is there, what is left out and why, and how it is built."""

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent
BUILD = ROOT / "build" / "bench"
PYTHON = BUILD / "venv" / "bin" / "python"
COMPILE = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-O2", "-Wall", "-Wextra"]


@dataclass(frozen=True)
class Driver:
    """One entry of drivers.toml, ready to run."""

    name: str
    role: str
    language: str
    command: list[str]
    modes: Sequence[str] = ("pub", "recv", "latency", "idle")
    max_qos: int = 2
    max_idle: int = sys.maxsize
    environment: dict[str, str] = field(default_factory=dict)


class LeftOut(Exception):
    """A driver cannot run here; the text says why."""


def compile_c(
    name: str, sources: list[str], include: Sequence[str] = (), link: Sequence[str] = ()
) -> str:
    """Build a program into build/bench and return its path. It is built each time: that takes less
    than a second, and an old one would be measured without anybody noticing."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = str(BUILD / name)
    files = [str(BENCHES / source) for source in sources]
    options = [f"-I{directory}" for directory in include]
    command = [*COMPILE, *options, "-o", program, *files, *link, "-lpthread"]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"benches: {name} does not compile")
    return program


def compile_sink() -> str:
    """Build the peer of every run."""
    return compile_c(
        "sink", ["sink.c", *(f"sink_{part}.c" for part in ("packet", "source", "spread", "hold"))]
    )


def load(only: set[str]) -> tuple[list[Driver], list[str]]:
    """The drivers that `only` asks for by name, role or language (all if it is empty), built; and
    what is left out, with the reason."""
    with open(BENCHES / "drivers.toml", "rb") as table:
        entries = tomllib.load(table)["driver"]
    known = {entry[key] for entry in entries for key in ("name", "role", "language")}
    if only - known:
        sys.exit(f"benches: no driver, role or language {', '.join(sorted(only - known))}")
    live, left_out = [], []
    for entry in entries:
        if only and not only & {entry["name"], entry["role"], entry["language"]}:
            continue
        try:
            live.append(prepare(entry))
        except LeftOut as reason:
            left_out.append(f"{entry['name']}: {reason}")
    return live, left_out


def prepare(entry: dict[str, Any]) -> Driver:
    """Check what an entry needs, and build it."""
    own = entry.get("sources", []) + ([entry["script"]] if "script" in entry else [])
    for source in own:
        if not (BENCHES / source).exists():
            raise LeftOut(f"benches/{source} does not exist")
    include, link = fill(entry.get("include", [])), fill(entry.get("link", []))
    missing = find_missing(entry.get("needs", {}), include)
    if missing:
        raise LeftOut(f"{missing} is missing; try: {entry['install']}")
    environment = {"BENCH_WINDOW": str(entry.get("window", 1000))} | entry.get("environment", {})
    if "script" in entry:
        # -P: peer/gmqtt.py must find the library of that name and not itself.
        command = [str(PYTHON), "-P", str(BENCHES / entry["script"])]
        environment |= {"PYTHONPATH": str(BENCHES), "PYTHONDONTWRITEBYTECODE": "1"}
    elif "program" in entry:
        command = fill([entry["program"]])
    else:
        command = [compile_c(entry["name"], entry["sources"], include, link)]
    return Driver(
        name=entry["name"],
        role=entry["role"],
        language=entry["language"],
        command=command,
        modes=entry.get("modes", Driver.modes),
        max_qos=entry.get("max_qos", 2),
        max_idle=entry.get("max_idle", sys.maxsize),
        environment=environment,
    )


def fill(texts: list[str]) -> list[str]:
    """The texts with {root} and {target} replaced."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    return [text.format(root=ROOT, target=ROOT / target) for text in texts]


def find_missing(needs: dict[str, Any], include: list[str]) -> str | None:
    """The first thing that an entry needs and that is not installed."""
    for path in fill(needs.get("files", [])):
        if not Path(path).exists():
            return os.path.relpath(path, ROOT)
    if "header" in needs:
        options = [f"-I{directory}" for directory in include]
        code = f"#include <{needs['header']}>\n".encode()
        probe = [COMPILE[0], *options, "-E", "-x", "c", "-"]
        if subprocess.run(probe, input=code, capture_output=True, check=False).returncode:
            return f"<{needs['header']}>"
    if "module" in needs:
        if not PYTHON.exists():
            return f"{PYTHON.relative_to(ROOT)} (python3 -m venv build/bench/venv)"
        probe = [str(PYTHON), "-P", "-c", f"import {needs['module']}"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            return f"the Python module {needs['module']}"
    return None
