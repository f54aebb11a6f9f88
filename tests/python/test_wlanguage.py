"""The session of WLanguage programs, as its documentation has it."""

from __future__ import annotations

import datetime
import inspect
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mqttsession
import pytest
from mqttsession import wlanguage
from mqttsession.testing import Broker
from mqttsession.wlanguage import (
    ErreurInfo,
    ErrorInfo,
    MQTTAbonne,
    MQTTConnect,
    MQTTConnecte,
    MQTTDisconnect,
    MQTTDéconnecte,
    MQTTPublie,
    MQTTPublish,
    MQTTSubscribe,
    MQTTUnsubscribe,
    MQTTUnsubscribeAll,
    mqttQualityAtLeastOnce,
    mqttQualityAtMostOnce,
    mqttQualityExactlyOnce,
    mqttSession,
    optionSSL,
)

from conftest import DEADLINE, run_killed

if TYPE_CHECKING:
    from conftest import ScriptedBroker

# Property: its names, its default, and values with what they read back as.
SECONDS = datetime.timedelta(seconds=1)
PROPERTIES: list[tuple[list[str], Any, dict[Any, Any]]] = [
    (["Address", "Adresse"], "localhost", {"broker": "broker"}),
    (["Port"], 0, {1884: 1884}),
    (["Option"], 0, {optionSSL: 1}),
    (
        ["ConnectionTimeout", "DélaiConnexion", "DelaiConnexion", "TimeoutConnexion"],
        10 * SECONDS,
        {
            5: 5 * SECONDS,
            "10 s": 10 * SECONDS,
            "500 ms": SECONDS / 2,
            "1 min": 60 * SECONDS,
            "1,5s": 1.5 * SECONDS,
            "7": 7 * SECONDS,
            2 * SECONDS: 2 * SECONDS,
        },
    ),
    (["User", "Utilisateur"], "", {"me": "me"}),
    (["UserPassword", "MotDePasseUtilisateur"], "", {"secret": "secret"}),
    (["PrivateKey", "CléPrivée", "ClePrivee"], "", {"a.pem;b.pem": "a.pem;b.pem"}),
    (
        ["PrivateKeyPassword", "MotDePasseCléPrivée", "MotDePasseClePrivee"],
        "",
        {"secret": "secret"},
    ),
    (["ClientID", "IDClient"], "", {"me": "me"}),
    (["CleanSession", "SessionPropre", "SessionVide"], True, {False: False}),
    (["CACertificate", "CertificatAC"], "", {"ca.pem": "ca.pem"}),
    (["StoreDirectory", "RépertoireStockage", "RepertoireStockage"], "", {"store": "store"}),
    (["ProtocolVersion", "VersionProtocole"], "3.1.1", {"5": "5"}),
]

posix = pytest.mark.skipif(os.name != "posix", reason="SKIPPED: needs SIGKILL")

FUNCTIONS = [
    ["Connect", "Connecte"],
    ["Disconnect", "Déconnecte", "Deconnecte"],
    ["Publish", "Publie"],
    ["Subscribe", "Abonne"],
    ["Unsubscribe", "Désabonne", "Desabonne"],
    ["UnsubscribeAll", "DésabonneTout", "DesabonneTout"],
]


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"wl/{uuid.uuid4().hex}"


def _session(broker: Broker) -> mqttSession:
    session = mqttSession()
    session.Address = "127.0.0.1"
    session.Port = broker.port
    session.ClientID = uuid.uuid4().hex[:20]
    return session


class Procedure:
    """A procedure that keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._came = threading.Condition()

    def __call__(self, _session: mqttSession, *arguments: Any) -> None:
        with self._came:
            self.calls.append(arguments)
            self._came.notify_all()

    def wait(self, count: int) -> list[tuple[Any, ...]]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.calls) >= count, DEADLINE), self.calls
            return self.calls


@pytest.mark.parametrize(("names", "default", "values"), PROPERTIES)
def test_a_property_under_all_its_names(
    names: list[str], default: object, values: dict[object, object]
) -> None:
    for given, kept in values.items():
        for written in names:
            session = mqttSession()
            assert getattr(session, written) == default
            setattr(session, written, given)
            assert all(getattr(session, name) == kept for name in names)


def test_no_other_properties() -> None:
    known = {name for names, _, _ in PROPERTIES for name in names}
    found = {name for name, _ in inspect.getmembers(mqttSession, _is_property)}
    assert found == known
    session = mqttSession()
    with pytest.raises(AttributeError):
        session.Adress = "localhost"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = session.Adress  # type: ignore[attr-defined]


def _is_property(member: object) -> bool:
    return type(member).__name__ == "_Property"


def test_functions_and_methods_under_all_their_names() -> None:
    for names in FUNCTIONS:
        methods = {getattr(mqttSession, name) for name in names}
        functions = {getattr(wlanguage, f"MQTT{name}") for name in names}
        assert len(methods) == len(functions) == 1
    assert ErreurInfo is ErrorInfo
    assert all(name in vars(wlanguage) for name in wlanguage.__all__)
    for english, french in (
        ("AtMostOnce", "AuPlusUneFois"),
        ("AtLeastOnce", "AuMoinsUneFois"),
        ("ExactlyOnce", "ExactementUneFois"),
    ):
        quality = getattr(wlanguage, f"mqttQuality{english}")
        assert getattr(wlanguage, f"mqttQualité{french}") == quality
        assert getattr(wlanguage, f"mqttQualite{french}") == quality


@pytest.mark.parametrize("value", ["ten seconds", "10 parsecs", "", "-1 s"])
def test_a_duration_that_is_none(value: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        mqttSession().ConnectionTimeout = value


def test_the_originals_example(broker: Broker, topic: str) -> None:
    received, complete = Procedure(), Procedure()
    session = _session(broker)
    session.Option = 0
    session.ConnectionTimeout = "10 s"
    session.CleanSession = True
    assert MQTTConnect(session), ErrorInfo()
    assert MQTTSubscribe(session, f"{topic}/temperature1", mqttQualityAtLeastOnce, received)
    assert MQTTSubscribe(session, f"{topic}/SERVER", mqttQualityExactlyOnce, received)
    number = MQTTPublish(
        session, f"{topic}/SERVER", b"buffer", True, mqttQualityExactlyOnce, complete
    )
    assert number > 0
    assert received.wait(1) == [(f"{topic}/SERVER", b"buffer")]
    assert complete.wait(1) == [(number,)]
    assert MQTTPublish(session, f"{topic}/SERVER", b"", True, mqttQualityAtLeastOnce) > 0
    assert MQTTUnsubscribe(session, f"{topic}/SERVER")
    assert MQTTUnsubscribe(session, "unknown")
    assert MQTTUnsubscribeAll(session)
    assert MQTTDisconnect(session), ErrorInfo()
    assert MQTTDisconnect(session)


def test_the_same_in_french(broker: Broker, topic: str) -> None:
    reçu, complet = Procedure(), Procedure()
    session = mqttSession()
    session.Adresse = "127.0.0.1"
    session.Port = broker.port
    session.IDClient = "capteur"
    session.DélaiConnexion = datetime.timedelta(seconds=10)
    session.SessionPropre = True
    assert MQTTConnecte(session), ErreurInfo()
    assert MQTTAbonne(session, topic, wlanguage.mqttQualitéAuMoinsUneFois, reçu)
    assert MQTTPublie(session, topic, "21,5 °C", False, mqttQualityAtMostOnce, complet) == 0
    assert reçu.wait(1) == [(topic, "21,5 °C".encode())]
    assert complet.wait(1) == [(0,)]
    assert session.Désabonne(topic)
    assert session.DésabonneTout()
    assert MQTTDéconnecte(session)


def test_subscribing_before_connect_is_granted_at_connect(broker: Broker, topic: str) -> None:
    received = Procedure()
    session = _session(broker)
    assert session.Subscribe(topic, 1, received)
    assert session.Connect(), ErrorInfo()
    assert session.Connect()
    assert session.Publish(topic, "early") == 0
    received.wait(1)
    assert session.Disconnect()
    # The subscription is the session's own: it is there again at the next Connect.
    assert session.Connect(), ErrorInfo()
    assert session.Publish(topic, "late") == 0
    assert received.wait(2)[1] == (topic, b"late")
    assert session.Disconnect()


def test_a_refused_subscription_makes_connect_false(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted("reject_subscription")
    session = mqttSession()
    session.Address, session.Port, session.ClientID = "127.0.0.1", broker.port, "me"
    assert session.Subscribe("demo/in", 1, print)
    assert not session.Connect()
    assert "refused" in ErrorInfo()


def test_what_fails_says_why(broker: Broker, topic: str) -> None:
    session = mqttSession()
    session.Address, session.Port = "127.0.0.1", broker.port
    assert not session.Connect()
    assert "ClientID" in ErrorInfo()
    session.ClientID = "me"
    assert session.Publish(topic, "before the first connect") == -1
    assert "not been connected" in ErrorInfo()
    session.Port = 70_000
    assert not session.Connect()
    assert "Port" in ErrorInfo()
    session.Port = broker.port
    session.Option = 7
    assert not session.Connect()
    assert "Option" in ErrorInfo()
    session.Option = 0
    session.ProtocolVersion = "4"
    assert not session.Connect()
    session.ProtocolVersion = "5"
    assert not session.Subscribe("a/#/b", 0, print)
    assert not session.Subscribe("a", 3, print)
    assert session.Connect(), ErrorInfo()
    assert session.Publish("a/#", "wildcard") == -1
    assert session.Publish(topic, "bad quality", False, 3) == -1
    assert not session.Subscribe("a/#/b", 0, print)
    assert not session.Unsubscribe("a/#/b")
    assert session.Disconnect()
    assert session.Publish(topic, "after") == -1


def test_nothing_listens() -> None:
    session = mqttSession()
    session.Address, session.Port, session.ClientID = "127.0.0.1", 1, "me"
    assert not session.Connect()
    assert "127.0.0.1:1" in ErrorInfo()


def test_error_info_belongs_to_the_thread() -> None:
    assert mqttSession().Connect() is False
    here = ErrorInfo()
    assert here
    there: list[str] = []
    thread = threading.Thread(target=lambda: there.append(ErrorInfo()))
    thread.start()
    thread.join()
    assert there == [""]
    assert ErrorInfo() == here


def test_disconnect_waits_for_each_publication_and_its_procedure(
    broker: Broker, topic: str
) -> None:
    complete = Procedure()
    session = _session(broker)
    assert session.Connect()
    numbers = [session.Publish(topic, str(n), False, 1 + n % 2, complete) for n in range(50)]
    assert session.Disconnect(), ErrorInfo()
    assert sorted(complete.calls) == [(number,) for number in numbers]


def test_disconnect_is_false_when_something_was_cancelled(
    scripted: Callable[[str], ScriptedBroker],
) -> None:
    broker = scripted("accept\nexpect CONNECT\nsend CONNACK 0 0\nsilence\n")
    complete = Procedure()
    session = mqttSession()
    session.Address, session.Port, session.ClientID = "127.0.0.1", broker.port, "me"
    session.ConnectionTimeout = "300 ms"
    assert session.Connect(), ErrorInfo()
    assert session.Publish("a", "x", False, 1, complete) > 0
    assert not session.Disconnect()
    assert "cancelled" in ErrorInfo()
    assert not complete.calls


def test_everything_inside_a_procedure(broker: Broker, topic: str) -> None:
    done = threading.Event()
    results: list[object] = []
    session = _session(broker)

    def procedure(session: mqttSession, topic: str, data: bytes) -> None:
        results.append(session.Subscribe(f"{topic}/more", 1, print))
        results.append(session.Publish(f"{topic}/other", data, False, 2) > 0)
        results.append(session.Unsubscribe(f"{topic}/more"))
        results.append(session.Disconnect())
        done.set()

    assert session.Connect()
    assert session.Subscribe(topic, 1, procedure)
    assert session.Publish(topic, "go", False, 1) > 0
    assert done.wait(DEADLINE)
    assert results == [True] * 4, ErrorInfo()


NEW = "accept\nexpect CONNECT client-id=me clean={clean}\nsend CONNACK 0 0\n"


def _with_store(broker: ScriptedBroker, store: Path) -> mqttSession:
    session = mqttSession()
    session.Address, session.Port, session.ClientID = "127.0.0.1", broker.port, "me"
    session.StoreDirectory = str(store)
    return session


def test_with_a_store_directory_a_publication_is_not_lost(
    scripted: Callable[[str], ScriptedBroker], tmp_path: Path
) -> None:
    silent = scripted(NEW.format(clean=0) + "silence\n")
    session = _with_store(silent, tmp_path)
    session.ConnectionTimeout = "300 ms"
    assert session.Connect(), ErrorInfo()
    # One session at a time.
    assert not _with_store(silent, tmp_path).Connect()
    assert "open" in ErrorInfo()
    complete = Procedure()
    first = session.Publish("out", "first", False, mqttQualityExactlyOnce, complete)
    second = session.Publish("out", "second", False, mqttQualityAtLeastOnce)
    assert 0 < first < second, ErrorInfo()
    assert session.Publish("out", "nothing stores this") == 0
    assert not session.Disconnect()
    assert "2 publications" in ErrorInfo()
    assert "StoreDirectory" in ErrorInfo()
    assert not complete.calls
    with mqttsession.Store(tmp_path, "me") as store:
        assert [message.number for message in store] == [first, second]
    serving = scripted(NEW.format(clean=0) + "serve until DISCONNECT\n")
    session = _with_store(serving, tmp_path)
    assert session.Connect(), ErrorInfo()
    assert session.Publish("out", "third", False, mqttQualityAtLeastOnce) > second
    assert session.Disconnect(), ErrorInfo()
    serving.finish()
    with mqttsession.Store(tmp_path, "me") as store:
        assert store.summary.messages == 0


@posix
def test_a_number_is_a_promise_that_outlives_the_process(broker: Broker, tmp_path: Path) -> None:
    program = """
from mqttsession.wlanguage import *
session = mqttSession()
session.Address, session.Port, session.ClientID = "127.0.0.1", int(sys.argv[1]), sys.argv[3]
session.StoreDirectory, session.ProtocolVersion = sys.argv[2], "5"
assert session.Connect(), ErrorInfo()
for number in range(20):
    assert session.Publish(sys.argv[3], str(number), False, mqttQualityExactlyOnce) > 0, ErrorInfo()
die()
"""
    received = Procedure()
    topic = uuid.uuid4().hex[:20]
    listener = _session(broker)
    assert listener.Connect()
    assert listener.Subscribe(topic, mqttQualityExactlyOnce, received)
    run_killed(program, str(broker.port), str(tmp_path), topic)
    session = mqttSession()
    session.Address, session.Port, session.ClientID = "127.0.0.1", broker.port, topic
    # Before 5.0 the embedded broker answers a repeated PUBREL with a packet that is too long.
    session.StoreDirectory, session.ProtocolVersion = str(tmp_path), "5"
    assert session.Connect(), ErrorInfo()
    assert session.Disconnect(), ErrorInfo()
    assert sorted(int(data) for _, data in received.wait(20)) == list(range(20))
    assert listener.Disconnect()


@pytest.mark.parametrize(("given", "clean"), [(None, 0), (True, 1), (False, 0)])
def test_with_a_store_directory_the_session_is_kept_unless_it_is_said_to_be_clean(
    scripted: Callable[[str], ScriptedBroker], tmp_path: Path, given: bool | None, clean: int
) -> None:
    broker = scripted(NEW.format(clean=clean) + "serve until DISCONNECT\n")
    session = mqttSession()
    assert session.CleanSession is True
    session = _with_store(broker, tmp_path)
    assert session.CleanSession is False
    if given is not None:
        session.CleanSession = given
    assert session.CleanSession is bool(clean)
    assert session.Connect(), ErrorInfo()
    assert session.Disconnect(), ErrorInfo()
    broker.finish()


def test_under_version_5_a_kept_session_does_not_expire(
    scripted: Callable[[str], ScriptedBroker], tmp_path: Path
) -> None:
    broker = scripted(
        "accept\nexpect CONNECT clean=0 session-expiry-interval=4294967295\nsend CONNACK 0 0\n"
        "expect DISCONNECT\n"
    )
    session = _with_store(broker, tmp_path)
    session.ProtocolVersion = "5"
    assert session.Connect(), ErrorInfo()
    assert session.Disconnect(), ErrorInfo()
    broker.finish()


def test_a_store_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    session = mqttSession()
    session.ClientID, session.StoreDirectory = "me", str(tmp_path / "file")
    assert not session.Connect()
    assert "file" in ErrorInfo()
    session.ClientID = ""
    assert not session.Connect()
    assert "ClientID" in ErrorInfo()


def test_inside_a_procedure_a_publication_is_stored_too(
    scripted: Callable[[str], ScriptedBroker], tmp_path: Path
) -> None:
    broker = scripted(NEW.format(clean=0) + "serve until DISCONNECT\n")
    session = _with_store(broker, tmp_path)
    numbers: list[int] = []
    done = threading.Event()

    def procedure(session: mqttSession, number: int) -> None:
        numbers.append(number)
        enough = len(numbers) == 5
        if enough or session.Publish("out", "more", False, mqttQualityExactlyOnce, procedure) < 0:
            done.set()

    assert session.Connect(), ErrorInfo()
    assert session.Publish("out", "first", False, mqttQualityExactlyOnce, procedure) > 0
    assert done.wait(DEADLINE)
    assert len(numbers) == 5, ErrorInfo()
    assert session.Disconnect(), ErrorInfo()
    broker.finish()
