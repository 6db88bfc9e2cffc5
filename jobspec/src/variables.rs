//! Variables and where their values come from: the declared default, then the environment, then files, then flags; the last one wins.

use std::{collections::BTreeMap, ops::Range};

use hcl_edit::{
    expr::Expression,
    structure::{Attribute, Block, Body, Structure},
};

use crate::{
    ParseOptions, VariableFile,
    decode::Instance,
    diagnostic::{Diagnostic, Source},
    eval::{Evaluator, Scope},
    syntax::{header_span, parse_body, parse_expression, span},
    types::Type,
    value::Value,
};

/// The prefix of environment variables that set job variables.
pub const ENVIRONMENT_PREFIX: &str = "NOMAD_VAR_";

/// A declared variable and the value it has so far.
struct Variable<'b> {
    kind: Type,
    value: Option<Assigned>,
    validations: Vec<&'b Block>,
}

/// A value and who gave it.
struct Assigned {
    value: Value,
    origin: &'static str,
    /// Where, when it is in the job file.
    range: Option<Range<usize>>,
}

/// Reads the declarations of a job file and gives them their values: the object behind `var`.
pub(crate) fn resolve(evaluator: &Evaluator<'_>, body: &Body, options: &ParseOptions<'_>) -> Value {
    let mut variables = declare(evaluator, body);
    for (name, text) in &options.environment {
        if let Some(variable) = name.strip_prefix(ENVIRONMENT_PREFIX).and_then(|name| variables.get_mut(name)) {
            assign_text(evaluator, variable, name, text, "env");
        }
    }
    for file in &options.variable_files {
        assign_file(evaluator, &mut variables, file, options.strict);
    }
    for (name, text) in &options.variables {
        match variables.get_mut(name) {
            Some(variable) => assign_text(evaluator, variable, name, text, "cmd"),
            None => evaluator.report(Diagnostic::general(
                "Undefined -var variable",
                format!(
                    "A \"{name}\" variable was passed in the command line but was not found in known variables. To declare variable \
                     \"{name}\", place this block in your job files: variable \"{name}\" {{ }}"
                ),
            )),
        }
    }
    if evaluator.has_errors() {
        return Value::Unknown;
    }
    for (name, variable) in &variables {
        check(evaluator, name, variable);
    }
    let values = variables.into_iter().map(|(name, variable)| (name, variable.value.map_or(Value::Unknown, |assigned| assigned.value)));
    Value::object(values.collect())
}

/// The declarations by name.
type Declared<'b> = BTreeMap<String, Variable<'b>>;

fn declare<'b>(evaluator: &Evaluator<'_>, body: &'b Body) -> Declared<'b> {
    let mut declared = Declared::new();
    for block in body.blocks() {
        match block.ident.value().as_str() {
            "variable" => {
                let instance = Instance::plain(evaluator, block, &Scope::default());
                if !evaluator.labels_fit(&instance, "variable", 1) {
                    continue;
                }
                let Some((name, range)) = instance.labels.first() else { continue };
                if !is_identifier(name) {
                    evaluator.fail(
                        range.clone(),
                        "Invalid variable name",
                        "Name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.",
                    );
                } else if declared.contains_key(name) {
                    evaluator.fail(header_span(block), "Duplicate variable", format!("Duplicate {name} variable definition found."));
                } else {
                    declared.insert(name.clone(), read_block(evaluator, block));
                }
            }
            "variables" => {
                for attribute in block.body.attributes() {
                    let name = attribute.key.value().to_string();
                    let value = evaluator.evaluate(&attribute.value, &Scope::default());
                    let assigned = Assigned { value, origin: "default", range: Some(span(&attribute.value)) };
                    let variable = Variable { kind: Type::Any, value: Some(assigned), validations: Vec::new() };
                    if declared.insert(name.clone(), variable).is_some() {
                        let detail = format!("Duplicate {name} variable definition found.");
                        evaluator.fail(span(&attribute.key), "Duplicate variable", detail);
                    }
                }
            }
            _ => {}
        }
    }
    declared
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn read_block<'b>(evaluator: &Evaluator<'_>, block: &'b Block) -> Variable<'b> {
    let mut variable = Variable { kind: Type::Any, value: None, validations: Vec::new() };
    let mut default: Option<&Attribute> = None;
    for structure in &block.body {
        match structure {
            Structure::Attribute(attribute) => match attribute.key.value().as_str() {
                "type" => match Type::read(&attribute.value) {
                    Ok(kind) => variable.kind = kind,
                    Err(reason) => {
                        evaluator.fail(span(&attribute.value), "Invalid type specification", reason);
                    }
                },
                "default" => default = Some(attribute),
                "description" | "sensitive" | "nullable" => {}
                other => {
                    let detail = format!("An argument named \"{other}\" is not expected here.");
                    evaluator.fail(span(&attribute.key), "Unsupported argument", detail);
                }
            },
            Structure::Block(inner) if inner.ident.value().as_str() == "validation" => variable.validations.push(inner),
            Structure::Block(inner) => {
                let detail = format!("Blocks of type \"{}\" are not expected here.", inner.ident.value());
                evaluator.fail(span(&inner.ident), "Unsupported block type", detail);
            }
        }
    }
    if let Some(default) = default {
        let value = evaluator.evaluate(&default.value, &Scope::default());
        let range = span(&default.value);
        match variable.kind.convert(&value) {
            Ok(value) => variable.value = Some(Assigned { value, origin: "default", range: Some(range) }),
            Err(reason) => {
                let detail = format!("This default value is not compatible with the variable's type constraint: {reason}.");
                evaluator.fail(range, "Invalid default value for variable", detail);
            }
        }
    }
    variable
}

/// A value from a flag or the environment: text for simple types, an expression for the others.
fn assign_text(evaluator: &Evaluator<'_>, variable: &mut Variable<'_>, name: &str, text: &str, origin: &'static str) {
    let value = if variable.kind.is_simple() {
        Value::from(text)
    } else {
        let source = Source::new(format!("<value for var.{name}>"), text);
        match parse_expression(&source) {
            Ok(expr) => evaluate_alone(evaluator, &source, &expr),
            Err(problem) => return evaluator.report(problem),
        }
    };
    assign(evaluator, variable, name, value, origin);
}

/// Evaluates an expression of another text than the job file's.
fn evaluate_alone(evaluator: &Evaluator<'_>, source: &Source, expr: &Expression) -> Value {
    let alone = Evaluator::new(source, evaluator.environment);
    let value = alone.evaluate(expr, &Scope::default());
    alone.take_diagnostics().into_iter().for_each(|problem| evaluator.report(problem));
    value
}

fn assign(evaluator: &Evaluator<'_>, variable: &mut Variable<'_>, name: &str, value: Value, origin: &'static str) {
    match variable.kind.convert(&value) {
        Ok(value) => variable.value = Some(Assigned { value, origin, range: None }),
        Err(reason) => evaluator.report(Diagnostic::general(
            format!("Invalid value for variable \"{name}\""),
            format!("The value is not compatible with the variable's type constraint: {reason}."),
        )),
    }
}

fn assign_file(evaluator: &Evaluator<'_>, variables: &mut Declared<'_>, file: &VariableFile, strict: bool) {
    let source = Source::new(file.name.as_str(), file.content.as_str());
    let body = match parse_body(&source) {
        Ok(body) => body,
        Err(problem) => return evaluator.report(problem),
    };
    for structure in &body {
        let attribute = match structure {
            Structure::Attribute(attribute) => attribute,
            Structure::Block(block) => {
                let detail = "A file of variables holds only arguments such as name = \"value\".";
                evaluator.report(source.error(header_span(block), "Unsupported block", detail));
                continue;
            }
        };
        let name = attribute.key.value().as_str();
        let value = evaluate_alone(evaluator, &source, &attribute.value);
        match variables.get_mut(name) {
            Some(variable) => assign(evaluator, variable, name, value, "varfile"),
            None => {
                let detail = format!(
                    "A \"{name}\" variable was set but was not found in known variables. To declare variable \"{name}\", place this \
                     block in one of your job files: variable \"{name}\" {{ }}"
                );
                let problem = source.error(span(&attribute.key), "Undefined variable", detail);
                if strict { evaluator.report(problem) } else { evaluator.warn(problem) }
            }
        }
    }
}

/// Every variable has a value, and one that its own rules allow.
fn check(evaluator: &Evaluator<'_>, name: &str, variable: &Variable<'_>) {
    let Some(assigned) = &variable.value else {
        evaluator.report(
            Diagnostic::general(
                format!("Unset variable \"{name}\""),
                "A used variable must be set or have a default value; see \
                 https://developer.hashicorp.com/nomad/docs/reference/hcl2/variables  for details.",
            )
            .with_hint(format!("set it with -var \"{name}=...\", a variable file, or {ENVIRONMENT_PREFIX}{name}")),
        );
        return;
    };
    let itself = Value::object([(name.to_owned(), assigned.value.clone())].into());
    let scope = Scope::default().with("var", itself);
    for rule in &variable.validations {
        check_rule(evaluator, rule, assigned, &scope);
    }
}

fn check_rule(evaluator: &Evaluator<'_>, rule: &Block, assigned: &Assigned, scope: &Scope) {
    let (Some(condition), Some(message)) = (rule.body.get_attribute("condition"), rule.body.get_attribute("error_message")) else {
        let detail = "A validation block has the arguments \"condition\" and \"error_message\".";
        evaluator.fail(header_span(rule), "Missing required argument", detail);
        return;
    };
    let value = evaluator.evaluate(&condition.value, scope);
    match value.to_bool() {
        Ok(true) => {}
        Ok(false) => {
            let message = evaluator.evaluate(&message.value, scope).to_text().unwrap_or_else(|_| "The value is not valid.".into());
            let summary = format!("Invalid value for {} variable", assigned.origin);
            let detail = format!("{message}\n\nThis was checked by the validation rule at {}.", evaluator.source.place(header_span(rule)));
            match &assigned.range {
                Some(range) => {
                    evaluator.fail(range.clone(), &summary, detail);
                }
                None => evaluator.report(Diagnostic::general(summary, detail)),
            }
        }
        Err(reason) => {
            if !matches!(value, Value::Unknown) {
                let detail = format!("The validation condition must be true or false: {reason}.");
                evaluator.fail(span(&condition.value), "Invalid variable validation result", detail);
            }
        }
    }
}
