//! Handlebars syntax over the same functions: `{{#each (ls "shop/flags")}}{{Key}}={{Value}}{{/each}}`.
//!
//! The crate `handlebars` knows JSON alone, so values lose their types between two calls, and text that is no UTF-8 cannot pass. Partials
//! and decorators are refused: they would make a template that calls itself.

mod call;
mod json;
mod shape;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ::handlebars::{Handlebars, RenderError, no_escape};

use crate::engine::{Compiled, Engine, Error, ErrorKind, Options, Outcome, Pass};
use crate::functions::Library;
use crate::go::parse::Functions as _;
use crate::limits::{OUTPUT_BYTES, TEMPLATE_BYTES};
use crate::redact::redact;
use call::{Call, Slot, State, Step};

/// The name under which a registry holds its one template.
const TEMPLATE: &str = "template";
/// The helper that counts the rounds of loops. No template can call it by a name with a blank.
const STEP: &str = " step";

/// The language of jobs with `engine = "handlebars"`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HandlebarsTemplates;

/// A template with its helpers. They find the state of the pass that runs in `slot`.
struct Registered {
    registry: Handlebars<'static>,
    slot: Slot,
    /// One pass at a time.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registered(..)")
    }
}

fn parse_error(text: &str, line: usize) -> Error {
    Error { kind: ErrorKind::Parse, text: format!("parse: template: :{line}: {text}"), line, column: None }
}

impl Engine for HandlebarsTemplates {
    fn compile(&self, text: &str, options: &Options) -> Result<Arc<dyn Compiled>, Error> {
        let defaults = Options::default();
        let plain = |given: &str, default: &str| given.is_empty() || given == default;
        if !plain(&options.left_delimiter, &defaults.left_delimiter) || !plain(&options.right_delimiter, &defaults.right_delimiter) {
            return Err(parse_error("handlebars templates have no other delimiters than {{ and }}", 1));
        }
        if text.len() > TEMPLATE_BYTES {
            return Err(parse_error(&format!("the template has {} bytes, the limit is {TEMPLATE_BYTES}", text.len()), 1));
        }
        let template = shape::compile(text)?;
        let mut registry = Handlebars::new();
        registry.register_escape_fn(no_escape);
        registry.set_strict_mode(options.error_on_missing_key);
        let slot = Slot::default();
        let library = Library::new(&options.denied);
        for name in Library::names().filter(|name| !call::is_own(name)) {
            if let Some(function) = library.find(name) {
                registry.register_helper(name, Box::new(Call { name, function, slot: slot.clone() }));
            }
        }
        registry.register_helper(STEP, Box::new(Step { slot: slot.clone() }));
        registry.register_template(TEMPLATE, template);
        Ok(Arc::new(Registered { registry, slot, turn: Mutex::new(()) }))
    }
}

impl Compiled for Registered {
    fn render(&self, pass: &Pass<'_>) -> Result<Outcome, Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let set = |state: Option<State>| std::mem::replace(&mut *self.slot.lock().unwrap_or_else(PoisonError::into_inner), state);
        set(Some(State::new(pass)));
        let mut out = Bounded::default();
        let rendered = self.registry.render_to_write(TEMPLATE, &(), &mut out);
        let Some(state) = set(None) else { return Err(parse_error("a pass left no state", 1)) };
        let failed = rendered.err().map(|error| execute_error(&error, &state, pass));
        Outcome::new(out.bytes, failed, state.missing, state.used)
    }
}

fn execute_error(error: &RenderError, state: &State, pass: &Pass<'_>) -> Error {
    let (line, column) = (error.line_no.unwrap_or(1), error.column_no);
    let reason = match (&state.fault, error.reason()) {
        (Some(fault), _) => fault.clone(),
        (None, ::handlebars::RenderErrorReason::MissingVariable(Some(name))) => format!("no value for {name}"),
        (None, reason) => reason.to_string(),
    };
    let place = column.map(|column| format!("{line}:{column}")).unwrap_or_else(|| line.to_string());
    let text = format!("execute: template: :{place}: {}", redact(&reason, &state.used, pass.view));
    let kind = if state.is_limit || reason.contains(TOO_MUCH) { ErrorKind::Limit } else { ErrorKind::Execute };
    Error { kind, text, line, column }
}

const TOO_MUCH: &str = "limit exceeded: too many bytes of output";

/// An output with an end.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_BYTES {
            return Err(io::Error::other(TOO_MUCH));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
