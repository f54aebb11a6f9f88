"""Ctrl-C, the interpreter's end, and fork."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession.testing import Broker

from conftest import DEADLINE, run_python

if TYPE_CHECKING:
    from conftest import ScriptedBroker

posix = pytest.mark.skipif(os.name != "posix", reason="SKIPPED: needs POSIX signals and fork")

# Each says "waiting" when it is about to wait for something that never comes.
BLOCKING = {
    "connect": "print('waiting', flush=True); session.connect()",
    "wait": """
session.connect()
number = session.publish("a", qos=1)
print('waiting', flush=True)
session.wait(number)
""",
    "flush": """
session.connect()
session.publish("a", qos=1)
print('waiting', flush=True)
session.flush()
""",
    "subscribe": "session.connect(); print('waiting', flush=True); session.subscribe('a', print)",
    "disconnect": """
session.connect()
session.publish("a", qos=1)
print('waiting', flush=True)
session.disconnect(3600)
""",
    "request": """
session.connect()
print('waiting', flush=True)
session.request("a", timeout=3600)
""",
    "publish": """
session.connect()
session.publish("a", qos=1)
print('waiting', flush=True)
session.publish("a", qos=1)
""",
    "shutdown": """
import threading
entered = threading.Event()
def handler(result):
    entered.set()
    try:
        threading.Event().wait()
    finally:
        pass
session.connect()
session.publish("a", on_complete=handler)
entered.wait()
print('waiting', flush=True)
mqttsession.shutdown()
""",
}


@posix
@pytest.mark.parametrize("call", BLOCKING)
def test_ctrl_c_ends_a_blocking_call(scripted: Callable[[str], ScriptedBroker], call: str) -> None:
    silent = "accept\nsilence\n"
    answers = "accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n"
    broker = scripted(silent if call == "connect" else answers)
    program = f"""
import os, sys, mqttsession
session = mqttsession.Session({broker.address!r}, connect_timeout=3600, outgoing_wait=3600,
                              outgoing_limit=(1, 10_000), version="5.0")
try:
    {BLOCKING[call].strip().replace(chr(10), chr(10) + "    ")}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    # What the exit would wait for is tested elsewhere.
    os._exit(0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        # A signal that comes before the wait has begun interrupts it all the same.
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
    assert out == "interrupted\n", err
    assert process.returncode == 0


BUSY_EXIT = """
import contextlib, sys, threading, mqttsession
session = mqttsession.Session(sys.argv[1])
session.connect()
busy = threading.Event()
def handler(message):
    busy.set()
    # At the exit the session is closed under it.
    with contextlib.suppress(mqttsession.MqttError):
        session.publish("in", message.payload)
session.subscribe("in", handler)
session.publish("in", b"round and round")
assert busy.wait(30)
print("leaving")
"""


def test_the_interpreter_exits_a_hundred_times_with_a_busy_handler(broker: Broker) -> None:
    for _ in range(10):
        # Ten at a time, so that they get in each other's way.
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", BUSY_EXIT.replace('"in"', f'"in/{number}"'), broker.address],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(10)
        ]
        for process in processes:
            out, err = process.communicate(timeout=2 * DEADLINE)
            assert (process.returncode, out, err) == (0, "leaving\n", "")


def test_the_exit_waits_for_the_running_handler(broker: Broker) -> None:
    done = run_python(
        """
import sys, threading, mqttsession
session = mqttsession.Session(sys.argv[1])
session.connect()
entered = threading.Event()
def handler(message):
    entered.set()
    # Longer than the main thread needs to get to its exit.
    threading.Event().wait(0.2)
    print("handled", flush=True)
session.subscribe("exit/wait", handler)
session.publish("exit/wait")
assert entered.wait(30)
""",
        broker.address,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "handled\n", "")


def test_the_exit_waits_for_the_running_question(broker: Broker) -> None:
    done = run_python(
        """
import sys, threading, mqttsession
asked = threading.Event()
def credentials():
    asked.set()
    threading.Event().wait(0.2)
    print("answered", flush=True)
    return None, None
session = mqttsession.Session(sys.argv[1], credentials=credentials)
try:
    session.connect(0)
except TimeoutError:
    print("goes on", flush=True)
assert asked.wait(30)
""",
        broker.address,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\nanswered\n", "")


def test_an_exit_while_an_event_loop_is_asked(broker: Broker) -> None:
    done = run_python(
        """
import asyncio, sys
from mqttsession import aio
async def main():
    asked = asyncio.Event()
    async def credentials():
        asked.set()
        await asyncio.Event().wait()
    session = aio.Session(sys.argv[1], credentials=credentials)
    connecting = asyncio.ensure_future(session.connect())
    await asked.wait()
    connecting.cancel()
asyncio.run(main())
print("left")
""",
        broker.address,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_an_exit_in_the_middle_of_closing(broker: Broker) -> None:
    done = run_python(
        """
import asyncio, sys
from mqttsession import aio
async def main():
    session = aio.Session(sys.argv[1])
    await session.connect()
    # Nobody waits for this: the loop and the interpreter end under it.
    asyncio.ensure_future(session.close())
    await asyncio.sleep(0)
for _ in range(20):
    asyncio.run(main())
""",
        broker.address,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_exit_without_ever_connecting() -> None:
    done = run_python("import mqttsession; session = mqttsession.Session()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FORK = """
import os, sys, threading, mqttsession
from mqttsession.error import SessionStateError
address = sys.argv[1]
session = mqttsession.Session(address)
session.connect()
session.subscribe("fork/in", print)
child = os.fork()
if child == 0:
    names = []
    for call in (
        session.connect,
        session.flush,
        lambda: session.publish("fork/out"),
        lambda: session.subscribe("fork/in", print),
        session.disconnect,
    ):
        try:
            call()
        except SessionStateError as error:
            names.append(error.name)
    assert names == ["FORKED"] * 5, names
    session.close()
    del session
    # A new session in the child works.
    got = threading.Event()
    with mqttsession.Session(address) as fresh:
        fresh.subscribe("fork/child", lambda message: got.set())
        fresh.publish("fork/child")
        assert got.wait(30)
    print("child", flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
# The parent's goes on as if nothing had happened.
got = threading.Event()
session.subscribe("fork/parent", lambda message: got.set())
session.publish("fork/parent")
assert got.wait(30)
session.close()
print("parent")
"""


@posix
def test_fork(broker: Broker) -> None:
    done = run_python(FORK, broker.address)
    assert (done.returncode, done.stdout, done.stderr) == (0, "child\nparent\n", "")


@posix
def test_a_pool_of_forked_processes(broker: Broker) -> None:
    done = run_python(
        """
import multiprocessing, sys, mqttsession
def work(address):
    with mqttsession.Session(address) as session:
        return session.wait(session.publish("pool", qos=1), 30).reason_code
if __name__ == "__main__":
    with mqttsession.Session(sys.argv[1]) as session:
        session.publish("pool", qos=1)
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(pool.map(work, [sys.argv[1]] * 6))
""",
        broker.address,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{[0] * 6}\n", "")


def test_a_blocked_connect_is_closed_from_another_thread() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        session = mqttsession.Session(f"127.0.0.1:{listener.getsockname()[1]}")
        names: list[str] = []

        def connect() -> None:
            try:
                session.connect()
            except mqttsession.MqttError as error:
                names.append(error.name)

        waiting = threading.Thread(target=connect)
        waiting.start()
        connection, _ = listener.accept()
        session.close()
        waiting.join(DEADLINE)
        connection.close()
    assert names == ["CLOSED"]
