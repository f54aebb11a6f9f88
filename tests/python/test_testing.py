"""The broker for users' tests, and the package as type checkers see it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import mqttsession
import pytest
from mqttsession.testing import Broker, BrokerNotFoundError

from conftest import ROOT

EXAMPLES = ROOT / "examples" / "python"


def test_a_broker_lives_for_its_with_block(broker: Broker) -> None:
    with Broker(broker.program) as own:
        assert own.port != broker.port
        assert own.address == f"mqtt://127.0.0.1:{own.port}"
        with mqttsession.Session(own.address) as session:
            session.wait(session.publish("a", qos=1), 30)
    with pytest.raises(RuntimeError, match="with"):
        _ = own.port
    with pytest.raises(ConnectionRefusedError), mqttsession.Session(f"127.0.0.1:{own._port}"):
        pass


def test_a_broker_starts_again(broker: Broker) -> None:
    own = Broker(broker.program)
    for _ in range(2):
        own.start()
        with pytest.raises(RuntimeError, match="already"):
            own.start()
        own.stop()
        own.stop()


def test_no_broker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MQTTSESSION_BROKER", raising=False)
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    with pytest.raises(BrokerNotFoundError, match="pip install"):
        Broker()


def test_a_program_that_is_no_broker_says_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        Broker(sys.executable).start()


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        ("first.py", "21.5"),
        ("first_asyncio.py", "21.5"),
        ("first_wlanguage.py", "21.5"),
        ("request.py", "41 and 1 are 42"),
    ],
)
def test_the_examples(broker: Broker, example: str, printed: str) -> None:
    assert printed in _run(example, broker.address)


def test_the_durable_example(broker: Broker, tmp_path: Path) -> None:
    printed = _run("durable.py", "mqtt://127.0.0.1:1", str(tmp_path))
    assert "goes on trying" in printed
    assert "messages for the next run: 1" in printed
    printed = _run("durable.py", broker.address, str(tmp_path))
    assert "goes on trying" not in printed
    assert "messages for the next run: 0" in printed


def _run(example: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "checker",
    [
        ["-m", "mypy", "--strict", "-p", "mqttsession"],
        ["-m", "mypy", "--strict", *map(str, sorted(EXAMPLES.glob("*.py")))],
        ["-m", "mypy.stubtest", "mqttsession._native"],
    ],
    ids=["package", "examples", "stubs"],
)
def test_the_types(checker: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *checker],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_documented() -> None:
    public = [
        mqttsession.Session,
        mqttsession.Message,
        mqttsession.Event,
        mqttsession.Connected,
        mqttsession.Statistics,
        mqttsession.Restored,
        mqttsession.SessionLoss,
        mqttsession.Store,
        mqttsession.StoreSummary,
        mqttsession.StoredMessage,
    ]
    for kind in public:
        assert kind.__doc__
        for name, member in vars(kind).items():
            if not name.startswith("_"):
                assert member.__doc__, f"{kind.__name__}.{name}"
