//! Lists.

use crate::go::context::{Context, check_items};
use crate::go::function::{Answer, Fault, Function, Type, integer, text};
use crate::go::value::{ListType, Value};

use super::kinds::{strings, to_int};

const ANY: Type = Type::Any;
const INT: Type = Type::Int;

/// Most have a second name with `must`, which differs in nothing here: a wrong type is an error in both.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::many("sprig_list", &[], ANY, |_, arguments| Ok(Value::any_list(arguments.to_vec()))),
    Function::many("sprig_tuple", &[], ANY, |_, arguments| Ok(Value::any_list(arguments.to_vec()))),
    Function::new("sprig_append", &[ANY, ANY], append),
    Function::new("sprig_push", &[ANY, ANY], append),
    Function::new("sprig_mustAppend", &[ANY, ANY], append),
    Function::new("sprig_mustPush", &[ANY, ANY], append),
    Function::new("sprig_prepend", &[ANY, ANY], prepend),
    Function::new("sprig_mustPrepend", &[ANY, ANY], prepend),
    Function::many("sprig_concat", &[], ANY, |_, arguments| {
        let mut all = Vec::new();
        for list in arguments {
            all.extend_from_slice(items("concat", list)?);
        }
        check_items(all.len())?;
        Ok(Value::any_list(all))
    }),
    Function::new("sprig_first", &[ANY], |_, arguments| Ok(items("first", &arguments[0])?.first().cloned().unwrap_or(Value::Nil))),
    Function::new("sprig_mustFirst", &[ANY], |_, arguments| Ok(items("first", &arguments[0])?.first().cloned().unwrap_or(Value::Nil))),
    Function::new("sprig_last", &[ANY], |_, arguments| Ok(items("last", &arguments[0])?.last().cloned().unwrap_or(Value::Nil))),
    Function::new("sprig_mustLast", &[ANY], |_, arguments| Ok(items("last", &arguments[0])?.last().cloned().unwrap_or(Value::Nil))),
    Function::new("sprig_rest", &[ANY], rest),
    Function::new("sprig_mustRest", &[ANY], rest),
    Function::new("sprig_initial", &[ANY], initial),
    Function::new("sprig_mustInitial", &[ANY], initial),
    Function::new("sprig_reverse", &[ANY], reverse),
    Function::new("sprig_mustReverse", &[ANY], reverse),
    Function::new("sprig_uniq", &[ANY], uniq),
    Function::new("sprig_mustUniq", &[ANY], uniq),
    Function::new("sprig_compact", &[ANY], compact),
    Function::new("sprig_mustCompact", &[ANY], compact),
    Function::many("sprig_without", &[ANY], ANY, without),
    Function::many("sprig_mustWithout", &[ANY], ANY, without),
    Function::new("sprig_has", &[ANY, ANY], has),
    Function::new("sprig_mustHas", &[ANY, ANY], has),
    Function::many("sprig_slice", &[ANY], ANY, slice),
    Function::many("sprig_mustSlice", &[ANY], ANY, slice),
    Function::new("sprig_chunk", &[INT, ANY], chunk),
    Function::new("sprig_mustChunk", &[INT, ANY], chunk),
    Function::new("sprig_sortAlpha", &[ANY], |_, arguments| {
        let mut sorted = strings(&arguments[0]);
        sorted.sort();
        Ok(Value::strings(sorted.into_iter().map(Value::Str)))
    }),
    Function::new("sprig_join", &[Type::Str, ANY], |_, arguments| {
        let parts: Vec<String> = strings(&arguments[1]).iter().map(|part| part.to_str().into_owned()).collect();
        Ok(Value::from(parts.join(&text(&arguments[0]))))
    }),
    Function::new("sprig_until", &[INT], |_, arguments| {
        let count = integer(&arguments[0]);
        steps(0, count, if count < 0 { -1 } else { 1 })
    }),
    Function::new("sprig_untilStep", &[INT, INT, INT], |_, arguments| {
        steps(integer(&arguments[0]), integer(&arguments[1]), integer(&arguments[2]))
    }),
    Function::many("sprig_seq", &[], INT, sequence),
];

fn items<'a>(name: &str, value: &'a Value) -> Result<&'a [Value], Fault> {
    value.items().ok_or_else(|| Fault::Message(format!("Cannot find {name} on type {}", super::kinds::kind(value))))
}

fn append(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut all = items("append", &arguments[0])?.to_vec();
    all.push(arguments[1].clone());
    check_items(all.len())?;
    Ok(Value::any_list(all))
}

fn prepend(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut all = vec![arguments[1].clone()];
    all.extend_from_slice(items("prepend", &arguments[0])?);
    check_items(all.len())?;
    Ok(Value::any_list(all))
}

fn rest(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(items("rest", &arguments[0])?.split_first().map_or(Value::Nil, |(_, rest)| Value::any_list(rest.to_vec())))
}

fn initial(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(items("initial", &arguments[0])?.split_last().map_or(Value::Nil, |(_, rest)| Value::any_list(rest.to_vec())))
}

fn reverse(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::any_list(items("reverse", &arguments[0])?.iter().rev().cloned().collect()))
}

fn uniq(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let mut kept: Vec<Value> = Vec::new();
    for item in items("uniq", &arguments[0])? {
        if !kept.iter().any(|known| known.deep_equal(item)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::any_list(kept))
}

fn compact(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    Ok(Value::any_list(items("compact", &arguments[0])?.iter().filter(|item| item.truth()).cloned().collect()))
}

fn without(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let unwanted = &arguments[1..];
    let kept = items("without", &arguments[0])?.iter().filter(|item| !unwanted.iter().any(|one| one.deep_equal(item)));
    Ok(Value::any_list(kept.cloned().collect()))
}

fn has(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    if let Value::Nil = arguments[1] {
        return Ok(false.into());
    }
    Ok(items("has", &arguments[1])?.iter().any(|item| item.deep_equal(&arguments[0])).into())
}

fn slice(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let all = items("slice", &arguments[0])?;
    if all.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |index: usize, default: usize| arguments.get(index).map_or(Some(default), |value| usize::try_from(to_int(value)).ok());
    match (bound(1, 0), bound(2, all.len())) {
        (Some(from), Some(to)) if from <= to && to <= all.len() => Ok(Value::any_list(all[from..to].to_vec())),
        _ => Err("reflect: slice index out of range".into()),
    }
}

fn chunk(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let Some(size) = usize::try_from(integer(&arguments[0])).ok().filter(|size| *size > 0) else {
        return Err("chunk: the size must be positive".into());
    };
    let chunks = items("chunk", &arguments[1])?.chunks(size).map(|chunk| Value::any_list(chunk.to_vec()));
    Ok(Value::list(ListType::Of("[][]interface {}"), chunks.collect()))
}

fn counted(from: i64, to: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let mut numbers = Vec::new();
    let mut at = from;
    while (step > 0 && at < to) || (step < 0 && at > to) {
        numbers.push(at);
        check_items(numbers.len())?;
        at = at.saturating_add(step);
    }
    Ok(numbers)
}

fn steps(from: i64, to: i64, step: i64) -> Answer {
    Ok(Value::list(ListType::Ints, counted(from, to, step)?.into_iter().map(Value::int).collect()))
}

/// `1 2 3`, both ends included.
fn sequence(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let numbers: Vec<i64> = arguments.iter().map(integer).collect();
    let (from, step, to) = match numbers[..] {
        [to] => (1, if to < 1 { -1 } else { 1 }, to),
        [from, to] => (from, if to < from { -1 } else { 1 }, to),
        [from, step, to] => (from, step, to),
        _ => return Ok("".into()),
    };
    let beyond = to.saturating_add(step.signum());
    let shown: Vec<String> = counted(from, beyond, step)?.iter().map(i64::to_string).collect();
    Ok(shown.join(" ").into())
}
