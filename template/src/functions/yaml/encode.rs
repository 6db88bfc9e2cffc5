//! Values to YAML in block style. Lists are not indented below their key.

use std::cmp::Ordering;

use crate::go::context::check_bytes;
use crate::go::format;
use crate::go::function::Fault;
use crate::go::quote;
use crate::go::value::Value;
use crate::limits::DOCUMENT_DEPTH;

use super::scalar;

/// Without a newline at the end.
pub(in crate::functions) fn encode(value: &Value) -> Result<String, Fault> {
    let mut writer = Writer { out: String::new() };
    writer.value(value, 0, Position::Start)?;
    Ok(writer.out.trim_end_matches('\n').to_owned())
}

/// Where a value begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// At the start of a line.
    Start,
    /// After `key:`.
    AfterKey,
    /// After `-` and a blank: a map or list goes on in the same line.
    AfterDash,
}

struct Writer {
    out: String,
}

impl Writer {
    fn value(&mut self, value: &Value, indent: usize, position: Position) -> Result<(), Fault> {
        check_bytes(self.out.len())?;
        if indent > DOCUMENT_DEPTH * 2 {
            return Err(Fault::Limit(format!("a document nested more than {DOCUMENT_DEPTH} deep")));
        }
        match value {
            Value::List(list) if !list.items.is_empty() => self.list(&list.items, indent, position),
            Value::Map(map) if map.len() > 0 => {
                let mut entries: Vec<(Value, Value)> = map.snapshot().into_iter().map(|(key, value)| (key.value(), value)).collect();
                entries.sort_by(|(a, _), (b, _)| natural(&format::to_string(a), &format::to_string(b)));
                self.map(&entries, indent, position)
            }
            Value::Object(object) => match object.plain() {
                Some(plain) => self.value(&plain, indent, position),
                None => {
                    let fields = object.fields().into_iter();
                    let entries: Vec<(Value, Value)> = fields.map(|(name, value)| (Value::from(name.to_lowercase()), value)).collect();
                    self.map(&entries, indent, position)
                }
            },
            other => {
                if position == Position::AfterKey {
                    self.out.push(' ');
                }
                self.scalar(other, indent);
                self.out.push('\n');
                Ok(())
            }
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, position: Position) -> Result<(), Fault> {
        // A list below a key stands at the key's own column.
        let indent = if position == Position::AfterKey { indent.saturating_sub(2) } else { indent };
        if position == Position::AfterKey {
            self.out.push('\n');
        }
        for (index, item) in items.iter().enumerate() {
            self.begin(index, indent, position);
            self.out.push_str("- ");
            self.value(item, indent + 2, Position::AfterDash)?;
        }
        Ok(())
    }

    fn map(&mut self, entries: &[(Value, Value)], indent: usize, position: Position) -> Result<(), Fault> {
        if entries.is_empty() {
            self.out.push_str("{}\n");
            return Ok(());
        }
        if position == Position::AfterKey {
            self.out.push('\n');
        }
        for (index, (key, value)) in entries.iter().enumerate() {
            self.begin(index, indent, position);
            self.scalar(key, indent);
            self.out.push(':');
            self.value(value, indent + 2, Position::AfterKey)?;
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, indent: usize, position: Position) {
        if index > 0 || position != Position::AfterDash {
            self.out.push_str(&" ".repeat(indent));
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Nil | Value::NilPointer(_) => self.out.push_str("null"),
            Value::List(_) => self.out.push_str("[]"),
            Value::Map(_) => self.out.push_str("{}"),
            Value::Float(value) => self.out.push_str(&scalar::float_word(*value)),
            Value::Str(text) => self.string(&text.to_str(), indent),
            other => self.out.push_str(&format::to_string(other)),
        }
    }

    fn string(&mut self, text: &str, indent: usize) {
        let printable = text.chars().all(|c| c == '\n' || quote::is_printable(c));
        if !matches!(scalar::resolve(text), Value::Str(_)) || !printable {
            self.out.push_str(&quote::quote(text.as_bytes()));
        } else if text.contains('\n') {
            self.literal(text, indent);
        } else if is_plain(text) {
            self.out.push_str(text);
        } else {
            self.out += &format!("'{}'", text.replace('\'', "''"));
        }
    }

    /// Line by line after `|`.
    fn literal(&mut self, text: &str, indent: usize) {
        // A blank at the end of a line would be lost.
        if text.contains(" \n") || text.ends_with(' ') || text == "\n" {
            self.out.push_str(&quote::quote(text.as_bytes()));
            return;
        }
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        if !text.ends_with('\n') {
            self.out.push('-');
        } else if text.ends_with("\n\n") {
            self.out.push('+');
        }
        let indent = " ".repeat(indent.max(2));
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.out.push_str(&indent);
                self.out.push_str(line);
            }
        }
    }
}

/// True for a text that is read back as itself without quotes.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let (first, second) = (chars.next().unwrap_or(' '), chars.next());
    let starts_badly = match first {
        '-' | '?' | ':' => second.is_none_or(|c| c == ' '),
        c => " #,[]{}&*!|>'\"%@`".contains(c),
    };
    !(starts_badly
        || text.starts_with("---")
        || text.starts_with("...")
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #"))
}

/// Digits count as numbers, other signs come before letters.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else { return a.len().cmp(&b.len()) };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (digits(a), digits(b));
            let order = value(left).cmp(&value(right)).then(left.len().cmp(&right.len()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[left.len()..], &b[right.len()..]);
            continue;
        }
        if x != y {
            return x.is_alphabetic().cmp(&y.is_alphabetic()).then(x.cmp(&y));
        }
        (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
    }
}

fn digits(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len()]
}

/// Numbers of any length compare by length, then by digits.
fn value(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}
