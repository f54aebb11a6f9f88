"""How a publish, a subscribe and an unsubscribe ended, with everything that the broker said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import ArgumentError, BrokerError, CapacityError

from conftest import DEADLINE, Collector, Events

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

PUBLISHES = """accept
expect CONNECT
send CONNACK 0 0
expect PUBLISH nobody qos=1
send PUBACK $id 0x10 reason-string="nobody listens" user-property=a:1 user-property=a:2
expect PUBLISH refused qos=1
send PUBACK $id 0x97 reason-string="too much" user-property=b:3
expect PUBLISH refused qos=2
send PUBREC $id 0x80
expect DISCONNECT
"""


def test_a_publish_ends_with_all_that_the_broker_said(scripted: Scripted) -> None:
    broker = scripted(PUBLISHES)
    ended: list[mqttsession.PublishResult] = []
    with mqttsession.Session(broker.address, version="5.0") as session:
        number = session.publish("nobody", qos=1, on_complete=ended.append)
        result = session.wait(number, DEADLINE)
        assert (result.number, result.error, result.reason_code) == (number, None, 0x10)
        assert result.reason_string == "nobody listens"
        assert result.user_properties == (("a", "1"), ("a", "2"))
        assert repr(result) == f"PublishResult(number={number}, reason_code=0x10)"

        with pytest.raises(BrokerError) as raised:
            session.wait(session.publish("refused", qos=1, on_complete=ended.append), DEADLINE)
        assert (raised.value.name, raised.value.reason_code) == ("PUBLISH_REFUSED", 0x97)
        assert raised.value.reason_string == "too much"
        assert raised.value.user_properties == (("b", "3"),)

        with pytest.raises(BrokerError) as raised:
            session.wait(session.publish("refused", qos=2, on_complete=ended.append), DEADLINE)
        assert (raised.value.reason_string, raised.value.user_properties) == (None, ())
        assert session.statistics.refused == 2
    broker.finish()
    assert [result.reason_code for result in ended] == [0x10, 0x97, 0x80]
    assert [result.reason_string for result in ended] == ["nobody listens", "too much", None]
    assert ended[1].user_properties == (("b", "3"),)
    assert [result.error and result.error.name for result in ended] == [
        None,
        "PUBLISH_REFUSED",
        "PUBLISH_REFUSED",
    ]
    assert repr(ended[1]).endswith("error=PUBLISH_REFUSED)")


def test_awaiting_a_publish_is_the_same(scripted: Scripted) -> None:
    broker = scripted(PUBLISHES)

    async def main() -> None:
        async with aio.Session(broker.address, version="5.0") as session:
            result = await session.publish("nobody", qos=1)
            assert (result.error, result.reason_code) == (None, 0x10)
            assert result.reason_string == "nobody listens"
            assert result.user_properties == (("a", "1"), ("a", "2"))
            with pytest.raises(BrokerError) as raised:
                await session.publish("refused", qos=1)
            assert raised.value.reason_code == 0x97
            assert raised.value.reason_string == "too much"
            with pytest.raises(BrokerError):
                await session.publish("refused", qos=2)

    asyncio.run(main())
    broker.finish()


FILTERS = """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE user-property=k:v
send SUBACK $id 1 0x87 2 reason-string="not all of it" user-property=a:1
send PUBLISH a/1 0 0 one
send PUBLISH c 0 0 two
expect UNSUBSCRIBE user-property=k:v
send UNSUBACK $id 0 0x11 0x83 reason-string="still there"
expect DISCONNECT
"""


def _check_granted(results: list[mqttsession.SubscribeResult] | None) -> None:
    assert results is not None
    assert [result.filter for result in results] == ["a/+", "b", "c"]
    assert [result.qos for result in results] == [1, None, 2]
    assert [result.reason_code for result in results] == [1, 0x87, 2]
    assert {result.reason_string for result in results} == {"not all of it"}
    assert {result.user_properties for result in results} == {(("a", "1"),)}
    granted, refused, _ = results
    assert granted.error is None
    assert refused.error is not None
    assert refused.error.name == "SUBSCRIBE_REFUSED"
    assert repr(granted) == "SubscribeResult(filter='a/+', reason_code=0x01)"


def _check_ended(results: list[mqttsession.UnsubscribeResult] | None) -> None:
    assert results is not None
    assert [result.filter for result in results] == ["a/+", "b", "c"]
    assert [result.reason_code for result in results] == [0, 0x11, 0x83]
    assert results[0].reason_string == "still there"
    assert [result.error and result.error.name for result in results] == [
        None,
        None,
        "UNSUBSCRIBE_REFUSED",
    ]


def test_several_filters_each_with_its_result(scripted: Scripted, collector: Collector) -> None:
    broker = scripted(FILTERS)
    with mqttsession.Session(broker.address, version="5.0") as session:
        results = session.subscribe_many(
            {"a/+": None, "b": {"qos": 0, "no_local": True}, "c": 2},
            collector,
            1,
            properties={"user_properties": [("k", "v")]},
            timeout=DEADLINE,
        )
        _check_granted(results)
        messages = collector.wait(2)
        assert [message.payload for message in messages] == [b"one", b"two"]
        ended = session.unsubscribe_many(
            ["a/+", "b", "c"], DEADLINE, properties={"user_properties": [("k", "v")]}
        )
        _check_ended(ended)
    broker.finish()


def test_several_filters_awaited(scripted: Scripted) -> None:
    broker = scripted(FILTERS)

    async def main() -> None:
        seen: asyncio.Queue[bytes] = asyncio.Queue()
        async with aio.Session(broker.address, version="5.0") as session:
            results = await session.subscribe_many(
                {"a/+": None, "b": {"qos": 0, "no_local": True}, "c": 2},
                lambda message: seen.put_nowait(message.payload),
                1,
                properties={"user_properties": [("k", "v")]},
            )
            _check_granted(results)
            async with asyncio.timeout(DEADLINE):
                assert [await seen.get(), await seen.get()] == [b"one", b"two"]
            ended = await session.unsubscribe_many(
                ["a/+", "b", "c"], properties={"user_properties": [("k", "v")]}
            )
            _check_ended(ended)

    asyncio.run(main())
    broker.finish()


def test_filters_that_are_given_wrongly() -> None:
    session = mqttsession.Session()
    for filters in ("abc", ["a", 7], {"a": {"colour": 1}}, {"a": "1"}, None):
        with pytest.raises(TypeError):
            session.subscribe_many(filters, print)  # type: ignore[arg-type]
    for wrong in ([], {}, ["a", "b+"], {"a": 3}, {"a": {"retain_handling": 3}}):
        with pytest.raises(ArgumentError):
            session.subscribe_many(wrong, print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        session.subscribe("a", print, colour=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        session.unsubscribe_many("abc")
    with pytest.raises(ArgumentError):
        session.unsubscribe_many([])
    assert session.statistics.subscriptions == 0
    session.close()


def test_before_connecting_there_is_no_result() -> None:
    session = mqttsession.Session()
    assert session.subscribe_many(["a", "b"], print, 1) is None
    assert session.statistics.subscriptions == 2
    assert session.unsubscribe("a") is None
    assert session.unsubscribe_many(["b"]) is None
    assert session.statistics.subscriptions == 0
    session.close()


def test_a_handler_is_decorated(scripted: Scripted, collector: Collector) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\n"
        "expect SUBSCRIBE in qos=1 no-local=1\nsend SUBACK $id 1\n"
        "send PUBLISH in 0 0 hello\nexpect DISCONNECT\n"
    )
    session = mqttsession.Session(broker.address, version="5.0")

    @session.on("in", qos=1, no_local=True)
    def handler(message: mqttsession.Message) -> None:
        """Say what it does."""
        collector(message)

    assert handler.__doc__ == "Say what it does."
    with session:
        assert collector.wait(1)[0].payload == b"hello"
    broker.finish()


# The second connection is never accepted, so nothing that is published after the first is sent.
UNANSWERED = "accept\nexpect CONNECT\nsend CONNACK 0 0\nclose\naccept\nsilence\n"


def test_a_message_that_lived_too_long_says_so(scripted: Scripted, events: Events) -> None:
    broker = scripted(UNANSWERED)
    ended: list[mqttsession.PublishResult] = []
    session = mqttsession.Session(broker.address, reconnect_delay=(0.01, 0.01))
    session.on_event = events
    session.connect(DEADLINE)
    events.wait("lost")
    number = session.publish("a", qos=1, time_to_live=0.01, on_complete=ended.append)
    with pytest.raises(CapacityError) as raised:
        session.wait(number, DEADLINE)
    assert raised.value.name == "EXPIRED"
    assert session.statistics.expired == 1
    session.close()
    assert [result.error and result.error.name for result in ended] == ["EXPIRED"]
    assert ended[0].reason_code is None


def test_the_options_say_how_long_a_message_lives(scripted: Scripted) -> None:
    broker = scripted(UNANSWERED)

    async def main() -> None:
        lost = asyncio.Event()
        session = aio.Session(broker.address, reconnect_delay=(0.01, 0.01), time_to_live=0.01)
        session.on_event = lambda event: lost.set() if event.kind == "lost" else None
        await session.connect()
        await lost.wait()
        with pytest.raises(CapacityError) as raised:
            await session.publish("a", qos=1)
        assert raised.value.name == "EXPIRED"
        await session.close()

    asyncio.run(main())
