"""Proving who one is: enhanced authentication, and credentials that are asked for."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import mqttsession
import pytest
from mqttsession import aio
from mqttsession.error import ArgumentError, MqttError, NotAuthorizedError
from mqttsession.options import AuthenticationStep

from conftest import DEADLINE, Events
from scram_server import ScramServer

if TYPE_CHECKING:
    from conftest import ScriptedBroker

Scripted = Callable[[str], "ScriptedBroker"]

QUICK = (0.01, 0.01)

EXCHANGE = """accept
expect CONNECT authentication-method=M authentication-data=zero
send AUTH 0x18 authentication-method=M authentication-data=one
expect AUTH authentication-method=M authentication-data=ONE
send CONNACK 0 0 authentication-method=M authentication-data=proof
expect AUTH authentication-method=M authentication-data=anew
send AUTH 0x18 authentication-method=M authentication-data=two
expect AUTH authentication-method=M authentication-data=TWO
send AUTH 0 authentication-method=M authentication-data=proven
expect DISCONNECT
"""

ASKED = [
    ("connect", None),
    ("continue", b"one"),
    ("success", b"proof"),
    ("reauthenticate", None),
    ("continue", b"two"),
    ("success", b"proven"),
]


class Prover:
    """An authenticator that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[AuthenticationStep, bytes | None]] = []

    def __call__(self, step: AuthenticationStep, data: bytes | None) -> bytes | str | None:
        self.asked.append((step, data))
        if step == "connect":
            return "zero"
        if step == "reauthenticate":
            return b"anew"
        return data.upper() if step == "continue" and data is not None else None


def test_an_exchange_at_connect_and_anew(scripted: Scripted) -> None:
    broker = scripted(EXCHANGE)
    prover = Prover()
    session = mqttsession.Session(broker.address, version="5.0", authentication=("M", prover))
    with session:
        session.reauthenticate(DEADLINE)
    assert prover.asked == ASKED
    broker.finish()


def test_an_exchange_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(EXCHANGE)
    prover = Prover()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def prove(step: AuthenticationStep, data: bytes | None) -> bytes | str | None:
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
            return prover(step, data)

        session = aio.Session(broker.address, version="5.0", authentication=("M", prove))
        async with session:
            await session.reauthenticate()

    asyncio.run(main())
    assert prover.asked == ASKED
    broker.finish()


def _causes(error: BaseException | None) -> list[BaseException]:
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__
    return causes


def test_an_authenticator_that_raises_ends_the_exchange(scripted: Scripted) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\n"
        "send AUTH 0x18 authentication-method=M authentication-data=?\nexpect closed\n"
    )

    def prove(step: AuthenticationStep, _data: bytes | None) -> bytes | None:
        if step == "continue":
            raise LookupError("no such key")
        return None

    session = mqttsession.Session(broker.address, version="5.0", authentication=("M", prove))
    with pytest.raises(NotAuthorizedError) as raised:
        session.connect(DEADLINE)
    assert raised.value.name == "AUTHENTICATION_FAILED"
    (cause,) = [error for error in _causes(raised.value) if isinstance(error, LookupError)]
    assert cause.args == ("no such key",)
    # Where it was raised is still to be seen.
    assert "prove" in "".join(traceback.format_exception(cause))
    last = session.last_error
    assert last is not None
    assert last.name == "AUTHENTICATION_FAILED"
    session.close()
    broker.finish()


def test_an_answer_of_the_wrong_type(scripted: Scripted) -> None:
    broker = scripted("accept\nsilence\n")
    session = mqttsession.Session(
        broker.address,
        version="5.0",
        authentication=("M", lambda _step, _data: 7),  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(NotAuthorizedError) as raised:
        session.connect(DEADLINE)
    assert any(isinstance(error, TypeError) for error in _causes(raised.value))
    session.close()


SERVE = "accept\nexpect CONNECT\nsend CONNACK 0 0\nserve until DISCONNECT\n"
TOKENS = """accept
expect CONNECT user=me password=token-1
send CONNACK 0 0
close
accept
expect CONNECT user=me password=token-2
send CONNACK 0 0
expect PUBLISH done
expect DISCONNECT
"""


def test_credentials_are_asked_for_before_each_attempt(scripted: Scripted, events: Events) -> None:
    broker = scripted(TOKENS)
    asked: list[str] = []

    def credentials() -> tuple[str, str]:
        asked.append(f"token-{len(asked) + 1}")
        return "me", asked[-1]

    session = mqttsession.Session(
        broker.address, credentials=credentials, reconnect_delay=QUICK, user_name="nobody"
    )
    session.on_event = events
    with session:
        events.wait("connected", 2)
        session.wait(session.publish("done"), DEADLINE)
    assert asked == ["token-1", "token-2"]
    broker.finish()


def test_credentials_are_asked_for_in_an_event_loop(scripted: Scripted) -> None:
    broker = scripted(TOKENS)
    asked: list[bytes] = []

    async def credentials() -> tuple[str, bytes]:
        await asyncio.sleep(0)
        asked.append(b"token-%d" % (len(asked) + 1))
        return "me", asked[-1]

    async def main() -> None:
        async with aio.Session(
            broker.address, credentials=credentials, reconnect_delay=QUICK
        ) as session:
            async with asyncio.timeout(DEADLINE):
                while session.statistics.connections < 2:
                    await asyncio.sleep(0)
            await session.publish("done")
            await session.flush()

    asyncio.run(main())
    assert len(asked) == 2
    broker.finish()


@pytest.mark.parametrize("retry", [False, True])
def test_credentials_that_cannot_be_had(scripted: Scripted, retry: bool) -> None:
    broker = scripted(
        "accept\nsilence\n"
        if not retry
        else ("accept\nexpect CONNECT user=me password=late\nsend CONNACK 0 0\nexpect DISCONNECT\n")
    )
    asked: list[int] = []

    def credentials() -> tuple[str, str]:
        asked.append(0)
        if len(asked) == 1:
            raise TimeoutError("no token")
        return "me", "late"

    session = mqttsession.Session(
        broker.address,
        credentials=credentials,
        retry={"AUTHENTICATION_FAILED": retry},
        retry_first_connect=True,
        reconnect_delay=QUICK,
    )
    if retry:
        with session:
            assert len(asked) == 2
        broker.finish()
        return
    with pytest.raises(MqttError) as raised:
        session.connect(DEADLINE)
    assert raised.value.name == "AUTHENTICATION_FAILED"
    assert any(isinstance(error, TimeoutError) for error in _causes(raised.value))
    session.close()


def test_an_error_that_is_kept_does_not_keep_the_session(scripted: Scripted) -> None:
    broker = scripted("accept\nsilence\n")

    def use() -> None:
        sessions: list[mqttsession.Session] = []

        def fails() -> tuple[str, str]:
            (mine,) = sessions
            raise LookupError(mine.state)

        session = mqttsession.Session(broker.address, credentials=fails)
        sessions.append(session)
        with pytest.raises(NotAuthorizedError):
            session.connect(DEADLINE)
        session.close()
        sessions.clear()

    # That no session is left is what every test is asked at its end.
    use()


def test_a_question_must_not_wait_for_its_own_session(scripted: Scripted) -> None:
    broker = scripted(SERVE)
    names: list[str] = []
    session: mqttsession.Session

    def credentials() -> tuple[None, None]:
        number = session.publish("early", qos=1)
        try:
            session.wait(number, DEADLINE)
        except MqttError as error:
            names.append(error.name)
        return None, None

    session = mqttsession.Session(broker.address, credentials=credentials)
    with session:
        pass
    assert names == ["WOULD_DEADLOCK"]
    broker.finish()


SCRAM = """accept
expect CONNECT authentication-method=SCRAM-SHA-256
send AUTH 0x18 authentication-method=SCRAM-SHA-256 authentication-data=r=wrong,s=QSXC,i=4096
expect closed
"""


def test_scram_does_not_trust_any_server(scripted: Scripted) -> None:
    broker = scripted(SCRAM)
    session = mqttsession.Session(
        broker.address, version="5.0", scram_sha_256=("user", "pencil-secret")
    )
    with pytest.raises(NotAuthorizedError) as raised:
        session.connect(DEADLINE)
    assert raised.value.name == "AUTHENTICATION_FAILED"
    assert "pencil-secret" not in "".join(traceback.format_exception(raised.value))
    session.close()
    broker.finish()


def test_scram_proves_both_to_each_other() -> None:
    server = ScramServer("user", "pencil")
    session = mqttsession.Session(server.address, version="5.0", scram_sha_256=("user", "pencil"))
    with session:
        session.reauthenticate(DEADLINE)
    server.finish()
    assert server.accepted == 2


def test_scram_in_an_event_loop() -> None:
    server = ScramServer("user", "pencil")

    async def main() -> None:
        async with aio.Session(
            server.address, version="5.0", scram_sha_256=("user", "pencil")
        ) as session:
            await session.reauthenticate()

    asyncio.run(main())
    server.finish()
    assert server.accepted == 2


def test_scram_with_a_wrong_password() -> None:
    server = ScramServer("user", "pencil")
    session = mqttsession.Session(server.address, version="5.0", scram_sha_256=("user", "pen"))
    with pytest.raises(NotAuthorizedError) as raised:
        session.connect(DEADLINE)
    assert raised.value.reason_code == 0x87
    session.close()
    server.finish()
    assert server.accepted == 0


@pytest.mark.parametrize(
    "options",
    [
        {"authentication": ("M", "print")},
        {"authentication": ("M\0", print)},
        {"credentials": "print"},
        {"scram_sha_256": ("", "pencil")},
        {"scram_sha_256": ("me", "pencil"), "authentication": ("M", print)},
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        mqttsession.Session(version="5.0", **options)


def test_authenticating_anew_needs_a_method() -> None:
    session = mqttsession.Session(version="5.0")
    with pytest.raises(MqttError) as raised:
        session.reauthenticate()
    assert raised.value.name == "NOT_SUPPORTED"
    session.close()
