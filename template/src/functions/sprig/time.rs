//! Durations, and times from texts.

use jiff::{SignedDuration, Timestamp};

use crate::functions::{string, time};
use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::object::Object;
use crate::go::quote::quote;
use crate::go::value::{IntType, Text, Value};

const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_duration", &[Type::Any], |_, arguments| Ok(string(display(seconds(&arguments[0]).saturating_mul(SECOND))))),
    Function::new("sprig_durationRound", &[Type::Any], |_, arguments| Ok(string(rounded(&arguments[0])))),
    Function::new("sprig_toDate", &[Type::Str, Type::Str], |_, arguments| {
        Ok(Value::object(Moment(time::parse(&text(&arguments[0]), &text(&arguments[1])).unwrap_or(ZERO))))
    }),
    Function::new("sprig_mustToDate", &[Type::Str, Type::Str], |_, arguments| {
        let (layout, value) = (text(&arguments[0]), text(&arguments[1]));
        let moment = time::parse(&layout, &value).ok_or_else(|| {
            let (value, layout) = (quote(value.as_bytes()), quote(layout.as_bytes()));
            Fault::Message(format!("parsing time {value} as {layout}: cannot parse {value} as {layout}"))
        })?;
        Ok(Value::object(Moment(moment)))
    }),
    Function::new("sprig_unixEpoch", &[Type::Any], |_, arguments| Ok(string(moment(&arguments[0])?.as_second().to_string()))),
    Function::new("sprig_ago", &[Type::Any], |context, arguments| {
        let passed = context.pass.now.as_second() - moment(&arguments[0])?.as_second();
        Ok(string(display(passed.saturating_mul(SECOND))))
    }),
    Function::new("sprig_must_date_modify", &[Type::Str, Type::Any], modified),
    Function::new("sprig_mustDateModify", &[Type::Str, Type::Any], modified),
];

/// The year 1, where a time begins that could not be read.
const ZERO: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// A time as a value.
#[derive(Debug)]
struct Moment(Timestamp);

impl Object for Moment {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn call(&self, _: &mut Context<'_>, name: &str, arguments: &[Value]) -> Option<Answer> {
        let shown = |layout: &str| time::format(layout, self.0);
        let number = |layout: &str| Value::int(shown(layout).parse().unwrap_or_default());
        let value = match (name, arguments) {
            ("Format", [layout @ Value::Str(_)]) => string(shown(&text(layout))),
            ("Unix", []) => Value::int64(self.0.as_second()),
            ("UnixMilli", []) => Value::int64(self.0.as_millisecond()),
            ("Year", []) => number("2006"),
            ("Day", []) => number("2"),
            ("Hour", []) => number("15"),
            ("Minute", []) => number("4"),
            ("Second", []) => number("5"),
            ("IsZero", []) => Value::Bool(self.0 == ZERO),
            ("String", []) => Value::Str(self.display()?),
            ("UTC", []) => Value::object(Self(self.0)),
            _ => return None,
        };
        Some(Ok(value))
    }

    fn display(&self) -> Option<Text> {
        Some(time::format("2006-01-02 15:04:05.999999999 -0700 MST", self.0).into())
    }

    fn plain(&self) -> Option<Value> {
        Some(string(time::format("2006-01-02T15:04:05.999999999Z07:00", self.0)))
    }
}

/// A time from a value: a time, or seconds since 1970.
fn moment(value: &Value) -> Result<Timestamp, Fault> {
    match value {
        Value::Object(object) if object.type_name() == "time.Time" => {
            let shown = object.plain().as_ref().and_then(Value::text).map(|text| text.to_str().into_owned());
            shown.and_then(|shown| shown.parse().ok()).ok_or_else(|| Fault::from("a time out of range"))
        }
        Value::Int(seconds, IntType::Int64) => Timestamp::from_second(*seconds).map_err(|_| Fault::from("a time out of range")),
        other => Err(Fault::Message(format!("wrong type for value; expected time.Time; got {}", other.type_name()))),
    }
}

/// A time moved by a duration like `-1.5h`.
fn modified(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let by = text(&arguments[0]);
    let nanoseconds = parse(&by).ok_or_else(|| Fault::Message(format!("time: invalid duration {}", quote(by.as_bytes()))))?;
    let moved = moment(&arguments[1])?.checked_add(SignedDuration::from_nanos(nanoseconds));
    moved.map(|moved| Value::object(Moment(moved))).map_err(|_| Fault::from("a time out of range"))
}

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
