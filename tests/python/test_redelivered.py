"""Received messages of QoS 2 with a store: handled once, and not lost when the process dies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import mqttsession
import pytest
from mqttsession import aio

from conftest import DEADLINE, Collector, Events, run_killed

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SKIPPED: needs SIGKILL")

# Each program gets "first" and "second", and dies of "second".
BROKER = """accept
expect CONNECT client-id=me clean=0
send CONNACK 0 0
expect SUBSCRIBE filter=in qos=2
send SUBACK $id 2
send PUBLISH in 2 7 first
send PUBLISH in 2 8 second
silence
"""

BEGIN = """
address, store = sys.argv[1:3]
options = {"client_id": "me", "clean_session": False, "store": store}
forever = threading.Event()
"""

PROGRAMS = {
    "a handler": """
def handler(message):
    print(message.payload.decode(), message.redelivered)
    if message.payload == b"second":
        die()
session = mqttsession.Session(address, **options)
session.subscribe("in", handler, 2)
session.connect()
forever.wait()
""",
    "poll": """
def handler(message):
    print(message.payload.decode(), message.redelivered)
    if message.payload == b"second":
        die()
session = mqttsession.Session(address, dispatch="polled", **options)
session.subscribe("in", handler, 2)
session.connect()
while True:
    session.poll(None)
""",
    "async for": """
async def main():
    async with aio.Session(address, **options) as session:
        async for message in session.messages("in", 2):
            print(message.payload.decode(), message.redelivered)
            if message.payload == b"second":
                die()
asyncio.run(main())
""",
    "a coroutine": """
async def handler(message):
    await asyncio.sleep(0)
    print(message.payload.decode(), message.redelivered)
    if message.payload == b"second":
        die()
async def main():
    async with aio.Session(address, **options) as session:
        await session.subscribe("in", handler, 2)
        await asyncio.Event().wait()
asyncio.run(main())
""",
    "acknowledge()": """
def handler(message):
    print(message.payload.decode(), message.redelivered)
    if message.payload == b"first":
        message.acknowledge()
    else:
        die()
session = mqttsession.Session(address, acknowledge="manual", **options)
session.subscribe("in", handler, 2)
session.connect()
forever.wait()
""",
}

# The broker sends both once more, and the new process wants only the second.
AGAIN = """accept
expect CONNECT client-id=me clean=0
send CONNACK 1 0
send PUBLISH in 2 7 first dup
send PUBLISH in 2 8 second dup
expect PUBREC 7
expect PUBREC 8
send PUBREL 7
send PUBREL 8
expect PUBCOMP 7
expect PUBCOMP 8
send PUBLISH in 2 7 third
serve until DISCONNECT
"""


def _killed(scripted: Scripted, store: Path, program: str) -> list[str]:
    broker = scripted(BROKER)
    return run_killed(BEGIN + program, broker.address, str(store)).splitlines()


def _session(
    address: str, store: Path, dispatch: Literal["dispatched", "polled"] = "dispatched"
) -> mqttsession.Session:
    return mqttsession.Session(
        address, client_id="me", clean_session=False, store=store, dispatch=dispatch
    )


@pytest.mark.parametrize("receiver", PROGRAMS)
def test_what_was_handled_does_not_come_again_and_what_was_not_does(
    scripted: Scripted, tmp_path: Path, collector: Collector, events: Events, receiver: str
) -> None:
    printed = _killed(scripted, tmp_path, PROGRAMS[receiver])
    assert printed == ["first False", "second False"]
    with mqttsession.Store(tmp_path, "me") as store:
        assert store.summary.received == 2
        assert store.summary.subscriptions == ("in",)
        assert store.summary.messages == 0
    broker = scripted(AGAIN)
    session = _session(broker.address, tmp_path)
    session.on_event = events
    # The broker has this subscription, so it is not asked for again.
    session.subscribe("in", collector, 2)
    with session:
        messages = collector.wait(2)
        assert [(message.payload, message.redelivered) for message in messages] == [
            (b"second", True),
            (b"third", False),
        ]
        assert messages[0].duplicate
        assert "redelivered=True" in repr(messages[0])
        restored = events.wait("restored").restored
        assert restored is not None
        assert (restored.messages, restored.interrupted) == (0, 1)
    broker.finish()


def test_between_two_handlers_nothing_is_marked(
    scripted: Scripted, tmp_path: Path, collector: Collector
) -> None:
    # What it dies of is of QoS 0, which no store knows.
    second = "send PUBLISH in 2 8"
    broker = scripted(BROKER.replace(second, f"send PUBLISH in 0 0 now\n{second}"))
    printed = run_killed(
        BEGIN
        + """
def handler(message):
    print(message.payload.decode())
    if message.qos == 0:
        die()
session = mqttsession.Session(address, **options)
session.subscribe("in", handler, 2)
session.connect()
forever.wait()
""",
        broker.address,
        str(tmp_path),
    )
    assert printed == "first\nnow\n"
    broker = scripted(AGAIN)
    session = _session(broker.address, tmp_path)
    session.subscribe("in", collector, 2)
    with session:
        messages = collector.wait(2)
        assert [(message.payload, message.redelivered) for message in messages] == [
            (b"second", False),
            (b"third", False),
        ]
    broker.finish()


def test_on_receipt_it_is_the_other_way_round(
    scripted: Scripted, tmp_path: Path, collector: Collector
) -> None:
    printed = _killed(
        scripted,
        tmp_path,
        """
session = mqttsession.Session(address, acknowledge="on_receipt", **options)
session.subscribe("in", lambda message: message.payload == b"second" and die(), 2)
session.connect()
forever.wait()
""",
    )
    assert printed == []
    broker = scripted(AGAIN)
    session = _session(broker.address, tmp_path)
    session.subscribe("in", collector, 2)
    with session:
        # At most once: the one that the process died of is gone.
        [message] = collector.wait(1)
        assert message.payload == b"third"
    broker.finish()


def test_an_acknowledgement_is_written_when_it_returns(
    scripted: Scripted, tmp_path: Path, collector: Collector
) -> None:
    printed = _killed(
        scripted,
        tmp_path,
        """
def handler(message):
    if message.payload == b"second":
        message.acknowledge()
        die()
session = mqttsession.Session(address, acknowledge="manual", **options)
session.subscribe("in", handler, 2)
session.connect()
forever.wait()
""",
    )
    assert printed == []
    # The first has not been acknowledged, and was in a handler; the second has.
    broker = scripted(AGAIN)
    session = _session(broker.address, tmp_path)
    session.subscribe("in", collector, 2)
    with session:
        messages = collector.wait(2)
        assert [(message.payload, message.redelivered) for message in messages] == [
            (b"first", True),
            (b"third", False),
        ]
    broker.finish()


def test_redelivered_in_an_event_loop(scripted: Scripted, tmp_path: Path) -> None:
    _killed(scripted, tmp_path, PROGRAMS["async for"])
    broker = scripted(AGAIN)

    async def main() -> None:
        session = aio.Session(broker.address, client_id="me", clean_session=False, store=tmp_path)
        came: asyncio.Queue[mqttsession.Message] = asyncio.Queue()
        await session.subscribe("in", came.put_nowait, 2)
        async with session, asyncio.timeout(DEADLINE):
            second, third = await came.get(), await came.get()
        assert (second.payload, second.redelivered) == (b"second", True)
        assert (third.payload, third.redelivered) == (b"third", False)

    asyncio.run(main())
    broker.finish()


def test_the_same_polled(scripted: Scripted, tmp_path: Path, collector: Collector) -> None:
    _killed(scripted, tmp_path, PROGRAMS["poll"])
    broker = scripted(AGAIN)
    session = _session(broker.address, tmp_path, "polled")
    session.subscribe("in", collector, 2)
    session.connect(DEADLINE)
    while len(collector.messages) < 2:
        assert session.poll(DEADLINE) > 0
    assert [message.redelivered for message in collector.messages] == [True, False]
    session.disconnect()
    session.close()
    broker.finish()


def test_without_a_store_nothing_is_marked(scripted: Scripted, collector: Collector) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\nsend SUBACK $id 2\n"
        "send PUBLISH in 2 7 first dup\nserve until DISCONNECT\n"
    )
    with mqttsession.Session(broker.address) as session:
        session.subscribe("in", collector, 2)
        [message] = collector.wait(1)
        assert message.duplicate
        assert not message.redelivered
    broker.finish()
