"""A broker for tests: started for a ``with`` block, on a free port, and gone after it.

>>> from mqttsession import Session
>>> from mqttsession.testing import Broker
>>> with Broker() as broker, Session(broker.address) as session:
...     session.publish("greeting", "hello", retain=True)

It is the first of these that is there: the program that the environment variable
``MQTTSESSION_BROKER`` names; ``mqttsession-broker`` (``pip install mqttsession[broker]``);
``mosquitto``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Broker", "BrokerNotFoundError"]

# Generous, because a loaded machine is no reason to fail; a broker that works needs a fraction.
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0
# Between finding a free port and the broker's taking it, another program may take it.
_PORT_ATTEMPTS = 5


class BrokerNotFoundError(RuntimeError):
    """No broker is installed."""


class Broker:
    """A broker of its own, on the loopback interface, without authentication or memory of before.

    ``with Broker() as broker:`` starts it; :attr:`address` is what a session connects to.
    """

    def __init__(self, program: str | os.PathLike[str] | None = None) -> None:
        """Choose the program, or take the first that is installed; nothing is started yet."""
        self._program = Path(program) if program is not None else _find()
        self._process: subprocess.Popen[str] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._reader: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port that it listens at."""
        if self._process is None:
            raise RuntimeError("the broker has not been started; use it in a with statement")
        return self._port

    @property
    def address(self) -> str:
        """Its address, as a session takes it: ``mqtt://127.0.0.1:port``."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def program(self) -> Path:
        """The program that it is."""
        return self._program

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        if self._process is not None:
            raise RuntimeError("the broker has been started already")
        if self._program.stem == "mosquitto":
            self._start_mosquitto()
        else:
            self._start_embedded()

    def stop(self) -> None:
        """Stop it, and return when it is gone. Stopping twice is allowed."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._reader is not None:
                self._reader.join()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.cleanup()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def _start_embedded(self) -> None:
        # It stops when its standard input ends, so it cannot outlive this process.
        process = subprocess.Popen(
            [self._program, "--port", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = process
        assert process.stdout is not None
        line = self._first_line(process.stdout, "listening mqtt://")
        self._port = int(line.strip().rpartition(":")[2])

    def _start_mosquitto(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="mqttsession-")
        for _ in range(_PORT_ATTEMPTS):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._port = probe.getsockname()[1]
            settings = Path(self._directory.name) / "mosquitto.conf"
            settings.write_text(
                f"listener {self._port} 127.0.0.1\n"
                "allow_anonymous true\n"
                "log_dest stderr\n"
                "log_type error\nlog_type warning\nlog_type notice\nlog_type information\n"
                "connection_messages false\n"
                "max_queued_messages 0\n",
                encoding="ascii",
            )
            process = subprocess.Popen(
                [self._program, "-c", settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._process = process
            assert process.stderr is not None
            try:
                self._first_line(process.stderr, " running")
            except RuntimeError as error:
                if "Address already in use" not in str(error):
                    raise
                continue
            return
        raise RuntimeError("mosquitto found no port that it could listen at")

    def _first_line(self, pipe: IO[str], mark: str) -> str:
        """Wait for the line that says that the broker is ready; go on reading behind it."""
        assert self._process is not None
        # A broker that says nothing is stopped, which ends the reading below.
        watchdog = threading.Timer(_START_TIMEOUT, self._process.kill)
        watchdog.start()
        seen = []
        try:
            for line in pipe:
                seen.append(line)
                if mark in line:
                    # A full pipe would stop the broker.
                    self._reader = threading.Thread(target=pipe.read, daemon=True)
                    self._reader.start()
                    return line
        finally:
            watchdog.cancel()
        self._process.wait()
        self.stop()
        said = "".join(seen).strip() or "nothing"
        raise RuntimeError(f"{self._program} did not start; it said: {said}")


def _find() -> Path:
    chosen = os.environ.get("MQTTSESSION_BROKER")
    if chosen:
        return Path(chosen)
    beside = str(Path(sys.executable).parent)
    search = os.pathsep.join([beside, os.environ.get("PATH", os.defpath), "/usr/sbin"])
    for name in ("mqttsession-broker", "mosquitto"):
        found = shutil.which(name, path=search)
        if found is not None:
            return Path(found)
    raise BrokerNotFoundError(
        "no broker is installed: run `pip install mqttsession[broker]`, install mosquitto, "
        "or name one in the environment variable MQTTSESSION_BROKER"
    )
