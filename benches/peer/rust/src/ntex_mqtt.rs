//! ntex-mqtt: what it measures and prints is what `bench.h` says. MQTT 3.1.1, QoS 0 and 1, as that is what
//! its client has; one thread, which its handle cannot leave.

mod locked;

use std::{
    cell::{Cell, RefCell},
    env,
    error::Error,
    future::poll_fn,
    process::ExitCode,
    rc::Rc,
    task::{Poll, Waker},
    time::Instant,
};

use measure::{Run, Start, WARM_UP, describe_idle, describe_trips, process_status};
use ntex_bytes::Bytes;
use ntex_mqtt::{MqttServiceConfig, QoS, v3};
use ntex_service::{Pipeline, cfg::SharedCfg};
use ntex_util::time::Seconds;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Octets of QoS 0 that are handed over in one turn of the loop: nothing else bounds what gathers.
const TURN: usize = 256 << 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = Run::read(&arguments).and_then(|run| {
        ntex_rt::System::new("bench", ntex_net::DefaultRuntime)
            .block_on(async move { measure(&run).await })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
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

/// Counts up; one task may wait for a value.
#[derive(Clone, Default)]
struct Count(Rc<Counting>);

#[derive(Default)]
struct Counting {
    value: Cell<i64>,
    waiting: RefCell<Option<(i64, Waker)>>,
}

impl Count {
    fn add(&self) {
        let value = self.0.value.get() + 1;
        self.0.value.set(value);
        let mut waiting = self.0.waiting.borrow_mut();
        if waiting.as_ref().is_some_and(|(wanted, _)| value >= *wanted)
            && let Some((_, waker)) = waiting.take()
        {
            waker.wake();
        }
    }

    async fn wait(&self, wanted: i64) {
        poll_fn(|context| {
            if self.0.value.get() >= wanted {
                return Poll::Ready(());
            }
            *self.0.waiting.borrow_mut() = Some((wanted, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Lets the loop turn once.
async fn turn() {
    let mut turned = false;
    poll_fn(|context| {
        if turned {
            return Poll::Ready(());
        }
        turned = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn connect(run: &Run, client_id: &str) -> Result<v3::client::Client> {
    let settings = MqttServiceConfig::new()
        .set_max_send(u16::try_from(run.window)?)
        .set_max_receive(1000)
        .set_max_receive_size(64 << 20)
        .set_min_chunk_size(1 << 20);
    let settings = SharedCfg::new("bench").add(settings);
    let connect = v3::client::Connect::new(run.address.clone())
        .client_id(client_id.to_owned())
        .clean_session()
        .keep_alive(Seconds(60));
    let connector = v3::client::MqttConnector::new();
    let connected = Pipeline::new(SharedCfg::from(settings), connector).call(connect).await;
    connected.map_err(|error| format!("connect: {error:?}").into())
}

fn failed(error: impl std::fmt::Debug) -> Box<dyn Error> {
    format!("{error:?}").into()
}

fn report(run: &Run, start: &Start, messages: i64, extra: Value) -> Result<()> {
    let library = format!("ntex-mqtt {}", locked::version("ntex-mqtt"));
    start.report(&library, run, messages, extra)
}

async fn publish(run: &Run) -> Result<()> {
    let client = connect(run, "bench").await?;
    let sink = client.sink();
    let completed = Count::default();
    let counting = completed.clone();
    sink.publish_ack_cb(move |_, _| counting.add());
    ntex_util::spawn(client.start_default());
    let payload = Bytes::from(vec![b'x'; run.size]);
    let start = Start::now()?;
    if run.qos == 0 {
        let batch = (TURN / (run.size + 16)).clamp(4, 1000) as i64;
        for number in 1..=run.count {
            sink.publish("t/data").send_at_most_once(payload.clone()).map_err(failed)?;
            if number % batch == 0 {
                turn().await;
            }
        }
        sink.publish("t/fin").send_at_least_once(Bytes::new()).await.map_err(failed)?;
    } else {
        for _ in 0..run.count {
            while !sink.is_ready() {
                sink.ready().await;
            }
            let publish = sink.publish("t/data");
            publish.send_at_least_once_no_block(payload.clone()).map_err(failed)?;
        }
        completed.wait(run.count).await;
    }
    report(run, &start, run.count, json!({}))
}

/// Starts a client that counts what it receives.
fn count_in(client: v3::client::Client, received: &Count) {
    let received = received.clone();
    let handler = move |publish: v3::Publish| {
        let received = received.clone();
        async move {
            publish.read_all().await.map_err(|_| ())?;
            received.add();
            Ok::<_, ()>(())
        }
    };
    ntex_util::spawn(client.resource("{tail}*", handler).start_default());
}

async fn subscribe(sink: &v3::MqttSink, filter: String, qos: QoS) -> Result<()> {
    sink.subscribe().topic_filter(filter.into(), qos).send().await.map_err(failed)?;
    Ok(())
}

async fn receive(run: &Run) -> Result<()> {
    let client = connect(run, "bench").await?;
    let (sink, received) = (client.sink(), Count::default());
    count_in(client, &received);
    let qos = if run.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let start = Start::now()?;
    subscribe(&sink, format!("source/{}/{}/{}", run.qos, run.count, run.size), qos).await?;
    received.wait(run.count).await;
    report(run, &start, run.count, json!({}))
}

async fn latency(run: &Run) -> Result<()> {
    let client = connect(run, "bench").await?;
    let (sink, received) = (client.sink(), Count::default());
    count_in(client, &received);
    subscribe(&sink, "echo/x".to_owned(), QoS::AtMostOnce).await?;
    let payload = Bytes::from(vec![b'x'; run.size]);
    let mut start = Start::now()?;
    let mut trips = Vec::new();
    for number in -WARM_UP..run.count {
        if number == 0 {
            start = Start::now()?;
        }
        let before = Instant::now();
        sink.publish("echo/x").send_at_most_once(payload.clone()).map_err(failed)?;
        received.wait(number + WARM_UP + 1).await;
        if number >= 0 {
            trips.push(before.elapsed().as_secs_f64() * 1e6);
        }
    }
    report(run, &start, run.count, describe_trips(trips))
}

async fn idle(run: &Run) -> Result<()> {
    let before = process_status("VmRSS")?;
    let start = Start::now()?;
    let mut sinks = Vec::new();
    for number in 0..run.count {
        let client = connect(run, &format!("bench{number}")).await?;
        sinks.push(client.sink());
        ntex_util::spawn(client.start_default());
    }
    let extra = describe_idle(&start, before, run.count)?;
    report(run, &start, run.count, extra)
}
