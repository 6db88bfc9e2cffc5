//! Text to values.

use std::collections::BTreeMap;

use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::number;
use crate::go::quote;
use crate::go::value::Value;

use super::{json, yaml};

const STR: Type = Type::Str;

/// An empty text is a zero value everywhere here: the first pass, before data came, must not fail.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("parseBool", &[STR], |_, arguments| parse_bool(&text(&arguments[0]))),
    Function::new("parseInt", &[STR], |_, arguments| parse_int(&text(&arguments[0]))),
    Function::new("parseUint", &[STR], |_, arguments| parse_uint(&text(&arguments[0]))),
    Function::new("parseFloat", &[STR], |_, arguments| parse_float(&text(&arguments[0]))),
    Function::new("parseJSON", &[STR], |_, arguments| {
        let source = text(&arguments[0]);
        if source.is_empty() { Ok(Value::any_map(BTreeMap::new())) } else { json::decode(&source) }
    }),
    Function::new("parseYAML", &[STR], |_, arguments| {
        let source = text(&arguments[0]);
        if source.is_empty() { Ok(Value::any_map(BTreeMap::new())) } else { yaml::decode(&source) }
    }),
];

fn bad(function: &str, of: &str, source: &str, why: &str) -> Fault {
    Fault::Message(format!("{function}: strconv.{of}: parsing {}: {why}", quote::quote(source.as_bytes())))
}

fn parse_bool(source: &str) -> Answer {
    match source {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true.into()),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false.into()),
        _ => Err(bad("parseBool", "ParseBool", source, "invalid syntax")),
    }
}

fn why(error: &std::num::ParseIntError) -> &'static str {
    match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    }
}

fn parse_int(source: &str) -> Answer {
    if source.is_empty() {
        return Ok(Value::int64(0));
    }
    source.parse().map(Value::int64).map_err(|error| bad("parseInt", "ParseInt", source, why(&error)))
}

fn parse_uint(source: &str) -> Answer {
    if source.is_empty() {
        return Ok(Value::uint64(0));
    }
    // A sign is no part of an unsigned number.
    if source.starts_with('+') {
        return Err(bad("parseUint", "ParseUint", source, "invalid syntax"));
    }
    source.parse().map(Value::uint64).map_err(|error| bad("parseUint", "ParseUint", source, why(&error)))
}

fn parse_float(source: &str) -> Answer {
    if source.is_empty() {
        return Ok(Value::Float(0.0));
    }
    let named = match source.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
        "inf" | "infinity" => Some(f64::INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    };
    let value = match named {
        Some(value) if source.starts_with('-') => Some(-value),
        Some(value) => Some(value),
        // Underscores belong to constants alone.
        None if source.contains('_') => None,
        None => number::float(source),
    };
    match value {
        Some(value) if value.is_infinite() && named.is_none() => Err(bad("parseFloat", "ParseFloat", source, "value out of range")),
        Some(value) => Ok(Value::Float(value)),
        None => Err(bad("parseFloat", "ParseFloat", source, "invalid syntax")),
    }
}
