"""Payloads of every kind and size arrive as they were, and large ones are not copied."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession.options import QoS
from mqttsession.testing import Broker

from conftest import DEADLINE, Collector

if TYPE_CHECKING:
    from conftest import ScriptedBroker

SILENCE = "accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n"

# Round the length from which on `bytes` are lent to the session.
SIZES = [0, 1, (16 << 10) - 1, 16 << 10, 100_000]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_payloads_arrive_as_they_were(broker: Broker, collector: Collector, qos: QoS) -> None:
    topic = f"payload/{uuid.uuid4().hex}"
    sent = [bytes(number % 251 for number in range(size)) for size in SIZES]
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, collector, qos)
        for payload in sent:
            session.publish(topic, payload, qos)
            changing = bytearray(payload)
            session.publish(topic, changing, qos)
            changing[:] = bytes(len(changing))
            session.publish(topic, memoryview(payload), qos)
            session.publish(topic, "ä" * len(payload), qos)
        messages = collector.wait(4 * len(sent))
    expected = [each for payload in sent for each in (payload,) * 3 + ("ä" * len(payload),)]
    assert [message.payload for message in messages] == [
        each.encode() if isinstance(each, str) else each for each in expected
    ]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_large_payload_is_lent_until_its_message_has_ended(
    scripted: Callable[[str], ScriptedBroker], qos: QoS
) -> None:
    broker = scripted(SILENCE)
    session = mqttsession.Session(broker.address)
    session.connect(DEADLINE)
    large, small = bytes(100_000), bytes(100)
    before = [sys.getrefcount(large), sys.getrefcount(small)]
    session.publish("a", large, qos)
    session.publish("a", small, qos)
    # The one is the session's, too; the other has been copied.
    assert [sys.getrefcount(large), sys.getrefcount(small)] == [before[0] + 1, before[1]]
    session.close()
    while sys.getrefcount(large) > before[0]:
        # Any call gives back what threads without the interpreter could not.
        assert session.state == "closed"
    assert [sys.getrefcount(large), sys.getrefcount(small)] == before
