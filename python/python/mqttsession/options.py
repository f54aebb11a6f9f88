"""What a session is told when it is made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if sys.version_info >= (3, 12):
    from collections.abc import Buffer
elif TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    # Python 3.11 has no name for what memoryview() takes.
    Buffer = Any

__all__ = [
    "AuthenticationStep",
    "Authenticator",
    "Credentials",
    "Duration",
    "Filters",
    "Payload",
    "Pem",
    "Properties",
    "QoS",
    "Response",
    "SessionOptions",
    "SubscribeOptions",
    "Will",
]

Duration: TypeAlias = float | timedelta
"""A length of time: seconds as a number, or a timedelta."""
Payload: TypeAlias = str | Buffer
"""Text, sent as UTF-8, or any C-contiguous buffer: bytes, bytearray, an array, …"""
Pem: TypeAlias = str | bytes | PathLike[str]
"""A certificate or key: a path, the PEM text itself, or its bytes (PEM or DER)."""
QoS: TypeAlias = Literal[0, 1, 2]
"""At most once, at least once, exactly once."""


class Properties(TypedDict, total=False):
    """Properties of MQTT 5.0 by name; which ones a packet may have is said by the specification."""

    payload_format_indicator: int
    message_expiry_interval: int
    content_type: str
    response_topic: str
    correlation_data: bytes
    subscription_identifiers: list[int]
    session_expiry_interval: int
    assigned_client_identifier: str
    server_keep_alive: int
    authentication_method: str
    authentication_data: bytes
    request_problem_information: int
    will_delay_interval: int
    request_response_information: int
    response_information: str
    server_reference: str
    reason_string: str
    receive_maximum: int
    topic_alias_maximum: int
    topic_alias: int
    maximum_qos: int
    retain_available: int
    user_properties: list[tuple[str, str]]
    maximum_packet_size: int
    wildcard_subscription_available: int
    subscription_identifiers_available: int
    shared_subscription_available: int


class SubscribeOptions(TypedDict, total=False):
    """What a subscription to one of several filters may say for itself."""

    qos: QoS
    no_local: bool
    retain_as_published: bool
    retain_handling: Literal[0, 1, 2]


Filters: TypeAlias = Iterable[str] | Mapping[str, QoS | SubscribeOptions | None]
"""Several filters: their names, or a mapping of names to a QoS or to options of their own."""
Response: TypeAlias = Payload | tuple[Payload, Properties] | None
"""What answers a request: a payload, a payload with properties, or None for no answer."""
AuthenticationStep: TypeAlias = Literal["connect", "reauthenticate", "continue", "success"]
"""Where it stands: it begins, it begins anew, the broker asks on, the broker has accepted."""
Authenticator: TypeAlias = Callable[
    [AuthenticationStep, bytes | None], Payload | Coroutine[Any, Any, Payload | None] | None
]
"""``answer(step, data)``: the client's data for this step, or None for none."""
Credentials: TypeAlias = Callable[
    [],
    tuple[str | None, Payload | None] | Coroutine[Any, Any, tuple[str | None, Payload | None]],
]
"""``credentials()``: user name and password, each of which may be None."""


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the broker publishes when the session is lost without a disconnect."""

    topic: str
    payload: Payload = b""
    qos: QoS = 0
    retain: bool = False
    properties: Properties | None = None


class SessionOptions(TypedDict, total=False):
    """The keyword arguments of a session, all of them optional. None means the default."""

    port: int | None
    """The port, when it does not stand in the address. Default 1883, with TLS 8883."""
    tls: bool | None
    """Whether to speak TLS, when the address does not say (``mqtts://``). Default False."""
    version: Literal["3.1", "3.1.1", "5.0", "5"] | None
    """The version of MQTT. Default "3.1.1"."""
    client_id: str | None
    """The client identifier. The default, "", lets the broker choose."""
    any_client_id: bool | None
    """Try a client id of more than 23 characters under MQTT 3.1. Default False."""
    clean_session: bool | None
    """Whether the broker forgets what it held for this client id (5.0: clean start). Default
    True. Reconnecting by itself, the session resumes where it was in any case."""
    user_name: str | None
    """The user name. Default none."""
    password: Payload | None
    """The password, text or bytes. Default none."""
    credentials: Credentials | None
    """Asked for user name and password before each attempt to connect, instead of the fixed ones:
    for tokens that run out. It runs on a thread of the library and may overlap a callback; a
    coroutine function, in asyncio only, runs in the event loop. What it raises is the cause of the
    AUTHENTICATION_FAILED that ends the attempt; ``retry`` says whether another follows."""
    authentication: tuple[str, Authenticator] | None
    """Enhanced authentication (MQTT 5.0): the method's name, and what answers the broker's
    challenges. It runs where ``credentials`` does, and an exception ends the exchange."""
    scram_sha_256: tuple[str, str] | None
    """User name and password for enhanced authentication by SCRAM-SHA-256 (MQTT 5.0)."""
    keep_alive: Duration | None
    """The longest silence before the session pings; 0 switches pings off. Default 60 s."""
    connect_timeout: Duration | None
    """How long one attempt to connect may take, from name lookup to answer. Default 10 s."""
    will: Will | None
    """The message that the broker publishes when the session is lost. Default none."""
    properties: Properties | None
    """Properties of CONNECT (MQTT 5.0). Default none."""
    maximum_packet_size: int | None
    """The largest packet that the session accepts. Default: what the protocol allows."""
    receive_maximum: int | None
    """The most unacknowledged messages the broker may send (MQTT 5.0). Default 65,535."""
    in_flight_limit: int | None
    """The most messages of QoS 1 and 2 on their way at once. Default 1000."""
    outgoing_limit: tuple[int, int] | None
    """The outgoing queue, in messages and in bytes. Default (1_000_000, 256 MiB)."""
    outgoing_policy: Literal["block", "reject", "drop_oldest", "drop_newest", "keep_latest"] | None
    """What happens at that limit: the call waits for room, it is refused, the oldest or the new
    message is dropped, or a newer message replaces the older one of its topic. Default "block"."""
    outgoing_wait: Duration | None
    """How long a publish waits for room, before it is refused after all. Default 10 s."""
    incoming_limit: tuple[int, int] | None
    """The receiving queue, in messages and in bytes. A full one pauses reading and loses nothing.
    Default (65_535, 16 MiB)."""
    dispatch: Literal["dispatched", "polled"] | None
    """Where callbacks run: on the library's threads, or in ``poll()``. Default "dispatched"."""
    acknowledge: Literal["handled", "on_receipt", "manual"] | None
    """When a received message is acknowledged: when its handlers have returned, before they are
    called, or by ``Message.acknowledge()``. Default "handled"."""
    on_failure: Literal["acknowledge", "leave"] | int | None
    """What becomes of a message whose handler raised: it is acknowledged all the same, it is left
    for the broker to send again on the next connection, or it is refused with this reason code
    (MQTT 5.0; before, it is acknowledged). Default "acknowledge"."""
    time_to_live: Duration | None
    """How long a message may wait for being sent, where its publish does not say; then it ends as
    EXPIRED. Default without end. A message expiry interval (MQTT 5.0) counts here too."""
    topic_alias_limit: int | None
    """The most topic aliases for the session's own messages (MQTT 5.0), as far as the broker
    allows; 0 uses none. Default 16."""
    set_aside_after: int | None
    """After how many connections in a row that ended on the same message this message is set aside,
    as an event says; 0 never sets one aside. Default 10."""
    end_on_session_loss: bool | None
    """Whether unconfirmed messages fail when the broker has lost the session, instead of being
    published again as new ones. Default False."""
    store: str | PathLike[str] | None
    """A directory, made where it is missing, in which messages of QoS 1 and 2 survive the process,
    and with them what is known of received ones and of subscriptions. A later session with the same
    store and ``client_id`` goes on where this one ended; one at a time can have it open. It wants
    ``clean_session=False`` (MQTT 5.0: and a session expiry interval), or the broker forgets its
    half. Default none: everything is in memory."""
    durability: Literal["message", "system"] | Duration | None
    """When what is stored also survives the machine: each message before it counts as stored
    ("message"), at most this much later, or when the operating system likes ("system"). It survives
    the process in any case. Default "message"."""
    store_limit: tuple[int, int] | None
    """The most that the store holds, in messages and in bytes; what goes beyond is treated as
    ``outgoing_policy`` says. Default (1_000_000, 1 GiB)."""
    reconnect: bool | None
    """Whether the session reconnects by itself. Default True."""
    retry_first_connect: bool | None
    """Whether a failure of the very first attempt is followed by further ones. Default False."""
    retry: Mapping[type[BaseException] | int | str, bool] | None
    """Whether the session tries again after an error, where that is not to be what the error's
    ``retryable`` says: by class, number or name; a later entry wins over an earlier one.
    ``{NotAuthorizedError: True}``, ``{"SERVER_UNAVAILABLE": False}``."""
    redirect_limit: int | None
    """How many times in a row the session follows a broker that sends it to another server (MQTT
    5.0). Default 0."""
    reconnect_delay: tuple[Duration, Duration] | None
    """The first and the longest pause between attempts; each is random below a bound that
    doubles. Default (1, 60)."""
    stable_time: Duration | None
    """How long a connection must last before the pauses start anew. Default 10 s."""
    tls_ca: Pem | list[Pem] | tuple[Pem, ...] | None
    """The authorities to trust instead of the system's. Files are read anew at each connection."""
    tls_system_ca: bool | None
    """Whether the system's authorities are trusted beside ``tls_ca``. Default False; without
    ``tls_ca`` they always are."""
    tls_certificate: Pem | None
    """The client's certificate, its key in the same PEM or in ``tls_key``."""
    tls_key: Pem | None
    """The key of the client's certificate."""
    tls_key_password: str | None
    """The password of an encrypted key."""
    tls_server_name: str | None
    """The name that the server's certificate must hold, when it is not the host."""
    tls_verify: bool | None
    """Whether the server's certificate is checked. Default True; False is for experiments."""
