"""Errors say the layer and the cure, and are the exceptions that Python programmers expect."""

from __future__ import annotations

import copy
import pickle
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession import error as errors
from mqttsession.error import MqttError, error_table

from conftest import DEADLINE

if TYPE_CHECKING:
    from conftest import ScriptedBroker

# The whole table, written by hand: a code that moves or changes its class is a broken promise.
EXPECTED = {
    -101: ("INVALID_ARGUMENT", ValueError),
    -102: ("INVALID_UTF8", ValueError),
    -103: ("INVALID_TOPIC", ValueError),
    -104: ("INVALID_FILTER", ValueError),
    -105: ("INVALID_QOS", ValueError),
    -106: ("INVALID_OPTION", ValueError),
    -107: ("INVALID_ADDRESS", ValueError),
    -108: ("INVALID_CLIENT_ID", ValueError),
    -109: ("NOT_CONNECTED", ConnectionError),
    -110: ("TIMEOUT", TimeoutError),
    -111: ("WOULD_DEADLOCK", RuntimeError),
    -112: ("BUSY", RuntimeError),
    -113: ("FORKED", RuntimeError),
    -114: ("CANCELLED", errors.CallerError),
    -115: ("UNKNOWN_MESSAGE", LookupError),
    -116: ("NOT_SUPPORTED", NotImplementedError),
    -117: ("PAYLOAD_TOO_LARGE", ValueError),
    -118: ("CLOSED", RuntimeError),
    -119: ("INTERRUPTED", InterruptedError),
    -120: ("ALREADY_CONNECTED", RuntimeError),
    -201: ("NAME_NOT_FOUND", ConnectionError),
    -202: ("NAME_LOOKUP_FAILED", ConnectionError),
    -203: ("NAME_TIMEOUT", TimeoutError),
    -301: ("CONNECTION_REFUSED", ConnectionRefusedError),
    -302: ("UNREACHABLE", ConnectionError),
    -303: ("CONNECT_TIMEOUT", TimeoutError),
    -304: ("CONNECTION_CLOSED", ConnectionError),
    -305: ("CONNECTION_RESET", ConnectionResetError),
    -306: ("IO", ConnectionError),
    -401: ("PROXY_REFUSED", ConnectionError),
    -501: ("TLS_UNKNOWN_ISSUER", ConnectionError),
    -502: ("TLS_EXPIRED", ConnectionError),
    -503: ("TLS_WRONG_NAME", ConnectionError),
    -504: ("TLS_HANDSHAKE", ConnectionError),
    -505: ("TLS_CREDENTIALS", ConnectionError),
    -506: ("TLS_CLIENT_REFUSED", ConnectionError),
    -507: ("TLS_TIMEOUT", TimeoutError),
    -508: ("TLS_BAD_CERTIFICATE", ConnectionError),
    -509: ("TLS_NOT_TLS", ConnectionError),
    -601: ("WEBSOCKET_REFUSED", ConnectionError),
    -701: ("REFUSED_VERSION", ConnectionError),
    -702: ("REFUSED_CLIENT_ID", ConnectionError),
    -703: ("SERVER_UNAVAILABLE", ConnectionError),
    -704: ("BAD_CREDENTIALS", PermissionError),
    -705: ("NOT_AUTHORIZED", PermissionError),
    -706: ("CONNECT_REFUSED", ConnectionError),
    -707: ("CONNACK_TIMEOUT", TimeoutError),
    -708: ("CLOSED_BEFORE_CONNACK", ConnectionError),
    -709: ("SERVER_MOVED", ConnectionError),
    -710: ("BANNED", PermissionError),
    -711: ("AUTHENTICATION_FAILED", PermissionError),
    -801: ("MALFORMED_PACKET", ConnectionError),
    -802: ("PROTOCOL_ERROR", ConnectionError),
    -803: ("NOT_MQTT", ConnectionError),
    -804: ("PACKET_TOO_LARGE", ConnectionError),
    -805: ("KEEP_ALIVE_TIMEOUT", TimeoutError),
    -806: ("RECEIVE_MAXIMUM_EXCEEDED", ConnectionError),
    -807: ("TOPIC_ALIAS_INVALID", ConnectionError),
    -901: ("SUBSCRIBE_REFUSED", errors.BrokerError),
    -902: ("UNSUBSCRIBE_REFUSED", errors.BrokerError),
    -903: ("PUBLISH_REFUSED", errors.BrokerError),
    -904: ("SERVER_DISCONNECTED", errors.BrokerError),
    -905: ("SESSION_LOST", errors.BrokerError),
    -906: ("SESSION_TAKEN_OVER", errors.BrokerError),
    -907: ("NO_RESPONDER", errors.BrokerError),
    -1001: ("QUEUE_FULL", errors.CapacityError),
    -1002: ("DROPPED", errors.CapacityError),
    -1003: ("EXPIRED", errors.CapacityError),
    -1004: ("OUT_OF_MEMORY", MemoryError),
    -1005: ("TOO_MANY_SUBSCRIPTIONS", errors.CapacityError),
    -1006: ("SET_ASIDE", errors.CapacityError),
    -1101: ("STORE_FAILED", OSError),
    -1102: ("STORE_FULL", errors.StoreFullError),
    -1103: ("STORE_LOCKED", errors.StoreLockedError),
    -1104: ("STORE_READ_ONLY", PermissionError),
    -1105: ("STORE_CORRUPT", errors.StoreCorruptError),
    -1106: ("STORE_VERSION", OSError),
    -1107: ("STORE_FOREIGN", OSError),
    -1108: ("LEFT_IN_STORE", errors.LeftInStoreError),
    -1201: ("INTERNAL", RuntimeError),
}

FAMILIES = {
    1: errors.CallerError,
    2: errors.NameLookupError,
    3: errors.TcpError,
    4: errors.ProxyError,
    5: errors.TlsError,
    6: errors.WebSocketError,
    7: errors.ConnackError,
    8: errors.ProtocolError,
    9: errors.BrokerError,
    10: errors.CapacityError,
    11: errors.StoreError,
    12: errors.InternalError,
}


def test_the_table_is_the_one_that_was_promised() -> None:
    rows = {row.code: row for row in error_table()}
    for code, (name, builtin) in EXPECTED.items():
        row = rows[code]
        assert row.name == name
        assert issubclass(row.exception, builtin), row
    # A code that is new in the core wants a row here.
    assert rows.keys() == EXPECTED.keys()


def test_every_class_is_in_the_family_of_its_layer() -> None:
    for row in error_table():
        family = FAMILIES[-row.code // 100]
        assert issubclass(row.exception, family), row
        assert issubclass(family, MqttError)
        assert row.sentence


def test_every_class_is_exported() -> None:
    classes = {row.exception.__name__ for row in error_table()}
    classes |= {family.__name__ for family in FAMILIES.values()} | {"MqttError"}
    assert classes == {name for name in errors.__all__ if name.endswith("Error")}


def test_an_error_carries_all_it_knows_and_survives_copying() -> None:
    with pytest.raises(MqttError) as raised:
        mqttsession.Session("http://host")
    error = raised.value
    for same in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is errors.ArgumentError
        assert (same.code, same.name, same.layer) == (-107, "INVALID_ADDRESS", "caller")
        assert (same.retryable, same.reason_code, same.reason_string) == (False, None, None)
        assert "http" in str(same)


def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        session = mqttsession.Session(address)
        with pytest.raises(ConnectionRefusedError) as raised:
            session.connect(DEADLINE)
    error = raised.value
    assert isinstance(error, errors.TcpRefusedError)
    assert error.retryable
    assert address in str(error)
    last = session.last_error
    assert last is not None
    assert last.code == error.code
    assert session.state == "disconnected"
    session.close()


def test_the_cause_is_the_operating_systems_own_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        session = mqttsession.Session(f"127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(errors.TcpRefusedError) as raised:
            session.connect(DEADLINE)
    assert isinstance(raised.value.__cause__, OSError)
    session.close()


def test_the_name_has_no_address() -> None:
    session = mqttsession.Session("nothing.invalid")
    with pytest.raises(errors.NameLookupError) as raised:
        session.connect(DEADLINE)
    # A machine without a name server says that instead.
    assert raised.value.name in ("NAME_NOT_FOUND", "NAME_LOOKUP_FAILED")
    assert "nothing.invalid" in str(raised.value)
    session.close()


@pytest.mark.parametrize(
    ("scenario", "name", "builtin", "reason"),
    [
        ("connect_refused_version", "REFUSED_VERSION", ConnectionError, 1),
        ("connect_refused_identifier", "REFUSED_CLIENT_ID", ConnectionError, 2),
        ("connect_refused_unavailable", "SERVER_UNAVAILABLE", ConnectionError, 3),
        ("connect_refused_credentials", "BAD_CREDENTIALS", PermissionError, 4),
        ("connect_refused_authorization", "NOT_AUTHORIZED", PermissionError, 5),
        ("not_mqtt", "NOT_MQTT", ConnectionError, None),
        ("close_after_connect", "CLOSED_BEFORE_CONNACK", ConnectionError, None),
        ("no_connack", "CONNACK_TIMEOUT", TimeoutError, None),
    ],
)
def test_what_a_server_may_do_to_a_connect(
    scripted: Callable[[str], ScriptedBroker],
    scenario: str,
    name: str,
    builtin: type[Exception],
    reason: int | None,
) -> None:
    broker = scripted(scenario)
    patience = 0.3 if name == "CONNACK_TIMEOUT" else DEADLINE
    session = mqttsession.Session(broker.address, connect_timeout=patience)
    with pytest.raises(MqttError) as raised:
        session.connect()
    assert raised.value.name == name
    assert isinstance(raised.value, builtin)
    assert raised.value.reason_code == reason
    session.close()


def test_the_brokers_own_words_are_passed_on(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted(
        'accept\nexpect CONNECT\nsend CONNACK 0 0x8A reason-string="go away"\nexpect closed\n'
    )
    session = mqttsession.Session(broker.address, version="5.0")
    with pytest.raises(errors.NotAuthorizedError) as raised:
        session.connect(DEADLINE)
    assert raised.value.name == "BANNED"
    assert raised.value.reason_code == 0x8A
    assert raised.value.reason_string == "go away"
    assert "go away" in str(raised.value)
    session.close()


def test_a_password_never_shows(scripted: Callable[[str], ScriptedBroker]) -> None:
    broker = scripted("connect_refused_credentials")
    session = mqttsession.Session(broker.address, user_name="me", password="hunter2")
    with pytest.raises(MqttError) as raised:
        session.connect(DEADLINE)
    assert "hunter2" not in str(raised.value) + repr(raised.value) + repr(session)
    session.close()
