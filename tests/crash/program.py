"""What both programs begin with: a session that keeps everything and gives up nothing."""

import contextlib
import os

import mqttsession
from mqttsession.error import CallTimeoutError
from mqttsession.options import SessionOptions


def say(text: str) -> None:
    """Write a line at once and whole: what has been said has been heard, whoever dies then."""
    os.write(1, f"{text}\n".encode())


def make_session(
    client_id: str,
    address: str,
    version: str,
    set_aside_after: str,
    store: str,
    **more: object,
) -> mqttsession.Session:
    """Make the session."""
    options: SessionOptions = {
        "client_id": client_id,
        "clean_session": False,
        "set_aside_after": int(set_aside_after),
        "retry_first_connect": True,
        "reconnect_delay": (0.005, 0.05),
        "version": "5.0" if version == "5.0" else "3.1.1",
    }
    if version == "5.0":
        options["properties"] = {"session_expiry_interval": 0xFFFF_FFFF}
    if store != "-":
        options["store"] = store
    return mqttsession.Session(address, **options, **more)  # type: ignore[typeddict-item]


def connect(session: mqttsession.Session) -> None:
    """Have the session connect, without waiting for it."""
    with contextlib.suppress(CallTimeoutError):
        session.connect(timeout=0)
