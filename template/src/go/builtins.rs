//! The functions of the language itself.

use super::compare;
use super::context::Context;
use super::format::{sprint, sprintf, sprintln};
use super::function::{Answer, Fault, Function, Special, Type, text};
use super::value::{Key, List, MapType, Text, UintType, Value};
use super::{format, quote};

use std::cmp::Ordering;

const ANY: Type = Type::Any;

pub(crate) const BUILTINS: &[Function] = &[
    Function::special("and", &[ANY], ANY, Special::And),
    Function::special("or", &[ANY], ANY, Special::Or),
    Function::many("call", &[ANY], ANY, call),
    Function::many("html", &[], ANY, |_, arguments| Ok(escaped(arguments, html).into())),
    Function::many("index", &[ANY], ANY, |_, arguments| index(&arguments[0], &arguments[1..])),
    Function::many("js", &[], ANY, |_, arguments| Ok(escaped(arguments, javascript).into())),
    Function::new("len", &[ANY], |_, arguments| length(&arguments[0])),
    Function::new("not", &[ANY], |_, arguments| Ok(Value::Bool(!arguments[0].truth()))),
    Function::many("print", &[], ANY, |_, arguments| Ok(sprint(arguments).into())),
    Function::many("printf", &[Type::Str], ANY, |_, arguments| Ok(sprintf(&text(&arguments[0]), &arguments[1..])?.into())),
    Function::many("println", &[], ANY, |_, arguments| Ok(sprintln(arguments).into())),
    Function::many("slice", &[ANY], ANY, |_, arguments| slice(&arguments[0], &arguments[1..])),
    Function::many("urlquery", &[], ANY, |_, arguments| Ok(escaped(arguments, url_query).into())),
    Function::many("eq", &[ANY], ANY, |_, arguments| Ok(compare::equal_any(&arguments[0], &arguments[1..])?.into())),
    Function::new("ne", &[ANY, ANY], |_, arguments| Ok((!compare::equal(&arguments[0], &arguments[1])?).into())),
    Function::new("lt", &[ANY, ANY], |_, arguments| ordered(arguments, Ordering::is_lt)),
    Function::new("le", &[ANY, ANY], |_, arguments| ordered(arguments, Ordering::is_le)),
    Function::new("gt", &[ANY, ANY], |_, arguments| ordered(arguments, Ordering::is_gt)),
    Function::new("ge", &[ANY, ANY], |_, arguments| ordered(arguments, Ordering::is_ge)),
];

fn ordered(arguments: &[Value], accept: fn(Ordering) -> bool) -> Answer {
    Ok(compare::order(&arguments[0], &arguments[1])?.is_some_and(accept).into())
}

/// There are no function values in this language's data.
fn call(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let callee = &arguments[0];
    if let Value::Nil = callee {
        return Err("call of nil".into());
    }
    let shown = match callee {
        Value::Str(text) => quote::quote(text.as_bytes()),
        other => format::to_string(other),
    };
    Err(format!("non-function {shown} of type {}", callee.type_name()).into())
}

fn length(value: &Value) -> Answer {
    match value {
        Value::Str(text) | Value::Number(text) => Ok(Value::size(text.len())),
        Value::List(list) => Ok(Value::size(list.items.len())),
        Value::Map(map) => Ok(Value::size(map.len())),
        Value::Nil => Err("len of nil pointer".into()),
        other => match other.as_map() {
            Some(map) => Ok(Value::size(map.len())),
            None => Err(format!("len of type {}", other.type_name()).into()),
        },
    }
}

/// An index that must lie within `0..limit`, or at its end where that is allowed.
fn position(value: &Value, limit: usize, end_allowed: bool) -> Result<usize, Fault> {
    let number: i128 = match value {
        Value::Int(value, _) => (*value).into(),
        Value::Uint(value, _) => (*value).into(),
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    };
    usize::try_from(number)
        .ok()
        .filter(|number| *number < limit || (end_allowed && *number == limit))
        .ok_or_else(|| format!("index out of range: {number}").into())
}

fn index(item: &Value, keys: &[Value]) -> Answer {
    let mut item = item.clone();
    if let Value::Nil = item {
        return Err("index of untyped nil".into());
    }
    for key in keys {
        item = match &item {
            Value::List(list) => list.items[position(key, list.items.len(), false)?].clone(),
            Value::Str(text) | Value::Number(text) => {
                let byte = text.as_bytes()[position(key, text.len(), false)?];
                Value::Uint(byte.into(), UintType::Uint8)
            }
            Value::Nil | Value::NilPointer(_) => return Err("index of nil pointer".into()),
            other => match other.as_map() {
                Some(map) => {
                    let key = map_key(map.of, key)?;
                    map.get(&key).unwrap_or_else(|| map.zero())
                }
                None => return Err(format!("can't index item of type {}", other.type_name()).into()),
            },
        };
    }
    Ok(item)
}

/// A value as a key of such a map.
pub(crate) fn map_key(of: MapType, value: &Value) -> Result<Key, Fault> {
    let wrong = |want: &str| Fault::Message(format!("value has type {}; should be {want}", value.type_name()));
    match (of, value) {
        (MapType::AnyAny, Value::Bool(value)) => Ok(Key::Bool(*value)),
        (MapType::AnyAny, Value::Float(value)) => Ok(Key::Float(super::value::OrderedFloat(*value))),
        (MapType::AnyAny, Value::Nil) => Ok(Key::Nil),
        (MapType::AnyAny | MapType::IntKeys(_), Value::Int(value, _)) => Ok(Key::Int(*value)),
        (MapType::IntKeys(_), _) => Err(wrong("int")),
        (_, Value::Str(text)) => Ok(Key::Str(text.clone())),
        (_, Value::Nil) => Err("value is nil; should be of type string".into()),
        _ => Err(wrong("string")),
    }
}

fn slice(item: &Value, bounds: &[Value]) -> Answer {
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()).into());
    }
    let length = match item {
        Value::Str(_) if bounds.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Nil => return Err("slice of untyped nil".into()),
        other => return Err(format!("can't slice item of type {}", other.type_name()).into()),
    };
    let from = bounds.first().map_or(Ok(0), |bound| position(bound, length, true))?;
    let to = bounds.get(1).map_or(Ok(length), |bound| position(bound, length, true))?;
    if let Some(bound) = bounds.get(2) {
        position(bound, length, true)?;
    }
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    Ok(match item {
        Value::List(list) => {
            let List { of, items } = &**list;
            Value::list(*of, items[from..to].to_vec())
        }
        other => Value::Str(Text::from(&other.text().map(Text::as_bytes).unwrap_or_default()[from..to])),
    })
}

/// The text of all arguments, escaped.
fn escaped(arguments: &[Value], escape: fn(&str) -> String) -> String {
    let bytes = sprint(arguments);
    escape(&String::from_utf8_lossy(&bytes))
}

pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

fn javascript(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out += &format!("\\u{:04X}", c as u32),
            c if c.is_ascii_control() || !quote::is_printable(c) => out += &format!("\\u{:04X}", c as u32),
            other => out.push(other),
        }
    }
    out
}

pub(crate) fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}
