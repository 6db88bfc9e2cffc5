//! One directive with its argument.

use super::super::value::{Text, Value};
use super::super::{float, quote};
use super::{complex, display, go_syntax, integer};
use crate::limits::{DOCUMENT_DEPTH, OUTPUT_BYTES};

/// What stands between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

pub(super) struct Printer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) flags: Flags,
    /// Fields of structs print with their names.
    pub(super) names: bool,
}

impl Printer<'_> {
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match verb {
            'T' => self.pad(value.type_name().as_bytes()),
            'v' if self.flags.sharp => {
                let mut text = Vec::new();
                go_syntax(&mut text, value, 0);
                self.pad(&text);
            }
            'v' => {
                // Here the sign asks for the names of fields, not for one before numbers.
                self.names = std::mem::take(&mut self.flags.plus);
                self.value(value, verb, 0);
            }
            _ => self.value(value, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > DOCUMENT_DEPTH || self.out.len() > OUTPUT_BYTES {
            self.out.extend_from_slice(b"...");
            return;
        }
        match value {
            Value::Nil | Value::NilPointer(_) if verb == 'v' => self.pad(b"<nil>"),
            Value::Nil => self.pad_plain(&format!("%!{verb}(<nil>)")),
            Value::NilPointer(name) => self.pad_plain(&format!("%!{verb}({name}=<nil>)")),
            Value::Bool(flag) if matches!(verb, 't' | 'v') => self.pad(flag.to_string().as_bytes()),
            Value::Int(number, _) => self.integer(value, number.unsigned_abs().into(), *number < 0, verb),
            Value::Uint(number, _) => self.integer(value, (*number).into(), false, verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Complex(real, imaginary) => self.pad(complex(*real, *imaginary).as_bytes()),
            Value::Str(text) | Value::Number(text) => self.string(value, text, verb),
            Value::Object(object) if matches!(verb, 's' | 'v' | 'q' | 'x' | 'X') && object.display().is_some() => {
                let text = object.display().unwrap_or_else(|| Text::from(""));
                self.string(value, &text, verb);
            }
            Value::List(list) => {
                self.out.push(b'[');
                for (index, item) in list.items.iter().enumerate() {
                    self.separate(index);
                    self.value(item, verb, depth + 1);
                }
                self.out.push(b']');
            }
            Value::Map(map) => {
                self.out.extend_from_slice(b"map[");
                for (index, (key, item)) in map.snapshot().iter().enumerate() {
                    self.separate(index);
                    self.value(&key.value(), verb, depth + 1);
                    self.out.push(b':');
                    self.value(item, verb, depth + 1);
                }
                self.out.push(b']');
            }
            Value::Object(object) => {
                let pointer = object.type_name().starts_with('*');
                self.out.extend_from_slice(if pointer { b"&{" } else { b"{" });
                for (index, (name, item)) in object.fields().iter().enumerate() {
                    self.separate(index);
                    if self.names {
                        self.out.extend_from_slice(name.as_bytes());
                        self.out.push(b':');
                    }
                    self.value(item, verb, depth + 1);
                }
                self.out.push(b'}');
            }
            Value::Bool(_) => self.bad(value, verb),
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b' ');
        }
    }

    fn integer(&mut self, value: &Value, magnitude: u128, negative: bool, verb: char) {
        let text = match verb {
            'v' | 'd' => integer::format(magnitude, negative, 10, false, verb, &self.flags),
            'b' => integer::format(magnitude, negative, 2, false, verb, &self.flags),
            'o' | 'O' => integer::format(magnitude, negative, 8, false, verb, &self.flags),
            'x' => integer::format(magnitude, negative, 16, false, verb, &self.flags),
            'X' => integer::format(magnitude, negative, 16, true, verb, &self.flags),
            'c' => character(magnitude, negative).to_string(),
            'q' => quote::quote_char(character(magnitude, negative), self.flags.plus),
            'U' => integer::unicode(magnitude, &self.flags),
            _ => return self.bad(value, verb),
        };
        self.flags.zero = false;
        self.pad(text.as_bytes());
    }

    fn float(&mut self, value: &Value, number: f64, verb: char) {
        let precision = self.flags.precision;
        let text = match (float::special(number), verb) {
            (_, verb) if !matches!(verb, 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => return self.bad(value, verb),
            (Some(special), _) => {
                self.flags.zero = false;
                special.trim_start_matches(if self.flags.plus { '\0' } else { '+' }).to_owned()
            }
            (None, 'e' | 'E') => float::exponential(number, Some(precision.unwrap_or(6))),
            (None, 'f' | 'F') => float::fixed(number, Some(precision.unwrap_or(6))),
            (None, _) => float::general(number, precision.or_else(|| self.flags.sharp.then_some(6)), self.flags.sharp),
        };
        // A lone infinity keeps its sign, as the language prints it.
        let text = if number == f64::INFINITY && !text.starts_with('+') { format!("+{text}") } else { text };
        let text = if matches!(verb, 'E' | 'G') { text.to_uppercase() } else { text };
        let signed = text.starts_with(['-', '+']);
        let text = match (signed, self.flags.plus, self.flags.space) {
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
            _ => text,
        };
        match (self.flags.zero, self.flags.width) {
            (true, Some(width)) if width > text.len() => {
                let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+', ' '])));
                let width = width - sign.len();
                self.out.extend_from_slice(format!("{sign}{digits:0>width$}").as_bytes());
            }
            _ => self.pad(text.as_bytes()),
        }
    }

    fn string(&mut self, value: &Value, text: &Text, verb: char) {
        let cut = self.cut(text.as_bytes());
        match verb {
            'v' | 's' => self.pad(&cut),
            'q' => {
                let raw = self.flags.sharp && !cut.iter().any(|byte| *byte == b'`' || (*byte < 0x20 && *byte != b'\t'));
                let quoted = if raw {
                    format!("`{}`", String::from_utf8_lossy(&cut))
                } else if self.flags.plus {
                    quote::quote_ascii(&cut)
                } else {
                    quote::quote(&cut)
                };
                self.pad(quoted.as_bytes());
            }
            'x' | 'X' => {
                let text = self.hexadecimal(&cut, verb == 'X');
                self.pad(text.as_bytes());
            }
            _ => self.bad(value, verb),
        }
    }

    fn hexadecimal(&self, bytes: &[u8], upper: bool) -> String {
        let mut text = String::with_capacity(bytes.len() * 2);
        for (index, byte) in bytes.iter().enumerate() {
            if self.flags.space && index > 0 {
                text.push(' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                text.push_str(if upper { "0X" } else { "0x" });
            }
            text += &if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        }
        text
    }

    /// To as many characters as the precision says.
    fn cut(&self, bytes: &[u8]) -> Vec<u8> {
        match self.flags.precision {
            None => bytes.to_vec(),
            Some(precision) => String::from_utf8_lossy(bytes).chars().take(precision).collect::<String>().into_bytes(),
        }
    }

    /// The verb does not fit the value.
    fn bad(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(format!("%!{verb}({}=", value.type_name()).as_bytes());
        let mut text = Vec::new();
        display(&mut text, value);
        self.pad(&text);
        self.out.push(b')');
    }

    fn pad_plain(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn pad(&mut self, text: &[u8]) {
        let characters = String::from_utf8_lossy(text).chars().count();
        let missing = self.flags.width.unwrap_or(0).saturating_sub(characters);
        let filler = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.out.resize(self.out.len() + missing, b' ');
        } else {
            self.out.resize(self.out.len() + missing, filler);
            self.out.extend_from_slice(text);
        }
    }
}

fn character(magnitude: u128, negative: bool) -> char {
    u32::try_from(magnitude).ok().filter(|_| !negative).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
