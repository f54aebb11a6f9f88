"""asyncio: publishes that are awaited, and those whose end a callable is told."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import MqttError
from mqttsession.options import QoS
from mqttsession.testing import Broker

if TYPE_CHECKING:
    from conftest import ScriptedBroker

COUNT = 100

SILENCE = "accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n"

UPON_REQUEST = """accept
expect CONNECT
send CONNACK 0 0
expect PUBLISH first
expect PUBLISH go
send PUBACK 1
serve until DISCONNECT
"""


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"aio/{uuid.uuid4().hex}"


class Completions:
    """Keeps what it is told, and where; to be waited for in the event loop."""

    def __init__(self, count: int) -> None:
        self.results: list[mqttsession.PublishResult] = []
        self.threads: set[int] = set()
        self.all = asyncio.Event()
        self._count = count

    def __call__(self, result: mqttsession.PublishResult) -> None:
        self.results.append(result)
        self.threads.add(threading.get_ident())
        if len(self.results) == self._count:
            self.all.set()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_callable_is_told_of_each_end_in_the_loop(broker: Broker, topic: str, qos: QoS) -> None:
    async def main() -> None:
        completions = Completions(COUNT)
        async with aio.Session(broker.address) as session:
            numbers = [
                session.publish_nowait(topic, "x", qos, on_complete=completions)
                for _ in range(COUNT)
            ]
            # Whatever has ended by now, it waits for the loop.
            assert not completions.results
            await completions.all.wait()
        assert sorted(result.number for result in completions.results) == numbers
        assert {result.error for result in completions.results} == {None}
        assert completions.threads == {threading.get_ident()}

    asyncio.run(main())


def test_a_callable_is_told_of_an_error(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(SILENCE)

    async def main() -> None:
        completions = Completions(1)
        session = aio.Session(broker.address)
        await session.connect()
        session.publish_nowait("a", qos=1, on_complete=completions)
        await session.close()
        await completions.all.wait()
        assert [getattr(result.error, "name", None) for result in completions.results] == [
            "CANCELLED"
        ]

    asyncio.run(main())


def test_an_exception_of_a_completion_goes_to_the_loop(broker: Broker, topic: str) -> None:
    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        completions = Completions(COUNT)

        def fail(_result: mqttsession.PublishResult) -> None:
            raise LookupError

        async with aio.Session(broker.address) as session:
            session.publish_nowait(topic, "x", 1, on_complete=fail)
            for _ in range(COUNT):
                session.publish_nowait(topic, "x", 1, on_complete=completions)
            await completions.all.wait()
        assert [type(complaint["exception"]) for complaint in complaints] == [LookupError]

    asyncio.run(main())


def test_what_ends_the_loop_leaves_the_rest_for_later(broker: Broker, topic: str) -> None:
    loop = asyncio.new_event_loop()
    session = aio.Session(broker.address)
    completions: list[int] = []

    def stop(result: mqttsession.PublishResult) -> None:
        completions.append(result.number)
        raise KeyboardInterrupt

    async def publish() -> None:
        await session.connect()
        session.publish_nowait(topic, "x", 1, on_complete=stop)
        for _ in range(COUNT):
            session.publish_nowait(
                topic, "x", 1, on_complete=lambda result: completions.append(result.number)
            )
        await session.publish(topic, "x", 1)

    publishing = loop.create_task(publish())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(publishing)
    assert completions == [1]
    # The loop runs again, and the next end comes where this one left off.
    loop.run_until_complete(publishing)
    assert completions == list(range(1, COUNT + 2))
    loop.run_until_complete(session.close())
    loop.close()


@pytest.mark.parametrize("kind", ["Task", "_PyTask"])
def test_every_kind_of_task_can_await(broker: Broker, topic: str, kind: str) -> None:
    task = getattr(asyncio.tasks, kind)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, it, **more: task(it, loop=loop, **more))
        async with aio.Session(broker.address) as session:
            publishing = [asyncio.create_task(session.publish(topic, "x", 2)) for _ in range(COUNT)]
            assert [(await each).reason_code for each in publishing] == [0] * COUNT

    asyncio.run(main())


def test_awaiting_can_be_given_up(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(UPON_REQUEST)

    async def main() -> None:
        async with aio.Session(broker.address) as session:
            waiting = asyncio.ensure_future(session.publish("first", "x", 1))
            await asyncio.sleep(0)
            waiting.cancel("no longer")
            with pytest.raises(asyncio.CancelledError, match="no longer"):
                await waiting
            # The message itself goes on, and ends.
            await session.publish("go", "x")
            await session.flush()
            assert session.statistics.published == 2

    asyncio.run(main())
    broker.finish()


def test_a_deadline_of_a_publish(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(SILENCE)

    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()
        for deadline in (0.0, 0.01):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(deadline):
                    await session.publish("a", qos=1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.publish("a", qos=1), deadline)
        await session.close()

    asyncio.run(main())


def test_the_context_of_a_task_stays(broker: Broker, topic: str) -> None:
    number: ContextVar[int] = ContextVar("number")

    async def main() -> None:
        async with aio.Session(broker.address) as session:

            async def publish(own: int) -> bool:
                number.set(own)
                await session.publish(topic, "x", 1)
                return number.get() == own and asyncio.current_task() is not None

            assert all(await asyncio.gather(*(publish(own) for own in range(COUNT))))

    asyncio.run(main())


def test_publishes_that_are_open_when_the_loop_closes(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted(SILENCE)
    session = aio.Session(broker.address)
    told: list[mqttsession.PublishResult] = []

    async def leave() -> None:
        await session.connect()
        session.publish_nowait("a", qos=1, on_complete=told.append)
        asyncio.get_running_loop().call_soon(waiting[0].send, None)
        await asyncio.sleep(0)

    waiting: list[Coroutine[Any, Any, mqttsession.PublishResult]] = [session.publish("a", qos=1)]
    asyncio.run(leave())
    session._session.close()
    # Its end has nowhere to go, and what awaits it is never continued.
    assert not told
    waiting[0].close()


def test_all_of_many_errors_are_raised(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(SILENCE)

    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()
        publishing = [asyncio.ensure_future(session.publish("a", qos=1)) for _ in range(COUNT)]
        await asyncio.sleep(0)
        await session.close()
        errors = await asyncio.gather(*publishing, return_exceptions=True)
        assert {error.name for error in errors if isinstance(error, MqttError)} == {"CANCELLED"}
        assert len(errors) == COUNT

    asyncio.run(main())
