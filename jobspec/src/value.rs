//! Values of expressions, and their conversions.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;

/// What an expression evaluates to. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    /// The result of an expression that failed; its error has been reported already.
    Unknown,
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    List(Arc<Vec<Value>>),
    /// Sorted and without duplicates.
    Set(Arc<Vec<Value>>),
    Object(Arc<BTreeMap<String, Value>>),
}

/// A number: exact while it is whole and fits, otherwise a float.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

/// Whole numbers beyond this are floats; within it no sum or product of two overflows.
const MAX_EXACT: i128 = 1 << 62;

impl Number {
    pub(crate) fn int(value: i128) -> Self {
        if value.abs() <= MAX_EXACT { Self::Int(value) } else { Self::Float(value as f64) }
    }

    pub(crate) fn float(value: f64) -> Self {
        if value.fract() == 0.0 && value.abs() <= MAX_EXACT as f64 { Self::Int(value as i128) } else { Self::Float(value) }
    }

    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    pub(crate) fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => i64::try_from(value).ok(),
            Self::Float(_) => None,
        }
    }

    /// Reads a number as HCL writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(value) = text.parse::<i64>() {
            return Some(Self::int(value.into()));
        }
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
        if !text.chars().all(digits) {
            return None;
        }
        text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Self::float)
    }

    /// The result of an operation: exact if both sides are, else rounded to what a float holds reliably, so that 0.1 + 0.2 is 0.3.
    pub(crate) fn combine(self, other: Self, exact: impl Fn(i128, i128) -> Option<i128>, float: impl Fn(f64, f64) -> f64) -> Option<Self> {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(value) = exact(a, b)
        {
            return Some(Self::int(value));
        }
        let value = float(self.as_f64(), other.as_f64());
        if !value.is_finite() {
            return None;
        }
        format!("{value:.14e}").parse::<f64>().ok().map(Self::float)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            _ => self.as_f64() == other.as_f64(),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::int(value.into()))
    }
}

impl Value {
    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }

    pub(crate) fn set(items: impl IntoIterator<Item = Value>) -> Self {
        let mut sorted: Vec<Value> = items.into_iter().collect();
        sorted.sort_by(Value::order);
        sorted.dedup();
        Self::Set(Arc::new(sorted))
    }

    pub(crate) fn object(entries: BTreeMap<String, Value>) -> Self {
        Self::Object(Arc::new(entries))
    }

    /// What to call this kind of value in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "unknown",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Object(_) => "object",
        }
    }

    /// The elements of a list or set.
    pub(crate) fn elements(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this value, or one within it, is unknown.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::List(items) | Self::Set(items) => items.iter().any(Value::is_unknown),
            Self::Object(entries) => entries.values().any(Value::is_unknown),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// How much there is to walk through in this value, taken from `left` until that is used up, and how deep it is nested. Values share parts, so
    /// a small expression can stand for a huge value: everything that walks through one asks here first.
    pub(crate) fn measure(&self, left: &mut usize) -> usize {
        /// Bytes of text that count as much as one element.
        const BYTES: usize = 64;
        let own = match self {
            Self::String(text) => 1 + text.len() / BYTES,
            Self::List(_) | Self::Set(_) | Self::Object(_) | Self::Null | Self::Unknown | Self::Bool(_) | Self::Number(_) => 1,
        };
        *left = left.saturating_sub(own);
        let mut deepest = 0;
        let mut children = |child: &Value| {
            if *left > 0 {
                deepest = deepest.max(1 + child.measure(left));
            }
        };
        match self {
            Self::List(items) | Self::Set(items) => items.iter().for_each(&mut children),
            Self::Object(entries) => entries.values().for_each(&mut children),
            Self::String(_) | Self::Null | Self::Unknown | Self::Bool(_) | Self::Number(_) => {}
        }
        deepest
    }

    /// As a string, if it is one or can stand for one.
    pub(crate) fn to_text(&self) -> Result<Arc<str>, &'static str> {
        match self {
            Self::String(text) => Ok(text.clone()),
            Self::Number(number) => Ok(number.to_string().into()),
            Self::Bool(value) => Ok(if *value { "true" } else { "false" }.into()),
            Self::Unknown => Err("value must be known"),
            Self::Null | Self::List(_) | Self::Set(_) | Self::Object(_) => Err("string required"),
        }
    }

    pub(crate) fn to_number(&self) -> Result<Number, &'static str> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::String(text) => Number::parse(text).ok_or("a number is required"),
            Self::Unknown => Err("value must be known"),
            Self::Null | Self::Bool(_) | Self::List(_) | Self::Set(_) | Self::Object(_) => Err("a number is required"),
        }
    }

    pub(crate) fn to_bool(&self) -> Result<bool, &'static str> {
        match self {
            Self::Bool(value) => Ok(*value),
            Self::String(text) => match &**text {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                "True" | "TRUE" | "False" | "FALSE" => {
                    Err("a bool is required; to convert from string, use lowercase \"true\" or \"false\"")
                }
                _ => Err("a bool is required"),
            },
            Self::Unknown => Err("value must be known"),
            Self::Null | Self::Number(_) | Self::List(_) | Self::Set(_) | Self::Object(_) => Err("a bool is required"),
        }
    }

    /// An order over all values, for sets.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            _ => self.kind().cmp(other.kind()).then_with(|| self.to_json().to_string().cmp(&other.to_json().to_string())),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null | Self::Unknown => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => match number.as_i64() {
                Some(value) => value.into(),
                None => serde_json::Number::from_f64(number.as_f64()).map_or(Json::Null, Json::Number),
            },
            Self::String(text) => Json::String(text.to_string()),
            Self::List(items) | Self::Set(items) => items.iter().map(Value::to_json).collect(),
            Self::Object(entries) => Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect()),
        }
    }

    pub(crate) fn from_json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => value.into(),
                None => number.as_f64().map_or(Self::Null, |value| Self::Number(Number::float(value))),
            },
            Json::String(text) => text.into(),
            Json::Array(items) => Self::list(items.into_iter().map(Value::from_json).collect()),
            Json::Object(entries) => Self::object(entries.into_iter().map(|(key, value)| (key, Value::from_json(value))).collect()),
        }
    }
}
