//! `[for x in list : ...]` and `{for k, v in map : ...}`.

use hcl_edit::expr::ForExpr;

use super::*;

impl Evaluator<'_> {
    /// The keys and values of a collection; reported and `None` when it is not one.
    pub(crate) fn pairs(&self, collection: &Value, expr: &Expression) -> Option<Vec<(Value, Value)>> {
        match collection {
            Value::List(items) => Some(items.iter().enumerate().map(|(at, item)| (Value::from(at as i64), item.clone())).collect()),
            Value::Set(items) => Some(items.iter().map(|item| (item.clone(), item.clone())).collect()),
            Value::Object(entries) => Some(entries.iter().map(|(key, value)| (Value::from(key.as_str()), value.clone())).collect()),
            Value::Unknown => None,
            Value::Null => {
                self.fail(span(expr), "Iteration over null value", "A null value cannot be used as the collection in a 'for' expression.");
                None
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.fail(
                    span(expr),
                    "Iteration over non-iterable value",
                    format!("A value of type {} cannot be used as the collection in a 'for' expression.", collection.kind()),
                );
                None
            }
        }
    }

    pub(super) fn comprehension(&self, comprehension: &ForExpr, scope: &Scope) -> Value {
        let intro = &comprehension.intro;
        let collection = self.evaluate(&intro.collection_expr, scope);
        let Some(pairs) = self.pairs(&collection, &intro.collection_expr) else { return Value::Unknown };
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, value) in pairs {
            if !self.spend(1, span(comprehension)) {
                return Value::Unknown;
            }
            let mut inner = scope.with(intro.value_var.value().as_str(), value);
            if let Some(key_var) = &intro.key_var {
                inner = inner.with(key_var.value().as_str(), key);
            }
            match self.included(comprehension, &inner) {
                Some(true) => {}
                Some(false) => continue,
                None => return Value::Unknown,
            }
            let Some(key_expr) = &comprehension.key_expr else {
                list.push(self.evaluate(&comprehension.value_expr, &inner));
                continue;
            };
            let Some(key) = self.key(key_expr, &inner) else { return Value::Unknown };
            let value = self.evaluate(&comprehension.value_expr, &inner);
            let values = map.entry(key.to_string()).or_default();
            if !values.is_empty() && !comprehension.grouping {
                return self.fail(
                    span(key_expr),
                    "Duplicate object key",
                    format!(
                        "Two different items produced the key \"{key}\" in this 'for' expression. If duplicates are expected, use the \
                         ellipsis (...) after the value expression to enable grouping by key."
                    ),
                );
            }
            values.push(value);
        }
        if comprehension.key_expr.is_none() {
            return Value::list(list);
        }
        let collapse =
            |mut values: Vec<Value>| if comprehension.grouping { Value::list(values) } else { values.pop().unwrap_or(Value::Null) };
        Value::object(map.into_iter().map(|(key, values)| (key, collapse(values))).collect())
    }

    /// Whether the `if` of a comprehension lets an element through; `None` when it failed.
    fn included(&self, comprehension: &ForExpr, scope: &Scope) -> Option<bool> {
        let Some(condition) = &comprehension.cond else { return Some(true) };
        let value = self.evaluate(&condition.expr, scope);
        if matches!(value, Value::Unknown) {
            return None;
        }
        value.to_bool().map_or_else(
            |reason| {
                self.fail(span(&condition.expr), "Invalid 'for' condition", format!("The 'if' clause value is invalid: {reason}."));
                None
            },
            Some,
        )
    }
}
