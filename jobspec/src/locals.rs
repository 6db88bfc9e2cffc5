//! Locals: named expressions that may use variables and each other, in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use hcl_edit::{
    expr::{Expression, Traversal, TraversalOperator},
    structure::{Body, Structure},
    visit::{Visit, visit_expr, visit_traversal},
};

use crate::{
    eval::{Evaluator, Scope},
    syntax::span,
    value::Value,
};

/// The most locals of one job file.
const MAX_LOCALS: usize = 1000;

struct Local<'b> {
    expr: &'b Expression,
    name: Range<usize>,
    needs: BTreeSet<String>,
}

/// The object behind `local`. `scope` has the variables.
pub(crate) fn resolve(evaluator: &Evaluator<'_>, body: &Body, scope: &Scope) -> Value {
    let mut waiting = collect(evaluator, body);
    let names: BTreeSet<String> = waiting.keys().cloned().collect();
    let mut known = BTreeMap::new();
    // Rounds, each of which evaluates what needs nothing unknown any more. A name that no local has is left to evaluation to complain about.
    while !waiting.is_empty() {
        let ready: Vec<String> = waiting
            .iter()
            .filter(|(_, local)| local.needs.iter().all(|need| known.contains_key(need) || !names.contains(need)))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            let mut involved: Vec<&str> = waiting.keys().map(String::as_str).collect();
            involved.truncate(10);
            let range = waiting.values().next().map_or(0..0, |local| local.name.clone());
            evaluator.fail(range, "Cycle among locals", format!("These locals need each other: {}.", involved.join(", ")));
            break;
        }
        let inner = scope.with("local", Value::object(known.clone()));
        for name in ready {
            if let Some(local) = waiting.remove(&name) {
                known.insert(name, evaluator.evaluate(local.expr, &inner));
            }
        }
    }
    Value::object(known)
}

fn collect<'b>(evaluator: &Evaluator<'_>, body: &'b Body) -> BTreeMap<String, Local<'b>> {
    let mut locals = BTreeMap::new();
    for block in body.get_blocks("locals") {
        for structure in &block.body {
            let attribute = match structure {
                Structure::Attribute(attribute) => attribute,
                Structure::Block(inner) => {
                    let detail = "A locals block holds only arguments such as name = value.";
                    evaluator.fail(span(&inner.ident), "Unsupported block type", detail);
                    continue;
                }
            };
            if locals.len() >= MAX_LOCALS {
                evaluator.fail(span(&attribute.key), "Too many locals", format!("A job file may have {MAX_LOCALS} locals."));
                return locals;
            }
            let mut needs = Needs(BTreeSet::new());
            needs.visit_expr(&attribute.value);
            let local = Local { expr: &attribute.value, name: span(&attribute.key), needs: needs.0 };
            if locals.insert(attribute.key.value().to_string(), local).is_some() {
                let detail = format!("Duplicate {} definition found.", attribute.key.value());
                evaluator.fail(span(&attribute.key), "Duplicate value in locals", detail);
            }
        }
    }
    locals
}

/// Gathers the names after `local.`.
struct Needs(BTreeSet<String>);

impl Visit for Needs {
    fn visit_expr(&mut self, node: &Expression) {
        visit_expr(self, node);
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(root) = &node.expr
            && root.value().as_str() == "local"
            && let Some(TraversalOperator::GetAttr(name)) = node.operators.first().map(|step| step.value())
        {
            self.0.insert(name.value().to_string());
        }
        visit_traversal(self, node);
    }
}
