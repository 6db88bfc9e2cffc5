//! The tree of a template, and how its parts print in error messages.

use std::fmt::{self, Display};

use super::function::Function;
use super::number::Number;
use super::value::Text;

#[derive(Debug)]
pub(crate) enum Node {
    Text(Box<str>),
    Action { position: usize, pipe: Pipe },
    Branch(Box<Branch>),
    Template { position: usize, name: Box<str>, pipe: Option<Pipe> },
    Break,
    Continue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BranchKind {
    If,
    With,
    Range,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) kind: BranchKind,
    pub(crate) position: usize,
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Option<Vec<Node>>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) position: usize,
    /// With their `$`.
    pub(crate) variables: Vec<Box<str>>,
    /// `=` instead of `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) position: usize,
    /// At least one.
    pub(crate) words: Vec<Expression>,
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) position: usize,
    pub(crate) kind: ExpressionKind,
}

#[derive(Debug)]
pub(crate) enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    String {
        value: Text,
        source: Box<str>,
    },
    Number(Number),
    Field(Vec<Box<str>>),
    /// The first is the variable, with its `$`.
    Variable(Vec<Box<str>>),
    Chain(Box<Expression>, Vec<Box<str>>),
    Function(Callee),
    Pipe(Box<Pipe>),
}

/// A function of the library, resolved when the template is read.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) function: &'static Function,
    /// Under which name it was called; a denied function is replaced and keeps its name.
    pub(crate) name: Box<str>,
}

/// Something with a place, that an error can point at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'t> {
    Node(&'t Node),
    Branch(&'t Branch),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expression(&'t Expression),
}

impl Place<'_> {
    pub(crate) fn position(self) -> usize {
        match self {
            Self::Node(Node::Action { position, .. } | Node::Template { position, .. }) => *position,
            Self::Node(Node::Branch(branch)) => branch.position,
            Self::Node(Node::Text(_) | Node::Break | Node::Continue) => 0,
            Self::Branch(branch) => branch.position,
            Self::Pipe(pipe) => pipe.position,
            Self::Command(command) => command.position,
            Self::Expression(expression) => expression.position,
        }
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Branch(branch) => branch.fmt(f),
            Self::Pipe(pipe) => pipe.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Expression(expression) => expression.fmt(f),
        }
    }
}

fn nodes(f: &mut fmt::Formatter<'_>, list: &[Node]) -> fmt::Result {
    list.iter().try_for_each(|node| node.fmt(f))
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Self::Branch(branch) => branch.fmt(f),
            Self::Template { name, pipe, .. } => {
                write!(f, "{{{{template {}", super::quote::quote(name.as_bytes()))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Break => f.write_str("{{break}}"),
            Self::Continue => f.write_str("{{continue}}"),
        }
    }
}

impl Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            BranchKind::If => "if",
            BranchKind::With => "with",
            BranchKind::Range => "range",
        };
        write!(f, "{{{{{name} {}}}}}", self.pipe)?;
        nodes(f, &self.body)?;
        if let Some(otherwise) = &self.otherwise {
            f.write_str("{{else}}")?;
            nodes(f, otherwise)?;
        }
        f.write_str("{{end}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assigns { "=" } else { ":=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &word.kind {
                ExpressionKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => word.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::Dot => f.write_str("."),
            ExpressionKind::Nil => f.write_str("nil"),
            ExpressionKind::Bool(value) => value.fmt(f),
            ExpressionKind::String { source, .. } => f.write_str(source),
            ExpressionKind::Number(number) => f.write_str(&number.source),
            ExpressionKind::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            ExpressionKind::Variable(names) => f.write_str(&names.join(".")),
            ExpressionKind::Chain(inner, names) => {
                match &inner.kind {
                    ExpressionKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => inner.fmt(f)?,
                }
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            ExpressionKind::Function(callee) => f.write_str(&callee.name),
            ExpressionKind::Pipe(pipe) => pipe.fmt(f),
        }
    }
}
