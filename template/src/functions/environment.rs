//! The task's environment, and files.

use crate::data::Data;
use crate::dependency::Dependency;
use crate::go::function::{Function, Type, text};
use crate::go::value::Value;

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("env", &[STR], |context, arguments| {
        Ok(Value::from(context.environment().0.get(&*text(&arguments[0])).map_or("", String::as_str)))
    }),
    Function::new("envOrDefault", &[STR, STR], |context, arguments| {
        let found = context.environment().0.get(&*text(&arguments[0]));
        Ok(found.map_or_else(|| arguments[1].clone(), Value::from))
    }),
    Function::new("mustEnv", &[STR], |context, arguments| {
        let name = text(&arguments[0]);
        match context.environment().0.get(&*name) {
            Some(value) if !value.is_empty() => Ok(Value::from(value)),
            _ => Err(format!("required environment variable {name} is empty").into()),
        }
    }),
    Function::new("file", &[STR], |context, arguments| {
        let path = text(&arguments[0]);
        if path.is_empty() {
            return Ok(Value::from(""));
        }
        match context.lookup(Dependency::File { path: path.into_owned() })?.as_deref() {
            Some(Data::File(bytes)) => Ok(Value::from(bytes.clone())),
            _ => Ok(Value::from("")),
        }
    }),
];
