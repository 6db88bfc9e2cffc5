//! Arithmetic. The value to work on comes last, so that it can be piped: `subtract 1 .`.

use crate::go::format;
use crate::go::function::{Answer, Fault, Function, Type};
use crate::go::value::Value;

const ANY: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("add", &[ANY, ANY], |_, arguments| apply("add", &arguments[1], &arguments[0], &ADD)),
    Function::new("subtract", &[ANY, ANY], |_, arguments| apply("subtract", &arguments[1], &arguments[0], &SUBTRACT)),
    Function::new("multiply", &[ANY, ANY], |_, arguments| apply("multiply", &arguments[1], &arguments[0], &MULTIPLY)),
    Function::new("divide", &[ANY, ANY], |_, arguments| apply("divide", &arguments[1], &arguments[0], &DIVIDE)),
    Function::new("modulo", &[ANY, ANY], |_, arguments| apply("modulo", &arguments[1], &arguments[0], &MODULO)),
    Function::new("minimum", &[ANY, ANY], |_, arguments| apply("minimum", &arguments[1], &arguments[0], &MINIMUM)),
    Function::new("maximum", &[ANY, ANY], |_, arguments| apply("maximum", &arguments[1], &arguments[0], &MAXIMUM)),
];

/// One operation on each kind of number.
struct Operation {
    int: fn(i64, i64) -> Option<i64>,
    uint: fn(u64, u64) -> Option<u64>,
    float: Option<fn(f64, f64) -> f64>,
}

const ADD: Operation = Operation { int: |a, b| Some(a.wrapping_add(b)), uint: |a, b| Some(a.wrapping_add(b)), float: Some(|a, b| a + b) };
const SUBTRACT: Operation =
    Operation { int: |a, b| Some(a.wrapping_sub(b)), uint: |a, b| Some(a.wrapping_sub(b)), float: Some(|a, b| a - b) };
const MULTIPLY: Operation =
    Operation { int: |a, b| Some(a.wrapping_mul(b)), uint: |a, b| Some(a.wrapping_mul(b)), float: Some(|a, b| a * b) };
const DIVIDE: Operation =
    Operation { int: |a, b| (b != 0).then(|| a.wrapping_div(b)), uint: |a, b| a.checked_div(b), float: Some(|a, b| a / b) };
const MODULO: Operation = Operation { int: |a, b| (b != 0).then(|| a.wrapping_rem(b)), uint: |a, b| a.checked_rem(b), float: None };
const MINIMUM: Operation = Operation { int: |a, b| Some(a.min(b)), uint: |a, b| Some(a.min(b)), float: Some(f64::min) };
const MAXIMUM: Operation = Operation { int: |a, b| Some(a.max(b)), uint: |a, b| Some(a.max(b)), float: Some(f64::max) };

fn unknown(name: &str, value: &Value) -> Fault {
    let shown = format::sprintf("%q", std::slice::from_ref(value)).unwrap_or_default();
    Fault::Message(format!("{name}: unknown type for {} ({})", String::from_utf8_lossy(&shown), value.type_name()))
}

/// Integers give an `int64`, unsigned ones a `uint64`, a float on either side a float. Of two operands that are none, the first here is
/// told: it is the one that was piped.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "mixed operands are converted to the first one's type, wrapping as the language does"
)]
fn apply(name: &str, a: &Value, b: &Value, operation: &Operation) -> Answer {
    let zero = || Fault::from("runtime error: integer divide by zero");
    let floats = |x: f64, y: f64, culprit: &Value| match operation.float {
        Some(float) => Ok(Value::Float(float(x, y))),
        None => Err(unknown(name, culprit)),
    };
    match (a, b) {
        (Value::Int(x, _), Value::Int(y, _)) => (operation.int)(*x, *y).map(Value::int64).ok_or_else(zero),
        (Value::Int(x, _), Value::Uint(y, _)) => (operation.int)(*x, *y as i64).map(Value::int64).ok_or_else(zero),
        (Value::Uint(x, _), Value::Uint(y, _)) => (operation.uint)(*x, *y).map(Value::uint64).ok_or_else(zero),
        (Value::Uint(x, _), Value::Int(y, _)) => (operation.uint)(*x, *y as u64).map(Value::uint64).ok_or_else(zero),
        (Value::Int(x, _), Value::Float(y)) => floats(*x as f64, *y, b),
        (Value::Uint(x, _), Value::Float(y)) => floats(*x as f64, *y, b),
        (Value::Float(x), Value::Int(y, _)) => floats(*x, *y as f64, a),
        (Value::Float(x), Value::Uint(y, _)) => floats(*x, *y as f64, a),
        (Value::Float(x), Value::Float(y)) => floats(*x, *y, a),
        (Value::Int(..) | Value::Uint(..) | Value::Float(_), other) | (other, _) => Err(unknown(name, other)),
    }
}
