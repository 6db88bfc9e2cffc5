//! Pipelines, commands, words, fields.

use super::super::ast::{Command, Expression, ExpressionKind, Pipe, Place};
use super::super::number::Number;
use super::super::quote;
use super::super::value::{Map, Text, Value};
use super::{Executor, Walked};

/// What a word is given: the words after it, and the value of the command before.
#[derive(Clone, Copy)]
pub(super) struct Given<'t, 'v> {
    pub(super) words: &'t [Expression],
    pub(super) piped: Option<&'v Value>,
}

impl<'t> Given<'t, '_> {
    pub(super) const NOTHING: Given<'static, 'static> = Given { words: &[], piped: None };

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.piped.is_none()
    }
}

impl<'t> Executor<'t, '_> {
    pub(super) fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Walked<Value> {
        self.at = Some(Place::Pipe(pipe));
        self.nested(|executor| {
            let mut value: Option<Value> = None;
            for command in &pipe.commands {
                executor.step()?;
                let next = executor.command(dot, command, value.as_ref())?;
                value = Some(next);
            }
            let value = value.unwrap_or(Value::Nil);
            for name in &pipe.variables {
                executor.bind(pipe, name, value.clone())?;
            }
            Ok(value)
        })
    }

    fn command(&mut self, dot: &Value, command: &'t Command, piped: Option<&Value>) -> Walked<Value> {
        let Some((first, words)) = command.words.split_first() else { return Ok(Value::Nil) };
        let given = Given { words, piped };
        match &first.kind {
            ExpressionKind::Field(names) => self.field_word(dot, first, names, given),
            ExpressionKind::Variable(names) => self.variable_word(dot, first, names, given),
            ExpressionKind::Chain(inner, names) => self.chain_word(dot, first, inner, names, given),
            ExpressionKind::Function(callee) => {
                self.at = Some(Place::Expression(first));
                self.function(dot, callee, Place::Command(command), given)
            }
            ExpressionKind::Pipe(pipe) => {
                self.not_a_function(first, given)?;
                self.pipeline(dot, pipe)
            }
            _ => {
                self.at = Some(Place::Expression(first));
                self.not_a_function(first, given)?;
                if let ExpressionKind::Nil = first.kind {
                    return self.fail("nil is not a command");
                }
                self.constant(dot, first)
            }
        }
    }

    fn not_a_function(&self, word: &Expression, given: Given<'_, '_>) -> Walked<()> {
        if given.is_empty() {
            return Ok(());
        }
        self.fail(format!("can't give argument to non-function {word}"))
    }

    /// The value of a word that stands as an argument.
    pub(super) fn word(&mut self, dot: &Value, word: &'t Expression) -> Walked<Value> {
        self.at = Some(Place::Expression(word));
        match &word.kind {
            ExpressionKind::Field(names) => self.field_word(dot, word, names, Given::NOTHING),
            ExpressionKind::Variable(names) => self.variable_word(dot, word, names, Given::NOTHING),
            ExpressionKind::Chain(inner, names) => self.chain_word(dot, word, inner, names, Given::NOTHING),
            ExpressionKind::Function(callee) => self.function(dot, callee, Place::Expression(word), Given::NOTHING),
            ExpressionKind::Pipe(pipe) => self.pipeline(dot, pipe),
            _ => self.constant(dot, word),
        }
    }

    fn constant(&mut self, dot: &Value, word: &'t Expression) -> Walked<Value> {
        Ok(match &word.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Bool(value) => Value::Bool(*value),
            ExpressionKind::String { value, .. } => Value::Str(value.clone()),
            ExpressionKind::Number(number) => self.number(number)?,
            _ => Value::Nil,
        })
    }

    /// A constant whose type nobody asked for.
    fn number(&self, number: &Number) -> Walked<Value> {
        if let Some(imaginary) = number.imaginary {
            return Ok(Value::Complex(0.0, imaginary));
        }
        match (number.is_float, number.float, number.int) {
            (true, Some(value), _) => Ok(Value::Float(value)),
            (_, _, Some(value)) => Ok(Value::int(value)),
            _ => self.fail(format!("{} overflows int", number.source)),
        }
    }

    fn field_word(&mut self, dot: &Value, word: &'t Expression, names: &'t [Box<str>], given: Given<'t, '_>) -> Walked<Value> {
        self.at = Some(Place::Expression(word));
        self.fields(dot, dot.clone(), word, names, given)
    }

    fn variable_word(&mut self, dot: &Value, word: &'t Expression, names: &'t [Box<str>], given: Given<'t, '_>) -> Walked<Value> {
        self.at = Some(Place::Expression(word));
        let Some((name, fields)) = names.split_first() else { return Ok(Value::Nil) };
        let known = self.frame.variables.iter().rev().find(|(known, _)| **known == **name);
        let Some((_, value)) = known else { return self.fail(format!("undefined variable: {name}")) };
        let value = value.clone();
        if fields.is_empty() {
            self.not_a_function(word, given)?;
            return Ok(value);
        }
        self.fields(dot, value, word, fields, given)
    }

    fn chain_word(
        &mut self,
        dot: &Value,
        word: &'t Expression,
        inner: &'t Expression,
        names: &'t [Box<str>],
        given: Given<'t, '_>,
    ) -> Walked<Value> {
        self.at = Some(Place::Expression(word));
        if let ExpressionKind::Nil = inner.kind {
            return self.fail(format!("indirection through explicit nil in {word}"));
        }
        let value = self.word(dot, inner)?;
        self.fields(dot, value, word, names, given)
    }

    /// Field after field; only the last one can be a method with arguments.
    fn fields(
        &mut self,
        dot: &Value,
        mut value: Value,
        word: &'t Expression,
        names: &'t [Box<str>],
        given: Given<'t, '_>,
    ) -> Walked<Value> {
        let mut is_absent = false;
        for (index, name) in names.iter().enumerate() {
            let given = if index + 1 == names.len() { given } else { Given::NOTHING };
            if is_absent && !self.tree.error_on_missing_key {
                return self.fail(format!("nil pointer evaluating interface {{}}.{name}"));
            }
            // What a map of anything does not have is nothing at all, unlike data that has not come yet.
            let is_entry = matches!(value, Value::Map(_));
            value = self.field(dot, &value, word, name, given)?;
            is_absent = is_entry && matches!(value, Value::Nil);
        }
        Ok(value)
    }

    fn field(&mut self, dot: &Value, value: &Value, word: &'t Expression, name: &str, given: Given<'t, '_>) -> Walked<Value> {
        match value {
            // Data that has not come yet has no fields either: the pass is thrown away, so there is nothing to refuse.
            Value::Nil if self.tree.error_on_missing_key => {
                self.fail(format!("nil data; no entry for key {}", quote::quote(name.as_bytes())))
            }
            Value::Nil | Value::NilPointer(_) => Ok(Value::Nil),
            Value::Map(map) => self.entry(map, name, given),
            Value::Object(object) => {
                if let Some(found) = object.field(name) {
                    if !given.is_empty() {
                        return self.fail(format!("{name} has arguments but cannot be invoked as function"));
                    }
                    return Ok(found);
                }
                let arguments = self.method_arguments(dot, given)?;
                match object.clone().call(&mut self.context, name, &arguments) {
                    Some(Ok(answer)) => Ok(answer),
                    Some(Err(fault)) => {
                        self.at = Some(Place::Expression(word));
                        Err(self.fault(name, &fault))
                    }
                    None => match object.as_map() {
                        Some(map) => self.entry(&map, name, given),
                        None => self.missing_field(name, value),
                    },
                }
            }
            Value::Number(text) => match number_method(text, name) {
                Some(Ok(answer)) if given.is_empty() => Ok(answer),
                Some(Err(text)) => self.fail(format!("error calling {name}: {text}")),
                _ => self.missing_field(name, value),
            },
            other => self.missing_field(name, other),
        }
    }

    fn entry(&self, map: &Map, name: &str, given: Given<'_, '_>) -> Walked<Value> {
        if !given.is_empty() {
            return self.fail(format!("{name} is not a method but has arguments"));
        }
        match map.get(&name.into()) {
            Some(found) => Ok(found),
            None if self.tree.error_on_missing_key => self.fail(format!("map has no entry for key {}", quote::quote(name.as_bytes()))),
            None => Ok(map.zero()),
        }
    }

    fn method_arguments(&mut self, dot: &Value, given: Given<'t, '_>) -> Walked<Vec<Value>> {
        let mut arguments = Vec::with_capacity(given.words.len() + 1);
        // Evaluating an argument moves the place; a missing method is reported at the object.
        let place = self.at;
        for word in given.words {
            let value = if let ExpressionKind::Nil = word.kind { Value::Nil } else { self.word(dot, word)? };
            arguments.push(value);
        }
        self.at = place;
        arguments.extend(given.piped.cloned());
        Ok(arguments)
    }

    fn missing_field(&self, name: &str, value: &Value) -> Walked<Value> {
        self.fail(format!("can't evaluate field {name} in type {}", value.type_name()))
    }
}

/// Methods of a number that is kept as text.
fn number_method(text: &Text, name: &str) -> Option<Result<Value, String>> {
    let source = text.to_str();
    match name {
        "String" => Some(Ok(Value::Str(text.clone()))),
        "Int64" => Some(
            source
                .parse()
                .map(Value::int64)
                .map_err(|_| format!("strconv.ParseInt: parsing {}: invalid syntax", quote::quote(source.as_bytes()))),
        ),
        "Float64" => Some(
            source
                .parse()
                .map(Value::Float)
                .map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quote::quote(source.as_bytes()))),
        ),
        _ => None,
    }
}
