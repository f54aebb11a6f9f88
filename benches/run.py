#!/usr/bin/env python3
"""Measure MQTT libraries against the same loopback peer and print Markdown tables.

A row of the matrix is pub/QOS/SIZE, tls/0/SIZE, store/SIZE, recv/QOS/SIZE (or recv/QOS/SIZE/WINDOW, with so many
unacknowledged in place of 1000), latency/SIZE, idle/CONNECTIONS or growth/NAME. A fresh sink serves every run, and
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
from dataclasses import replace
from typing import Any

import document
import drivers
import durable
import growth
import report
import rows
import syscalls
import tls
from drivers import Driver
from rows import Row

ROUND_TRIPS = 20_000
TIMEOUT = 60  # seconds after which a run counts as failed
LARGEST_COUNT = 50_000_000


class Sink:
    """The peer, on a port of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command,
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
        """One run of one driver: with a store behind a look at the disk, with TLS at a peer that has it."""
        if row.mode == "store":
            with durable.prepare(driver, row.size) as (prepared, disk):
                return self.drive(prepared, row, count) | {"disk": disk}
        if row.mode == "tls":
            with tls.prepare(driver) as (prepared, peer):
                return self.drive(prepared, row, count, peer=peer)
        return self.drive(driver, row, count)

    def drive(
        self,
        driver: Driver,
        row: Row,
        count: int,
        before: Sequence[str] = (),
        peer: Sequence[str] = (),
    ) -> report.Result:
        """One run of one driver as it stands, behind the words of another command, and with another
        peer than the sink."""
        sink = Sink(peer or [self.sink, "--window", str(row.window)])
        numbers = map(str, (row.qos, count, row.size, self.version))
        mode = "pub" if row.mode in ("store", "tls") else row.mode
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
            if "suite" in counters:
                result["suite"] = counters["suite"]
            odd = rows.complain(row, count, result["messages"], counters)
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

    def repeat(self, plan: list[tuple[Driver, Row, int]], repetitions: int) -> list[report.Result]:
        """Everything once, then again in another order."""
        results = []
        for _ in range(repetitions):
            random.shuffle(plan)
            results += [self.run(*step) for step in plan]
        return results

    def measure(self, row: Row, live: list[Driver], repetitions: int) -> list[report.Result]:
        """All runs of a row."""
        if row.mode == "growth":
            points = [
                (driver, replace(row, mode=series.mode, qos=series.qos, size=series.size), count)
                for driver, series, count in growth.runs(row.name, live)
            ]
            return self.repeat(points, repetitions)
        live = [driver for driver in live if row.mode in driver.modes and row.qos <= driver.max_qos]
        if row.mode == "store":
            live = durable.choose(live)
        results = []
        plan = []
        for driver in live:
            count = self.choose_count(driver, row)
            if isinstance(count, int):
                plan.append((driver, row, count))
            else:
                results.append(count)
        results += self.repeat(plan, repetitions)
        if self.counts_calls and row.mode in ("pub", "recv"):
            for driver, _, count in plan:
                calls = self.count_calls(driver, row, count)
                for run in results:
                    if run["driver"] == driver.name:
                        run.update(calls)
        return results


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


def say(text: str) -> None:
    """Progress, and what is left out."""
    print(f"benches: {text}", file=sys.stderr, flush=True)


def table(row: Row, runs: report.Table) -> list[str]:
    """The table of a row."""
    if row.mode == "growth":
        return growth.table(row.name, runs)
    tables = {
        "latency": report.latency,
        "idle": report.idle,
        "store": durable.table,
        "tls": tls.table,
    }
    return tables.get(row.mode, report.throughput)(runs)


def main() -> int:
    """Run the matrix; 1 if something that ran went wrong."""
    options = parse_arguments()
    chosen = rows.choose(options.row)
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
    for number, row in enumerate(chosen, 1):
        say(f"{row.name} ({number} of {len(chosen)})")
        results = bench.measure(row, live, options.repetitions)
        if options.save:
            with open(options.save, "a", encoding="utf-8") as file:
                file.writelines(f"{json.dumps({'row': row.name} | run)}\n" for run in results)
        libraries |= {result["library"] for result in results if "library" in result}
        failed |= any("error" in result or "odd" in result for result in results)
        measured[row.name] = report.Table(results)
        tell(f"\n### {row.name}\n", *table(row, measured[row.name]))
    tell(f"\nMeasured: {', '.join(sorted(libraries))}.")
    if options.document:
        document.write("\n".join(said), measured)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
