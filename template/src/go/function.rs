//! What a function of the template language is: a name, typed parameters, a body.

use super::context::Context;
use super::value::{IntType, ListType, MapType, UintType, Value};
use crate::dependency::QueryError;

/// A failed call. The engine adds the place and the function's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Message(String),
    /// A limit was met; it is told without "error calling".
    Limit(String),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Message(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Message(text.to_owned())
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        Self::Message(error.0)
    }
}

pub(crate) type Answer = Result<Value, Fault>;

/// The body of a function. The engine has checked number and types of the arguments.
pub(crate) type Body = fn(&mut Context<'_>, &[Value]) -> Answer;

/// A parameter's type: what a call must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Bool,
    Str,
    Int,
    Float,
    Strings,
    AnyList,
    AnyMap,
    KeyPairs,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Str => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Strings => "[]string",
            Self::AnyList => "[]interface {}",
            Self::AnyMap => "map[string]interface {}",
            Self::KeyPairs => KEY_PAIRS,
        }
    }

    /// What `nil` becomes, for types that have one.
    pub(crate) fn nil(self) -> Option<Value> {
        match self {
            Self::Any => Some(Value::Nil),
            Self::Strings => Some(Value::list(ListType::Strings, Vec::new())),
            Self::AnyList => Some(Value::any_list(Vec::new())),
            Self::AnyMap => Some(Value::any_map(std::collections::BTreeMap::new())),
            Self::KeyPairs => Some(Value::list(ListType::Of(KEY_PAIRS), Vec::new())),
            Self::Bool | Self::Str | Self::Int | Self::Float => None,
        }
    }

    /// True if the value can be passed as it is.
    pub(crate) fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Bool, Value::Bool(_))
            | (Self::Str, Value::Str(_))
            | (Self::Int, Value::Int(_, IntType::Int))
            | (Self::Float, Value::Float(_)) => true,
            (Self::Strings, Value::List(list)) => matches!(list.of, ListType::Strings | ListType::Tags),
            (Self::AnyList, Value::List(list)) => list.of == ListType::Any,
            (Self::KeyPairs, Value::List(list)) => list.of == ListType::Of(KEY_PAIRS),
            (Self::AnyMap, Value::Map(map)) => map.of == MapType::StringAny,
            _ => false,
        }
    }
}

/// The type of what `ls` and `tree` give.
pub(crate) const KEY_PAIRS: &str = "[]*dependency.KeyPair";

/// A list of maps that came from a language without types; it stands for any list of structs.
pub(crate) const OBJECTS: &str = "[]object";

/// Functions that the engine itself runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// Arguments are evaluated one by one until the result is known.
    And,
    Or,
    /// Needs the other templates.
    ExecuteTemplate,
}

/// A function of the language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Type],
    /// The type of any number of further arguments.
    pub(crate) rest: Option<Type>,
    pub(crate) body: Body,
    pub(crate) special: Option<Special>,
}

impl Function {
    /// With a fixed number of parameters.
    pub(crate) const fn new(name: &'static str, parameters: &'static [Type], body: Body) -> Self {
        Self { name, parameters, rest: None, body, special: None }
    }

    /// With any number of further ones.
    pub(crate) const fn many(name: &'static str, parameters: &'static [Type], rest: Type, body: Body) -> Self {
        Self { name, parameters, rest: Some(rest), body, special: None }
    }

    pub(crate) const fn special(name: &'static str, parameters: &'static [Type], rest: Type, special: Special) -> Self {
        Self { name, parameters, rest: Some(rest), body: |_, _| Ok(Value::Nil), special: Some(special) }
    }
}

/// The text of a string argument that the engine has checked.
pub(crate) fn text(value: &Value) -> std::borrow::Cow<'_, str> {
    value.text().map(super::value::Text::to_str).unwrap_or_default()
}

/// The texts of a checked list of strings.
pub(crate) fn texts(value: &Value) -> Vec<std::borrow::Cow<'_, str>> {
    value.items().unwrap_or_default().iter().map(text).collect()
}

/// A checked integer argument.
pub(crate) fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(value, _) => *value,
        Value::Uint(value, UintType::Uint64 | UintType::Uint8) => i64::try_from(*value).unwrap_or(i64::MAX),
        _ => 0,
    }
}
