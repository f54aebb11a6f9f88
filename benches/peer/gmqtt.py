"""gmqtt, on the event loop of the standard library."""

import asyncio
import time

import bench
import gmqtt
from bench import Clock, LoopTally, Run
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.storage import PersistentStorage

LIBRARY = f"gmqtt {gmqtt.__version__}"

# Calls and octets between two turns of the loop at QoS 0. gmqtt says nowhere how much it still
# has to write, and the transport's buffer has no bound of its own.
TURN_MESSAGES, TURN_OCTETS = 1000, 256 * 1024


class CountingStorage(PersistentStorage):
    """gmqtt reports no completed publish; what leaves its store has been acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.completed = LoopTally()

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        self.completed.add()


async def connect(run: Run, client_id: str = "bench", **options: object) -> gmqtt.Client:
    client = gmqtt.Client(client_id, **options)
    version = MQTTv50 if run.version == 5 else MQTTv311
    await client.connect(run.host, run.port, version=version)
    return client


async def publish(run: Run) -> None:
    storage = CountingStorage()
    client = await connect(run, persistent_storage=storage)
    completed = storage.completed
    send, payload, qos, window = client.publish, run.payload, run.qos, run.window
    turn = max(1, min(TURN_MESSAGES, TURN_OCTETS // (run.size + 1)))
    clock = Clock()
    if qos == 0:
        for i in range(run.count):
            if i % turn == 0:
                await asyncio.sleep(0)
            send("t/data", payload)
        send("t/fin", b"", qos=1)  # its acknowledgement proves that all before it have arrived
        await completed.wait(1)
    else:
        for i in range(run.count):
            if i - completed.value >= window:
                await completed.wait(i - window // 2)
            send("t/data", payload, qos=qos)
        await completed.wait(run.count)
    clock.report(run, LIBRARY, run.count)


async def receive(run: Run) -> None:
    client = await connect(run)
    received = LoopTally()
    client.on_message = received.add
    clock = Clock()
    client.subscribe(run.source, qos=run.qos)
    await received.wait(run.count)
    clock.report(run, LIBRARY, received.value)


async def latency(run: Run) -> None:
    client = await connect(run)
    subscribed, received = LoopTally(), LoopTally()
    client.on_subscribe, client.on_message = subscribed.add, received.add
    client.subscribe("echo/x", qos=0)
    await subscribed.wait(1)
    trips = []
    clock = Clock()
    for i in range(-bench.WARM_UP, run.count):
        if i == 0:
            clock = Clock()
        before = time.perf_counter()
        client.publish("echo/x", run.payload)
        await received.wait(i + bench.WARM_UP + 1)
        if i >= 0:
            trips.append((time.perf_counter() - before) * 1e6)
    clock.report_latency(run, LIBRARY, trips)


async def idle(run: Run) -> None:
    rss = bench.process_status("VmRSS")
    clock = Clock()
    _clients = [await connect(run, f"bench{i}") for i in range(run.count)]
    connect_s = clock.elapsed()
    await asyncio.sleep(1)
    clock.report_idle(run, LIBRARY, connect_s, rss)


bench.main(
    pub=lambda run: asyncio.run(publish(run)),
    recv=lambda run: asyncio.run(receive(run)),
    latency=lambda run: asyncio.run(latency(run)),
    idle=lambda run: asyncio.run(idle(run)),
)
