//! The boundary of a template language: text in, a compiled template out; one pass is a function of what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::data::Data;
use crate::dependency::Dependency;
use crate::host::Host;

pub use crate::go::GoTemplates;
pub use crate::handlebars::HandlebarsTemplates;

/// The newest value of each dependency.
pub type View = BTreeMap<Dependency, Arc<Data>>;

/// What `env` reads: the task's variables, never the process's own.
#[derive(Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    /// Names only: an environment holds passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Functions that a job may not call unless the node's operator says so: they run programs and write files.
pub const DENIED_BY_DEFAULT: [&str; 3] = ["executeTemplate", "plugin", "writeToFile"];

/// In which language a template is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `engine = "gotemplate"`, and without one.
    #[default]
    Go,
    /// `engine = "handlebars"`.
    Handlebars,
}

impl Language {
    /// By the name that jobs use; empty is the default.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "gotemplate" => Some(Self::Go),
            "handlebars" => Some(Self::Handlebars),
            _ => None,
        }
    }

    /// Its reader.
    pub fn engine(self) -> &'static dyn Engine {
        match self {
            Self::Go => &GoTemplates,
            Self::Handlebars => &HandlebarsTemplates,
        }
    }
}

/// How a template is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub language: Language,
    pub left_delimiter: String,
    pub right_delimiter: String,
    /// Fail on `.field` of a map that has no such key.
    pub error_on_missing_key: bool,
    /// Names (or globs, `sprig_*`) of functions that fail when called.
    pub denied: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            language: Language::Go,
            left_delimiter: "{{".to_owned(),
            right_delimiter: "}}".to_owned(),
            error_on_missing_key: false,
            denied: DENIED_BY_DEFAULT.map(str::to_owned).to_vec(),
        }
    }
}

/// What one pass may see.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    pub view: &'a View,
    pub environment: &'a Environment,
    /// The time that `timestamp` answers with.
    pub now: jiff::Timestamp,
    /// The machine, if templates may ask it.
    pub host: Option<&'a Arc<dyn Host>>,
}

/// What a pass came to.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The text; `None` while anything is missing.
    pub text: Option<Vec<u8>>,
    /// What had no data yet. With them the template may ask for more.
    pub missing: BTreeSet<Dependency>,
    /// All that was asked for.
    pub used: BTreeSet<Dependency>,
    /// Where the pass ended early, while anything is missing: with all the data there it may well come through.
    pub deferred: Option<Error>,
}

impl Outcome {
    /// What a pass came to that wrote `text`, or ended with `failed`. An error on data that is not there yet is no error: an empty list has no first item,
    /// but the list that is waited for may have one.
    pub(crate) fn new(
        text: Vec<u8>,
        failed: Option<Error>,
        missing: BTreeSet<Dependency>,
        used: BTreeSet<Dependency>,
    ) -> Result<Self, Error> {
        match failed {
            Some(error) if missing.is_empty() || error.kind == ErrorKind::Limit => Err(error),
            deferred => {
                let text = Some(text).filter(|_| missing.is_empty());
                Ok(Self { text, missing, used, deferred })
            }
        }
    }
}

impl fmt::Debug for Outcome {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.as_ref().map(Vec::len);
        f.debug_struct("Outcome").field("bytes", &bytes).field("missing", &self.missing).field("used", &self.used).finish()
    }
}

/// What went wrong, in general.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no template.
    Parse,
    /// The template failed on this data.
    Execute,
    /// A limit of [`crate::limits`] was met.
    Limit,
}

/// A failed template. Its text names the place and is free of secret values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    pub kind: ErrorKind,
    /// The whole message, as users know it: `execute: template: :3:13: executing "" at <1>: expected string; found 1`.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// In bytes from the line's start, if known.
    pub column: Option<usize>,
}

/// A template language.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Reads a template. It is done once; passes are many.
    fn compile(&self, text: &str, options: &Options) -> Result<Arc<dyn Compiled>, Error>;
}

/// A template that was read.
pub trait Compiled: Send + Sync + fmt::Debug {
    /// One pass. No clock, no network, no file: the same pass gives the same outcome, unless it asks the host.
    fn render(&self, pass: &Pass<'_>) -> Result<Outcome, Error>;
}
