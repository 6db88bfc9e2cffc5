//! A reader of HCL version 1 and of JSON, as agent configuration is written in.
//!
//! Both end as the same tree: JSON is HCL with quoted keys, `:` and commas. Labels become nesting: `plugin "raw_exec" { ... }` reads like
//! `plugin { raw_exec { ... } }`. There are no expressions: `${...}` stays text.

use std::{fmt, sync::Arc};

pub(super) use parse::parse;

mod lex;
mod parse;

/// The largest configuration file that is read.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;

/// The deepest nesting of blocks and lists.
const MAX_DEPTH: usize = 32;

/// Where something stands.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The entries of a file or block, in order. A key may come several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body(pub(super) Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// As written.
    Number(String),
    Bool(bool),
    Null,
    List(Vec<Value>),
    Block(Body),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Block(_) => "a block",
        }
    }
}

/// Why a text is not configuration.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub(super) struct SyntaxError {
    pub(super) place: Place,
    pub(super) message: String,
}
