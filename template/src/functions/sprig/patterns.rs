//! Regular expressions. Here the text comes before what it is replaced with.

use regex::{NoExpand, Regex};

use crate::functions::pattern::compile;
use crate::functions::string;
use crate::go::context::{Context, check_bytes};
use crate::go::function::{Answer, Function, Type, integer, text};
use crate::go::value::Value;

const STR: Type = Type::Str;
const INT: Type = Type::Int;

/// The `must` forms differ in nothing here: a pattern that cannot be read is an error in both, except for `regexMatch`.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_regexMatch", &[STR, STR], |_, arguments| {
        Ok(compile(&text(&arguments[0])).is_ok_and(|pattern| pattern.is_match(&text(&arguments[1]))).into())
    }),
    Function::new("sprig_mustRegexMatch", &[STR, STR], |_, arguments| {
        Ok(compile(&text(&arguments[0]))?.is_match(&text(&arguments[1])).into())
    }),
    Function::new("sprig_regexFind", &[STR, STR], find),
    Function::new("sprig_mustRegexFind", &[STR, STR], find),
    Function::new("sprig_regexFindAll", &[STR, STR, INT], find_all),
    Function::new("sprig_mustRegexFindAll", &[STR, STR, INT], find_all),
    Function::new("sprig_regexReplaceAll", &[STR, STR, STR], replace),
    Function::new("sprig_mustRegexReplaceAll", &[STR, STR, STR], replace),
    Function::new("sprig_regexReplaceAllLiteral", &[STR, STR, STR], replace_literally),
    Function::new("sprig_mustRegexReplaceAllLiteral", &[STR, STR, STR], replace_literally),
    Function::new("sprig_regexSplit", &[STR, STR, INT], split),
    Function::new("sprig_mustRegexSplit", &[STR, STR, INT], split),
    Function::new("sprig_regexQuoteMeta", &[STR], |_, arguments| Ok(string(quote_meta(&text(&arguments[0]))))),
];

fn pattern(arguments: &[Value]) -> Result<Regex, crate::go::function::Fault> {
    compile(&text(&arguments[0]))
}

fn find(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = text(&arguments[1]);
    Ok(string(pattern(arguments)?.find(&value).map_or("", |found| found.as_str())))
}

/// How many at most; negative means all.
fn limit(value: &Value) -> usize {
    usize::try_from(integer(value)).unwrap_or(usize::MAX)
}

fn find_all(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let value = text(&arguments[1]);
    Ok(Value::strings(pattern(arguments)?.find_iter(&value).take(limit(&arguments[2])).map(|found| found.as_str())))
}

fn replace(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (value, replacement) = (text(&arguments[1]), text(&arguments[2]));
    let replaced = pattern(arguments)?.replace_all(&value, &*replacement).into_owned();
    check_bytes(replaced.len())?;
    Ok(string(replaced))
}

fn replace_literally(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (value, replacement) = (text(&arguments[1]), text(&arguments[2]));
    let replaced = pattern(arguments)?.replace_all(&value, NoExpand(&replacement)).into_owned();
    check_bytes(replaced.len())?;
    Ok(string(replaced))
}

fn split(_: &mut Context<'_>, arguments: &[Value]) -> Answer {
    let (pattern, value) = (pattern(arguments)?, text(&arguments[1]));
    let parts: Vec<&str> = match limit(&arguments[2]) {
        usize::MAX => pattern.split(&value).collect(),
        limit => pattern.splitn(&value, limit).collect(),
    };
    Ok(Value::strings(parts))
}

fn quote_meta(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
