//! `eq`, `lt` and the like.

use std::cmp::Ordering;

use super::format;
use super::function::Fault;
use super::value::Value;

/// How values are compared: signed and unsigned integers with each other, anything else only with its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Bool,
    Int,
    Float,
    Complex,
    String,
    Other,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Nil => Kind::Nothing,
        Value::Bool(_) => Kind::Bool,
        Value::Int(..) | Value::Uint(..) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Complex(..) => Kind::Complex,
        Value::Str(_) | Value::Number(_) => Kind::String,
        Value::NilPointer(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => Kind::Other,
    }
}

fn as_integer(value: &Value) -> i128 {
    match value {
        Value::Int(value, _) => (*value).into(),
        Value::Uint(value, _) => (*value).into(),
        _ => 0,
    }
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    Fault::Message(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

fn not_comparable(value: &Value) -> Fault {
    let text = format::sprintf("%s", std::slice::from_ref(value)).unwrap_or_default();
    Fault::Message(format!("non-comparable type {}: {}", String::from_utf8_lossy(&text), value.type_name()))
}

/// Lists and maps cannot be compared, except with nothing.
fn check(value: &Value) -> Result<(), Fault> {
    match value {
        Value::List(_) | Value::Map(_) => Err(not_comparable(value)),
        _ => Ok(()),
    }
}

/// True if the first equals any of the others.
pub(crate) fn equal_any(first: &Value, others: &[Value]) -> Result<bool, Fault> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Equality of two values.
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, Fault> {
    let (kind_a, kind_b) = (kind(a), kind(b));
    if kind_a == Kind::Nothing || kind_b == Kind::Nothing {
        let is_nothing = |value: &Value| matches!(value, Value::Nil | Value::NilPointer(_));
        return Ok(is_nothing(a) && is_nothing(b));
    }
    // A number of a secret has a type of its own and equals no plain string of another type.
    if kind_a != kind_b || (kind_a == Kind::String && a.type_name() != b.type_name()) {
        return if kind_a == Kind::String && kind_b == Kind::String { Ok(a.text() == b.text()) } else { Err(incompatible(a, b)) };
    }
    match kind_a {
        Kind::Int => Ok(as_integer(a) == as_integer(b)),
        Kind::Other => {
            check(a)?;
            check(b)?;
            Ok(a.deep_equal(b))
        }
        _ => Ok(a.deep_equal(b)),
    }
}

/// Order of two values of a basic kind.
pub(crate) fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, Fault> {
    let (kind_a, kind_b) = (kind(a), kind(b));
    if matches!(kind_a, Kind::Nothing | Kind::Other) || matches!(kind_b, Kind::Nothing | Kind::Other) {
        return Err("invalid type for comparison".into());
    }
    if kind_a != kind_b {
        return Err(incompatible(a, b));
    }
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        _ if kind_a == Kind::Int => Ok(Some(as_integer(a).cmp(&as_integer(b)))),
        _ => match (a.text(), b.text()) {
            (Some(a), Some(b)) => Ok(Some(a.cmp(b))),
            _ => Err("invalid type for comparison".into()),
        },
    }
}
