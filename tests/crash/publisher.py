"""Publish ascending numbers with QoS 2 through a store, and say which are stored.

    publisher.py ADDRESS VERSION SET_ASIDE_AFTER STORE FIRST

As publisher.c, whose head says the rest.
"""

import sys

from program import connect, make_session, say

PIPELINE = 8
WAIT = 60

*arguments, first = sys.argv[1:]
number = int(first)
stored = arguments[-1] != "-"
limits = {"outgoing_limit": (200, 1 << 20), "outgoing_wait": WAIT}
session = make_session("publisher", *arguments, **limits)
connect(session)
if number == 0:
    session.flush(WAIT)
    session.disconnect(WAIT)
    session.close()
    say("drained")
    sys.exit()
while True:
    batch = range(number, number + 1 + number % PIPELINE)
    # Said first: what has not been said has never been published.
    say(f"try {batch[-1]}")
    accepted = [session.publish("crash", str(each), 2) for each in batch]
    for each, message in zip(batch, accepted, strict=True):
        if stored:
            session.wait_stored(message, WAIT)
        say(f"stored {each}")
    number = batch[-1] + 1
