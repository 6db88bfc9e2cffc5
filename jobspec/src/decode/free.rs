//! Blocks whose content only their reader understands (a driver, an autoscaler): kept as it is written.

use super::*;

impl Evaluator<'_> {
    /// Arguments by name, nested blocks by type as lists of objects, labels as objects around them.
    pub(super) fn free_body(&self, instance: &Instance<'_>) -> Json {
        let mut object = Object::new();
        for structure in instance.body {
            match structure {
                Structure::Attribute(attribute) => {
                    if let Some(json) = self.free_value(&attribute.value, &instance.scope) {
                        object.insert(attribute.key.value().to_string(), json);
                    }
                }
                Structure::Block(block) => {
                    for nested in self.instances(block, &instance.scope) {
                        self.put_free(&nested, &mut object);
                    }
                }
            }
        }
        Json::Object(object)
    }

    fn put_free(&self, nested: &Instance<'_>, object: &mut Object) {
        let mut json = self.free_body(nested);
        for (label, _) in nested.labels.iter().rev() {
            json = serde_json::json!({ label: [json] });
        }
        let list = object.entry(nested.name.as_str()).or_insert_with(|| Json::Array(Vec::new()));
        match list {
            Json::Array(items) => items.push(json),
            _ => {
                let detail = format!("\"{}\" is defined both as an argument and as a block.", nested.name);
                self.fail(nested.ident.clone(), "Duplicate definition", detail);
            }
        }
    }

    /// `config = { ... }`; null is as good as nothing.
    pub(super) fn free_map(&self, expr: &Expression, scope: &Scope) -> Option<Json> {
        let json = self.free_value(expr, scope)?;
        if !json.is_object() && !json.is_null() {
            self.fail(start_span(expr), "Unsuitable value type", "Unsuitable value: map of any single type required");
        }
        Some(json).filter(Json::is_object)
    }

    /// Any value; `None` when it could not be had, which has been reported.
    pub(super) fn free_value(&self, expr: &Expression, scope: &Scope) -> Option<Json> {
        let value = self.affordable(self.evaluate(expr, scope), expr);
        if value.is_unknown() {
            self.fail(start_span(expr), "Unsuitable value type", MUST_BE_KNOWN);
            return None;
        }
        Some(value.to_json())
    }
}
