//! Grouping, merging, loops.

use std::collections::BTreeMap;

use crate::go::context::{Context, check_items};
use crate::go::format;
use crate::go::function::{Answer, Fault, Function, OBJECTS, Type, text};
use crate::go::quote;
use crate::go::value::{Key, List, ListType, MapType, Value};
use crate::limits::DOCUMENT_DEPTH;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("byKey", &[Type::KeyPairs], by_key),
    Function::new("byTag", &[Type::Any], by_tag),
    Function::new("byPort", &[Type::Any], by_port),
    Function::new("byMeta", &[Type::Str, Type::Any], by_meta),
    Function::new("explode", &[Type::KeyPairs], explode),
    Function::new("explodeMap", &[Type::AnyMap], explode_map),
    Function::many("mergeMap", &[Type::AnyMap, Type::AnyMap], Type::Any, |_, arguments| merge(arguments, false)),
    Function::many("mergeMapWithOverride", &[Type::AnyMap, Type::AnyMap], Type::Any, |_, arguments| merge(arguments, true)),
    Function::many("loop", &[], Type::Any, counting),
];

/// A field that every item of the list has.
fn field(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(object) => object.field(name).unwrap_or(Value::Nil),
        Value::Map(map) => map.get(&name.into()).unwrap_or(Value::Nil),
        _ => Value::Nil,
    }
}

fn grouped<K: Ord>(pairs: Vec<(K, Value)>) -> BTreeMap<K, Vec<Value>> {
    let mut groups: BTreeMap<K, Vec<Value>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}

/// By what stands before the first slash, then by the rest. Keys without a slash are left out.
fn by_key(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut top: BTreeMap<Key, BTreeMap<Key, Value>> = BTreeMap::new();
    for pair in arguments[0].items().unwrap_or_default() {
        let key = field(pair, "Key");
        if let Some((first, rest)) = text(&key).split_once('/') {
            let shown = renamed(pair, rest);
            top.entry(first.into()).or_default().insert(rest.into(), shown);
        }
    }
    let of_rest = MapType::Of("map[string]*dependency.KeyPair");
    let entries = top.into_iter().map(|(key, rest)| (key, Value::map(of_rest, rest))).collect();
    Ok(Value::map(MapType::Of("map[string]map[string]*dependency.KeyPair"), entries))
}

/// The pair with its key shortened.
fn renamed(pair: &Value, key: &str) -> Value {
    let object = match pair {
        Value::Object(object) => object,
        Value::Map(map) => {
            let mut entries: BTreeMap<Key, Value> = map.snapshot().into_iter().collect();
            entries.insert("Key".into(), key.into());
            return Value::any_map(entries);
        }
        other => return other.clone(),
    };
    let fields = object.fields().into_iter().map(|(name, value)| (name, if name == "Key" { Value::from(key) } else { value }));
    crate::go::object::record("*dependency.KeyPair", fields.collect())
}

/// A list of services of any of the catalogues.
fn services<'a>(name: &str, value: &'a Value) -> Result<&'a List, Fault> {
    match value {
        Value::List(list) if matches!(list.of, ListType::Of(of) if of.contains("Service") || of.contains("Snippet") || of == OBJECTS) => {
            Ok(list)
        }
        other => Err(format!("{name}: wrong argument type {}", other.type_name()).into()),
    }
}

fn group_type(list: &List, key: &str) -> &'static str {
    match (key, list.of.name().contains("HealthService")) {
        ("string", true) => "map[string][]*dependency.HealthService",
        ("int", true) => "map[int][]*dependency.HealthService",
        _ => "map[string][]interface {}",
    }
}

fn by_tag(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = services("byTag", &arguments[0])?;
    let mut pairs = Vec::new();
    for service in &list.items {
        for tag in field(service, "Tags").items().unwrap_or_default() {
            pairs.push((Key::from(&*text(tag)), service.clone()));
        }
    }
    let groups = grouped(pairs).into_iter().map(|(key, items)| (key, Value::list(list.of, items))).collect();
    Ok(Value::map(MapType::Of(group_type(list, "string")), groups))
}

fn by_port(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let list = services("byPort", &arguments[0])?;
    let pairs = list.items.iter().map(|service| {
        let port = crate::go::function::integer(&field(service, "Port"));
        (Key::Int(port), service.clone())
    });
    let groups = grouped(pairs.collect()).into_iter().map(|(key, items)| (key, Value::list(list.of, items))).collect();
    Ok(Value::map(MapType::IntKeys(group_type(list, "int")), groups))
}

/// By values of metadata: `"a,b|int"` joins two with `_`, the second as a padded number.
fn by_meta(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let names = text(&arguments[0]);
    let list = services("byMeta", &arguments[1])?;
    let mut pairs = Vec::new();
    for service in &list.items {
        let Value::Map(meta) = field(service, "ServiceMeta") else { continue };
        let mut parts = Vec::new();
        for name in names.split(',') {
            let (name, is_number) = name.strip_suffix("|int").map_or((name, false), |name| (name, true));
            let value = meta.get(&name.into()).map(|value| text(&value).into_owned());
            parts.push(match value {
                Some(value) if is_number => {
                    let number: i64 = value.parse().map_err(|_| {
                        let quoted = quote::quote(value.as_bytes());
                        Fault::Message(format!("strconv.Atoi: parsing {quoted}: invalid syntax"))
                    })?;
                    format!("{number:05}")
                }
                Some(value) => value,
                None if is_number => "00000".to_owned(),
                None => format!("_no_{name}_"),
            });
        }
        let key: String = parts.join("_").chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
        pairs.push((Key::from(key.as_str()), service.clone()));
    }
    let groups = grouped(pairs).into_iter().map(|(key, items)| (key, Value::list(list.of, items))).collect();
    Ok(Value::map(MapType::Of(group_type(list, "string")), groups))
}

/// A tree of names while it grows.
enum Branch {
    Leaf(Value),
    Inner(BTreeMap<Key, Branch>),
}

fn explode(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let pairs = arguments[0].items().unwrap_or_default().iter().map(|pair| (field(pair, "Key"), field(pair, "Value")));
    explode_pairs("explode", pairs.map(|(key, value)| (text(&key).into_owned(), value)).collect())
}

fn explode_map(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let entries = arguments[0].as_map().map(|map| map.snapshot()).unwrap_or_default();
    let pairs = entries.into_iter().map(|(key, value)| (format::to_string(&key.value()), value));
    explode_pairs("explodeMap", pairs.collect())
}

/// `a/b` and `a/c` become `a` with `b` and `c`.
fn explode_pairs(name: &str, pairs: Vec<(String, Value)>) -> Answer {
    let mut root = BTreeMap::new();
    for (path, value) in pairs {
        let mut at = &mut root;
        let mut parts: Vec<&str> = path.split('/').collect();
        let Some(last) = parts.pop() else { continue };
        if last.is_empty() {
            continue;
        }
        for part in parts {
            let next = at.entry(Key::from(part)).or_insert_with(|| Branch::Inner(BTreeMap::new()));
            at = match next {
                Branch::Inner(inner) => inner,
                Branch::Leaf(value) => {
                    let (path, part) = (quote::quote(path.as_bytes()), quote::quote(part.as_bytes()));
                    let value = format::sprintf("%q", std::slice::from_ref(value))?;
                    let value = String::from_utf8_lossy(&value).into_owned();
                    return Err(format!("{name}: not a map: {path}: {part} already has value {value}").into());
                }
            };
        }
        at.insert(last.into(), Branch::Leaf(value));
    }
    Ok(built(root))
}

fn built(branches: BTreeMap<Key, Branch>) -> Value {
    let entries = branches.into_iter().map(|(key, branch)| match branch {
        Branch::Leaf(value) => (key, value),
        Branch::Inner(inner) => (key, built(inner)),
    });
    Value::any_map(entries.collect())
}

fn merge(arguments: &[Value], overrides: bool) -> Answer {
    let target = arguments[0].deep_copy();
    for source in &arguments[1..] {
        merge_into(&target, source, overrides, 0)?;
    }
    Ok(target)
}

/// Maps merge into maps. Of two other values the target's counts unless it is empty, or the source's if it overrides.
pub(super) fn merge_into(target: &Value, source: &Value, overrides: bool, depth: usize) -> Result<(), Fault> {
    let (Value::Map(target), Value::Map(source)) = (target, source) else { return Ok(()) };
    if depth > DOCUMENT_DEPTH {
        return Err(Fault::Limit(format!("maps nested more than {DOCUMENT_DEPTH} deep")));
    }
    for (key, value) in source.snapshot() {
        match (target.get(&key), &value) {
            (Some(present @ Value::Map(_)), Value::Map(_)) => merge_into(&present, &value, overrides, depth + 1)?,
            (Some(present), _) if present.truth() && !(overrides && value.truth()) => {}
            _ => target.insert(key, value.deep_copy())?,
        }
    }
    Ok(())
}

/// `loop N` and `loop FROM TO`, half open.
fn counting(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (from, to) = match arguments {
        [to] => (0, bound(to)?),
        [from, to] => (bound(from)?, bound(to)?),
        other => return Err(format!("loop: wrong number of arguments, expected 1 or 2, but got {}", other.len()).into()),
    };
    check_items(usize::try_from(to.saturating_sub(from).max(0)).unwrap_or(usize::MAX))?;
    Ok(Value::list(ListType::Of("<-chan int64"), (from..to).map(Value::int64).collect()))
}

fn bound(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Int(value, _) => Ok(*value),
        Value::Uint(value, _) => i64::try_from(*value).map_err(|_| Fault::from("loop: bound out of range")),
        #[expect(clippy::cast_possible_truncation, reason = "a float bound is cut")]
        Value::Float(value) => Ok(*value as i64),
        Value::Str(text) | Value::Number(text) => text.to_str().trim().parse().map_err(|_| {
            let quoted = quote::quote(text.as_bytes());
            Fault::Message(format!("strconv.ParseInt: parsing {quoted}: invalid syntax"))
        }),
        other => Err(format!("loop: bad argument of type {}", other.type_name()).into()),
    }
}
