"""Puts one deliberate fault after another into a copy of the sources and demands that the simulation finds it.

usage: run.py ROOT [--seeds N] [NAME...]

The faults stand in mutants.txt beside this file. The copy and what is built from it are in ROOT/build/mutants.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import typing

HERE = pathlib.Path(__file__).resolve().parent


class Mutant(typing.NamedTuple):
    """A fault: where it is put, and what it changes."""

    name: str
    words: str
    changes: list[tuple[str, str, str]]


def read(text: str) -> list[Mutant]:
    """The faults of mutants.txt."""
    mutants = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        name, _, words = head.partition(": ")
        changes = re.findall(
            r"^(\S+)\n<<<<\n(.*?)\n====\n(.*?)\n?>>>>$", body, flags=re.MULTILINE | re.DOTALL
        )
        if not words or not changes:
            raise SystemExit(f"mutants: {name} has no words or no changes")
        mutants.append(Mutant(name, words, changes))
    return mutants


def copy_tree(root: pathlib.Path, tree: pathlib.Path) -> None:
    """Brings the copy up to date with the sources; what has not changed keeps its time, so that little is built anew."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = root / name, tree / name
        if not source.is_file():
            continue
        content = source.read_bytes()
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def build(tree: pathlib.Path, target: pathlib.Path) -> str | None:
    """Builds the simulation; its path, or nothing when it cannot be built."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    command = ["cargo", "test", "--locked", "-p", "mqttsession-tests", "--test", "sim", "--no-run"]
    built = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    found = re.search(r"Executable .*\((.*)\)", built.stderr)
    if built.returncode != 0 or not found:
        print(built.stderr, file=sys.stderr)
        return None
    return str(tree / found[1])


def play(program: str, seeds: int) -> tuple[int | None, str]:
    """Plays seeds until one fails: how many that took, and why it failed."""
    played = subprocess.run(
        [program, "--seeds", str(seeds)], capture_output=True, text=True, check=False
    )
    failed = re.search(r"seed (\d+) FAILS: (.*)", played.stdout)
    if failed:
        return int(failed[1]) + 1, failed[2]
    lines = played.stdout.strip().splitlines() or ["it printed nothing"]
    return None, lines[-1]


def main() -> int:
    """Tries every fault; whether all were found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument(
        "--seeds", type=int, default=20_000, help="after so many a fault counts as missed"
    )
    parser.add_argument(
        "--target",
        type=pathlib.Path,
        help="where to build, in place of ROOT/build/mutants/target; not where the sources are built",
    )
    parser.add_argument("names", nargs="*", help="parts of names; none means all")
    choice = parser.parse_args()
    root = choice.root.resolve()
    tree = root / "build" / "mutants" / "tree"
    target = (choice.target or tree.parent / "target").resolve()
    mutants = read((HERE / "mutants.txt").read_text())
    chosen = [
        m for m in mutants if not choice.names or any(part in m.name for part in choice.names)
    ]
    copy_tree(root, tree)
    for mutant in chosen:
        for path, before, _ in mutant.changes:
            count = (tree / path).read_text().count(before)
            if count != 1:
                raise SystemExit(f"mutants: {mutant.name}: {path} has its text {count} times")
    sound = build(tree, target)
    if sound is None:
        raise SystemExit("mutants: the sources themselves do not build")
    taken, why = play(sound, 2000)
    if taken is not None:
        raise SystemExit(f"mutants: the sources themselves fail: {why}")
    print("| fault | found after | as |\n|---|---:|---|", flush=True)
    missed = []
    for mutant in chosen:
        kept = {path: (tree / path).read_text() for path, _, _ in mutant.changes}
        for path, before, after in mutant.changes:
            (tree / path).write_text((tree / path).read_text().replace(before, after))
        program = build(tree, target)
        taken, why = play(program, choice.seeds) if program else (None, "it does not build")
        if taken is None:
            missed.append(mutant.name)
        after = f"{taken} seed{'' if taken == 1 else 's'}" if taken else "**never**"
        print(f"| {mutant.words} | {after} | {shorten(why)} |", flush=True)
        for path, text in kept.items():
            (tree / path).write_text(text)
    print(f"\n{len(chosen) - len(missed)} of {len(chosen)} faults found")
    if missed:
        print("not found: " + ", ".join(missed))
    return 1 if missed else 0


def shorten(why: str) -> str:
    """A reason short enough for a table, without the place in the sources."""
    words = re.sub(r"^\S+?:\d+:\d+: (assertion .*? failed: )?", "", why)
    words = re.sub(r"-{5,}", "…", words.split(": ")[0]).replace("|", "/")
    return words if len(words) <= 90 else words[:87] + "..."


if __name__ == "__main__":
    sys.exit(main())
