//! What templates may call, by family. Each family is a table of functions; a new one goes into the table of its family.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::go::builtins::BUILTINS;
use crate::go::function::{Function, Special, Type};
use crate::go::parse::Functions;
use crate::go::value::Value;

mod consul;
mod convert;
mod denied;
mod encode;
mod environment;
mod hash;
mod host;
mod json;
mod maps;
mod math;
mod nomad;
mod parse;
mod pattern;
mod scratch;
mod search;
mod sockaddr;
mod sprig;
mod strings;
mod time;
mod toml;
mod vault;
mod yaml;

/// All families.
static FAMILIES: &[&[Function]] = &[
    BUILTINS,
    consul::FUNCTIONS,
    encode::FUNCTIONS,
    environment::FUNCTIONS,
    hash::FUNCTIONS,
    host::FUNCTIONS,
    maps::FUNCTIONS,
    math::FUNCTIONS,
    nomad::FUNCTIONS,
    parse::FUNCTIONS,
    scratch::FUNCTIONS,
    search::FUNCTIONS,
    strings::FUNCTIONS,
    time::FUNCTIONS,
    vault::FUNCTIONS,
    EXECUTE_TEMPLATE,
];

const EXECUTE_TEMPLATE: &[Function] = &[Function::special("executeTemplate", &[Type::Str], Type::Any, Special::ExecuteTemplate)];

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    FAMILIES.iter().chain(&sprig::FAMILIES).flat_map(|family| family.iter()).map(|function| (function.name, function)).collect()
});

/// A denied function can be called with strings, and answers that it is disabled.
static DISABLED: Function = Function::many("", &[], Type::Str, |_, _| Err(DISABLED_TEXT.into()));

const DISABLED_TEXT: &str = "function is disabled";

/// It exists only to be denied: the renderer writes no files of its own.
const NEVER_RUN: &str = "writeToFile";

/// The functions that one template may use.
pub(crate) struct Library {
    denied: Vec<denied::Glob>,
}

impl Library {
    pub(crate) fn new(denied: &[String]) -> Self {
        Self { denied: denied.iter().map(|pattern| denied::Glob::new(pattern)).collect() }
    }

    /// All names, in order.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        BY_NAME.keys().copied().chain([NEVER_RUN])
    }
}

impl Functions for Library {
    fn find(&self, name: &str) -> Option<&'static Function> {
        if name == NEVER_RUN {
            return Some(&DISABLED);
        }
        let function = BY_NAME.get(name).copied()?;
        Some(if self.denied.iter().any(|glob| glob.matches(name)) { &DISABLED } else { function })
    }
}

/// A string result of an owned text.
fn string(text: impl Into<String>) -> Value {
    Value::from(text.into())
}
