//! Types, defaults, conversions.

use crate::functions::json::{self, Style};
use crate::functions::string;
use crate::go::format;
use crate::go::function::{Answer, Fault, Function, Type, text};
use crate::go::number;
use crate::go::value::{Text, Value};

const ANY: Type = Type::Any;
const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::many("sprig_default", &[ANY], ANY, |_, arguments| {
        Ok(arguments.get(1).filter(|given| given.truth()).unwrap_or(&arguments[0]).clone())
    }),
    Function::new("sprig_empty", &[ANY], |_, arguments| Ok((!arguments[0].truth()).into())),
    Function::many("sprig_coalesce", &[], ANY, |_, arguments| {
        Ok(arguments.iter().find(|value| value.truth()).cloned().unwrap_or(Value::Nil))
    }),
    Function::many("sprig_all", &[], ANY, |_, arguments| Ok(arguments.iter().all(Value::truth).into())),
    Function::many("sprig_any", &[], ANY, |_, arguments| Ok(arguments.iter().any(Value::truth).into())),
    Function::new("sprig_ternary", &[ANY, ANY, Type::Bool], |_, arguments| Ok(arguments[usize::from(!arguments[2].truth())].clone())),
    Function::new("sprig_typeOf", &[ANY], |_, arguments| Ok(string(arguments[0].type_name()))),
    Function::new("sprig_typeIs", &[STR, ANY], |_, arguments| Ok((text(&arguments[0]) == arguments[1].type_name()).into())),
    Function::new("sprig_typeIsLike", &[STR, ANY], |_, arguments| {
        let (wanted, name) = (text(&arguments[0]), arguments[1].type_name());
        Ok((wanted == name || format!("*{wanted}") == name).into())
    }),
    Function::new("sprig_kindOf", &[ANY], |_, arguments| Ok(kind(&arguments[0]).into())),
    Function::new("sprig_kindIs", &[STR, ANY], |_, arguments| Ok((text(&arguments[0]) == kind(&arguments[1])).into())),
    Function::new("sprig_deepEqual", &[ANY, ANY], |_, arguments| Ok(arguments[0].deep_equal(&arguments[1]).into())),
    Function::new("sprig_deepCopy", &[ANY], |_, arguments| deep_copy(&arguments[0])),
    Function::new("sprig_mustDeepCopy", &[ANY], |_, arguments| deep_copy(&arguments[0])),
    Function::new("sprig_fromJson", &[STR], |_, arguments| Ok(json::decode(&text(&arguments[0])).unwrap_or(Value::Nil))),
    Function::new("sprig_mustFromJson", &[STR], |_, arguments| json::decode(&text(&arguments[0]))),
    Function::new("sprig_toJson", &[ANY], |_, arguments| Ok(string(encode(arguments, None, true).unwrap_or_default()))),
    Function::new("sprig_mustToJson", &[ANY], |_, arguments| encode(arguments, None, true).map(string)),
    Function::new("sprig_toPrettyJson", &[ANY], |_, arguments| Ok(string(encode(arguments, PRETTY, true).unwrap_or_default()))),
    Function::new("sprig_mustToPrettyJson", &[ANY], |_, arguments| encode(arguments, PRETTY, true).map(string)),
    Function::new("sprig_toRawJson", &[ANY], |_, arguments| encode(arguments, None, false).map(string)),
    Function::new("sprig_mustToRawJson", &[ANY], |_, arguments| encode(arguments, None, false).map(string)),
    Function::new("sprig_toString", &[ANY], |_, arguments| Ok(Value::Str(to_text(&arguments[0])))),
    Function::new("sprig_toStrings", &[ANY], |_, arguments| Ok(Value::strings(strings(&arguments[0]).into_iter().map(Value::Str)))),
    Function::new("sprig_int", &[ANY], |_, arguments| Ok(Value::int(to_int(&arguments[0])))),
    Function::new("sprig_int64", &[ANY], |_, arguments| Ok(Value::int64(to_int(&arguments[0])))),
    Function::new("sprig_float64", &[ANY], |_, arguments| Ok(Value::Float(to_float(&arguments[0])))),
    Function::new("sprig_atoi", &[STR], |_, arguments| Ok(Value::int(text(&arguments[0]).parse().unwrap_or(0)))),
    Function::new("sprig_toDecimal", &[ANY], |_, arguments| {
        let source = to_text(&arguments[0]);
        Ok(Value::int64(i64::from_str_radix(&source.to_str(), 8).unwrap_or(0)))
    }),
    Function::new("sprig_fail", &[STR], |_, arguments| Err(Fault::Message(text(&arguments[0]).into_owned()))),
    Function::new("sprig_hello", &[], |_, _| Ok("Hello!".into())),
];

const PRETTY: Option<&str> = Some("  ");

fn encode(arguments: &[Value], indent: Option<&str>, escape_html: bool) -> Result<String, Fault> {
    json::encode(&arguments[0], Style { indent, escape_html })
}

fn deep_copy(value: &Value) -> Answer {
    match value {
        Value::Nil => Err("deepCopy: nil cannot be copied".into()),
        other => Ok(other.deep_copy()),
    }
}

/// What a value is made of.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Number(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::NilPointer(_) => "ptr",
        Value::Object(object) if object.type_name().starts_with('*') => "ptr",
        Value::Object(object) if object.as_map().is_some() => "map",
        Value::Object(_) => "struct",
        Value::Bool(_) => "bool",
        Value::Int(_, crate::go::value::IntType::Int) => "int",
        Value::Int(..) => "int64",
        Value::Uint(_, crate::go::value::UintType::Uint8) => "uint8",
        Value::Uint(..) => "uint64",
        Value::Float(_) => "float64",
        Value::Complex(..) => "complex128",
        Value::Str(_) => "string",
    }
}

/// A value as text.
pub(super) fn to_text(value: &Value) -> Text {
    format::to_text(value)
}

/// A value as a list of texts: a list's items without the empty ones, or the one value.
pub(super) fn strings(value: &Value) -> Vec<Text> {
    match value {
        Value::Nil => Vec::new(),
        Value::List(list) => list.items.iter().filter(|item| !matches!(item, Value::Nil)).map(to_text).collect(),
        other => vec![to_text(other)],
    }
}

/// Whatever can be read as an integer; else 0.
#[expect(clippy::cast_possible_truncation, reason = "a float is cut to its whole part")]
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(value, _) => *value,
        Value::Uint(value, _) => i64::try_from(*value).unwrap_or(i64::MAX),
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::Str(text) | Value::Number(text) => {
            let source = text.to_str();
            // `5.00` is five.
            let whole =
                source.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0')).map_or(&*source, |(whole, _)| whole);
            number::integer(whole).and_then(|value| i64::try_from(value).ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Whatever can be read as a float; else 0.
#[expect(clippy::cast_precision_loss, reason = "the nearest float is meant")]
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(value, _) => *value as f64,
        Value::Uint(value, _) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Str(text) | Value::Number(text) => number::float(&text.to_str()).unwrap_or(0.0),
        _ => 0.0,
    }
}
