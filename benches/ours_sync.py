"""mqttsession, its synchronous session with callbacks."""

import time

import bench
import mqttsession
from bench import Clock, Run, Tally

LIBRARY = f"mqttsession {mqttsession.__version__}"


def connect(run: Run, client_id: str = "bench") -> mqttsession.Session:
    version = "5.0" if run.version == 5 else "3.1.1"
    address = f"{run.host}:{run.port}"
    session = mqttsession.Session(
        address, client_id=client_id, version=version, in_flight_limit=min(run.window, 65535)
    )
    session.connect()
    return session


def publish(run: Run) -> None:
    session = connect(run)
    send, payload, qos = session.publish, run.payload, run.qos
    completed = Tally()
    clock = Clock()
    if qos == 0:
        for _ in range(run.count):
            send("t/data", payload)
        session.wait(send("t/fin", b"", 1))
    else:
        window, count_one = run.window, completed.add
        for i in range(run.count):
            if i - completed.value >= window:
                completed.wait(i - window // 2)
            send("t/data", payload, qos, on_complete=count_one)
        completed.wait(run.count)
    clock.report(run, LIBRARY, run.count)


def receive(run: Run) -> None:
    session = connect(run)
    received = Tally()
    clock = Clock()
    session.subscribe(run.source, received.add, run.qos)
    received.wait(run.count)
    clock.report(run, LIBRARY, received.value)


def latency(run: Run) -> None:
    session = connect(run)
    received = Tally()
    session.subscribe("echo/x", received.add)
    trips = []
    clock = Clock()
    for i in range(-bench.WARM_UP, run.count):
        if i == 0:
            clock = Clock()
        start = time.perf_counter()
        wanted = received.value + 1
        session.publish("echo/x", run.payload)
        received.wait(wanted)
        if i >= 0:
            trips.append((time.perf_counter() - start) * 1e6)
    clock.report_latency(run, LIBRARY, trips)


def idle(run: Run) -> None:
    before = bench.process_status("VmRSS")
    clock = Clock()
    sessions = [connect(run, f"bench{i}") for i in range(run.count)]
    took = clock.elapsed()
    time.sleep(1)  # what is measured is what remains when everything has settled
    clock.report_idle(run, LIBRARY, took, before)
    sessions.clear()


bench.main(pub=publish, recv=receive, latency=latency, idle=idle)
