//! `dynamic "name" { ... }`: blocks made by the elements of a collection.

use super::*;

impl Evaluator<'_> {
    /// The blocks that a written block stands for: itself, or what a dynamic block makes.
    pub(super) fn instances<'b>(&self, block: &'b Block, scope: &Scope) -> Vec<Instance<'b>> {
        if block.ident.value().as_str() != "dynamic" {
            return vec![Instance::plain(self, block, scope)];
        }
        let written = Instance::plain(self, block, scope);
        if !self.labels_fit(&written, "dynamic", 1) {
            return Vec::new();
        }
        let Some(plan) = self.plan(block, &written) else { return Vec::new() };
        let collection = self.evaluate(plan.for_each, scope);
        let elements = match collection {
            Value::Null => {
                self.fail(start_span(plan.for_each), "Invalid dynamic for_each value", "Cannot use a null value in for_each.");
                return Vec::new();
            }
            collection => match self.pairs(&collection, plan.for_each) {
                Some(elements) => elements,
                None => return Vec::new(),
            },
        };
        let mut made = Vec::new();
        for (key, value) in elements {
            if !self.spend(1, written.ident.clone()) {
                break;
            }
            let element = Value::object([("key".to_owned(), key), ("value".to_owned(), value)].into());
            let inner = scope.with(&plan.iterator, element);
            let labels = match plan.labels {
                Some(expr) => self.dynamic_labels(expr, &inner),
                None => Vec::new(),
            };
            made.push(Instance {
                name: plan.name.clone(),
                ident: plan.name_range.clone(),
                header: written.header.clone(),
                brace: brace_span(self.source, plan.content),
                labels,
                body: &plan.content.body,
                scope: inner,
            });
        }
        made
    }

    fn plan<'b>(&self, block: &'b Block, written: &Instance<'b>) -> Option<Plan<'b>> {
        let (name, name_range) = written.labels.first()?.clone();
        let mut for_each = None;
        let mut iterator = name.clone();
        let mut labels = None;
        let mut content = None;
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) => match attribute.key.value().as_str() {
                    "for_each" => for_each = Some(&attribute.value),
                    "labels" => labels = Some(&attribute.value),
                    "iterator" => match &attribute.value {
                        Expression::Variable(chosen) => iterator = chosen.value().to_string(),
                        other => {
                            self.fail(span(other), "Invalid expression", "The iterator must be a single name, without quotes.");
                        }
                    },
                    other => {
                        let detail = format!("An argument named \"{other}\" is not expected here.");
                        self.fail(span(&attribute.key), "Unsupported argument", detail);
                    }
                },
                Structure::Block(inner) if inner.ident.value().as_str() == "content" && content.is_none() => content = Some(inner),
                Structure::Block(inner) => {
                    let detail = "A dynamic block has exactly one block, of type \"content\".";
                    self.fail(span(&inner.ident), "Unsupported block type", detail);
                }
            }
        }
        match (for_each, content) {
            (Some(for_each), Some(content)) => Some(Plan { name, name_range, for_each, iterator, labels, content }),
            (None, _) => {
                let detail = "The argument \"for_each\" is required, but no definition was found.";
                self.fail(written.brace.clone(), "Missing required argument", detail);
                None
            }
            (_, None) => {
                let detail = "A dynamic block must have a nested block of type \"content\" to describe the body of each generated block.";
                self.fail(written.brace.clone(), "Insufficient content blocks", detail);
                None
            }
        }
    }

    fn dynamic_labels(&self, expr: &Expression, scope: &Scope) -> Vec<(String, Range<usize>)> {
        let value = self.evaluate(expr, scope);
        let range = start_span(expr);
        let Some(items) = value.elements() else {
            if !matches!(value, Value::Unknown) {
                self.fail(range, "Invalid dynamic block labels", "The labels of a dynamic block are a list of strings.");
            }
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.to_text() {
                Ok(text) => Some((text.to_string(), range.clone())),
                Err(reason) => {
                    self.fail(range.clone(), "Invalid dynamic block label", format!("Unsuitable label: {reason}."));
                    None
                }
            })
            .collect()
    }
}

/// What a dynamic block says.
struct Plan<'b> {
    name: String,
    name_range: Range<usize>,
    for_each: &'b Expression,
    iterator: String,
    labels: Option<&'b Expression>,
    content: &'b Block,
}
