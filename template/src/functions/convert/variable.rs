//! Variables: a map of items that also knows where it came from.

use std::fmt;
use std::rc::Rc;

use crate::data::{Variable, VariableMetadata};
use crate::go::context::Context;
use crate::go::function::Answer;
use crate::go::object::{Object, record};
use crate::go::value::{Key, ListType, Map, MapType, Text, Value};

pub(in crate::functions) fn variable(variable: &Variable) -> Value {
    Value::object(Items(Rc::new(variable.clone())))
}

pub(in crate::functions) fn variable_metadata(metadata: &VariableMetadata) -> Value {
    Value::object(Metadata(metadata.clone()))
}

/// Prints as its path.
#[derive(Debug)]
struct Metadata(VariableMetadata);

impl Object for Metadata {
    fn type_name(&self) -> &str {
        "*dependency.NomadVarMeta"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let Self(metadata) = self;
        vec![
            ("Namespace", Value::from(&metadata.namespace)),
            ("Path", Value::from(&metadata.path)),
            ("CreateIndex", Value::uint64(metadata.create_index)),
            ("ModifyIndex", Value::uint64(metadata.modify_index)),
            ("CreateTime", Value::int64(metadata.create_time)),
            ("ModifyTime", Value::int64(metadata.modify_time)),
        ]
    }

    fn display(&self) -> Option<Text> {
        Some(self.0.path.as_str().into())
    }
}

/// The items of a variable.
#[derive(Debug)]
struct Items(Rc<Variable>);

impl Items {
    fn item(&self, key: &str, value: &str) -> Value {
        Value::object(Item { of: self.0.clone(), key: key.to_owned(), value: value.to_owned() })
    }
}

impl Object for Items {
    fn type_name(&self) -> &str {
        MapType::Items.name()
    }

    fn call(&self, _: &mut Context<'_>, name: &str, _: &[Value]) -> Option<Answer> {
        let items = &self.0.items;
        let value = match name {
            "Keys" => Value::strings(items.keys()),
            "Values" => Value::strings(items.values()),
            "Tuples" => Value::list(
                ListType::Of("[]dependency.NomadVarItemTuple"),
                items
                    .iter()
                    .map(|(key, value)| record("dependency.NomadVarItemTuple", vec![("K", Value::from(key)), ("V", Value::from(value))]))
                    .collect(),
            ),
            "Metadata" => variable_metadata(&self.0.metadata),
            "Parent" => Value::object(Self(self.0.clone())),
            "ItemsMap" => Value::string_map(items),
            _ => return None,
        };
        Some(Ok(value))
    }

    fn display(&self) -> Option<Text> {
        let mut out = Vec::new();
        crate::go::format::display(&mut out, &Value::string_map(&self.0.items));
        Some(out.into())
    }

    fn as_map(&self) -> Option<Rc<Map>> {
        let entries = self.0.items.iter().map(|(key, value)| (Key::from(key.as_str()), self.item(key, value))).collect();
        match Value::map(MapType::Items, entries) {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    fn plain(&self) -> Option<Value> {
        Some(Value::string_map(&self.0.items))
    }

    fn truth(&self) -> bool {
        !self.0.items.is_empty()
    }
}

/// One item: prints as its value, but is no string.
struct Item {
    of: Rc<Variable>,
    key: String,
    value: String,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.key)
    }
}

impl Object for Item {
    fn type_name(&self) -> &str {
        "dependency.NomadVarItem"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Key" => Some(Value::from(&self.key)),
            "Value" => Some(Value::from(&self.value)),
            "Metadata" => Some(variable_metadata(&self.of.metadata)),
            "Parent" => Some(Value::object(Items(self.of.clone()))),
            _ => None,
        }
    }

    fn display(&self) -> Option<Text> {
        Some(self.value.as_str().into())
    }

    fn plain(&self) -> Option<Value> {
        Some(Value::from(&self.value))
    }

    fn truth(&self) -> bool {
        !self.value.is_empty()
    }
}
