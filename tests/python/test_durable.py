"""What was published is not lost: not with the process, not with the connection, not by leaving."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import (
    CallTimeoutError,
    LeftInStoreError,
    MqttError,
    NotSupportedError,
    StoreError,
    StoreLockedError,
    UnknownMessageError,
)

from conftest import DEADLINE, Events, run_killed, run_python

if TYPE_CHECKING:
    from mqttsession.options import Duration

    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

posix = pytest.mark.skipif(os.name != "posix", reason="SKIPPED: needs SIGKILL, fork and limits")

QUICK = (0.01, 0.01)
NOWHERE = "mqtt://127.0.0.1:1"

# What the killed programs below begin with; the tests' own sessions have the same options.
BEGIN = """
address, store = sys.argv[1:3]
session = mqttsession.Session(address, client_id="me", clean_session=False, store=store,
                              retry_first_connect=True, reconnect_delay=(0.01, 0.01))
with contextlib.suppress(TimeoutError):
    session.connect(0 if address.endswith(":1") else None)
"""

ACCEPT = "accept\nexpect CONNECT client-id=me clean=0\n"
NEW = ACCEPT + "send CONNACK 0 0\n"
KEPT = ACCEPT + "send CONNACK 1 0\n"


def _session(
    address: str, directory: Path, **options: Unpack[mqttsession.SessionOptions]
) -> mqttsession.Session:
    common: mqttsession.SessionOptions = {
        "client_id": "me",
        "clean_session": False,
        "reconnect_delay": QUICK,
        "retry_first_connect": True,
        "store": directory,
    }
    return mqttsession.Session(address, **(common | options))


@contextlib.contextmanager
def _offline(
    directory: Path, **options: Unpack[mqttsession.SessionOptions]
) -> Iterator[mqttsession.Session]:
    """A session that tries to connect and cannot."""
    session = _session(NOWHERE, directory, **options)
    try:
        with pytest.raises(CallTimeoutError):
            session.connect(0)
        yield session
    finally:
        session.close()


@posix
def test_what_was_published_offline_survives_a_kill(
    scripted: Scripted, tmp_path: Path, events: Events
) -> None:
    printed = run_killed(
        BEGIN
        + """
session.publish("out", "at most once")
for qos in (1, 2):
    number = session.publish("out", f"at QoS {qos}", qos)
    session.wait_stored(number, 30)
    print(number)
die()
""",
        NOWHERE,
        str(tmp_path),
    )
    numbers = [int(number) for number in printed.split()]
    broker = scripted(
        NEW
        + 'expect PUBLISH out qos=1 dup=0 payload="at QoS 1"\nsend PUBACK $id\n'
        + 'expect PUBLISH out qos=2 dup=0 payload="at QoS 2"\nsend PUBREC $id\n'
        + "expect PUBREL $id\nsend PUBCOMP $id\nserve until DISCONNECT\n"
    )
    session = _session(broker.address, tmp_path)
    session.on_event = events
    with session:
        assert [session.wait(number, DEADLINE).number for number in numbers] == numbers
        restored = events.wait("restored").restored
        assert restored is not None
        assert (restored.messages, restored.in_flight, restored.interrupted) == (2, 0, 0)
        assert restored.bytes > len("at QoS 1at QoS 2")
        assert not restored.after_power_loss
        assert "messages=2" in repr(restored)
        # Numbers go on where they were; how those ended that had ended before is not known.
        assert session.publish("never") > max(numbers)
        with pytest.raises(UnknownMessageError):
            session.wait(min(numbers) - 1, DEADLINE)
    broker.finish()


PUBLISH = "expect PUBLISH out qos=2 dup={dup} payload=x\nsend PUBREC $id\n"
RELEASE = "expect PUBREL\nsend PUBCOMP $id\n"
LEAVE = "expect DISCONNECT\n"

# What the process had seen when it died; what the next one does; what it calls a loss.
STAGES = {
    "sent, session kept": ("", KEPT + PUBLISH.format(dup=1) + RELEASE, None),
    "sent, session lost": ("", NEW + PUBLISH.format(dup=0) + RELEASE, (1, 0, 0)),
    "released, session kept": ("send PUBREC $id\nexpect PUBREL $id\n", KEPT + RELEASE, None),
    "released, session lost": ("send PUBREC $id\nexpect PUBREL $id\n", NEW, (0, 1, 0)),
}


@posix
@pytest.mark.parametrize("stage", STAGES)
def test_exactly_once_goes_on_where_the_killed_process_was(
    scripted: Scripted, tmp_path: Path, events: Events, stage: str
) -> None:
    before, after, expected = STAGES[stage]
    first = scripted(NEW + f"expect PUBLISH out qos=2 dup=0 payload=x\n{before}close\n")
    printed = run_killed(
        BEGIN
        + """
session.on_event = lambda event: event.kind == "lost" and die()
print(session.publish("out", "x", 2), flush=True)
threading.Event().wait()
""",
        first.address,
        str(tmp_path),
    )
    number = int(printed)
    second = scripted(after + LEAVE)
    session = _session(second.address, tmp_path)
    session.on_event = events
    with session:
        if expected == (0, 1, 0):
            # Nobody can know whether it was delivered.
            with pytest.raises(MqttError) as raised:
                session.wait(number, DEADLINE)
            assert raised.value.name == "SESSION_LOST"
        else:
            assert session.wait(number, DEADLINE).error is None
        restored = events.wait("restored").restored
        assert restored is not None
        assert (restored.messages, restored.in_flight) == (1, 1)
        if expected is not None:
            loss = events.wait("session_lost").session_loss
            assert loss is not None
            assert (loss.renewed, loss.unknown, loss.forgotten) == expected
            assert repr(loss).startswith("SessionLoss(renewed=")
    second.finish()
    first.finish()


@pytest.mark.parametrize("durability", ["message", "system", 0.01, datetime.timedelta(seconds=1)])
def test_under_each_durability_a_message_is_stored(
    tmp_path: Path, durability: Literal["message", "system"] | Duration
) -> None:
    with _offline(tmp_path, durability=durability) as session:
        numbers = [session.publish("out", str(n), 2 if n % 2 else 1) for n in range(10)]
        for number in numbers:
            session.wait_stored(number, DEADLINE)
        statistics = session.statistics
        assert statistics.unstored == 0
        assert statistics.store_writes > 0
        assert statistics.store_size > 0
        if durability == "message":
            assert statistics.store_syncs > 0
        assert statistics.outgoing_messages == 10
    assert session.statistics.left_in_store == 10
    with mqttsession.Store(tmp_path, "me") as store:
        assert [message.number for message in store] == numbers


def test_what_cannot_be_waited_for(tmp_path: Path) -> None:
    with _offline(tmp_path) as session:
        session.wait_stored(session.publish("out"), DEADLINE)
        with pytest.raises(UnknownMessageError):
            session.wait_stored(1000, DEADLINE)
    session = mqttsession.Session(NOWHERE, retry_first_connect=True)
    with pytest.raises(CallTimeoutError):
        session.connect(0)
    with pytest.raises(NotSupportedError):
        session.wait_stored(session.publish("out", qos=1), DEADLINE)
    session.close()


def test_one_session_at_a_time(tmp_path: Path) -> None:
    with _offline(tmp_path):
        with pytest.raises(StoreLockedError) as raised:
            _session(NOWHERE, tmp_path)
        assert raised.value.retryable
        with pytest.raises(StoreLockedError):
            mqttsession.Store(tmp_path, "me")
        # Another process is no better off, and another client id has a store of its own.
        done = run_python(
            """
import sys, mqttsession
try:
    mqttsession.Session(client_id="me", store=sys.argv[1])
except mqttsession.MqttError as error:
    print(error.name)
mqttsession.Session(client_id="you", store=sys.argv[1])
""",
            str(tmp_path),
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "STORE_LOCKED\n", "")
    _session(NOWHERE, tmp_path).close()
    assert sorted(mqttsession.stores(tmp_path)) == ["me", "you"]


def test_a_session_that_is_dropped_lets_go_of_its_store(tmp_path: Path) -> None:
    session = _session(NOWHERE, tmp_path)
    del session
    # Threads of the library do it, soon; closing waits for that, dropping does not.
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            mqttsession.Store(tmp_path, "me").close()
            return
        except StoreLockedError:
            assert time.monotonic() < deadline, "the store stays locked"
            threading.Event().wait(0.005)


def test_a_store_needs_a_client_id(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="client id"):
        mqttsession.Session(store=tmp_path)


def test_a_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(StoreError) as raised:
        _session(NOWHERE, tmp_path / "file")
    assert isinstance(raised.value.__cause__, OSError)


def test_leaving_keeps_what_has_not_ended(scripted: Scripted, tmp_path: Path) -> None:
    silent = scripted(NEW + "silence\n")
    ended: list[mqttsession.PublishResult] = []
    # Nothing is raised: all that was accepted is in the store.
    with _session(silent.address, tmp_path, connect_timeout=0.3) as session:
        number = session.publish("out", "later", 1, on_complete=ended.append)
    assert [type(result.error) for result in ended] == [LeftInStoreError]
    assert session.statistics.left_in_store == 1
    assert session.statistics.cancelled == 0
    serving = scripted(KEPT + "serve until DISCONNECT\n")
    with _session(serving.address, tmp_path) as session:
        assert session.wait(number, DEADLINE).reason_code == 0
    assert session.statistics.left_in_store == 0
    serving.finish()


def test_a_disconnect_keeps_what_has_not_ended(scripted: Scripted, tmp_path: Path) -> None:
    broker = scripted(
        NEW
        + "expect PUBLISH out dup=0\nexpect DISCONNECT\nexpect closed\n"
        + KEPT
        + "expect PUBLISH out dup=1\nsend PUBACK $id\nexpect DISCONNECT\n"
    )
    session = _session(broker.address, tmp_path)
    session.connect(DEADLINE)
    number = session.publish("out", "later", 1)
    assert session.disconnect(0.3) == 1
    assert session.statistics.outgoing_messages == 1
    session.connect(DEADLINE)
    assert session.wait(number, DEADLINE).reason_code == 0
    assert session.disconnect(DEADLINE) == 0
    session.close()
    broker.finish()


def test_without_the_brokers_session_a_store_warns(
    scripted: Scripted, tmp_path: Path, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mqttsession")
    broker = scripted("accept\nexpect CONNECT clean=1\nsend CONNACK 0 0\nserve until DISCONNECT\n")
    session = _session(broker.address, tmp_path, clean_session=True)
    session.on_event = events
    with session:
        events.wait("store_without_session")
    broker.finish()
    assert "at least once" in caplog.text


def test_the_log_tells_of_the_store(
    scripted: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mqttsession")
    with _offline(tmp_path) as session:
        session.wait_stored(session.publish("out", "later", 1), DEADLINE)
    broker = scripted(NEW + "serve until DISCONNECT\n")
    with _session(broker.address, tmp_path) as session:
        session.flush(DEADLINE)
    assert "the store held 1 messages" in caplog.text


# A limit on the size of files does to this process what a full disk does to all.
FULL = """
import resource, sys, threading
import mqttsession
session = mqttsession.Session("mqtt://127.0.0.1:1", client_id="me", store=sys.argv[1],
                              clean_session=False, retry_first_connect=True)
failed, recovered = threading.Event(), threading.Event()
errors = []
def on_event(event):
    if event.kind == "store_failed":
        errors.append(event.error)
        failed.set()
    if event.kind == "store_recovered":
        recovered.set()
session.on_event = on_event
try:
    session.connect(0)
except TimeoutError:
    pass
session.wait_stored(session.publish("out", "there is room", 1), 30)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (session.statistics.store_size, hard))
number = session.publish("out", b"x" * 10_000_000, 1)
try:
    session.wait_stored(number, 30)
except mqttsession.MqttError as error:
    print(error.layer)
assert failed.wait(30)
print(errors[0].layer, isinstance(errors[0], OSError))
try:
    session.publish("out", "no room", 2)
except mqttsession.MqttError as error:
    print(error.layer)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert recovered.wait(30)
session.wait_stored(number, 30)
session.wait_stored(session.publish("out", "room again", 2), 30)
session.close()
print(session.statistics.left_in_store)
"""


@posix
def test_a_store_that_takes_nothing_recovers_by_itself(tmp_path: Path) -> None:
    done = run_python(FULL, str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "store\nstore True\nstore\n3\n", "")
    with mqttsession.Store(tmp_path, "me") as store:
        assert [len(message.payload) for message in store] == [13, 10_000_000, 10]


def test_a_store_that_holds_enough_refuses(tmp_path: Path) -> None:
    options: mqttsession.SessionOptions = {"store_limit": (2, 10_000), "outgoing_policy": "reject"}
    with _offline(tmp_path, **options) as session:
        for _ in range(2):
            session.wait_stored(session.publish("out", qos=1), DEADLINE)
        with pytest.raises(MqttError) as raised:
            session.publish("out", qos=1)
        assert raised.value.name in ("QUEUE_FULL", "STORE_FULL")
        session.publish("out")


@posix
def test_a_child_of_fork_keeps_away_from_the_store(tmp_path: Path) -> None:
    done = run_python(
        """
import os, sys, mqttsession
session = mqttsession.Session("mqtt://127.0.0.1:1", client_id="me", store=sys.argv[1],
                              clean_session=False, retry_first_connect=True)
try:
    session.connect(0)
except TimeoutError:
    pass
number = session.publish("out", qos=1)
session.wait_stored(number, 30)
child = os.fork()
if child == 0:
    for call in (
        lambda: session.wait_stored(number),
        lambda: mqttsession.Session(client_id="me", store=sys.argv[1]),
        lambda: mqttsession.Store(sys.argv[1], "me"),
    ):
        try:
            call()
        except mqttsession.MqttError as error:
            print(error.name, flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
# The child has not let go of the parent's lock.
session.wait_stored(session.publish("out", qos=1), 30)
try:
    mqttsession.Store(sys.argv[1], "me")
except mqttsession.MqttError as error:
    print(error.name)
session.close()
""",
        str(tmp_path),
    )
    expected = "FORKED\nSTORE_LOCKED\nSTORE_LOCKED\nSTORE_LOCKED\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_in_an_event_loop(scripted: Scripted, tmp_path: Path) -> None:
    silent = scripted(NEW + "silence\n")
    serving = scripted(KEPT + "serve until DISCONNECT\n")

    def session(address: str) -> aio.Session:
        return aio.Session(
            address, client_id="me", clean_session=False, store=tmp_path, connect_timeout=0.3
        )

    async def main() -> None:
        async with session(silent.address) as first:
            number = await first.publish_stored("out", "stored, not sent", 2)
            later = first.publish_nowait("out", "later", qos=1)
            await first.wait_stored(later)
            await first.wait_stored(await first.publish_stored("out", qos=0))
            with pytest.raises(UnknownMessageError):
                await first.wait_stored(1000)
            assert first.statistics.outgoing_messages == 2
        assert first.statistics.left_in_store == 2
        assert number < later
        events: asyncio.Queue[mqttsession.Event] = asyncio.Queue()
        second = session(serving.address)
        second.on_event = events.put_nowait
        async with second:
            await second.flush()
            while (event := await events.get()).kind != "restored":
                pass
            assert event.restored is not None
            assert event.restored.messages == 2

    asyncio.run(main())
    serving.finish()


def test_in_an_event_loop_without_a_store_nothing_is_published() -> None:
    async def main() -> None:
        session = aio.Session(NOWHERE, retry_first_connect=True)
        connecting = asyncio.ensure_future(session.connect())
        await asyncio.sleep(0)
        with pytest.raises(NotSupportedError, match="store"):
            await session.publish_stored("out")
        assert session.statistics.published == 0
        await session.close()
        with pytest.raises(MqttError):
            await connecting

    asyncio.run(main())
