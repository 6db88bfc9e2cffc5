//! Values to JSON.

use std::fmt::Write;

use crate::go::context::check_bytes;
use crate::go::float;
use crate::go::format;
use crate::go::function::Fault;
use crate::go::value::{MapType, Text, Value};
use crate::limits::DOCUMENT_DEPTH;

/// How to write it.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Style<'a> {
    pub(in crate::functions) indent: Option<&'a str>,
    /// `<`, `>` and `&` as escapes.
    pub(in crate::functions) escape_html: bool,
}

pub(in crate::functions) fn encode(value: &Value, style: Style<'_>) -> Result<String, Fault> {
    let mut writer = Writer { out: String::new(), style, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    style: Style<'a>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Fault> {
        check_bytes(self.out.len())?;
        match value {
            Value::Nil | Value::NilPointer(_) => self.out.push_str("null"),
            Value::Bool(value) => {
                let _ = write!(self.out, "{value}");
            }
            Value::Int(value, _) => {
                let _ = write!(self.out, "{value}");
            }
            Value::Uint(value, _) => {
                let _ = write!(self.out, "{value}");
            }
            Value::Float(value) => self.float(*value)?,
            Value::Complex(..) => return Err("json: unsupported type: complex128".into()),
            Value::Str(text) => self.string(text),
            Value::Number(text) => {
                self.out.push_str(if text.is_empty() { "0" } else { std::str::from_utf8(text.as_bytes()).unwrap_or("0") })
            }
            Value::List(list) => self.list(&list.items)?,
            Value::Map(map) => {
                if map.of == MapType::AnyAny {
                    return Err(format!("json: unsupported type: {}", map.of.name()).into());
                }
                let entries = map.snapshot().into_iter().map(|(key, value)| (format::to_text(&key.value()), value));
                self.entries(entries.collect())?;
            }
            Value::Object(object) => match object.plain() {
                Some(plain) => self.value(&plain)?,
                None => self.entries(object.fields().into_iter().map(|(name, value)| (Text::from(name), value)).collect())?,
            },
        }
        Ok(())
    }

    fn float(&mut self, value: f64) -> Result<(), Fault> {
        if float::special(value).is_some() {
            return Err(format!("json: unsupported value: {}", float::display(value)).into());
        }
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            // Two digits of a negative exponent are one too many here.
            self.out += &float::exponential(value, None).replace("e-0", "e-");
        } else {
            self.out += &float::fixed(value, None);
        }
        Ok(())
    }

    fn string(&mut self, text: &Text) {
        self.out.push('"');
        for c in text.to_str().chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\x08' => self.out.push_str("\\b"),
                '\x0c' => self.out.push_str("\\f"),
                '<' | '>' | '&' if !self.style.escape_html => self.out.push(c),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                    let _ = write!(self.out, "\\u{:04x}", c as u32);
                }
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    fn list(&mut self, items: &[Value]) -> Result<(), Fault> {
        if items.is_empty() {
            self.out.push_str("[]");
            return Ok(());
        }
        self.open('[')?;
        for (index, item) in items.iter().enumerate() {
            self.next(index);
            self.value(item)?;
        }
        self.close(']');
        Ok(())
    }

    fn entries(&mut self, entries: Vec<(Text, Value)>) -> Result<(), Fault> {
        if entries.is_empty() {
            self.out.push_str("{}");
            return Ok(());
        }
        self.open('{')?;
        for (index, (key, value)) in entries.iter().enumerate() {
            self.next(index);
            self.string(key);
            self.out.push(':');
            if self.style.indent.is_some() {
                self.out.push(' ');
            }
            self.value(value)?;
        }
        self.close('}');
        Ok(())
    }

    fn open(&mut self, bracket: char) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DOCUMENT_DEPTH {
            return Err(Fault::Limit(format!("a document nested more than {DOCUMENT_DEPTH} deep")));
        }
        self.out.push(bracket);
        Ok(())
    }

    fn next(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.line();
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        self.line();
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if let Some(indent) = self.style.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(indent);
            }
        }
    }
}
