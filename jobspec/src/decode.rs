//! Blocks of a job file to the JSON form of the job, along the tables in [`crate::schema`].

use std::{collections::HashMap, ops::Range, sync::Arc};

use hcl_edit::{
    expr::Expression,
    structure::{Attribute, Block, Body, Structure},
};
use serde_json::Value as Json;

use crate::{
    diagnostic::MUST_BE_KNOWN,
    eval::{Evaluator, Scope},
    schema::{Arity, IGNORED, Kind, Nested, Object, Schema, Shape},
    suggest,
    syntax::{brace_span, header_span, span, start_span},
    value::Value,
};

mod dynamic;
mod free;

/// A block as it takes effect: written out, or made by a dynamic block.
pub(crate) struct Instance<'b> {
    pub(crate) name: String,
    /// The type of the block.
    pub(crate) ident: Range<usize>,
    pub(crate) header: Range<usize>,
    pub(crate) brace: Range<usize>,
    pub(crate) labels: Vec<(String, Range<usize>)>,
    pub(crate) body: &'b Body,
    pub(crate) scope: Scope,
}

impl<'b> Instance<'b> {
    pub(crate) fn plain(evaluator: &Evaluator<'_>, block: &'b Block, scope: &Scope) -> Self {
        Self {
            name: block.ident.value().to_string(),
            ident: span(&block.ident),
            header: header_span(block),
            brace: brace_span(evaluator.source, block),
            labels: block.labels.iter().map(|label| (label.as_str().to_owned(), span(label))).collect(),
            body: &block.body,
            scope: scope.clone(),
        }
    }
}

impl Evaluator<'_> {
    /// One block and everything in it.
    pub(crate) fn decode(&self, instance: &Instance<'_>, schema: &Schema, label: Option<&str>) -> Json {
        let mut object = Object::new();
        if let (Some(key), Some((text, _))) = (label, instance.labels.first()) {
            object.insert(key.to_owned(), text.as_str().into());
        }
        let mut seen = HashMap::new();
        for structure in instance.body {
            match structure {
                Structure::Attribute(attribute) => self.decode_argument(attribute, schema, &instance.scope, &mut object),
                Structure::Block(block) => {
                    for nested in self.instances(block, &instance.scope) {
                        self.decode_nested(nested, schema, &mut object, &mut seen);
                    }
                }
            }
        }
        if let Some(finish) = schema.finish {
            finish(&mut object);
        }
        Json::Object(object)
    }

    fn decode_argument(&self, attribute: &Attribute, schema: &Schema, scope: &Scope, object: &mut Object) {
        let name = attribute.key.value().as_str();
        if let Some(argument) = schema.arguments.iter().find(|argument| argument.name == name) {
            if let Some(json) = self.convert(&attribute.value, argument.kind, scope) {
                object.insert(argument.key.to_owned(), json);
            }
            if argument.key == IGNORED {
                let detail =
                    format!("The argument \"{name}\" has no effect in this block. Write operator = \"{name}\" and a value instead.");
                self.warn(self.source.error(span(&attribute.key), "Argument without effect", detail));
            }
            return;
        }
        // A map may be written as an argument too.
        let map = schema.blocks.iter().find(|nested| nested.name == name && nested.label.is_none());
        let json = match map.map(|nested| &nested.shape) {
            Some(Shape::TextMap) => self.map_of(&attribute.value, scope, Kind::Text),
            Some(Shape::TextsMap) => self.map_of(&attribute.value, scope, Kind::Texts),
            Some(Shape::Free) => self.free_map(&attribute.value, scope),
            Some(Shape::Block(_)) | None => {
                self.unsupported_argument(span(&attribute.key), name, schema);
                return;
            }
        };
        if let (Some(nested), Some(json)) = (map, json) {
            object.insert(nested.key.to_owned(), json);
        }
    }

    fn unsupported_argument(&self, range: Range<usize>, name: &str, schema: &Schema) {
        let hint = if schema.blocks.iter().any(|nested| nested.name == name) {
            format!(" Did you mean to define a block of type \"{name}\"?")
        } else {
            suggest::nearest(name, schema.arguments.iter().map(|argument| argument.name))
                .map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"))
        };
        self.fail(range, "Unsupported argument", format!("An argument named \"{name}\" is not expected here.{hint}"));
    }

    fn unsupported_block(&self, range: Range<usize>, name: &str, schema: &Schema) {
        let hint = if schema.arguments.iter().any(|argument| argument.name == name) {
            format!(" Did you mean to define argument \"{name}\"? If so, use the equals sign to assign it a value.")
        } else {
            suggest::nearest(name, schema.blocks.iter().map(|nested| nested.name))
                .map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"))
        };
        self.fail(range, "Unsupported block type", format!("Blocks of type \"{name}\" are not expected here.{hint}"));
    }

    fn decode_nested(&self, instance: Instance<'_>, schema: &Schema, object: &mut Object, seen: &mut HashMap<&'static str, Range<usize>>) {
        let Some(nested) = schema.blocks.iter().find(|nested| nested.name == instance.name) else {
            self.unsupported_block(instance.ident, &instance.name, schema);
            return;
        };
        if !self.labels_fit(&instance, nested.name, usize::from(nested.label.is_some())) {
            return;
        }
        if nested.arity == Arity::One
            && let Some(first) = seen.insert(nested.name, instance.header.clone())
        {
            self.fail(
                instance.header,
                &format!("Duplicate {} block", nested.name),
                format!("Only one {} block is allowed. Another was defined at {}.", nested.name, self.source.place(first)),
            );
            return;
        }
        let json = match &nested.shape {
            Shape::Block(schema) => self.decode(&instance, schema, nested.label),
            Shape::TextMap => self.map_block(&instance, Kind::Text),
            Shape::TextsMap => self.map_block(&instance, Kind::Texts),
            Shape::Free => self.free_body(&instance),
        };
        self.put(nested, &instance, json, object);
    }

    fn put(&self, nested: &Nested, instance: &Instance<'_>, json: Json, object: &mut Object) {
        match nested.arity {
            Arity::One => {
                object.insert(nested.key.to_owned(), json);
            }
            Arity::Many => {
                let list = object.entry(nested.key).or_insert_with(|| Json::Array(Vec::new()));
                if let Json::Array(items) = list {
                    items.push(json);
                }
            }
            Arity::Named => {
                let map = object.entry(nested.key).or_insert_with(|| Json::Object(Object::new()));
                let label = instance.labels.first().map(|(label, _)| label.clone()).unwrap_or_default();
                if let Json::Object(entries) = map
                    && entries.insert(label.clone(), json).is_some()
                {
                    self.fail(
                        instance.header.clone(),
                        &format!("Duplicate {} block", nested.name),
                        format!("There is another {} block named \"{label}\".", nested.name),
                    );
                }
            }
        }
    }

    /// Whether a block has as many labels as its type wants: none or one.
    pub(crate) fn labels_fit(&self, instance: &Instance<'_>, name: &str, wanted: usize) -> bool {
        if instance.labels.len() < wanted {
            self.fail(
                instance.brace.clone(),
                &format!("Missing name for {name}"),
                format!("All {name} blocks must have {wanted} labels (name)."),
            );
            return false;
        }
        let Some((_, extra)) = instance.labels.get(wanted) else { return true };
        let allowed = match wanted {
            0 => format!("No labels are expected for {name} blocks."),
            _ => format!("Only {wanted} labels (name) are expected for {name} blocks."),
        };
        self.fail(extra.clone(), &format!("Extraneous label for {name}"), allowed);
        false
    }

    /// An argument of one of the simple types; `None` when it is null or wrong.
    fn convert(&self, expr: &Expression, kind: Kind, scope: &Scope) -> Option<Json> {
        let value = self.affordable(self.evaluate(expr, scope), expr);
        if matches!(value, Value::Null) {
            return None;
        }
        match to_json(&value, kind) {
            Ok(json) => Some(json),
            Err(reason) => {
                self.fail(start_span(expr), "Unsuitable value type", reason);
                None
            }
        }
    }

    /// `meta { ... }`: every argument is an entry.
    fn map_block(&self, instance: &Instance<'_>, kind: Kind) -> Json {
        let mut entries = Object::new();
        for structure in instance.body {
            match structure {
                Structure::Attribute(attribute) => {
                    if let Some(json) = self.convert(&attribute.value, kind, &instance.scope) {
                        entries.insert(attribute.key.value().to_string(), json);
                    }
                }
                Structure::Block(block) => {
                    let name = block.ident.value();
                    self.fail(span(&block.ident), "Unsupported block type", format!("Blocks of type \"{name}\" are not expected here."));
                }
            }
        }
        Json::Object(entries)
    }

    /// `meta = { ... }`.
    fn map_of(&self, expr: &Expression, scope: &Scope, kind: Kind) -> Option<Json> {
        let value = self.affordable(self.evaluate(expr, scope), expr);
        let problem = match &value {
            Value::Null => return None,
            Value::Unknown => MUST_BE_KNOWN.to_owned(),
            Value::Object(entries) => {
                let known = entries.iter().filter(|(_, value)| !matches!(value, Value::Null));
                let converted = known.map(|(key, value)| match to_json(value, kind) {
                    Ok(json) => Ok((key.clone(), json)),
                    Err(reason) => Err(format!("{reason} (for \"{key}\")")),
                });
                match converted.collect::<Result<Object, String>>() {
                    Ok(entries) => return Some(Json::Object(entries)),
                    Err(problem) => problem,
                }
            }
            _ => "Unsuitable value: map of string required".to_owned(),
        };
        self.fail(start_span(expr), "Unsuitable value type", problem);
        None
    }
}

/// A value in the form that the job keeps it in; the error is what a message says about it.
fn to_json(value: &Value, kind: Kind) -> Result<Json, String> {
    let unsuitable = |reason: &str| format!("Unsuitable value: {reason}");
    let whole = |value: &Value| -> Result<Json, String> {
        let number = value.to_number().map_err(unsuitable)?;
        number.as_i64().map(Json::from).ok_or_else(|| unsuitable("value must be a whole number"))
    };
    let text = |value: &Value| -> Result<Json, String> { value.to_text().map(|text: Arc<str>| Json::from(&*text)).map_err(unsuitable) };
    let list = |required: &str, each: &dyn Fn(&Value) -> Result<Json, String>| -> Result<Json, String> {
        if value.is_unknown() {
            return Err(unsuitable("value must be known"));
        }
        value.elements().ok_or_else(|| unsuitable(required))?.iter().map(each).collect()
    };
    match kind {
        Kind::Text => text(value),
        Kind::Int => whole(value),
        Kind::Bool => value.to_bool().map(Json::Bool).map_err(unsuitable),
        Kind::Texts => list("list of string required", &text),
        Kind::Ints => list("list of number required", &whole),
        Kind::Duration => match value {
            Value::String(text) => {
                drover_model::spec::parse_duration(text).map(Json::from).map_err(|reason| format!("Unsuitable duration value: {reason}"))
            }
            Value::Number(number) => number
                .as_i64()
                .map(Json::from)
                .ok_or_else(|| "Unsuitable duration value: a whole number of nanoseconds is required".to_owned()),
            Value::Unknown => Err(unsuitable("value must be known")),
            _ => Err("Unsuitable value: expected a string such as \"30s\" or a number of nanoseconds".to_owned()),
        },
    }
}
