"""Receive numbers with QoS 2 through a store, and say which are begun and ended to be handled.

    receiver.py ADDRESS VERSION SET_ASIDE_AFTER STORE

It goes on until it is killed.
"""

import signal
import sys
import time

import mqttsession
from program import connect, make_session, say


def on_message(message: mqttsession.Message) -> None:
    number = message.payload.decode()
    say(f"enter {number} {int(message.redelivered)}")
    # The work, of up to six milliseconds, in which to die.
    time.sleep(int(number) % 4 * 0.002)
    say(f"leave {number}")


session = make_session("receiver", *sys.argv[1:])
session.subscribe("crash", on_message, qos=2)
connect(session)
while True:
    signal.pause()
