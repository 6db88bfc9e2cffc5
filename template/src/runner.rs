//! The live part: one task's templates, rendered again whenever what they read has changed.
//!
//! It ends when nobody listens any more, and never because a neighbour is away: a source that fails leaves the last values in place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::dependency::Dependency;
use crate::engine::{Compiled, Environment, Error, Options, Pass};
use crate::host::Host;
use crate::limits::{MISSING_AFTER, PASSES_PER_WAKE, WARNING_AGAIN, WARNING_CAUSES};
use crate::source::{Source, SourceError};

mod pace;
mod watch;

pub use pace::Wait;

use pace::Pace;
use watch::Watches;

/// Tells the time of day; from whoever owns the process's clock.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// One template of a task. Where the text goes is not the runner's business.
#[derive(Clone)]
pub struct TemplateConfig {
    /// How events name it.
    pub id: String,
    pub text: String,
    pub options: Options,
    /// Rendered for the start and never again.
    pub once: bool,
    /// Quiet time before a change renders; without one the first change renders at once.
    pub wait: Option<Wait>,
    /// What its file holds now: certificates in it may be used again.
    pub previous: Option<Vec<u8>>,
}

impl fmt::Debug for TemplateConfig {
    /// Without the texts: people write passwords into them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateConfig").field("id", &self.id).field("once", &self.once).field("wait", &self.wait).finish_non_exhaustive()
    }
}

/// A text that is new.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// [`TemplateConfig::id`]
    pub id: String,
    pub text: Arc<[u8]>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({}, {} bytes)", self.id, self.text.len())
    }
}

/// A source that fails, while the last values stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub dependency: Dependency,
    pub since: jiff::Timestamp,
    pub text: String,
}

/// Why a template cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    pub text: String,
    /// Line (from 1) and column (in bytes) in the template, as far as the cause lies there.
    pub place: Option<(usize, Option<usize>)>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { place: Some((error.line, error.column)).filter(|(line, _)| *line > 0), text: error.text }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self { text: error.text, place: None }
    }
}

/// What happens to a task's templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first render waits for these, since [`MISSING_AFTER`] or longer.
    /// `failures` are those of templates that could not even come to their end without them: they may be gone once the data are there.
    Missing { missing: BTreeSet<Dependency>, failures: Vec<Failure> },
    /// All templates, once every one of them is complete.
    First(Vec<Rendered>),
    /// Those that changed together.
    Changed(Vec<Rendered>),
    /// A template failed; its last text stays. Before [`Event::First`] the task cannot start.
    Failed { id: String, error: Failure, is_first: bool },
    /// A source fails.
    Warning(Warning),
    /// A source that failed answers again.
    Recovered(Dependency),
}

/// Renders one task's templates for as long as somebody listens.
pub struct TemplateRunner {
    templates: Vec<Template>,
    environment: Environment,
    watches: Watches,
    clock: Clock,
    host: Option<Arc<dyn Host>>,
    warned: BTreeMap<Dependency, Warned>,
    is_first: bool,
    /// The set of missing dependencies and when it was last different; cleared once told.
    missing: (BTreeSet<Dependency>, Option<Instant>),
}

impl fmt::Debug for TemplateRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.templates.iter().map(|template| &template.config)).finish()
    }
}

struct Warned {
    since: jiff::Timestamp,
    told: Instant,
    /// Each cause is news once, however often one takes turns with another.
    causes: BTreeSet<String>,
}

struct Template {
    config: TemplateConfig,
    compiled: Arc<dyn Compiled>,
    text: Option<Arc<[u8]>>,
    used: BTreeSet<Dependency>,
    missing: BTreeSet<Dependency>,
    /// Its last pass failed.
    failed: Option<Failure>,
    /// It failed on data that is not there yet.
    deferred: Option<Failure>,
    pace: Pace,
}

impl Template {
    /// A template that renders once needs nothing after that.
    fn is_done(&self) -> bool {
        self.config.once && self.text.is_some()
    }
}

/// Nobody listens any more.
struct Closed;

impl TemplateRunner {
    /// Reads all templates. The error is the first one's that cannot be read, with its id.
    pub fn new(
        configs: Vec<TemplateConfig>,
        environment: Environment,
        source: Arc<dyn Source>,
        clock: Clock,
    ) -> Result<Self, (String, Error)> {
        let mut templates = Vec::with_capacity(configs.len());
        for config in configs {
            let compiled =
                config.options.language.engine().compile(&config.text, &config.options).map_err(|error| (config.id.clone(), error))?;
            templates.push(Template {
                pace: Pace::new(config.wait),
                config,
                compiled,
                text: None,
                used: BTreeSet::new(),
                missing: BTreeSet::new(),
                failed: None,
                deferred: None,
            });
        }
        Ok(Self {
            templates,
            environment,
            watches: Watches::new(source),
            clock,
            host: None,
            warned: BTreeMap::new(),
            is_first: true,
            missing: (BTreeSet::new(), None),
        })
    }

    /// Lets templates ask the machine: `sockaddr`, and `plugin` unless it is denied.
    pub fn with_host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }

    /// Runs until the receiver of `events` is gone, or until nothing can change any more.
    pub async fn run(mut self, events: mpsc::Sender<Event>) {
        // The error says that nobody listens: that is how a runner is stopped.
        let _ = self.work(&events).await;
    }

    async fn work(&mut self, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let now = Instant::now();
        for template in &mut self.templates {
            template.pace.at_once(now);
        }
        loop {
            let told = self.render_due();
            for event in told {
                events.send(event).await.map_err(|_| Closed)?;
            }
            if !self.is_first && self.templates.iter().all(Template::is_done) {
                return Ok(());
            }
            self.wait(events).await?;
        }
    }

    /// Waits for a change, for a template's time, or for the time to tell what is missing.
    async fn wait(&mut self, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let tell_missing = self.missing.1.map(|since| since + MISSING_AFTER);
        let due = self.templates.iter().filter_map(|template| template.pace.due()).chain(tell_missing).min();
        let changed = tokio::select! {
            biased;
            () = events.closed() => return Err(Closed),
            changed = self.watches.changed() => changed,
            () = sleep_until(due) => None,
        };
        let now = Instant::now();
        // Everything that came at the same time is handled together.
        let mut next = changed;
        while let Some(dependency) = next {
            self.note(&dependency, now, events).await?;
            next = self.watches.changed_already();
        }
        if self.missing.1.is_some_and(|since| now >= since + MISSING_AFTER) {
            self.missing.1 = None;
            if self.is_first && !self.missing.0.is_empty() {
                let failures = self.templates.iter().filter_map(|template| template.deferred.clone()).collect();
                events.send(Event::Missing { missing: self.missing.0.clone(), failures }).await.map_err(|_| Closed)?;
            }
        }
        Ok(())
    }

    /// Takes over what a watcher saw.
    async fn note(&mut self, dependency: &Dependency, now: Instant, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let update = self.watches.take_update(dependency);
        if update.is_new {
            let is_first = self.is_first;
            for template in self.templates.iter_mut().filter(|template| template.used.contains(dependency) && !template.is_done()) {
                if is_first { template.pace.at_once(now) } else { template.pace.changed(now) }
            }
        }
        let event = match update.error {
            None => self.warned.remove(dependency).map(|_| Event::Recovered(dependency.clone())),
            Some(error) if error.is_final && self.is_first => {
                let user = self.templates.iter().find(|template| template.used.contains(dependency));
                user.map(|template| Event::Failed { id: template.config.id.clone(), error: error.into(), is_first: true })
            }
            Some(error) => self.warning(dependency, &error, now),
        };
        match event {
            Some(event) => events.send(event).await.map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// A warning at the first failure, when it has another cause (who was away comes back sealed), and now and then while it goes on.
    fn warning(&mut self, dependency: &Dependency, error: &SourceError, now: Instant) -> Option<Event> {
        let warned =
            self.warned.entry(dependency.clone()).or_insert_with(|| Warned { since: (self.clock)(), told: now, causes: BTreeSet::new() });
        let is_new = warned.causes.len() < WARNING_CAUSES && warned.causes.insert(error.text.clone());
        if !is_new && now < warned.told + WARNING_AGAIN {
            return None;
        }
        warned.told = now;
        let since = warned.since;
        Some(Event::Warning(Warning { dependency: dependency.clone(), since, text: error.text.clone() }))
    }

    /// Renders every template whose time has come. Answers with what is to be told.
    fn render_due(&mut self) -> Vec<Event> {
        let now = Instant::now();
        let mut events = Vec::new();
        let mut changed = Vec::new();
        for index in 0..self.templates.len() {
            if !self.templates[index].pace.take_due(now) {
                continue;
            }
            match self.render(index) {
                Ok(Some(rendered)) => changed.push(rendered),
                Ok(None) => {}
                Err(error) => {
                    let template = &mut self.templates[index];
                    // The same failure again is no news.
                    if template.failed.as_ref() != Some(&error) {
                        template.failed = Some(error.clone());
                        let id = template.config.id.clone();
                        events.push(Event::Failed { id, error, is_first: self.is_first });
                    }
                }
            }
        }
        self.forget_unused();
        self.update_missing(now);
        if !self.is_first {
            if !changed.is_empty() {
                events.push(Event::Changed(changed));
            }
        } else if let Some(all) = self.complete() {
            self.is_first = false;
            self.missing = (BTreeSet::new(), None);
            events.push(Event::First(all));
        }
        events
    }

    /// Passes of one template until it is complete or waits for data. Answers with a new text.
    fn render(&mut self, index: usize) -> Result<Option<Rendered>, Failure> {
        for _ in 0..PASSES_PER_WAKE {
            let template = &mut self.templates[index];
            let pass = Pass { view: self.watches.view(), environment: &self.environment, now: (self.clock)(), host: self.host.as_ref() };
            let outcome = template.compiled.render(&pass)?;
            template.failed = None;
            template.used = outcome.used;
            template.missing = outcome.missing;
            template.deferred = outcome.deferred.map(Failure::from);
            let previous = template.config.previous.as_deref();
            let arrived = self.watches.subscribe(&template.used, previous)?;
            match outcome.text {
                // Something that was asked for just now is there already: the next pass sees it.
                _ if arrived => {}
                None => return Ok(None),
                Some(text) => {
                    if template.text.as_deref() == Some(text.as_slice()) {
                        return Ok(None);
                    }
                    let text: Arc<[u8]> = text.into();
                    template.text = Some(text.clone());
                    return Ok(Some(Rendered { id: template.config.id.clone(), text }));
                }
            }
        }
        let text = format!("the template still asks for new data after {PASSES_PER_WAKE} passes");
        Err(Failure { text, place: None })
    }

    /// All texts, once each template has one.
    fn complete(&self) -> Option<Vec<Rendered>> {
        self.templates
            .iter()
            .map(|template| {
                let waits = !template.missing.is_empty() || template.failed.is_some();
                let text = template.text.clone().filter(|_| !waits || template.is_done())?;
                Some(Rendered { id: template.config.id.clone(), text })
            })
            .collect()
    }

    fn forget_unused(&mut self) {
        let used = self.templates.iter().filter(|template| !template.is_done()).flat_map(|template| &template.used).collect();
        self.watches.keep(&used);
        self.warned.retain(|dependency, _| used.contains(dependency));
    }

    fn update_missing(&mut self, now: Instant) {
        let missing: BTreeSet<Dependency> = self.templates.iter().flat_map(|template| template.missing.iter().cloned()).collect();
        if missing != self.missing.0 {
            self.missing = (missing, Some(now));
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
