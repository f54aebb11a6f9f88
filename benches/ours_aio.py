"""mqttsession on asyncio's event loop.

As it is, it publishes without awaiting and is told of each completion by a callback, and receives by
a callback. With BENCH_AWAIT=1 it awaits everything: each publish of QoS 1 and 2 in a task of its own,
and messages by `async for`.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable

import bench
import mqttsession
from bench import Clock, LoopTally, Run
from mqttsession import aio
from mqttsession.error import CapacityError

LIBRARY = f"mqttsession.aio {mqttsession.__version__}"
AWAITS = os.environ.get("BENCH_AWAIT") == "1"


async def connect(run: Run, client_id: str = "bench") -> aio.Session:
    version = "5.0" if run.version == 5 else "3.1.1"
    session = aio.Session(
        f"{run.host}:{run.port}",
        client_id=client_id,
        version=version,
        in_flight_limit=min(run.window, 65535),
    )
    await session.connect()
    return session


async def publish(run: Run) -> None:
    session = await connect(run)
    clock = Clock()
    if run.qos == 0:
        await (publish_each if AWAITS else publish_unconfirmed)(run, session)
        await session.publish("t/fin", b"", 1)
    else:
        await (publish_in_tasks if AWAITS else publish_with_completions)(run, session)
    clock.report(run, LIBRARY, run.count)


async def publish_unconfirmed(run: Run, session: aio.Session) -> None:
    send, payload = session.publish_nowait, run.payload
    for _ in range(run.count):
        try:
            send("t/data", payload)
        except CapacityError:
            await session.flush()
            send("t/data", payload)


async def publish_each(run: Run, session: aio.Session) -> None:
    for _ in range(run.count):
        await session.publish("t/data", run.payload)


async def publish_with_completions(run: Run, session: aio.Session) -> None:
    completed = LoopTally()
    send, payload, qos, count_one = session.publish_nowait, run.payload, run.qos, completed.add
    for i in range(run.count):
        if i - completed.value >= run.window:
            await completed.wait(i - run.window // 2)
        send("t/data", payload, qos, on_complete=count_one)
    await completed.wait(run.count)


async def publish_in_tasks(run: Run, session: aio.Session) -> None:
    tasks: deque[asyncio.Task[mqttsession.PublishResult]] = deque()
    for _ in range(run.count):
        if len(tasks) >= run.window:
            for _ in range(run.window // 2):
                await tasks.popleft()
        tasks.append(asyncio.create_task(session.publish("t/data", run.payload, run.qos)))
    for task in tasks:
        await task


async def receive(run: Run) -> None:
    session = await connect(run)
    clock = Clock()
    if AWAITS:
        received = 0
        async for _ in session.messages(run.source, run.qos):
            received += 1
            if received == run.count:
                break
    else:
        tally = LoopTally()
        await session.subscribe(run.source, tally.add, run.qos)
        await tally.wait(run.count)
        received = tally.value
    clock.report(run, LIBRARY, received)


async def latency(run: Run) -> None:
    session = await connect(run)
    arrive = await (arrive_by_iterator if AWAITS else arrive_by_callback)(session, run)
    trips = []
    clock = Clock()
    for i in range(-bench.WARM_UP, run.count):
        if i == 0:
            clock = Clock()
        start = time.perf_counter()
        session.publish_nowait("echo/x", run.payload)
        await arrive()
        if i >= 0:
            trips.append((time.perf_counter() - start) * 1e6)
    clock.report_latency(run, LIBRARY, trips)


async def arrive_by_callback(session: aio.Session, run: Run) -> Callable[[], Awaitable[object]]:
    """Subscribe, and return what waits for one message more."""
    received = LoopTally()
    await session.subscribe("echo/x", received.add, run.qos)
    return lambda: received.wait(received.value + 1)


async def arrive_by_iterator(session: aio.Session, run: Run) -> Callable[[], Awaitable[object]]:
    """The same with `async for`'s iterator."""
    messages = await session.messages("echo/x", run.qos).__aenter__()
    return lambda: anext(messages)


async def idle(run: Run) -> None:
    before = bench.process_status("VmRSS")
    clock = Clock()
    sessions = [await connect(run, f"bench{i}") for i in range(run.count)]
    took = clock.elapsed()
    await asyncio.sleep(1)  # what is measured is what remains when everything has settled
    clock.report_idle(run, LIBRARY, took, before)
    sessions.clear()


bench.main(
    pub=lambda run: asyncio.run(publish(run)),
    recv=lambda run: asyncio.run(receive(run)),
    latency=lambda run: asyncio.run(latency(run)),
    idle=lambda run: asyncio.run(idle(run)),
)
