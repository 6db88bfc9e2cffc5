//! One event of the log, and the two forms of a line: `TIME [LEVEL] module: message: key=value`, or a JSON object.

use std::fmt::{self, Write};

use drover_model::time::UnixNanos;
use serde_json::{Map, Value};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) json: bool,
    /// Where in the code a line comes from.
    pub(crate) location: bool,
}

/// An event with what a line needs of it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    at: UnixNanos,
    place: Option<(&'static str, u32)>,
    message: String,
    fields: Map<String, Value>,
}

impl Record {
    pub(crate) fn new(event: &Event<'_>, at: UnixNanos) -> Self {
        let metadata = event.metadata();
        let mut record = Self {
            level: *metadata.level(),
            target: metadata.target(),
            at,
            place: metadata.file().zip(metadata.line()),
            message: String::new(),
            fields: Map::new(),
        };
        event.record(&mut record);
        record
    }

    /// A line that nobody traced.
    pub(crate) fn said(level: Level, message: String, at: UnixNanos) -> Self {
        Self { level, target: module_path!(), at, place: None, message, fields: Map::new() }
    }

    /// Writes the line with its end.
    pub(crate) fn write(&self, form: Form, writer: &mut dyn Write) -> fmt::Result {
        let module = self.target.replace("drover_", "").replace("::", ".");
        let place = self.place.filter(|_| form.location).map(|(file, line)| format!("{file}:{line}"));
        if form.json { self.write_json(module, place, writer) } else { self.write_text(&module, place, writer) }
    }

    fn write_json(&self, module: String, place: Option<String>, writer: &mut dyn Write) -> fmt::Result {
        let mut object = Map::new();
        object.insert("@level".to_owned(), word(self.level).to_lowercase().into());
        object.insert("@message".to_owned(), self.message.as_str().into());
        object.insert("@module".to_owned(), module.into());
        object.insert("@timestamp".to_owned(), self.at.to_string().into());
        if let Some(place) = place {
            object.insert("@caller".to_owned(), place.into());
        }
        object.extend(self.fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        writeln!(writer, "{}", Value::Object(object))
    }

    fn write_text(&self, module: &str, place: Option<String>, writer: &mut dyn Write) -> fmt::Result {
        let full = self.at.to_string();
        let milliseconds = full.get(..23).map_or_else(|| full.clone(), |text| format!("{text}Z"));
        write!(writer, "{milliseconds} {} ", bracketed(self.level))?;
        if let Some(place) = place {
            write!(writer, "{place}: ")?;
        }
        write!(writer, "{module}: {}", self.message)?;
        for (position, (key, value)) in self.fields.iter().enumerate() {
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

    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            // What `log` adds to lines that come through it.
            name if name.starts_with("log.") => {}
            name => drop(self.fields.insert(name.to_owned(), value)),
        }
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

impl Visit for Record {
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
