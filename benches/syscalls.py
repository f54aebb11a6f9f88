"""How many system calls a driver makes for each message: counted by the kernel's own tracepoint
through perf, which slows nothing down that could be noticed."""

import subprocess
import tempfile
from pathlib import Path
from typing import Self

FEW = 2  # messages of the run that is subtracted: what starting and connecting takes

COUNT = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o"]


def why_not() -> str | None:
    """Why system calls cannot be counted here; None where they can."""
    try:
        with Counter() as counter:
            done = subprocess.run(
                [*counter.prefix, "true"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0 and counter.value() > 0:
                return None
    except (OSError, ValueError):
        pass
    return "perf, or the right to use raw_syscalls:sys_enter, is missing; try: apt-get install linux-perf"


class Counter:
    """Counts what one command does, with its threads."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "count"
        self.prefix = [*COUNT, str(self._file), "--"]
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def value(self) -> int:
        """The system calls of the command that ran behind `prefix`."""
        for line in self._file.read_text(encoding="utf-8").splitlines():
            if "raw_syscalls" in line:
                return int(line.split(",")[0])
        raise ValueError("perf counted nothing")
