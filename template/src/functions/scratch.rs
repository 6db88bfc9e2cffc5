//! A store for the time of one pass.

use std::collections::BTreeMap;

use crate::go::context::Context;
use crate::go::function::{Answer, Fault, Function, text};
use crate::go::object::Object;
use crate::go::quote;
use crate::go::value::{Key, Value};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("scratch", &[], |_, _| Ok(Value::object(Scratch)))];

#[derive(Debug)]
struct Scratch;

/// The methods with the number of their arguments.
const METHODS: [(&str, usize); 7] = [("Key", 1), ("Get", 1), ("Set", 2), ("SetX", 2), ("MapSet", 3), ("MapSetX", 3), ("MapValues", 1)];

impl Object for Scratch {
    fn type_name(&self) -> &str {
        "*template.Scratch"
    }

    fn call(&self, context: &mut Context<'_>, name: &str, arguments: &[Value]) -> Option<Answer> {
        let (_, wanted) = METHODS.iter().find(|(method, _)| *method == name)?;
        if arguments.len() != *wanted {
            return Some(Err(format!("wrong number of args for {name}: want {wanted} got {}", arguments.len()).into()));
        }
        Some(call(context, name, arguments))
    }
}

fn call(context: &mut Context<'_>, name: &str, arguments: &[Value]) -> Answer {
    let Some(key) = arguments[0].text() else {
        return Err(format!("expected string; found {}", arguments[0].type_name()).into());
    };
    let key = key.to_str().into_owned();
    let nothing = Ok(Value::from(""));
    match name {
        "Key" => Ok(context.scratch.contains_key(&key).into()),
        "Get" => Ok(context.scratch.get(&key).cloned().unwrap_or(Value::Nil)),
        "Set" => {
            context.scratch.insert(key, arguments[1].clone());
            nothing
        }
        "SetX" => {
            context.scratch.entry(key).or_insert_with(|| arguments[1].clone());
            nothing
        }
        "MapSet" | "MapSetX" => {
            let map = context.scratch.entry(key.clone()).or_insert_with(|| Value::any_map(BTreeMap::new()));
            let Value::Map(map) = map else { return Err(no_map(&key)) };
            let entry = Key::from(&*text(&arguments[1]));
            if name == "MapSet" || map.get(&entry).is_none() {
                map.insert(entry, arguments[2].clone())?;
            }
            nothing
        }
        _ => match context.scratch.get(&key) {
            None => Ok(Value::any_list(Vec::new())),
            Some(Value::Map(map)) => Ok(Value::any_list(map.snapshot().into_iter().map(|(_, value)| value).collect())),
            Some(_) => Err(no_map(&key)),
        },
    }
}

fn no_map(key: &str) -> Fault {
    Fault::Message(format!("{} is not a map", quote::quote(key.as_bytes())))
}
