//! Go template syntax: text -> tokens ([`lex`]) -> tree ([`parse`], [`ast`]) -> text ([`exec`]).
//!
//! Written for this crate rather than taken from one, because three things must be right at once that no crate has together: the place in
//! run-time errors, typed values (`int64` is not `int`, a secret's number is not a string), and methods (`scratch.Get`).

pub(crate) mod ast;
pub(crate) mod builtins;
pub(crate) mod compare;
pub(crate) mod context;
pub(crate) mod exec;
pub(crate) mod float;
pub(crate) mod format;
pub(crate) mod function;
pub(crate) mod lex;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod parse;
pub(crate) mod quote;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Compiled, Engine, Environment, Error, ErrorKind, Options, Outcome, Pass, View};
use crate::functions;
use crate::limits::TEMPLATE_BYTES;
use ast::Node;

/// The language of existing job files.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoTemplates;

/// A parsed file with the templates that it defines.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) source: String,
    /// By name; the file itself is `""`.
    pub(crate) templates: BTreeMap<String, Vec<Node>>,
    pub(crate) error_on_missing_key: bool,
}

impl Engine for GoTemplates {
    fn compile(&self, text: &str, options: &Options) -> Result<Arc<dyn Compiled>, Error> {
        compile(text, options).map(|tree| Arc::new(tree) as Arc<dyn Compiled>)
    }
}

fn compile(text: &str, options: &Options) -> Result<Tree, Error> {
    if text.len() > TEMPLATE_BYTES {
        let text = format!("parse: template: the template has {} bytes, the limit is {TEMPLATE_BYTES}", text.len());
        return Err(Error { kind: ErrorKind::Limit, text, line: 1, column: None });
    }
    let library = functions::Library::new(&options.denied);
    let (left, right) = (options.left_delimiter.as_str(), options.right_delimiter.as_str());
    let templates = parse::parse(text, if left.is_empty() { "{{" } else { left }, if right.is_empty() { "}}" } else { right }, &library)
        .map_err(|error| Error {
            kind: ErrorKind::Parse,
            text: format!("parse: template: :{}: {}", error.line, error.text),
            line: error.line,
            column: Some(column(text, error.position)),
        })?;
    Ok(Tree { source: text.to_owned(), templates, error_on_missing_key: options.error_on_missing_key })
}

/// Renders a template over one value, which is its dot, as command lines show what they have read. `now` (Unix time in nanoseconds) is what `timestamp` answers
/// with. A field that is not there is an error, as it is of a struct; so is a function that asks for data, which nobody has here.
pub fn render_value(text: &str, value: &serde_json::Value, now: i64) -> Result<String, Error> {
    let (view, environment) = (View::new(), Environment::default());
    let now = jiff::Timestamp::from_nanosecond(now.into()).unwrap_or_default();
    let pass = Pass { view: &view, environment: &environment, now, host: None };
    let tree = compile(text, &Options { error_on_missing_key: true, ..Options::default() })?;
    let outcome = exec::render(&tree, &pass, &value::of_json(value))?;
    match (outcome.text, outcome.used.first()) {
        (Some(text), _) => Ok(String::from_utf8_lossy(&text).into_owned()),
        (None, Some(asked)) => {
            let text = format!("execute: template: it asks for {asked}: only the templates of tasks have data to ask for");
            Err(Error { kind: ErrorKind::Execute, text, line: 1, column: None })
        }
        (None, None) => Ok(String::new()),
    }
}

/// The bytes between a place and the start of its line.
pub(crate) fn column(text: &str, position: usize) -> usize {
    let before = &text.as_bytes()[..position.min(text.len())];
    before.len() - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

impl Compiled for Tree {
    fn render(&self, pass: &Pass<'_>) -> Result<Outcome, Error> {
        exec::render(self, pass, &value::Value::Nil)
    }
}
