//! `printf`, and how values print.

use super::context::check_bytes;
use super::float;
use super::function::Fault;
use super::quote;
use super::value::{Key, ListType, Text, Value};
use crate::limits::{DOCUMENT_DEPTH, OUTPUT_BYTES};

mod integer;
mod printer;

use printer::{Flags, Printer};

/// What `{{ value }}` writes.
pub(crate) fn print(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => out.extend_from_slice(b"<no value>"),
        other => display(out, other),
    }
}

/// As `%v`. Too deep parts become `...`; what is longer than any output may be is cut, and refused by whoever asked.
pub(crate) fn display(out: &mut Vec<u8>, value: &Value) {
    display_at(out, value, 0);
}

fn display_at(out: &mut Vec<u8>, value: &Value, depth: usize) {
    if depth > DOCUMENT_DEPTH {
        out.extend_from_slice(b"...");
        return;
    }
    if out.len() > OUTPUT_BYTES {
        return;
    }
    let display = |out: &mut Vec<u8>, value: &Value| display_at(out, value, depth + 1);
    match value {
        Value::Nil | Value::NilPointer(_) => out.extend_from_slice(b"<nil>"),
        Value::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Int(value, _) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Uint(value, _) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Float(value) => out.extend_from_slice(float::display(*value).as_bytes()),
        Value::Complex(real, imaginary) => out.extend_from_slice(complex(*real, *imaginary).as_bytes()),
        Value::Str(text) | Value::Number(text) => out.extend_from_slice(text.as_bytes()),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                display(out, item);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (index, (key, value)) in map.snapshot().iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                display(out, &key.value());
                out.push(b':');
                display(out, value);
            }
            out.push(b']');
        }
        Value::Object(object) => match object.display() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => {
                out.extend_from_slice(if object.type_name().starts_with('*') { b"&{" } else { b"{" });
                for (index, (_, value)) in object.fields().iter().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    display(out, value);
                }
                out.push(b'}');
            }
        },
    }
}

/// `(1+2i)`
pub(crate) fn complex(real: f64, imaginary: f64) -> String {
    let part = float::display(imaginary);
    let sign = if part.starts_with(['+', '-']) { "" } else { "+" };
    format!("({}{sign}{part}i)", float::display(real))
}

/// As `%v`, as a string of its own.
pub(crate) fn to_text(value: &Value) -> Text {
    match value {
        Value::Str(text) | Value::Number(text) => text.clone(),
        other => {
            let mut out = Vec::new();
            display(&mut out, other);
            out.into()
        }
    }
}

/// As `%v`, for messages.
pub(crate) fn to_string(value: &Value) -> String {
    to_text(value).to_str().into_owned()
}

/// `print`: a blank between two operands that are both no strings.
pub(crate) fn sprint(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let is_string = |value: &Value| matches!(value, Value::Str(_) | Value::Number(_));
        if index > 0 && !is_string(value) && !is_string(&values[index - 1]) {
            out.push(b' ');
        }
        display(&mut out, value);
    }
    out
}

/// `println`.
pub(crate) fn sprintln(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        display(&mut out, value);
    }
    out.push(b'\n');
    out
}

/// `printf`.
pub(crate) fn sprintf(format: &str, arguments: &[Value]) -> Result<Vec<u8>, Fault> {
    let mut directive = Directives { rest: format, arguments, next: 0, reordered: false, good_index: true, out: Vec::new() };
    while let Some(at) = directive.rest.find('%') {
        directive.out.extend_from_slice(&directive.rest.as_bytes()[..at]);
        directive.rest = &directive.rest[at + 1..];
        directive.one();
        check_bytes(directive.out.len())?;
    }
    directive.out.extend_from_slice(directive.rest.as_bytes());
    directive.extra();
    check_bytes(directive.out.len())?;
    Ok(directive.out)
}

/// The most that a width or precision may ask for.
const LARGEST_WIDTH: usize = 1_000_000;

struct Directives<'a> {
    rest: &'a str,
    arguments: &'a [Value],
    next: usize,
    /// An explicit index was used: extra arguments are then no mistake.
    reordered: bool,
    good_index: bool,
    out: Vec<u8>,
}

impl Directives<'_> {
    fn one(&mut self) {
        let mut flags = Flags::default();
        self.good_index = true;
        self.read_flags(&mut flags);
        let mut after_index = self.index();
        if self.rest.starts_with('*') {
            self.rest = &self.rest[1..];
            match self.star() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.zero &= !flags.minus;
                    flags.width = Some(usize::try_from(width.unsigned_abs()).unwrap_or(LARGEST_WIDTH));
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number();
            self.good_index &= !(after_index && flags.width.is_some());
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            self.good_index &= !after_index;
            after_index = self.index();
            if self.rest.starts_with('*') {
                self.rest = &self.rest[1..];
                flags.precision = self.star().and_then(|value| usize::try_from(value).ok());
                if flags.precision.is_none() {
                    self.out.extend_from_slice(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        self.verb(flags);
    }

    fn verb(&mut self, flags: Flags) {
        let Some(verb) = self.rest.chars().next() else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            self.out.push(b'%');
        } else if !self.good_index {
            self.out.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            Printer { out: &mut self.out, flags, names: false }.argument(argument, verb);
        } else {
            self.out.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        }
    }

    fn read_flags(&mut self, flags: &mut Flags) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = !flags.minus,
                '+' => flags.plus = true,
                '-' => {
                    flags.minus = true;
                    flags.zero = false;
                }
                ' ' => flags.space = true,
                _ => return,
            }
            self.rest = &self.rest[1..];
        }
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return None;
        }
        let (text, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Some(text.parse::<usize>().unwrap_or(LARGEST_WIDTH).min(LARGEST_WIDTH))
    }

    /// A width or precision from the arguments.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        let value = match argument {
            Value::Int(value, _) => *value,
            Value::Uint(value, _) => i64::try_from(*value).ok()?,
            _ => return None,
        };
        (value.unsigned_abs() <= LARGEST_WIDTH as u64).then_some(value)
    }

    /// `[n]`: the next argument to use. True if there was one.
    fn index(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix('[') else { return false };
        self.reordered = true;
        let Some((digits, after)) = rest.split_once(']') else {
            self.good_index = false;
            self.rest = rest;
            return false;
        };
        self.rest = after;
        match digits.parse::<usize>() {
            Ok(index) if (1..=self.arguments.len()).contains(&index) => {
                self.next = index - 1;
                true
            }
            _ => {
                self.good_index = false;
                true
            }
        }
    }

    fn extra(&mut self) {
        if self.reordered || self.next >= self.arguments.len() {
            return;
        }
        self.out.extend_from_slice(b"%!(EXTRA ");
        for (index, argument) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            match argument {
                Value::Nil => self.out.extend_from_slice(b"<nil>"),
                other => {
                    self.out.extend_from_slice(other.type_name().as_bytes());
                    self.out.push(b'=');
                    display(&mut self.out, other);
                }
            }
        }
        self.out.push(b')');
    }
}

/// As `%#v`: Go syntax.
fn go_syntax(out: &mut Vec<u8>, value: &Value, depth: usize) {
    if depth > DOCUMENT_DEPTH || out.len() > OUTPUT_BYTES {
        out.extend_from_slice(b"...");
        return;
    }
    match value {
        Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::NilPointer(name) => out.extend_from_slice(format!("({name})(nil)").as_bytes()),
        Value::Uint(value, _) => out.extend_from_slice(format!("{value:#x}").as_bytes()),
        Value::Str(text) | Value::Number(text) => out.extend_from_slice(quote::quote(text.as_bytes()).as_bytes()),
        Value::List(list) => {
            out.extend_from_slice(list.of.name().as_bytes());
            out.push(b'{');
            separated(out, &list.items, |out, item| nested_go_syntax(out, item, list.of == ListType::Any, depth + 1));
            out.push(b'}');
        }
        Value::Map(map) => {
            out.extend_from_slice(map.of.name().as_bytes());
            out.push(b'{');
            separated(out, &map.snapshot(), |out, (key, value): &(Key, Value)| {
                go_syntax(out, &key.value(), depth + 1);
                out.push(b':');
                nested_go_syntax(out, value, true, depth + 1);
            });
            out.push(b'}');
        }
        Value::Object(object) => {
            let name = object.type_name();
            out.extend_from_slice(name.strip_prefix('*').map_or_else(|| name.to_owned(), |name| format!("&{name}")).as_bytes());
            out.push(b'{');
            separated(out, &object.fields(), |out, (name, value): &(&str, Value)| {
                out.extend_from_slice(name.as_bytes());
                out.push(b':');
                go_syntax(out, value, depth + 1);
            });
            out.push(b'}');
        }
        other => display(out, other),
    }
}

fn nested_go_syntax(out: &mut Vec<u8>, value: &Value, is_interface: bool, depth: usize) {
    match value {
        Value::Nil if is_interface => out.extend_from_slice(b"interface {}(nil)"),
        other => go_syntax(out, other, depth),
    }
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], mut each: impl FnMut(&mut Vec<u8>, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        each(out, item);
    }
}
