//! What is in a list.

use crate::go::function::{Answer, Function, Type};
use crate::go::value::Value;

const ANY: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("in", &[ANY, ANY], |_, arguments| within(&arguments[0], &arguments[1])),
    Function::new("contains", &[ANY, ANY], |_, arguments| within(&arguments[1], &arguments[0])),
    Function::new("containsAll", &[Type::AnyList, ANY], |_, arguments| counted(arguments, |found, wanted| found == wanted)),
    Function::new("containsAny", &[Type::AnyList, ANY], |_, arguments| counted(arguments, |found, _| found > 0)),
    Function::new("containsNone", &[Type::AnyList, ANY], |_, arguments| counted(arguments, |found, _| found == 0)),
    Function::new("containsNotAll", &[Type::AnyList, ANY], |_, arguments| counted(arguments, |found, wanted| found < wanted)),
];

fn within(list: &Value, wanted: &Value) -> Answer {
    Ok(contains(list, wanted).into())
}

/// Integers match integers of any width, floats floats, anything else its own type; a string holds its substrings.
fn contains(list: &Value, wanted: &Value) -> bool {
    match (list, wanted) {
        (Value::List(list), _) => list.items.iter().any(|item| same(item, wanted)),
        (Value::Str(text), Value::Str(part)) => text.to_str().contains(&*part.to_str()),
        _ => false,
    }
}

fn same(item: &Value, wanted: &Value) -> bool {
    match (item, wanted) {
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Int(a, _), Value::Uint(b, _)) | (Value::Uint(b, _), Value::Int(a, _)) => u64::try_from(*a) == Ok(*b),
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        _ => false,
    }
}

fn counted(arguments: &[Value], judge: fn(usize, usize) -> bool) -> Answer {
    let wanted = arguments[0].items().unwrap_or_default();
    let found = wanted.iter().filter(|wanted| contains(&arguments[1], wanted)).count();
    Ok(judge(found, wanted.len()).into())
}
