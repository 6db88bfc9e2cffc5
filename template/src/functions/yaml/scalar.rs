//! What a plain word means.

use crate::go::float;
use crate::go::number;
use crate::go::value::{UintType, Value};

/// The value of a word without quotes.
pub(super) fn resolve(word: &str) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return false.into(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return word.into();
    }
    let plain = word.replace('_', "");
    if let Some(value) = number::integer(&plain) {
        if let Ok(value) = i64::try_from(value) {
            return Value::int(value);
        }
        if let Ok(value) = u64::try_from(value) {
            return Value::Uint(value, UintType::Uint64);
        }
    }
    if is_float(&plain)
        && let Some(value) = number::float(&plain)
    {
        return Value::Float(value);
    }
    word.into()
}

/// Digits with a point or an exponent.
fn is_float(word: &str) -> bool {
    let unsigned = word.trim_start_matches(['+', '-']);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    word.len() - unsigned.len() <= 1 && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// A float as a plain word.
pub(super) fn float_word(value: f64) -> String {
    match float::special(value) {
        Some("NaN") => ".nan".to_owned(),
        Some("-Inf") => "-.inf".to_owned(),
        Some(_) => ".inf".to_owned(),
        None => float::display(value),
    }
}
