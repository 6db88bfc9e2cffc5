//! The life of an agent as a command: configuration, banner, signals.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Agent, AgentFlags, Config, ConfigError, StartError, footprint,
    logging::{self, Logging},
};

/// When what starting needed has been done: registration, the first heartbeats and queries.
const SETTLED_AFTER: Duration = Duration::from_secs(4);
/// How long everything may take to end once tasks have been killed.
const HURRIED_STOP: Duration = Duration::from_secs(5);

/// Why the command ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("Error loading configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("Error setting up logging: {0}")]
    Logging(String),
    #[error("Error starting agent: {0}")]
    Start(#[from] StartError),
    #[error("Error starting agent: {0}")]
    Runtime(#[source] io::Error),
}

/// Runs an agent until it is told to stop.
pub fn run(flags: AgentFlags) -> Result<(), RunError> {
    let config = Config::load(&flags, &|name| std::env::var(name).ok())?;
    let logging = logging::install(&config.log).map_err(RunError::Logging)?;
    let runtime = threads(&config).build().map_err(RunError::Runtime)?;
    let outcome = runtime.block_on(live(flags, config, logging));
    // What blocks (a file system that hangs, say) must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

/// As many threads as there are cores, or as `TOKIO_WORKER_THREADS` says; for one of several servers, see [`worker_threads`].
fn threads(config: &Config) -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("drover");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if let Some(threads) = worker_threads(config, cores).filter(|_| std::env::var_os("TOKIO_WORKER_THREADS").is_none()) {
        builder.worker_threads(threads);
    }
    builder
}

/// One of several servers takes a thread less than there are cores: with every write it waits for the others anyway, and a thread that is woken to help finds
/// little to do (on two cores, a fifth of the time that a registration takes). What takes long hands its thread over (`drover_runtime::in_place`), so one is
/// enough. None: what is usual.
fn worker_threads(config: &Config, cores: usize) -> Option<usize> {
    let server = &config.server;
    let is_one_of_several = server.enabled && (server.bootstrap_expect != 1 || !server.join.addresses.is_empty());
    is_one_of_several.then(|| cores.saturating_sub(1).max(1))
}

async fn live(flags: AgentFlags, config: Config, logging: Logging) -> Result<(), RunError> {
    // Before anything starts, so that a signal that comes early is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Runtime)?;
    let mut reload = signal(SignalKind::hangup()).map_err(RunError::Runtime)?;
    say(&loading(&config));
    let agent = tokio::select! {
        agent = Agent::start(config) => agent?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    say(&banner(&agent));
    notify("READY=1");
    let settled = tokio::time::sleep(SETTLED_AFTER);
    tokio::pin!(settled);
    let mut is_settled = false;
    let leaves = loop {
        tokio::select! {
            () = &mut settled, if !is_settled => {
                is_settled = true;
                if let Err(error) = footprint::release_code() {
                    tracing::debug!(%error, "code that only starting needed stays mapped");
                }
            }
            _ = interrupt.recv() => break agent.config().leave_on_interrupt,
            _ = terminate.recv() => break agent.config().leave_on_terminate,
            _ = reload.recv() => reload_configuration(&flags, &logging, &agent),
        }
    };
    notify("STOPPING=1");
    let wishes = agent.last_wishes();
    say(&farewell(wishes.live_allocations()));
    let stopping = async {
        if leaves {
            agent.leave().await;
        }
        agent.shutdown().await;
    };
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => return Ok(()),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if wishes.live_allocations() == 0 {
        say("==> Caught second signal: exiting at once\n");
        return Ok(());
    }
    // A throw-away agent leaves no processes behind, however impatient its user is.
    say("==> Caught second signal: killing tasks...\n");
    wishes.kill_tasks().await;
    tokio::select! {
        () = &mut stopping => {}
        () = tokio::time::sleep(HURRIED_STOP) => say("==> Not everything has ended in time: exiting\n"),
        _ = interrupt.recv() => say("==> Caught third signal: exiting at once\n"),
        _ = terminate.recv() => say("==> Caught third signal: exiting at once\n"),
    }
    Ok(())
}

/// What a signal means here. Tasks end with a throw-away agent only; how many that are is what its user waits for.
fn farewell(live: usize) -> String {
    let text = "==> Caught signal: gracefully shutting down agent...\n";
    match live {
        0 => text.to_owned(),
        1 => format!("{text}    1 allocation is being stopped; another signal kills it\n"),
        _ => format!("{text}    {live} allocations are being stopped; another signal kills them\n"),
    }
}

/// Reads the configuration anew. The log level and the certificates are what can change while an agent runs.
fn reload_configuration(flags: &AgentFlags, logging: &Logging, agent: &Agent) {
    match Config::load(flags, &|name| std::env::var(name).ok()) {
        Ok(config) => {
            logging.set_level(config.log.level);
            match agent.reload(&config) {
                Ok(()) => tracing::info!(level = config.log.level.as_str(), "configuration reloaded"),
                Err(error) => tracing::error!(%error, "the certificates were not renewed; the agent goes on with those it has"),
            }
        }
        Err(error) => tracing::error!(%error, "the configuration was not reloaded"),
    }
}

fn loading(config: &Config) -> String {
    let mut text = String::new();
    if config.files.is_empty() {
        text.push_str("==> No configuration files loaded\n");
    } else {
        let files: Vec<String> = config.files.iter().map(|path| path.display().to_string()).collect();
        text.push_str(&format!("==> Loaded configuration from {}\n", files.join(", ")));
    }
    text.push_str("==> Starting Drover agent...\n");
    text
}

fn banner(agent: &Agent) -> String {
    let config = agent.config();
    let advertise = &config.advertise;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows = [
        ("Advertise Addrs", format!("HTTP: {}; RPC: {}; Serf: {}", word(&advertise.http), word(&advertise.rpc), word(&advertise.serf))),
        ("Bind Addrs", format!("HTTP: [{}]; RPC: {}", agent.http_address(), config.rpc_address())),
        ("Client", config.client.enabled.to_string()),
        ("Log Level", config.log.level.as_str().to_owned()),
        ("Node Id", agent.node_id().map(|id| id.to_string()).unwrap_or_default()),
        ("Region", format!("{} (DC: {})", config.region, config.datacenter)),
        ("Server", config.server.enabled.to_string()),
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let lines: Vec<String> =
        rows.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:>22}: {value}\n")).collect();
    format!("==> Drover agent configuration:\n\n{}\n==> Drover agent started! Log data will stream in below:\n\n", lines.concat())
}

/// To standard output, which may be gone.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Tells the service manager how far the agent is, when there is one.
fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = std::os::unix::net::UnixDatagram::unbound().and_then(|socket| socket.send_to(state.as_bytes(), path));
    if let Err(error) = sent {
        tracing::debug!(%error, state, "the service manager was not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_servers_leaves_a_core_to_the_others() {
        let config = |server: &str| Config::from_text(&format!("data_dir = \"/d\"\n{server}"), "agent.hcl", false).unwrap();
        let several = config("server {\n  enabled = true\n  bootstrap_expect = 3\n}");
        assert_eq!([1, 2, 8].map(|cores| worker_threads(&several, cores)), [Some(1), Some(1), Some(7)]);
        let joins = "server {\n  enabled = true\n  bootstrap_expect = 1\n  server_join {\n    retry_join = [\"10.0.0.7\"]\n  }\n}";
        assert_eq!(worker_threads(&config(joins), 4), Some(3));
        let alone = "server {\n  enabled = true\n  bootstrap_expect = 1\n}";
        assert_eq!(worker_threads(&config(alone), 4), None);
        assert_eq!(worker_threads(&config("client {\n  enabled = true\n}"), 4), None);
    }
}
