"""What happens to a session, how long it tries, and where it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import ConnackError, MqttError, NotAuthorizedError

from conftest import DEADLINE, Collector, Events

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

QUICK = (0.01, 0.01)
REFUSED_AT_FIRST = """accept
expect CONNECT
send CONNACK 0 {reason}
expect closed
accept
expect CONNECT
send CONNACK 0 0
expect DISCONNECT
"""


def test_the_first_attempt_may_be_followed_by_others(scripted: Scripted, events: Events) -> None:
    broker = scripted(REFUSED_AT_FIRST.format(reason="0x88"))
    session = mqttsession.Session(
        broker.address, version="5.0", retry_first_connect=True, reconnect_delay=QUICK
    )
    session.on_event = events
    with session:
        assert session.state == "connected"
    lost = events.wait("lost")
    assert lost.error is not None
    assert lost.error.reason_code == 0x88
    assert events.wait("retrying").delay is not None
    broker.finish()


@pytest.mark.parametrize("which", [NotAuthorizedError, ConnackError, PermissionError, -704])
def test_what_is_tried_again_is_an_option(scripted: Scripted, which: type[Exception] | int) -> None:
    broker = scripted(REFUSED_AT_FIRST.format(reason="0x86"))
    session = mqttsession.Session(
        broker.address,
        version="5.0",
        retry_first_connect=True,
        reconnect_delay=QUICK,
        retry={which: True},
    )
    with session:
        pass
    broker.finish()


def test_a_later_entry_wins(scripted: Scripted) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0x86\nexpect closed\n")

    async def main() -> None:
        session = aio.Session(
            broker.address,
            version="5.0",
            retry_first_connect=True,
            reconnect_delay=QUICK,
            retry={MqttError: True, "BAD_CREDENTIALS": False},
        )
        with pytest.raises(NotAuthorizedError) as raised:
            await session.connect()
        assert raised.value.name == "BAD_CREDENTIALS"
        assert session.state == "disconnected"
        await session.close()

    asyncio.run(main())
    broker.finish()


def test_an_error_of_a_broker_carries_all_that_it_said(scripted: Scripted) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\n"
        'send CONNACK 0 0x9D reason-string="we have moved" server-reference=elsewhere:1883 '
        "user-property=a:1\nexpect closed\n"
    )
    session = mqttsession.Session(broker.address, version="5.0")
    with pytest.raises(ConnackError) as raised:
        session.connect(DEADLINE)
    error = raised.value
    assert (error.name, error.reason_code) == ("SERVER_MOVED", 0x9D)
    assert error.reason_string == "we have moved"
    assert error.server_reference == "elsewhere:1883"
    assert error.user_properties == (("a", "1"),)
    last = session.last_error
    assert last is not None
    assert last.server_reference == "elsewhere:1883"
    session.close()


SERVE = "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect DISCONNECT\n"


def _moved(to: ScriptedBroker) -> str:
    return (
        "accept\nexpect CONNECT\n"
        f"send CONNACK 0 0x9D server-reference=127.0.0.1:{to.port}\nexpect closed\n"
    )


def test_a_redirected_session_follows_as_far_as_it_may(scripted: Scripted, events: Events) -> None:
    there = scripted(SERVE)
    here = scripted(_moved(there))
    session = mqttsession.Session(
        here.address, version="5.0", redirect_limit=1, reconnect_delay=QUICK
    )
    session.on_event = events
    with session:
        pass
    address = events.wait("redirected").address
    assert address is not None
    assert str(there.port) in address
    here.finish()
    there.finish()


def test_a_redirected_session_in_an_event_loop(scripted: Scripted) -> None:
    there = scripted(SERVE)
    here = scripted(_moved(there))

    async def main() -> None:
        events: asyncio.Queue[mqttsession.Event] = asyncio.Queue()
        session = aio.Session(here.address, version="5.0", redirect_limit=1, reconnect_delay=QUICK)
        session.on_event = events.put_nowait
        async with session:
            while (await events.get()).kind != "redirected":
                pass

    asyncio.run(main())
    there.finish()


CONNACK = """accept
expect CONNECT
send CONNACK 1 0 session-expiry-interval=5 receive-maximum=10 maximum-qos=1 retain-available=0 \
maximum-packet-size=4096 assigned-client-identifier=you topic-alias-maximum=3 \
reason-string="welcome" user-property=a:1 wildcard-subscription-available=0 \
subscription-identifier-available=0 shared-subscription-available=0 server-keep-alive=7 \
response-information=answers/
expect DISCONNECT
"""


def _check_connection(connection: mqttsession.Connected | None) -> None:
    assert connection is not None
    assert connection.session_present
    assert connection.client_id == "you"
    assert connection.session_expiry_interval == 5
    assert connection.receive_maximum == 10
    assert connection.maximum_qos == 1
    assert not connection.retain_available
    assert connection.maximum_packet_size == 4096
    assert connection.topic_alias_maximum == 3
    assert connection.reason_string == "welcome"
    assert connection.user_properties == (("a", "1"),)
    assert not connection.wildcard_subscription_available
    assert not connection.subscription_identifiers_available
    assert not connection.shared_subscription_available
    assert connection.server_keep_alive == 7
    assert connection.response_information == "answers/"
    assert connection.properties["assigned_client_identifier"] == "you"


def test_what_the_broker_said_can_be_read(scripted: Scripted, collector: Collector) -> None:
    broker = scripted(CONNACK)
    session = mqttsession.Session(broker.address, version="5.0", clean_session=False)
    assert session.connection is None
    with session:
        _check_connection(session.connection)
        # What it does not take is refused before it is sent.
        for call in (
            lambda: session.publish("a", qos=2),
            lambda: session.publish("a", retain=True),
            lambda: session.publish("a", b"x" * 5000),
            lambda: session.subscribe("a/#", collector),
            lambda: session.subscribe("$share/group/a", collector),
        ):
            with pytest.raises(MqttError):
                call()
    _check_connection(session.connection)
    broker.finish()


def test_what_the_broker_said_can_be_read_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(CONNACK)

    async def main() -> None:
        session = aio.Session(broker.address, version="5.0", clean_session=False)
        assert session.connection is None
        _check_connection(await session.connect())
        _check_connection(session.connection)
        await session.disconnect()
        await session.close()

    asyncio.run(main())
    broker.finish()


def test_before_version_5_a_broker_says_little(scripted: Scripted) -> None:
    broker = scripted(SERVE)
    with mqttsession.Session(broker.address, client_id="me") as session:
        connection = session.connection
        assert connection is not None
        assert (connection.client_id, connection.session_present) == ("me", False)
        assert (connection.receive_maximum, connection.maximum_qos) == (65_535, 2)
        assert connection.retain_available
        assert connection.maximum_packet_size is None
        assert connection.reason_string is None
        assert (connection.user_properties, connection.properties) == ((), {})


TOO_LARGE = f"""accept
expect CONNECT
send CONNACK 0 0
expect SUBSCRIBE
send SUBACK $id 1
send PUBLISH in 1 7 {"x" * 2000}
send PUBLISH in 1 8 small
expect PUBACK 7
expect PUBACK 8
expect DISCONNECT
"""


def test_a_message_that_is_too_large_is_set_aside(
    scripted: Scripted, events: Events, collector: Collector
) -> None:
    broker = scripted(TOO_LARGE)
    session = mqttsession.Session(broker.address, maximum_packet_size=1000)
    session.on_event = events
    with session:
        session.subscribe("in", collector, 1, timeout=DEADLINE)
        assert collector.wait(1)[0].payload == b"small"
        event = events.wait("set_aside")
        assert (event.number, event.topic) == (None, "in")
        assert event.size is not None
        assert event.size > 2000
        assert event.error is not None
        assert event.error.name == "PACKET_TOO_LARGE"
        statistics = session.statistics
        assert (statistics.incoming_set_aside, statistics.received) == (1, 1)
    broker.finish()


DEADLY = """accept
expect CONNECT
send CONNACK 0 0
expect PUBLISH deadly
close
accept
expect CONNECT
send CONNACK 1 0
serve until DISCONNECT
"""


def test_a_message_that_costs_the_connection_is_set_aside(
    scripted: Scripted, events: Events
) -> None:
    broker = scripted(DEADLY)
    session = mqttsession.Session(
        broker.address,
        client_id="me",
        clean_session=False,
        set_aside_after=1,
        reconnect_delay=QUICK,
    )
    session.on_event = events
    with session:
        number = session.publish("deadly", qos=1)
        with pytest.raises(MqttError) as raised:
            session.wait(number, DEADLINE)
        assert raised.value.name == "SET_ASIDE"
        event = events.wait("set_aside")
        assert (event.number, event.topic) == (number, "deadly")
        assert session.statistics.set_aside == 1
        events.wait("connected", 2)
    broker.finish()


def test_an_acknowledgement_that_does_not_come_is_reported(
    scripted: Scripted, events: Events, collector: Collector
) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\nsend SUBACK $id 1\n"
        "send PUBLISH in 1 7 first\nsend PUBLISH in 1 8 second\n"
        "expect PUBACK 7\nexpect PUBACK 8\nexpect DISCONNECT\n"
    )
    session = mqttsession.Session(broker.address, acknowledge="manual")
    session.on_event = events
    with session:
        session.subscribe("in", collector, 1, timeout=DEADLINE)
        first, second = collector.wait(2)
        second.acknowledge()
        assert session.statistics.held_back == 1
        assert events.wait("acknowledgement_held").held == 1
        first.acknowledge()
    broker.finish()


def test_the_log_says_what_happens(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mqttsession")
    broker = scripted(REFUSED_AT_FIRST.format(reason='0x88 reason-string="not now"'))
    session = mqttsession.Session(
        broker.address,
        version="5.0",
        client_id="me",
        user_name="me",
        password="hunter2",
        retry_first_connect=True,
        reconnect_delay=QUICK,
    )
    with session:
        pass
    broker.finish()
    levels = {record.levelname for record in caplog.records}
    assert levels == {"DEBUG", "INFO", "WARNING"}
    text = caplog.text
    for words in ("connecting", "not now", "the next attempt", "connected as 'me'"):
        assert words in text
    assert broker.address in text
    assert "hunter2" not in text


def test_a_polled_session_logs_what_is_polled_for(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mqttsession")
    broker = scripted(SERVE)
    session = mqttsession.Session(broker.address, dispatch="polled")
    session.on_event = lambda _event: None
    session.connect(DEADLINE)
    assert not caplog.records
    session.poll()
    assert "connected" in caplog.text
    session.disconnect()
    session.close()
