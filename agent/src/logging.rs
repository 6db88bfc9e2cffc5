//! The log of the process: to standard output or a file, and to those who follow it from outside.

use std::{fmt, fs::OpenOptions, io, sync::Mutex};

use drover_runtime::{Clock, RealClock};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

pub(crate) use self::{listeners::Listener, record::Form};
use self::{
    listeners::{LISTENERS, Tap},
    record::Record,
};
use crate::config::{LogConfig, LogLevel};

mod listeners;
mod record;

/// Crates whose lines are the agent's own.
const OWN: [&str; 7] =
    ["drover_agent", "drover_client", "drover_integrations", "drover_jobspec", "drover_runtime", "drover_server", "drover_template"];

/// What these say of a server that cannot be reached or of consensus that has ended, the agent says itself, once and in other words.
const HEARD_ALREADY: [&str; 3] = ["openraft::core::raft_core", "openraft::raft", "openraft::replication"];

/// Changes the level of a running agent.
#[derive(Debug)]
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    pub(crate) fn set_level(&self, level: LogLevel) {
        let _ = self.filter.reload(filter(level));
    }
}

/// Sends all log lines of the process to standard output, or to a file.
pub(crate) fn install(config: &LogConfig) -> Result<Logging, String> {
    let writer = match &config.file {
        None => BoxMakeWriter::new(io::stdout),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| format!("log_file {}: {error}", path.display()))?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    };
    let (own, own_handle) = reload::Layer::new(filter(config.level));
    let (tapped, tapped_handle) = reload::Layer::new(filter(LogLevel::Off));
    let format = Lines(Form { json: config.json, location: config.include_location });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).event_format(format).with_writer(writer).with_filter(own);
    let layers = [lines.boxed(), Tap.with_filter(tapped).boxed()].into_iter().collect::<Vec<_>>();
    tracing_subscriber::registry().with(layers).try_init().map_err(|error| error.to_string())?;
    LISTENERS.set_filter(tapped_handle);
    Ok(Logging { filter: own_handle })
}

/// Follows the log of this process from now on.
pub(crate) fn listen(level: LogLevel, form: Form) -> Listener {
    LISTENERS.listen(level, form)
}

/// Our own lines from the level on; those of libraries only when they warn, unless everything is wanted.
fn filter(level: LogLevel) -> EnvFilter {
    let word = |level: LogLevel| level.as_str().to_ascii_lowercase();
    let mut parts = vec![word(of_others(level))];
    parts.extend(OWN.map(|name| format!("{name}={}", word(level))));
    if matches!(level, LogLevel::Info | LogLevel::Warn | LogLevel::Error) {
        // Its warnings are steps of the protocol.
        parts.push("openraft=error".to_owned());
        parts.extend(HEARD_ALREADY.map(|name| format!("{name}=off")));
    }
    EnvFilter::new(parts.join(","))
}

/// The level of libraries' lines where our own have this one.
fn of_others(level: LogLevel) -> LogLevel {
    match level {
        LogLevel::Trace => LogLevel::Debug,
        LogLevel::Error => LogLevel::Error,
        LogLevel::Off => LogLevel::Off,
        LogLevel::Debug | LogLevel::Info | LogLevel::Warn => LogLevel::Warn,
    }
}

struct Lines(Form);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !self.0.json {
            // Beneath the banner.
            write!(writer, "    ")?;
        }
        Record::new(event, RealClock.now()).write(self.0, &mut writer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Held by each test with a subscriber: what is enabled at all is a number of the whole process.
    pub(super) static SUBSCRIBED: Mutex<()> = Mutex::const_new(());

    #[test]
    fn libraries_are_heard_when_it_matters() {
        let _alone = SUBSCRIBED.blocking_lock();
        let shown = |level| {
            let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(filter(level)));
            [
                tracing::enabled!(target: "drover_server::leader", tracing::Level::INFO),
                tracing::enabled!(target: "hyper::client", tracing::Level::WARN),
                tracing::enabled!(target: "openraft::engine", tracing::Level::ERROR),
                tracing::enabled!(target: "openraft::engine", tracing::Level::WARN),
                tracing::enabled!(target: "openraft::replication", tracing::Level::ERROR),
            ]
        };
        assert_eq!(shown(LogLevel::Debug), [true; 5]);
        assert_eq!(shown(LogLevel::Info), [true, true, true, false, false]);
        assert_eq!(shown(LogLevel::Warn), [false, true, true, false, false]);
        assert_eq!(shown(LogLevel::Error), [false, false, true, false, false]);
        assert_eq!(shown(LogLevel::Off), [false; 5]);
    }
}
