//! When a periodic job runs.

use super::*;

pub(super) fn periodic(periodic: &Periodic) -> ValidationErrors {
    let mut errors = ValidationErrors::default();
    if periodic.enabled == Some(false) {
        return errors;
    }
    let single = periodic.spec.as_deref().filter(|spec| !spec.is_empty());
    if single.is_some() && !periodic.specs.is_empty() {
        errors.push("Only cron or crons may be used");
    }
    if single.is_none() && periodic.specs.is_empty() {
        errors.push("Must specify a spec");
    }
    let zone = periodic.time_zone.as_deref().unwrap_or("UTC");
    if !matches!(zone, "UTC" | "Local" | "") && jiff::tz::TimeZone::get(zone).is_err() {
        errors.push(format!("Invalid time zone {zone:?}: unknown time zone {zone}"));
    }
    match periodic.spec_type.as_deref() {
        Some("cron") => {}
        other => errors.push(format!("Unknown periodic specification type {:?}", other.unwrap_or_default())),
    }
    for spec in single.into_iter().chain(periodic.specs.iter().map(String::as_str)) {
        if let Some(problem) = problem(spec) {
            errors.push(format!("Invalid cron spec {spec:?}: {problem}"));
        }
    }
    errors
}

/// One field: its name, its bounds, and names that stand for numbers.
type Field = (&'static str, u32, u32, &'static [&'static str]);

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// In the order of the longest form.
const FIELDS: [Field; 7] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day-of-month", 1, 31, &[]),
    ("month", 1, 12, MONTHS),
    ("day-of-week", 0, 7, DAYS),
    ("year", 1970, 2099, &[]),
];

/// What is wrong with a cron expression: five fields, six (with a year) or seven (with seconds too), or a nickname.
fn problem(spec: &str) -> Option<String> {
    if let Some(name) = spec.strip_prefix('@') {
        let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"].contains(&name);
        return (!known).then(|| format!("unknown nickname @{name}"));
    }
    let words: Vec<&str> = spec.split_whitespace().collect();
    let fields = match words.len() {
        0..5 => return Some("missing field(s)".to_owned()),
        5 => &FIELDS[1..6],
        6 => &FIELDS[1..7],
        7 => &FIELDS[..],
        _ => return Some("too many fields".to_owned()),
    };
    let wrong = fields.iter().zip(words).find(|(field, word)| !word.split(',').all(|item| item_fits(item, field)));
    wrong.map(|((name, ..), word)| format!("syntax error in {name} field: '{word}'"))
}

/// `*`, `5`, `mon-fri`, `*/15`, `10-30/5`, and for days `L`, `5L`, `mon#2`, `15W`, `LW`, `?`.
fn item_fits(item: &str, (name, low, high, names): &Field) -> bool {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().position(|name| !lower.is_empty() && lower.starts_with(name));
        let value = match named {
            Some(at) => u32::try_from(at).ok()? + low,
            None => lower.parse().ok()?,
        };
        (*low..=*high).contains(&value).then_some(value)
    };
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0)) {
        return false;
    }
    let days = name.starts_with("day");
    match range {
        "*" => true,
        "?" | "L" | "l" => days,
        "LW" | "lw" | "W" | "w" => *name == "day-of-month",
        _ if days
            && range.split_once('#').is_some_and(|(day, nth)| number(day).is_some() && matches!(nth, "1" | "2" | "3" | "4" | "5")) =>
        {
            true
        }
        _ if days && range.ends_with(['L', 'l', 'W', 'w']) && number(&range[..range.len() - 1]).is_some() => true,
        _ => match range.split_once('-') {
            Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
            None => number(range).is_some(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_expressions_are_told_from_other_text() {
        for fine in [
            "*/15 * * * *",
            "@daily",
            "0 9 * * mon-fri",
            "0 0 1,15 jan *",
            "0 0 L * ?",
            "0 0 * * fri#2",
            "0 0 12 * * * 2030",
            "0 0 15W * *",
        ] {
            assert_eq!(problem(fine), None, "{fine}");
        }
        for (text, reason) in [
            ("not a cron", "missing field(s)"),
            ("", "missing field(s)"),
            ("61 * * * *", "syntax error in minute field: '61'"),
            ("* * * 13 *", "syntax error in month field: '13'"),
            ("*/0 * * * *", "syntax error in minute field: '*/0'"),
            ("@never", "unknown nickname @never"),
            ("* * * * * * * *", "too many fields"),
        ] {
            assert_eq!(problem(text).as_deref(), Some(reason), "{text}");
        }
    }
}
