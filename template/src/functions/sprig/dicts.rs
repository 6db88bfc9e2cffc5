//! Maps with text keys.

use std::collections::BTreeMap;

use crate::functions::maps::merge_into;
use crate::go::function::{Answer, Function, Type, text};
use crate::go::value::{Key, Value};

use super::kinds::to_text;

const ANY: Type = Type::Any;
const DICT: Type = Type::AnyMap;
const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::many("sprig_dict", &[], ANY, |_, arguments| {
        let pairs = arguments.chunks(2).map(|pair| (Key::Str(to_text(&pair[0])), pair.get(1).cloned().unwrap_or_else(|| Value::from(""))));
        Ok(Value::any_map(pairs.collect()))
    }),
    Function::new("sprig_get", &[DICT, STR], |_, arguments| {
        Ok(entry(&arguments[0], &text(&arguments[1])).unwrap_or_else(|| Value::from("")))
    }),
    Function::new("sprig_set", &[DICT, STR, ANY], |_, arguments| {
        if let Value::Map(map) = &arguments[0] {
            map.insert(Key::from(&*text(&arguments[1])), arguments[2].clone())?;
        }
        Ok(arguments[0].clone())
    }),
    Function::new("sprig_unset", &[DICT, STR], |_, arguments| {
        if let Value::Map(map) = &arguments[0] {
            map.entries.borrow_mut().remove(&Key::from(&*text(&arguments[1])));
        }
        Ok(arguments[0].clone())
    }),
    Function::new("sprig_hasKey", &[DICT, STR], |_, arguments| Ok(entry(&arguments[0], &text(&arguments[1])).is_some().into())),
    Function::many("sprig_pluck", &[STR], DICT, |_, arguments| {
        let name = text(&arguments[0]);
        Ok(Value::any_list(arguments[1..].iter().filter_map(|map| entry(map, &name)).collect()))
    }),
    Function::many("sprig_keys", &[], DICT, |_, arguments| {
        Ok(Value::strings(arguments.iter().flat_map(entries).map(|(key, _)| key.value())))
    }),
    Function::new("sprig_values", &[DICT], |_, arguments| {
        Ok(Value::any_list(entries(&arguments[0]).into_iter().map(|(_, value)| value).collect()))
    }),
    Function::many("sprig_pick", &[DICT], STR, |_, arguments| chosen(arguments, true)),
    Function::many("sprig_omit", &[DICT], STR, |_, arguments| chosen(arguments, false)),
    Function::many("sprig_merge", &[DICT], DICT, |_, arguments| merge(arguments, false)),
    Function::many("sprig_mustMerge", &[DICT], DICT, |_, arguments| merge(arguments, false)),
    Function::many("sprig_mergeOverwrite", &[DICT], DICT, |_, arguments| merge(arguments, true)),
    Function::many("sprig_mustMergeOverwrite", &[DICT], DICT, |_, arguments| merge(arguments, true)),
    Function::many("sprig_dig", &[], ANY, |_, arguments| dig(arguments)),
];

fn entry(map: &Value, name: &str) -> Option<Value> {
    map.as_map().and_then(|map| map.get(&name.into()))
}

fn entries(map: &Value) -> Vec<(Key, Value)> {
    map.as_map().map(|map| map.snapshot()).unwrap_or_default()
}

fn chosen(arguments: &[Value], wanted: bool) -> Answer {
    let names: Vec<Key> = arguments[1..].iter().map(|name| Key::from(&*text(name))).collect();
    let kept: BTreeMap<Key, Value> = entries(&arguments[0]).into_iter().filter(|(key, _)| names.contains(key) == wanted).collect();
    Ok(Value::any_map(kept))
}

/// Changes the first map, as its users expect.
fn merge(arguments: &[Value], overrides: bool) -> Answer {
    for source in &arguments[1..] {
        merge_into(&arguments[0], source, overrides, 0)?;
    }
    Ok(arguments[0].clone())
}

/// `dig "a" "b" DEFAULT DICT`
fn dig(arguments: &[Value]) -> Answer {
    let [names @ .., default, dict] = arguments else {
        return Err("dig needs at least three arguments".into());
    };
    if names.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut at = dict.clone();
    for name in names {
        let Value::Map(map) = &at else {
            return Err(format!("dig: expected a map, got {}", at.type_name()).into());
        };
        match map.get(&Key::Str(to_text(name))) {
            Some(next) => at = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(at)
}
