//! Expressions to values. An expression that fails reports why and becomes [`Value::Unknown`], so that one look at a job file finds all its
//! mistakes. References that mean nothing here (`attr.x`, `node.x`, `NOMAD_X`, ...) are the client's and stay as text.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ops::Range,
    sync::Arc,
};

use hcl_edit::expr::{Expression, ObjectKey};

use crate::{
    diagnostic::{Diagnostic, Source},
    functions::Environment,
    syntax::span,
    value::{Number, Value},
};

mod call;
mod comprehension;
mod operator;
mod template;
mod traversal;

/// How much work the expressions of one job file may cause, counted in evaluated expressions and produced elements.
const MAX_WORK: usize = 1_000_000;
/// How deep values may nest in each other, which is more than a file can write down because locals build on locals.
const MAX_VALUE_DEPTH: usize = 64;
/// How many problems of one job file are reported.
const MAX_DIAGNOSTICS: usize = 100;

/// The names that an expression can see: `var`, `local`, and what loops and dynamic blocks around it define.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    names: BTreeMap<String, Value>,
}

impl Scope {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name)
    }

    #[must_use]
    pub(crate) fn with(&self, name: &str, value: Value) -> Self {
        let mut names = self.names.clone();
        names.insert(name.to_owned(), value);
        Self { names }
    }
}

/// Evaluates the expressions of one source and gathers what is wrong with them.
pub(crate) struct Evaluator<'a> {
    pub(crate) source: &'a Source,
    pub(crate) environment: &'a Environment<'a>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    work: Cell<usize>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(source: &'a Source, environment: &'a Environment<'a>) -> Self {
        Self { source, environment, diagnostics: RefCell::default(), warnings: RefCell::default(), work: Cell::new(0) }
    }

    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() < MAX_DIAGNOSTICS {
            diagnostics.push(diagnostic);
        }
    }

    /// Reports what is odd but no error.
    pub(crate) fn warn(&self, diagnostic: Diagnostic) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_DIAGNOSTICS {
            warnings.push(diagnostic);
        }
    }

    pub(crate) fn take_warnings(&self) -> Vec<Diagnostic> {
        self.warnings.take()
    }

    /// Reports an error and stands in for the value that could not be had.
    pub(crate) fn fail(&self, range: Range<usize>, summary: &str, detail: impl Into<String>) -> Value {
        if self.diagnostics.borrow().len() < MAX_DIAGNOSTICS {
            self.report(self.source.error(range, summary, detail));
        }
        Value::Unknown
    }

    pub(crate) fn take_diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.take()
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.diagnostics.borrow().is_empty()
    }

    /// Runs `work` and takes back what it reported: `None` when it reported nothing.
    fn quietly<T>(&self, work: impl FnOnce() -> T) -> (T, Option<Vec<Diagnostic>>) {
        let before = self.diagnostics.borrow().len();
        let result = work();
        let reported = self.diagnostics.borrow_mut().split_off(before);
        (result, (!reported.is_empty()).then_some(reported))
    }

    /// Counts work; false (reported once) when there has been too much of it.
    pub(crate) fn spend(&self, amount: usize, range: Range<usize>) -> bool {
        let before = self.work.get();
        let after = before.saturating_add(amount);
        self.work.set(after);
        if after > MAX_WORK && before <= MAX_WORK {
            self.fail(range, "Job file does too much", format!("Its expressions produce more than {MAX_WORK} values."));
        }
        after <= MAX_WORK
    }

    pub(crate) fn evaluate(&self, expr: &Expression, scope: &Scope) -> Value {
        if !self.spend(1, span(expr)) {
            return Value::Unknown;
        }
        let value = self.evaluate_kind(expr, scope);
        match expr {
            Expression::Array(_)
            | Expression::Object(_)
            | Expression::StringTemplate(_)
            | Expression::HeredocTemplate(_)
            | Expression::FuncCall(_)
            | Expression::ForExpr(_) => self.affordable(value, expr),
            // The others give back what exists already.
            _ => value,
        }
    }

    /// The value, if there is enough work left to walk through it and it is not nested too deep.
    pub(crate) fn affordable(&self, value: Value, expr: &Expression) -> Value {
        let mut left = MAX_WORK.saturating_sub(self.work.get());
        let before = left;
        let depth = value.measure(&mut left);
        if !self.spend(before - left + usize::from(left == 0), span(expr)) {
            return Value::Unknown;
        }
        if depth > MAX_VALUE_DEPTH {
            return self.fail(span(expr), "Value nested too deep", format!("Values may nest {MAX_VALUE_DEPTH} levels deep."));
        }
        value
    }

    fn evaluate_kind(&self, expr: &Expression, scope: &Scope) -> Value {
        match expr {
            Expression::Null(_) => Value::Null,
            Expression::Bool(value) => Value::Bool(*value.value()),
            Expression::Number(number) => Value::Number(number_of(number.value())),
            Expression::String(text) => Value::from(text.value().as_str()),
            Expression::Array(items) => Value::list(items.iter().map(|item| self.evaluate(item, scope)).collect()),
            Expression::Object(object) => self.object(object, scope),
            Expression::StringTemplate(template) => self.template(template, scope, span(expr)),
            Expression::HeredocTemplate(heredoc) => self.template(&heredoc.template, scope, span(expr)),
            Expression::Parenthesis(inner) => self.evaluate(inner.inner(), scope),
            Expression::Variable(name) => self.name(name.value().as_str(), scope),
            Expression::Conditional(conditional) => self.conditional(conditional, scope),
            Expression::FuncCall(call) => self.call(call, scope),
            Expression::Traversal(traversal) => self.traversal(traversal, scope),
            Expression::UnaryOp(operation) => self.unary(operation, scope),
            Expression::BinaryOp(operation) => self.binary(operation, scope),
            Expression::ForExpr(comprehension) => self.comprehension(comprehension, scope),
        }
    }

    /// A bare name: one in scope, or one that the client will know.
    fn name(&self, name: &str, scope: &Scope) -> Value {
        scope.get(name).cloned().unwrap_or_else(|| Value::from(format!("${{{name}}}")))
    }

    fn object(&self, object: &hcl_edit::expr::Object, scope: &Scope) -> Value {
        let mut entries = BTreeMap::new();
        for (key, value) in object {
            let key = match key {
                ObjectKey::Ident(name) => Some(Arc::from(name.as_str())),
                ObjectKey::Expression(Expression::Variable(name)) => Some(Arc::from(name.value().as_str())),
                ObjectKey::Expression(expr) => self.key(expr, scope),
            };
            let value = self.evaluate(value.expr(), scope);
            match key {
                Some(key) => entries.insert(key.to_string(), value),
                None => return Value::Unknown,
            };
        }
        Value::object(entries)
    }

    /// The key of an object or map, which must be text.
    fn key(&self, expr: &Expression, scope: &Scope) -> Option<Arc<str>> {
        match self.evaluate(expr, scope) {
            Value::Unknown => None,
            Value::Null => {
                self.fail(span(expr), "Null value as key", "Can't use a null value as a key.");
                None
            }
            value => match value.to_text() {
                Ok(text) => Some(text),
                Err(reason) => {
                    self.fail(span(expr), "Incorrect key type", format!("Can't use this value as a key: {reason}."));
                    None
                }
            },
        }
    }
}

fn number_of(number: &hcl_edit::Number) -> Number {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), _, _) => Number::int(value.into()),
        (None, Some(value), _) => Number::int(value.into()),
        (None, None, Some(value)) => Number::float(value),
        (None, None, None) => Number::int(0),
    }
}
