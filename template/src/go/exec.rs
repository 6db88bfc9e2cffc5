//! A tree to text: walks the nodes, evaluates what stands between the delimiters.

use super::Tree;
use super::ast::{Branch, BranchKind, Node, Pipe, Place};
use super::context::Context;
use super::format;
use super::function::Fault;
use super::value::{IntType, Value};
use crate::engine::{Error, ErrorKind, Outcome, Pass};
use crate::limits::{OUTPUT_BYTES, RENDER_DEPTH, RENDER_STEPS};
use crate::redact::redact;

mod call;
mod evaluate;

/// One pass over a tree; `dot` is what it is given.
pub(super) fn render(tree: &Tree, pass: &Pass<'_>, dot: &Value) -> Result<Outcome, Error> {
    let mut executor = Executor {
        tree,
        context: Context::new(pass),
        out: Vec::new(),
        frame: Frame { template: "", variables: vec![("$", dot.clone())] },
        at: None,
        depth: 0,
        steps: 0,
    };
    let root = tree.templates.get("").map(Vec::as_slice).unwrap_or_default();
    let walked = executor.walk(dot, root);
    let Executor { context, out, .. } = executor;
    let failed = match walked {
        Err(Stop::Error(mut error)) => {
            error.text = redact(&error.text, &context.used, context.pass.view);
            Some(*error)
        }
        Ok(()) | Err(Stop::Break | Stop::Continue) => None,
    };
    Outcome::new(out, failed, context.missing, context.used)
}

/// Why a walk ends early.
enum Stop {
    Break,
    Continue,
    Error(Box<Error>),
}

type Walked<T> = Result<T, Stop>;

/// What a template sees of its own: variables of the one that calls it stay out of reach.
struct Frame<'t> {
    template: &'t str,
    variables: Vec<(&'t str, Value)>,
}

struct Executor<'t, 'p> {
    tree: &'t Tree,
    context: Context<'p>,
    out: Vec<u8>,
    frame: Frame<'t>,
    /// What is being evaluated: the place of an error.
    at: Option<Place<'t>>,
    depth: usize,
    steps: u64,
}

impl<'t> Executor<'t, '_> {
    /// An error at the current place.
    fn fail<T>(&self, text: impl AsRef<str>) -> Walked<T> {
        Err(self.stop(ErrorKind::Execute, text.as_ref()))
    }

    fn stop(&self, kind: ErrorKind, text: &str) -> Stop {
        let position = self.at.map_or(0, Place::position);
        let before = &self.tree.source.as_bytes()[..position];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = super::column(&self.tree.source, position);
        let name = super::quote::quote(self.frame.template.as_bytes());
        let place = self.at.map(|place| format!(" at <{place}>")).unwrap_or_default();
        let text = format!("execute: template: :{line}:{column}: executing {name}{place}: {text}");
        Stop::Error(Box::new(Error { kind, text, line, column: Some(column) }))
    }

    fn fault(&self, function: &str, fault: &Fault) -> Stop {
        match fault {
            Fault::Message(text) => self.stop(ErrorKind::Execute, &format!("error calling {function}: {text}")),
            Fault::Limit(text) => self.stop(ErrorKind::Limit, &format!("limit exceeded: {text}")),
        }
    }

    fn step(&mut self) -> Walked<()> {
        self.steps += 1;
        if self.steps > RENDER_STEPS {
            return Err(self.stop(ErrorKind::Limit, &format!("limit exceeded: more than {RENDER_STEPS} steps")));
        }
        Ok(())
    }

    /// Runs something nested; the thread's stack is finite.
    fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Walked<T>) -> Walked<T> {
        if self.depth >= RENDER_DEPTH {
            return Err(self.stop(ErrorKind::Limit, &format!("exceeded maximum template depth ({RENDER_DEPTH})")));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn walk(&mut self, dot: &Value, nodes: &'t [Node]) -> Walked<()> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.out.extend_from_slice(text.as_bytes()),
                Node::Action { pipe, .. } => {
                    self.at = Some(Place::Node(node));
                    let value = self.pipeline(dot, pipe)?;
                    if pipe.variables.is_empty() {
                        self.at = Some(Place::Node(node));
                        format::print(&mut self.out, &value);
                    }
                }
                Node::Branch(branch) => self.branch(dot, branch)?,
                Node::Template { name, pipe, .. } => self.template(dot, node, name, pipe.as_ref())?,
                Node::Break => return Err(Stop::Break),
                Node::Continue => return Err(Stop::Continue),
            }
            if self.out.len() > OUTPUT_BYTES {
                return Err(self.stop(ErrorKind::Limit, &format!("limit exceeded: more than {OUTPUT_BYTES} bytes of output")));
            }
        }
        Ok(())
    }

    fn branch(&mut self, dot: &Value, branch: &'t Branch) -> Walked<()> {
        self.at = Some(Place::Branch(branch));
        let scope = self.frame.variables.len();
        let result = self.nested(|executor| match branch.kind {
            BranchKind::Range => executor.range(dot, branch),
            BranchKind::If | BranchKind::With => {
                let value = executor.pipeline(dot, &branch.pipe)?;
                if value.truth() {
                    let inner = if branch.kind == BranchKind::With { &value } else { dot };
                    executor.walk(inner, &branch.body)
                } else {
                    branch.otherwise.as_ref().map_or(Ok(()), |nodes| executor.walk(dot, nodes))
                }
            }
        });
        self.frame.variables.truncate(scope);
        result
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Walked<()> {
        let value = self.pipeline(dot, &branch.pipe)?;
        let over_integer = matches!(value, Value::Int(..) | Value::Uint(..));
        if over_integer && branch.pipe.variables.len() > 1 {
            return self.fail(format!("can't use {} to iterate over more than one variable", format::to_string(&value)));
        }
        let empty = match &value {
            Value::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    if self.iteration(branch, || Value::size(index), item)? {
                        break;
                    }
                }
                list.items.is_empty()
            }
            Value::Int(count, of) => self.count(branch, *count, *of)?,
            Value::Uint(count, _) => self.count(branch, i64::try_from(*count).unwrap_or(i64::MAX), IntType::Int64)?,
            Value::Nil => true,
            other => {
                let Some(map) = other.as_map() else {
                    return self.fail(format!("range can't iterate over {}", format::to_string(other)));
                };
                let entries = map.snapshot();
                for (key, item) in &entries {
                    if self.iteration(branch, || key.value(), item)? {
                        break;
                    }
                }
                entries.is_empty()
            }
        };
        match &branch.otherwise {
            Some(nodes) if empty => self.walk(dot, nodes),
            _ => Ok(()),
        }
    }

    fn count(&mut self, branch: &'t Branch, count: i64, of: IntType) -> Walked<bool> {
        for number in 0..count {
            let item = Value::Int(number, of);
            if self.iteration(branch, || item.clone(), &item)? {
                break;
            }
        }
        Ok(count <= 0)
    }

    /// One round; true if the body broke out.
    fn iteration(&mut self, branch: &'t Branch, index: impl Fn() -> Value, item: &Value) -> Walked<bool> {
        self.step()?;
        let scope = self.frame.variables.len();
        let variables = &branch.pipe.variables;
        if let (Some(first), second) = (variables.first(), variables.get(1)) {
            let of_first = if second.is_some() { index() } else { item.clone() };
            self.bind(&branch.pipe, first, of_first)?;
            if let Some(second) = second {
                self.bind(&branch.pipe, second, item.clone())?;
            }
        }
        let walked = self.walk(item, &branch.body);
        self.frame.variables.truncate(scope);
        match walked {
            Ok(()) | Err(Stop::Continue) => Ok(false),
            Err(Stop::Break) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Declares a variable, or sets the one that is already there.
    fn bind(&mut self, pipe: &'t Pipe, name: &'t str, value: Value) -> Walked<()> {
        if !pipe.assigns {
            self.frame.variables.push((name, value));
            return Ok(());
        }
        match self.frame.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn template(&mut self, dot: &Value, node: &'t Node, name: &'t str, pipe: Option<&'t Pipe>) -> Walked<()> {
        self.at = Some(Place::Node(node));
        let Some((name, nodes)) = self.find_template(name) else {
            return self.fail(format!("template {} not defined", super::quote::quote(name.as_bytes())));
        };
        let argument = pipe.map_or(Ok(Value::Nil), |pipe| self.pipeline(dot, pipe))?;
        self.run_template(name, nodes, argument)
    }

    fn find_template(&self, name: &str) -> Option<(&'t str, &'t [Node])> {
        self.tree.templates.get_key_value(name).map(|(name, nodes)| (name.as_str(), nodes.as_slice()))
    }

    fn run_template(&mut self, name: &'t str, nodes: &'t [Node], argument: Value) -> Walked<()> {
        let inner = Frame { template: name, variables: vec![("$", argument.clone())] };
        let outer = std::mem::replace(&mut self.frame, inner);
        let result = self.nested(|executor| executor.walk(&argument, nodes));
        self.frame = outer;
        result
    }
}
