"""Ask and answer (MQTT 5.0); one session does both here, usually two programs do."""

import sys

import mqttsession


def add_one(request: mqttsession.Message) -> str:
    return str(int(request.payload) + 1)


address = sys.argv[1] if len(sys.argv) > 1 else "mqtt://localhost"

with mqttsession.Session(address, version="5.0") as session:
    session.respond("sum/python", add_one)
    answer = session.request("sum/python", "41", timeout=10)
    print(f"41 and 1 are {answer.payload.decode()}")
