//! JSON to values. Every number is a float.

use std::collections::BTreeMap;

use crate::go::function::{Answer, Fault};
use crate::go::value::{Key, Text, Value};
use crate::limits::DOCUMENT_DEPTH;

pub(in crate::functions) fn decode(source: &str) -> Answer {
    let mut reader = Reader { rest: source, depth: 0 };
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(c) => Err(invalid(c, "after top-level value")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

fn invalid(c: char, context: &str) -> Fault {
    let shown = match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => crate::go::quote::quote_char(c, false),
    };
    Fault::Message(format!("invalid character {shown} {context}"))
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// The next character, which must be there.
    fn need(&self) -> Result<char, Fault> {
        self.peek().ok_or_else(|| Fault::from("unexpected end of JSON input"))
    }

    fn value(&mut self) -> Answer {
        match self.need()? {
            '{' => self.deeper(Self::object),
            '[' => self.deeper(Self::array),
            '"' => Ok(Value::Str(self.string()?)),
            't' => self.word("true", Value::Bool(true)),
            'f' => self.word("false", Value::Bool(false)),
            'n' => self.word("null", Value::Nil),
            '-' | '0'..='9' => self.number(),
            c => Err(invalid(c, "looking for beginning of value")),
        }
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Answer) -> Answer {
        self.depth += 1;
        if self.depth > DOCUMENT_DEPTH {
            return Err(Fault::Limit(format!("a document nested more than {DOCUMENT_DEPTH} deep")));
        }
        self.take();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Answer {
        let mut entries = BTreeMap::new();
        self.skip_space();
        if self.need()? == '}' {
            self.take();
            return Ok(Value::any_map(entries));
        }
        loop {
            self.skip_space();
            match self.need()? {
                '"' => {}
                c => return Err(invalid(c, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            self.skip_space();
            match self.need()? {
                ':' => self.take(),
                c => return Err(invalid(c, "after object key")),
            };
            self.skip_space();
            let value = self.value()?;
            entries.insert(Key::Str(key), value);
            self.skip_space();
            match self.need()? {
                ',' => self.take(),
                '}' => {
                    self.take();
                    return Ok(Value::any_map(entries));
                }
                c => return Err(invalid(c, "after object key:value pair")),
            };
        }
    }

    fn array(&mut self) -> Answer {
        let mut items = Vec::new();
        self.skip_space();
        if self.need()? == ']' {
            self.take();
            return Ok(Value::any_list(items));
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            match self.need()? {
                ',' => self.take(),
                ']' => {
                    self.take();
                    return Ok(Value::any_list(items));
                }
                c => return Err(invalid(c, "after array element")),
            };
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Answer {
        self.take();
        for wanted in word.chars().skip(1) {
            match self.need()? {
                c if c == wanted => self.take(),
                c => return Err(invalid(c, &format!("in literal {word} (expecting '{wanted}')"))),
            };
        }
        Ok(value)
    }

    fn string(&mut self) -> Result<Text, Fault> {
        self.take();
        let mut out = String::new();
        loop {
            let plain = self.rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or(self.rest.len());
            out.push_str(&self.rest[..plain]);
            self.rest = &self.rest[plain..];
            self.need()?;
            match self.take() {
                Some('"') => return Ok(out.into()),
                Some('\\') => self.escape(&mut out)?,
                Some(c) => return Err(invalid(c, "in string literal")),
                None => {}
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        let c = self.need()?;
        self.take();
        match c {
            '"' | '\\' | '/' => out.push(c),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let mut unit = self.unit()?;
                // Two halves make one character; a half alone is none.
                if (0xd800..0xdc00).contains(&unit) && self.rest.starts_with("\\u") {
                    let before = self.rest;
                    self.rest = &self.rest[2..];
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.rest = before;
                    }
                }
                out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            c => return Err(invalid(c, "in string escape code")),
        }
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let c = self.need()?;
            let digit = c.to_digit(16).ok_or_else(|| invalid(c, "in \\u hexadecimal character escape"))?;
            self.take();
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Answer {
        let start = self.rest;
        if self.peek() == Some('-') {
            self.take();
        }
        if self.peek() == Some('0') {
            self.take();
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some('.') {
            self.take();
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.take();
            if matches!(self.peek(), Some('+' | '-')) {
                self.take();
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = &start[..start.len() - self.rest.len()];
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Err(format!("json: cannot unmarshal number {text} into Go value of type float64").into()),
        }
    }

    fn digits(&mut self, context: &str) -> Result<(), Fault> {
        let c = self.need()?;
        if !c.is_ascii_digit() {
            return Err(invalid(c, context));
        }
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        Ok(())
    }
}
