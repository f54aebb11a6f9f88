"""Eclipse Paho for Python with its network thread and callbacks."""

import socket
import threading
import time

import bench
import paho.mqtt
from bench import Clock, Run, Tally
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5, MQTTv311

LIBRARY = f"paho-mqtt {paho.mqtt.__version__}"


def set_no_delay(_client: Client, _user: object, sock: socket.socket) -> None:
    """What every other peer does by itself; without it Nagle's algorithm would be measured."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def start(run: Run, client_id: str, connected: threading.Semaphore) -> Client:
    protocol = MQTTv5 if run.version == 5 else MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
    client.max_inflight_messages_set(run.window)
    client.on_socket_open = set_no_delay
    client.on_connect = lambda *_: connected.release()
    client.connect(run.host, run.port)
    client.loop_start()
    return client


def connect(run: Run) -> Client:
    connected = threading.Semaphore(0)
    client = start(run, "bench", connected)
    connected.acquire()
    return client


def publish(run: Run) -> None:
    client = connect(run)
    completed = Tally()
    client.on_publish = completed.add
    send, payload, qos, window, count = client.publish, run.payload, run.qos, run.window, run.count
    clock = Clock()
    for i in range(count):
        if i - completed.value >= window:
            completed.wait(i - window // 2)
        send("t/data", payload, qos)
    if qos == 0:  # its acknowledgement proves that all before it have arrived
        send("t/fin", b"", 1)
        count += 1
    completed.wait(count)
    clock.report(run, LIBRARY, run.count)


def receive(run: Run) -> None:
    client = connect(run)
    received = Tally()
    client.on_message = received.add
    clock = Clock()
    client.subscribe(run.source, run.qos)
    received.wait(run.count)
    clock.report(run, LIBRARY, received.value)


def latency(run: Run) -> None:
    client = connect(run)
    subscribed, received = threading.Semaphore(0), threading.Semaphore(0)
    client.on_subscribe = lambda *_: subscribed.release()
    client.on_message = lambda *_: received.release()
    client.subscribe("echo/x", 0)
    subscribed.acquire()
    trips = []
    clock = Clock()
    for i in range(-bench.WARM_UP, run.count):
        if i == 0:
            clock = Clock()
        before = time.perf_counter()
        client.publish("echo/x", run.payload, 0)
        received.acquire()
        if i >= 0:
            trips.append((time.perf_counter() - before) * 1e6)
    clock.report_latency(run, LIBRARY, trips)


def idle(run: Run) -> None:
    connected = threading.Semaphore(0)
    rss = bench.process_status("VmRSS")
    clock = Clock()
    clients = [start(run, f"bench{i}", connected) for i in range(run.count)]
    for _ in clients:
        connected.acquire()
    connect_s = clock.elapsed()
    time.sleep(1)
    clock.report_idle(run, LIBRARY, connect_s, rss)


bench.main(pub=publish, recv=receive, latency=latency, idle=idle)
