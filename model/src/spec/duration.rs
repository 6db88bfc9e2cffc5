//! Durations as job files write them: `1h30m`, `250ms`, `0`, or a number of nanoseconds.

use serde::{Deserialize, Deserializer, Serialize, de};

/// A duration in nanoseconds as it was submitted: possibly negative, which validation refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// The duration, zero when negative.
    pub fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl std::fmt::Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl de::Visitor<'_> for Either {
            type Value = Nanos;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration: a number of nanoseconds, or text such as \"30s\"")
            }
            fn visit_i64<E: de::Error>(self, nanos: i64) -> Result<Nanos, E> {
                Ok(Nanos(nanos))
            }
            fn visit_u64<E: de::Error>(self, nanos: u64) -> Result<Nanos, E> {
                i64::try_from(nanos).map(Nanos).map_err(|_| E::custom("duration is longer than 292 years"))
            }
            fn visit_f64<E: de::Error>(self, nanos: f64) -> Result<Nanos, E> {
                // Whole numbers only, within what a float holds exactly.
                if nanos.fract() == 0.0 && nanos.abs() < 9_007_199_254_740_992.0 {
                    Ok(Nanos(nanos as i64))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(nanos), &self))
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Nanos, E> {
                parse_duration(text).map(Nanos).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration; the error is worded as Go programs word it, because users know it so.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(digits);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {unit:?} in duration {text:?}"));
        };
        total = add_part(total, whole, fraction, *scale).ok_or_else(invalid)?;
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// `total` plus `whole.fraction` units of `scale` nanoseconds; `None` when it is beyond the range of a duration.
fn add_part(total: i128, whole: &str, fraction: &str, scale: i64) -> Option<i128> {
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.into() };
    // Digits beyond the nanosecond of an hour cannot matter.
    let fraction = &fraction[..fraction.len().min(15)];
    let part = match fraction.parse::<i128>() {
        Ok(digits) => digits * i128::from(scale) / 10_i128.pow(u32::try_from(fraction.len()).ok()?),
        Err(_) => 0,
    };
    let total = total + whole * i128::from(scale) + part;
    (total <= i128::from(i64::MAX) + 1).then_some(total)
}

/// Writes a duration as `1h0m0s`, `5m0s`, `1.5s`, `250ms`, `0s`.
pub fn format_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let decimal = |value: u64, scale: u64| -> String {
        let mut text = format!("{}.{:0width$}", value / scale, value % scale, width = scale.ilog10() as usize);
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        text
    };
    if n == 0 {
        return "0s".to_owned();
    }
    if n < 1_000_000_000 {
        let (scale, unit) = match n {
            0..1_000 => return format!("{sign}{n}ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{unit}", decimal(n, scale));
    }
    let minutes = n / 60_000_000_000;
    let seconds = decimal(n % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_job_files_do() {
        for (text, nanos, written) in [
            ("0", 0, "0s"),
            ("30s", 30_000_000_000, "30s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            (".5m", 30_000_000_000, "30s"),
            ("-250ms", -250_000_000, "-250ms"),
            ("+1us2ns", 1_002, "1.002µs"),
            ("10m", 600_000_000_000, "10m0s"),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
            assert_eq!(format_duration(nanos), written, "{text}");
        }
        for (text, error) in [
            ("10 parsecs", "time: unknown unit \" parsecs\" in duration \"10 parsecs\""),
            ("", "time: invalid duration \"\""),
            ("ten", "time: invalid duration \"ten\""),
            ("10", "time: missing unit in duration \"10\""),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
        ] {
            assert_eq!(parse_duration(text), Err(error.to_owned()), "{text}");
        }
    }
}
