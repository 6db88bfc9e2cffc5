//! Values with fields and methods.

use std::fmt;
use std::rc::Rc;

use super::context::Context;
use super::function::Answer;
use super::value::{Map, Text, Value};

/// A struct, as templates see it.
pub(crate) trait Object: fmt::Debug {
    /// `*dependency.HealthService`
    fn type_name(&self) -> &str;

    /// A field by its exact name.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields().into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// All fields in order: for printing and JSON.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Calls a method; `None` if there is none of that name.
    fn call(&self, context: &mut Context<'_>, name: &str, arguments: &[Value]) -> Option<Answer> {
        let _ = (context, name, arguments);
        None
    }

    /// How it prints, if not as its fields.
    fn display(&self) -> Option<Text> {
        None
    }

    /// The map that it stands for, if it can be ranged over and indexed.
    fn as_map(&self) -> Option<Rc<Map>> {
        None
    }

    /// What JSON and the like make of it, if not its fields.
    fn plain(&self) -> Option<Value> {
        None
    }

    /// What `if` makes of it.
    fn truth(&self) -> bool {
        true
    }
}

/// A struct with fields alone.
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<(&'static str, Value)>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Object for Record {
    fn type_name(&self) -> &str {
        self.name
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone())
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }
}

/// Shorthand for a [`Record`] value.
pub(crate) fn record(name: &'static str, fields: Vec<(&'static str, Value)>) -> Value {
    Value::object(Record { name, fields })
}
