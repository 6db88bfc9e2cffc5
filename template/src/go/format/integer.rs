//! Integers with flags.

use super::Flags;

/// Sign, prefix, digits, padding with zeros: all but the blanks around.
pub(super) fn format(magnitude: u128, negative: bool, radix: u32, upper: bool, verb: char, flags: &Flags) -> String {
    let mut digits = match radix {
        2 => format!("{magnitude:b}"),
        8 => format!("{magnitude:o}"),
        16 if upper => format!("{magnitude:X}"),
        16 => format!("{magnitude:x}"),
        _ => magnitude.to_string(),
    };
    if let Some(precision) = flags.precision {
        if precision == 0 && magnitude == 0 {
            return String::new();
        }
        digits = format!("{digits:0>precision$}");
    }
    let sign = match (negative, flags.plus, flags.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let prefix = match (verb, radix) {
        ('O', _) => "0o",
        (_, 2) if flags.sharp => "0b",
        (_, 8) if flags.sharp && !digits.starts_with('0') => "0",
        (_, 16) if flags.sharp && upper => "0X",
        (_, 16) if flags.sharp => "0x",
        _ => "",
    };
    if let (true, None, Some(width)) = (flags.zero, flags.precision, flags.width) {
        let taken = sign.len() + if verb == 'O' { 2 } else { 0 };
        let width = width.saturating_sub(taken);
        digits = format!("{digits:0>width$}");
    }
    format!("{sign}{prefix}{digits}")
}

/// `U+20AC`, with `#` the character as well.
pub(super) fn unicode(value: u128, flags: &Flags) -> String {
    let width = flags.precision.unwrap_or(4).max(4);
    let mut text = format!("U+{value:0>width$X}");
    if let (true, Some(c)) = (flags.sharp, u32::try_from(value).ok().and_then(char::from_u32)) {
        text += &format!(" '{c}'");
    }
    text
}
