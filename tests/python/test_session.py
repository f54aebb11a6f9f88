"""The blocking session against real brokers."""

from __future__ import annotations

import array
import contextlib
import select
import socket
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession.error import CallTimeoutError, MqttError
from mqttsession.options import Payload, QoS
from mqttsession.testing import Broker

from conftest import DEADLINE, Collector

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"test/{uuid.uuid4().hex}"


@pytest.mark.parametrize("version", ["3.1", "3.1.1", "5.0"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_goes_to_the_broker_and_comes_back(
    broker: Broker, topic: str, collector: Collector, qos: QoS, version: str
) -> None:
    if version == "3.1" and broker.program.stem != "mosquitto":
        pytest.skip("SKIPPED: the embedded broker does not speak MQTT 3.1")
    with mqttsession.Session(broker.address, version=version, client_id="me") as session:  # type: ignore[arg-type]
        assert _state(session) == "connected"
        granted = session.subscribe(f"{topic}/+", collector, qos)
        assert granted is not None
        assert (granted.filter, granted.qos, granted.error) == (f"{topic}/+", qos, None)
        number = session.publish(f"{topic}/a", b"\x00payload", qos)
        assert number > 0
        result = session.wait(number, DEADLINE)
        assert (result.number, result.reason_code, result.error) == (number, 0, None)
        (message,) = collector.wait(1)
        assert message.topic == f"{topic}/a"
        assert message.payload == b"\x00payload"
        assert (message.qos, message.retain, message.duplicate) == (qos, False, False)
        assert "content_type" not in message.properties
        statistics = session.statistics
        assert (statistics.published, statistics.received, statistics.connections) == (1, 1, 1)
    assert _state(session) == "closed"


def _state(session: mqttsession.Session) -> str:
    """The state, which for a type checker is never two different ones."""
    return session.state


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"bytes", b"bytes"),
        ("Müller ☃", "Müller ☃".encode()),
        ("", b""),
        (bytearray(b"array"), b"array"),
        (memoryview(b"memory")[1:5], b"emor"),
        (array.array("H", [1, 2, 3]), array.array("H", [1, 2, 3]).tobytes()),
        (array.array("d", []), b""),
        (b"large" * 100_000, b"large" * 100_000),
        (bytearray(b"large" * 100_000), b"large" * 100_000),
    ],
)
def test_payloads_of_every_kind(
    broker: Broker, topic: str, collector: Collector, payload: Payload, expected: bytes
) -> None:
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, collector)
        session.publish(topic, payload)
        (message,) = collector.wait(1)
        assert message.payload == expected
        assert memoryview(message.payload).readonly


def test_messages_come_in_order(broker: Broker, topic: str, collector: Collector) -> None:
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, collector, 1)
        for number in range(2000):
            session.publish(topic, str(number), 1)
        session.flush(DEADLINE)
        messages = collector.wait(2000)
        assert [int(message.payload) for message in messages] == list(range(2000))


def test_a_completion_is_called_once_for_each_publish(broker: Broker, topic: str) -> None:
    ended: list[mqttsession.PublishResult] = []
    with mqttsession.Session(broker.address) as session:
        numbers = [
            session.publish(topic, qos=qos, on_complete=ended.append) for qos in (0, 1, 2, 0, 1, 2)
        ]
    # Leaving the session waits for them.
    assert sorted(result.number for result in ended) == numbers
    assert {(result.reason_code, result.error) for result in ended} == {(0, None)}


def test_a_retained_message_meets_later_subscribers(
    broker: Broker, topic: str, collector: Collector
) -> None:
    with mqttsession.Session(broker.address) as session:
        session.wait(session.publish(topic, "kept", 1, True), DEADLINE)
        session.subscribe(topic, collector, 1)
        (message,) = collector.wait(1)
        assert message.retain
        session.wait(session.publish(topic, b"", 1, True), DEADLINE)


def test_properties_travel(broker: Broker, topic: str, collector: Collector) -> None:
    with mqttsession.Session(broker.address, version="5.0") as session:
        session.subscribe(topic, collector, no_local=False, retain_as_published=True)
        session.publish(
            topic,
            "body",
            properties={
                "content_type": "text/plain",
                "payload_format_indicator": 1,
                "response_topic": "answers",
                "correlation_data": b"\x00\x01",
                "user_properties": [("a", "1"), ("a", "2")],
            },
        )
        (message,) = collector.wait(1)
        received = message.properties
        # It says which of the session's subscriptions it is for, where the broker knows that.
        received.pop("subscription_identifiers", None)
        # A broker may add user properties of its own.
        assert received.pop("user_properties")[:2] == [("a", "1"), ("a", "2")]
        assert received == {
            "content_type": "text/plain",
            "payload_format_indicator": 1,
            "response_topic": "answers",
            "correlation_data": b"\x00\x01",
        }


def test_properties_need_version_5(broker: Broker, topic: str) -> None:
    with mqttsession.Session(broker.address) as session:
        with pytest.raises(NotImplementedError) as raised:
            session.publish(topic, properties={"content_type": "text/plain"})
        assert isinstance(raised.value, MqttError)
        assert raised.value.name == "NOT_SUPPORTED"
        assert session.statistics.published == 0


def test_a_property_that_publish_cannot_have(broker: Broker, topic: str) -> None:
    with mqttsession.Session(broker.address, version="5.0") as session:
        with pytest.raises(MqttError):
            session.publish(topic, properties={"server_keep_alive": 5})
        assert session.statistics.published == 0


def test_no_local_keeps_own_messages_away(broker: Broker, topic: str, collector: Collector) -> None:
    own: list[object] = []
    with (
        mqttsession.Session(broker.address, version="5.0") as one,
        mqttsession.Session(broker.address, version="5.0") as other,
    ):
        one.subscribe(topic, own.append, no_local=True)
        other.subscribe(topic, collector)
        one.publish(topic, "from one")
        collector.wait(1)
        other.publish(topic, "from other")
        collector.wait(2)
        # Whatever was on its way to the first has passed when this is through.
        one.subscribe(f"{topic}/fence", collector)
        one.publish(f"{topic}/fence")
        other.publish(f"{topic}/fence")
        collector.wait(3)
    assert [message.payload for message in own] == [b"from other"]  # type: ignore[attr-defined]


def test_subscribing_before_connecting(broker: Broker, topic: str, collector: Collector) -> None:
    session = mqttsession.Session(broker.address)
    assert session.subscribe(topic, collector, 1) is None
    with session:
        session.publish(topic, "early", 1)
        collector.wait(1)


def test_the_later_handler_of_a_filter_replaces_the_earlier(
    broker: Broker, topic: str, collector: Collector
) -> None:
    replaced: list[object] = []
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, replaced.append)
        session.subscribe(topic, collector)
        session.publish(topic)
        collector.wait(1)
    assert not replaced


def test_overlapping_filters_call_each_handler(broker: Broker, topic: str) -> None:
    wide, narrow = Collector(), Collector()
    with mqttsession.Session(broker.address) as session:
        session.subscribe(f"{topic}/#", wide)
        session.subscribe(f"{topic}/a", narrow)
        session.publish(f"{topic}/a", "both")
        session.publish(f"{topic}/b", "wide")
        assert narrow.wait(1)[0].payload == b"both"
        while b"wide" not in {message.payload for message in wide.messages}:
            wide.wait(len(wide.messages) + 1)
    # Some brokers send a message once for each matching subscription.
    assert {message.payload for message in narrow.messages} == {b"both"}
    assert {message.payload for message in wide.messages} == {b"both", b"wide"}


def test_no_message_after_unsubscribing(broker: Broker, topic: str, collector: Collector) -> None:
    fence = Collector()
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, collector)
        session.subscribe(f"{topic}/fence", fence)
        session.unsubscribe(topic)
        session.unsubscribe("nobody/subscribed/this")
        session.publish(topic)
        session.publish(f"{topic}/fence")
        fence.wait(1)
        session.unsubscribe_all()
        assert session.statistics.subscriptions == 0
    assert not collector.messages


def test_the_will_is_published_when_the_broker_is_told_to(
    broker: Broker, topic: str, collector: Collector
) -> None:
    with mqttsession.Session(broker.address) as watcher:
        watcher.subscribe(topic, collector)
        will = mqttsession.Will(topic, "gone", qos=1)
        with mqttsession.Session(broker.address, version="5.0", will=will) as session:
            session.disconnect(reason_code=4)
        assert collector.wait(1)[0].payload == b"gone"


def test_a_session_can_connect_again(broker: Broker, topic: str, collector: Collector) -> None:
    session = mqttsession.Session(broker.address)
    answer = session.connect(DEADLINE)
    assert not answer.session_present
    assert session.disconnect() == 0
    assert session.state == "disconnected"
    session.subscribe(topic, collector)
    session.connect(DEADLINE)
    session.connect(DEADLINE)
    session.publish(topic)
    collector.wait(1)
    session.close()


def test_an_assigned_client_id_is_told(broker: Broker) -> None:
    with mqttsession.Session(broker.address, version="5.0") as session:
        connected = session.connect()
        assert connected.client_id
        assert repr(connected).startswith("Connected(session_present=False, client_id='")


def test_events_come_in_order(broker: Broker) -> None:
    kinds: list[str] = []
    session = mqttsession.Session(broker.address)
    session.on_event = lambda event: kinds.append(event.kind)
    assert callable(session.on_event)
    with session:
        pass
    assert kinds[:2] == ["connecting", "connected"]
    assert kinds[-1] == "disconnected"


def test_polled_callbacks_run_on_the_polling_thread(broker: Broker, topic: str) -> None:
    threads: list[int] = []
    session = mqttsession.Session(broker.address, dispatch="polled")
    session.connect(DEADLINE)
    session.subscribe(topic, lambda message: threads.append(threading.get_ident()))
    session.poll(limit=100)
    for _ in range(3):
        session.publish(topic)
    while len(threads) < 3:
        readable, _, _ = select.select([session], [], [], DEADLINE)
        assert readable, "the descriptor never became readable"
        session.poll()
    assert set(threads) == {threading.get_ident()}
    session.close()


def test_polling_within_a_callback_is_refused(broker: Broker, topic: str) -> None:
    names: list[str] = []
    session = mqttsession.Session(broker.address, dispatch="polled")
    session.connect(DEADLINE)

    def handler(_message: mqttsession.Message) -> None:
        with contextlib.suppress(MqttError):
            try:
                session.poll()
            except MqttError as error:
                names.append(error.name)
                raise

    session.subscribe(topic, handler)
    session.publish(topic)
    while not names:
        assert session.poll(DEADLINE)
    assert names == ["BUSY"]
    session.close()


def test_what_ends_the_program_passes_through_poll(broker: Broker, topic: str) -> None:
    session = mqttsession.Session(broker.address, dispatch="polled")
    session.connect(DEADLINE)

    def handler(_message: mqttsession.Message) -> None:
        raise KeyboardInterrupt

    session.subscribe(topic, handler)
    session.publish(topic)
    with pytest.raises(KeyboardInterrupt):
        while True:
            assert session.poll(DEADLINE)
    session.close()


def test_polling_needs_a_polled_session(broker: Broker) -> None:
    with mqttsession.Session(broker.address) as session:
        with pytest.raises(NotImplementedError):
            session.poll()
        with pytest.raises(NotImplementedError):
            session.fileno()


def test_a_timeout_leaves_the_operation_running(broker: Broker, topic: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    def handler(_message: mqttsession.Message) -> None:
        entered.set()
        assert leave.wait(DEADLINE)

    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, handler)
        ended: list[int] = []
        session.publish(topic)
        assert entered.wait(DEADLINE)
        # The completion waits behind the handler, but the message itself ends without it.
        number = session.publish(
            topic, qos=1, on_complete=lambda result: ended.append(result.number)
        )
        assert session.wait(number, DEADLINE).reason_code == 0
        assert not ended
        leave.set()
    assert ended == [number]


def test_waiting_does_not_stop_other_threads(broker: Broker) -> None:
    turns = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1

    with mqttsession.Session(broker.address, dispatch="polled") as session:
        counter = threading.Thread(target=count)
        counter.start()
        session.poll()
        before = turns
        assert session.poll(0.05) == 0
        stop.set()
        counter.join()
    assert turns > before


def test_a_call_timeout_is_a_timeout() -> None:
    # Nothing answers this socket, so the connect cannot end by itself within its ten seconds.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        session = mqttsession.Session(f"127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(CallTimeoutError) as raised:
            session.connect(0.01)
        assert isinstance(raised.value, TimeoutError)
        assert session.state == "connecting"
        session.close()


def test_leaving_with_an_exception_does_not_wait_and_does_not_replace_it(
    broker: Broker, topic: str
) -> None:
    with pytest.raises(ZeroDivisionError), mqttsession.Session(broker.address) as session:
        session.publish(topic, qos=1)
        raise ZeroDivisionError
    assert session.state == "closed"


def test_a_session_that_is_dropped_closes(broker: Broker, topic: str) -> None:
    dropped = threading.Event()

    class Handler:
        def __call__(self, message: mqttsession.Message) -> None: ...
        def __del__(self) -> None:
            dropped.set()

    session = mqttsession.Session(broker.address)
    session.connect(DEADLINE)
    session.subscribe(topic, Handler())
    del session
    assert dropped.wait(DEADLINE)


def test_the_reject_policy_refuses_what_is_too_much(scripted: Scripted, topic: str) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")
    session = mqttsession.Session(
        broker.address, outgoing_limit=(1, 10_000), outgoing_policy="reject"
    )
    session.connect(DEADLINE)
    with pytest.raises(MqttError) as raised:
        while True:
            session.publish(topic, qos=1)
    assert raised.value.name == "QUEUE_FULL"
    assert raised.value.retryable
    session.disconnect()
    session.close()


def test_the_block_policy_waits_for_room(broker: Broker, topic: str) -> None:
    with mqttsession.Session(broker.address, outgoing_limit=(2, 10_000)) as session:
        for _ in range(200):
            session.publish(topic, "x", 1)
        session.flush(DEADLINE)
        assert session.statistics.published == 200


def test_the_block_policy_gives_up_in_the_end(scripted: Scripted, topic: str) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n")
    session = mqttsession.Session(broker.address, outgoing_limit=(1, 10_000), outgoing_wait=0.05)
    session.connect(DEADLINE)
    session.publish(topic, qos=1)
    with pytest.raises(MqttError) as raised:
        session.publish(topic, qos=1)
    assert raised.value.name == "QUEUE_FULL"
    session.close()


def test_manual_acknowledgement(scripted: Scripted) -> None:
    broker = scripted(
        """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
send PUBLISH a 1 7 first
send PUBLISH a 1 8 second
expect PUBLISH b
expect PUBACK 7
expect PUBACK 8
expect DISCONNECT
"""
    )
    collector = Collector()
    session = mqttsession.Session(broker.address, acknowledge="manual")
    session.connect(DEADLINE)
    session.subscribe("a", collector, 1)
    first, second = collector.wait(2)
    # Out of order: the wire keeps the order of arrival, so nothing goes out before the first.
    second.acknowledge()
    session.wait(session.publish("b"), DEADLINE)
    first.acknowledge()
    with pytest.raises(NotImplementedError):
        first.acknowledge()
    session.disconnect()
    broker.finish()
    session.close()


def test_an_acknowledged_message_cannot_be_acknowledged_by_hand(
    broker: Broker, topic: str, collector: Collector
) -> None:
    with mqttsession.Session(broker.address) as session:
        session.subscribe(topic, collector, 1)
        session.publish(topic, qos=1)
        (message,) = collector.wait(1)
        with pytest.raises(NotImplementedError):
            message.acknowledge()


def test_a_refusal_is_a_failure_of_that_call(scripted: Scripted) -> None:
    broker = scripted("reject_subscription")
    session = mqttsession.Session(broker.address)
    session.connect(DEADLINE)
    with pytest.raises(MqttError) as raised:
        session.subscribe("demo/in", print, 1)
    assert raised.value.name == "SUBSCRIBE_REFUSED"
    session.close()
