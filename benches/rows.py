"""The rows of the matrix, and what a peer has to have seen after a run of each."""

import sys
from dataclasses import dataclass, replace
from typing import Any

import growth

MATRIX = [
    *(f"pub/{qos}/{size}" for qos in (0, 1) for size in (16, 1024, 65536)),
    "pub/2/16",
    "tls/0/1024",
    "store/16",
    "store/1024",
    *(f"recv/{qos}/{size}" for qos in (0, 1) for size in (16, 1024, 65536)),
    "recv/1/16/100",
    "recv/2/16",
    "latency/16",
    "idle/1000",
    "idle/10000",
    *(f"growth/{name}" for name in growth.ROWS),
]
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
        if mode == "growth" and numbers[0] in growth.ROWS:
            return cls(name, mode)
        try:
            values = [int(number) for number in numbers]
            if mode == "recv" and len(values) == 3:
                window = values.pop()
                return replace(cls.parse(f"recv/{values[0]}/{values[1]}"), name=name, window=window)
            if mode in ("pub", "recv", "tls"):
                qos, size = values
                if 0 <= qos <= (0 if mode == "tls" else 2) and size >= 0:
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


def complain(row: Row, count: int, messages: int, counters: dict[str, Any]) -> str | None:
    """What the peer saw that it should not have seen."""
    if counters["errors"]:
        return "broke the protocol"
    if messages != count:
        return f"reported {messages} of {count}"
    if row.mode in ("pub", "store", "tls"):
        expected = [count if qos == row.qos else 0 for qos in range(3)]
        expected[1] += row.qos == 0  # the one that proves the others to have arrived
        if counters["publish"] != expected:
            return f"sent {counters['publish']} for {expected}"
        if counters["pubrel"] != expected[2]:
            return f"released {counters['pubrel']} of {count}"
    if row.mode == "threads" and counters["publish"][row.qos] < count:
        return f"sent {counters['publish']} of {count}"
    if row.mode == "idle" and counters["accepted"] != count:
        return f"made {counters['accepted']} connections of {count}"
    return None


def choose(asked: list[str] | None) -> list[Row]:
    """The rows of the matrix that were asked for, and those that stand in no matrix."""
    names = []
    for name in asked or [""]:
        matching = [row for row in MATRIX if not name or f"{row}/".startswith(f"{name}/")]
        names += matching or [name]
    return [Row.parse(name) for name in dict.fromkeys(names)]
