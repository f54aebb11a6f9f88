"""A first session: subscribe, publish at every quality of service, leave."""

import sys
import threading

import mqttsession

address = sys.argv[1] if len(sys.argv) > 1 else "mqtt://localhost"
arrived = threading.Semaphore(0)


def on_message(message: mqttsession.Message) -> None:
    print(f"{message.topic}: {message.payload.decode()} °C (QoS {message.qos})")
    arrived.release()


with mqttsession.Session(address) as session:
    session.subscribe("first/python/#", on_message, qos=2)
    session.publish("first/python/cellar", "12.0")
    session.publish("first/python/kitchen", "21.5", qos=1)
    number = session.publish("first/python/attic", "27.3", qos=2)
    session.wait(number, timeout=10)
    for _ in range(3):
        arrived.acquire(timeout=10)
