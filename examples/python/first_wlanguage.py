"""A first session in the manner of WLanguage."""

import sys
import threading
from urllib.parse import urlsplit

from mqttsession.wlanguage import (
    ErrorInfo,
    MQTTConnect,
    MQTTDisconnect,
    MQTTPublish,
    MQTTSubscribe,
    mqttQualityAtLeastOnce,
    mqttQualityExactlyOnce,
    mqttSession,
)

arrived = threading.Event()


def temperature_received(session: mqttSession, topic: str, data: bytes) -> None:
    print(f"{topic}: {data.decode()} °C")
    arrived.set()


def publication_complete(session: mqttSession, number: int) -> None:
    print(f"message {number} is complete")


broker = urlsplit(sys.argv[1] if len(sys.argv) > 1 else "mqtt://localhost")
session = mqttSession()
session.Address = broker.hostname or "localhost"
session.Port = broker.port or 1883
session.ClientID = "first-wlanguage"
session.ConnectionTimeout = "10 s"

if not MQTTConnect(session):
    sys.exit(ErrorInfo())
MQTTSubscribe(session, "first/wlanguage/#", mqttQualityAtLeastOnce, temperature_received)
MQTTPublish(
    session, "first/wlanguage/kitchen", "21.5", False, mqttQualityExactlyOnce, publication_complete
)
arrived.wait(10)
if not MQTTDisconnect(session):
    sys.exit(ErrorInfo())
