//! Function calls: the number of arguments, their types, the special ones.

use super::super::ast::{Callee, Expression, ExpressionKind, Place};
use super::super::context::{check_bytes, check_items};
use super::super::function::{Fault, Function, Special, Type, text};
use super::super::quote;
use super::super::value::Value;
use super::evaluate::Given;
use super::{Executor, Stop, Walked};

impl<'t> Executor<'t, '_> {
    /// Calls a function; `place` is what an error of the function points at.
    pub(super) fn function(&mut self, dot: &Value, callee: &'t Callee, place: Place<'t>, given: Given<'t, '_>) -> Walked<Value> {
        let function = callee.function;
        let count = given.words.len() + usize::from(given.piped.is_some());
        self.check_count(callee, count, given.words.len())?;
        match function.special {
            Some(Special::And) => return self.first_that(dot, given, false),
            Some(Special::Or) => return self.first_that(dot, given, true),
            Some(Special::ExecuteTemplate) | None => {}
        }
        let mut arguments = Vec::with_capacity(count);
        for (index, word) in given.words.iter().enumerate() {
            arguments.push(self.argument(dot, word, parameter(function, index))?);
        }
        if let Some(piped) = given.piped {
            arguments.push(self.fit(piped.clone(), parameter(function, count - 1))?);
        }
        if function.special == Some(Special::ExecuteTemplate) {
            return self.execute_template(&arguments, place);
        }
        let answer = (function.body)(&mut self.context, &arguments).and_then(within_limits);
        answer.map_err(|fault| {
            self.at = Some(place);
            self.fault(&callee.name, &fault)
        })
    }

    fn check_count(&self, callee: &Callee, count: usize, written: usize) -> Walked<()> {
        let wanted = callee.function.parameters.len();
        let name = &callee.name;
        match callee.function.rest {
            Some(_) if count < wanted => self.fail(format!("wrong number of args for {name}: want at least {wanted} got {written}")),
            None if count != wanted => self.fail(format!("wrong number of args for {name}: want {wanted} got {count}")),
            _ => Ok(()),
        }
    }

    /// `and` and `or`: the first value that decides, else the last.
    fn first_that(&mut self, dot: &Value, given: Given<'t, '_>, decides: bool) -> Walked<Value> {
        let mut last = Value::Nil;
        for word in given.words {
            last = self.argument(dot, word, Type::Any)?;
            if last.truth() == decides {
                return Ok(last);
            }
        }
        Ok(given.piped.cloned().unwrap_or(last))
    }

    /// An argument for a parameter. Constants take the parameter's type, values must have it.
    fn argument(&mut self, dot: &Value, word: &'t Expression, of: Type) -> Walked<Value> {
        self.at = Some(Place::Expression(word));
        match (&word.kind, of) {
            (ExpressionKind::Nil, _) => match of.nil() {
                Some(value) => Ok(value),
                None => self.fail(format!("cannot assign nil to {}", of.name())),
            },
            (ExpressionKind::Bool(_) | ExpressionKind::String { .. } | ExpressionKind::Number(_), Type::Any) => self.word(dot, word),
            (ExpressionKind::Bool(_) | ExpressionKind::String { .. } | ExpressionKind::Number(_), _) => self.constant_as(word, of),
            _ => {
                let value = self.word(dot, word)?;
                self.fit(value, of)
            }
        }
    }

    fn constant_as(&self, word: &'t Expression, of: Type) -> Walked<Value> {
        let expected = |what: &str| self.fail(format!("expected {what}; found {word}"));
        match (of, &word.kind) {
            (Type::Bool, ExpressionKind::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::Bool, _) => expected("bool"),
            (Type::Str, ExpressionKind::String { value, .. }) => Ok(Value::Str(value.clone())),
            (Type::Str, _) => expected("string"),
            (Type::Int, ExpressionKind::Number(number)) if number.int.is_some() => Ok(Value::int(number.int.unwrap_or_default())),
            (Type::Int, _) => expected("integer"),
            (Type::Float, ExpressionKind::Number(number)) if number.float.is_some() => Ok(Value::Float(number.float.unwrap_or_default())),
            (Type::Float, _) => expected("float"),
            _ => self.fail(format!("can't handle {word} for arg of type {}", of.name())),
        }
    }

    /// A value for a parameter, as it is or not at all.
    fn fit(&self, value: Value, of: Type) -> Walked<Value> {
        if of.takes(&value) {
            return Ok(value);
        }
        match (&value, of.nil()) {
            (Value::Nil, Some(nil)) => Ok(nil),
            (Value::Nil, None) => self.fail(format!("invalid value; expected {}", of.name())),
            _ => self.fail(format!("wrong type for value; expected {}; got {}", of.name(), value.type_name())),
        }
    }

    /// Renders another template of the file into a value.
    fn execute_template(&mut self, arguments: &[Value], place: Place<'t>) -> Walked<Value> {
        let name = arguments.first().map(text).unwrap_or_default();
        let failed = |executor: &mut Self, message: String| -> Stop {
            executor.at = Some(place);
            executor.fault("executeTemplate", &Fault::Message(message))
        };
        if name.is_empty() {
            return Err(failed(self, "template name must not be empty".to_owned()));
        }
        let Some((name, nodes)) = self.find_template(&name) else {
            return Err(failed(self, format!("template: no template {} associated with template", quote::quote(name.as_bytes()))));
        };
        if arguments.len() > 2 {
            return Err(failed(self, format!("wrong number of arguments, expected 1 or 2, but got {}", arguments.len())));
        }
        let argument = arguments.get(1).cloned().unwrap_or(Value::Nil);
        let outer = std::mem::take(&mut self.out);
        let result = self.run_template(name, nodes, argument);
        let rendered = std::mem::replace(&mut self.out, outer);
        result.map(|()| rendered.into())
    }
}

/// The type of the parameter at an index.
fn parameter(function: &Function, index: usize) -> Type {
    function.parameters.get(index).copied().or(function.rest).unwrap_or(Type::Any)
}

/// A function may check before it builds something large; what it gives is checked in any case.
fn within_limits(value: Value) -> Result<Value, Fault> {
    match &value {
        Value::Str(text) => check_bytes(text.len())?,
        Value::List(list) => check_items(list.items.len())?,
        _ => {}
    }
    Ok(value)
}
