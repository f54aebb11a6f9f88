"""What a caller gets wrong is said at once, and nothing is sent."""

from __future__ import annotations

import contextlib
import datetime
import typing
from collections.abc import Iterator
from typing import Unpack

import mqttsession
import pytest
from mqttsession import _native
from mqttsession.error import ArgumentError, SessionStateError


@contextlib.contextmanager
def _closing(**options: Unpack[mqttsession.SessionOptions]) -> Iterator[mqttsession.Session]:
    """A session that never connects."""
    session = mqttsession.Session(**options)
    try:
        yield session
    finally:
        session.close()


def test_every_option_is_typed() -> None:
    assert set(typing.get_type_hints(mqttsession.SessionOptions)) == set(_native.option_names())


@pytest.mark.parametrize(
    ("option", "value", "exception"),
    [
        ("version", "4", ArgumentError),
        ("version", 5, TypeError),
        ("dispatch", "inline", ArgumentError),
        ("outgoing_policy", "drop", ArgumentError),
        ("acknowledge", "later", ArgumentError),
        ("on_failure", "later", ArgumentError),
        ("on_failure", 0x10, ArgumentError),
        ("on_failure", 0x7F, ArgumentError),
        ("on_failure", None.__class__, TypeError),
        ("time_to_live", 0, ArgumentError),
        ("topic_alias_limit", 65_536, OverflowError),
        ("set_aside_after", -1, OverflowError),
        ("redirect_limit", -1, OverflowError),
        ("retry", {"NO_SUCH_ERROR": True}, ArgumentError),
        ("retry", {ZeroDivisionError: True}, ArgumentError),
        ("retry", {-1: True}, ArgumentError),
        ("retry", {"TIMEOUT": "yes"}, TypeError),
        ("retry", ["TIMEOUT"], TypeError),
        ("authentication", "method", TypeError),
        ("scram_sha_256", ("me",), ValueError),
        ("keep_alive", 65_536, ArgumentError),
        ("keep_alive", -1, ValueError),
        ("keep_alive", "long", TypeError),
        ("connect_timeout", 0, ArgumentError),
        ("client_id", "a\0b", ArgumentError),
        ("client_id", 7, TypeError),
        ("password", b"x" * 65_536, ArgumentError),
        ("in_flight_limit", 0, ArgumentError),
        ("in_flight_limit", 65_536, OverflowError),
        ("outgoing_limit", (0, 1), ArgumentError),
        ("outgoing_limit", 5, TypeError),
        ("reconnect_delay", (2, 1), ArgumentError),
        ("will", mqttsession.Will("a/#"), ArgumentError),
        ("will", mqttsession.Will("a", qos=typing.cast(typing.Any, 3)), ArgumentError),
        ("will", mqttsession.Will("a", properties={"topic_alias": 1}), ArgumentError),
        ("properties", {"colour": "red"}, ArgumentError),
        ("properties", {"content_type": "text"}, ArgumentError),
        ("tls_key", "key.pem", ArgumentError),
        ("store", "", ArgumentError),
        ("store", 7, TypeError),
        ("durability", "later", ArgumentError),
        ("durability", 0, ArgumentError),
        ("durability", -1, ValueError),
        ("store_limit", (0, 1), ArgumentError),
        ("store_limit", (1, 0), ArgumentError),
        ("store_limit", 5, TypeError),
        ("colour", "red", TypeError),
    ],
)
def test_an_option_that_cannot_be_used(
    option: str, value: object, exception: type[Exception]
) -> None:
    with pytest.raises(exception):
        mqttsession.Session(**typing.cast(typing.Any, {option: value}))


def test_a_wrong_type_names_its_option() -> None:
    with pytest.raises(TypeError, match="keep_alive"):
        mqttsession.Session(keep_alive=typing.cast(typing.Any, "long"))


@pytest.mark.parametrize("address", ["", "http://host", "host:99999", "mqtt://", "me:secret@host"])
def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        mqttsession.Session(address)
    assert raised.value.name == "INVALID_ADDRESS"
    assert "secret" not in str(raised.value)


def test_options_of_every_kind_are_accepted() -> None:
    session = mqttsession.Session(
        "[::1]",
        port=1884,
        tls=True,
        version="5",
        client_id="me",
        clean_session=False,
        user_name="me",
        password=b"\x00\xff",
        keep_alive=datetime.timedelta(minutes=1),
        connect_timeout=0.5,
        will=mqttsession.Will(
            "gone",
            bytearray(b"me"),
            qos=1,
            retain=True,
            properties={"will_delay_interval": 5, "user_properties": [("a", "1"), ("a", "2")]},
        ),
        properties={"session_expiry_interval": 60, "request_problem_information": True},
        credentials=lambda: ("me", b"secret"),
        authentication=("TOKEN", lambda _step, _data: b"token"),
        on_failure=0x80,
        time_to_live=datetime.timedelta(seconds=5),
        topic_alias_limit=0,
        set_aside_after=0,
        durability=datetime.timedelta(milliseconds=50),
        store_limit=(10, 1000),
        retry_first_connect=True,
        retry={ConnectionError: True, "BAD_CREDENTIALS": False, -710: False},
        redirect_limit=3,
        outgoing_policy="keep_latest",
        reconnect_delay=(0.1, datetime.timedelta(seconds=1)),
        tls_ca=["ca.pem", b"-----BEGIN CERTIFICATE-----"],
        tls_certificate="client.pem",
        tls_key=None,
        tls_verify=False,
    )
    assert repr(session) == "<mqttsession.Session mqtts://[::1]:1884 disconnected>"
    session.close()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("", b""), "INVALID_TOPIC"),
        (("a/+", b""), "INVALID_TOPIC"),
        (("a/#", b""), "INVALID_TOPIC"),
        (("a\0b", b""), "INVALID_TOPIC"),
        (("a" * 65_536, b""), "INVALID_TOPIC"),
        (("a", b"", 3), "INVALID_QOS"),
        (("a", b"", -1), "INVALID_QOS"),
        (("a", memoryview(b"abcd")[::2]), "INVALID_ARGUMENT"),
    ],
)
def test_a_publish_that_cannot_be_sent(arguments: tuple[typing.Any, ...], name: str) -> None:
    with pytest.raises(ArgumentError) as raised, _closing() as session:
        session.publish(*arguments)
    assert raised.value.name == name
    assert session.statistics.published == 0


@pytest.mark.parametrize("payload", [7, None, ["a"], object()])
def test_a_payload_of_the_wrong_type(payload: typing.Any) -> None:
    with _closing() as session, pytest.raises(TypeError, match="payload"):
        session.publish("a", payload)


def test_text_that_is_no_unicode() -> None:
    with _closing() as session, pytest.raises(ValueError, match="surrogates"):
        session.publish("a", "\ud800")


@pytest.mark.parametrize("filter", ["", "a/#/b", "a+", "#a", "$share/x", "a\0b"])
def test_a_filter_that_cannot_be_used(filter: str) -> None:
    with _closing() as session, pytest.raises(ArgumentError) as raised:
        session.subscribe(filter, print)
    assert raised.value.name == "INVALID_FILTER"


def test_a_handler_that_cannot_be_called() -> None:
    with _closing() as session:
        with pytest.raises(ArgumentError):
            session.subscribe("a", typing.cast(typing.Any, "print"))
        with pytest.raises(ArgumentError):
            session.on_event = typing.cast(typing.Any, "print")


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "1 s"])
def test_a_timeout_that_is_none(timeout: typing.Any) -> None:
    with _closing() as session, pytest.raises((ValueError, TypeError)):
        session.connect(timeout)


def test_waiting_for_a_message_that_nobody_published() -> None:
    with _closing() as session, pytest.raises(LookupError):
        session.wait(12_345, 1)


def test_a_closed_session_says_so() -> None:
    session = mqttsession.Session()
    session.close()
    session.close()
    assert session.state == "closed"
    for call in (
        session.connect,
        lambda: session.publish("a"),
        lambda: session.subscribe("a", print),
    ):
        with pytest.raises(SessionStateError) as raised:
            call()
        assert raised.value.name == "CLOSED"
