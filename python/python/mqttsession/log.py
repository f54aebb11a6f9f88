"""What happens to sessions, in Python's own log: the logger ``mqttsession``.

The events of a session are written by the same thread, and in the same order, as its callbacks; a
polled session writes those that are polled for. Nothing is written by the threads that do the
network's work, so no handler of a logger can hold them up; but closing a session waits for its last
callback, so a handler of a logger must not close one while it holds its own lock. Secrets are not
in it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Event, Restored

_LOGGER = logging.getLogger("mqttsession")
# A library is silent until its program says where the log goes.
_LOGGER.addHandler(logging.NullHandler())

_LEVELS = {
    "connecting": logging.DEBUG,
    "connected": logging.INFO,
    "lost": logging.WARNING,
    "retrying": logging.DEBUG,
    "disconnected": logging.INFO,
    "subscription_refused": logging.ERROR,
    "set_aside": logging.ERROR,
    "acknowledgement_held": logging.WARNING,
    "redirected": logging.INFO,
    "restored": logging.INFO,
    "session_lost": logging.WARNING,
    "store_without_session": logging.WARNING,
    "store_failed": logging.ERROR,
    "store_recovered": logging.INFO,
}


def _log_event(address: str, event: Event) -> None:
    level = _LEVELS.get(event.kind, logging.DEBUG)
    if event.restored is not None and event.restored.after_power_loss:
        level = logging.WARNING
    if event.kind == "disconnected" and event.error is not None:
        level = logging.ERROR
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s: %s", address, _sentence(event))


def _sentence(event: Event) -> str:
    kind, error = event.kind, event.error
    if kind == "connected" and event.connected is not None:
        kept = "a session that it had kept" if event.connected.session_present else "a new session"
        return f"connected as {event.connected.client_id!r}, with {kept}"
    if kind == "retrying" and event.delay is not None:
        return f"the next attempt follows in {event.delay:.1f} s"
    if kind == "subscription_refused":
        return f"the subscription to {event.filter!r} was refused: {error}"
    if kind == "set_aside":
        which = "a received message" if event.number is None else f"message {event.number}"
        return f"{which} ({event.size} bytes, topic {event.topic!r}) was set aside: {error}"
    if kind == "acknowledgement_held":
        return f"{event.held} handled messages wait for the acknowledgement of an earlier one"
    if kind == "redirected":
        return f"the broker sends the session to {event.address}"
    if event.restored is not None:
        return _restored(event.restored)
    if event.session_loss is not None:
        loss = event.session_loss
        return (
            "the broker has lost the session: "
            f"{loss.renewed} messages are published once more, {loss.unknown} have ended without "
            f"anybody knowing whether they were delivered, {loss.forgotten} received ones are new"
        )
    if kind == "store_without_session":
        return (
            "the session has a store, but the broker forgets it with the connection: exactly once "
            "becomes at least once; clean_session=False (MQTT 5.0: and a session expiry interval) "
            "keeps it"
        )
    if kind == "store_failed":
        return f"nothing can be stored at present: {error}"
    if kind == "store_recovered":
        return "messages are stored again"
    return kind if error is None else f"{kind}: {error}"


def _restored(restored: Restored) -> str:
    text = (
        f"the store held {restored.messages} messages ({restored.bytes} bytes), "
        f"{restored.in_flight} of which may have been sent"
    )
    if restored.interrupted:
        text += f"; {restored.interrupted} received ones were being handled and come again"
    if restored.after_power_loss:
        text += "; the machine went down meanwhile, and what had not been synced may be missing"
    return text
