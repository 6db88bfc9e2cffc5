//! The renderer of task templates.
//!
//! What it is: Go template syntax (the dialect of existing job files) and handlebars over data that arrives from outside. A pass is a function of a
//! template, a [`View`] of the data, an environment and a time; it answers with the text, or with the dependencies that have no data yet.
//! [`TemplateRunner`] runs passes for one task whenever something that its templates read has changed.
//!
//! What it must not know: any other crate of ours, networks, jobs, change modes. Data comes from a [`Source`], which somebody else
//! fills; files are written by [`write_beneath`], which somebody else calls.
//!
//! Where to start: [`dependency`] and [`data`] are what templates ask for and get, [`engine`] is the boundary of a template language,
//! `go` and `handlebars` the two, `functions` what templates may call, [`runner`] the live part, [`write`](mod@write) and [`env_file`] what
//! happens to the text.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod data;
pub mod dependency;
pub mod engine;
pub mod env_file;
mod functions;
mod go;
mod handlebars;
pub mod host;
pub mod limits;
mod redact;
pub mod runner;
pub mod source;
pub mod write;

pub use data::Data;
pub use dependency::{Dependency, Scope};
pub use engine::{
    Compiled, Engine, Environment, Error, ErrorKind, GoTemplates, HandlebarsTemplates, Language, Options, Outcome, Pass, View,
};
pub use go::render_value;
pub use host::{Host, InterfaceAddress};
pub use runner::{Event, Failure, Rendered, TemplateConfig, TemplateRunner, Wait, Warning};
pub use source::{Observed, Source, SourceError, Subscription};
pub use write::{Ownership, WriteError, Written, read_beneath, write_beneath};
