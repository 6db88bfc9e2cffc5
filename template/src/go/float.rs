//! Floats as text.

/// `%e`, with at least two digits of exponent. `None` as precision is the shortest that reads back.
pub(crate) fn exponential(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%f`.
pub(crate) fn fixed(value: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{value:.precision$}"),
        None => format!("{value}"),
    }
}

/// `%g`: whichever of the two fits. `sharp` keeps trailing zeros.
pub(crate) fn general(value: f64, precision: Option<usize>, sharp: bool) -> String {
    if value == 0.0 {
        let zero = if value.is_sign_negative() { "-0" } else { "0" };
        return zero.to_owned();
    }
    let Some(precision) = precision else { return shortest(value) };
    let precision = precision.max(1);
    let rounded = format!("{value:.*e}", precision - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    let text = if exponent < -4 || exponent >= limit {
        exponential(value, Some(precision - 1))
    } else {
        fixed(value, Some(usize::try_from(limit - 1 - exponent).unwrap_or_default()))
    };
    if sharp { text } else { without_trailing_zeros(&text) }
}

/// The shortest digits that read back; an exponent from 10^6 on, and below 10^-4.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
    if (-4..EXPONENT_FROM).contains(&exponent) { fixed(value, None) } else { exponential(value, None) }
}

/// Decimal exponent from which shortest floats are written with an exponent.
const EXPONENT_FROM: i32 = 6;

/// What `%v` prints.
pub(crate) fn display(value: f64) -> String {
    special(value).map_or_else(|| general(value, None, false), str::to_owned)
}

/// Infinities and not-a-number.
pub(crate) fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

fn without_trailing_zeros(text: &str) -> String {
    let (mantissa, exponent) = match text.find('e') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    if !mantissa.contains('.') {
        return text.to_owned();
    }
    format!("{}{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
}
