//! `a.b`, `a["b"]`, `a[0]`, `a.*.b` and `a[*].b`.

use hcl_edit::{
    Decorated,
    expr::{Expression, Traversal, TraversalOperator},
};

use super::*;

impl Evaluator<'_> {
    pub(super) fn traversal(&self, traversal: &Traversal, scope: &Scope) -> Value {
        if let Expression::Variable(root) = &traversal.expr
            && scope.get(root.value().as_str()).is_none()
        {
            // The client's: kept as it is written.
            return Value::from(format!("${{{}}}", self.source.slice(span(traversal))));
        }
        let root = self.evaluate(&traversal.expr, scope);
        self.steps(root, &traversal.operators, scope)
    }

    fn steps(&self, mut value: Value, steps: &[Decorated<TraversalOperator>], scope: &Scope) -> Value {
        for (at, step) in steps.iter().enumerate() {
            let rest = &steps[at + 1..];
            value = match step.value() {
                TraversalOperator::GetAttr(name) => self.attribute(&value, name.as_str(), self.step_span(step)),
                TraversalOperator::LegacyIndex(index) => self.index(&value, &index_value(**index), self.step_span(step)),
                TraversalOperator::Index(expr) => {
                    let key = self.evaluate(expr, scope);
                    self.index(&value, &key, self.step_span(step))
                }
                TraversalOperator::FullSplat(_) => return self.splat(value, rest, &[], scope),
                TraversalOperator::AttrSplat(_) => {
                    // Only the names that follow belong to each element; an index after them applies to the list.
                    let names = rest.iter().take_while(|step| matches!(step.value(), TraversalOperator::GetAttr(_))).count();
                    return self.splat(value, &rest[..names], &rest[names..], scope);
                }
            };
        }
        value
    }

    /// Applies `each` to every element and `after` to the list of the results.
    fn splat(&self, value: Value, each: &[Decorated<TraversalOperator>], after: &[Decorated<TraversalOperator>], scope: &Scope) -> Value {
        let items = match &value {
            Value::Unknown => return Value::Unknown,
            Value::Null => Vec::new(),
            Value::List(items) | Value::Set(items) => items.to_vec(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value.clone()],
        };
        if !self.spend(items.len(), 0..0) {
            return Value::Unknown;
        }
        let results = items.into_iter().map(|item| self.steps(item, each, scope)).collect();
        self.steps(Value::list(results), after, scope)
    }

    /// The whole step with its dot or brackets, which the tree itself does not keep.
    fn step_span(&self, step: &Decorated<TraversalOperator>) -> Range<usize> {
        let inner = match step.value() {
            TraversalOperator::GetAttr(name) => span(name),
            TraversalOperator::Index(expr) => span(expr),
            TraversalOperator::LegacyIndex(index) => span(index),
            TraversalOperator::AttrSplat(splat) | TraversalOperator::FullSplat(splat) => span(splat),
        };
        let inner = if inner.is_empty() { span(step) } else { inner };
        let before = self.source.slice(0..inner.start).trim_end();
        let start = if before.ends_with(['.', '[']) { before.len() - 1 } else { inner.start };
        let after = self.source.slice(inner.end..self.source.text().len());
        let blank = after.len() - after.trim_start().len();
        let closed = before.ends_with('[') && after[blank..].starts_with(']');
        start..if closed { inner.end + blank + 1 } else { inner.end }
    }

    fn attribute(&self, value: &Value, name: &str, range: Range<usize>) -> Value {
        match value {
            Value::Unknown => Value::Unknown,
            Value::Object(entries) => entries.get(name).cloned().unwrap_or_else(|| {
                self.fail(range, "Unsupported attribute", format!("This object does not have an attribute named \"{name}\"."))
            }),
            Value::Null => {
                self.fail(range, "Attempt to get attribute from null value", "This value is null, so it does not have any attributes.")
            }
            Value::List(_) | Value::Set(_) => self.fail(
                range,
                "Unsupported attribute",
                format!(
                    "This value is a list, so it has no attribute \"{name}\". Did you mean to access it for an element, with [0] or [*]?"
                ),
            ),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.fail(range, "Unsupported attribute", "This value does not have any attributes.")
            }
        }
    }

    pub(super) fn index(&self, value: &Value, key: &Value, range: Range<usize>) -> Value {
        let missing = "The given key does not identify an element in this collection value";
        match (value, key) {
            (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
            (Value::Null, _) => self.fail(range, "Attempt to index null value", "This value is null, so it does not have any indices."),
            (_, Value::Null) => self.fail(range, "Invalid index", "Can't use a null value as an indexing key."),
            (Value::List(items), key) => {
                let Ok(number) = key.to_number() else {
                    return self.fail(range, "Invalid index", format!("{missing}: a number is required."));
                };
                let element = number.as_i64().and_then(|index| usize::try_from(index).ok()).and_then(|index| items.get(index));
                element.cloned().unwrap_or_else(|| {
                    self.fail(range, "Invalid index", format!("{missing}: the collection has {} elements.", items.len()))
                })
            }
            (Value::Object(entries), key) => {
                let Ok(name) = key.to_text() else {
                    return self.fail(range, "Invalid index", format!("{missing}: string required."));
                };
                entries.get(&*name).cloned().unwrap_or_else(|| self.fail(range, "Invalid index", format!("{missing}.")))
            }
            (Value::Set(_), _) => {
                self.fail(range, "Invalid index", "Elements of a set are identified only by their value and have no index.")
            }
            (Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {
                self.fail(range, "Invalid index", "This value does not have any indices.")
            }
        }
    }
}

fn index_value(index: u64) -> Value {
    Value::Number(Number::int(index.into()))
}
