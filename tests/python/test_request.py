"""Request and response (MQTT 5.0)."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import (
    ArgumentError,
    BrokerError,
    CallTimeoutError,
    CapacityError,
    NotSupportedError,
)
from mqttsession.options import Response
from mqttsession.testing import Broker

from conftest import DEADLINE, Collector, Unraisable

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"request/{uuid.uuid4().hex}"


def _answer(request: mqttsession.Message) -> Response:
    """Answer in every form that there is."""
    match request.payload:
        case b"text":
            return "Müller"
        case b"bytes":
            return bytearray(b"\x00\xff")
        case b"properties":
            return b"with", {"content_type": "text/plain"}
        case b"nothing":
            return None
        case _:
            return request.payload.upper()


def test_requests_are_answered(broker: Broker, topic: str) -> None:
    with (
        mqttsession.Session(broker.address, version="5.0") as server,
        mqttsession.Session(broker.address, version="5.0") as client,
    ):
        granted = server.respond(f"{topic}/+", _answer, timeout=DEADLINE)
        assert granted is not None
        assert granted.qos == 1
        answer = client.request(f"{topic}/a", "text", DEADLINE)
        assert answer.payload.decode() == "Müller"
        assert answer.qos == 1
        assert client.request(f"{topic}/a", b"bytes", DEADLINE, qos=2).payload == b"\x00\xff"
        answer = client.request(
            f"{topic}/a", "properties", DEADLINE, properties={"user_properties": [("a", "1")]}
        )
        assert answer.payload == b"with"
        assert answer.properties["content_type"] == "text/plain"
        with pytest.raises(CallTimeoutError):
            client.request(f"{topic}/a", "nothing", 0.05)


def test_many_requests_at_once_and_a_late_answer(broker: Broker, topic: str) -> None:
    held: list[mqttsession.Message] = []
    ended: list[mqttsession.PublishResult] = []
    with (
        mqttsession.Session(broker.address, version="5.0") as server,
        mqttsession.Session(broker.address, version="5.0") as client,
    ):

        def later(request: mqttsession.Message) -> None:
            held.append(request)
            if len(held) == 10:
                for message in reversed(held):
                    server.reply(message, message.payload + b"!", on_complete=ended.append)

        server.respond(topic, later, timeout=DEADLINE)
        answers: dict[int, bytes] = {}

        def ask(number: int) -> None:
            answers[number] = client.request(topic, str(number), DEADLINE).payload

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
    assert answers == {number: f"{number}!".encode() for number in range(10)}
    assert [result.error for result in ended] == [None] * 10


def test_a_request_inside_a_callback(broker: Broker, topic: str) -> None:
    answers: list[bytes] = []
    done = threading.Event()
    with (
        mqttsession.Session(broker.address, version="5.0") as server,
        mqttsession.Session(broker.address, version="5.0") as client,
    ):
        server.respond(topic, _answer, timeout=DEADLINE)

        def handler(message: mqttsession.Message) -> None:
            answers.append(client.request(topic, message.payload, DEADLINE).payload)
            done.set()

        client.subscribe(f"{topic}/in", handler, 1, timeout=DEADLINE)
        client.publish(f"{topic}/in", "inside", 1)
        assert done.wait(DEADLINE)
    assert answers == [b"INSIDE"]


def test_asking_and_answering_in_an_event_loop(broker: Broker, topic: str) -> None:
    async def slowly(request: mqttsession.Message) -> Response:
        await asyncio.sleep(0)
        return _answer(request)

    async def main() -> None:
        async with (
            aio.Session(broker.address, version="5.0") as server,
            aio.Session(broker.address, version="5.0") as client,
        ):
            await server.respond(f"{topic}/plain", _answer)
            granted = await server.respond(f"{topic}/slow", slowly, 2)
            assert granted is not None
            assert granted.qos == 2
            for where in ("plain", "slow"):
                asked = f"{topic}/{where}"
                answers = await asyncio.gather(
                    *(client.request(asked, f"x{number}", DEADLINE) for number in range(50))
                )
                assert [answer.payload for answer in answers] == [
                    f"X{number}".encode() for number in range(50)
                ]
            answer = await client.request(f"{topic}/plain", "properties", DEADLINE, qos=0)
            assert answer.properties["content_type"] == "text/plain"
            with pytest.raises(CallTimeoutError):
                await client.request(f"{topic}/slow", "nothing", 0.05)

            async with server.messages(f"{topic}/by-hand", 1) as requests:
                asking = asyncio.ensure_future(client.request(f"{topic}/by-hand", "?", DEADLINE))
                result = await server.reply(await anext(requests), "by hand")
                assert result.error is None
                assert (await asking).payload == b"by hand"

    asyncio.run(main())


def test_requests_wait_for_room(broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with (
            aio.Session(broker.address, version="5.0", outgoing_limit=(2, 10_000)) as server,
            aio.Session(broker.address, version="5.0", outgoing_limit=(2, 10_000)) as client,
        ):
            await server.respond(topic, _answer)
            answers = await asyncio.gather(
                *(client.request(topic, f"x{number}", DEADLINE) for number in range(20))
            )
            assert {answer.payload for answer in answers} == {
                f"X{number}".encode() for number in range(20)
            }

    asyncio.run(main())


def test_a_request_beyond_the_limit_is_refused(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n")
    session = mqttsession.Session(
        broker.address, version="5.0", outgoing_limit=(1, 10_000), outgoing_policy="reject"
    )
    session.connect(DEADLINE)
    session.publish("a", qos=1)
    with pytest.raises(CapacityError) as raised:
        session.request("a", "too much", DEADLINE)
    assert raised.value.name == "QUEUE_FULL"
    session.close()


NOBODY = """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
expect PUBLISH nobody qos=1 payload=help content-type=x
send PUBACK $id 0x10
expect DISCONNECT
"""


def test_nobody_listens(scripted: Scripted) -> None:
    broker = scripted(NOBODY)
    with mqttsession.Session(broker.address, version="5.0") as session:
        with pytest.raises(BrokerError) as raised:
            session.request("nobody", "help", DEADLINE, properties={"content_type": "x"})
        assert raised.value.name == "NO_RESPONDER"
    broker.finish()


def test_nobody_listens_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(NOBODY)

    async def main() -> None:
        async with aio.Session(broker.address, version="5.0") as session:
            with pytest.raises(BrokerError) as raised:
                await session.request("nobody", "help", properties={"content_type": "x"})
            assert raised.value.name == "NO_RESPONDER"

    asyncio.run(main())
    broker.finish()


def test_an_exception_of_a_responder_is_that_of_a_handler(
    broker: Broker, topic: str, unraisable: Unraisable
) -> None:
    def fails(_request: mqttsession.Message) -> Response:
        raise LookupError

    with mqttsession.Session(broker.address, version="5.0") as session:
        session.respond(topic, fails, timeout=DEADLINE)
        with pytest.raises(CallTimeoutError):
            session.request(topic, timeout=0.05)
        assert isinstance(unraisable.wait(), LookupError)
        # What cannot be a payload is its fault too.
        session.respond(topic, lambda _request: 7, timeout=DEADLINE)  # type: ignore[arg-type, return-value]
        with pytest.raises(CallTimeoutError):
            session.request(topic, timeout=0.05)
    assert isinstance(unraisable.seen[-1], TypeError)


def test_what_cannot_be_answered(broker: Broker, topic: str, collector: Collector) -> None:
    with mqttsession.Session(broker.address, version="5.0") as session:
        session.subscribe(topic, collector, timeout=DEADLINE)
        session.publish(topic)
        (message,) = collector.wait(1)
        with pytest.raises(ArgumentError):
            session.reply(message, "to nowhere")
        with pytest.raises(ArgumentError):
            session.request("a/+")
        with pytest.raises(ArgumentError):
            session.respond("a", "print")  # type: ignore[arg-type]


def test_requests_need_version_5() -> None:
    session = mqttsession.Session()
    for call in (lambda: session.request("a"), lambda: session.respond("a", _answer)):
        with pytest.raises(NotSupportedError):
            call()
    session.close()

    async def main() -> None:
        session = aio.Session()
        with pytest.raises(NotSupportedError):
            await session.request("a")
        with pytest.raises(NotSupportedError):
            await session.respond("a", _answer)
        await session.close()

    asyncio.run(main())
