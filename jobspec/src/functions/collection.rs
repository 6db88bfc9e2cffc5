//! Lists and maps.

use std::collections::BTreeMap;

use super::*;

/// The longest list that a function makes.
const MAX_ELEMENTS: usize = 100_000;

pub(super) const TABLE: &[Function] = &[
    function("chunklist", &["list", "size"], None, chunklist),
    function("coalesce", &[], Some("vals"), coalesce),
    function("coalescelist", &[], Some("vals"), coalescelist),
    function("compact", &["list"], None, compact),
    function("concat", &[], Some("seqs"), concat),
    function("contains", &["list", "value"], None, contains),
    function("distinct", &["list"], None, distinct),
    function("element", &["list", "index"], None, element),
    function("flatten", &["list"], None, flatten),
    function("index", &["list", "value"], None, index),
    function("keys", &["inputMap"], None, keys),
    function("length", &["value"], None, length),
    function("lookup", &["inputMap", "key"], Some("default"), lookup),
    function("merge", &[], Some("maps"), merge),
    function("range", &[], Some("params"), range),
    function("reverse", &["list"], None, reverse),
    function("slice", &["list", "start_index", "end_index"], None, slice),
    function("sort", &["list"], None, sort),
    function("values", &["values"], None, values),
    function("zipmap", &["keys", "values"], None, zipmap),
];

fn chunklist(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let (list, size) = (arguments.list(0)?, arguments.int(1)?);
    let Ok(size) = usize::try_from(size) else { return failure("the size argument must be positive") };
    let chunks =
        if size == 0 { vec![Value::list(list.to_vec())] } else { list.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect() };
    Ok(Value::list(chunks))
}

fn coalesce(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    match arguments.0.iter().find(|value| !matches!(value, Value::Null)) {
        Some(value) => Ok(value.clone()),
        None => failure("no non-null, non-empty-string arguments"),
    }
}

fn coalescelist(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    match arguments.0.iter().find(|value| value.elements().is_some_and(|items| !items.is_empty())) {
        Some(value) => Ok(value.clone()),
        None => failure("no non-null arguments"),
    }
}

fn compact(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let kept =
        arguments.list(0)?.iter().filter(|item| !matches!(item, Value::Null) && !matches!(item, Value::String(text) if text.is_empty()));
    Ok(Value::list(kept.cloned().collect()))
}

fn concat(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        all.extend_from_slice(arguments.list(at)?);
        if all.len() > MAX_ELEMENTS {
            return failure(format!("the list would have more than {MAX_ELEMENTS} elements"));
        }
    }
    Ok(Value::list(all))
}

fn contains(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.list(0)?.contains(arguments.value(1)?)))
}

fn distinct(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    let kept = arguments.list(0)?.iter().filter(|item| seen.insert((item.kind(), item.to_json().to_string())));
    Ok(Value::list(kept.cloned().collect()))
}

fn element(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let (list, index) = (arguments.list(0)?, arguments.int(1)?);
    let Ok(length) = i64::try_from(list.len()) else { return failure("the list is too long") };
    if length == 0 {
        return failure("cannot use element function with an empty list");
    }
    if index < 0 {
        return failure("cannot use element function with a negative index");
    }
    let at = usize::try_from(index % length).unwrap_or(0);
    Ok(list.get(at).cloned().unwrap_or(Value::Null))
}

fn flatten(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    // Lists within lists are opened from the left, without recursion.
    let mut open: Vec<&Value> = arguments.list(0)?.iter().rev().collect();
    let mut flat = Vec::new();
    while let Some(item) = open.pop() {
        match item.elements() {
            Some(items) => open.extend(items.iter().rev()),
            None => flat.push(item.clone()),
        }
        if open.len() + flat.len() > MAX_ELEMENTS {
            return failure(format!("the list would have more than {MAX_ELEMENTS} elements"));
        }
    }
    Ok(Value::list(flat))
}

fn index(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let wanted = arguments.value(1)?;
    match arguments.list(0)?.iter().position(|item| item == wanted) {
        Some(at) => Ok(Value::from(at as i64)),
        None => failure("item not found"),
    }
}

fn keys(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::list(arguments.map(0)?.keys().map(|key| Value::from(key.as_str())).collect()))
}

fn values(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::list(arguments.map(0)?.values().cloned().collect()))
}

fn length(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let length = match arguments.present(0)? {
        Value::Object(entries) => entries.len(),
        Value::List(items) | Value::Set(items) => items.len(),
        Value::String(text) => text.chars().count(),
        Value::Null | Value::Unknown | Value::Bool(_) | Value::Number(_) => {
            return Err(Failure::Argument(0, "argument must be a string, a collection type, or a structural type".to_owned()));
        }
    };
    Ok(Value::from(length as i64))
}

fn lookup(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let (map, key) = (arguments.map(0)?, arguments.text(1)?);
    match (map.get(&*key), arguments.0.get(2)) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => failure(format!("lookup failed to find key {key:?}")),
    }
}

fn merge(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut merged = BTreeMap::new();
    for at in 0..arguments.len() {
        if !matches!(arguments.value(at)?, Value::Null) {
            merged.extend(arguments.map(at)?.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    Ok(Value::object(merged))
}

fn range(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let zero = Number::int(0);
    let (start, limit, step) = match arguments.len() {
        1 => (zero, arguments.number(0)?, None),
        2 => (arguments.number(0)?, arguments.number(1)?, None),
        3 => (arguments.number(0)?, arguments.number(1)?, Some(arguments.number(2)?)),
        _ => return failure("must have one, two, or three arguments"),
    };
    let down = limit < start;
    let step = step.unwrap_or_else(|| Number::int(if down { -1 } else { 1 }));
    if step == zero || (step < zero) != down {
        return failure(if step == zero { "step must not be zero" } else { "step has the wrong sign to get from start to end" });
    }
    let mut list = Vec::new();
    let mut next = start;
    while if down { next > limit } else { next < limit } {
        if list.len() >= MAX_RANGE {
            return failure(format!(
                "more than {MAX_RANGE} values were generated; either decrease the difference between start and end or use a smaller step"
            ));
        }
        list.push(Value::Number(next));
        next = match next.combine(step, i128::checked_add, |a, b| a + b) {
            Some(after) if after != next => after,
            _ => return failure("the step is too small"),
        };
    }
    Ok(Value::list(list))
}

/// The longest list of `range`.
const MAX_RANGE: usize = 1024;

fn reverse(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::list(arguments.list(0)?.iter().rev().cloned().collect()))
}

fn slice(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = arguments.list(0)?;
    let bound = |at| -> Result<usize, Failure> {
        usize::try_from(arguments.int(at)?)
            .ok()
            .filter(|bound| *bound <= list.len())
            .ok_or_else(|| Failure::Argument(at, "index must be between zero and the length of the list".to_owned()))
    };
    let (start, end) = (bound(1)?, bound(2)?);
    match list.get(start..end) {
        Some(part) => Ok(Value::list(part.to_vec())),
        None => Err(Failure::Argument(1, "start index must not be greater than end index".to_owned())),
    }
}

fn sort(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut texts = arguments.texts(0)?;
    texts.sort();
    Ok(Value::list(texts.into_iter().map(Value::from).collect()))
}

fn zipmap(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let (keys, values) = (arguments.texts(0)?, arguments.list(1)?);
    if keys.len() != values.len() {
        return failure(format!("number of keys ({}) does not match number of values ({})", keys.len(), values.len()));
    }
    Ok(Value::object(keys.into_iter().zip(values.iter().cloned()).collect()))
}
