#!/usr/bin/env python3
"""Measure the stores that could have been chosen, and print the table of docs/store.md.

What it writes goes to --directory, which has to lie on the disk that is to be measured. The full disk
is a small tmpfs where this user may mount one, else a limit on the size of a file (said in the table).
--cost also builds each candidate alone, which takes some minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TITLES = {
    "redb": "redb",
    "fjall": "fjall",
    "sqlite": "SQLite",
    "sqlite-normal": "SQLite NORMAL",
    "ours": "log before redb (chosen)",
}
SIZES = (100, 1024)
PUBLISHERS = (1, 10, 100)
PENDING = 100_000
TORN = 1000
BATCH = 10
FULL_BYTES = 8 << 20


class Bench:
    """The program, and where it may write."""

    def __init__(self, program: Path, directory: Path, seconds: float) -> None:
        self.program = program
        self.directory = directory
        self.seconds = seconds

    @contextmanager
    def place(self) -> Iterator[Path]:
        """An empty directory."""
        with tempfile.TemporaryDirectory(dir=self.directory) as name:
            yield Path(name)

    def ask(self, *words: object) -> dict[str, Any]:
        """One measurement; an error is an answer, too."""
        command = [self.program, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": done.stderr.strip().removeprefix("Error: ").strip('"')}
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def fill(
        self,
        name: str,
        place: Path,
        level: str,
        messages: int,
        batch: int,
        size: int = 100,
        kill_after: float | None = None,
        limit: int | None = None,
    ) -> tuple[int, str | None]:
        """Fill a store and kill its process; what it had confirmed last, and its error."""
        command = [self.program, "fill", name, place, level, messages, size, batch]
        if limit:
            # In blocks of 512 bytes; without the signal the write fails as on a full disk.
            shell = f'trap "" XFSZ; ulimit -f {limit // 512}; exec "$@"'
            command = ["sh", "-c", shell, "sh", *command]
        child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        end = time.monotonic() + (kill_after or 600)
        last, error, killed = 0, None, False
        for line in child.stdout:
            word = line.strip()
            if word == "end":
                break
            if word.startswith("error: "):
                error = word.removeprefix("error: ")
            elif word.isdigit() and line.endswith("\n"):
                last = int(word)
            if time.monotonic() > end and not killed:
                child.kill()
                killed = True
        child.kill()
        child.wait()
        return last, error


def brief(error: str) -> str:
    """What an error says, without what a library wraps it in and without paths."""
    code = error.split(" ", 1)[0]
    if code.startswith("STORE_"):
        return code
    for known in (
        "No space left on device",
        "File too large",
        "no room",
        "Failed to repair database",
    ):
        if known in error:
            return known
    return error


def found(answer: dict[str, Any], confirmed: int) -> str:
    """What became of messages that had been confirmed."""
    if "error" in answer:
        return f"refused: {brief(answer['error'])}"
    missing = confirmed - answer["messages"]
    if missing == BATCH:
        return "last batch missing, not said"
    if missing > 0:
        return f"{missing:,} of {confirmed:,} lost, not said"
    return "all there"


def measure_kill(bench: Bench, name: str) -> str:
    """Unsynced commits, and the death of the process in the midst of them."""
    with bench.place() as place:
        confirmed, _ = bench.fill(name, place, "written", 10_000_000, BATCH, kill_after=0.3)
        return found(bench.ask("open", name, place), confirmed)


def measure_full(bench: Bench, name: str, mountable: bool) -> str:
    """A disk that has no room any more, and then has again."""
    with bench.place() as place:
        if mountable:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL_BYTES}", "none", place]
            subprocess.run(mount, check=True)
        try:
            limit = None if mountable else FULL_BYTES
            confirmed, error = bench.fill(
                name, place, "synced", 1_000_000, BATCH, 1024, limit=limit
            )
            full = found(bench.ask("open", name, place), confirmed)
            if mountable:
                room = ["mount", "-o", f"remount,size={4 * FULL_BYTES}", place]
                subprocess.run(room, check=True)
            again, trouble = bench.fill(name, place, "synced", 100, BATCH, 1024)
            after = found(bench.ask("open", name, place), again)
        finally:
            if mountable:
                subprocess.run(["umount", place], check=True)
    said = brief(error or "no error")
    notes = [f"“{said}” with {confirmed * 1024 / FULL_BYTES:.0%} payload"]
    notes += [] if full == "all there" else [full]
    notes += [f"does not go on: {brief(trouble)}" if trouble else "goes on when there is room"]
    return ", ".join(notes if after == "all there" else [*notes, after])


def newest(place: Path) -> Path:
    """The file that was written last, journals before what lies beside them."""
    files = [file for file in place.rglob("*") if file.is_file() and file.stat().st_size]
    preferred = [file for file in files if file.suffix in (".jnl", ".sqlite-wal")]
    preferred += [file for file in files if file.name.endswith("-wal") or "log-" in file.name]
    return max(preferred or files, key=lambda file: file.stat().st_mtime_ns)


def cut_off(file: Path, text: bytes) -> bytes:
    """The last write was torn: its end is missing."""
    return text[:-37]


def garbage(file: Path, text: bytes) -> bytes:
    """The last write was torn: its end is something else."""
    return text[:-37] + b"\xa5" * 37


def flipped(file: Path, text: bytes) -> bytes:
    """Not torn, but damaged in the midst, long after it had been synced."""
    middle = len(text) // 2
    return text[:middle] + bytes([text[middle] ^ 0xFF]) + text[middle + 1 :]


def without_zeros(file: Path) -> bytes:
    """A file without the zeros that it was made longer by."""
    return file.read_bytes().rstrip(b"\0")


def measure_torn(bench: Bench, name: str, harm: Callable[[Path, bytes], bytes]) -> str:
    """Damage to what was written last; batches of ten, so at most ten may be missing."""
    with bench.place() as place:
        bench.fill(name, place, "synced", TORN, BATCH)
        file = newest(place)
        length = file.stat().st_size
        text = harm(file, without_zeros(file))
        # A file that had been made longer stays as long as it was, unless something was cut off.
        if harm is not cut_off or len(without_zeros(file)) < length:
            text = text.ljust(length, b"\0")
        file.write_bytes(text)
        answer = bench.ask("open", name, place)
        return found(answer, TORN)


def may_mount(bench: Bench) -> bool:
    """Whether a small tmpfs can be had."""
    with bench.place() as place:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place]
        if not shutil.which("mount"):
            return False
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", place], check=True)
        return True


def measure_cost(names: list[str], target: Path) -> dict[str, tuple[str, str, str]]:
    """Seconds to build, bytes added and crates, each candidate alone against none."""
    costs = {}

    def build(features: str) -> tuple[float, int]:
        shutil.rmtree(target, ignore_errors=True)
        command = ["cargo", "build", "--release", "--locked", "--no-default-features"]
        environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
        start = time.monotonic()
        subprocess.run(
            [*command, "--features", features],
            cwd=HERE,
            env=environment,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        program = target / "release" / "stores"
        subprocess.run(["strip", program], check=True)
        return time.monotonic() - start, program.stat().st_size

    without, empty = build("")
    for name in names:
        if name in ("sqlite-normal", "ours"):
            continue
        seconds, size = build(name)
        tree = ["cargo", "tree", "--locked", "--no-default-features", "--features", name]
        tree += ["-e", "normal,build", "--prefix", "none"]
        listed = subprocess.run(tree, cwd=HERE, capture_output=True, text=True, check=True).stdout
        crates = {line.split(" (")[0] for line in listed.splitlines()} - {"stores v0.1.0"}
        costs[name] = (
            f"{seconds - without:.0f} s",
            f"{(size - empty) / 1e6:.2f} MB",
            str(len(crates)),
        )
    return costs


def main() -> None:
    """Measure all of it, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=HERE.parents[1] / "build" / "bench")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each rate is measured")
    parser.add_argument("--only", default="", help="names, comma separated")
    parser.add_argument("--cost", action="store_true", help="also what building and shipping costs")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)

    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "build" / "stores"))
    build = ["cargo", "build", "--release", "--locked", "--quiet"]
    subprocess.run(build, cwd=HERE, env=os.environ | {"CARGO_TARGET_DIR": str(target)}, check=True)
    bench = Bench(target / "release" / "stores", options.directory, options.seconds)
    listed = subprocess.run([bench.program, "names"], capture_output=True, text=True, check=True)
    chosen = set(filter(None, options.only.split(",")))
    names = [name for name in listed.stdout.split() if not chosen or name in chosen]
    mountable = may_mount(bench)

    rows: list[tuple[str, dict[str, str]]] = []

    def row(title: str, measure: Callable[[str], str]) -> None:
        print(f"stores: {title}", file=sys.stderr, flush=True)
        rows.append((title, {name: measure(name) for name in names}))

    disks = []

    def fsync() -> int:
        answer = bench.ask("fsync", options.directory, options.seconds)
        disks.append(int(answer["rate"]))
        return disks[-1]

    def rate(level: str, publishers: int, size: int) -> Callable[[str], str]:
        disk = fsync()

        def measure(name: str) -> str:
            if level == "synced" and name == "sqlite-normal":
                return ""
            with bench.place() as place:
                answer = bench.ask("rate", name, place, level, publishers, size, options.seconds)
            if "error" in answer:
                return f"{answer['error']}"
            ratio = f" ({answer['rate'] / disk:.2g} ×)" if level == "synced" else ""
            return f"{answer['rate'] / 1000:,.1f} k{ratio}, {answer['amplification']:.1f} B/B"

        return measure

    for size in SIZES:
        for publishers in PUBLISHERS:
            title = f"durable, {publishers} × {size} B"
            row(title, rate("synced", publishers, size))
    for publishers in (1, 100):
        title = f"unsynced, {publishers} × 100 B"
        row(title, rate("written", publishers, 100))
    row("unsynced, then SIGKILL", lambda name: measure_kill(bench, name))

    def memory(messages: int) -> Callable[[str], str]:
        def measure(name: str) -> str:
            with bench.place() as place:
                bench.fill(name, place, "synced", messages, 1000)
                answer = bench.ask("open", name, place)
            if "error" in answer:
                return str(answer["error"])
            return f"{answer['memory_kib'] / 1024:.1f} MiB, {answer['seconds'] * 1000:.0f} ms"

        return measure

    row("open, nothing pending", memory(0))
    row(f"open, {PENDING:,} × 100 B pending", memory(PENDING))
    kind = "a tmpfs" if mountable else "a limit on the size of a file"
    row(f"full disk ({kind})", lambda name: measure_full(bench, name, mountable))
    row("last write cut off", lambda name: measure_torn(bench, name, cut_off))
    row("garbage in the last write", lambda name: measure_torn(bench, name, garbage))
    row("a bit flipped in the midst", lambda name: measure_torn(bench, name, flipped))
    if options.cost:
        with bench.place() as place:
            costs = measure_cost(names, place)
        for number, title in enumerate(
            ("building takes longer by", "a program larger by", "crates")
        ):
            cells = {name: costs.get(name, ("", "", ""))[number] for name in names}
            rows.append((title, cells))

    print(f"The disk: {min(disks):,} to {max(disks):,} fdatasync/s, one small write each.\n")
    print("| | " + " | ".join(TITLES.get(name, name) for name in names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for title, cells in rows:
        print(f"| {title} | " + " | ".join(cells[name] for name in names) + " |")


if __name__ == "__main__":
    main()
