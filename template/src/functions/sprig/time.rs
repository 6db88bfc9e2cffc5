//! Durations.

use crate::functions::string;
use crate::go::function::{Function, Type};
use crate::go::value::{IntType, Value};

const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_duration", &[Type::Any], |_, arguments| Ok(string(display(seconds(&arguments[0]).saturating_mul(SECOND))))),
    Function::new("sprig_durationRound", &[Type::Any], |_, arguments| Ok(string(rounded(&arguments[0])))),
];

/// Only texts and `int64` count: a constant is an `int`, and gives no time at all.
fn seconds(value: &Value) -> i64 {
    match value {
        Value::Int(value, IntType::Int64) => *value,
        Value::Str(text) => text.to_str().parse().unwrap_or(0),
        _ => 0,
    }
}

/// `1h2m3.5s`
fn display(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let fraction = |unit: u64| {
        let digits = format!("{:0width$}", size % unit, width = unit.ilog10() as usize);
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        format!("{}{point}{digits}", size / unit)
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(1_000_000)),
        _ => {
            let (minutes, seconds) = (size / 60_000_000_000, size % 60_000_000_000);
            let tail = {
                let digits = format!("{:09}", seconds % 1_000_000_000);
                let digits = digits.trim_end_matches('0');
                let point = if digits.is_empty() { "" } else { "." };
                format!("{}{point}{digits}s", seconds / 1_000_000_000)
            };
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{tail}"),
                (0, minutes) => format!("{sign}{minutes}m{tail}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{tail}"),
            }
        }
    }
}

/// The largest unit alone: `2h`.
fn rounded(value: &Value) -> String {
    let nanoseconds = match value {
        Value::Int(value, IntType::Int64) => *value,
        Value::Str(text) => parse(&text.to_str()).unwrap_or(0),
        _ => 0,
    };
    const UNITS: [(&str, u64); 6] = [("y", 31_536_000), ("mo", 2_592_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let seconds = nanoseconds.unsigned_abs() / SECOND.unsigned_abs();
    let found = UNITS.iter().find(|(_, unit)| seconds >= *unit);
    found.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", seconds / unit))
}

/// `2h10m5s` in nanoseconds.
fn parse(text: &str) -> Option<i64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.len() - rest.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let size = match &rest[..unit] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * size;
        rest = &rest[unit..];
    }
    #[expect(clippy::cast_possible_truncation, reason = "a duration beyond 292 years is cut")]
    Some((sign * total) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (nanoseconds, want) in
            [(0, "0s"), (95 * SECOND, "1m35s"), (3_600 * SECOND, "1h0m0s"), (1_500_000_000, "1.5s"), (1_500_000, "1.5ms"), (-2_000, "-2µs")]
        {
            assert_eq!(display(nanoseconds), want);
        }
        assert_eq!(rounded(&"2h10m5s".into()), "2h");
        assert_eq!(rounded(&"2400h10m5s".into()), "3mo");
        assert_eq!(rounded(&"x".into()), "0s");
    }
}
