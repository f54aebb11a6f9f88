"""The rows growth/NAME: whether a message, or a session, costs more when there is more of something.

Each point is a process of its own. What is compared is the CPU time of the client's process, which
other programs on the machine disturb less than the wall clock."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import report
from drivers import Driver
from report import Figure

FEWER = 50  # times fewer messages at the points that are there for information


@dataclass(frozen=True)
class Series:
    """One thing that may grow, at some points."""

    title: str
    mode: str  # of the driver
    points: tuple[int, ...]
    cost: Figure
    unit: str
    wanted: float  # times the first point that counts, or without one as it is
    first: int | None = None
    count: int | None = None  # messages; as many as the point says where it is None
    qos: int = 0
    size: int = 16
    rate: Figure | None = None
    window: int = 1000
    driver: str = "growth"  # the mode of those that can run it

    def name(self, point: int) -> str:
        """What runs of a point are called: the same for series that look at the same runs."""
        return f"{self.mode} {self.qos} {point}"


@dataclass(frozen=True)
class Growth:
    """A row of the matrix."""

    grows: str
    about: str
    series: tuple[Series, ...]


def cpu(run: report.Result) -> float:
    """Microseconds of CPU for a message."""
    return float(run["cpu_s"] / run["messages"] * 1e6)


def queueing(run: report.Result) -> float:
    """The same for a message that waits."""
    return float(run["queue_cpu_s"] / run["messages"] * 1e6)


def queueing_rate(run: report.Result) -> float:
    """Messages a second that are queued."""
    return float(run["messages"] / run["queue_wall_s"])


def figure(key: str, factor: float = 1) -> Figure:
    """A figure that the driver has told."""
    return lambda run: float(run[key] * factor)


MILLION = 1_000_000
MESSAGE = "CPU µs/message"
LARGE = 200_000_000
UNBOUNDED = float("inf")

ROWS = {
    "flight": Growth(
        "in flight",
        "QoS 1. The peer keeps its acknowledgements back, so that this many messages are in flight "
        "all the time, and 500 are published and acknowledged at once whatever their number. Below "
        "1000 fewer are: with one in flight each message is a round trip, and its cost that of "
        "waking up.",
        (
            Series(
                "in flight",
                "flight",
                (1, 100, 1000, 10_000, 65_535),
                cpu,
                MESSAGE,
                wanted=1.3,
                first=1000,
                count=MILLION,
                qos=1,
                rate=report.rate,
            ),
        ),
    ),
    "subscriptions": Growth(
        "subscriptions",
        "Received at QoS 0. Each subscription has a handler of its own, and every other one a "
        "wildcard. Hot: messages on 100 topics, or all where there are fewer. Any: on all of them, "
        "drawn at random.",
        tuple(
            Series(
                title,
                mode,
                (10, 100, 1000, 10_000, 100_000),
                cpu,
                MESSAGE,
                wanted=wanted,
                first=10,
                count=MILLION,
                rate=report.rate,
            )
            for title, mode, wanted in (
                ("hot", "subscriptions-hot", 1.3),
                ("any", "subscriptions-any", 3.0),
            )
        ),
    ),
    "sessions": Growth(
        "sessions",
        "All sessions together move the same number of messages. Publishing: QoS 1, 100 on their "
        "way in each session, 50 at a time, by one thread; with one session alone each 50 are a round "
        "trip, and their cost that of waking up. Receiving: QoS 0, a stream for each.",
        tuple(
            Series(
                title,
                mode,
                (1, 10, 100, 1000),
                cpu,
                MESSAGE,
                wanted=1.3,
                first=first,
                count=count,
                rate=report.rate,
            )
            for title, mode, first, count in (
                ("publish", "sessions-publish", 10, MILLION),
                ("receive", "sessions-receive", 1, 5 * MILLION),
            )
        ),
    ),
    "queued": Growth(
        "queued",
        "QoS 1, published before the session has a connection, then sent and acknowledged.",
        tuple(
            Series(
                title,
                "queued",
                (10_000, 100_000, MILLION),
                cost,
                unit,
                wanted=1.3,
                first=10_000,
                qos=1,
                rate=rate,
            )
            for title, cost, unit, rate in (
                ("queueing", queueing, MESSAGE, queueing_rate),
                ("sending", cpu, MESSAGE, report.rate),
                (
                    "memory",
                    lambda run: run["queue_kb"] * 1024 / run["messages"],
                    "octets/message",
                    None,
                ),
            )
        ),
    ),
    "threads": Growth(
        "threads",
        "All threads together publish the same number of messages on one session; at QoS 1 each has "
        "1000 of its own on their way.",
        tuple(
            Series(
                f"QoS {qos}",
                "threads",
                (1, 2, 4, 8),
                cpu,
                MESSAGE,
                wanted=1.3,
                first=1,
                count=count,
                qos=qos,
                rate=report.rate,
            )
            for qos, count in ((0, 8 * MILLION), (1, MILLION))
        ),
    ),
    "payload": Growth(
        "payloads",
        "One message of 200 MB at QoS 1. Copies: by how many payloads the process was larger at its "
        "largest than before, beside the program's own copy: none when the payload was handed over, "
        "one when it was borrowed, one when it was received.",
        tuple(
            Series(title, mode, (1,), figure("copies"), "copies", wanted, qos=1, size=LARGE)
            for title, mode, wanted in (
                ("handed over", "payload-shared", 0.02),
                ("borrowed", "payload-borrowed", 1.02),
                ("received", "payload-received", 1.02),
            )
        ),
    ),
    "quiet": Growth(
        "sessions",
        "Sessions that are connected and have nothing to do for five seconds, which is shorter than "
        "the time between two pings. CPU: of all of them together, for one second.",
        (
            Series(
                "all sessions",
                "quiet",
                (1, 1000),
                lambda run: run["cpu_s"] / run["wall_s"] * 1e6,
                "CPU µs/second",
                wanted=100,
            ),
        ),
    ),
    "closed": Growth(
        "sessions",
        "Sessions that are connected at the same time and then closed, through the C interface. In "
        "use: what has been allocated and not freed. Resident: with what the allocator keeps for "
        "later.",
        tuple(
            Series(title, "closed", (10_000,), figure(key), unit, wanted, driver="closed")
            for title, key, unit, wanted in (
                ("in use while open", "open_heap", "KiB/session", UNBOUNDED),
                ("in use after closing", "left_heap", "KiB/session", 0.05),
                ("resident while open", "open_resident", "KiB/session", UNBOUNDED),
                ("resident after closing", "left_resident", "KiB/session", UNBOUNDED),
                ("descriptors while open", "open_descriptors", "descriptors/session", 1.01),
                ("descriptors after closing", "left_descriptors", "descriptors", 0),
            )
        ),
    ),
}


def find(row: str) -> Growth:
    """The row of the matrix with this name."""
    return ROWS[row.partition("/")[2]]


def runs(row: str, live: list[Driver]) -> Iterator[tuple[Driver, Series, int]]:
    """What has to run, each once: the driver as it is at a point, the series, the count."""
    known = set()
    for series in find(row).series:
        driver = next((driver for driver in live if series.driver in driver.modes), None)
        for point in series.points:
            name = series.name(point)
            if driver is None or name in known:
                continue
            known.add(name)
            environment = driver.environment | {
                "BENCH_POINT": str(point),
                "BENCH_WINDOW": str(series.window),
            }
            count = series.count or point
            if series.first and point < series.first:
                count //= FEWER
            yield replace(driver, name=name, environment=environment), series, count


def table(row: str, runs: report.Table) -> list[str]:
    """The table of a row of mode growth."""
    growth = find(row)
    head = ["", growth.grows, "cost", "", "spread", "× first", "wanted", "messages/s", "note"]
    out = [head, ["---", "--:", "--:", "---", *["--:"] * 4, "---"]]
    for series in growth.series:
        for point in series.points:
            out.append([series.title, f"{point:,}", *cells(series, point, runs)])
    lines = (f"| {' | '.join(line)} |" for line in out)
    return [growth.about, "", *lines]


def cells(series: Series, point: int, runs: report.Table) -> list[str]:
    """The rest of a line."""
    name = series.name(point)
    if name not in runs.by_driver:
        return ["left out", series.unit, "", "", "", "", ""]
    note = runs.note(name)
    if name not in runs.good:
        return ["failed", series.unit, "", "", "", "", note]
    cost = runs.value(name, series.cost)
    times, bound = "", series.wanted
    if series.first is None:
        exceeded = cost > bound
    else:
        first = series.name(series.first)
        counts = point >= series.first and first in runs.good
        ratio = cost / runs.value(first, series.cost) if counts else 0
        times, exceeded = f"{ratio:.2f}" if counts else "", ratio > bound
    informs = bound == UNBOUNDED or (series.first is not None and point < series.first)
    limit = "" if informs else f"≤ {bound:g}{'' if series.first is None else ' ×'}"
    shown = [f"{cost:.3f}", series.unit, runs.spread(name, series.cost), times]
    if exceeded:
        shown[3 if times else 0] = f"**{shown[3 if times else 0]}**"
    rate = report.count(runs.value(name, series.rate)) if series.rate else ""
    return [*shown, limit, rate, note]
