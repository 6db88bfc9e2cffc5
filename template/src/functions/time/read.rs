//! Texts to times, by the same layouts.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::layout::{DAYS, MONTHS, element};

/// What was read so far; what a layout leaves out is the start of year 0.
struct Fields {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    is_afternoon: Option<bool>,
    offset_seconds: i32,
}

/// A time by its layout, in UTC unless the text has a zone.
pub(in crate::functions) fn parse(layout: &str, text: &str) -> Option<Timestamp> {
    let mut fields =
        Fields { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanosecond: 0, is_afternoon: None, offset_seconds: 0 };
    let (mut layout, mut rest) = (layout, text);
    while let Some(c) = layout.chars().next() {
        if let Some(found) = element(layout) {
            layout = &layout[found.len()..];
            rest = fields.read(found, rest)?;
            if matches!(found, "05" | "5") && !layout.starts_with(['.', ',']) {
                rest = fields.fraction(rest);
            }
            continue;
        }
        if matches!(c, '.' | ',') && layout[1..].starts_with(['0', '9']) {
            layout = layout[1..].trim_start_matches(['0', '9']);
            rest = fields.fraction(rest);
            continue;
        }
        rest = rest.strip_prefix(c)?;
        layout = &layout[c.len_utf8()..];
    }
    if rest.is_empty() { fields.timestamp() } else { None }
}

impl Fields {
    fn timestamp(&self) -> Option<Timestamp> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = Date::new(self.year, self.month, self.day).ok()?;
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let zone = TimeZone::fixed(Offset::from_seconds(self.offset_seconds).ok()?);
        let zoned: Zoned = DateTime::from_parts(date, time).to_zoned(zone).ok()?;
        Some(zoned.timestamp())
    }

    /// Reads one element; answers with what is left.
    fn read<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        let (value, rest) = match element {
            "2006" => number(text, 4, 4)?,
            "06" | "01" | "02" | "03" | "04" | "05" | "15" => number(text, 2, 2)?,
            "1" | "2" | "3" | "4" | "5" => number(text, 1, 2)?,
            "_2" => number(text.strip_prefix(' ').unwrap_or(text), 1, 2)?,
            "January" | "Jan" => name(text, &MONTHS, if element == "Jan" { 3 } else { usize::MAX })?,
            "Monday" | "Mon" => return name(text, &DAYS, if element == "Mon" { 3 } else { usize::MAX }).map(|(_, rest)| rest),
            "PM" | "pm" => {
                let half = text.get(..2)?.to_ascii_lowercase();
                self.is_afternoon = Some(match half.as_str() {
                    "pm" => true,
                    "am" => false,
                    _ => return None,
                });
                return Some(&text[2..]);
            }
            "MST" => return Some(text.trim_start_matches(|c: char| c.is_ascii_uppercase())),
            zone => return self.zone(zone, text),
        };
        let small = i8::try_from(value).ok();
        match element {
            "2006" => self.year = i16::try_from(value).ok()?,
            "06" => self.year = i16::try_from(if value >= 69 { value + 1900 } else { value + 2000 }).ok()?,
            "01" | "1" => self.month = small?,
            "January" | "Jan" => self.month = small? + 1,
            "02" | "2" | "_2" => self.day = small?,
            "15" | "03" | "3" => self.hour = small?,
            "04" | "4" => self.minute = small?,
            _ => self.second = small?,
        }
        Some(rest)
    }

    fn zone<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        if element.starts_with('Z')
            && let Some(rest) = text.strip_prefix('Z')
        {
            return Some(rest);
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, rest) = number(&text[1..], 2, 2)?;
        let (minutes, rest) = match (element.contains(':'), element.len() > 3) {
            (true, _) => number(rest.strip_prefix(':')?, 2, 2)?,
            (false, true) => number(rest, 2, 2)?,
            (false, false) => (0, rest),
        };
        self.offset_seconds = sign * (hours * 3600 + minutes * 60);
        Some(rest)
    }

    /// A fraction of a second is read even where the layout has none.
    fn fraction<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(after) = text.strip_prefix(['.', ',']) else { return text };
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return text;
        }
        let nine: String = after[..digits].chars().chain("000000000".chars()).take(9).collect();
        self.nanosecond = nine.parse().unwrap_or(0);
        &after[digits..]
    }
}

fn number(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// The index of a name, whole or cut.
fn name<'a>(text: &'a str, names: &[&str], length: usize) -> Option<(i32, &'a str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = &name[..length.min(name.len())];
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then_some((i32::try_from(index).ok()?, &text[name.len()..]))
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn texts_by_layout() {
        for (layout, text, want) in [
            ("2006-01-02", "2024-03-05", Some("2024-03-05T00:00:00Z")),
            ("2006-01-02T15:04:05Z07:00", "2024-03-05T07:08:09+02:00", Some("2024-03-05T05:08:09Z")),
            ("2006-01-02T15:04:05Z07:00", "2024-03-05T07:08:09.5Z", Some("2024-03-05T07:08:09.5Z")),
            ("Jan _2, 2006 3:04PM", "Mar  5, 2024 7:08PM", Some("2024-03-05T19:08:00Z")),
            ("Mon, 02 Jan 2006 15:04:05 -0700", "Tue, 05 Mar 2024 07:08:09 +0100", Some("2024-03-05T06:08:09Z")),
            ("02/01/06", "05/03/24", Some("2024-03-05T00:00:00Z")),
            ("2006-01-02", "2024-13-05", None),
            ("2006-01-02", "2024-03-05x", None),
            ("2006-01-02", "", None),
        ] {
            assert_eq!(parse(layout, text), want.map(|want| want.parse().unwrap()), "{layout} {text}");
        }
    }
}
