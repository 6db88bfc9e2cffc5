//! Numbers.

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("abs", &["num"], None, |_, arguments| absolute(arguments)),
    function("ceil", &["num"], None, |_, arguments| round(arguments, f64::ceil)),
    function("floor", &["num"], None, |_, arguments| round(arguments, f64::floor)),
    function("log", &["num", "base"], None, |_, arguments| log(arguments)),
    function("max", &[], Some("numbers"), |_, arguments| extreme(arguments, |a, b| a > b)),
    function("min", &[], Some("numbers"), |_, arguments| extreme(arguments, |a, b| a < b)),
    function("parseint", &["number", "base"], None, |_, arguments| parseint(arguments)),
    function("pow", &["num", "power"], None, |_, arguments| pow(arguments)),
    function("signum", &["num"], None, |_, arguments| signum(arguments)),
];

fn finite(value: f64) -> Outcome {
    if value.is_finite() { Ok(Value::Number(Number::float(value))) } else { failure("the result is not a finite number") }
}

fn absolute(arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Number(match arguments.number(0)? {
        Number::Int(value) => Number::int(value.abs()),
        Number::Float(value) => Number::float(value.abs()),
    }))
}

fn round(arguments: Arguments<'_>, direction: fn(f64) -> f64) -> Outcome {
    Ok(Value::Number(match arguments.number(0)? {
        whole @ Number::Int(_) => whole,
        Number::Float(value) => Number::float(direction(value)),
    }))
}

fn log(arguments: Arguments<'_>) -> Outcome {
    finite(arguments.number(0)?.as_f64().ln() / arguments.number(1)?.as_f64().ln())
}

fn pow(arguments: Arguments<'_>) -> Outcome {
    let (base, power) = (arguments.number(0)?, arguments.number(1)?);
    if let (Number::Int(base), Number::Int(power)) = (base, power)
        && let Some(exact) = u32::try_from(power).ok().and_then(|power| base.checked_pow(power))
    {
        return Ok(Value::Number(Number::int(exact)));
    }
    finite(base.as_f64().powf(power.as_f64()))
}

fn signum(arguments: Arguments<'_>) -> Outcome {
    let number = arguments.number(0)?;
    let zero = Number::int(0);
    Ok(Value::from(i64::from(number > zero) - i64::from(number < zero)))
}

fn extreme(arguments: Arguments<'_>, better: fn(Number, Number) -> bool) -> Outcome {
    if arguments.len() == 0 {
        return failure("must pass at least one number");
    }
    let mut best = arguments.number(0)?;
    for at in 1..arguments.len() {
        let number = arguments.number(at)?;
        if better(number, best) {
            best = number;
        }
    }
    Ok(Value::Number(best))
}

fn parseint(arguments: Arguments<'_>) -> Outcome {
    let (text, base) = (arguments.text(0)?, arguments.int(1)?);
    let Some(radix) = u32::try_from(base).ok().filter(|radix| (2..=36).contains(radix)) else {
        return Err(Failure::Argument(1, "base must be a whole number between 2 and 62 inclusive".to_owned()));
    };
    match i64::from_str_radix(&text, radix) {
        Ok(value) => Ok(Value::from(value)),
        Err(_) => Err(Failure::Argument(0, format!("cannot parse {text:?} as a base {base} integer"))),
    }
}
