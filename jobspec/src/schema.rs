//! What a job file may contain, as tables: each block's arguments and blocks, and under which key of the job they end up.

use serde_json::{Map, Value as Json};

mod connect;
mod documents;
mod finish;
mod group;
mod job;
mod service;
mod task;

pub(crate) use documents::{CAPACITIES, HOST_VOLUME, NAMESPACE, NODE_POOLS, QUOTA};
pub(crate) use job::JOB;

pub(crate) type Object = Map<String, Json>;

/// The type that an argument is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    Duration,
    Texts,
    Ints,
}

/// An argument: its name in the job file, its key in the job, its type.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
}

/// The key of an argument that existing job files may carry but that never had an effect; it is read and warned about.
pub(crate) const IGNORED: &str = "@ignored";

/// How often a block may stand in its parent and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    One,
    /// A list, in the order of the file.
    Many,
    /// A map by label.
    Named,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Block(&'static Schema),
    /// `meta { a = "b" }` or `meta = { a = "b" }`.
    TextMap,
    /// A map to lists of text.
    TextsMap,
    /// Whatever is written there: nested blocks become lists of objects.
    Free,
}

/// A block within a block.
#[derive(Debug)]
pub(crate) struct Nested {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) arity: Arity,
    /// The key that takes the block's label; blocks without one have none.
    pub(crate) label: Option<&'static str>,
    pub(crate) shape: Shape,
}

/// The content of a block.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) arguments: &'static [Argument],
    pub(crate) blocks: &'static [Nested],
    /// Turns what was written into the job's form, where that is more than a change of names. Keys that begin with `@` are for this step alone.
    pub(crate) finish: Option<fn(&mut Object)>,
}

const fn argument(name: &'static str, key: &'static str, kind: Kind) -> Argument {
    Argument { name, key, kind }
}

const fn text(name: &'static str, key: &'static str) -> Argument {
    argument(name, key, Kind::Text)
}

const fn int(name: &'static str, key: &'static str) -> Argument {
    argument(name, key, Kind::Int)
}

const fn boolean(name: &'static str, key: &'static str) -> Argument {
    argument(name, key, Kind::Bool)
}

const fn duration(name: &'static str, key: &'static str) -> Argument {
    argument(name, key, Kind::Duration)
}

const fn texts(name: &'static str, key: &'static str) -> Argument {
    argument(name, key, Kind::Texts)
}

const fn one(name: &'static str, key: &'static str, schema: &'static Schema) -> Nested {
    Nested { name, key, arity: Arity::One, label: None, shape: Shape::Block(schema) }
}

const fn many(name: &'static str, key: &'static str, schema: &'static Schema) -> Nested {
    Nested { name, key, arity: Arity::Many, label: None, shape: Shape::Block(schema) }
}

const fn labelled(name: &'static str, key: &'static str, label: &'static str, schema: &'static Schema) -> Nested {
    Nested { name, key, arity: Arity::Many, label: Some(label), shape: Shape::Block(schema) }
}

const fn text_map(name: &'static str, key: &'static str) -> Nested {
    Nested { name, key, arity: Arity::One, label: None, shape: Shape::TextMap }
}

const fn free(name: &'static str, key: &'static str) -> Nested {
    Nested { name, key, arity: Arity::One, label: None, shape: Shape::Free }
}

const fn block(arguments: &'static [Argument], blocks: &'static [Nested]) -> Schema {
    Schema { arguments, blocks, finish: None }
}
