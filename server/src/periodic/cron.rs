//! Cron expressions: when they hold next.
//!
//! Five fields (minute, hour, day of month, month, day of week), a sixth for the year, and seven with seconds in front; or a nickname such as `@daily`.

use std::collections::BTreeSet;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};

/// Days that are looked through. What does not hold within them (the 30th of February) never does.
const MAX_DAYS: usize = 366 * 28;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What one item of a day field asks of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayRule {
    Last,
    LastWorkday,
    /// The workday nearest to this day of the month.
    NearestWorkday(i8),
    /// The last such weekday (0 is Sunday) of the month.
    LastWeekday(i8),
    /// The n-th such weekday of the month.
    NthWeekday(i8, i8),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field {
    /// Everything: `*` or `?`.
    any: bool,
    values: BTreeSet<i16>,
    rules: Vec<DayRule>,
}

impl Field {
    fn has(&self, value: i16) -> bool {
        self.any || self.values.contains(&value)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    years: Field,
}

impl Cron {
    pub(super) fn parse(spec: &str) -> Option<Self> {
        let spec = match spec.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let words: Vec<&str> = spec.split_whitespace().collect();
        let (second, rest, year) = match words.as_slice() {
            rest if rest.len() == 5 => ("0", rest, "*"),
            [rest @ .., year] if rest.len() == 5 => ("0", rest, *year),
            [second, rest @ .., year] if rest.len() == 5 => (*second, rest, *year),
            _ => return None,
        };
        let [minute, hour, day, month, weekday] = rest else { return None };
        Some(Self {
            seconds: field(second, 0, 59, &[])?,
            minutes: field(minute, 0, 59, &[])?,
            hours: field(hour, 0, 23, &[])?,
            days: field(day, 1, 31, &[])?,
            months: field(month, 1, 12, MONTHS)?,
            weekdays: field(weekday, 0, 7, DAYS)?,
            years: field(year, 1970, 2099, &[])?,
        })
    }

    /// The first moment after `after` at which it holds. Times that a change of the clocks leaves out do not count.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = zone.to_datetime(after).date();
        for _ in 0..MAX_DAYS {
            if self.holds_on(date)
                && let Some(found) = self.times().filter_map(|time| moment(date, time, zone)).find(|at| *at > after)
            {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        let list = |field: &Field, most: i8| (0..=most).filter(|value| field.has(i16::from(*value))).collect::<Vec<i8>>();
        let (hours, minutes, seconds) = (list(&self.hours, 23), list(&self.minutes, 59), list(&self.seconds, 59));
        hours.into_iter().flat_map(move |hour| {
            let (minutes, seconds) = (minutes.clone(), seconds.clone());
            minutes
                .into_iter()
                .flat_map(move |minute| seconds.clone().into_iter().filter_map(move |second| Time::new(hour, minute, second, 0).ok()))
        })
    }

    fn holds_on(&self, date: Date) -> bool {
        if !self.years.has(date.year()) || !self.months.has(i16::from(date.month())) {
            return false;
        }
        let day = self.days.has(i16::from(date.day())) || self.days.rules.iter().any(|rule| rule.holds_on(date));
        let number = i16::from(date.weekday().to_sunday_zero_offset());
        let weekday = self.weekdays.has(number)
            || (number == 0 && self.weekdays.values.contains(&7))
            || self.weekdays.rules.iter().any(|rule| rule.holds_on(date));
        // With both restricted, either is enough: that is how cron has always been.
        match (self.days.any, self.weekdays.any) {
            (false, false) => day || weekday,
            _ => day && weekday,
        }
    }
}

fn moment(date: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(DateTime::from_parts(date, time));
    if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        return None;
    }
    ambiguous.compatible().ok()
}

fn field(word: &str, low: i16, high: i16, names: &[&str]) -> Option<Field> {
    let mut field = Field::default();
    for item in word.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse::<i16>().ok().filter(|step| *step > 0)?),
            None => (item, 1),
        };
        if let Some(rule) = day_rule(range, low, high, names) {
            field.rules.push(rule);
            continue;
        }
        let stepped = item.contains('/');
        let (from, to) = match range {
            "*" | "?" if !stepped => {
                field.any = true;
                continue;
            }
            "*" => (low, high),
            _ => match range.split_once('-') {
                Some((from, to)) => (number(from, low, high, names)?, number(to, low, high, names)?),
                None => number(range, low, high, names).map(|from| (from, if stepped { high } else { from }))?,
            },
        };
        field.values.extend((from..=to).step_by(usize::try_from(step).ok()?));
    }
    Some(field)
}

fn number(text: &str, low: i16, high: i16, names: &[&str]) -> Option<i16> {
    let lower = text.to_ascii_lowercase();
    let value = match names.iter().position(|name| lower.starts_with(name)) {
        Some(at) => i16::try_from(at).ok()? + low,
        None => lower.parse().ok()?,
    };
    (low..=high).contains(&value).then_some(value)
}

fn day_rule(range: &str, low: i16, high: i16, names: &[&str]) -> Option<DayRule> {
    let lower = range.to_ascii_lowercase();
    let (of_month, of_week) = (high == 31, high == 7);
    let small = |text: &str| number(text, low, high, names).and_then(|value| i8::try_from(value).ok());
    if of_month {
        return match lower.as_str() {
            "l" => Some(DayRule::Last),
            "lw" => Some(DayRule::LastWorkday),
            other => other.strip_suffix('w').and_then(small).map(DayRule::NearestWorkday),
        };
    }
    if !of_week {
        return None;
    }
    if lower == "l" {
        return Some(DayRule::LastWeekday(6));
    }
    if let Some((day, nth)) = lower.split_once('#') {
        return Some(DayRule::NthWeekday(small(day)? % 7, nth.parse().ok()?));
    }
    lower.strip_suffix('l').and_then(small).map(|day| DayRule::LastWeekday(day % 7))
}

impl DayRule {
    fn holds_on(self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        match self {
            Self::Last => date.day() == date.days_in_month(),
            Self::LastWorkday => Some(date) == nearest_workday(date, date.days_in_month()),
            Self::NearestWorkday(day) => Some(date) == nearest_workday(date, day.min(date.days_in_month())),
            Self::LastWeekday(wanted) => weekday == wanted && date.day() + 7 > date.days_in_month(),
            Self::NthWeekday(wanted, nth) => weekday == wanted && (date.day() - 1) / 7 + 1 == nth,
        }
    }
}

/// The workday nearest to a day of the month of `within`, in that month.
fn nearest_workday(within: Date, day: i8) -> Option<Date> {
    let date = Date::new(within.year(), within.month(), day).ok()?;
    let day = match date.weekday() {
        Weekday::Saturday if day == 1 => day + 2,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == date.days_in_month() => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    };
    Date::new(within.year(), within.month(), day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time() {
        // 2026-11-20 is a Friday.
        for (spec, zone, after, want) in [
            ("*/15 * * * *", "UTC", "2026-11-20T10:07:30Z", "2026-11-20T10:15:00Z"),
            ("*/15 * * * *", "UTC", "2026-11-20T10:15:00Z", "2026-11-20T10:30:00Z"),
            ("5/20 * * * *", "UTC", "2026-11-20T10:26:00Z", "2026-11-20T10:45:00Z"),
            ("@daily", "UTC", "2026-11-20T10:07:30Z", "2026-11-21T00:00:00Z"),
            ("0 9 * * mon-fri", "UTC", "2026-11-20T10:00:00Z", "2026-11-23T09:00:00Z"),
            ("0 9 * * 7", "UTC", "2026-11-20T10:00:00Z", "2026-11-22T09:00:00Z"),
            ("0 0 1 jan *", "UTC", "2026-11-20T10:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 13 * fri", "UTC", "2026-11-20T10:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 L * *", "UTC", "2027-02-01T00:00:00Z", "2027-02-28T00:00:00Z"),
            ("0 0 * * fri#2", "UTC", "2026-11-20T10:00:00Z", "2026-12-11T00:00:00Z"),
            ("0 0 * * 5L", "UTC", "2026-11-28T00:00:00Z", "2026-12-25T00:00:00Z"),
            ("0 0 15W * *", "UTC", "2026-11-20T10:00:00Z", "2026-12-15T00:00:00Z"),
            ("0 0 1W * *", "UTC", "2027-04-30T10:00:00Z", "2027-05-03T00:00:00Z"),
            ("30 */10 * * * * *", "UTC", "2026-11-20T10:00:31Z", "2026-11-20T10:10:30Z"),
            ("0 0 1 1 * 2030", "UTC", "2026-11-20T10:00:00Z", "2030-01-01T00:00:00Z"),
            ("0 12 * * *", "America/New_York", "2026-11-20T10:00:00Z", "2026-11-20T17:00:00Z"),
            // The clocks go from 2:00 to 3:00 that night.
            ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-29T00:30:00Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let next = Cron::parse(spec).unwrap().next(after.parse().unwrap(), &zone);
            assert_eq!(next.map(|at| at.to_string()).as_deref(), Some(want), "{spec} after {after}");
        }
    }

    #[test]
    fn what_never_holds_has_no_next_time() {
        let after = "2026-11-20T10:00:00Z".parse().unwrap();
        for spec in ["0 0 30 2 *", "0 0 1 1 * 2001"] {
            assert_eq!(Cron::parse(spec).unwrap().next(after, &TimeZone::UTC), None, "{spec}");
        }
        for spec in ["", "* * * *", "61 * * * *", "* * * * * * * *", "@never"] {
            assert_eq!(Cron::parse(spec), None, "{spec}");
        }
    }
}
