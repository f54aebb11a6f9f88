"""A durable session: what it has stored arrives, whatever becomes of this process.

Run it while the broker is down, then once more when it is up.
"""

import sys

import mqttsession

address = sys.argv[1] if len(sys.argv) > 1 else "mqtt://localhost"
directory = sys.argv[2] if len(sys.argv) > 2 else "store"

session = mqttsession.Session(
    address,
    client_id="meter",
    clean_session=False,  # the broker keeps its half, too
    store=directory,
    retry_first_connect=True,
)
try:
    session.connect(timeout=2)
except TimeoutError:
    print("no broker yet; the session goes on trying")

number = session.publish("durable/python/meter", "4711", qos=2)
session.wait_stored(number, timeout=10)
print(f"message {number} is stored: it arrives exactly once, even if the power goes now")

print(f"messages for the next run: {session.disconnect(drain=2)}")
session.close()
