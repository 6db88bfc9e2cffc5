//! Calls of functions.

use hcl_edit::expr::FuncCall;

use super::*;
use crate::{
    functions::{self, Failure},
    syntax::call_span,
    types::Type,
};

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &FuncCall, scope: &Scope) -> Value {
        let name = call.name.name.value().as_str();
        match name {
            _ if call.name.is_namespaced() => {}
            "can" => return self.can(call, scope),
            "convert" => return self.convert_type(call, scope),
            "try" => return self.first_that_works(call, scope),
            _ => {}
        }
        let Some(function) = functions::find(name).filter(|_| !call.name.is_namespaced()) else {
            for argument in call.args.iter() {
                self.evaluate(argument, scope);
            }
            return self.fail(
                span(&call.name.name),
                "Call to unknown function",
                match functions::suggestion(name) {
                    Some(near) => format!("There is no function named \"{name}\". Did you mean \"{near}\"?"),
                    None => format!("There is no function named \"{name}\"."),
                },
            );
        };
        let Some(arguments) = self.arguments(call, scope) else { return Value::Unknown };
        if let Some(problem) = function.arity_problem(arguments.len()) {
            return self.fail(call_span(call), problem.0, problem.1);
        }
        if arguments.iter().any(Value::is_unknown) {
            return Value::Unknown;
        }
        let produced = function.call(self.environment, &arguments);
        self.outcome(call, name, function, produced)
    }

    fn outcome(&self, call: &FuncCall, name: &str, function: &functions::Function, produced: Result<Value, Failure>) -> Value {
        match produced {
            Ok(value) => value,
            Err(Failure::Call(reason)) => {
                self.fail(call_span(call), "Error in function call", format!("Call to function \"{name}\" failed: {reason}."))
            }
            Err(Failure::Argument(at, reason)) => self.fail(
                call.args.get(at).or_else(|| call.args.iter().last()).map_or_else(|| call_span(call), span),
                "Invalid function argument",
                format!("Invalid value for \"{}\" parameter: {reason}.", function.parameter(at)),
            ),
        }
    }

    /// The arguments, with a final `list...` spread out; `None` when that is no list.
    fn arguments(&self, call: &FuncCall, scope: &Scope) -> Option<Vec<Value>> {
        let evaluated = call.args.iter().map(|argument| self.affordable(self.evaluate(argument, scope), argument));
        let mut values: Vec<Value> = evaluated.collect();
        if call.args.expand_final() {
            let last = values.pop()?;
            match last.elements() {
                Some(items) => values.extend(items.iter().cloned()),
                None => {
                    if !matches!(last, Value::Unknown) {
                        let range = call.args.iter().last().map_or_else(|| call_span(call), span);
                        self.fail(range, "Invalid expanding argument value", "The expanding argument (indicated by ...) must be a list.");
                    }
                    return None;
                }
            }
        }
        Some(values)
    }

    /// Whether an expression can be evaluated at all.
    fn can(&self, call: &FuncCall, scope: &Scope) -> Value {
        let mut arguments = call.args.iter();
        let (Some(only), None) = (arguments.next(), arguments.next()) else {
            return self.fail(call_span(call), "Wrong number of arguments", "Function \"can\" expects 1 argument.");
        };
        let (value, problems) = self.quietly(|| self.evaluate(only, scope));
        Value::Bool(problems.is_none() && !value.is_unknown())
    }

    /// A value as another type, which is written like the type of a variable.
    fn convert_type(&self, call: &FuncCall, scope: &Scope) -> Value {
        let mut arguments = call.args.iter();
        let (Some(expr), Some(kind), None) = (arguments.next(), arguments.next(), arguments.next()) else {
            return self.fail(call_span(call), "Wrong number of arguments", "Function \"convert\" expects a value and a type.");
        };
        let value = self.affordable(self.evaluate(expr, scope), expr);
        match Type::read(kind) {
            Err(reason) => self.fail(span(kind), "Invalid type specification", reason),
            Ok(kind) => kind.convert(&value).unwrap_or_else(|reason| {
                self.fail(span(expr), "Invalid function argument", format!("Invalid value for \"value\" parameter: {reason}."))
            }),
        }
    }

    /// The value of the first argument that can be evaluated.
    fn first_that_works(&self, call: &FuncCall, scope: &Scope) -> Value {
        let mut reasons = String::new();
        for argument in call.args.iter() {
            let (value, problems) = self.quietly(|| self.evaluate(argument, scope));
            match problems {
                None if !value.is_unknown() => return value,
                None => {}
                Some(problems) => {
                    for problem in problems {
                        reasons.push_str(&format!("\n- {}", problem.detail));
                    }
                }
            }
        }
        self.fail(
            call_span(call),
            "Error in function call",
            format!("Call to function \"try\" failed: no expression succeeded:{reasons}\n\nAt least one expression must produce a successful result."),
        )
    }
}
