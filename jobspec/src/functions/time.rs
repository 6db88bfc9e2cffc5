//! Points in time, as RFC 3339 text.

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("formatdate", &["format", "time"], None, |_, a| formatdate(a)),
    function("timeadd", &["timestamp", "duration"], None, |_, a| timeadd(a)),
];

/// A time with the offset it was written with.
fn read(arguments: Arguments<'_>, at: usize) -> Result<jiff::Zoned, Failure> {
    let text = arguments.text(at)?;
    let bad = |reason: String| Failure::Argument(at, format!("not a valid RFC3339 timestamp: {reason}"));
    let timestamp: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| bad(error.to_string()))?;
    let offset = jiff::fmt::temporal::DateTimeParser::new()
        .parse_pieces(&*text)
        .ok()
        .and_then(|pieces| pieces.to_numeric_offset())
        .unwrap_or(jiff::tz::Offset::UTC);
    Ok(timestamp.to_zoned(jiff::tz::TimeZone::fixed(offset)))
}

fn timeadd(arguments: Arguments<'_>) -> Outcome {
    let time = read(arguments, 0)?;
    let nanos = drover_model::spec::parse_duration(&arguments.text(1)?).map_err(|reason| Failure::Argument(1, reason))?;
    let moved = time.checked_add(jiff::SignedDuration::from_nanos(nanos)).map_err(|error| Failure::Call(error.to_string()))?;
    Ok(Value::from(rfc3339(&moved)))
}

fn rfc3339(time: &jiff::Zoned) -> String {
    let fraction = match time.subsec_nanosecond() {
        0 => String::new(),
        nanos => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    format!("{}{fraction}{}", time.strftime("%Y-%m-%dT%H:%M:%S"), zone(time, true, "Z"))
}

/// The offset as `+02:00` (or `+0200`); `utc` where it is none.
fn zone(time: &jiff::Zoned, colon: bool, utc: &str) -> String {
    let seconds = time.offset().seconds();
    if seconds == 0 && !utc.is_empty() {
        return utc.to_owned();
    }
    let minutes = seconds.unsigned_abs() / 60;
    format!("{}{:02}{}{:02}", if seconds < 0 { '-' } else { '+' }, minutes / 60, if colon { ":" } else { "" }, minutes % 60)
}

fn formatdate(arguments: Arguments<'_>) -> Outcome {
    let (format, time) = (arguments.text(0)?, read(arguments, 1)?);
    let mut text = String::new();
    let mut rest = &*format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(rest, &mut text)?;
            continue;
        }
        let run = rest.len() - rest.trim_start_matches(first).len();
        let (token, after) = rest.split_at(run);
        if first.is_ascii_alphabetic() {
            text.push_str(&verb(token, &time)?);
        } else {
            text.push_str(token);
        }
        rest = after;
    }
    Ok(Value::from(text))
}

/// A literal in single quotes, in which two of them stand for one.
fn quoted<'a>(rest: &'a str, text: &mut String) -> Result<&'a str, Failure> {
    let mut inner = &rest[1..];
    loop {
        let Some(end) = inner.find('\'') else { return Err(Failure::Argument(0, "unterminated literal '".to_owned())) };
        text.push_str(&inner[..end]);
        inner = &inner[end + 1..];
        match inner.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                inner = after;
            }
            None => return Ok(inner),
        }
    }
}

fn verb(token: &str, time: &jiff::Zoned) -> Result<String, Failure> {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    Ok(match token {
        "YYYY" => format!("{:04}", time.year()),
        "YY" => format!("{:02}", time.year().rem_euclid(100)),
        "MMMM" => time.strftime("%B").to_string(),
        "MMM" => time.strftime("%b").to_string(),
        "MM" => format!("{:02}", time.month()),
        "M" => time.month().to_string(),
        "DD" => format!("{:02}", time.day()),
        "D" => time.day().to_string(),
        "EEEE" => time.strftime("%A").to_string(),
        "EEE" => time.strftime("%a").to_string(),
        "hh" => format!("{:02}", time.hour()),
        "h" => time.hour().to_string(),
        "HH" => format!("{hour12:02}"),
        "H" => hour12.to_string(),
        "AA" => if time.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        "aa" => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
        "mm" => format!("{:02}", time.minute()),
        "m" => time.minute().to_string(),
        "ss" => format!("{:02}", time.second()),
        "s" => time.second().to_string(),
        "ZZZZZ" => zone(time, true, ""),
        "ZZZZ" => zone(time, false, ""),
        "ZZZ" => zone(time, false, "UTC"),
        "Z" => zone(time, true, "Z"),
        other => {
            return Err(Failure::Argument(
                0,
                format!(
                    "invalid date format verb {other:?}: it is none of those for year, month, day, weekday, hour, minute, second and zone"
                ),
            ));
        }
    })
}
