//! Helpers: a function of the library, called with JSON.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::handlebars::{Context as Root, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};

use super::json;
use crate::dependency::Dependency;
use crate::engine::{Environment, Pass, View};
use crate::go::context::Context;
use crate::go::function::{Fault, Function, Type};
use crate::host::Host;
use crate::limits::HANDLEBARS_STEPS;

/// Functions that the language has itself, or that make no sense without methods and templates.
pub(super) fn is_own(name: &str) -> bool {
    const OWN: [&str; 16] =
        ["and", "call", "eq", "executeTemplate", "ge", "gt", "html", "index", "le", "len", "lookup", "lt", "ne", "not", "or", "scratch"];
    OWN.contains(&name)
}

/// Where helpers find the pass that runs.
pub(super) type Slot = Arc<Mutex<Option<State>>>;

/// What one pass sees and leaves behind. Helpers must own all that they use.
pub(super) struct State {
    view: View,
    environment: Environment,
    now: jiff::Timestamp,
    host: Option<Arc<dyn Host>>,
    pub(super) used: BTreeSet<Dependency>,
    pub(super) missing: BTreeSet<Dependency>,
    sequence: u64,
    derived: u32,
    steps: u64,
    /// Why a helper failed, in full.
    pub(super) fault: Option<String>,
    pub(super) is_limit: bool,
}

impl State {
    pub(super) fn new(pass: &Pass<'_>) -> Self {
        Self {
            view: pass.view.clone(),
            environment: pass.environment.clone(),
            now: pass.now,
            host: pass.host.cloned(),
            used: BTreeSet::new(),
            missing: BTreeSet::new(),
            sequence: Context::new(pass).sequence,
            derived: 0,
            steps: 0,
            fault: None,
            is_limit: false,
        }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > HANDLEBARS_STEPS { Err(Fault::Limit(format!("more than {HANDLEBARS_STEPS} steps"))) } else { Ok(()) }
    }

    /// Calls a function; what it asked for stays here.
    fn call(&mut self, name: &str, function: &Function, arguments: &[&serde_json::Value]) -> Result<serde_json::Value, Fault> {
        self.step()?;
        let wanted = function.parameters.len();
        if arguments.len() < wanted || (function.rest.is_none() && arguments.len() > wanted) {
            let least = if function.rest.is_some() { "at least " } else { "" };
            return Err(Fault::Message(format!("wrong number of args for {name}: want {least}{wanted} got {}", arguments.len())));
        }
        let of = |index: usize| function.parameters.get(index).copied().or(function.rest).unwrap_or(Type::Any);
        let converted = arguments.iter().enumerate().map(|(index, argument)| json::argument(argument, of(index)));
        let values = converted.collect::<Result<Vec<_>, _>>()?;
        let pass = Pass { view: &self.view, environment: &self.environment, now: self.now, host: self.host.as_ref() };
        let mut context = Context::new(&pass);
        context.used = std::mem::take(&mut self.used);
        context.missing = std::mem::take(&mut self.missing);
        context.sequence = self.sequence;
        context.derived = self.derived;
        let answer = (function.body)(&mut context, &values).and_then(|value| json::to_json(&value));
        let Context { used, missing, sequence, derived, .. } = context;
        self.derived = derived;
        self.used = used;
        self.missing = missing;
        self.sequence = sequence;
        answer
    }
}

/// One function as a helper.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) function: &'static Function,
    pub(super) slot: Slot,
}

/// Counts the rounds of loops.
pub(super) struct Step {
    pub(super) slot: Slot,
}

/// Runs with the state of the pass, and keeps the full reason of a failure: the crate's own error type would shorten it.
fn with_state<T>(slot: &Slot, run: impl FnOnce(&mut State) -> Result<T, (bool, String)>) -> Result<T, RenderError> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(state) = slot.as_mut() else { return Err(RenderErrorReason::Other("no pass runs".to_owned()).into()) };
    run(state).map_err(|(is_limit, text)| {
        state.is_limit = is_limit;
        state.fault = Some(text.clone());
        RenderErrorReason::Other(text).into()
    })
}

fn reason(name: &str, fault: Fault) -> (bool, String) {
    match fault {
        Fault::Message(text) => (false, format!("error calling {name}: {text}")),
        Fault::Limit(text) => (true, format!("limit exceeded: {text}")),
    }
}

impl HelperDef for Call {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Root,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let arguments: Vec<&serde_json::Value> = helper.params().iter().map(|parameter| parameter.value()).collect();
        let answer =
            with_state(&self.slot, |state| state.call(self.name, self.function, &arguments).map_err(|fault| reason(self.name, fault)))?;
        Ok(ScopedJson::Derived(answer))
    }
}

impl HelperDef for Step {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Root,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        with_state(&self.slot, |state| state.step().map_err(|fault| reason("loop", fault)))?;
        Ok(ScopedJson::Derived(serde_json::Value::String(String::new())))
    }
}
