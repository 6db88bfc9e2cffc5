//! Arithmetic on whatever can be read as a number.

use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, integer};
use crate::go::value::Value;

use super::decimal::Decimal;
use super::kinds::{to_float, to_int};

const ANY: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_add1", &[ANY], |_, arguments| Ok(Value::int64(to_int(&arguments[0]).wrapping_add(1)))),
    Function::many("sprig_add", &[], ANY, |_, arguments| {
        Ok(Value::int64(arguments.iter().fold(0, |sum: i64, value| sum.wrapping_add(to_int(value)))))
    }),
    Function::new("sprig_sub", &[ANY, ANY], |_, arguments| Ok(Value::int64(to_int(&arguments[0]).wrapping_sub(to_int(&arguments[1]))))),
    Function::many("sprig_mul", &[ANY], ANY, |_, arguments| {
        Ok(Value::int64(arguments.iter().fold(1, |product: i64, value| product.wrapping_mul(to_int(value)))))
    }),
    Function::new("sprig_div", &[ANY, ANY], |_, arguments| divided(arguments, i64::wrapping_div)),
    Function::new("sprig_mod", &[ANY, ANY], |_, arguments| divided(arguments, i64::wrapping_rem)),
    Function::many("sprig_max", &[ANY], ANY, |_, arguments| Ok(Value::int64(arguments.iter().map(to_int).max().unwrap_or(0)))),
    Function::many("sprig_biggest", &[ANY], ANY, |_, arguments| Ok(Value::int64(arguments.iter().map(to_int).max().unwrap_or(0)))),
    Function::many("sprig_min", &[ANY], ANY, |_, arguments| Ok(Value::int64(arguments.iter().map(to_int).min().unwrap_or(0)))),
    Function::many("sprig_maxf", &[ANY], ANY, |_, arguments| Ok(folded(arguments, f64::max))),
    Function::many("sprig_minf", &[ANY], ANY, |_, arguments| Ok(folded(arguments, f64::min))),
    Function::new("sprig_add1f", &[ANY], |_, arguments| decimals(&[arguments[0].clone(), Value::int(1)], Decimal::add)),
    Function::many("sprig_addf", &[ANY], ANY, |_, arguments| decimals(arguments, Decimal::add)),
    Function::many("sprig_subf", &[ANY], ANY, |_, arguments| decimals(arguments, Decimal::sub)),
    Function::many("sprig_mulf", &[ANY], ANY, |_, arguments| decimals(arguments, Decimal::mul)),
    Function::many("sprig_divf", &[ANY], ANY, |_, arguments| decimals(arguments, Decimal::div)),
    Function::new("sprig_ceil", &[ANY], |_, arguments| Ok(Value::Float(to_float(&arguments[0]).ceil()))),
    Function::new("sprig_floor", &[ANY], |_, arguments| Ok(Value::Float(to_float(&arguments[0]).floor()))),
    Function::many("sprig_round", &[ANY, Type::Int], Type::Float, round),
    Function::new("sprig_randInt", &[Type::Int, Type::Int], random),
];

fn divided(arguments: &[Value], operation: fn(i64, i64) -> i64) -> Answer {
    match to_int(&arguments[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::int64(operation(to_int(&arguments[0]), divisor))),
    }
}

fn folded(arguments: &[Value], operation: fn(f64, f64) -> f64) -> Value {
    Value::Float(arguments.iter().map(to_float).reduce(operation).unwrap_or(0.0))
}

/// In decimals: a tenth and two tenths are three tenths.
fn decimals(arguments: &[Value], operation: fn(Decimal, Decimal) -> Option<Decimal>) -> Answer {
    let mut numbers = arguments.iter().map(|value| Decimal::from_float(to_float(value)));
    let too_large = || Fault::from("a decimal number out of range");
    let mut result = numbers.next().flatten().ok_or_else(too_large)?;
    for number in numbers {
        result = operation(result, number.ok_or_else(too_large)?)
            .ok_or_else(|| Fault::from("decimal division by 0 or a result out of range"))?;
    }
    Ok(Value::Float(result.to_float()))
}

/// To so many digits; the third argument says from which fraction on it goes up.
fn round(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let digits = i32::try_from(integer(&arguments[1])).unwrap_or(0);
    let from = arguments.get(2).map_or(0.5, to_float);
    let scale = 10f64.powi(digits);
    let scaled = to_float(&arguments[0]) * scale;
    let rounded = if scaled.fract() >= from { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / scale))
}

/// The same pass gives the same numbers: its time is the seed.
fn random(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (from, to) = (integer(&arguments[0]), integer(&arguments[1]));
    let Some(width) = to.checked_sub(from).and_then(|width| u64::try_from(width).ok()).filter(|width| *width > 0) else {
        return Err("invalid argument to randInt".into());
    };
    let offset = i64::try_from(context.next_number() % width).unwrap_or(0);
    Ok(Value::int(from + offset))
}
