//! Text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

use crate::functions::hash::{bytes, hex};
use crate::functions::string;
use crate::functions::strings::{decode_standard, replace_all, split, upper};
use crate::go::context::{Context, check_bytes};
use crate::go::format;
use crate::go::function::{Answer, Function, Type, integer, text};
use crate::go::quote;
use crate::go::value::{Key, MapType, Value};

use super::kinds::to_text;
use super::words;

const ANY: Type = Type::Any;
const INT: Type = Type::Int;
const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_upper", &[STR], |_, arguments| Ok(string(upper(&text(&arguments[0]))))),
    Function::new("sprig_lower", &[STR], |_, arguments| Ok(string(text(&arguments[0]).to_lowercase()))),
    Function::new("sprig_title", &[STR], |_, arguments| Ok(string(words::title(&text(&arguments[0]))))),
    Function::new("sprig_untitle", &[STR], |_, arguments| Ok(string(words::untitle(&text(&arguments[0]))))),
    Function::new("sprig_swapcase", &[STR], |_, arguments| Ok(string(words::swapcase(&text(&arguments[0]))))),
    Function::new("sprig_camelcase", &[STR], |_, arguments| Ok(string(words::camelcase(&text(&arguments[0]))))),
    Function::new("sprig_snakecase", &[STR], |_, arguments| Ok(string(words::joined(&text(&arguments[0]), '_')))),
    Function::new("sprig_kebabcase", &[STR], |_, arguments| Ok(string(words::joined(&text(&arguments[0]), '-')))),
    Function::new("sprig_initials", &[STR], |_, arguments| Ok(string(words::initials(&text(&arguments[0]))))),
    Function::new("sprig_wrap", &[INT, STR], |_, arguments| {
        Ok(string(words::wrap(&text(&arguments[1]), integer(&arguments[0]), "\n", false)))
    }),
    Function::new("sprig_wrapWith", &[INT, STR, STR], |_, arguments| {
        Ok(string(words::wrap(&text(&arguments[2]), integer(&arguments[0]), &text(&arguments[1]), true)))
    }),
    Function::new("sprig_trim", &[STR], |_, arguments| Ok(string(text(&arguments[0]).trim()))),
    Function::new("sprig_trimAll", &[STR, STR], trim_all),
    Function::new("sprig_trimall", &[STR, STR], trim_all),
    Function::new("sprig_trimPrefix", &[STR, STR], |_, arguments| {
        let value = text(&arguments[1]);
        Ok(string(value.strip_prefix(&*text(&arguments[0])).unwrap_or(&value)))
    }),
    Function::new("sprig_trimSuffix", &[STR, STR], |_, arguments| {
        let value = text(&arguments[1]);
        Ok(string(value.strip_suffix(&*text(&arguments[0])).unwrap_or(&value)))
    }),
    Function::new("sprig_nospace", &[STR], |_, arguments| Ok(string(text(&arguments[0]).split_whitespace().collect::<String>()))),
    Function::new("sprig_contains", &[STR, STR], |_, arguments| Ok(text(&arguments[1]).contains(&*text(&arguments[0])).into())),
    Function::new("sprig_hasPrefix", &[STR, STR], |_, arguments| Ok(text(&arguments[1]).starts_with(&*text(&arguments[0])).into())),
    Function::new("sprig_hasSuffix", &[STR, STR], |_, arguments| Ok(text(&arguments[1]).ends_with(&*text(&arguments[0])).into())),
    Function::new("sprig_replace", &[STR, STR, STR], |_, arguments| {
        replace_all(&text(&arguments[0]), &text(&arguments[1]), &text(&arguments[2]))
    }),
    Function::new("sprig_repeat", &[INT, STR], repeat),
    Function::new("sprig_trunc", &[INT, STR], |_, arguments| Ok(cut(integer(&arguments[0]), bytes(&arguments[1])))),
    Function::new("sprig_substr", &[INT, INT, STR], substring),
    Function::new("sprig_abbrev", &[INT, STR], |_, arguments| {
        Ok(string(words::abbreviate(&text(&arguments[1]), 0, integer(&arguments[0]))))
    }),
    Function::new("sprig_abbrevboth", &[INT, INT, STR], |_, arguments| {
        let (left, right) = (integer(&arguments[0]), integer(&arguments[1]));
        let value = text(&arguments[2]);
        if right < 4 || (left > 0 && right < 7) {
            return Ok(arguments[2].clone());
        }
        Ok(string(words::abbreviate(&value, left, right)))
    }),
    Function::many("sprig_quote", &[], ANY, |_, arguments| {
        let quoted = present(arguments).map(|value| quote::quote(to_text(value).as_bytes()));
        Ok(string(quoted.collect::<Vec<_>>().join(" ")))
    }),
    Function::many("sprig_squote", &[], ANY, |_, arguments| {
        Ok(string(present(arguments).map(|value| format!("'{}'", format::to_string(value))).collect::<Vec<_>>().join(" ")))
    }),
    Function::many("sprig_cat", &[], ANY, |_, arguments| {
        Ok(string(present(arguments).map(format::to_string).collect::<Vec<_>>().join(" ")))
    }),
    Function::new("sprig_indent", &[INT, STR], |_, arguments| indent(arguments, "")),
    Function::new("sprig_nindent", &[INT, STR], |_, arguments| indent(arguments, "\n")),
    Function::new("sprig_plural", &[STR, STR, INT], |_, arguments| Ok(arguments[usize::from(integer(&arguments[2]) != 1)].clone())),
    Function::new("sprig_split", &[STR, STR], |_, arguments| {
        Ok(numbered(text(&arguments[1]).split(&*text(&arguments[0])).map(str::to_owned).collect()))
    }),
    Function::new("sprig_splitn", &[STR, INT, STR], |_, arguments| {
        let count = usize::try_from(integer(&arguments[1])).unwrap_or(usize::MAX);
        Ok(numbered(text(&arguments[2]).splitn(count, &*text(&arguments[0])).map(str::to_owned).collect()))
    }),
    Function::new("sprig_splitList", &[STR, STR], |_, arguments| {
        let (separator, value) = (text(&arguments[0]), text(&arguments[1]));
        // Unlike elsewhere, an empty text has one empty part.
        if value.is_empty() && !separator.is_empty() {
            return Ok(Value::strings([""]));
        }
        Ok(Value::strings(split(&value, &separator)))
    }),
    Function::new("sprig_shuffle", &[STR], shuffle),
    Function::new("sprig_b64enc", &[STR], |_, arguments| Ok(string(STANDARD.encode(bytes(&arguments[0]))))),
    Function::new("sprig_b64dec", &[STR], |_, arguments| Ok(decode_standard(&arguments[0]).unwrap_or_else(Value::from))),
    Function::new("sprig_b32enc", &[STR], |_, arguments| Ok(string(words::base32(bytes(&arguments[0]))))),
    Function::new("sprig_b32dec", &[STR], |_, arguments| {
        Ok(words::from_base32(&text(&arguments[0]))
            .map_or_else(|at| string(format!("illegal base32 data at input byte {at}")), Value::from))
    }),
    Function::new("sprig_sha1sum", &[STR], |_, arguments| Ok(string(hex(&sha1::Sha1::digest(bytes(&arguments[0])))))),
    Function::new("sprig_sha256sum", &[STR], |_, arguments| Ok(string(hex(&sha2::Sha256::digest(bytes(&arguments[0])))))),
    Function::new("sprig_sha512sum", &[STR], |_, arguments| Ok(string(hex(&sha2::Sha512::digest(bytes(&arguments[0])))))),
    Function::new("sprig_adler32sum", &[STR], |_, arguments| Ok(string(words::adler32(bytes(&arguments[0])).to_string()))),
];

fn present(arguments: &[Value]) -> impl Iterator<Item = &Value> {
    arguments.iter().filter(|value| !matches!(value, Value::Nil))
}

fn trim_all(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let set = text(&arguments[0]);
    Ok(string(text(&arguments[1]).trim_matches(|c| set.contains(c))))
}

fn repeat(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Ok(count) = usize::try_from(integer(&arguments[0])) else {
        return Err("strings: negative Repeat count".into());
    };
    let value = bytes(&arguments[1]);
    check_bytes(value.len().saturating_mul(count))?;
    Ok(value.repeat(count).into())
}

/// The first bytes, or with a negative count the last.
fn cut(count: i64, value: &[u8]) -> Value {
    let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    if count < 0 && length + count > 0 {
        return value[at(length + count)..].to_vec().into();
    }
    if count >= 0 && length > count {
        return value[..at(count)].to_vec().into();
    }
    value.to_vec().into()
}

/// From `start` to `end`; a negative start is the beginning, a negative or too large end the end.
fn substring(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = bytes(&arguments[2]);
    let start = usize::try_from(integer(&arguments[0])).unwrap_or(0);
    let end = usize::try_from(integer(&arguments[1])).unwrap_or(usize::MAX).min(value.len());
    match value.get(start..end) {
        Some(part) => Ok(part.to_vec().into()),
        None => Err("runtime error: slice bounds out of range".into()),
    }
}

fn indent(arguments: &[Value], before: &str) -> Answer {
    let Ok(spaces) = usize::try_from(integer(&arguments[0])) else {
        return Err("strings: negative Repeat count".into());
    };
    let value = text(&arguments[1]);
    check_bytes(value.len().saturating_add(spaces.saturating_mul(value.matches('\n').count() + 1)))?;
    let blank = " ".repeat(spaces);
    Ok(string(format!("{before}{blank}{}", value.replace('\n', &format!("\n{blank}")))))
}

/// `_0`, `_1`, … with the parts.
fn numbered(parts: Vec<String>) -> Value {
    let entries = parts.into_iter().enumerate().map(|(index, part)| (Key::from(format!("_{index}").as_str()), Value::from(part)));
    Value::map(MapType::StringString, entries.collect())
}

fn shuffle(context: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut chars: Vec<char> = text(&arguments[0]).chars().collect();
    for end in (1..chars.len()).rev() {
        let other = usize::try_from(context.next_number() % (end as u64 + 1)).unwrap_or(0);
        chars.swap(end, other);
    }
    Ok(string(chars.into_iter().collect::<String>()))
}
