"""asyncio: the same session, awaitable."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import MqttError, NotSupportedError
from mqttsession.options import QoS
from mqttsession.testing import Broker

from conftest import DEADLINE

if TYPE_CHECKING:
    from conftest import ScriptedBroker

COUNT = 1000

FLOOD = f"""accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
repeat {COUNT} {{
    send PUBLISH in 1 $n "message $n"
}}
serve until DISCONNECT
"""


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test in an event loop of its own; whatever is left there fails it."""

    async def guarded() -> None:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        async with asyncio.timeout(2 * DEADLINE):
            await test
        gc.collect()
        await asyncio.sleep(0)
        assert not complaints
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(guarded())


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"aio/{uuid.uuid4().hex}"


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_come_back(broker: Broker, topic: str, qos: QoS) -> None:
    async def main() -> None:
        async with aio.Session(broker.address) as session:
            assert _state(session) == "connected"
            async with session.messages(f"{topic}/+", qos) as messages:
                assert messages.granted is not None
                assert messages.granted.qos == qos
                result = await session.publish(f"{topic}/a", "payload", qos)
                assert (result.number > 0, result.reason_code) == (True, 0)
                async for message in messages:
                    assert message.topic == f"{topic}/a"
                    assert message.payload == b"payload"
                    break
            assert session.statistics.subscriptions == 0
        assert _state(session) == "closed"

    run(main())


def _state(session: aio.Session) -> str:
    """The state, which for a type checker is never two different ones."""
    return session.state


def test_an_iterator_subscribes_when_the_first_message_is_asked_for(
    broker: Broker, topic: str
) -> None:
    async def main() -> None:
        async with aio.Session(broker.address) as session:
            await session.publish(topic, "kept", 1, True)
            async for message in session.messages(topic, 1):
                assert message.retain
                break
            # The broken-off loop has dropped its iterator, and that its subscription.
            assert session.statistics.subscriptions == 0
            await session.publish(topic, b"", 1, True)

    run(main())


def test_a_thousand_messages_in_order(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with (
            aio.Session(broker.address) as session,
            session.messages(topic, 1) as messages,
        ):
            publishing = asyncio.gather(
                *(session.publish(topic, str(number), 1) for number in range(COUNT))
            )
            for number in range(COUNT):
                message = await anext(messages)
                assert int(message.payload) == number
            assert [result.reason_code for result in await publishing] == [0] * COUNT

    run(main())


def test_a_message_is_acknowledged_when_the_next_is_asked_for(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted(
        """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
send PUBLISH in 1 7 first
send PUBLISH in 1 8 second
expect PUBLISH got-first
expect PUBACK 7
expect PUBLISH got-second
expect PUBACK 8
expect UNSUBSCRIBE
send UNSUBACK $id
expect DISCONNECT
"""
    )

    async def main() -> None:
        async with (
            aio.Session(broker.address) as session,
            session.messages("in", 1) as messages,
        ):
            assert (await anext(messages)).payload == b"first"
            await session.publish("got-first")
            await session.flush()
            assert (await anext(messages)).payload == b"second"
            await session.publish("got-second")
            await session.flush()

    run(main())
    broker.finish()


def test_a_consumer_that_does_not_ask_stops_the_reading(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted(FLOOD)

    async def main() -> None:
        async with aio.Session(broker.address, incoming_limit=(10, 1 << 20)) as session:
            async with session.messages("in", 1) as messages:
                assert (await anext(messages)).payload == b"message 1"
                # Answered by the broker only behind the flood, so what can come has come.
                levels = set()
                for number in range(2, COUNT + 1):
                    levels.add(session.statistics.incoming_messages)
                    assert (await anext(messages)).payload == f"message {number}".encode()
            assert max(levels) < COUNT

    run(main())


CONNECTED = """accept
expect CONNECT
send CONNACK 0 0
"""
SUBSCRIBED = """expect SUBSCRIBE
send SUBACK $id 1
"""
THREE = """send PUBLISH in 1 7 first
send PUBLISH in 1 8 second
send PUBLISH in 1 9 third
"""


@pytest.mark.parametrize("awaits", [False, True])
def test_a_message_whose_handler_fails_stays_when_it_is_to_be_left(
    scripted: Callable[[str], ScriptedBroker], awaits: bool
) -> None:
    acknowledged = "expect PUBACK 7\nexpect PUBLISH out\nexpect DISCONNECT\n"
    broker = scripted(CONNECTED + SUBSCRIBED + THREE + acknowledged)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        handled = asyncio.Event()

        def fail(message: mqttsession.Message) -> None:
            if message.payload == b"second":
                raise LookupError
            if message.payload == b"third":
                handled.set()

        async def fail_later(message: mqttsession.Message) -> None:
            await asyncio.sleep(0)
            fail(message)

        async with aio.Session(broker.address, on_failure="leave") as session:
            await session.subscribe("in", fail_later if awaits else fail, 1)
            await handled.wait()
            await session.publish("out")

    run(main())
    broker.finish()


def test_what_was_handled_is_acknowledged_while_the_next_is_being_handled(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    two = "expect PUBACK 7\nexpect PUBACK 8\nsend PUBLISH go 0 0 go\n"
    end = "expect PUBACK 9\nexpect UNSUBSCRIBE\nsend UNSUBACK $id\nexpect DISCONNECT\n"
    broker = scripted(CONNECTED + 2 * SUBSCRIBED + THREE + two + end)

    async def main() -> None:
        acknowledged = asyncio.Event()
        async with aio.Session(broker.address) as session:
            await session.subscribe("go", lambda _message: acknowledged.set())
            async with session.messages("in", 1) as messages:
                for _ in range(3):
                    message = await anext(messages)
                # It waits for what the broker says when it has the acknowledgements of the others.
                assert message.payload == b"third"
                await acknowledged.wait()

    run(main())
    broker.finish()


def test_by_hand_only_what_is_to_be_acknowledged_by_hand(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with (
            aio.Session(broker.address) as session,
            session.messages(topic, 1) as messages,
        ):
            await session.publish(topic, qos=1)
            with pytest.raises(NotSupportedError):
                (await anext(messages)).acknowledge()
        async with (
            aio.Session(broker.address, acknowledge="manual") as session,
            session.messages(topic, 1) as messages,
        ):
            await session.publish(topic, qos=1)
            (await anext(messages)).acknowledge()

    run(main())


def test_handlers_functions_and_coroutines(broker: Broker, topic: str) -> None:
    async def main() -> None:
        seen: list[bytes] = []
        done = asyncio.Event()

        async def slowly(message: mqttsession.Message) -> None:
            await asyncio.sleep(0)
            seen.append(message.payload)
            if len(seen) == 10:
                done.set()

        async with aio.Session(broker.address) as session:
            slow = await session.subscribe(f"{topic}/slow", slowly, 1)
            plain = await session.subscribe(f"{topic}/plain", lambda m: seen.append(m.payload))
            assert [granted and granted.qos for granted in (slow, plain)] == [1, 0]
            for number in range(10):
                await session.publish(f"{topic}/slow", str(number), 1)
            await done.wait()
            assert seen == [str(number).encode() for number in range(10)]
            await session.unsubscribe(f"{topic}/plain")

    run(main())


def test_an_exception_in_a_handler_goes_to_the_loop(broker: Broker, topic: str) -> None:
    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        came = asyncio.Event()

        def handler(_message: mqttsession.Message) -> None:
            came.set()
            raise LookupError

        async with aio.Session(broker.address) as session:
            await session.subscribe(topic, handler)
            await session.publish(topic)
            await came.wait()
        assert [type(complaint["exception"]) for complaint in complaints] == [LookupError]

    asyncio.run(main())


def test_everything_inside_a_handler(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(FLOOD)

    async def main() -> None:
        seen = 0
        done = asyncio.Event()
        async with aio.Session(broker.address) as session:

            async def handler(_message: mqttsession.Message) -> None:
                nonlocal seen
                if seen % 100 == 0:
                    await session.publish("out", "x", 2)
                    await session.subscribe("other", print)
                    await session.unsubscribe("other")
                    await session.flush()
                seen += 1
                if seen == COUNT:
                    done.set()

            await session.subscribe("in", handler, 1)
            await done.wait()

    run(main())


def test_closing_inside_a_handler(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted(FLOOD)

    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()
        closed = asyncio.Event()

        async def handler(_message: mqttsession.Message) -> None:
            await session.close()
            closed.set()

        await session.subscribe("in", handler, 1)
        await closed.wait()
        assert session.state == "closed"
        # The handler's task ends once its stream has: another thread says when.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    run(main())


def test_an_iterator_ends_with_its_subscription_and_its_session(broker: Broker, topic: str) -> None:
    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()

        async def drain(filter: str) -> int:
            return len([message async for message in session.messages(filter)])

        tasks = [asyncio.create_task(drain(f"{topic}/{name}")) for name in "abc"]
        while session.statistics.subscriptions < len(tasks):
            await asyncio.sleep(0)
        await session.unsubscribe(f"{topic}/a")
        assert await tasks[0] == 0
        async with session.messages(f"{topic}/b"):
            assert await tasks[1] == 0
        await session.close()
        assert await tasks[2] == 0

    run(main())


def test_two_tasks_cannot_ask_the_same_iterator(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with aio.Session(broker.address) as session, session.messages(topic) as messages:
            first = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            with pytest.raises(MqttError) as raised:
                await anext(messages)
            assert raised.value.name == "BUSY"
            await session.publish(topic, "x")
            assert (await first).payload == b"x"

    run(main())


def test_a_cancelled_wait_can_be_repeated(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with aio.Session(broker.address) as session, session.messages(topic) as messages:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await anext(messages)
            await session.publish(topic, "x")
            assert (await anext(messages)).payload == b"x"

    run(main())


def test_a_failed_connect_raises_and_closes() -> None:
    async def main() -> None:
        session = aio.Session("127.0.0.1:1")
        with pytest.raises(ConnectionRefusedError):
            async with session:
                pass
        assert session.state == "closed"

    run(main())


def test_a_refused_subscription_raises(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted("reject_subscription")

    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()
        with pytest.raises(MqttError) as raised:
            async for _message in session.messages("demo/in", 1):
                pass
        assert raised.value.name == "SUBSCRIBE_REFUSED"
        await session.close()

    run(main())
    # Nothing was subscribed, and nothing is unsubscribed.
    broker.finish()


def test_publishing_waits_for_room(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with aio.Session(broker.address, outgoing_limit=(2, 10_000)) as session:
            await asyncio.gather(*(session.publish(topic, "x", 1) for _ in range(50)))
            for _ in range(200):
                await session.publish(topic, "x")
            await session.flush()
            assert session.statistics.published == 250

    run(main())


def test_no_room_in_the_end(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n")

    async def main() -> None:
        session = aio.Session(broker.address, outgoing_limit=(1, 10_000), outgoing_wait=0.1)
        await session.connect()
        waiting = asyncio.ensure_future(session.publish("a", qos=1))
        await asyncio.sleep(0)
        with pytest.raises(MqttError) as raised:
            session.publish_nowait("a", qos=1)
        assert raised.value.name == "QUEUE_FULL"
        with pytest.raises(MqttError) as raised:
            await session.publish("a", qos=1)
        assert raised.value.name == "QUEUE_FULL"
        await session.close()
        with pytest.raises(MqttError) as raised:
            await waiting
        assert raised.value.name == "CANCELLED"

    run(main())


def test_events_come_to_the_loop(broker: Broker) -> None:
    async def main() -> None:
        kinds: list[str] = []
        connected = asyncio.Event()

        def on_event(event: mqttsession.Event) -> None:
            kinds.append(event.kind)
            if event.kind == "connected":
                connected.set()

        session = aio.Session(broker.address)
        session.on_event = on_event
        assert session.on_event is on_event
        async with session:
            await connected.wait()
        assert kinds[:2] == ["connecting", "connected"]

    run(main())


def test_a_session_belongs_to_one_loop(broker: Broker) -> None:
    session = aio.Session(broker.address)

    async def use() -> None:
        await session.flush()

    asyncio.run(use())
    with pytest.raises(RuntimeError, match="event loop"):
        asyncio.run(use())


def test_a_closed_loop_ends_the_session(broker: Broker, topic: str) -> None:
    session = aio.Session(broker.address)
    tasks = []

    async def leave() -> None:
        await session.connect()
        iterator = await session.messages(topic).__aenter__()
        # Left waiting for a message, as a program does that ends without ceremony.
        tasks.append(asyncio.ensure_future(anext(iterator)))
        await asyncio.sleep(0)

    asyncio.run(leave())
    assert _state(session) == "connected"
    # The next thing that wants to get to the loop finds it closed.
    with mqttsession.Session(broker.address) as other:
        while _state(session) != "closed":
            other.wait(other.publish(topic, qos=1), DEADLINE)


def test_polled_sessions_are_for_others() -> None:
    async def main() -> None:
        session = aio.Session(dispatch="polled")
        with pytest.raises(ValueError, match="polled"):
            await session.connect()

    asyncio.run(main())


def test_a_session_dropped_in_a_loop_closes(broker: Broker, topic: str) -> None:
    async def main() -> None:
        session = aio.Session(broker.address)
        await session.connect()
        messages: AsyncIterator[mqttsession.Message] | None = session.messages(topic)
        assert messages is not None
        del session, messages
        while mqttsession.live_sessions():
            await asyncio.sleep(0)

    run(main())


def test_the_next_message_can_be_a_task_and_is_awaited_once(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with aio.Session(broker.address) as session, session.messages(topic) as messages:
            task = asyncio.create_task(anext(messages))
            await session.publish(topic, "x")
            assert (await task).payload == b"x"
            await session.publish(topic, "y")
            following = anext(messages)
            assert (await following).payload == b"y"
            with pytest.raises(RuntimeError, match="already"):
                await following

    run(main())


def test_a_busy_handler_leaves_others_their_turn(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    many = 5 * COUNT
    broker = scripted(FLOOD.replace(str(COUNT), str(many)))

    async def main() -> None:
        seen = 0
        done = asyncio.Event()
        async with aio.Session(broker.address, incoming_limit=(2 * many, 1 << 24)) as session:

            def handler(_message: mqttsession.Message) -> None:
                nonlocal seen
                # From the first on, all of them wait to be handled.
                while seen == 0 and session.statistics.incoming_messages < many:
                    threading.Event().wait(0.001)
                seen += 1
                if seen == many:
                    done.set()

            await session.subscribe("in", handler, 1)
            moments = set()
            while not done.is_set():
                await asyncio.sleep(0)
                moments.add(seen)
            assert moments - {0, many}

    run(main())
