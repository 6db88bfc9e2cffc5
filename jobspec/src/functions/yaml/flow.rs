//! Flow style, which YAML has in common with JSON: brackets, braces and quoted text.

use std::collections::BTreeMap;

use crate::value::Value;

use super::decode::{MAX_DEPTH, plain};

pub(super) enum Problem {
    /// The text ends within the value; more lines may follow.
    Unfinished,
    Wrong(String),
}

/// Reads flow style: `[a, "b"]`, `{k: v}`, and quoted strings.
pub(super) struct Flow<'a> {
    pub(super) rest: &'a str,
    pub(super) line: usize,
}

impl Flow<'_> {
    pub(super) fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn wrong<T>(&self, reason: &str) -> Result<T, Problem> {
        Err(Problem::Wrong(format!("line {}: {reason}", self.line)))
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value, Problem> {
        if depth > MAX_DEPTH {
            return self.wrong("nested too deep");
        }
        self.space();
        match self.rest.chars().next() {
            None => Err(Problem::Unfinished),
            Some('"') => self.double_quoted().map(Value::from),
            Some('\'') => self.single_quoted().map(Value::from),
            Some('[') => self.list(depth),
            Some('{') => self.map(depth),
            Some(_) => {
                let end = self.rest.find([',', ']', '}', ':']).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                Ok(plain(&text.trim().replace('\n', " ")))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        self.eat('[');
        let mut items = Vec::new();
        loop {
            self.space();
            if self.eat(']') {
                return Ok(Value::list(items));
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if !self.eat(',') && !self.rest.starts_with(']') {
                return if self.rest.is_empty() { Err(Problem::Unfinished) } else { self.wrong("expected \",\" or \"]\"") };
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        self.eat('{');
        let mut entries = BTreeMap::new();
        loop {
            self.space();
            if self.eat('}') {
                return Ok(Value::object(entries));
            }
            let key = self.value(depth + 1)?;
            let Ok(key) = key.to_text() else { return self.wrong("a key must be text") };
            self.space();
            if !self.eat(':') {
                return if self.rest.is_empty() { Err(Problem::Unfinished) } else { self.wrong("expected \":\"") };
            }
            let value = self.value(depth + 1)?;
            entries.insert(key.to_string(), value);
            self.space();
            if !self.eat(',') && !self.rest.starts_with('}') {
                return if self.rest.is_empty() { Err(Problem::Unfinished) } else { self.wrong("expected \",\" or \"}\"") };
            }
        }
    }

    fn single_quoted(&mut self) -> Result<String, Problem> {
        self.eat('\'');
        let mut text = String::new();
        loop {
            let Some(end) = self.rest.find('\'') else { return Err(Problem::Unfinished) };
            text.push_str(&self.rest[..end].replace('\n', " "));
            self.rest = &self.rest[end + 1..];
            if !self.eat('\'') {
                return Ok(text);
            }
            text.push('\'');
        }
    }

    fn double_quoted(&mut self) -> Result<String, Problem> {
        self.eat('"');
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => {
                    let Some((at, escape)) = chars.next() else { return Err(Problem::Unfinished) };
                    let digits = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    if digits > 0 {
                        let code = self
                            .rest
                            .get(at + 1..at + 1 + digits)
                            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                            .and_then(char::from_u32);
                        let Some(code) = code else { return self.wrong("bad escape in a quoted string") };
                        text.push(code);
                        chars.nth(digits - 1);
                    } else {
                        text.push(match escape {
                            'n' => '\n',
                            't' => '\t',
                            'r' => '\r',
                            '0' => '\0',
                            'a' => '\u{7}',
                            'b' => '\u{8}',
                            'e' => '\u{1b}',
                            '"' | '\\' | '/' | ' ' => escape,
                            _ => return self.wrong("bad escape in a quoted string"),
                        });
                    }
                }
                '\n' => text.push(' '),
                other => text.push(other),
            }
        }
        Err(Problem::Unfinished)
    }
}
