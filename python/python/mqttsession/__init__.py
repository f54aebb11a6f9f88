"""An MQTT client for MQTT 3.1, 3.1.1 and 5.0.

>>> import mqttsession
>>> with mqttsession.Session("mqtt://localhost") as session:
...     session.subscribe("sensors/#", lambda message: print(message.topic, message.payload))
...     session.publish("sensors/kitchen", "21.5", qos=1)

:class:`Session` blocks and calls back; :mod:`mqttsession.aio` is the same for asyncio;
:mod:`mqttsession.wlanguage` is the session of WLanguage programs; :mod:`mqttsession.testing` has a
broker for your tests. The option ``store`` makes a session durable, and :class:`Store` looks into
what it keeps. Everything that can go wrong is in :mod:`mqttsession.error`; what happens is
told to the logger ``mqttsession`` (:mod:`mqttsession.log`).
"""

from __future__ import annotations

import atexit
import os
from importlib.metadata import version

from . import log  # noqa: F401 - silences the logger until a program wants it
from ._native import (
    Connected,
    Event,
    Message,
    PublishResult,
    Restored,
    Session,
    SessionLoss,
    Statistics,
    Store,
    StoredMessage,
    StoreSummary,
    SubscribeResult,
    UnsubscribeResult,
    after_fork_in_child,
    live_sessions,
    set_callback_threads,
    set_io_threads,
    shutdown,
    stores,
)
from .error import MqttError
from .options import Properties, SessionOptions, SubscribeOptions, Will

__all__ = [
    "Connected",
    "Event",
    "Message",
    "MqttError",
    "Properties",
    "PublishResult",
    "Restored",
    "Session",
    "SessionLoss",
    "SessionOptions",
    "Statistics",
    "Store",
    "StoreSummary",
    "StoredMessage",
    "SubscribeOptions",
    "SubscribeResult",
    "UnsubscribeResult",
    "Will",
    "live_sessions",
    "set_callback_threads",
    "set_io_threads",
    "shutdown",
    "stores",
]

__version__ = version("mqttsession")

# After this no thread of the library touches the interpreter, which is about to go.
atexit.register(shutdown)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork_in_child)
