"""The tables: medians of many runs as Markdown."""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

Figure = Callable[["Result"], float]
Best = Callable[..., str]  # min or max of some drivers' names
Result = dict[str, Any]  # what a driver printed, and what run.py added to it

LEGEND = """\
Every figure is the median of its runs. Spread: (largest − smallest) / median. ×peer: against the
best peer of the same language (**bold**) in the same table; of a time or a size less is better.
Of raw, ×raw: against the physical limit, pre-encoded packets without a library. CPU: user and
system time of the client. Peer busy: CPU time of the sink over the time of the run; near 100 %
the sink and not the client was the limit. Calls: system calls, counted in a run of their own.
Peak: the largest resident set of the process, for Python with its interpreter.
Growth: × first is against the first point that counts; what stands before it is for information.
More than wanted is **bold**."""


class Table:
    """The runs of one row of the matrix by driver, and the medians over them."""

    def __init__(self, runs: list[Result]) -> None:
        self.by_driver: dict[str, list[Result]] = {}
        for run in runs:
            self.by_driver.setdefault(run["driver"], []).append(run)
        self.good: dict[str, list[Result]] = {}
        for run in runs:
            if "error" not in run:
                self.good.setdefault(run["driver"], []).append(run)

    def value(self, name: str, figure: Figure) -> float:
        """The median of a figure over a driver's runs."""
        return median(figure(run) for run in self.good[name])

    def spread(self, name: str, figure: Figure) -> str:
        """How far a driver's runs lie apart."""
        values = [figure(run) for run in self.good[name]]
        middle = median(values)
        return f"{(max(values) - min(values)) / middle * 100:.0f} %" if middle > 0 else ""

    @property
    def limit(self) -> str | None:
        """The driver that is the physical limit, if it ran."""
        names = (name for name, runs in self.good.items() if runs[0]["role"] == "limit")
        return next(names, None)

    def best_peers(self, figure: Figure, best: Best) -> dict[str, str]:
        """The best peer of each language."""
        found: dict[str, list[str]] = {}
        for name, runs in self.good.items():
            if runs[0]["role"] == "peer":
                found.setdefault(runs[0]["language"], []).append(name)
        return {
            language: best(names, key=lambda name: self.value(name, figure))
            for language, names in found.items()
        }

    def against_peer(self, name: str, figure: Figure, best: Best) -> str:
        """A driver's figure over that of the best peer of its language."""
        run = self.good[name][0]
        peer = self.best_peers(figure, best).get(run["language"])
        if peer is None or run["role"] == "limit":
            return ""
        return f"{self.value(name, figure) / self.value(peer, figure):.2f}"

    def note(self, name: str) -> str:
        """What went wrong in a driver's runs, with how often."""
        texts = [run.get("error") or run.get("odd") for run in self.by_driver[name]]
        told = dict.fromkeys(filter(None, texts))
        notes = "; ".join(f"{text} ({texts.count(text)}×)" for text in told)
        return notes.replace("|", "\\|")

    def lines(
        self, columns: list[str], figure: Figure, best: Best, cells: Callable[[str], list[str]]
    ) -> list[str]:
        """The Markdown table, best first, failed drivers last."""
        peers = self.best_peers(figure, best).values()
        names = sorted(self.good, key=lambda name: self.value(name, figure), reverse=best is max)
        out = [["driver", *columns, "note"], ["---", *["--:"] * len(columns), "---"]]
        for name in names:
            title = f"**{name}**" if name in peers else name
            out.append([title, *cells(name), self.note(name)])
        for name in sorted(self.by_driver.keys() - self.good.keys()):
            out.append([name, *["failed"] * len(columns), self.note(name)])
        return [f"| {' | '.join(line)} |" for line in out]


def rate(run: Result) -> float:
    """Messages a second."""
    return float(run["messages"] / run["wall_s"])


def cpu(run: Result) -> float:
    """Microseconds of CPU for a message."""
    return float((run["user_s"] + run["sys_s"]) / run["messages"] * 1e6)


def calls(run: Result) -> str:
    """System calls for a message, where they were counted."""
    return f"{run['calls']:.4f}" if "calls" in run else ""


def throughput(table: Table) -> list[str]:
    """The table of a row of mode pub or recv."""
    raw = table.value(table.limit, rate) if table.limit else None

    def cells(name: str) -> list[str]:
        return [
            count(table.value(name, rate)),
            table.spread(name, rate),
            table.against_peer(name, rate, max),
            f"{table.value(name, rate) / raw * 100:.2f} %" if raw else "",
            f"{table.value(name, cpu):.3f}",
            f"{table.value(name, lambda run: run['rss_kb'] / 1024):.1f}",
            f"{table.value(name, lambda run: run['peer_busy']) * 100:.0f} %",
            calls(table.good[name][0]),
        ]

    columns = ["messages/s", "spread", "×peer", "of raw", "CPU µs/message", "peak MiB", "peer busy"]
    columns.append("calls/message")
    return table.lines(columns, rate, max, cells)


def latency(table: Table) -> list[str]:
    """The table of a row of mode latency."""

    def p50(run: Result) -> float:
        return float(run["p50_us"])

    raw = table.value(table.limit, p50) if table.limit else None

    def cells(name: str) -> list[str]:
        return [
            f"{table.value(name, p50):.1f}",
            table.spread(name, p50),
            table.against_peer(name, p50, min),
            f"{table.value(name, p50) / raw:.2f}" if raw else "",
            f"{table.value(name, lambda run: run['p99_us']):.1f}",
            f"{table.value(name, lambda run: run['min_us']):.1f}",
            f"{table.value(name, cpu):.1f}",
        ]

    columns = ["p50 µs", "spread", "×peer", "×raw", "p99 µs", "least µs", "CPU µs/round trip"]
    return table.lines(columns, p50, min, cells)


def idle(table: Table) -> list[str]:
    """The table of a row of mode idle."""

    def memory(run: Result) -> float:
        return float(run["rss_per_conn_kb"])

    def cells(name: str) -> list[str]:
        return [
            f"{table.value(name, lambda run: run['conns']):.0f}",
            f"{table.value(name, memory):.1f}",
            table.against_peer(name, memory, min),
            f"{table.value(name, lambda run: run['threads']):.0f}",
            f"{table.value(name, lambda run: run['connect_s']):.2f}",
        ]

    columns = ["connections", "KiB each", "×peer", "threads", "connecting s"]
    return table.lines(columns, memory, min, cells)


def count(number: float) -> str:
    """Three digits, so that figures can be compared at a glance."""
    size, unit = (1e6, " M") if number >= 1e6 else (1e3, " k") if number >= 1e3 else (1, "")
    number /= size
    return f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}{unit}"


def machine() -> str:
    """What the figures were taken on."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    system = f"{platform.system()} {platform.release()}"
    return f"{model}, {cores} cores, load {load:.1f} before the first run, {system}"
