//! `format` and `formatlist`: verbs, flags, width and precision as in C's printf and its descendants.

use std::{iter::Peekable, str::Chars};

use super::*;

/// Widths and precisions beyond this are refused: they only serve to exhaust memory.
const MAX_WIDTH: usize = 1000;
/// The longest text that is made.
const MAX_TEXT_BYTES: usize = 4 << 20;

pub(super) fn format(arguments: Arguments<'_>) -> Outcome {
    let template = arguments.text(0)?;
    Ok(Value::from(apply(&template, &arguments.0[1..])?))
}

/// One text per element of the lists among the arguments, which must be of one length; other arguments are the same in each.
pub(super) fn formatlist(arguments: Arguments<'_>) -> Outcome {
    let template = arguments.text(0)?;
    let rest = &arguments.0[1..];
    let mut length = None;
    for (at, argument) in rest.iter().enumerate() {
        if let Some(items) = argument.elements() {
            match length {
                Some(length) if length != items.len() => {
                    return Err(Failure::Argument(
                        at + 1,
                        format!("argument {} has length {}, which is inconsistent with argument of length {length}", at + 1, items.len()),
                    ));
                }
                _ => length = Some(items.len()),
            }
        }
    }
    let texts = (0..length.unwrap_or(1)).map(|row| {
        let row: Vec<Value> = rest
            .iter()
            .map(|argument| match argument.elements() {
                Some(items) => items.get(row).cloned().unwrap_or(Value::Null),
                None => argument.clone(),
            })
            .collect();
        apply(&template, &row).map(Value::from)
    });
    Ok(Value::list(texts.collect::<Result<_, _>>()?))
}

#[derive(Default)]
struct Verb {
    letter: char,
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// `%[2]s` takes the second argument.
    position: Option<usize>,
}

fn apply(template: &str, arguments: &[Value]) -> Result<String, Failure> {
    let mut text = String::new();
    let mut chars = template.chars().peekable();
    let mut next = 0;
    let mut jumped = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let verb = read_verb(&mut chars)?;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let at = match verb.position {
            Some(position) => {
                jumped = true;
                position.checked_sub(1).ok_or_else(|| Failure::Call("argument positions count from 1".to_owned()))?
            }
            None => next,
        };
        let Some(argument) = arguments.get(at) else {
            return failure(format!(
                "not enough arguments for \"%{}\": need index {} but have {} total",
                verb.letter,
                at + 1,
                arguments.len()
            ));
        };
        next = at + 1;
        text.push_str(&pad(&verb, one(&verb, argument, at)?, argument));
        if text.len() > MAX_TEXT_BYTES {
            return failure(format!("the text would have more than {MAX_TEXT_BYTES} bytes"));
        }
    }
    if next < arguments.len() && !jumped {
        return failure(format!("too many arguments; only {next} used by format string"));
    }
    Ok(text)
}

fn read_verb(chars: &mut Peekable<Chars<'_>>) -> Result<Verb, Failure> {
    let mut verb = Verb::default();
    while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | ' ' | '0' | '#')) {
        match flag {
            '-' => verb.minus = true,
            '+' => verb.plus = true,
            ' ' => verb.space = true,
            '0' => verb.zero = true,
            _ => verb.sharp = true,
        }
    }
    if chars.next_if_eq(&'[').is_some() {
        verb.position = digits(chars)?;
        if chars.next() != Some(']') {
            return failure("unclosed argument position in format string");
        }
    }
    verb.width = digits(chars)?;
    if chars.next_if_eq(&'.').is_some() {
        verb.precision = Some(digits(chars)?.unwrap_or(0));
    }
    if verb.position.is_none() && chars.next_if_eq(&'[').is_some() {
        verb.position = digits(chars)?;
        if chars.next() != Some(']') {
            return failure("unclosed argument position in format string");
        }
    }
    match chars.next() {
        Some(letter) => Ok(Verb { letter, ..verb }),
        None => failure("unterminated verb at end of format string"),
    }
}

fn digits(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, Failure> {
    let mut number = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        let value = number.unwrap_or(0) * 10 + digit.to_digit(10).unwrap_or(0) as usize;
        if value > MAX_WIDTH {
            return failure(format!("a width, precision or position in a format string may be at most {MAX_WIDTH}"));
        }
        number = Some(value);
    }
    Ok(number)
}

fn pad(verb: &Verb, text: String, argument: &Value) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if verb.minus {
        return text + &" ".repeat(missing);
    }
    if verb.zero && matches!(argument, Value::Number(_)) {
        let sign = text.len() - text.trim_start_matches(['-', '+']).len();
        return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
    }
    " ".repeat(missing) + &text
}

fn one(verb: &Verb, argument: &Value, at: usize) -> Result<String, Failure> {
    let unsupported = |reason: &str| Failure::Call(format!("unsupported value for \"%{}\" at {}: {reason}", verb.letter, at + 1));
    let number = || argument.to_number().map_err(unsupported);
    let whole = || number()?.as_i64().ok_or_else(|| unsupported("an integer is required"));
    let sign = |negative: bool| match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    Ok(match verb.letter {
        'v' => match argument {
            Value::String(text) if !verb.sharp => text.to_string(),
            Value::Null if !verb.sharp => "null".to_owned(),
            _ if verb.sharp => encoding::json_text(argument),
            Value::Number(number) => number.to_string(),
            _ => encoding::json_text(argument),
        },
        't' => argument.to_bool().map_err(unsupported)?.to_string(),
        's' | 'q' => {
            let text = argument.to_text().map_err(unsupported)?;
            let text: String = text.chars().take(verb.precision.unwrap_or(usize::MAX)).collect();
            if verb.letter == 'q' { encoding::json_text(&Value::from(text)) } else { text }
        }
        'd' => {
            let value = whole()?;
            format!("{}{}", sign(value < 0), value.unsigned_abs())
        }
        'b' | 'o' | 'x' | 'X' => {
            let value = whole()?;
            let n = value.unsigned_abs();
            let digits = match verb.letter {
                'b' => format!("{n:b}"),
                'o' => format!("{n:o}"),
                'x' => format!("{n:x}"),
                _ => format!("{n:X}"),
            };
            let prefix = if verb.sharp { ["0b", "0", "0x", "0X"]["boxX".find(verb.letter).unwrap_or(0)] } else { "" };
            format!("{}{prefix}{digits}", sign(value < 0))
        }
        'f' | 'F' => {
            let value = number()?.as_f64();
            format!("{}{:.*}", sign(value < 0.0), verb.precision.unwrap_or(6), value.abs())
        }
        'e' | 'E' => {
            let value = number()?.as_f64();
            let text = exponent(&format!("{:.*e}", verb.precision.unwrap_or(6), value.abs()));
            format!("{}{}", sign(value < 0.0), if verb.letter == 'E' { text.to_uppercase() } else { text })
        }
        'g' | 'G' => {
            let value = number()?.as_f64();
            let text = if value != 0.0 && !(1e-4..1e21).contains(&value.abs()) {
                exponent(&format!("{:e}", value.abs()))
            } else {
                value.abs().to_string()
            };
            format!("{}{text}", sign(value < 0.0))
        }
        other => return failure(format!("unrecognized format character {other:?}")),
    })
}

/// `1.5e7` as `1.5e+07`.
fn exponent(text: &str) -> String {
    let Some((mantissa, power)) = text.split_once('e') else { return text.to_owned() };
    let (sign, digits) = match power.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', power),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}
