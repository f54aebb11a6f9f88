"""A look into a store that no session has open."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mqttsession
import pytest
from mqttsession.error import (
    CallTimeoutError,
    SessionStateError,
    StoreCorruptError,
    StoreError,
    StoreLockedError,
)

from conftest import DEADLINE

if TYPE_CHECKING:
    from conftest import ScriptedBroker

NOWHERE = "mqtt://127.0.0.1:1"


def _session(store: Path, client_id: str = "me", address: str = NOWHERE) -> mqttsession.Session:
    return mqttsession.Session(
        address,
        client_id=client_id,
        version="5.0",
        clean_session=False,
        properties={"session_expiry_interval": 3600},
        retry_first_connect=True,
        store=store,
    )


def _fill(store: Path, client_id: str = "me", count: int = 3) -> list[int]:
    """Leave messages in a store; return their numbers."""
    session = _session(store, client_id)
    with contextlib.suppress(CallTimeoutError):
        session.connect(0)
    numbers = []
    for index in range(count):
        number = session.publish(
            f"out/{index}",
            b"\x00\xff" * index,
            2 if index % 2 else 1,
            retain=index == 1,
            properties={"content_type": "binary", "user_properties": [("a", "1"), ("a", "2")]},
            time_to_live=3600 if index == 2 else None,
        )
        # One after the other, so that each is written for itself.
        session.wait_stored(number, DEADLINE)
        numbers.append(number)
    session.close()
    return numbers


def _files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_a_store_holds(tmp_path: Path) -> None:
    before = datetime.datetime.now(datetime.UTC)
    numbers = _fill(tmp_path)
    with mqttsession.Store(tmp_path, "me") as store:
        assert (store.directory, store.client_id) == (tmp_path, "me")
        assert "me" in repr(store)
        summary = store.summary
        assert summary.messages == 3
        assert summary.bytes > 0
        assert (summary.in_flight, summary.released, summary.received) == (0, 0, 0)
        assert summary.subscriptions == ()
        assert summary.last_number == numbers[-1]
        assert summary.size > summary.bytes
        assert "messages=3" in repr(summary)
        oldest = summary.oldest
        assert oldest is not None
        # The store counts in milliseconds.
        assert abs(oldest - before) < datetime.timedelta(seconds=2 * DEADLINE)
        assert oldest.utcoffset() == datetime.timedelta(0)

        first, second, third = store
        assert [message.number for message in (first, second, third)] == numbers
        assert {message.state for message in store} == {"waiting"}
        assert [message.topic for message in store] == ["out/0", "out/1", "out/2"]
        assert [message.payload for message in store] == [b"", b"\x00\xff", b"\x00\xff\x00\xff"]
        assert [message.qos for message in store] == [1, 2, 1]
        assert [message.retain for message in store] == [False, True, False]
        assert first.accepted == oldest
        assert first.expires is None
        assert third.expires is not None
        assert abs(third.expires - third.accepted - datetime.timedelta(hours=1)) < (
            datetime.timedelta(seconds=1)
        )
        assert second.properties["content_type"] == "binary"
        assert second.properties["user_properties"] == [("a", "1"), ("a", "2")]
        assert "topic='out/1', payload=<2 bytes>, qos=2, retain=True" in repr(second)


def test_an_iterator_is_a_moments_view(tmp_path: Path) -> None:
    _fill(tmp_path)
    with mqttsession.Store(tmp_path, "me") as store:
        messages = iter(store)
        assert iter(messages) is messages
        assert next(messages).topic == "out/0"
        store.clear()
        assert [message.topic for message in messages] == ["out/1", "out/2"]
        assert list(store) == []


def test_how_far_messages_have_come(
    scripted: Callable[[str], ScriptedBroker], tmp_path: Path
) -> None:
    broker = scripted(
        "accept\nexpect CONNECT\nsend CONNACK 0 0\nexpect SUBSCRIBE\nsend SUBACK $id 1\n"
        "expect PUBLISH out qos=1\nexpect PUBLISH out qos=2\nsend PUBREC $id\nexpect PUBREL\n"
        "expect DISCONNECT\nexpect closed\n"
    )
    session = _session(tmp_path, address=broker.address)
    session.subscribe("in/#", print, 1)
    session.connect(DEADLINE)
    session.publish("out", "sent", 1)
    session.publish("out", "released", 2)
    assert session.disconnect(0.5) == 2
    session.close()
    broker.finish()
    with mqttsession.Store(tmp_path, "me") as store:
        assert [message.state for message in store] == ["sent", "released"]
        summary = store.summary
        assert (summary.in_flight, summary.released) == (2, 1)
        assert summary.subscriptions == ("in/#",)


def test_the_stores_below_a_directory(tmp_path: Path) -> None:
    assert mqttsession.stores(tmp_path / "missing") == []
    assert mqttsession.stores(tmp_path) == []
    for client_id in ("kitchen", "Küche/1", ".."):
        _session(tmp_path, client_id).close()
    (tmp_path / "file").write_text("no store")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        mqttsession.stores(tmp_path / "file")
    assert sorted(mqttsession.stores(str(tmp_path))) == ["..", "Küche/1", "kitchen"]
    assert len(list(tmp_path.iterdir())) == 5
    with pytest.raises(TypeError):
        mqttsession.stores(7)  # type: ignore[arg-type]


def test_clear(tmp_path: Path) -> None:
    numbers = _fill(tmp_path)
    with mqttsession.Store(tmp_path, "me") as store:
        store.clear()
        summary = store.summary
        assert (summary.messages, summary.bytes, summary.oldest) == (0, 0, None)
        assert summary.last_number == numbers[-1]
    with mqttsession.Store(tmp_path, "me") as store:
        assert store.summary.messages == 0
    assert _fill(tmp_path, count=1)[0] > numbers[-1]


def test_export(tmp_path: Path) -> None:
    numbers = _fill(tmp_path)
    file = tmp_path / "messages.jsonl"
    with mqttsession.Store(tmp_path, "me") as store:
        assert store.export(file) == 3
        with pytest.raises(StoreError) as raised:
            store.export(file)
        assert raised.value.name == "STORE_FAILED"
        accepted = [message.accepted for message in store]
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["number"] for row in rows] == numbers
    assert [base64.b64decode(row["payload"]) for row in rows] == [b"", b"\0\xff", b"\0\xff\0\xff"]
    assert [row["topic"] for row in rows] == ["out/0", "out/1", "out/2"]
    assert [row["qos"] for row in rows] == [1, 2, 1]
    assert [row["retain"] for row in rows] == [False, True, False]
    assert {row["state"] for row in rows} == {"waiting"}
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    milliseconds = datetime.timedelta(milliseconds=1)
    assert [(moment - epoch) // milliseconds for moment in accepted] == [
        row["accepted"] for row in rows
    ]
    assert rows[1]["user_properties"] == [["a", "1"], ["a", "2"]]
    assert rows[1]["properties"] == {"Content Type": "binary"}


def test_one_at_a_time(tmp_path: Path) -> None:
    _fill(tmp_path)
    with mqttsession.Store(tmp_path, "me"):
        with pytest.raises(StoreLockedError) as raised:
            mqttsession.Store(tmp_path, "me")
        assert raised.value.name == "STORE_LOCKED"
        with pytest.raises(StoreLockedError):
            _session(tmp_path)
        with pytest.raises(StoreLockedError):
            mqttsession.Store.repair(tmp_path, "me")
    _session(tmp_path).close()


def test_a_store_that_was_closed(tmp_path: Path) -> None:
    _fill(tmp_path)
    store = mqttsession.Store(tmp_path, "me")
    store.close()
    store.close()
    for call in (lambda: store.summary, lambda: list(store), store.clear):
        with pytest.raises(SessionStateError, match="closed") as raised:
            call()
        assert raised.value.name == "CLOSED"
    # One that nobody closed is closed when it goes.
    mqttsession.Store(tmp_path, "me")
    _session(tmp_path).close()


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        mqttsession.Store(tmp_path, "me")
    assert raised.value.name == "STORE_FAILED"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError):
        mqttsession.Store(tmp_path)  # type: ignore[call-arg]


def test_another_client_ids_store(tmp_path: Path) -> None:
    _fill(tmp_path, "one")
    os.rename(tmp_path / "one", tmp_path / "two")
    for opened in (lambda: _session(tmp_path, "two"), lambda: mqttsession.Store(tmp_path, "two")):
        with pytest.raises(StoreError) as raised:
            opened()
        assert raised.value.name == "STORE_FOREIGN"


def test_a_damaged_store_is_left_alone_until_it_is_repaired(tmp_path: Path) -> None:
    _fill(tmp_path, count=20)
    logs = [path for path in tmp_path.rglob("log-*") if path.stat().st_size > 1000]
    assert logs
    for log in logs:
        content = bytearray(log.read_bytes())
        content[len(content) // 2] ^= 0xFF
        log.write_bytes(content)
    damaged = _files(tmp_path)
    for opened in (lambda: _session(tmp_path), lambda: mqttsession.Store(tmp_path, "me")):
        with pytest.raises(StoreCorruptError) as raised:
            opened()
        assert not raised.value.retryable
        assert _files(tmp_path) == damaged
    with mqttsession.Store.repair(tmp_path, "me") as store:
        kept = [message.number for message in store]
        assert 0 < len(kept) < 20
    assert list(tmp_path.rglob("*.damaged"))
    # From then on it is a store as any other, and repairing it is opening it.
    with mqttsession.Store.repair(tmp_path, "me") as store:
        assert [message.number for message in store] == kept
    _session(tmp_path).close()
