"""The rows store/SIZE: publishing with QoS 1 through a store on disk, beside the same in memory and
beside what the disk itself can do."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import drivers
import report
from drivers import Driver

IN_FLIGHT = 100
DISK_SECONDS = 0.2
HEADER = 40  # octets that a message has on disk beside its payload, or about as many

LEGEND = f"""
QoS 1, at most {IN_FLIGHT} published and not acknowledged. memory: no store. system: a message has been
written before it is sent, and the operating system syncs when it likes; wanted is 50 % of memory.
message: it has been synced, too; wanted is 20 × what the disk syncs a second, measured before each run
with appended writes of one message each."""


def choose(live: list[Driver]) -> list[Driver]:
    """These drivers, once for each kind of store."""
    return [
        replace(driver, name=store, environment=driver.environment | environment)
        for driver in live
        for store, environment in (
            ("memory", {}),
            ("system", {"BENCH_DURABILITY": "system"}),
            ("message", {"BENCH_DURABILITY": "message"}),
        )
    ]


@contextmanager
def prepare(driver: Driver, size: int) -> Iterator[tuple[Driver, float]]:
    """The driver with an empty directory for its store, and how often the disk can sync at present."""
    drivers.BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=drivers.BUILD) as directory:
        environment = {"BENCH_WINDOW": str(IN_FLIGHT)}
        if "BENCH_DURABILITY" in driver.environment:
            environment["BENCH_STORE"] = directory
        disk = syncs_per_second(Path(directory) / "sync", size + HEADER)
        yield replace(driver, environment=driver.environment | environment), disk


def syncs_per_second(path: Path, size: int) -> float:
    """Writes of one message, each appended and synced before the next."""
    message = os.urandom(size)
    with open(path, "wb", buffering=0) as file:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < DISK_SECONDS:
            file.write(message)
            os.fdatasync(file)
            count += 1
        rate = count / (time.perf_counter() - start)
    path.unlink()
    return rate


def table(runs: report.Table) -> list[str]:
    """The table of a row of mode store."""
    memory = runs.value("memory", report.rate) if "memory" in runs.good else None

    def cells(name: str) -> list[str]:
        rate = runs.value(name, report.rate)
        return [
            report.count(rate),
            runs.spread(name, report.rate),
            f"{rate / memory * 100:.0f} %" if memory else "",
            f"{runs.value(name, lambda run: report.rate(run) / run['disk']):.1f} ×",
            report.count(runs.value(name, lambda run: run["disk"])),
            f"{runs.value(name, report.cpu):.3f}",
            f"{runs.value(name, lambda run: run['rss_kb'] / 1024):.1f}",
        ]

    columns = ["messages/s", "spread", "of memory", "of the disk's syncs", "syncs/s"]
    columns += ["CPU µs/message", "peak MiB"]
    return [LEGEND.strip(), "", *runs.lines(columns, report.rate, max, cells)]
