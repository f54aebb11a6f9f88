"""What the Python drivers share: arguments, clocks, waiting and the JSON line (see bench.h)."""

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

QOS0_MESSAGES = 16384  # handed over and not yet written, so that no peer just fills the memory
QOS0_OCTETS = 32 * 1024 * 1024
WARM_UP = 200  # round trips that are not measured


@dataclass
class Run:
    """What a driver is asked for: `host port mode qos count size [version]`."""

    host: str
    port: int
    mode: str
    qos: int
    count: int
    size: int
    version: int
    window: int
    payload: bytes = field(repr=False)

    @property
    def source(self) -> str:
        """The filter that makes the sink send what the run asks for."""
        return f"source/{self.qos}/{self.count}/{self.size}"


class Clock:
    """Started when made; `report` prints what it cost until then."""

    def __init__(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.user, self.system = usage.ru_utime, usage.ru_stime
        self.wall = time.perf_counter()

    def report(self, run: Run, library: str, messages: int, **extra: float) -> None:
        """Print the JSON line, with `extra` members."""
        wall = time.perf_counter() - self.wall
        usage = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "library": library,
            "mode": run.mode,
            "qos": run.qos,
            "count": run.count,
            "size": run.size,
            "version": run.version,
            "messages": messages,
            "wall_s": round(wall, 6),
            "user_s": round(usage.ru_utime - self.user, 6),
            "sys_s": round(usage.ru_stime - self.system, 6),
            **{key: round(value, 3) for key, value in extra.items()},
            "rss_kb": process_status("VmHWM"),  # ru_maxrss is inherited from the parent
        }
        print(json.dumps(line), flush=True)

    def report_latency(self, run: Run, library: str, trips: list[float]) -> None:
        """The same for round trips, each in microseconds."""
        trips = sorted(trips)
        count = len(trips)
        p50, p99 = trips[count // 2], trips[count * 99 // 100]
        self.report(run, library, count, min_us=trips[0], p50_us=p50, p99_us=p99)

    def report_idle(self, run: Run, library: str, connect_s: float, rss_before: int) -> None:
        """The same for `run.count` connections; the caller has let them settle for a moment."""
        grown = process_status("VmRSS") - rss_before
        self.report(
            run,
            library,
            run.count,
            conns=run.count,
            rss_per_conn_kb=grown / run.count,
            threads=process_status("Threads"),
            connect_s=connect_s,
        )

    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self.wall


class Tally:
    """Counts up in one thread; another one may wait for a value."""

    def __init__(self) -> None:
        self.value = 0
        self._wanted = -1
        self._reached = threading.Condition()

    def add(self, *_: object) -> None:
        """Count one; takes any arguments, so that it can be a callback itself."""
        self.value += 1
        if self.value == self._wanted:
            with self._reached:
                self._reached.notify()

    def wait(self, wanted: int) -> None:
        """Return when the value is at least `wanted`."""
        with self._reached:
            self._wanted = wanted
            while self.value < wanted:
                self._reached.wait()
            self._wanted = -1


class LoopTally:
    """The same on one event loop."""

    def __init__(self) -> None:
        self.value = 0
        self._wanted = -1
        self._reached: asyncio.Future[None] | None = None

    def add(self, *_: object) -> None:
        """Count one; takes any arguments, so that it can be a callback itself."""
        self.value += 1
        if self.value == self._wanted and self._reached is not None:
            self._reached.set_result(None)

    async def wait(self, wanted: int) -> None:
        """Return when the value is at least `wanted`."""
        if self.value < wanted:
            self._wanted = wanted
            self._reached = asyncio.get_running_loop().create_future()
            await self._reached


def process_status(key: str) -> int:
    """A number from /proc/self/status, such as VmRSS (KiB) or Threads."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    raise KeyError(key)


def main(**modes: Callable[[Run], None]) -> None:
    """Read the arguments and run the mode that they name."""
    if len(sys.argv) not in (7, 8) or sys.argv[3] not in modes:
        sys.exit(f"usage: {sys.argv[0]} host port {'|'.join(modes)} qos count size [4|5]")
    host, port, mode, qos, count, size, version = (*sys.argv[1:], "4")[:7]
    window = int(os.environ.get("BENCH_WINDOW", "1000"))
    if int(qos) == 0:
        window = max(1, min(QOS0_MESSAGES, QOS0_OCTETS // (int(size) + 64)))
    payload = b"x" * int(size)
    modes[mode](
        Run(host, int(port), mode, int(qos), int(count), int(size), int(version), window, payload)
    )
    os._exit(0)  # how a library tears down is not measured, and may take longer than the run
