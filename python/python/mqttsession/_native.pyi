"""The native part of mqttsession. Its public names are those of the package."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar, Unpack, final

from typing_extensions import disjoint_base

from .error import MqttError
from .options import (
    Duration,
    Filters,
    Payload,
    Properties,
    QoS,
    Response,
    SessionOptions,
)

__all__ = [
    "AsyncSession",
    "Connected",
    "Event",
    "Message",
    "MessageIterator",
    "PublishResult",
    "Restored",
    "Session",
    "SessionLoss",
    "Statistics",
    "Store",
    "StoreSummary",
    "StoredMessage",
    "StoredMessages",
    "Stream",
    "SubscribeResult",
    "Subscription",
    "UnsubscribeResult",
    "after_fork_in_child",
    "check_subscription",
    "error_table",
    "live_sessions",
    "option_names",
    "set_callback_threads",
    "set_io_threads",
    "shutdown",
    "stores",
]

_State: TypeAlias = Literal["disconnected", "connecting", "connected", "retrying", "closed"]
_Handler = TypeVar("_Handler", bound=Callable[[Message], object])

@final
class Session:
    """A session with one MQTT broker.

    ``address`` is ``mqtt://host:port``, ``mqtts://host``, ``host``, ``host:port`` or
    ``[::1]:1883``; the options are those of :class:`~mqttsession.SessionOptions`. Nothing is sent
    before :meth:`connect`, which ``with`` calls; leaving the ``with`` block waits (at most
    ``connect_timeout``) until everything published has ended, disconnects and closes.

    Every method may be called from any thread and from inside any callback. A method that waits
    lets other threads run, sees Ctrl-C, and raises CallTimeoutError when its ``timeout`` has
    passed; what it waited for goes on. None as timeout means as long as it takes.

    Callbacks run on threads of the library, one at a time and in order for each session, so none
    may wait for another one of the same session to be called. An exception in a callback goes to
    ``sys.unraisablehook``; the option ``on_failure`` says what becomes of the message. What happens
    to a session goes to the logger ``mqttsession``.

    A session lives until it is closed or nothing refers to it any more; what its handlers refer
    to, they keep alive.
    """

    def __new__(cls, address: str = "localhost", **options: Unpack[SessionOptions]) -> Session:
        """Make a session. An option that cannot be used raises ArgumentError.

        With the option ``store`` it reads what its store holds; a StoreError says why it cannot:
        StoreLockedError while another session or process has it open, StoreCorruptError when it is
        damaged, StoreReadOnlyError when its directory cannot be written.
        """

    def connect(self, timeout: Duration | None = None) -> Connected:
        """Connect and wait for the broker's answer.

        Ends at once when the session is connected. When the first attempt fails, its error is
        raised and the session rests; when a connection is lost later, the session reconnects by
        itself (option ``reconnect``), and ``on_event`` and ``last_error`` say how that goes.
        """

    def reauthenticate(self, timeout: Duration | None = None) -> None:
        """Authenticate anew on the live connection, by the method of the options (MQTT 5.0).

        Publishing and receiving go on meanwhile. When the broker refuses, it ends the connection.
        """

    def disconnect(
        self,
        drain: Duration = 10,
        *,
        reason_code: int = 0,
        properties: Properties | None = None,
    ) -> int:
        """End the connection in good order, without the will, and stop reconnecting.

        Waits at most ``drain`` until every accepted message has ended and its ``on_complete`` has
        returned; returns how many had not by then: they are cancelled, or with a store kept, for
        the next connection or a later session. Subscriptions stay for the next :meth:`connect`.
        ``reason_code`` (4: publish the will all the same) and ``properties`` need MQTT 5.0.
        """

    def close(self) -> None:
        """Close for good: disconnect, end everything outstanding as cancelled, drop the handlers.

        Returns when the last callback has returned; inside a callback it does not wait. Closing
        twice is allowed. With a store, messages of QoS 1 and 2 end here as LEFT_IN_STORE, and when
        this returns another session can open it.
        """

    def publish(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
        time_to_live: Duration | None = None,
        on_complete: Callable[[PublishResult], object] | None = None,
    ) -> int:
        """Publish a message and return its number, at once.

        It waits only when the outgoing queue is full and ``outgoing_policy`` is "block". Between
        connections messages are queued, for ``time_to_live`` at most. ``on_complete(result)`` is
        called once, when the message has been written (QoS 0), acknowledged (QoS 1 and 2), or will
        not be; it may be called before this returns.
        """

    def wait(self, number: int, timeout: Duration | None = None) -> PublishResult:
        """Wait until the message with this number has ended, and return how.

        A message that was not delivered raises the error that says why.
        """

    def wait_stored(self, number: int, timeout: Duration | None = None) -> None:
        """Wait until the message with this number is in the session's store (option ``store``).

        From then on it survives the process, and the machine as ``durability`` says. Raises why it
        is not: the store's error while that takes nothing, after which it may be waited for again;
        or the error with which the message ended before. At QoS 0 nothing is stored, and it returns
        at once. Without a store it raises NotSupportedError.
        """

    def flush(self, timeout: Duration | None = None) -> None:
        """Wait until every message published so far has ended."""

    def request(
        self,
        topic: str,
        payload: Payload = b"",
        timeout: Duration = 10,
        *,
        qos: QoS = 1,
        properties: Properties | None = None,
    ) -> Message:
        """Publish a request, and return the message that answers it (MQTT 5.0).

        Response topic and correlation data are the library's; any number of requests may be under
        way. After ``timeout`` it raises CallTimeoutError, and a late answer is dropped; when the
        broker says that nobody has subscribed to the topic, it raises BrokerError (NO_RESPONDER) at
        once.
        """

    def respond(
        self,
        filter: str,
        function: Callable[[Message], Response],
        qos: QoS = 1,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
        timeout: Duration | None = None,
    ) -> SubscribeResult | None:
        """Subscribe, and answer each message with what ``function(message)`` returns (MQTT 5.0).

        That is a payload, ``(payload, properties)``, or None for no answer, now or here:
        :meth:`reply` answers later. The answer has the QoS of its request. An exception is that of
        a handler. The rest is as with :meth:`subscribe`.
        """

    def reply(
        self,
        request: Message,
        payload: Payload = b"",
        *,
        qos: QoS | None = None,
        properties: Properties | None = None,
        on_complete: Callable[[PublishResult], object] | None = None,
    ) -> int:
        """Publish the answer to a request, and return its number, at once (MQTT 5.0).

        It goes to the request's response topic, with its correlation data, and with its QoS where
        ``qos`` is None. Everything else is as with :meth:`publish`.
        """

    def subscribe(
        self,
        filter: str,
        handler: Callable[[Message], object],
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
        timeout: Duration | None = None,
    ) -> SubscribeResult | None:
        """Subscribe, and return what the broker granted; a refusal raises.

        ``handler(message)`` is called for every message that the filter matches; the message is
        acknowledged when it has returned. An earlier handler of the same filter is replaced. A
        subscription outlives connections: it is renewed when the broker has lost it. Before
        :meth:`connect` it is noted, sent with the first connection, and None is returned.
        The options ``no_local``, ``retain_as_published``, ``retain_handling`` and ``properties``
        (user properties, a subscription identifier) need MQTT 5.0.
        """

    def subscribe_many(
        self,
        filters: Filters,
        handler: Callable[[Message], object],
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
        timeout: Duration | None = None,
    ) -> list[SubscribeResult] | None:
        """Subscribe several filters with one packet and one handler; a result for each, in order.

        ``filters`` are names, or a mapping of names to what differs from the common options:
        ``{"a/#": 1, "b": {"qos": 2, "no_local": True}, "c": None}``. A filter that the broker
        refused has its error in its result, and nothing is raised. Before :meth:`connect` it is
        None.
        """

    def on(
        self,
        filter: str,
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
        timeout: Duration | None = None,
    ) -> Callable[[_Handler], _Handler]:
        """Decorate a handler: subscribe it, as :meth:`subscribe` does."""

    def start_subscription(
        self, filter: str, handler: Callable[[Message], object], qos: QoS = 0
    ) -> Subscription:
        """Subscribe without waiting, and return what can be waited for."""

    def unsubscribe(
        self,
        filter: str,
        timeout: Duration | None = None,
        *,
        properties: Properties | None = None,
    ) -> UnsubscribeResult | None:
        """End a subscription; a refusal raises. None is returned before :meth:`connect`.

        Outside callbacks its handler is not running any more after that.
        """

    def unsubscribe_many(
        self,
        filters: Iterable[str],
        timeout: Duration | None = None,
        *,
        properties: Properties | None = None,
    ) -> list[UnsubscribeResult] | None:
        """End several subscriptions with one packet; a result for each, in order.

        A filter that the broker refused to end has its error in its result, and nothing is raised.
        """

    def unsubscribe_all(self, timeout: Duration | None = None) -> None:
        """End every subscription; a refusal raises."""

    def poll(self, timeout: Duration | None = 0, limit: int | None = None) -> int:
        """Run at most ``limit`` queued callbacks on this thread and return how many ran.

        For ``dispatch="polled"``. Waits up to ``timeout`` for the first. A KeyboardInterrupt that
        interrupts a callback here is raised.
        """

    def fileno(self) -> int:
        """Return a descriptor that is readable while callbacks wait for :meth:`poll` (Unix)."""

    @property
    def state(self) -> _State:
        """What the session is doing."""

    @property
    def last_error(self) -> MqttError | None:
        """The last failure of the connection, readable while the session still tries."""

    @property
    def connection(self) -> Connected | None:
        """What the broker said when it accepted the present connection, or the last one."""

    @property
    def statistics(self) -> Statistics:
        """Counters and levels, as they are now."""

    @property
    def in_callback(self) -> bool:
        """Whether this thread is inside a callback of this session."""

    @property
    def on_event(self) -> Callable[[Event], object] | None:
        """Called with each :class:`Event`, in order with the other callbacks; None for nobody."""

    @on_event.setter
    def on_event(self, value: Callable[[Event], object] | None) -> None: ...
    def __enter__(self) -> Session:
        """Connect."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Wait until everything published has ended, disconnect and close.

        What has not ended within ``connect_timeout`` is cancelled, and said so by a CallerError,
        unless the store keeps it. After an exception in the block it does not wait.
        """

@final
class Message:
    """A received message. It may be kept as long as you like."""

    @property
    def topic(self) -> str:
        """The topic that it was published to."""

    @property
    def payload(self) -> bytes:
        """What was published."""

    @property
    def qos(self) -> QoS:
        """The quality of service that it was delivered with."""

    @property
    def retain(self) -> bool:
        """Whether it is a retained message from before the subscription."""

    @property
    def duplicate(self) -> bool:
        """Whether the broker may have delivered it before."""

    @property
    def redelivered(self) -> bool:
        """Whether a handler may have seen it: the process, or the machine, went down meanwhile.

        Only with a store, and only at QoS 2; without it a message of QoS 2 comes once.
        """

    @property
    def properties(self) -> Properties:
        """The properties of MQTT 5.0, by name; empty before 5.0."""

    def acknowledge(self) -> None:
        """Tell the broker that the message has been handled.

        For sessions with ``acknowledge="manual"``; legal once, from any thread, in any order. In
        asyncio it may also be called early, before the next message is asked for. With a store,
        once this has returned a message of QoS 2 does not come again, whatever becomes of the
        process; where several handlers get the message, once the last of them has returned.
        """

    def refuse(
        self,
        reason_code: int = 0x83,
        *,
        reason_string: str | None = None,
        user_properties: Iterable[tuple[str, str]] | None = None,
    ) -> None:
        """Tell the broker that the message cannot be handled; it does not send it again.

        For sessions with ``acknowledge="manual"``, as :meth:`acknowledge`. Before MQTT 5.0 there is
        no refusal: it is a plain acknowledgement, and has no properties.
        """

@final
class Connected:
    """What the broker answered to CONNECT; before MQTT 5.0 it says no more than the first two."""

    @property
    def session_present(self) -> bool:
        """Whether the broker had kept the session."""

    @property
    def client_id(self) -> str:
        """The client id in use, the broker's choice where it made one."""

    @property
    def receive_maximum(self) -> int:
        """How many messages of QoS 1 and 2 the broker takes at a time."""

    @property
    def maximum_qos(self) -> QoS:
        """The highest QoS that the broker takes."""

    @property
    def retain_available(self) -> bool:
        """Whether the broker keeps retained messages."""

    @property
    def maximum_packet_size(self) -> int | None:
        """The largest packet that the broker takes, in bytes; None when it did not say."""

    @property
    def topic_alias_maximum(self) -> int:
        """How many topic aliases the broker lets the session use."""

    @property
    def wildcard_subscription_available(self) -> bool:
        """Whether the broker has wildcard subscriptions."""

    @property
    def subscription_identifiers_available(self) -> bool:
        """Whether the broker has subscription identifiers."""

    @property
    def shared_subscription_available(self) -> bool:
        """Whether the broker has shared subscriptions."""

    @property
    def server_keep_alive(self) -> int | None:
        """The keep-alive in seconds that the broker orders; None leaves the session's own."""

    @property
    def session_expiry_interval(self) -> int | None:
        """How many seconds the broker keeps the session; None leaves what was asked for."""

    @property
    def response_information(self) -> str | None:
        """The beginning of response topics that the broker suggests."""

    @property
    def reason_string(self) -> str | None:
        """The broker's own words."""

    @property
    def user_properties(self) -> tuple[tuple[str, str], ...]:
        """The user properties of CONNACK, names and values."""

    @property
    def properties(self) -> Properties:
        """The properties of CONNACK as they came, by name."""

@final
class Event:
    """What happened to a session."""

    @property
    def kind(
        self,
    ) -> Literal[
        "connecting",
        "connected",
        "lost",
        "retrying",
        "disconnected",
        "subscription_refused",
        "set_aside",
        "acknowledgement_held",
        "redirected",
        "restored",
        "session_lost",
        "store_without_session",
        "store_failed",
        "store_recovered",
        "other",
    ]:
        """Which event it is.

        Of those of a session with a store, "restored" says once, before the first attempt to
        connect, what an earlier session left; "store_without_session" warns that the broker forgets
        the session with the connection, so that messages survive but exactly once becomes at least
        once; between "store_failed" and "store_recovered" publishing at QoS 1 and 2 raises the
        store's error. "session_lost" comes without a store, too.
        """

    @property
    def error(self) -> MqttError | None:
        """Why; None where there is no reason, or after a disconnect that was asked for."""

    @property
    def connected(self) -> Connected | None:
        """What the broker answered ("connected")."""

    @property
    def delay(self) -> float | None:
        """The seconds until the next attempt ("retrying")."""

    @property
    def filter(self) -> str | None:
        """The filter of the subscription ("subscription_refused")."""

    @property
    def number(self) -> int | None:
        """The message's number, where it is an own one ("set_aside")."""

    @property
    def topic(self) -> str | None:
        """The message's topic, as far as it is known ("set_aside")."""

    @property
    def size(self) -> int | None:
        """The bytes of the message's packet ("set_aside")."""

    @property
    def held(self) -> int | None:
        """How many handled messages wait for an earlier one ("acknowledgement_held")."""

    @property
    def address(self) -> str | None:
        """The address of the next attempt ("redirected")."""

    @property
    def restored(self) -> Restored | None:
        """What the store held ("restored")."""

    @property
    def session_loss(self) -> SessionLoss | None:
        """What it means for unfinished messages ("session_lost")."""

@final
class Restored:
    """What a store held when the session was made."""

    @property
    def messages(self) -> int:
        """Own messages that have not ended; :meth:`Session.wait` takes their numbers."""

    @property
    def bytes(self) -> int:
        """The bytes of their packets."""

    @property
    def in_flight(self) -> int:
        """Those of them that may have been sent."""

    @property
    def interrupted(self) -> int:
        """Received messages of QoS 2 whose handler had not returned when the process died.

        They come again, marked as redelivered.
        """

    @property
    def after_power_loss(self) -> bool:
        """Whether the machine went down without the session's end.

        What had not been synced may be missing then, and a message of QoS 2 that comes again may
        have been handled.
        """

@final
class SessionLoss:
    """What the loss of the broker's session meant for unfinished messages."""

    @property
    def renewed(self) -> int:
        """Own messages that are published once more, as new."""

    @property
    def unknown(self) -> int:
        """Own messages that ended with SESSION_LOST: whether they were delivered is unknown."""

    @property
    def forgotten(self) -> int:
        """Received messages of QoS 2 that come as new, should the broker send them again."""

@final
class PublishResult:
    """How a publish ended."""

    @property
    def number(self) -> int:
        """The message number."""

    @property
    def error(self) -> MqttError | None:
        """Why the message was not delivered; None when it was."""

    @property
    def reason_code(self) -> int | None:
        """The broker's reason code; None where it ended without an answer of the broker.

        0 is success, also of a message of QoS 0 that has been written; 16 says that nobody has
        subscribed.
        """

    @property
    def reason_string(self) -> str | None:
        """The broker's own words (MQTT 5.0)."""

    @property
    def user_properties(self) -> tuple[tuple[str, str], ...]:
        """The user properties of the broker's answer, names and values (MQTT 5.0)."""

@final
class SubscribeResult:
    """How the broker answered a subscribe, for one filter."""

    @property
    def filter(self) -> str:
        """The filter."""

    @property
    def qos(self) -> QoS | None:
        """The QoS that was granted; None where it was refused."""

    @property
    def error(self) -> MqttError | None:
        """Why it was refused; None when it was granted."""

    @property
    def reason_code(self) -> int | None:
        """The broker's reason code; None where it ended without an answer of the broker."""

    @property
    def reason_string(self) -> str | None:
        """The broker's own words, for all filters of the call (MQTT 5.0)."""

    @property
    def user_properties(self) -> tuple[tuple[str, str], ...]:
        """The user properties of the broker's answer, names and values (MQTT 5.0)."""

@final
class UnsubscribeResult:
    """How the broker answered an unsubscribe, for one filter."""

    @property
    def filter(self) -> str:
        """The filter."""

    @property
    def error(self) -> MqttError | None:
        """Why it was refused; None when it was not."""

    @property
    def reason_code(self) -> int | None:
        """The broker's reason code; None where it ended without an answer of the broker.

        0 is success; 17 says that there was no such subscription.
        """

    @property
    def reason_string(self) -> str | None:
        """The broker's own words, for all filters of the call (MQTT 5.0)."""

    @property
    def user_properties(self) -> tuple[tuple[str, str], ...]:
        """The user properties of the broker's answer, names and values (MQTT 5.0)."""

@final
class Statistics:
    """Counters and levels of a session at one moment."""

    @property
    def published(self) -> int:
        """Messages accepted by publish()."""

    @property
    def received(self) -> int:
        """Messages received, without repetitions."""

    @property
    def unrouted(self) -> int:
        """Received messages that no handler wanted (QoS 0), dropped."""

    @property
    def dropped(self) -> int:
        """Outgoing messages dropped by policy."""

    @property
    def expired(self) -> int:
        """Outgoing messages whose time to live passed before they were sent."""

    @property
    def refused(self) -> int:
        """Outgoing messages that the broker refused, or did not take at all."""

    @property
    def lost(self) -> int:
        """Outgoing messages of QoS 0 that a lost connection took with it."""

    @property
    def session_lost(self) -> int:
        """Outgoing messages that ended because the broker had lost the session."""

    @property
    def cancelled(self) -> int:
        """Outgoing messages that were cancelled by a disconnect or close."""

    @property
    def set_aside(self) -> int:
        """Outgoing messages that were set aside."""

    @property
    def incoming_set_aside(self) -> int:
        """Received messages that were set aside: too large, or deadly."""

    @property
    def events_dropped(self) -> int:
        """Events that were dropped because nobody polled for them."""

    @property
    def bytes_out(self) -> int:
        """Bytes written to the network."""

    @property
    def bytes_in(self) -> int:
        """Bytes read from the network."""

    @property
    def writes(self) -> int:
        """Write calls."""

    @property
    def reads(self) -> int:
        """Read calls."""

    @property
    def connections(self) -> int:
        """Connections made."""

    @property
    def outgoing_messages(self) -> int:
        """Outgoing messages that have not ended."""

    @property
    def outgoing_bytes(self) -> int:
        """Their bytes."""

    @property
    def incoming_messages(self) -> int:
        """Received messages that have not been handled."""

    @property
    def incoming_bytes(self) -> int:
        """Their bytes."""

    @property
    def in_flight(self) -> int:
        """Own messages of QoS 1 and 2 that have been sent and not confirmed."""

    @property
    def unacknowledged(self) -> int:
        """Received messages of QoS 1 and 2 that have not been acknowledged."""

    @property
    def held_back(self) -> int:
        """Those of them that have been handled and wait for an earlier one's acknowledgement."""

    @property
    def subscriptions(self) -> int:
        """Subscriptions."""

    @property
    def left_in_store(self) -> int:
        """Outgoing messages that the end of the session left in the store."""

    @property
    def unstored(self) -> int:
        """Outgoing messages of QoS 1 and 2 that have been accepted and not been stored yet."""

    @property
    def store_size(self) -> int:
        """The bytes that the store's files take."""

    @property
    def store_writes(self) -> int:
        """Batches that were written to the store."""

    @property
    def store_syncs(self) -> int:
        """Times that the store was synced."""

@final
class Store:
    """A look into the store of one client id, without a session and without a broker.

    >>> with mqttsession.Store("/var/lib/kitchen", "kitchen") as store:
    ...     print(store.summary.messages, "messages wait, the oldest since", store.summary.oldest)
    ...     for message in store:
    ...         print(message.number, message.state, message.topic)

    It must be there, and no session may have it open; as long as it is open here no session can
    open it. The messages are the session's own that have not ended, in the order of their numbers.
    """

    def __new__(cls, directory: str | PathLike[str], client_id: str) -> Store:
        """Open the store of a client id below the directory that sessions name as ``store``.

        StoreLockedError says that a session has it open, StoreCorruptError that it is damaged.
        """

    @staticmethod
    def repair(directory: str | PathLike[str], client_id: str) -> Store:
        """Open a damaged store with what can be read of it; one that is not damaged is just opened.

        Before that, the damaged files get names that end with ``.damaged``.
        """

    @property
    def directory(self) -> Path:
        """The directory that holds it, with those of other client ids."""

    @property
    def client_id(self) -> str:
        """The client id whose store it is."""

    @property
    def summary(self) -> StoreSummary:
        """What it holds."""

    def export(self, file: str | PathLike[str]) -> int:
        """Write the messages into a new file, one JSON object a line, and return how many.

        Each has ``number``, ``state``, ``accepted`` and ``expires`` in milliseconds since 1970,
        ``topic``, ``qos``, ``retain``, ``payload`` in base64, ``user_properties``, and the other
        ``properties`` by the names of the specification.
        """

    def clear(self) -> None:
        """Forget every message, received id and subscription; the numbers go on as they were."""

    def close(self) -> None:
        """Let go of it, so that a session can open it. Closing twice is allowed."""

    def __iter__(self) -> Iterator[StoredMessage]:
        """Return the messages as they are now."""

    def __enter__(self) -> Store:
        """Return itself."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close it."""

@final
class StoreSummary:
    """What a store held at one moment."""

    @property
    def messages(self) -> int:
        """Own messages that have not ended."""

    @property
    def bytes(self) -> int:
        """The bytes of their packets."""

    @property
    def in_flight(self) -> int:
        """Those of them that may have been sent."""

    @property
    def released(self) -> int:
        """Those of them that the broker has taken (QoS 2) and that only have to be completed."""

    @property
    def oldest(self) -> datetime | None:
        """When the oldest was accepted, in UTC; None where there is none."""

    @property
    def received(self) -> int:
        """Received messages of QoS 2 that the broker has not released."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The filters that the broker had granted."""

    @property
    def last_number(self) -> int:
        """The highest message number given so far."""

    @property
    def size(self) -> int:
        """The bytes that its files take."""

@final
class StoredMessage:
    """A message that a store holds: one of the session's own that has not ended."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def state(self) -> Literal["waiting", "sent", "released"]:
        """How far it has come.

        "waiting": it has not been sent; "sent": it may have been, and is not confirmed; "released":
        the broker has taken it, and only the end of the exchange is missing (QoS 2).
        """

    @property
    def accepted(self) -> datetime:
        """When it was accepted, in UTC."""

    @property
    def expires(self) -> datetime | None:
        """When it is not worth sending any more, in UTC; None where that is never."""

    @property
    def topic(self) -> str:
        """The topic that it is published to."""

    @property
    def payload(self) -> bytes:
        """What is published."""

    @property
    def qos(self) -> Literal[1, 2]:
        """The quality of service."""

    @property
    def retain(self) -> bool:
        """Whether the broker is to keep it."""

    @property
    def properties(self) -> Properties:
        """The properties of MQTT 5.0, by name; empty before 5.0."""

@final
class StoredMessages:
    """The messages of a store, as they were when they were asked for."""

    def __iter__(self) -> StoredMessages:
        """Return itself."""

    def __next__(self) -> StoredMessage:
        """Return the next one."""

@final
class Subscription:
    """A subscription on its way."""

    def wait(self, timeout: Duration | None = None) -> SubscribeResult:
        """Wait for the broker's answer; a refusal raises."""

@final
class Stream:
    """The messages of a subscription, for one event loop."""

    def serve(self, handler: Callable[[Message], object]) -> Awaitable[object] | None:
        """Call a handler with one message after the other.

        Returns what has to be awaited before the next call, and None at the end; raises what the
        handler raised, and may be called again.
        """

    def fail(self) -> str | None:
        """Do with the message that was given out last what ``on_failure`` says; its topic."""

    def close(self) -> bool:
        """End it: what was given out is handled, the rest is left unacknowledged.

        Returns whether it was still subscribed.
        """

@disjoint_base
class MessageIterator:
    """What :class:`mqttsession.aio.Messages` is made of."""

    def __new__(cls, *_arguments: object, **_keywords: object) -> Self: ...
    @property
    def _stream(self) -> Stream | None:
        """The queue that it takes its messages from; None before it has subscribed."""

    def _begin(self, stream: Stream) -> None:
        """Have it take its messages from a queue, from now on."""

    def __aiter__(self) -> Self:
        """Return itself."""

    def __anext__(self) -> Coroutine[Any, Any, Message]:
        """Return the next message, to be awaited; the one before is acknowledged."""

@final
class AsyncSession:
    """A session seen from one event loop. Every call belongs on the loop's thread; none waits."""

    def __new__(cls, session: Session, event_loop: AbstractEventLoop) -> AsyncSession: ...
    def connect(self) -> Future[Connected]:
        """Connect."""

    def reauthenticate(self) -> Future[None]:
        """Authenticate anew on the live connection."""

    def disconnect(
        self, drain: Duration, reason_code: int, properties: Properties | None
    ) -> Future[int]:
        """End the connection in good order; a future of how many messages had not ended."""

    def close(self) -> Future[None]:
        """Close the session for good."""

    def publish(
        self,
        topic: str,
        payload: Payload,
        qos: QoS,
        retain: bool,
        properties: Properties | None,
        time_to_live: Duration | None,
    ) -> PublishResult | Awaitable[PublishResult] | None:
        """Publish: the result when done with (QoS 0), an awaitable of it, None when full."""

    def publish_nowait(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
        time_to_live: Duration | None = None,
        on_complete: Callable[[PublishResult], object] | None = None,
    ) -> int:
        """Publish, or raise where the queue is full; the number of the message.

        ``on_complete`` is called on the loop.
        """

    def publish_stored(
        self,
        topic: str,
        payload: Payload,
        qos: QoS,
        retain: bool,
        properties: Properties | None,
        time_to_live: Duration | None,
    ) -> Future[int] | None:
        """Publish: a future of the number, done when it is in the store, None when full."""

    def wait_stored(self, number: int) -> Future[None]:
        """Done when a message is in the store."""

    def reply(
        self, request: Message, payload: Payload, qos: QoS | None, properties: Properties | None
    ) -> PublishResult | Awaitable[PublishResult] | None:
        """Publish the answer to a request, as ``publish`` does."""

    def request(
        self,
        topic: str,
        payload: Payload,
        timeout: Duration,
        qos: QoS,
        properties: Properties | None,
    ) -> Future[Message] | None:
        """Publish a request; a future of the answering message, None when the queue is full."""

    def check_requests(self) -> None:
        """Raise where the session's version has no request and response."""

    def flush(self) -> Future[None]:
        """Done when every message published so far has ended."""

    def stream(self) -> Stream:
        """Return a queue for the messages of a subscription."""

    def subscribe(
        self,
        filter: str,
        stream: Stream,
        qos: QoS,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: int,
        properties: Properties | None,
    ) -> Future[SubscribeResult]:
        """Subscribe a stream; a future of the result."""

    def subscribe_many(
        self,
        filters: Filters,
        stream: Stream,
        qos: QoS,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: int,
        properties: Properties | None,
    ) -> Future[list[SubscribeResult]]:
        """Subscribe a stream to several filters; a future of their results."""

    def unsubscribe(self, filter: str, properties: Properties | None) -> Future[UnsubscribeResult]:
        """End a subscription; a future of the result."""

    def unsubscribe_many(
        self, filters: Iterable[str], properties: Properties | None
    ) -> Future[list[UnsubscribeResult]]:
        """End several subscriptions with one packet; a future of their results."""

    def unsubscribe_all(self) -> Future[None]:
        """End every subscription."""

def shutdown(timeout: Duration | None = None) -> None:
    """Close all sessions of the process and wait until no callback is running.

    Runs by itself when the interpreter exits. Ctrl-C ends the waiting.
    """

def set_io_threads(threads: int) -> None:
    """Set the number of I/O threads of the process (default 1), before the first connect."""

def set_callback_threads(threads: int) -> None:
    """Set the most threads of the process for callbacks (default 256)."""

def live_sessions() -> int:
    """Return the number of sessions that have not been closed, for tests that look for leaks."""

def after_fork_in_child() -> None:
    """Make sessions of the parent process harmless. Runs by itself after os.fork()."""

def option_names() -> tuple[str, ...]:
    """Return the names of all session options."""

def error_table() -> tuple[tuple[int, str, str, bool, str], ...]:
    """Return (number, name, layer, retryable, sentence) for each error code."""

def stores(directory: str | PathLike[str]) -> list[str]:
    """Return the client ids that have a store below a directory."""

def check_subscription(filter: str, qos: int) -> None:
    """Raise where this filter or QoS cannot be subscribed."""
