//! The functions that expressions may call.

use crate::value::{Number, Value};

mod collection;
mod crypto;
mod encoding;
mod files;
mod format;
mod network;
mod number;
mod sets;
mod text;
mod time;
mod yaml;

pub use files::{Files, LocalFiles};

/// Fills a buffer with random bytes.
pub type RandomBytes<'a> = &'a dyn Fn(&mut [u8]);

/// What functions may reach beyond their arguments. Absent parts answer with an error.
#[derive(Default)]
pub(crate) struct Environment<'a> {
    pub(crate) files: Option<&'a dyn Files>,
    pub(crate) random: Option<RandomBytes<'a>>,
}

/// Why a call failed: in general, or because of one argument.
pub(crate) enum Failure {
    Call(String),
    Argument(usize, String),
}

pub(crate) fn failure<T>(reason: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Call(reason.into()))
}

type Outcome = Result<Value, Failure>;

/// One function: its parameters by name, and perhaps one more that takes any number of further arguments.
pub(crate) struct Function {
    name: &'static str,
    parameters: &'static [&'static str],
    variadic: Option<&'static str>,
    body: fn(&Environment<'_>, Arguments<'_>) -> Outcome,
}

/// One row of a table of functions.
const fn function(
    name: &'static str,
    parameters: &'static [&'static str],
    variadic: Option<&'static str>,
    body: fn(&Environment<'_>, Arguments<'_>) -> Outcome,
) -> Function {
    Function { name, parameters, variadic, body }
}

const TABLES: [&[Function]; 9] =
    [collection::TABLE, crypto::TABLE, encoding::TABLE, files::TABLE, network::TABLE, number::TABLE, sets::TABLE, text::TABLE, time::TABLE];

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().flat_map(|table| table.iter()).find(|function| function.name == name)
}

/// A function whose name is close to `name`.
pub(crate) fn suggestion(name: &str) -> Option<&'static str> {
    crate::suggest::nearest(name, TABLES.iter().flat_map(|table| table.iter()).map(|function| function.name))
}

impl Function {
    /// The name of the parameter that argument `at` is for.
    pub(crate) fn parameter(&self, at: usize) -> &'static str {
        self.parameters.get(at).copied().or(self.variadic).unwrap_or("value")
    }

    /// Summary and detail of what is wrong with the number of arguments.
    pub(crate) fn arity_problem(&self, given: usize) -> Option<(&'static str, String)> {
        let (name, wanted) = (self.name, self.parameters.len());
        if let Some(missing) = self.parameters.get(given) {
            return Some((
                "Not enough function arguments",
                format!("Function \"{name}\" expects {wanted} argument(s). Missing value for \"{missing}\"."),
            ));
        }
        (given > wanted && self.variadic.is_none())
            .then(|| ("Too many function arguments", format!("Function \"{name}\" expects only {wanted} argument(s).")))
    }

    pub(crate) fn call(&self, environment: &Environment<'_>, arguments: &[Value]) -> Outcome {
        (self.body)(environment, Arguments(arguments))
    }
}

/// The arguments of a call, read by position and type.
#[derive(Clone, Copy)]
struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    fn len(self) -> usize {
        self.0.len()
    }

    fn value(self, at: usize) -> Result<&'a Value, Failure> {
        self.0.get(at).ok_or_else(|| Failure::Argument(at, "argument is missing".to_owned()))
    }

    fn present(self, at: usize) -> Result<&'a Value, Failure> {
        match self.value(at)? {
            Value::Null => Err(Failure::Argument(at, "argument must not be null".to_owned())),
            value => Ok(value),
        }
    }

    fn text(self, at: usize) -> Result<std::sync::Arc<str>, Failure> {
        self.present(at)?.to_text().map_err(|reason| Failure::Argument(at, reason.to_owned()))
    }

    fn number(self, at: usize) -> Result<Number, Failure> {
        self.present(at)?.to_number().map_err(|reason| Failure::Argument(at, reason.to_owned()))
    }

    fn int(self, at: usize) -> Result<i64, Failure> {
        self.number(at)?.as_i64().ok_or_else(|| Failure::Argument(at, "a whole number is required".to_owned()))
    }

    fn list(self, at: usize) -> Result<&'a [Value], Failure> {
        self.present(at)?.elements().ok_or_else(|| Failure::Argument(at, "list of any single type required".to_owned()))
    }

    fn texts(self, at: usize) -> Result<Vec<String>, Failure> {
        let texts = self.list(at)?.iter().enumerate().map(|(index, item)| match item.to_text() {
            Ok(text) => Ok(text.to_string()),
            Err(reason) => Err(Failure::Argument(at, format!("element {index}: {reason}"))),
        });
        texts.collect()
    }

    fn map(self, at: usize) -> Result<&'a std::collections::BTreeMap<String, Value>, Failure> {
        match self.present(at)? {
            Value::Object(entries) => Ok(entries),
            _ => Err(Failure::Argument(at, "map of any single type required".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
