#!/usr/bin/env python3
"""Measure MQTT libraries against the same loopback peer and print Markdown tables.

A row of the matrix is pub/QOS/SIZE, store/SIZE, recv/QOS/SIZE (or recv/QOS/SIZE/WINDOW, with so many
unacknowledged in place of 1000), latency/SIZE or idle/CONNECTIONS. A fresh sink serves every run, and
its counters must show what the run was asked for. Repetitions are interleaved: every driver once, then
every driver again, in a new order each time.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import document
import drivers
import durable
import report
import syscalls
from drivers import Driver

MATRIX = [
    *(f"pub/{qos}/{size}" for qos in (0, 1) for size in (16, 1024, 65536)),
    "pub/2/16",
    "store/16",
    "store/1024",
    *(f"recv/{qos}/{size}" for qos in (0, 1) for size in (16, 1024, 65536)),
    "recv/1/16/100",
    "recv/2/16",
    "latency/16",
    "idle/1000",
    "idle/10000",
]
ROUND_TRIPS = 20_000
TIMEOUT = 60  # seconds after which a run counts as failed
LARGEST_COUNT = 50_000_000
WINDOW = 1000


@dataclass(frozen=True)
class Row:
    """One line of the matrix."""

    name: str
    mode: str
    qos: int = 0
    size: int = 0
    connections: int = 0
    window: int = WINDOW

    @classmethod
    def parse(cls, name: str) -> "Row":
        """Read what --row was given."""
        mode, *numbers = name.split("/")
        try:
            values = [int(number) for number in numbers]
            if mode == "recv" and len(values) == 3:
                window = values.pop()
                return replace(cls.parse(f"recv/{values[0]}/{values[1]}"), name=name, window=window)
            if mode in ("pub", "recv"):
                qos, size = values
                if 0 <= qos <= 2 and size >= 0:
                    return cls(name, mode, qos=qos, size=size)
            elif mode == "store":
                (size,) = values
                return cls(name, mode, qos=1, size=size)
            elif mode == "latency":
                (size,) = values
                return cls(name, mode, size=size)
            elif mode == "idle":
                (connections,) = values
                return cls(name, mode, connections=connections)
        except ValueError:
            pass
        sys.exit(f"benches: {name!r} is no row; rows are {', '.join(MATRIX)} and the like")


class Sink:
    """The peer, on a port of its own."""

    def __init__(self, program: str, window: int) -> None:
        self.process = subprocess.Popen(
            [program, "--window", str(window)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().split()[1]

    def stop(self) -> dict[str, Any]:
        """End it and return its counters."""
        out, _ = self.process.communicate(timeout=TIMEOUT)
        if self.process.returncode:
            sys.exit(f"benches: the sink ended with {self.process.returncode}")
        counters: dict[str, Any] = json.loads(out)
        return counters


class Bench:
    """What all runs have in common."""

    def __init__(self, sink: str, version: int, seconds: float, counts_calls: bool) -> None:
        self.sink = sink
        self.version = version
        self.seconds = seconds
        self.counts_calls = counts_calls

    def run(self, driver: Driver, row: Row, count: int) -> report.Result:
        """One run of one driver; of one with a store, behind a look at the disk."""
        if row.mode != "store":
            return self.drive(driver, row, count)
        with durable.prepare(driver, row.size) as (prepared, disk):
            return self.drive(prepared, row, count) | {"disk": disk}

    def drive(
        self, driver: Driver, row: Row, count: int, before: Sequence[str] = ()
    ) -> report.Result:
        """One run of one driver as it stands, behind the words of another command."""
        sink = Sink(self.sink, row.window)
        numbers = map(str, (row.qos, count, row.size, self.version))
        mode = "pub" if row.mode == "store" else row.mode
        command = [*before, *driver.command, "127.0.0.1", sink.port, mode, *numbers]
        result: report.Result = {
            "driver": driver.name,
            "role": driver.role,
            "language": driver.language,
        }
        try:
            done = subprocess.run(
                command,
                env=os.environ | driver.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            result["error"] = f"no end after {TIMEOUT} s"
        else:
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["no word"]
                result["error"] = f"exit {done.returncode}: {said[-1]}"
            else:
                result |= json.loads(done.stdout)
        counters = sink.stop()
        if "error" not in result:
            result["peer_busy"] = (counters["user_s"] + counters["sys_s"]) / result["wall_s"]
            odd = complain(row, count, result["messages"], counters)
            if odd:
                result["odd"] = odd
        return result

    def count_calls(self, driver: Driver, row: Row, count: int) -> report.Result:
        """A run of its own, in which only system calls are counted."""
        calls = []
        for messages in (syscalls.FEW, count):
            with syscalls.Counter() as counter:
                result = self.drive(driver, row, messages, counter.prefix)
                if "error" in result:
                    return {"odd": f"while system calls were counted: {result['error']}"}
                calls.append(counter.value())
        return {"calls": max(0, calls[1] - calls[0]) / (count - syscalls.FEW)}

    def choose_count(self, driver: Driver, row: Row) -> int | report.Result:
        """Messages that take about as long as a run shall take; or the run that failed."""
        if row.mode == "latency":
            return ROUND_TRIPS
        if row.mode == "idle":
            return min(row.connections, driver.max_idle)
        count = 100 if row.size > 16384 else 2000
        while True:
            result = self.run(driver, row, count)
            if "error" in result:
                return result
            if result["wall_s"] > self.seconds / 4 or count == LARGEST_COUNT:
                break
            # A short run tells little about a long one, so go there in steps.
            grow = self.seconds / 2 / max(result["wall_s"], 1e-6)
            count = min(LARGEST_COUNT, int(count * min(20, max(2, grow))))
        wanted = int(count * self.seconds / result["wall_s"])
        return max(100, min(LARGEST_COUNT, wanted))

    def measure(self, row: Row, live: list[Driver], repetitions: int) -> list[report.Result]:
        """All runs of a row."""
        if row.mode == "store":
            live = durable.choose(live)
        results = []
        plan = []
        for driver in live:
            count = self.choose_count(driver, row)
            if isinstance(count, int):
                plan.append((driver, count))
            else:
                results.append(count)
        for _ in range(repetitions):
            random.shuffle(plan)
            results += [self.run(driver, row, count) for driver, count in plan]
        if self.counts_calls and row.mode in ("pub", "recv"):
            for driver, count in plan:
                calls = self.count_calls(driver, row, count)
                for run in results:
                    if run["driver"] == driver.name:
                        run.update(calls)
        return results


def complain(row: Row, count: int, messages: int, counters: dict[str, Any]) -> str | None:
    """What the peer saw that it should not have seen."""
    if counters["errors"]:
        return "broke the protocol"
    if messages != count:
        return f"reported {messages} of {count}"
    if row.mode in ("pub", "store"):
        expected = [count if qos == row.qos else 0 for qos in range(3)]
        expected[1] += row.qos == 0  # the one that proves the others to have arrived
        if counters["publish"] != expected:
            return f"sent {counters['publish']} for {expected}"
        if counters["pubrel"] != expected[2]:
            return f"released {counters['pubrel']} of {count}"
    if row.mode == "idle" and counters["accepted"] != count:
        return f"made {counters['accepted']} connections of {count}"
    return None


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", action="append", help="a row or the start of some; repeatable")
    parser.add_argument("--only", default="", help="names, roles or languages, comma separated")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a run shall take")
    parser.add_argument("--version", type=int, choices=(4, 5), default=4, help="3.1.1 or 5.0")
    parser.add_argument(
        "--document", action="store_true", help="write docs/performance.md and its charts, too"
    )
    parser.add_argument("--save", help="append every run to this file as a JSON line")
    return parser.parse_args()


def choose_rows(asked: list[str] | None) -> list[Row]:
    """The rows of the matrix that were asked for, and those that stand in no matrix."""
    names = []
    for name in asked or [""]:
        matching = [row for row in MATRIX if not name or f"{row}/".startswith(f"{name}/")]
        names += matching or [name]
    return [Row.parse(name) for name in dict.fromkeys(names)]


def say(text: str) -> None:
    """Progress, and what is left out."""
    print(f"benches: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the matrix; 1 if something that ran went wrong."""
    options = parse_arguments()
    rows = choose_rows(options.row)
    # A thousand connections need more descriptors than a shell gives; children inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    only = set(filter(None, options.only.split(",")))
    live, left_out = drivers.load(only)
    for text in left_out:
        say(f"LEFT OUT {text}")
    if not live:
        sys.exit("benches: nothing to measure")
    reason = syscalls.why_not()
    if reason:
        say(f"LEFT OUT system calls: {reason}")
        left_out.append(f"system calls: {reason}")
    bench = Bench(drivers.compile_sink(), options.version, options.seconds, not reason)

    said: list[str] = []

    def tell(*lines: str) -> None:
        said.extend(lines)
        print(*lines, sep="\n", flush=True)

    tell(
        f"{report.machine()}. MQTT {'5.0' if options.version == 5 else '3.1.1'}. "
        f"{options.repetitions} runs of about {options.seconds:g} s each.",
        f"\n{report.LEGEND}",
        *(f"\n**Left out:** {text}." for text in left_out),
    )
    libraries, failed, measured = set(), False, {}
    for number, row in enumerate(rows, 1):
        say(f"{row.name} ({number} of {len(rows)})")
        results = bench.measure(row, live, options.repetitions)
        if options.save:
            with open(options.save, "a", encoding="utf-8") as file:
                file.writelines(f"{json.dumps({'row': row.name} | run)}\n" for run in results)
        libraries |= {result["library"] for result in results if "library" in result}
        failed |= any("error" in result or "odd" in result for result in results)
        tables = {"latency": report.latency, "idle": report.idle, "store": durable.table}
        measured[row.name] = report.Table(results)
        lines = tables.get(row.mode, report.throughput)(measured[row.name])
        tell(f"\n### {row.name}\n", *lines)
    tell(f"\nMeasured: {', '.join(sorted(libraries))}.")
    if options.document:
        document.write("\n".join(said), measured)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
