//! Constants: `1_000`, `0x1F`, `'a'`, `1.5e3`, `2i`.

use super::quote;

/// A constant with all the types it can take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) source: Box<str>,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    /// An imaginary constant.
    pub(crate) imaginary: Option<f64>,
    /// Written as a float: it is one, even if integral.
    pub(crate) is_float: bool,
}

impl Number {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut number = Self { source: text.into(), int: None, uint: None, float: None, imaginary: None, is_float: false };
        if text.starts_with('\'') {
            let c = quote::unquote_char(text).ok_or_else(|| format!("malformed character constant: {text}"))?;
            number.int = Some(i64::from(c));
            number.uint = Some(u64::from(c));
            number.float = Some(f64::from(c));
            return Ok(number);
        }
        if let Some(imaginary) = text.strip_suffix('i') {
            number.imaginary = Some(float(imaginary).ok_or_else(|| bad(text))?);
            return Ok(number);
        }
        let hexadecimal = text.trim_start_matches(['+', '-']).get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        number.is_float = if hexadecimal { text.contains(['.', 'p', 'P']) } else { text.contains(['.', 'e', 'E', 'p', 'P']) };
        if !number.is_float {
            number.int = integer(text).and_then(|value| i64::try_from(value).ok());
            number.uint = integer(text).and_then(|value| u64::try_from(value).ok());
            if number.int.is_none() && number.uint.is_none() {
                return Err(if integer(text).is_none() {
                    bad(text)
                } else {
                    format!("integer overflow: {}", quote::quote(text.as_bytes()))
                });
            }
            #[expect(clippy::cast_precision_loss, reason = "a constant used as a float is rounded")]
            let as_float = number.int.map(|value| value as f64).or_else(|| number.uint.map(|value| value as f64));
            number.float = as_float;
            return Ok(number);
        }
        let value = float(text).filter(|value| value.is_finite()).ok_or_else(|| bad(text))?;
        number.float = Some(value);
        // An integral float may be given where an integer is wanted.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and in range")]
        if value.fract() == 0.0 && value.abs() < 9.2e18 {
            number.int = Some(value as i64);
            number.uint = u64::try_from(value as i64).ok();
        }
        Ok(number)
    }
}

fn bad(text: &str) -> String {
    format!("illegal number syntax: {}", quote::quote(text.as_bytes()))
}

/// An integer with its prefix and underscores.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits, prefixed) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..], true),
        Some("0o") => (8, &lower[2..], true),
        Some("0b") => (2, &lower[2..], true),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    let plain = without_underscores(digits, prefixed)?;
    let value = i128::from_str_radix(&plain, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// Underscores may stand between digits, and after a prefix.
fn without_underscores(digits: &str, prefixed: bool) -> Option<String> {
    let misplaced = digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !prefixed);
    let plain = digits.replace('_', "");
    (!misplaced && !plain.is_empty() && !plain.starts_with(['+', '-'])).then_some(plain)
}

/// A float, also a hexadecimal one.
pub(crate) fn float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        let (mantissa, exponent) = hexadecimal.split_once('p').unwrap_or((hexadecimal, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = without_underscores(&format!("{whole}{fraction}"), true)?;
        #[expect(clippy::cast_precision_loss, reason = "a float constant is rounded")]
        let value = u64::from_str_radix(&digits, 16).ok()? as f64;
        let shift: i32 = exponent.parse().ok()?;
        let scale = shift.checked_sub(i32::try_from(fraction.replace('_', "").len()).ok()?.checked_mul(4)?)?;
        return Some(sign * value * 2f64.powi(scale));
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if ["0o", "0b"].iter().any(|prefix| lower.starts_with(prefix)) {
        #[expect(clippy::cast_precision_loss, reason = "a float constant is rounded")]
        return integer(text).map(|value| value as f64);
    }
    lower.replace('_', "").parse::<f64>().ok().map(|value| sign * value)
}
