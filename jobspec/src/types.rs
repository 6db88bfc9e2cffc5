//! The types that variables declare: `string`, `list(number)`, `object({ cpu = number })`, ...

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ObjectKey};

use crate::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    Text,
    Number,
    Bool,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    /// Attributes, and whether each may be left out.
    Object(BTreeMap<String, (Type, bool)>),
}

impl Type {
    /// Reads a type as it is written; the error says what is wrong.
    pub(crate) fn read(expr: &Expression) -> Result<Self, String> {
        match expr {
            Expression::Variable(name) => match name.value().as_str() {
                "any" => Ok(Self::Any),
                "string" => Ok(Self::Text),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "list" => Ok(Self::List(Box::new(Self::Any))),
                "set" => Ok(Self::Set(Box::new(Self::Any))),
                "map" => Ok(Self::Map(Box::new(Self::Any))),
                other => Err(format!("The keyword \"{other}\" is not a valid type specification.")),
            },
            Expression::String(name) => match name.value().as_str() {
                "string" | "number" | "bool" => Err(format!("Types are written without quotes: {}.", name.value())),
                _ => Err("A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).".to_owned()),
            },
            Expression::FuncCall(call) => {
                let arguments: Vec<&Expression> = call.args.iter().collect();
                let name = call.name.name.value().as_str();
                let [only] = arguments[..] else { return Err(format!("The {name} type constructor requires one argument.")) };
                Self::constructed(name, only)
            }
            _ => Err("A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).".to_owned()),
        }
    }

    fn constructed(name: &str, argument: &Expression) -> Result<Self, String> {
        let inner = || Self::read(argument).map(Box::new);
        match (name, argument) {
            ("list", _) => inner().map(Self::List),
            ("set", _) => inner().map(Self::Set),
            ("map", _) => inner().map(Self::Map),
            ("tuple", Expression::Array(items)) => items.iter().map(Self::read).collect::<Result<_, _>>().map(Self::Tuple),
            ("object", Expression::Object(object)) => {
                let mut attributes = BTreeMap::new();
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Ident(name) => name.to_string(),
                        ObjectKey::Expression(Expression::Variable(name)) => name.value().to_string(),
                        ObjectKey::Expression(Expression::String(name)) => name.value().clone(),
                        ObjectKey::Expression(_) => return Err("The names of an object's attributes must be literal.".to_owned()),
                    };
                    attributes.insert(key, Self::attribute(value.expr())?);
                }
                Ok(Self::Object(attributes))
            }
            ("object", _) => Err("The object type constructor requires a map of attribute types, in braces.".to_owned()),
            ("tuple", _) => Err("The tuple type constructor requires a list of element types, in brackets.".to_owned()),
            (other, _) => Err(format!("Keyword \"{other}\" is not a valid type constructor.")),
        }
    }

    /// The type of an object's attribute, which may be `optional(...)`.
    fn attribute(expr: &Expression) -> Result<(Self, bool), String> {
        if let Expression::FuncCall(call) = expr
            && call.name.name.value().as_str() == "optional"
        {
            let first = call.args.iter().next().ok_or("The optional modifier requires a type.")?;
            return Ok((Self::read(first)?, true));
        }
        Ok((Self::read(expr)?, false))
    }

    /// Whether a value from a flag or the environment is taken as text, not as an expression.
    pub(crate) fn is_simple(&self) -> bool {
        matches!(self, Self::Any | Self::Text | Self::Number | Self::Bool)
    }

    /// Converts a value to this type; null belongs to every type.
    pub(crate) fn convert(&self, value: &Value) -> Result<Value, String> {
        let wrong = |required: &str| Err(format!("{required} required"));
        match (self, value) {
            (_, Value::Null | Value::Unknown) | (Self::Any, _) => Ok(value.clone()),
            (Self::Text, _) => value.to_text().map(Value::String).map_err(str::to_owned),
            (Self::Number, _) => value.to_number().map(Value::Number).map_err(str::to_owned),
            (Self::Bool, _) => value.to_bool().map(Value::Bool).map_err(str::to_owned),
            (Self::List(inner), _) => match value.elements() {
                Some(items) => inner.convert_all(items).map(Value::list),
                None => wrong("list of any single type"),
            },
            (Self::Set(inner), _) => match value.elements() {
                Some(items) => inner.convert_all(items).map(Value::set),
                None => wrong("set of any single type"),
            },
            (Self::Map(inner), Value::Object(entries)) => {
                let converted = entries.iter().map(|(key, item)| match inner.convert(item) {
                    Ok(item) => Ok((key.clone(), item)),
                    Err(reason) => Err(format!("element \"{key}\": {reason}")),
                });
                converted.collect::<Result<_, _>>().map(Value::object)
            }
            (Self::Map(_), _) => wrong("map of any single type"),
            (Self::Tuple(types), _) => match value.elements() {
                Some(items) if items.len() == types.len() => {
                    types.iter().zip(items).map(|(kind, item)| kind.convert(item)).collect::<Result<_, _>>().map(Value::list)
                }
                _ => wrong(&format!("tuple of {} elements", types.len())),
            },
            (Self::Object(attributes), Value::Object(entries)) => {
                let converted = attributes.iter().map(|(name, (kind, optional))| match entries.get(name) {
                    Some(item) => match kind.convert(item) {
                        Ok(item) => Ok((name.clone(), item)),
                        Err(reason) => Err(format!("attribute \"{name}\": {reason}")),
                    },
                    None if *optional => Ok((name.clone(), Value::Null)),
                    None => Err(format!("attribute \"{name}\" is required")),
                });
                converted.collect::<Result<_, _>>().map(Value::object)
            }
            (Self::Object(_), _) => wrong("object"),
        }
    }

    fn convert_all(&self, items: &[Value]) -> Result<Vec<Value>, String> {
        let converted = items.iter().enumerate().map(|(at, item)| self.convert(item).map_err(|reason| format!("element {at}: {reason}")));
        converted.collect()
    }
}
