//! Text: case, trimming, splitting, patterns, base64.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::go::context::check_bytes;
use crate::go::function::{Answer, Function, Type, integer, text, texts};
use crate::go::value::{Key, MapType, Value};

use super::{pattern, string};

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("toLower", &[STR], |_, arguments| Ok(string(text(&arguments[0]).to_lowercase()))),
    Function::new("toUpper", &[STR], |_, arguments| Ok(string(upper(&text(&arguments[0]))))),
    Function::new("toTitle", &[STR], |_, arguments| Ok(string(title(&text(&arguments[0]))))),
    Function::new("trim", &[STR, STR], |_, arguments| {
        let set = text(&arguments[0]);
        Ok(string(text(&arguments[1]).trim_matches(|c| set.contains(c))))
    }),
    Function::new("trimPrefix", &[STR, STR], |_, arguments| {
        let value = text(&arguments[1]);
        Ok(string(value.strip_prefix(&*text(&arguments[0])).unwrap_or(&value)))
    }),
    Function::new("trimSuffix", &[STR, STR], |_, arguments| {
        let value = text(&arguments[1]);
        Ok(string(value.strip_suffix(&*text(&arguments[0])).unwrap_or(&value)))
    }),
    Function::new("trimSpace", &[STR], |_, arguments| Ok(string(text(&arguments[0]).trim()))),
    Function::new("replaceAll", &[STR, STR, STR], |_, arguments| {
        replace_all(&text(&arguments[0]), &text(&arguments[1]), &text(&arguments[2]))
    }),
    Function::new("regexMatch", &[STR, STR], |_, arguments| {
        Ok(pattern::compile(&text(&arguments[0]))?.is_match(&text(&arguments[1])).into())
    }),
    Function::new("regexReplaceAll", &[STR, STR, STR], |_, arguments| {
        let (replacement, value) = (text(&arguments[1]), text(&arguments[2]));
        let replaced = pattern::compile(&text(&arguments[0]))?.replace_all(&value, &*replacement).into_owned();
        check_bytes(replaced.len())?;
        Ok(string(replaced))
    }),
    Function::new("indent", &[Type::Int, STR], |_, arguments| indent(integer(&arguments[0]), &text(&arguments[1]))),
    Function::new("join", &[STR, Type::Strings], |_, arguments| Ok(string(texts(&arguments[1]).join(&*text(&arguments[0]))))),
    Function::new("split", &[STR, STR], |_, arguments| Ok(Value::strings(split(text(&arguments[1]).trim(), &text(&arguments[0]))))),
    Function::new("splitToMap", &[STR, STR, STR], |_, arguments| {
        Ok(split_to_map(&text(&arguments[0]), &text(&arguments[1]), &text(&arguments[2])))
    }),
    Function::new("base64Encode", &[STR], |_, arguments| Ok(string(STANDARD.encode(bytes(&arguments[0]))))),
    Function::new("base64Decode", &[STR], |_, arguments| decode("base64Decode", &STANDARD, &arguments[0])),
    Function::new("base64URLEncode", &[STR], |_, arguments| Ok(string(URL_SAFE.encode(bytes(&arguments[0]))))),
    Function::new("base64URLDecode", &[STR], |_, arguments| decode("base64URLDecode", &URL_SAFE, &arguments[0])),
];

fn bytes(value: &Value) -> &[u8] {
    value.text().map(crate::go::value::Text::as_bytes).unwrap_or_default()
}

/// Letter by letter: a letter whose capital has several letters stays as it is.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

pub(super) fn upper_char(c: char) -> char {
    let mut capital = c.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// The first letter of each word as a capital; the others stay.
fn title(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut pending = true;
    for (index, &c) in chars.iter().enumerate() {
        let inside = c.is_alphanumeric() || c == '_' || joins(&chars, index);
        if !inside {
            pending = true;
        }
        if pending && (c.is_lowercase() || c.is_uppercase()) {
            out.push(upper_char(c));
            pending = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// An apostrophe, dot or colon between two letters does not end a word.
fn joins(chars: &[char], index: usize) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphabetic());
    matches!(chars[index], '\'' | '.' | ':' | '\u{2019}' | '\u{b7}') && is_letter(index.checked_sub(1)) && is_letter(index.checked_add(1))
}

/// An empty `from` stands before every character and at the end.
pub(super) fn replace_all(from: &str, to: &str, value: &str) -> Answer {
    let count = if from.is_empty() { value.chars().count() + 1 } else { value.matches(from).count() };
    check_bytes(value.len().saturating_add(count.saturating_mul(to.len())))?;
    Ok(string(value.replace(from, to)))
}

fn indent(spaces: i64, value: &str) -> Answer {
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err(format!("indent value must be a positive integer, got {spaces}").into());
    };
    check_bytes(value.len().saturating_add(value.lines().count().saturating_mul(spaces)))?;
    let blank = " ".repeat(spaces);
    let mut out = String::with_capacity(value.len());
    for line in value.split_inclusive('\n') {
        if line != "\n" {
            out.push_str(&blank);
        }
        out.push_str(line);
    }
    Ok(string(out))
}

/// By an empty separator: into characters. A blank text has no parts.
pub(super) fn split(value: &str, separator: &str) -> Vec<String> {
    if value.is_empty() {
        return Vec::new();
    }
    if separator.is_empty() {
        return value.chars().map(String::from).collect();
    }
    value.split(separator).map(str::to_owned).collect()
}

fn split_to_map(between: &str, within: &str, value: &str) -> Value {
    let mut entries = BTreeMap::new();
    for part in split(value.trim(), between) {
        if let Some((key, value)) = part.split_once(within) {
            entries.insert(Key::from(key), Value::from(value));
        }
    }
    Value::map(MapType::StringString, entries)
}

fn decode(name: &str, engine: &base64::engine::GeneralPurpose, value: &Value) -> Answer {
    // Line breaks inside are no error: keys are often stored wrapped.
    let source: Vec<u8> = bytes(value).iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    decoded(engine, &source).map_err(|reason| format!("{name}: {reason}").into())
}

/// For those who want the reason as a value.
pub(super) fn decode_standard(value: &Value) -> Result<Value, String> {
    decoded(&STANDARD, bytes(value))
}

fn decoded(engine: &base64::engine::GeneralPurpose, source: &[u8]) -> Result<Value, String> {
    engine.decode(source).map(Value::from).map_err(|error| {
        let position = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            // Without its padding the last group is what cannot be read.
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => source.len() / 4 * 4,
        };
        format!("illegal base64 data at input byte {position}")
    })
}
