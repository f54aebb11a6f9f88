"""The session of WLanguage programs, in English and in French.

>>> from mqttsession.wlanguage import *
>>> session = mqttSession()
>>> session.Address = "localhost"
>>> session.ClientID = "kitchen"
>>> if not MQTTConnect(session):
...     print(ErrorInfo())
>>> MQTTSubscribe(session, "sensors/#", mqttQualityAtLeastOnce,
...               lambda session, topic, data: print(topic, data))
>>> MQTTPublish(session, "sensors/kitchen", "21.5", False, mqttQualityExactlyOnce)
>>> MQTTDisconnect(session)

Every function is also a method of the session. Those that say True or False, and the -1 of publish,
leave the reason in ``ErrorInfo()``, for each thread its own. All names exist in French too, with
accents and without.
"""

# ruff: noqa: N801, N802, N816, PLC2401 - the names are those of the original

from __future__ import annotations

import re
import threading
import time
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from . import _native
from .error import CallTimeoutError, MqttError, _error

if TYPE_CHECKING:
    from ._native import Message, PublishResult
    from .options import Payload, SessionOptions

__all__ = [
    "ErreurInfo",
    "ErrorInfo",
    "MQTTAbonne",
    "MQTTConnect",
    "MQTTConnecte",
    "MQTTDeconnecte",
    "MQTTDesabonne",
    "MQTTDesabonneTout",
    "MQTTDisconnect",
    "MQTTDéconnecte",
    "MQTTDésabonne",
    "MQTTDésabonneTout",
    "MQTTPublie",
    "MQTTPublish",
    "MQTTSubscribe",
    "MQTTUnsubscribe",
    "MQTTUnsubscribeAll",
    "mqttQualiteAuMoinsUneFois",
    "mqttQualiteAuPlusUneFois",
    "mqttQualiteExactementUneFois",
    "mqttQualityAtLeastOnce",
    "mqttQualityAtMostOnce",
    "mqttQualityExactlyOnce",
    "mqttQualitéAuMoinsUneFois",
    "mqttQualitéAuPlusUneFois",
    "mqttQualitéExactementUneFois",
    "mqttSession",
    "optionSSL",
]

optionSSL = 1
"""The value of ``Option`` for a TLS connection."""

mqttQualityAtMostOnce = mqttQualitéAuPlusUneFois = mqttQualiteAuPlusUneFois = 0
mqttQualityAtLeastOnce = mqttQualitéAuMoinsUneFois = mqttQualiteAuMoinsUneFois = 1
mqttQualityExactlyOnce = mqttQualitéExactementUneFois = mqttQualiteExactementUneFois = 2

_NEVER_EXPIRES = 0xFFFF_FFFF
_KEPT = (
    "LEFT_IN_STORE",
    "those of quality 1 and 2 stay in the StoreDirectory, and the next session with it sends them",
)
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)

_thread = threading.local()


def ErrorInfo() -> str:
    """Return the text of the calling thread's last error, "" where there was none."""
    return getattr(_thread, "text", "")


ErreurInfo = ErrorInfo


def _failed(error: Exception) -> bool:
    """Note what ErrorInfo is to say; False, because that is what the caller is to return."""
    _thread.text = str(error)
    return False


def _taken(waiting: list[PublishProcedure]) -> PublishProcedure | None:
    """Take the procedure that waits; a single step, so that only one of two threads gets it."""
    try:
        return waiting.pop()
    except IndexError:
        return None


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"this property is text, not {type(value).__name__}")
    return value


def _number(value: int) -> int:
    if not isinstance(value, int):
        raise TypeError(f"this property is a number, not {type(value).__name__}")
    return value


def _duration(value: float | timedelta | str) -> timedelta:
    """Read seconds, a timedelta, or text such as "10 s", "500 ms" and "1 min"."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        return timedelta(seconds=value)
    match = _DURATION.fullmatch(value)
    unit = _UNITS.get(match[2].lower() or "s") if match else None
    if match is None or unit is None:
        raise ValueError(f"{value!r} is no duration; write for example '10 s', '500 ms', '1 min'")
    return timedelta(seconds=float(match[1].replace(",", ".")) * unit)


_Given = TypeVar("_Given")
_Kept = TypeVar("_Kept")


class _Property(Generic[_Given, _Kept]):
    """A property of the session, under all its names."""

    def __init__(
        self,
        read: Callable[[_Given], _Kept],
        default: _Kept | Callable[[mqttSession], _Kept],
    ) -> None:
        self._read = read
        self._default = default

    @overload
    def __get__(self, session: None, owner: type) -> _Property[_Given, _Kept]: ...
    @overload
    def __get__(self, session: mqttSession, owner: type) -> _Kept: ...
    def __get__(self, session: mqttSession | None, owner: type) -> Any:
        if session is None:
            return self
        if self in session._values:
            return session._values[self]
        return self._default(session) if callable(self._default) else self._default

    def __set__(self, session: mqttSession, value: _Given) -> None:
        session._values[self] = self._read(value)


class mqttSession:
    """A session with one broker: set its properties, then ``Connect``.

    Procedures run on threads of the library, one at a time and in order. Any method may be called
    from any thread and from inside a procedure. Once connected, the session reconnects by itself;
    what is published meanwhile is queued.
    """

    # No __dict__: a misspelt property is an AttributeError and not a new attribute.
    __slots__ = ("__weakref__", "_durable", "_lock", "_native", "_subscriptions", "_values")

    Address = Adresse = _Property(_text, "localhost")
    """The host name (recommended) or IP address of the broker."""
    Port = _Property(_number, 0)
    """Its TCP port; 0 is 1883, or 8883 with SSL."""
    Option = _Property(_number, 0)
    """0, or ``optionSSL``."""
    ConnectionTimeout = DélaiConnexion = DelaiConnexion = TimeoutConnexion = _Property(
        _duration, timedelta(seconds=10)
    )
    """How long to connect and to disconnect: seconds, a timedelta, or text such as "10 s"."""
    User = Utilisateur = _Property(_text, "")
    """The user name."""
    UserPassword = MotDePasseUtilisateur = _Property(_text, "")
    """Its password."""
    PrivateKey = CléPrivée = ClePrivee = _Property(_text, "")
    """Certificate and key of the client: a PEM file with both, ``certificate;key``, or the text."""
    PrivateKeyPassword = MotDePasseCléPrivée = MotDePasseClePrivee = _Property(_text, "")
    """The password of an encrypted key."""
    ClientID = IDClient = _Property(_text, "")
    """The client identifier; it must not be empty."""
    StoreDirectory = RépertoireStockage = RepertoireStockage = _Property(_text, "")
    """A directory in which unconfirmed messages survive the end of the process, and are sent by the
    next session with the same ClientID; empty: they are in memory only."""
    CleanSession = SessionPropre = SessionVide = _Property(
        bool, lambda session: not session.StoreDirectory
    )
    """True: the broker forgets what it held for this client id.

    Until it is set it is True without a StoreDirectory, and False with one, whose promise needs the
    broker's memory, too.
    """
    CACertificate = CertificatAC = _Property(_text, "")
    """The certificate authority, PEM file or text; without it the system's are trusted."""
    ProtocolVersion = VersionProtocole = _Property(_text, "3.1.1")
    """"3.1", "3.1.1" or "5"."""

    def __init__(self) -> None:
        """Make a session with the defaults."""
        self._values: dict[_Property[Any, Any], Any] = {}
        self._native: _native.Session | None = None
        # Whether the native session has a store; the property may be changed meanwhile.
        self._durable = False
        self._subscriptions: dict[str, tuple[int, MessageProcedure]] = {}
        self._lock = threading.Lock()

    def Connect(self) -> bool:
        """Connect; blocks until the broker has answered or ConnectionTimeout has passed."""
        with self._lock:
            native = self._native
            if native is None:
                try:
                    options = self._options()
                    native = _native.Session(self.Address, **options)
                except (MqttError, UnicodeError) as error:
                    return _failed(error)
                # Noted before anything is sent, so that a second Connect makes no second session.
                self._native, self._durable = native, "store" in options
                wanted = dict(self._subscriptions)
            else:
                # The renewal of these is the native session's own business.
                wanted = {}
        deadline = time.monotonic() + self.ConnectionTimeout.total_seconds()
        try:
            granted = [
                native.start_subscription(topic, self._receiver(procedure), quality)  # type: ignore[arg-type]
                for topic, (quality, procedure) in wanted.items()
            ]
            native.connect()
            for grant in granted:
                grant.wait(max(0.0, deadline - time.monotonic()))
        except MqttError as error:
            with self._lock:
                if self._native is native:
                    self._native = None
            native.close()
            return _failed(error)
        return True

    def Disconnect(self) -> bool:
        """Wait until each publish has ended and its procedure has returned, then disconnect.

        It waits at most ConnectionTimeout, and is False when something had to be cancelled, or
        stayed in the StoreDirectory.
        """
        with self._lock:
            native, self._native = self._native, None
        if native is None:
            return True
        try:
            unended = native.disconnect(self.ConnectionTimeout)
        except MqttError as error:
            return _failed(error)
        finally:
            native.close()
        if unended:
            name, fate = _KEPT if self._durable else ("CANCELLED", "they are cancelled")
            return _failed(_error(name, f"{unended} publications had not ended; {fate}"))
        return True

    def Publish(
        self,
        topic: str,
        data: Payload,
        to_store: bool = False,
        quality: int = mqttQualityAtMostOnce,
        procedure: PublishProcedure | None = None,
    ) -> int:
        """Publish; the message number (QoS 1 and 2), 0 (QoS 0), or -1 on error.

        ``procedure(session, number)`` is called when the publication is complete. With a
        StoreDirectory a publication of QoS 1 or 2 is on disk before this returns; it waits for that
        for ConnectionTimeout at most. What is not on disk by then is -1, but may still be sent.
        """
        try:
            native = self._connected()
            waiting = [procedure] if procedure else []
            complete = self._completion(quality, waiting) if procedure else None
            number = native.publish(
                topic,
                data,
                quality,  # type: ignore[arg-type]
                to_store,
                on_complete=complete,
            )
            if quality and self._durable:
                self._wait_stored(native, number, procedure, waiting)
        except (MqttError, UnicodeError) as error:
            _failed(error)
            return -1
        return number if quality else 0

    def Subscribe(self, topic: str, quality: int, procedure: MessageProcedure) -> bool:
        """Subscribe; True once the broker has granted it.

        ``procedure(session, topic, data)`` is called for each message. Before Connect it is True
        at once, and granted then. Subscribing again replaces the procedure.
        """
        with self._lock:
            native = self._native
            earlier = self._subscriptions.get(topic)
            self._subscriptions[topic] = (quality, procedure)
        try:
            if native is None:
                # What cannot be used is refused now and not at Connect.
                _native.check_subscription(topic, quality)
            else:
                native.subscribe(
                    topic,
                    self._receiver(procedure),
                    quality,  # type: ignore[arg-type]
                    timeout=self.ConnectionTimeout,
                )
        except (MqttError, UnicodeError) as error:
            with self._lock:
                if earlier is None:
                    self._subscriptions.pop(topic, None)
                else:
                    self._subscriptions[topic] = earlier
            return _failed(error)
        return True

    def Unsubscribe(self, topic: str) -> bool:
        """End a subscription; True also for an unknown topic."""
        with self._lock:
            native = self._native
            self._subscriptions.pop(topic, None)
        return native is None or self._done(native.unsubscribe, topic)

    def UnsubscribeAll(self) -> bool:
        """End every subscription of the session."""
        with self._lock:
            native = self._native
            self._subscriptions.clear()
        return native is None or self._done(native.unsubscribe_all)

    Connecte = Connect
    Déconnecte = Deconnecte = Disconnect
    Publie = Publish
    Abonne = Subscribe
    Désabonne = Desabonne = Unsubscribe
    DésabonneTout = DesabonneTout = UnsubscribeAll

    def _options(self) -> SessionOptions:
        if not self.ClientID:
            raise _error("INVALID_CLIENT_ID", "The ClientID must not be empty")
        if self.Option not in (0, optionSSL):
            raise _error("INVALID_OPTION", "Option is 0 or optionSSL")
        options: SessionOptions = {
            "client_id": self.ClientID,
            "tls": self.Option == optionSSL,
            "connect_timeout": self.ConnectionTimeout,
            "clean_session": self.CleanSession,
            "version": self.ProtocolVersion,  # type: ignore[typeddict-item]
        }
        if self.Port:
            if not 0 < self.Port <= 0xFFFF:
                raise _error("INVALID_OPTION", "Port is 1 to 65,535, or 0 for the usual one")
            options["port"] = self.Port
        if self.User:
            options["user_name"] = self.User
        if self.UserPassword:
            options["password"] = self.UserPassword
        if self.StoreDirectory:
            options["store"] = self.StoreDirectory
        if self.CACertificate:
            options["tls_ca"] = self.CACertificate
        if self.PrivateKey:
            if "-----BEGIN " in self.PrivateKey:
                options["tls_certificate"] = self.PrivateKey
            else:
                certificate, separator, key = self.PrivateKey.partition(";")
                options["tls_certificate"] = certificate
                if separator:
                    options["tls_key"] = key
            if self.PrivateKeyPassword:
                options["tls_key_password"] = self.PrivateKeyPassword
        if not self.CleanSession and self.ProtocolVersion.startswith("5"):
            # What a session of 3.1.1 that is not clean does by itself.
            options["properties"] = {"session_expiry_interval": _NEVER_EXPIRES}
        return options

    def _connected(self) -> _native.Session:
        with self._lock:
            if self._native is None:
                raise _error("NOT_CONNECTED", "The session has not been connected")
            return self._native

    def _receiver(self, procedure: MessageProcedure) -> Callable[[Message], object]:
        # Weakly, so that a session which is no longer used does not keep itself alive.
        this = weakref.ref(self)

        def receive(message: Message) -> None:
            session = this()
            if session is not None:
                procedure(session, message.topic, message.payload)

        return receive

    def _completion(
        self, quality: int, waiting: list[PublishProcedure]
    ) -> Callable[[PublishResult], object]:
        def complete(result: PublishResult) -> None:
            if result.error is None and (procedure := _taken(waiting)):
                procedure(self, result.number if quality else 0)

        return complete

    def _wait_stored(
        self,
        native: _native.Session,
        number: int,
        procedure: PublishProcedure | None,
        waiting: list[PublishProcedure],
    ) -> None:
        try:
            native.wait_stored(number, self.ConnectionTimeout)
        except MqttError as error:
            # Who gets -1 takes the publication for over: its procedure must not come any more. One
            # that has come says that it is complete.
            if procedure is not None and _taken(waiting) is None:
                return
            if not isinstance(error, CallTimeoutError):
                raise
            text = "The message was not in the StoreDirectory when ConnectionTimeout had passed"
            raise _error("TIMEOUT", f"{text}; it may still be stored and sent") from error

    @staticmethod
    def _done(call: Callable[..., object], *arguments: str) -> bool:
        try:
            call(*arguments)
        except (MqttError, UnicodeError) as error:
            return _failed(error)
        return True


MessageProcedure: TypeAlias = Callable[[mqttSession, str, bytes], object]
"""``procedure(session, topic, data)``, called for each message of a subscription."""
PublishProcedure: TypeAlias = Callable[[mqttSession, int], object]
"""``procedure(session, number)``, called when a publication is complete."""


def MQTTConnect(session: mqttSession) -> bool:
    """Connect; see :meth:`mqttSession.Connect`."""
    return session.Connect()


def MQTTDisconnect(session: mqttSession) -> bool:
    """Disconnect; see :meth:`mqttSession.Disconnect`."""
    return session.Disconnect()


def MQTTPublish(
    session: mqttSession,
    topic: str,
    data: Payload,
    to_store: bool = False,
    quality: int = mqttQualityAtMostOnce,
    procedure: PublishProcedure | None = None,
) -> int:
    """Publish; see :meth:`mqttSession.Publish`."""
    return session.Publish(topic, data, to_store, quality, procedure)


def MQTTSubscribe(
    session: mqttSession, topic: str, quality: int, procedure: MessageProcedure
) -> bool:
    """Subscribe; see :meth:`mqttSession.Subscribe`."""
    return session.Subscribe(topic, quality, procedure)


def MQTTUnsubscribe(session: mqttSession, topic: str) -> bool:
    """Unsubscribe; see :meth:`mqttSession.Unsubscribe`."""
    return session.Unsubscribe(topic)


def MQTTUnsubscribeAll(session: mqttSession) -> bool:
    """End every subscription; see :meth:`mqttSession.UnsubscribeAll`."""
    return session.UnsubscribeAll()


MQTTConnecte = MQTTConnect
MQTTDéconnecte = MQTTDeconnecte = MQTTDisconnect
MQTTPublie = MQTTPublish
MQTTAbonne = MQTTSubscribe
MQTTDésabonne = MQTTDesabonne = MQTTUnsubscribe
MQTTDésabonneTout = MQTTDesabonneTout = MQTTUnsubscribeAll
