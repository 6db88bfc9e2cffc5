//! Log lines: `TIME [LEVEL] module: message: key=value`, or one JSON object each.

use std::{
    fmt::{self, Write as _},
    fs::OpenOptions,
    io,
    sync::{Arc, Mutex},
};

use drover_runtime::{Clock, RealClock};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Registry,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::config::{LogConfig, LogLevel};

/// Crates whose lines are the agent's own.
const OWN: [&str; 7] =
    ["drover_agent", "drover_client", "drover_integrations", "drover_jobspec", "drover_runtime", "drover_server", "drover_template"];

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
    let (filter, handle) = reload::Layer::new(filter(config.level));
    let format = Lines { json: config.json, location: config.include_location, clock: Arc::new(RealClock) };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).event_format(format).with_writer(writer);
    let installed = tracing_subscriber::registry().with(filter).with(layer).try_init();
    installed.map_err(|error| error.to_string())?;
    Ok(Logging { filter: handle })
}

/// Our own lines from the level on; those of libraries only when they warn, unless everything is wanted.
fn filter(level: LogLevel) -> EnvFilter {
    let word = level.as_str().to_ascii_lowercase();
    let others = match level {
        LogLevel::Trace => "debug",
        LogLevel::Error => "error",
        LogLevel::Off => "off",
        LogLevel::Debug | LogLevel::Info | LogLevel::Warn => "warn",
    };
    let own: Vec<String> = OWN.iter().map(|name| format!("{name}={word}")).collect();
    EnvFilter::new(format!("{others},{}", own.join(",")))
}

struct Lines {
    json: bool,
    location: bool,
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (metadata, now) = (event.metadata(), self.clock.now());
        let module = metadata.target().replace("drover_", "").replace("::", ".");
        let mut fields = Fields::default();
        event.record(&mut fields);
        let place = metadata.file().zip(metadata.line()).filter(|_| self.location).map(|(file, line)| format!("{file}:{line}"));
        if self.json {
            let mut object = Map::new();
            object.insert("@level".to_owned(), word(*metadata.level()).trim().to_lowercase().into());
            object.insert("@message".to_owned(), fields.message.into());
            object.insert("@module".to_owned(), module.into());
            object.insert("@timestamp".to_owned(), now.to_string().into());
            if let Some(place) = place {
                object.insert("@caller".to_owned(), place.into());
            }
            object.extend(fields.rest);
            return writeln!(writer, "{}", Value::Object(object));
        }
        let milliseconds = now.to_string();
        let shown = milliseconds.get(..23).map_or_else(|| milliseconds.clone(), |text| format!("{text}Z"));
        write!(writer, "    {shown} {} ", bracketed(*metadata.level()))?;
        if let Some(place) = place {
            write!(writer, "{place}: ")?;
        }
        write!(writer, "{module}: {}", fields.message)?;
        for (position, (key, value)) in fields.rest.iter().enumerate() {
            let separator = if position == 0 { ": " } else { " " };
            match value {
                Value::String(text) if text.is_empty() || text.contains([' ', '"', '=', '\n']) => {
                    write!(writer, "{separator}{key}={text:?}")?
                }
                Value::String(text) => write!(writer, "{separator}{key}={text}")?,
                other => write!(writer, "{separator}{key}={other}")?,
            }
        }
        writeln!(writer)
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::TRACE => "TRACE",
        Level::DEBUG => "DEBUG",
        Level::INFO => "INFO",
        Level::WARN => "WARN",
        Level::ERROR => "ERROR",
    }
}

/// All of one width.
fn bracketed(level: Level) -> String {
    format!("{:<7}", format!("[{}]", word(level)))
}

/// What an event carries.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            // What `log` adds to lines that come through it.
            name if name.starts_with("log.") => {}
            name => drop(self.rest.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text.into());
    }
}
