//! Comparing two JSON values along a table.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    tables::{Block, Form, Table},
    *,
};

/// What stands where a value would show a secret.
const HIDDEN_VALUE: &str = "<hidden>";
/// Words in the name of a value that suggest it is one.
const SECRET_WORDS: [&str; 8] = ["password", "passwd", "secret", "token", "apikey", "api_key", "private_key", "credential"];
/// Values that are hidden wherever they stand: what is sent to a server to be let in.
const SECRET_KEYS: [&str; 2] = ["GetterHeaders", "Header"];

/// How deep a block that only its driver understands is looked into.
const MAX_DEPTH: usize = 32;

pub(super) fn kind_of(old: bool, new: bool, changed: bool) -> DiffType {
    match (old, new) {
        (false, false) => DiffType::None,
        (false, true) => DiffType::Added,
        (true, false) => DiffType::Deleted,
        (true, true) if changed => DiffType::Edited,
        (true, true) => DiffType::None,
    }
}

/// The plain values of two blocks that differ; with `contextual` all of them.
pub(super) fn fields(old: &Value, new: &Value, table: &Table, contextual: bool) -> List<FieldDiff> {
    compared(plain_values(old, table), plain_values(new, table), contextual)
}

fn compared(old: BTreeMap<String, String>, new: BTreeMap<String, String>, contextual: bool) -> List<FieldDiff> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let field = |name: &String| {
        let text = |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_default();
        let (before, after) = (text(&old), text(&new));
        let kind = kind_of(!before.is_empty(), !after.is_empty(), before != after);
        let hide = |text: String| if is_secret(name) && !text.is_empty() { HIDDEN_VALUE.to_owned() } else { text };
        FieldDiff { kind, name: name.clone(), old: hide(before), new: hide(after), annotations: List::default() }
    };
    names.into_iter().map(field).filter(|field| contextual || field.kind != DiffType::None).collect()
}

/// Whether a value must not be shown: names like `Env[DB_PASSWORD]`, which people chose, not the names of the job language itself.
fn is_secret(name: &str) -> bool {
    let Some((key, own)) = name.split_once('[') else { return SECRET_WORDS.iter().any(|word| name.to_lowercase() == *word) };
    let own = own.to_lowercase();
    SECRET_KEYS.contains(&key) || SECRET_WORDS.iter().any(|word| own.contains(word) || key.to_lowercase().contains(word))
}

/// The values of a block that are no blocks themselves, by their name in a diff. Absent values are empty texts.
fn plain_values(block: &Value, table: &Table) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Value::Object(entries) = block else { return found };
    for (key, default) in table.defaults {
        found.insert((*key).to_owned(), (*default).to_owned());
    }
    for (key, value) in entries {
        if table.hidden.contains(&key.as_str()) || table.blocks.iter().any(|block| block.key == key) {
            continue;
        }
        match value {
            Value::Object(_) | Value::Array(_) if table.spread_out.contains(&key.as_str()) => flatten(key, value, 0, &mut found),
            Value::Object(_) | Value::Array(_) => {}
            Value::Null if table.spread_out.contains(&key.as_str()) => {}
            plain => {
                found.insert(key.clone(), text_of(plain));
            }
        }
    }
    found
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `name`, `name[0]`, `name[key]`, ... for everything within a value.
fn flatten(name: &str, value: &Value, depth: usize, found: &mut BTreeMap<String, String>) {
    match value {
        _ if depth > MAX_DEPTH => {
            found.insert(name.to_owned(), value.to_string());
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| flatten(&format!("{name}[{at}]"), item, depth + 1, found)),
        Value::Object(entries) => entries.iter().for_each(|(key, item)| flatten(&format!("{name}[{key}]"), item, depth + 1, found)),
        plain => {
            found.insert(name.to_owned(), text_of(plain));
        }
    }
}

/// The inner blocks of two blocks that differ.
pub(super) fn objects(old: &Value, new: &Value, table: &Table, contextual: bool) -> List<ObjectDiff> {
    table.blocks.iter().flat_map(|block| changes(block, &old[block.key], &new[block.key], contextual)).collect()
}

fn changes(block: &Block, old: &Value, new: &Value, contextual: bool) -> Vec<ObjectDiff> {
    match block.form {
        Form::One(table) => object(block.name, old, new, table, contextual).into_iter().collect(),
        Form::Many(by, table) => matched(block.name, by_identity(old, by), by_identity(new, by), table, contextual),
        Form::Named(table) => matched(block.name, by_name(old), by_name(new), table, contextual),
        Form::Values => values(block.name, old, new, contextual).into_iter().collect(),
        Form::Free => free(block.name, old, new, contextual).into_iter().collect(),
    }
}

fn object(name: &str, old: &Value, new: &Value, table: &Table, contextual: bool) -> Option<ObjectDiff> {
    let fields = fields(old, new, table, contextual);
    let objects = objects(old, new, table, contextual);
    let changed = !objects.is_empty() || fields.iter().any(|field| field.kind != DiffType::None);
    let kind = kind_of(old.is_object(), new.is_object(), changed);
    (kind != DiffType::None).then(|| ObjectDiff { kind, name: name.to_owned(), fields, objects })
}

type Items<'a> = BTreeMap<String, &'a Value>;

fn matched(name: &str, old: Items<'_>, new: Items<'_>, table: &Table, contextual: bool) -> Vec<ObjectDiff> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let side = |items: &Items<'_>, key: &String| items.get(key).map_or(Value::Null, |item| (*item).clone());
    keys.into_iter().filter_map(|key| object(name, &side(&old, key), &side(&new, key), table, contextual)).collect()
}

/// The items of a list by what tells them apart; equal ones are counted.
fn by_identity<'a>(list: &'a Value, keys: &[&str]) -> Items<'a> {
    let mut items = Items::new();
    let mut equals: BTreeMap<String, usize> = BTreeMap::new();
    for item in list.as_array().into_iter().flatten() {
        let identity =
            if keys.is_empty() { item.to_string() } else { keys.iter().map(|key| text_of(&item[*key])).collect::<Vec<_>>().join("\n") };
        let count = equals.entry(identity.clone()).or_default();
        items.insert(format!("{identity}\n{count}"), item);
        *count += 1;
    }
    items
}

fn by_name(map: &Value) -> Items<'_> {
    map.as_object().into_iter().flatten().map(|(name, item)| (name.clone(), item)).collect()
}

/// Lists of plain values are compared as sets.
fn values(name: &str, old: &Value, new: &Value, contextual: bool) -> Option<ObjectDiff> {
    let set = |list: &Value| -> BTreeSet<String> { list.as_array().into_iter().flatten().map(text_of).collect() };
    let (old, new) = (set(old), set(new));
    let field = |value: &String| {
        let (before, after) = (old.contains(value), new.contains(value));
        let text = |there: bool| if there { value.clone() } else { String::new() };
        FieldDiff {
            kind: kind_of(before, after, false),
            name: name.to_owned(),
            old: text(before),
            new: text(after),
            annotations: List::default(),
        }
    };
    let all: List<FieldDiff> = old.union(&new).map(field).collect();
    let changed = all.iter().any(|field| field.kind != DiffType::None);
    let kind = kind_of(!old.is_empty(), !new.is_empty(), changed);
    let fields = all.into_iter().filter(|field| contextual || field.kind != DiffType::None).collect();
    (kind != DiffType::None).then(|| ObjectDiff { kind, name: name.to_owned(), fields, objects: List::default() })
}

fn free(name: &str, old: &Value, new: &Value, contextual: bool) -> Option<ObjectDiff> {
    let flat = |value: &Value| {
        let mut found = BTreeMap::new();
        for (key, value) in value.as_object().into_iter().flatten() {
            flatten(key, value, 0, &mut found);
        }
        found
    };
    let fields = compared(flat(old), flat(new), contextual);
    let changed = fields.iter().any(|field| field.kind != DiffType::None);
    let there = |value: &Value| value.as_object().is_some_and(|entries| !entries.is_empty());
    let kind = kind_of(there(old), there(new), changed);
    (kind != DiffType::None).then(|| ObjectDiff { kind, name: name.to_owned(), fields, objects: List::default() })
}
