//! `mqttsession-broker`: an MQTT broker for demos and tests, in a program of its own so that the
//! client library never carries one.

mod arguments;

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use mqtt5::broker::{
    BrokerConfig, MqttBroker, PasswordAuthProvider, StorageBackendType, StorageConfig,
    config::{AuthConfig, RateLimitConfig, TlsConfig, WebSocketConfig},
};
use tokio::sync::oneshot;

use arguments::{Arguments, Request, USAGE};

fn main() -> ExitCode {
    let arguments = match Request::parse(std::env::args_os().skip(1)) {
        Ok(Request::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Request::Version) => {
            println!("mqttsession-broker {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Ok(Request::Serve(arguments)) => arguments,
        Err(reason) => {
            eprintln!("mqttsession-broker: {reason}");
            return ExitCode::from(2);
        }
    };
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mqttsession-broker: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // The broker takes the process's default. Built in one go with the client library, rustls
    // has two providers compiled in and would refuse to choose.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "another TLS provider is installed already")?;

    // Taken before the listeners are announced: a signal that comes right after must stop us.
    let stop = stop_requests(arguments.stop_at_end_of_input)?;
    let mut broker = MqttBroker::with_config(configuration(&arguments)).await?;
    let listeners = listeners(&arguments, &broker)?;
    if !arguments.users.is_empty() {
        // Refuses whoever names no user; what the configuration says about that no longer counts.
        let provider = PasswordAuthProvider::new();
        for (name, password) in &arguments.users {
            provider.add_user(name.as_str(), password)?;
        }
        broker = broker.with_auth_provider(Arc::new(provider));
    }

    let handle = broker.shutdown_handle();
    let mut ready = broker.ready_receiver();
    let mut running = tokio::spawn(async move { broker.run().await });
    tokio::select! {
        ended = &mut running => return Ok(ended??),
        turned = ready.wait_for(|ready| *ready) => { turned?; }
    }
    announce(&listeners)?;

    tokio::select! {
        ended = &mut running => return Ok(ended??),
        () = stop => handle.shutdown(),
    }
    // A connection that does not end in good time is cut off by the end of the process.
    match tokio::time::timeout(Duration::from_secs(2), running).await {
        Ok(ended) => Ok(ended??),
        Err(_) => Ok(()),
    }
}

fn configuration(arguments: &Arguments) -> BrokerConfig {
    // The broker's own default announces 256 MiB. A test broker should refuse long before.
    const MAXIMUM_PACKET_SIZE: usize = 16 * 1024 * 1024;

    let at = |port| SocketAddr::new(arguments.host, port);
    // A test of wrong passwords must not lock the tests after it out.
    let rate_limit = RateLimitConfig { enabled: false, ..RateLimitConfig::default() };
    let mut configuration = BrokerConfig::new()
        .with_bind_address(at(arguments.port))
        .with_max_packet_size(MAXIMUM_PACKET_SIZE)
        // Persistence stays on, without it there are no sessions; in memory, the default is files.
        .with_storage(StorageConfig::new().with_backend(StorageBackendType::Memory))
        .with_auth(AuthConfig { rate_limit, ..AuthConfig::default() })
        .with_sys_topics_enabled(false);
    if let Some(tls) = &arguments.tls {
        let mut listener = TlsConfig::new(tls.certificate.clone(), tls.key.clone())
            .with_bind_address(at(tls.port))
            .with_require_client_cert(tls.require_client_certificate);
        listener.ca_file = tls.ca.clone();
        configuration = configuration.with_tls(listener);
    }
    if let Some(port) = arguments.websocket_port {
        configuration =
            configuration.with_websocket(WebSocketConfig::new().with_bind_address(at(port)));
    }
    configuration
}

/// The address of each listener. One that was asked for and could not be bound is an error: the
/// broker itself only logs that.
fn listeners(arguments: &Arguments, broker: &MqttBroker) -> Result<Vec<String>, String> {
    let mut listeners = Vec::new();
    let mut add = |scheme, address: Option<SocketAddr>, path| {
        let address = address.ok_or_else(|| format!("the {scheme} port cannot be bound"))?;
        listeners.push(format!("{scheme}://{address}{path}"));
        Ok::<_, String>(())
    };
    add("mqtt", broker.local_addr(), "")?;
    if arguments.tls.is_some() {
        add("mqtts", broker.tls_local_addr(), "")?;
    }
    if arguments.websocket_port.is_some() {
        add("ws", broker.ws_local_addr(), "/mqtt")?;
    }
    Ok(listeners)
}

/// Flushed, because whoever started us waits for these lines on a pipe.
fn announce(listeners: &[String]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for listener in listeners {
        writeln!(output, "listening {listener}")?;
    }
    output.flush()
}

/// Completes when the broker is to stop.
fn stop_requests(at_end_of_input: bool) -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;

    let (end_of_input, ended) = oneshot::channel::<()>();
    if at_end_of_input {
        // A thread, not the runtime's standard input: a read that never ends would keep the
        // runtime from ending when a signal stops us.
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            let mut buffer = [0; 512];
            while input.read(&mut buffer).is_ok_and(|read| read > 0) {}
            drop(end_of_input);
        });
    }
    let ended = async move {
        match at_end_of_input {
            true => _ = ended.await,
            false => std::future::pending().await,
        }
    };

    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = ended => {}
        }
        #[cfg(not(unix))]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = ended => {}
        }
    })
}
