//! Values with their types, for finding mistakes in templates. Nothing is printed: there is nobody to read a task's standard output here.

use crate::functions::string;
use crate::go::format;
use crate::go::function::{Function, Type, text};
use crate::go::quote;
use crate::go::value::{Text, Value};
use crate::limits::{DOCUMENT_DEPTH, VALUE_BYTES};

const ANY: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::many("spew_sdump", &[], ANY, |_, arguments| {
        let mut out = String::new();
        for value in arguments {
            dump(&mut out, value, 0);
            out.push('\n');
        }
        Ok(string(out))
    }),
    Function::many("spew_sprintf", &[Type::Str], ANY, |_, arguments| Ok(format::sprintf(&text(&arguments[0]), &arguments[1..])?.into())),
    Function::many("spew_dump", &[], ANY, |_, _| Ok("".into())),
    Function::many("spew_printf", &[Type::Str], ANY, |_, _| Ok("".into())),
];

fn dump(out: &mut String, value: &Value, depth: usize) {
    if depth > DOCUMENT_DEPTH || out.len() > VALUE_BYTES {
        out.push_str("<max depth reached>");
        return;
    }
    let pointer = |object: &dyn crate::go::object::Object| object.type_name().starts_with('*');
    match value {
        Value::Nil => out.push_str("(interface {}) <nil>"),
        Value::NilPointer(name) => *out += &format!("({name}) <nil>"),
        Value::Str(text) | Value::Number(text) => {
            *out += &format!("({}) (len={}) {}", value.type_name(), text.len(), quote::quote(text.as_bytes()));
        }
        Value::List(list) => {
            let count = list.items.len();
            *out += &format!("({}) (len={count} cap={count}) ", list.of.name());
            block(out, depth, list.items.iter().map(|item| (None, item.clone())).collect());
        }
        Value::Map(map) => {
            *out += &format!("({}) (len={}) ", map.of.name(), map.len());
            block(out, depth, map.snapshot().into_iter().map(|(key, value)| (Some(key.value()), value)).collect());
        }
        Value::Object(object) => {
            let sign = if pointer(&**object) { "&" } else { "" };
            *out += &format!("({}) {sign}", object.type_name());
            let fields = object.fields().into_iter().map(|(name, value)| (Some(Value::Number(Text::from(name))), value));
            block(out, depth, fields.collect());
        }
        other => *out += &format!("({}) {}", other.type_name(), format::to_string(other)),
    }
}

/// Entries in braces, one per line. A field's name stands bare, a key with its type.
fn block(out: &mut String, depth: usize, entries: Vec<(Option<Value>, Value)>) {
    out.push_str("{\n");
    let count = entries.len();
    for (index, (key, value)) in entries.into_iter().enumerate() {
        out.push_str(&" ".repeat(depth + 1));
        match key {
            Some(Value::Number(name)) => *out += &format!("{}: ", name.to_str()),
            Some(key) => {
                dump(out, &key, depth + 1);
                out.push_str(": ");
            }
            None => {}
        }
        dump(out, &value, depth + 1);
        out.push_str(if index + 1 < count { ",\n" } else { "\n" });
    }
    out.push_str(&" ".repeat(depth));
    out.push('}');
}
