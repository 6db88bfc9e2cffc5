//! Values to JSON and back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value as Json};

use crate::go::format;
use crate::go::function::{Fault, KEY_PAIRS, OBJECTS, Type};
use crate::go::value::{Key, ListType, Value, of_json};
use crate::limits::{DOCUMENT_DEPTH, LIST_ITEMS};

/// What is left of a conversion.
struct Budget {
    depth: usize,
    nodes: usize,
}

impl Budget {
    fn down<T>(&mut self, convert: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let too_large = || Fault::Limit(format!("a value nested more than {DOCUMENT_DEPTH} deep or of more than {LIST_ITEMS} parts"));
        self.depth = self.depth.checked_sub(1).ok_or_else(too_large)?;
        self.nodes = self.nodes.checked_sub(1).ok_or_else(too_large)?;
        let converted = convert(self)?;
        self.depth += 1;
        Ok(converted)
    }
}

pub(super) fn to_json(value: &Value) -> Result<Json, Fault> {
    convert(value, &mut Budget { depth: DOCUMENT_DEPTH, nodes: LIST_ITEMS })
}

fn convert(value: &Value, budget: &mut Budget) -> Result<Json, Fault> {
    budget.down(|budget| {
        Ok(match value {
            Value::Nil | Value::NilPointer(_) => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value, _) => Json::from(*value),
            Value::Uint(value, _) => Json::from(*value),
            Value::Float(value) => number(*value),
            Value::Number(text) => serde_json::from_slice(text.as_bytes()).unwrap_or_else(|_| Json::String(text.to_str().into_owned())),
            Value::Complex(..) | Value::Str(_) => Json::String(format::to_string(value)),
            Value::List(list) => Json::Array(list.items.iter().map(|item| convert(item, budget)).collect::<Result<_, _>>()?),
            Value::Map(map) => {
                let entries =
                    map.snapshot().into_iter().map(|(key, value)| Ok((format::to_string(&key.value()), convert(&value, budget)?)));
                Json::Object(entries.collect::<Result<_, Fault>>()?)
            }
            Value::Object(object) => match object.plain() {
                Some(plain) => convert(&plain, budget)?,
                None => {
                    let mut fields = Map::new();
                    for (name, value) in object.fields() {
                        let value = convert(&value, budget)?;
                        fields.insert(camel_case(name), value.clone());
                        fields.insert(name.to_owned(), value);
                    }
                    Json::Object(fields)
                }
            },
        })
    })
}

/// A field's name as templates of this language write it too: `Address` is `address`, `NodeID` is `nodeID`, `ID` is `id`, `CAChain` is `caChain`.
fn camel_case(name: &str) -> String {
    let capitals = name.bytes().take_while(u8::is_ascii_uppercase).count();
    let lowered = if capitals > 1 && capitals < name.len() { capitals - 1 } else { capitals };
    name[..lowered].to_ascii_lowercase() + &name[lowered..]
}

/// An integral float is written like an integer.
fn number(value: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "integral and in the exact range")]
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Json::from(value as i64);
    }
    Number::from_f64(value).map_or_else(|| Json::String(crate::go::float::display(value)), Json::Number)
}

/// An argument for a parameter of that type.
pub(super) fn argument(json: &Json, of: Type) -> Result<Value, Fault> {
    let value = match (of, json) {
        (Type::KeyPairs, Json::Array(items)) => Value::list(ListType::Of(KEY_PAIRS), items.iter().map(from_json).collect()),
        (Type::Strings, Json::Array(items)) if items.iter().all(Json::is_string) => {
            Value::list(ListType::Strings, items.iter().map(from_json).collect())
        }
        (Type::AnyList, Json::Array(items)) => Value::any_list(items.iter().map(from_json).collect()),
        (Type::Float, Json::Number(number)) => Value::Float(number.as_f64().unwrap_or_default()),
        (_, Json::Null) => of.nil().ok_or_else(|| Fault::Message(format!("invalid value; expected {}", of.name())))?,
        _ => from_json(json),
    };
    if of.takes(&value) {
        return Ok(value);
    }
    Err(Fault::Message(format!("wrong type for value; expected {}; got {}", of.name(), value.type_name())))
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => of_json(json),
        Json::Array(items) => {
            let all = |accept: fn(&Json) -> bool| !items.is_empty() && items.iter().all(accept);
            let of = match (all(Json::is_string), all(Json::is_object)) {
                (true, _) => ListType::Strings,
                (false, true) => ListType::Of(OBJECTS),
                (false, false) => ListType::Any,
            };
            Value::list(of, items.iter().map(from_json).collect())
        }
        Json::Object(entries) => {
            // The second names of a record's fields are for reading alone.
            let second = |(key, value): (&String, &Json)| {
                let name = camel_case(key);
                (name != *key && entries.get(&name) == Some(value)).then_some(name)
            };
            let seconds: BTreeSet<String> = entries.iter().filter_map(second).collect();
            let own = entries.iter().filter(|(key, _)| !seconds.contains(*key));
            let own: BTreeMap<Key, Value> = own.map(|(key, value)| (Key::from(key.as_str()), from_json(value))).collect();
            Value::any_map(own)
        }
    }
}
