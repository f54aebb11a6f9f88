//! rumqttc: what it measures and prints is what `bench.h` says. MQTT 3.1.1.
//!
//! The environment's `BENCH_RUNTIME=current-thread` has all of it run on one thread.

mod locked;

use std::{
    env,
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use measure::{Run, Start, WARM_UP, describe_idle, describe_trips, process_status};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Requests that wait for the event loop; it takes no more, so a publisher waits there.
const REQUESTS: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = Run::read(&arguments).and_then(|run| runtime()?.block_on(measure(&run)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Result<Runtime> {
    let one = env::var("BENCH_RUNTIME").is_ok_and(|runtime| runtime == "current-thread");
    let mut builder = if one { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    Ok(builder.enable_all().build()?)
}

async fn measure(run: &Run) -> Result<()> {
    match run.mode.as_str() {
        _ if run.version != 4 => Err("this driver speaks 3.1.1".into()),
        "pub" => publish(run).await,
        "recv" => receive(run).await,
        "latency" => latency(run).await,
        "idle" => idle(run).await,
        other => Err(format!("no mode {other:?}").into()),
    }
}

async fn connect(run: &Run, client_id: &str) -> Result<(AsyncClient, EventLoop)> {
    let (host, port) = run.address.rsplit_once(':').ok_or("an address is host and port")?;
    let mut options = MqttOptions::new(client_id, host, port.parse()?);
    options.set_keep_alive(Duration::from_secs(60));
    options.set_inflight(u16::try_from(run.window)?);
    let largest = run.size + 1024;
    options.set_max_packet_size(largest, largest);
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    let mut network = events.network_options();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    await_packet(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await?;
    Ok((client, events))
}

async fn await_packet(events: &mut EventLoop, wanted: impl Fn(&Packet) -> bool) -> Result<()> {
    loop {
        if let Event::Incoming(packet) = events.poll().await?
            && wanted(&packet)
        {
            return Ok(());
        }
    }
}

fn qos(run: &Run) -> Result<QoS> {
    rumqttc::qos(run.qos).map_err(|_| "QoS is 0, 1 or 2".into())
}

fn report(run: &Run, start: &Start, messages: i64, extra: Value) -> Result<()> {
    let library = format!("rumqttc {}", locked::version("rumqttc"));
    start.report(&library, run, messages, extra)
}

async fn publish(run: &Run) -> Result<()> {
    let (client, mut events) = connect(run, "bench").await?;
    let (count, qos) = (run.count, qos(run)?);
    let payload = Bytes::from(vec![b'x'; run.size]);
    let start = Start::now()?;
    let publisher = tokio::spawn(async move {
        for _ in 0..count {
            client.publish_bytes("t/data", qos, false, payload.clone()).await?;
        }
        if qos == QoS::AtMostOnce {
            client.publish_bytes("t/fin", QoS::AtLeastOnce, false, Bytes::new()).await?;
        }
        // Its end would end the event loop, too.
        Ok::<_, rumqttc::ClientError>(client)
    });
    let ends = |packet: &Packet| match qos {
        QoS::ExactlyOnce => matches!(packet, Packet::PubComp(_)),
        _ => matches!(packet, Packet::PubAck(_)),
    };
    for _ in 0..if qos == QoS::AtMostOnce { 1 } else { count } {
        await_packet(&mut events, ends).await?;
    }
    report(run, &start, count, json!({}))?;
    publisher.await??;
    Ok(())
}

async fn receive(run: &Run) -> Result<()> {
    let (client, mut events) = connect(run, "bench").await?;
    let filter = format!("source/{}/{}/{}", run.qos, run.count, run.size);
    let start = Start::now()?;
    client.subscribe(filter, qos(run)?).await?;
    for _ in 0..run.count {
        await_packet(&mut events, |packet| matches!(packet, Packet::Publish(_))).await?;
    }
    report(run, &start, run.count, json!({}))
}

async fn latency(run: &Run) -> Result<()> {
    let (client, mut events) = connect(run, "bench").await?;
    let payload = Bytes::from(vec![b'x'; run.size]);
    client.subscribe("echo/x", QoS::AtMostOnce).await?;
    await_packet(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await?;
    let mut start = Start::now()?;
    let mut trips = Vec::new();
    for number in -WARM_UP..run.count {
        if number == 0 {
            start = Start::now()?;
        }
        let before = Instant::now();
        client.publish_bytes("echo/x", QoS::AtMostOnce, false, payload.clone()).await?;
        await_packet(&mut events, |packet| matches!(packet, Packet::Publish(_))).await?;
        if number >= 0 {
            trips.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    report(run, &start, run.count, describe_trips(trips))
}

async fn idle(run: &Run) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let mut clients = Vec::new();
    for number in 0..run.count {
        let (client, mut events) = connect(run, &format!("bench{number}")).await?;
        clients.push(client);
        tokio::spawn(async move { while events.poll().await.is_ok() {} });
    }
    let extra = describe_idle(&start, before, run.count)?;
    report(run, &start, run.count, extra)
}
