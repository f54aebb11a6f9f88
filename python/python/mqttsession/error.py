"""What can go wrong: one exception class for each layer, below :class:`MqttError`.

Where Python has a built-in exception that means the same, the class is one of those too, so that
``except TimeoutError`` and ``except ConnectionRefusedError`` do what they say. The numbers and
names are those of the C library and never change their meaning; ``error_table()`` lists them all.
"""

from __future__ import annotations

import traceback
from typing import NamedTuple

from . import _native

__all__ = [
    "ArgumentError",
    "BrokerError",
    "CallInterruptedError",
    "CallTimeoutError",
    "CallerError",
    "CapacityError",
    "ConnackError",
    "ConnackTimeoutError",
    "InternalError",
    "KeepAliveTimeoutError",
    "LeftInStoreError",
    "MqttError",
    "NameLookupError",
    "NameLookupTimeoutError",
    "NotAuthorizedError",
    "NotConnectedError",
    "NotSupportedError",
    "OutOfMemoryError",
    "ProtocolError",
    "ProxyError",
    "SessionStateError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreReadOnlyError",
    "TcpError",
    "TcpRefusedError",
    "TcpResetError",
    "TcpTimeoutError",
    "TlsError",
    "TlsTimeoutError",
    "UnknownMessageError",
    "WebSocketError",
]


class MqttError(Exception):
    """A failure: ``str()`` says what was tried, what came back and what to check.

    ``__cause__`` is what lies below, an ``OSError`` for instance, where there is something.
    """

    code: int = -1201
    """The number in the permanent table; negative."""
    name: str = "INTERNAL"
    """The name in the permanent table: ``"TIMEOUT"``, ``"BAD_CREDENTIALS"``, and so on."""
    layer: str = "internal"
    """Where on the way to the broker it happened: ``"caller"``, ``"tcp"``, ``"tls"``, …"""
    retryable: bool = False
    """Whether the same call may succeed later without a change to the program."""
    reason_code: int | None = None
    """The reason code (before MQTT 5.0: the return code) that the broker gave."""
    reason_string: str | None = None
    """The broker's own words (MQTT 5.0)."""
    server_reference: str | None = None
    """The server that the broker sends the session to (MQTT 5.0)."""
    user_properties: tuple[tuple[str, str], ...] = ()
    """The user properties of the broker's answer, names and values (MQTT 5.0)."""


class CallerError(MqttError):
    """The call itself: its arguments, its moment, its deadline."""


class ArgumentError(CallerError, ValueError):
    """An argument, an option, a topic or a payload cannot be used."""


class NotConnectedError(CallerError, ConnectionError):
    """The session has not been connected."""


class CallTimeoutError(CallerError, TimeoutError):
    """The time given for a call has passed. What it waited for goes on."""


class CallInterruptedError(CallerError, InterruptedError):
    """A signal interrupted the call. What it waited for goes on."""


class SessionStateError(CallerError, RuntimeError):
    """The call does not fit this moment: closed, busy, forked, or it would wait for itself."""


class NotSupportedError(CallerError, NotImplementedError):
    """This protocol version or this build has no such thing."""


class UnknownMessageError(CallerError, LookupError):
    """No message has this number, or it ended too long ago to be remembered."""


class NameLookupError(MqttError, ConnectionError):
    """The host name could not be turned into an address."""


class NameLookupTimeoutError(NameLookupError, TimeoutError):
    """The name server did not answer in time."""


class TcpError(MqttError, ConnectionError):
    """The TCP connection could not be made, or was lost."""


class TcpRefusedError(TcpError, ConnectionRefusedError):
    """Nothing listens at this address and port."""


class TcpResetError(TcpError, ConnectionResetError):
    """The connection was broken off."""


class TcpTimeoutError(TcpError, TimeoutError):
    """The address does not answer."""


class ProxyError(MqttError, ConnectionError):
    """The proxy refused to make the connection."""


class TlsError(MqttError, ConnectionError):
    """The TLS handshake failed, or a certificate cannot be used or trusted."""


class TlsTimeoutError(TlsError, TimeoutError):
    """The server did not finish the TLS handshake in time."""


class WebSocketError(MqttError, ConnectionError):
    """The server refused the WebSocket upgrade."""


class ConnackError(MqttError, ConnectionError):
    """The broker refused the connection, or did not answer."""


class NotAuthorizedError(ConnackError, PermissionError):
    """The broker does not let this client in: user name, password, proof, rights or a ban."""


class ConnackTimeoutError(ConnackError, TimeoutError):
    """The broker did not answer CONNECT in time."""


class ProtocolError(MqttError, ConnectionError):
    """What the server sends is not the MQTT of the specification."""


class KeepAliveTimeoutError(ProtocolError, TimeoutError):
    """The broker did not answer the ping in time."""


class BrokerError(MqttError):
    """The broker understood and refused, or ended the connection."""


class CapacityError(MqttError):
    """A limit of this session has been reached."""


class OutOfMemoryError(CapacityError, MemoryError):
    """There is not enough memory."""


class StoreError(MqttError, OSError):
    """The store could not be read or written."""


class StoreFullError(StoreError):
    """There is no room for the store: its disk is full, or its limit has been reached."""


class StoreLockedError(StoreError):
    """Another session or process has this store open."""


class StoreReadOnlyError(StoreError, PermissionError):
    """The store's directory cannot be written."""


class StoreCorruptError(StoreError):
    """The store is damaged. Nothing has been changed; :meth:`mqttsession.Store.repair` saves it."""


class LeftInStoreError(StoreError):
    """The session ended before the message did. The next session with this store sends it."""


class InternalError(MqttError, RuntimeError):
    """A fault of this library; please report it."""


_LAYERS: dict[str, type[MqttError]] = {
    "caller": CallerError,
    "name lookup": NameLookupError,
    "tcp": TcpError,
    "proxy": ProxyError,
    "tls": TlsError,
    "websocket": WebSocketError,
    "connack": ConnackError,
    "protocol": ProtocolError,
    "broker": BrokerError,
    "capacity": CapacityError,
    "store": StoreError,
    "internal": InternalError,
}

# Where a code means more than its layer does.
_CODES: dict[str, type[MqttError]] = {
    "INVALID_ARGUMENT": ArgumentError,
    "INVALID_UTF8": ArgumentError,
    "INVALID_TOPIC": ArgumentError,
    "INVALID_FILTER": ArgumentError,
    "INVALID_QOS": ArgumentError,
    "INVALID_OPTION": ArgumentError,
    "INVALID_ADDRESS": ArgumentError,
    "INVALID_CLIENT_ID": ArgumentError,
    "PAYLOAD_TOO_LARGE": ArgumentError,
    "NOT_CONNECTED": NotConnectedError,
    "TIMEOUT": CallTimeoutError,
    "INTERRUPTED": CallInterruptedError,
    "WOULD_DEADLOCK": SessionStateError,
    "BUSY": SessionStateError,
    "FORKED": SessionStateError,
    "CLOSED": SessionStateError,
    "ALREADY_CONNECTED": SessionStateError,
    "NOT_SUPPORTED": NotSupportedError,
    "UNKNOWN_MESSAGE": UnknownMessageError,
    "NAME_TIMEOUT": NameLookupTimeoutError,
    "CONNECTION_REFUSED": TcpRefusedError,
    "CONNECTION_RESET": TcpResetError,
    "CONNECT_TIMEOUT": TcpTimeoutError,
    "TLS_TIMEOUT": TlsTimeoutError,
    "BAD_CREDENTIALS": NotAuthorizedError,
    "NOT_AUTHORIZED": NotAuthorizedError,
    "AUTHENTICATION_FAILED": NotAuthorizedError,
    "BANNED": NotAuthorizedError,
    "CONNACK_TIMEOUT": ConnackTimeoutError,
    "KEEP_ALIVE_TIMEOUT": KeepAliveTimeoutError,
    "OUT_OF_MEMORY": OutOfMemoryError,
    "STORE_FULL": StoreFullError,
    "STORE_LOCKED": StoreLockedError,
    "STORE_READ_ONLY": StoreReadOnlyError,
    "STORE_CORRUPT": StoreCorruptError,
    "LEFT_IN_STORE": LeftInStoreError,
}


class ErrorRow(NamedTuple):
    """A row of the permanent table of errors."""

    code: int
    name: str
    layer: str
    retryable: bool
    sentence: str
    exception: type[MqttError]


def error_table() -> tuple[ErrorRow, ...]:
    """Return the permanent table of errors, with the exception class of each."""
    return tuple(
        ErrorRow(code, name, layer, retryable, sentence, _CODES.get(name) or _LAYERS[layer])
        for code, name, layer, retryable, sentence in _native.error_table()
    )


_ROWS = {row.code: row for row in error_table()}
_CODE_OF = {row.name: row.code for row in _ROWS.values()}


def _make(
    code: int,
    message: str,
    reason_code: int | None = None,
    reason_string: str | None = None,
    server_reference: str | None = None,
    user_properties: tuple[tuple[str, str], ...] = (),
) -> MqttError:
    """Make the exception for an error of the core."""
    row = _ROWS[code]
    error = row.exception(message)
    error.code = code
    error.name = row.name
    error.layer = row.layer
    error.retryable = row.retryable
    error.reason_code = reason_code
    error.reason_string = reason_string
    error.server_reference = server_reference
    error.user_properties = user_properties
    return error


def _error(name: str, message: str) -> MqttError:
    """Make the exception that the core would make for this name of the table."""
    return _make(_CODE_OF[name], message)


def _codes_of(which: type[BaseException] | int | str) -> list[int]:
    """Return the numbers of the errors that a class, a number or a name stands for."""
    if isinstance(which, type):
        codes = [row.code for row in _ROWS.values() if issubclass(row.exception, which)]
    else:
        codes = [row.code for row in _ROWS.values() if which in (row.code, row.name)]
    if not codes:
        raise _error("INVALID_OPTION", f"No error of mqttsession is a {which!r}")
    return codes


def _forget_locals(error: BaseException | None) -> None:
    """Let go of what the frames of an exception hold; where it was raised is still to be seen."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
