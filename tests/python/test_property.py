"""Every property of MQTT 5.0 reaches the packet that it is for, and is read where it came."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
from mqttsession import aio

from conftest import DEADLINE, Collector

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

CONNECT = """accept
expect CONNECT client-id=me clean=0 keep-alive=7 user=name password=secret \
session-expiry-interval=60 receive-maximum=10 maximum-packet-size=4096 topic-alias-maximum=5 \
request-response-information=1 request-problem-information=0 \
user-property=a:1 user-property=a:2 \
will-topic=gone will-payload=me will-qos=1 will-retain=1 \
will:will-delay-interval=5 will:payload-format-indicator=1 will:message-expiry-interval=9 \
will:content-type=text/plain will:response-topic=answers will:correlation-data=id \
will:user-property=b:3
send CONNACK 0 0
expect DISCONNECT 4 session-expiry-interval=0 reason-string=bye user-property=c:4
"""

OPTIONS: mqttsession.SessionOptions = {
    "version": "5.0",
    "client_id": "me",
    "clean_session": False,
    "keep_alive": 7,
    "user_name": "name",
    "password": "secret",
    "properties": {
        "session_expiry_interval": 60,
        "receive_maximum": 10,
        "maximum_packet_size": 4096,
        "topic_alias_maximum": 5,
        "request_response_information": True,
        "request_problem_information": False,
        "user_properties": [("a", "1"), ("a", "2")],
    },
    "will": mqttsession.Will(
        "gone",
        "me",
        qos=1,
        retain=True,
        properties={
            "will_delay_interval": 5,
            "payload_format_indicator": True,
            "message_expiry_interval": 9,
            "content_type": "text/plain",
            "response_topic": "answers",
            "correlation_data": b"id",
            "user_properties": [("b", "3")],
        },
    ),
}
FAREWELL: mqttsession.Properties = {
    "session_expiry_interval": 0,
    "reason_string": "bye",
    "user_properties": [("c", "4")],
}


def test_the_properties_of_connect_will_and_disconnect(scripted: Scripted) -> None:
    broker = scripted(CONNECT)
    session = mqttsession.Session(broker.address, **OPTIONS)
    session.connect(DEADLINE)
    session.disconnect(reason_code=4, properties=FAREWELL)
    session.close()
    broker.finish()


def test_the_same_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(CONNECT)

    async def main() -> None:
        session = aio.Session(broker.address, **OPTIONS)
        await session.connect()
        await session.disconnect(reason_code=4, properties=FAREWELL)
        await session.close()

    asyncio.run(main())
    broker.finish()


MESSAGES = """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE in qos=1 no-local=1 retain-as-published=1 retain-handling=2 user-property=k:v
send SUBACK $id 1
expect PUBLISH out qos=1 retain=1 payload=x payload-format-indicator=1 message-expiry-interval=100 \
content-type=text/plain response-topic=answers correlation-data=id user-property=a:1
send PUBACK $id
send PUBLISH in 1 7 y retain payload-format-indicator=1 message-expiry-interval=50 \
content-type=text/html response-topic=there correlation-data=di user-property=b:2
expect PUBACK 7
expect UNSUBSCRIBE in user-property=k:w
send UNSUBACK $id 0
expect DISCONNECT
"""

SENT: mqttsession.Properties = {
    "payload_format_indicator": True,
    "message_expiry_interval": 100,
    "content_type": "text/plain",
    "response_topic": "answers",
    "correlation_data": b"id",
    "user_properties": [("a", "1")],
}
RECEIVED = {
    "payload_format_indicator": 1,
    "message_expiry_interval": 50,
    "content_type": "text/html",
    "response_topic": "there",
    "correlation_data": b"di",
    "user_properties": [("b", "2")],
}


def test_the_properties_of_messages_and_subscriptions(
    scripted: Scripted, collector: Collector
) -> None:
    broker = scripted(MESSAGES)
    with mqttsession.Session(broker.address, version="5.0") as session:
        session.subscribe(
            "in",
            collector,
            1,
            no_local=True,
            retain_as_published=True,
            retain_handling=2,
            properties={"user_properties": [("k", "v")]},
            timeout=DEADLINE,
        )
        session.wait(session.publish("out", "x", 1, True, properties=SENT), DEADLINE)
        (message,) = collector.wait(1)
        assert message.retain
        _compare(message.properties)
        result = session.unsubscribe("in", DEADLINE, properties={"user_properties": [("k", "w")]})
        assert result is not None
        assert (result.filter, result.reason_code) == ("in", 0)
    broker.finish()


def test_the_same_messages_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(MESSAGES)

    async def main() -> None:
        received: asyncio.Queue[mqttsession.Message] = asyncio.Queue()
        async with aio.Session(broker.address, version="5.0") as session:
            await session.subscribe(
                "in",
                received.put_nowait,
                1,
                no_local=True,
                retain_as_published=True,
                retain_handling=2,
                properties={"user_properties": [("k", "v")]},
            )
            await session.publish("out", "x", 1, True, properties=SENT)
            _compare((await received.get()).properties)
            while session.statistics.unacknowledged:
                await asyncio.sleep(0)
            result = await session.unsubscribe("in", properties={"user_properties": [("k", "w")]})
            assert (result.filter, result.reason_code) == ("in", 0)

    asyncio.run(main())
    broker.finish()


def _compare(received: mqttsession.Properties) -> None:
    assert typing.cast(dict[str, object], received) == RECEIVED


REFUSALS = """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 2
send PUBLISH in 1 7 first
send PUBLISH in 2 8 second
expect PUBACK 7 reason=0x99 reason-string="no good" user-property=a:1
expect PUBREC 8 reason=0x97
expect DISCONNECT
"""


def test_a_message_is_refused_with_words(scripted: Scripted, collector: Collector) -> None:
    broker = scripted(REFUSALS)
    with mqttsession.Session(broker.address, version="5.0", acknowledge="manual") as session:
        session.subscribe("in", collector, 2, timeout=DEADLINE)
        first, second = collector.wait(2)
        first.refuse(0x99, reason_string="no good", user_properties=[("a", "1")])
        second.refuse(0x97)
        # What leaves last has been behind the refusals.
    broker.finish()


def test_a_message_is_refused_with_words_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(REFUSALS)

    async def main() -> None:
        async with (
            aio.Session(broker.address, version="5.0", acknowledge="manual") as session,
            session.messages("in", 2) as messages,
        ):
            assert messages.granted is not None
            (await anext(messages)).refuse(
                0x99, reason_string="no good", user_properties=[("a", "1")]
            )
            (await anext(messages)).refuse(0x97)
            # Its UNSUBSCRIBE is none of the script's.
            await session.disconnect()

    asyncio.run(main())
    broker.finish()


FAILURES = """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 2
send PUBLISH in 1 7 poison
send PUBLISH in 2 8 poison
expect PUBACK 7 reason=0x83
expect PUBREC 8 reason=0x83
expect DISCONNECT
"""


def test_a_failing_handler_refuses_where_that_is_wanted(
    scripted: Scripted, unraisable: object, collector: Collector
) -> None:
    broker = scripted(FAILURES)
    with mqttsession.Session(broker.address, version="5.0", on_failure=0x83) as session:

        def handler(message: mqttsession.Message) -> None:
            collector(message)
            raise LookupError

        session.subscribe("in", handler, 2, timeout=DEADLINE)
        collector.wait(2)
    broker.finish()


def test_a_failing_coroutine_refuses_where_that_is_wanted(scripted: Scripted) -> None:
    broker = scripted(FAILURES)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        seen: asyncio.Queue[bytes] = asyncio.Queue()

        async def handler(message: mqttsession.Message) -> None:
            seen.put_nowait(message.payload)
            raise LookupError

        async with aio.Session(broker.address, version="5.0", on_failure=0x83) as session:
            await session.subscribe("in", handler, 2)
            assert [await seen.get(), await seen.get()] == [b"poison", b"poison"]
            while session.statistics.unacknowledged:
                await asyncio.sleep(0)

    asyncio.run(main())
    broker.finish()
