"""What every test may have: brokers, a scripted one, and proof that nothing is left behind."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import mqttsession
import pytest
from mqttsession.testing import Broker

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"

# No step of a test takes longer on any machine; none depends on being faster.
DEADLINE = 30.0

_PASSED = pytest.StashKey[bool]()


def _program(name: str, variable: str) -> Path | None:
    """Find a program of this repository: named by the environment, or built by cargo."""
    if os.environ.get(variable):
        return Path(os.environ[variable])
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / profile / name for profile in ("debug", "release")]
    return next((path for path in built if path.exists()), None)


def _mosquitto() -> Path | None:
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    return Path(found) if found else None


@pytest.fixture(scope="session", params=["embedded", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A running broker: first the embedded one, then Mosquitto."""
    if request.param == "embedded":
        program = _program("mqttsession-broker", "MQTTSESSION_BROKER")
        assert program, "build it first: cargo build -p mqttsession-broker"
    else:
        program = _mosquitto()
        if program is None:
            required = os.environ.get("MQTTSESSION_REQUIRE_MOSQUITTO") == "1"
            (pytest.fail if required else pytest.skip)("SKIPPED: mosquitto is not installed")
    with Broker(program) as running:
        yield running


class ScriptedBroker:
    """A broker that does what a script says, and nothing else."""

    def __init__(self, script: str) -> None:
        program = _program("scripted-broker", "MQTTSESSION_SCRIPTED_BROKER")
        assert program, "build it first: cargo build -p mqttsession-tests --bin scripted-broker"
        self._process = subprocess.Popen(
            [program, "--deadline", str(int(DEADLINE)), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(script)
        self._process.stdin.close()
        first = self._process.stdout.readline()
        assert first.startswith("listening "), first + self._process.stdout.read()
        self.port = int(first.split()[1])
        self.address = f"mqtt://127.0.0.1:{self.port}"
        self._trace: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._trace.extend(self._process.stdout)

    def finish(self) -> None:
        """Wait for the script's end; fail with both sides decoded when it was another one."""
        code = self._process.wait(2 * DEADLINE)
        self._reader.join()
        assert code == 0, "the script did not run to its end:\n" + "".join(self._trace)

    def stop(self) -> None:
        """End it, whatever it was doing."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def scripted() -> Iterator[Callable[[str], ScriptedBroker]]:
    """Start a scripted broker: from a script, or from the name of one in tests/scenarios."""
    started: list[ScriptedBroker] = []

    def start(script: str) -> ScriptedBroker:
        if "\n" not in script:
            script = (SCENARIOS / f"{script}.script").read_text(encoding="utf-8")
        started.append(ScriptedBroker(script))
        return started[-1]

    yield start
    for broker in started:
        broker.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember how the test went, for the fixture below."""
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a session behind."""
    yield
    if not request.node.stash.get(_PASSED, False):
        # Its traceback holds its sessions.
        return
    # A dropped session is closed by threads of the library, which nobody can join, and which may
    # still hold what only the next collection can then free.
    deadline = time.monotonic() + DEADLINE
    while gc.collect() or (mqttsession.live_sessions() and time.monotonic() < deadline):
        threading.Event().wait(0.005)
    assert mqttsession.live_sessions() == 0


class Collector:
    """A handler that keeps what it gets, and can be waited for."""

    def __init__(self) -> None:
        self.messages: list[mqttsession.Message] = []
        self._changed = threading.Condition()

    def __call__(self, message: mqttsession.Message) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, count: int) -> list[mqttsession.Message]:
        """Return the messages when there are so many."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.messages) >= count, DEADLINE)
            assert arrived, f"{len(self.messages)} of {count} messages came: {self.messages}"
            return list(self.messages)


@pytest.fixture
def collector() -> Collector:
    """A handler that keeps what it gets."""
    return Collector()


class Events:
    """What happened to a session, to be waited for."""

    def __init__(self) -> None:
        self.seen: list[mqttsession.Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: mqttsession.Event) -> None:
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def wait(self, kind: str, count: int = 1) -> mqttsession.Event:
        """Return the last of so many events of a kind, when they have come."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._of(kind)) >= count, DEADLINE)
            assert came, f"{kind} came {len(self._of(kind))} of {count} times: {self.seen}"
            return self._of(kind)[count - 1]

    def _of(self, kind: str) -> list[mqttsession.Event]:
        return [event for event in self.seen if event.kind == kind]


@pytest.fixture
def events() -> Events:
    """Keep what happens to a session."""
    return Events()


class Unraisable:
    """What went to sys.unraisablehook."""

    def __init__(self) -> None:
        self.seen: list[BaseException | None] = []
        self._came = threading.Event()

    def __call__(self, unraisable: sys.UnraisableHookArgs) -> None:
        self.seen.append(unraisable.exc_value)
        self._came.set()

    def wait(self) -> BaseException | None:
        """Return the first, when it has come."""
        assert self._came.wait(DEADLINE), "nothing was reported"
        return self.seen[0]


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Unraisable:
    """Catch what goes to sys.unraisablehook."""
    hook = Unraisable()
    monkeypatch.setattr(sys, "unraisablehook", hook)
    return hook


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )


# Nothing that a process does at its end happens after this, no matter which thread dies.
KILLED = """
import asyncio, contextlib, os, signal, sys, threading
import mqttsession
from mqttsession import aio
def die(*_):
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_killed(program: str, *arguments: str) -> str:
    """Run a program that ends by calling ``die()``, and return what it had printed."""
    done = run_python(KILLED + program, *arguments)
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stdout, done.stderr)
    return done.stdout
