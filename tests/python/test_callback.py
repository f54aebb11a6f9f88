"""Any call from inside any callback, while messages keep arriving."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession.error import MqttError
from mqttsession.options import QoS

from conftest import DEADLINE, Collector, Unraisable

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

COUNT = 1000

# A thousand messages as fast as the connection takes them; whatever the session asks is answered.
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


def _publish_and_wait(session: mqttsession.Session) -> None:
    qos: QoS
    for qos in (0, 1, 2):
        session.wait(session.publish("out", "x", qos), DEADLINE)


def _flush(session: mqttsession.Session) -> None:
    session.publish("out", "x", 1)
    session.flush(DEADLINE)


def _subscribe(session: mqttsession.Session) -> None:
    assert session.subscribe("other", print, 1, timeout=DEADLINE) is not None


def _unsubscribe_another(session: mqttsession.Session) -> None:
    session.subscribe("other", print, 1, timeout=DEADLINE)
    session.unsubscribe("other", DEADLINE)


@pytest.mark.parametrize("call", [_publish_and_wait, _flush, _subscribe, _unsubscribe_another])
def test_waiting_calls_inside_a_message_callback(
    scripted: Scripted, call: Callable[[mqttsession.Session], None]
) -> None:
    broker = scripted(FLOOD)
    seen: list[bytes] = []
    done = threading.Event()
    with mqttsession.Session(broker.address) as session:

        def handler(message: mqttsession.Message) -> None:
            assert session.in_callback
            if len(seen) % 100 == 0:
                call(session)
            seen.append(message.payload)
            if len(seen) == COUNT:
                done.set()

        session.subscribe("in", handler, 1)
        assert done.wait(DEADLINE), f"{len(seen)} of {COUNT} messages were handled"
        assert not session.in_callback
    assert seen == [f"message {number}".encode() for number in range(1, COUNT + 1)]


@pytest.mark.parametrize("call", ["unsubscribe", "unsubscribe_all", "disconnect", "close"])
def test_ending_inside_a_message_callback(scripted: Scripted, call: str) -> None:
    broker = scripted(FLOOD)
    session = mqttsession.Session(broker.address)
    session.connect(DEADLINE)
    calls: list[int] = []
    ended = threading.Event()

    def handler(_message: mqttsession.Message) -> None:
        calls.append(0)
        if call == "unsubscribe":
            session.unsubscribe("in", DEADLINE)
        elif call == "unsubscribe_all":
            session.unsubscribe_all(DEADLINE)
        elif call == "disconnect":
            session.disconnect(0)
        else:
            session.close()
        ended.set()

    session.subscribe("in", handler, 1)
    assert ended.wait(DEADLINE)
    session.close()
    # Nothing is delivered to a handler that has been taken away.
    if call != "disconnect":
        assert len(calls) == 1


def test_a_full_receiving_queue_with_a_waiting_call_in_the_callback(scripted: Scripted) -> None:
    broker = scripted(FLOOD)
    answers: list[str] = []
    done = threading.Event()
    with mqttsession.Session(broker.address, incoming_limit=(4, 1 << 20)) as session:

        def handler(message: mqttsession.Message) -> None:
            try:
                session.wait(session.publish("out", "x", 1), DEADLINE)
                answers.append("delivered")
            except MqttError as error:
                answers.append(error.name)
            if message.payload == f"message {COUNT}".encode():
                done.set()

        session.subscribe("in", handler, 1)
        assert done.wait(DEADLINE), f"{len(answers)} of {COUNT} messages were handled"
    # The answer stands behind messages that no queue can take: it comes, or the call says so.
    assert set(answers) <= {"delivered", "WOULD_DEADLOCK"}
    assert len(answers) == COUNT


def test_publishing_inside_a_completion(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")
    done = threading.Event()
    with mqttsession.Session(broker.address) as session:

        def again(_result: mqttsession.PublishResult) -> None:
            session.wait(session.publish("second", qos=1), DEADLINE)
            done.set()

        session.publish("first", qos=1, on_complete=again)
        assert done.wait(DEADLINE)


def test_publishing_inside_an_event(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")
    done = threading.Event()
    session = mqttsession.Session(broker.address)

    def on_event(event: mqttsession.Event) -> None:
        if event.kind == "connected":
            session.wait(session.publish("hello", qos=1), DEADLINE)
            done.set()

    session.on_event = on_event
    with session:
        assert done.wait(DEADLINE)
    session.on_event = None


def test_an_exception_in_a_handler_is_reported_and_nothing_is_lost(
    scripted: Scripted, unraisable: Unraisable, collector: Collector
) -> None:
    broker = scripted(FLOOD)
    with mqttsession.Session(broker.address) as session:

        def handler(message: mqttsession.Message) -> None:
            collector(message)
            raise LookupError(message.topic)

        session.subscribe("in", handler, 1)
        collector.wait(COUNT)
    error = unraisable.wait()
    assert isinstance(error, LookupError)
    assert error.args == ("in",)
    assert len(unraisable.seen) == COUNT


def test_an_exception_in_a_completion_or_event_is_reported(
    scripted: Scripted, unraisable: Unraisable
) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")

    def fails(*_arguments: object) -> None:
        raise LookupError

    session = mqttsession.Session(broker.address)
    session.on_event = fails
    session.connect(DEADLINE)
    session.publish("a", qos=1, on_complete=fails)
    session.disconnect()
    session.close()
    assert len(unraisable.seen) >= 3
    assert {type(error) for error in unraisable.seen} == {LookupError}


def test_an_exception_leaves_a_message_unacknowledged_where_that_is_wanted(
    scripted: Scripted, unraisable: Unraisable
) -> None:
    broker = scripted(
        """accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
send PUBLISH in 1 7 poison
expect PUBLISH out
expect DISCONNECT
"""
    )
    session = mqttsession.Session(broker.address, on_failure="leave")
    session.connect(DEADLINE)

    def handler(_message: mqttsession.Message) -> None:
        raise LookupError

    session.subscribe("in", handler, 1)
    assert isinstance(unraisable.wait(), LookupError)
    session.publish("out")
    session.disconnect()
    broker.finish()
    session.close()


def test_unsubscribing_waits_for_the_running_call_of_the_handler(scripted: Scripted) -> None:
    broker = scripted(FLOOD)
    entered, leave = threading.Event(), threading.Event()
    running = threading.Event()
    with mqttsession.Session(broker.address) as session:

        def handler(_message: mqttsession.Message) -> None:
            running.set()
            entered.set()
            assert leave.wait(DEADLINE)
            running.clear()

        session.subscribe("in", handler, 1)
        assert entered.wait(DEADLINE)
        threading.Timer(0.05, leave.set).start()
        session.unsubscribe("in", DEADLINE)
        assert not running.is_set()


def test_closing_in_another_thread_while_messages_arrive(scripted: Scripted) -> None:
    for _ in range(5):
        broker = scripted(FLOOD)
        collector = Collector()
        session = mqttsession.Session(broker.address)
        session.connect(DEADLINE)
        session.subscribe("in", collector, 1)
        collector.wait(10)
        session.close()
        count = len(collector.messages)
        assert session.state == "closed"
        assert len(collector.messages) == count


def test_a_handler_is_dropped_once_closed_or_replaced(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")

    class Handler:
        def __call__(self, message: mqttsession.Message) -> None: ...

    session = mqttsession.Session(broker.address)
    session.connect(DEADLINE)
    dropped = []
    for _ in range(2):
        handler, gone = Handler(), threading.Event()
        weakref.finalize(handler, gone.set)
        dropped.append(gone)
        session.subscribe("in", handler, 1)
        del handler
    gc.collect()
    assert dropped[0].wait(DEADLINE), "the replaced handler is still there"
    assert not dropped[1].is_set()
    session.close()
    assert dropped[1].wait(DEADLINE), "the handler outlives its session"


def test_a_handler_that_refers_to_its_session_goes_with_it(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n")

    def use() -> weakref.ref[mqttsession.Session]:
        session = mqttsession.Session(broker.address)
        session.on_event = lambda _event: session.state
        session.connect(DEADLINE)
        session.subscribe("in", lambda message: session.publish("out", message.payload))
        session.close()
        return weakref.ref(session)

    gone = use()
    gc.collect()
    assert gone() is None
