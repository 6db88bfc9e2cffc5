//! The task's templates: rendered before it starts, and again whenever what they read has changed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use drover_model::{
    job::{ChangeMode, Task, Template},
    variable::VariableReach,
};
use drover_template::{
    Dependency, Environment as TemplateEnvironment, Event, Language, Options, Ownership, Rendered, TemplateConfig, TemplateRunner, Wait,
    Written, env_file,
};
use tokio::sync::mpsc;

use super::HookError;
use crate::{
    environment::Environment,
    limits,
    machine::Machine,
    tasks::{Scope, events},
    templates::TaskContext,
};
use change::Change;
use rolling::Kept;

mod change;
mod rolling;

/// Names of missing dependencies that are told; of the others only their number.
const MISSING_NAMES: usize = 3;
/// What a template's file may do when the job says nothing sensible.
const DEFAULT_PERMS: u32 = 0o644;

/// One template of the job and where it goes.
struct Prepared {
    template: Template,
    /// Beneath the allocation's folder.
    destination: PathBuf,
}

/// Renders all and returns when every one is complete; then goes on beside the task.
pub(super) async fn prepare(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    let Some((templates, mut events)) = begin(scope, task).await? else { return Ok(()) };
    // Nothing that comes first is kept back: the task starts with what there is.
    let turn = scope.allocation().turn();
    for rendered in first(scope, &mut events).await? {
        apply(scope, &templates, &rendered).await?;
    }
    change::run_first_scripts(scope, &templates);
    let kept = Kept::after_first(scope, task, turn);
    scope.beside(follow(Arc::clone(scope), templates, events, kept));
    Ok(())
}

/// The same for a task that runs: what has changed meanwhile is acted on, and nothing is waited for.
pub(super) async fn resume(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    let Some((templates, events)) = begin(scope, task).await? else { return Ok(()) };
    // The variables that the running task has, for its next start.
    for (index, prepared) in templates.iter().enumerate() {
        if prepared.template.envvars
            && let Some(bytes) = rendered_before(scope, prepared).await
        {
            scope.set_template(index, env_file::parse(&bytes).unwrap_or_default());
        }
    }
    scope.beside(follow(Arc::clone(scope), templates, events, Kept::after_return(task)));
    Ok(())
}

type Begun = (Vec<Prepared>, mpsc::Receiver<Event>);

/// Sets the renderer going. None: there is nothing to render.
async fn begin(scope: &Arc<Scope>, task: &Task) -> Result<Option<Begun>, HookError> {
    if task.templates.is_empty() {
        return Ok(None);
    }
    let environment = scope.environment();
    let prepared = |template: &Template| Prepared {
        template: template.clone(),
        destination: beneath(scope, &environment.interpolate(&template.dest_path)),
    };
    let templates: Vec<Prepared> = task.templates.iter().map(prepared).collect();
    let mut configs = Vec::with_capacity(templates.len());
    for (index, prepared) in templates.iter().enumerate() {
        configs.push(config(scope, &environment, index, prepared).await.map_err(|text| failed(scope, &text))?);
    }
    let source = scope.shared.parts.sources.open(Arc::new(context(scope, task)));
    let clock = crate::templates::clock(Arc::clone(&scope.shared.runtime.clock));
    let variables: TemplateEnvironment = environment.variables.into_iter().collect();
    let runner = TemplateRunner::new(configs, variables, source, clock).map_err(|(_, error)| failed(scope, &error.to_string()))?;
    let runner = runner.with_host(Arc::new(Machine));
    let (sender, receiver) = mpsc::channel(drover_template::limits::EVENT_QUEUE);
    // It ends when nobody listens any more.
    scope.beside(runner.run(sender));
    Ok(Some((templates, receiver)))
}

/// A template that cannot be rendered fails its task, whatever the restart policy says.
fn failed(scope: &Scope, text: &str) -> HookError {
    HookError { event: Box::new(events::killing_because(scope.now(), &format!("Template failed: {text}"))), is_recoverable: false }
}

async fn config(scope: &Scope, environment: &Environment, index: usize, prepared: &Prepared) -> Result<TemplateConfig, String> {
    let template = &prepared.template;
    let text = if template.embedded_tmpl.is_empty() {
        read_source(scope, &environment.interpolate(&template.source_path)).await?
    } else {
        template.embedded_tmpl.clone()
    };
    let defaults = &scope.shared.config.template;
    let own = template.wait.and_then(|wait| wait.min.map(|min| (min, wait.max.unwrap_or(min * 4))));
    let delimiter = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    Ok(TemplateConfig {
        id: index.to_string(),
        text,
        options: Options {
            language: Language::named(&template.engine).ok_or_else(|| format!("unknown template engine {:?}", template.engine))?,
            left_delimiter: delimiter(&template.left_delim, "{{"),
            right_delimiter: delimiter(&template.right_delim, "}}"),
            error_on_missing_key: template.err_missing_key,
            denied: defaults.denied_functions.clone(),
        },
        once: template.once,
        wait: own.or(defaults.wait).map(|(min, max)| Wait { min, max }),
        previous: rendered_before(scope, prepared).await,
    })
}

/// What an earlier run of the agent, or an earlier start of the task, left.
async fn rendered_before(scope: &Scope, prepared: &Prepared) -> Option<Vec<u8>> {
    let limit = usize::try_from(limits::RENDERED_BYTES).unwrap_or(usize::MAX);
    scope.folder(&scope.dirs.alloc_root).read(&prepared.destination, limit).await.ok().flatten()
}

async fn read_source(scope: &Scope, path: &str) -> Result<String, String> {
    let limit = drover_template::limits::TEMPLATE_BYTES;
    let folder = scope.folder(&scope.dirs.alloc_root);
    let told = |error: &dyn std::fmt::Display| format!("template source {path}: {error}");
    let bytes = if scope.shared.config.template.disable_file_sandbox && path.starts_with('/') {
        let anywhere = PathBuf::from(path);
        let read = folder.run(move |_| read_bounded(&anywhere, limit)).await.map_err(|error| told(&error))?;
        Some(read.map_err(|error| told(&error))?)
    } else {
        folder.read(&beneath(scope, path), limit).await.map_err(|error| told(&error))?
    };
    let bytes = bytes.ok_or_else(|| format!("template source {path} does not exist"))?;
    String::from_utf8(bytes).map_err(|_| format!("template source {path} is no text"))
}

fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(io::Error::other(format!("it has more than {limit} bytes"))) } else { Ok(bytes) }
}

/// A path of the job as one beneath the allocation's folder: relative ones start in the task's.
pub(super) fn beneath(scope: &Scope, path: &str) -> PathBuf {
    match Path::new(path).strip_prefix(&scope.dirs.alloc_root) {
        Ok(inside) => inside.to_owned(),
        Err(_) => Path::new(&scope.name).join(path.trim_start_matches('/')),
    }
}

fn context(scope: &Scope, task: &Task) -> TaskContext {
    let allocation = scope.allocation();
    let of_group = || allocation.group().and_then(|group| group.consul.clone());
    TaskContext {
        alloc_id: scope.alloc_id,
        region: scope.shared.config.region.clone(),
        namespace: allocation.namespace.clone(),
        job_id: allocation.job_id.clone(),
        group: allocation.task_group.clone(),
        task: scope.name.clone(),
        task_dir: scope.dirs.task.clone(),
        disable_file_sandbox: scope.shared.config.template.disable_file_sandbox,
        kept: Some(scope.folder(&scope.dirs.task)),
        vault: task.vault.clone(),
        vault_token: scope.vault_token.subscribe(),
        consul: task.consul.clone().or_else(of_group).unwrap_or_default(),
        consul_token: scope.consul_token.subscribe(),
        vault_doubt: Arc::clone(&scope.vault_doubt),
        consul_doubt: Arc::clone(&scope.consul_doubt),
        variables: Some(VariableReach::of(&allocation.job, &allocation.task_group, &scope.name)),
        identity: scope.identity.subscribe(),
    }
}

/// Waits for the first complete render, and says what it waits for.
async fn first(scope: &Scope, events: &mut mpsc::Receiver<Event>) -> Result<Vec<Rendered>, HookError> {
    while let Some(event) = events.recv().await {
        match event {
            Event::First(rendered) => return Ok(rendered),
            Event::Missing { missing, .. } => scope.event(events::template(scope.now(), &missing_text(&missing))),
            Event::Failed { error, .. } => return Err(failed(scope, &error.text)),
            Event::Warning(warning) => {
                tracing::warn!(task = ?scope, dependency = %warning.dependency, error = warning.text, "a template waits for its data")
            }
            Event::Changed(_) | Event::Recovered(_) => {}
        }
    }
    Err(failed(scope, "the renderer has ended"))
}

fn missing_text(missing: &BTreeSet<Dependency>) -> String {
    let mut names: Vec<String> = missing.iter().map(Dependency::to_string).collect();
    names.sort();
    let more = names.len().saturating_sub(MISSING_NAMES);
    names.truncate(MISSING_NAMES);
    let text = format!("Missing: {}", names.join(", "));
    if more == 0 { text } else { format!("{text}, and {more} more") }
}

/// The template that a text was rendered from, with its place in the job.
fn origin<'a>(templates: &'a [Prepared], rendered: &Rendered) -> Option<(usize, &'a Prepared)> {
    let index: usize = rendered.id.parse().ok()?;
    Some((index, templates.get(index)?))
}

/// Writes one rendered text; the template, if its file says something else now.
async fn apply<'a>(scope: &Scope, templates: &'a [Prepared], rendered: &Rendered) -> Result<Option<&'a Template>, HookError> {
    let Some((index, prepared)) = origin(templates, rendered) else { return Ok(None) };
    let template = &prepared.template;
    if template.envvars {
        let parsed = env_file::parse(&rendered.text);
        let parsed = parsed.map_err(|error| {
            let text = format!("Template failed to read environment variables: {error}");
            HookError { event: Box::new(events::killing_because(scope.now(), &text)), is_recoverable: false }
        })?;
        scope.set_template(index, parsed);
    }
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let owner = Ownership { uid: id(template.uid), gid: id(template.gid) };
    let perms = u32::from_str_radix(&template.perms, 8).unwrap_or(DEFAULT_PERMS);
    let (folder, text) = (scope.folder(&scope.dirs.alloc_root), Arc::clone(&rendered.text));
    let written = folder.write(&prepared.destination, text, perms, owner).await;
    let written = written.map_err(|error| failed(scope, &error.to_string()))?;
    Ok((written == Written::Changed).then_some(template))
}

/// Follows changes for as long as the task lives. Nothing here ends a running task but the job's own `change_mode`.
async fn follow(scope: Arc<Scope>, templates: Vec<Prepared>, mut events: mpsc::Receiver<Event>, mut kept: Kept) {
    let (mut change, mut allocation) = (Change::default(), scope.allocation.clone());
    let mut goes_on = true;
    loop {
        let turn = allocation.borrow_and_update().turn();
        kept.take_turn(&scope, &templates, turn).await;
        let event = tokio::select! {
            event = events.recv(), if goes_on => event,
            () = change.due() => {
                std::mem::take(&mut change).act(&scope).await;
                continue;
            }
            Ok(()) = allocation.changed(), if kept.rolls() => continue,
        };
        match event {
            Some(Event::Changed(all) | Event::First(all)) => {
                take_in(&scope, &templates, all, &mut kept, &mut change).await;
                change.schedule(&*scope.shared.runtime.random);
            }
            Some(other) => tell(&scope, other),
            // Nothing can change any more; what is due, or waits for its turn, is still done.
            None => goes_on = false,
        }
    }
}

/// Writes what is new, but for what has to wait for its turn.
async fn take_in(scope: &Arc<Scope>, templates: &[Prepared], all: Vec<Rendered>, kept: &mut Kept, change: &mut Change) {
    for rendered in all {
        if origin(templates, &rendered).is_some_and(|(_, prepared)| prepared.template.change_mode == ChangeMode::Rolling) {
            kept.keep(scope, templates, rendered).await;
            continue;
        }
        match apply(scope, templates, &rendered).await {
            Ok(changed) => changed.into_iter().for_each(|template| change.add(template)),
            Err(error) => scope.event(events::hook_failed(scope.now(), &error.event.display_message)),
        }
    }
    kept.tell(scope);
}

/// Says what goes on with the sources of a running task's templates.
fn tell(scope: &Scope, event: Event) {
    match event {
        Event::Changed(_) | Event::First(_) => {}
        Event::Failed { error, .. } => {
            scope.event(events::hook_failed(scope.now(), &format!("Template failed: {error}; its last text stays")));
        }
        Event::Warning(warning) => {
            let text = format!("Template: {} cannot be read: {}; the last value stays", warning.dependency, warning.text);
            scope.event(events::hook_message(scope.now(), &text));
        }
        Event::Recovered(dependency) => {
            scope.event(events::hook_message(scope.now(), &format!("Template: {dependency} can be read again")));
        }
        Event::Missing { missing, .. } => {
            tracing::debug!(task = ?scope, missing = missing.len(), "a template of a running task waits for data");
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_template::Scope as ConsulScope;

    use super::*;

    #[test]
    fn what_is_missing_is_told_in_order_and_not_at_length() {
        let key = |key: &str| Dependency::KvGet { key: key.to_owned(), scope: ConsulScope::default() };
        for (keys, want) in [
            (vec!["b", "a"], "Missing: kv.block(a), kv.block(b)"),
            (vec!["5", "4", "3", "2", "1"], "Missing: kv.block(1), kv.block(2), kv.block(3), and 2 more"),
        ] {
            assert_eq!(missing_text(&keys.into_iter().map(key).collect()), want);
        }
    }
}
