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

use crate::engine::{Compiled, Engine, Error, ErrorKind, Options, Outcome, Pass};
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
        if text.len() > TEMPLATE_BYTES {
            let text = format!("parse: template: the template has {} bytes, the limit is {TEMPLATE_BYTES}", text.len());
            return Err(Error { kind: ErrorKind::Limit, text, line: 1, column: None });
        }
        let library = functions::Library::new(&options.denied);
        let (left, right) = (options.left_delimiter.as_str(), options.right_delimiter.as_str());
        let templates =
            parse::parse(text, if left.is_empty() { "{{" } else { left }, if right.is_empty() { "}}" } else { right }, &library).map_err(
                |error| Error {
                    kind: ErrorKind::Parse,
                    text: format!("parse: template: :{}: {}", error.line, error.text),
                    line: error.line,
                    column: Some(column(text, error.position)),
                },
            )?;
        Ok(Arc::new(Tree { source: text.to_owned(), templates, error_on_missing_key: options.error_on_missing_key }))
    }
}

/// The bytes between a place and the start of its line.
pub(crate) fn column(text: &str, position: usize) -> usize {
    let before = &text.as_bytes()[..position.min(text.len())];
    before.len() - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

impl Compiled for Tree {
    fn render(&self, pass: &Pass<'_>) -> Result<Outcome, Error> {
        exec::render(self, pass)
    }
}
