"""mqttsession on asyncio's event loop."""

import asyncio
import time

import bench
import mqttsession
from bench import Clock, Run
from mqttsession import aio
from mqttsession.error import CapacityError

LIBRARY = f"mqttsession.aio {mqttsession.__version__}"


async def connect(run: Run, client_id: str = "bench") -> aio.Session:
    version = "5.0" if run.version == 5 else "3.1.1"
    session = aio.Session(f"{run.host}:{run.port}", client_id=client_id, version=version)
    await session.connect()
    return session


async def publish(run: Run) -> None:
    session = await connect(run)
    clock = Clock()
    if run.qos == 0:
        send, payload = session.publish_nowait, run.payload
        for _ in range(run.count):
            try:
                send("t/data", payload)
            except CapacityError:
                await session.flush()
                session.publish_nowait("t/data", payload)
        await session.publish("t/fin", b"", 1)
    else:
        sent = 0
        while sent < run.count:
            batch = min(run.window, run.count - sent)
            await asyncio.gather(
                *(session.publish("t/data", run.payload, run.qos) for _ in range(batch))
            )
            sent += batch
    clock.report(run, LIBRARY, run.count)


async def receive(run: Run) -> None:
    session = await connect(run)
    received = 0
    clock = Clock()
    async for _ in session.messages(run.source, run.qos):
        received += 1
        if received == run.count:
            break
    clock.report(run, LIBRARY, received)


async def latency(run: Run) -> None:
    session = await connect(run)
    trips = []
    messages = aiter(session.messages("echo/x"))
    # The subscription begins with the first wait, so the warm-up begins it.
    first = asyncio.ensure_future(anext(messages))
    while not first.done():
        session.publish_nowait("echo/x", run.payload)
        await asyncio.sleep(0.01)
    await first
    clock = Clock()
    for i in range(-bench.WARM_UP, run.count):
        if i == 0:
            clock = Clock()
        start = time.perf_counter()
        session.publish_nowait("echo/x", run.payload)
        await anext(messages)
        if i >= 0:
            trips.append((time.perf_counter() - start) * 1e6)
    clock.report_latency(run, LIBRARY, trips)


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
