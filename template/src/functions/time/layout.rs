//! Times by example: `2006-01-02 15:04:05` says where year, month and the rest stand.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub(super) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The elements of a layout; of two that start alike, the longer one first.
const ELEMENTS: [&str; 33] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-07:00",
    "-070000",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z07:00",
    "Z070000",
    "Z0700",
    "Z07",
    "__2",
    "_2",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "PM",
    "pm",
    "1",
    "2",
    "3",
    "4",
    "5",
];

/// A time in UTC.
pub(in crate::functions) fn format(layout: &str, time: Timestamp) -> String {
    let time = time.to_zoned(TimeZone::UTC);
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some(digits) = fraction(rest) {
            out += &subsecond(&rest[..=digits], &time);
            rest = &rest[digits + 1..];
        } else if let Some(element) = element(rest) {
            out += &one(element, &time);
            rest = &rest[element.len()..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The element that a layout begins with.
pub(super) fn element(layout: &str) -> Option<&'static str> {
    ELEMENTS.iter().copied().find(|element| starts(layout, element))
}

/// `Jan` inside a word like `January2` still counts, `Monkey` does not.
fn starts(rest: &str, element: &str) -> bool {
    let Some(after) = rest.strip_prefix(element) else { return false };
    match element {
        "Jan" | "Mon" => !after.starts_with(|c: char| c.is_ascii_lowercase()),
        // `_2006` is an underscore and a year.
        "_2" => !after.starts_with("006"),
        _ => true,
    }
}

/// `.000` and `,999`: how many digits follow, if nothing but digits of a time come after.
fn fraction(rest: &str) -> Option<usize> {
    let mut chars = rest.chars();
    if !matches!(chars.next(), Some('.' | ',')) {
        return None;
    }
    let digit = chars.next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = rest[1..].len() - rest[1..].trim_start_matches(digit).len();
    (!rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit())).then_some(digits)
}

fn subsecond(element: &str, time: &Zoned) -> String {
    let digits = element.len() - 1;
    let all = format!("{:09}", time.subsec_nanosecond());
    let shown: String = all.chars().chain(std::iter::repeat('0')).take(digits).collect();
    if element.ends_with('9') {
        let shown = shown.trim_end_matches('0');
        return if shown.is_empty() { String::new() } else { format!("{}{shown}", &element[..1]) };
    }
    format!("{}{shown}", &element[..1])
}

fn one(element: &str, time: &Zoned) -> String {
    let (month, day, hour) = (time.month(), time.day(), time.hour());
    let twelve = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let month_name = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    let day_name = DAYS[usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or_default() % 7];
    match element {
        "January" => month_name.to_owned(),
        "Jan" => month_name[..3].to_owned(),
        "Monday" => day_name.to_owned(),
        "Mon" => day_name[..3].to_owned(),
        "MST" => "UTC".to_owned(),
        "2006" => format!("{:04}", time.year()),
        "06" => format!("{:02}", time.year().rem_euclid(100)),
        "01" => format!("{month:02}"),
        "1" => month.to_string(),
        "02" => format!("{day:02}"),
        "_2" => format!("{day:>2}"),
        "2" => day.to_string(),
        "002" => format!("{:03}", time.day_of_year()),
        "__2" => format!("{:>3}", time.day_of_year()),
        "15" => format!("{hour:02}"),
        "03" => format!("{twelve:02}"),
        "3" => twelve.to_string(),
        "04" => format!("{:02}", time.minute()),
        "4" => time.minute().to_string(),
        "05" => format!("{:02}", time.second()),
        "5" => time.second().to_string(),
        "PM" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        "pm" => if hour < 12 { "am" } else { "pm" }.to_owned(),
        zone if zone.starts_with('Z') => "Z".to_owned(),
        "-07:00:00" => "+00:00:00".to_owned(),
        "-07:00" => "+00:00".to_owned(),
        "-070000" => "+000000".to_owned(),
        "-0700" => "+0000".to_owned(),
        _ => "+00".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn layouts() {
        let time: jiff::Timestamp = "2024-03-05T07:08:09.012345Z".parse().unwrap();
        for (layout, want) in [
            ("2006-01-02T15:04:05Z07:00", "2024-03-05T07:08:09Z"),
            ("Mon Jan _2 15:04:05 2006", "Tue Mar  5 07:08:09 2024"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Tuesday, 05-Mar-24 07:08:09 UTC"),
            ("Mon, 02 Jan 2006 15:04:05 -0700", "Tue, 05 Mar 2024 07:08:09 +0000"),
            ("3:04PM", "7:08AM"),
            ("15:04:05.000", "07:08:09.012"),
            ("15:04:05.999999999", "07:08:09.012345"),
            ("002 1/2/06", "065 3/5/24"),
            ("literal", "literal"),
        ] {
            assert_eq!(format(layout, time), want, "{layout}");
        }
    }
}
