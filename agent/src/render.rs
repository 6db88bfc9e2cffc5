//! One template on its own: rendered for a person at a terminal, against the same neighbours as a task's would be.
//!
//! Consul and Vault are those of the configuration and the environment; what neither names is asked of an agent, whose answers come through
//! [`ServerCalls`].

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use drover_client::{
    machine::Machine,
    templates::{Sources, TaskContext},
};
pub use drover_integrations::embedded::{Reply, ServerCalls};
use drover_model::{
    ids::{AllocId, NodeId},
    job::{ConsulUse, VaultUse},
    rpc::node::NodeAuth,
    secret::SecretText,
};
use drover_runtime::Runtime;
pub use drover_template::Failure;
use drover_template::{Dependency, Event as RunnerEvent, Language, Options, TemplateConfig, TemplateRunner, Wait};
use tokio::sync::{mpsc, watch};

use crate::{
    AgentFlags, Config, StartError,
    config::{ConfigError, Environment},
    wiring::{
        integrations::{Integrations, NodeParts},
        sources::{Neighbours, NodeSources},
    },
};

/// Events that wait to be shown.
const EVENTS: usize = 64;

/// A template and how to read it. Empty delimiters are the language's own.
#[derive(Clone, Default)]
pub struct Template {
    pub text: String,
    /// `gotemplate` (or nothing) or `handlebars`.
    pub engine: String,
    pub left_delimiter: String,
    pub right_delimiter: String,
    pub error_on_missing_key: bool,
    /// Functions that fail when they are called; globs.
    pub denied: Vec<String>,
    /// What the file to be written holds already: a certificate in it is kept until it is due.
    pub previous: Option<Vec<u8>>,
    /// Whether it is rendered once instead of for ever.
    pub once: bool,
    /// Quiet time before a change is rendered, and the longest that it may be put off.
    pub wait: Option<(Duration, Duration)>,
    /// Where relative paths of `file` start.
    pub folder: PathBuf,
}

impl fmt::Debug for Template {
    /// Without its text: people write passwords into templates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("engine", &self.engine).field("once", &self.once).finish_non_exhaustive()
    }
}

/// What happens to the template.
#[derive(Clone, Debug)]
pub enum Event {
    /// It waits for these; without them it could not come to its end.
    Missing { names: Vec<String>, failures: Vec<Failure> },
    /// A new text.
    Rendered(Arc<[u8]>),
    /// It failed. With `is_first` there is no text yet, and nothing more will come.
    Failed { failure: Failure, is_first: bool },
    /// A source does not answer; the last text stays.
    Warning { dependency: String, text: String },
    /// It answers again.
    Recovered(String),
}

/// Why a template cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Neighbours(#[from] StartError),
    #[error("unknown template engine {0:?}: gotemplate and handlebars are known")]
    Engine(String),
    #[error("{0}")]
    Template(Failure),
}

/// Puts the neighbours of a render together: files as agents have them, over the environment.
pub fn config(files: Vec<PathBuf>, environment: Environment<'_>) -> Result<Config, Error> {
    // As a laptop's agent does: what nobody names is asked of the agent itself.
    let flags = AgentFlags { config: files, dev: true, ..AgentFlags::default() };
    let mut config = Config::load(&flags, environment)?;
    let vault = &mut config.vault.default;
    if vault.given && vault.enabled.is_none() {
        vault.enabled = Some(true);
    }
    Ok(config)
}

/// The neighbours, as all templates that are rendered together see them: what two of them read is watched once.
#[derive(Debug)]
pub struct Neighbourhood {
    config: Config,
    sources: NodeSources,
    runtime: Runtime,
    /// Of the person who renders; kept, so that they stay what they are.
    tokens: [watch::Sender<SecretText>; 3],
}

impl Neighbourhood {
    pub fn new(config: Config, calls: Arc<dyn ServerCalls>) -> Result<Self, Error> {
        let runtime = Runtime::real();
        let nobody = NodeAuth { id: NodeId::from_random([0; 16]), secret: SecretText::default() };
        let parts = NodeParts { auth: &nobody, servers: None, calls: &calls, state_dir: None };
        let integrations = Integrations::new(&config, &runtime, &parts)?;
        let sources = NodeSources::new(Neighbours {
            consul: integrations.clusters(),
            vault: integrations.vault.clone(),
            calls,
            node: nobody,
            runtime: runtime.clone(),
            default_lease: config.client.template.vault_default_lease_duration,
            max_stale: config.client.template.max_stale,
            longest_wait: config.client.template.longest_wait(),
        });
        let tokens =
            [config.vault.default.token.clone(), SecretText::default(), SecretText::default()].map(|token| watch::channel(token).0);
        Ok(Self { config, sources, runtime, tokens })
    }

    /// Ends all watchers.
    pub async fn leave(&self) {
        self.sources.stop().await;
    }
}

/// Renders until nobody listens any more, or until there is nothing left to do.
#[derive(Debug)]
pub struct Renderer {
    runner: TemplateRunner,
}

impl Renderer {
    pub fn new(neighbourhood: &Neighbourhood, template: Template, variables: BTreeMap<String, String>) -> Result<Self, Error> {
        let language = Language::named(&template.engine).ok_or_else(|| Error::Engine(template.engine.clone()))?;
        let source = neighbourhood.sources.open(Arc::new(context(neighbourhood, &template)));
        let delimiter = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let options = Options {
            language,
            left_delimiter: delimiter(&template.left_delimiter, "{{"),
            right_delimiter: delimiter(&template.right_delimiter, "}}"),
            error_on_missing_key: template.error_on_missing_key,
            denied: template.denied,
        };
        let wait = template.wait.map(|(min, max)| Wait { min, max });
        let (text, once, previous) = (template.text, template.once, template.previous);
        let template = TemplateConfig { id: String::new(), text, options, once, wait, previous };
        let clock = drover_client::templates::clock(Arc::clone(&neighbourhood.runtime.clock));
        let runner = TemplateRunner::new(vec![template], variables.into_iter().collect(), source, clock)
            .map_err(|(_, error)| Error::Template(error.into()))?;
        Ok(Self { runner: runner.with_host(Arc::new(Machine)) })
    }

    /// Sends what happens until `out` is closed.
    pub async fn run(self, out: mpsc::Sender<Event>) {
        let (sender, mut events) = mpsc::channel(EVENTS);
        let running = tokio::spawn(self.runner.run(sender));
        loop {
            let event = tokio::select! {
                () = out.closed() => break,
                event = events.recv() => event,
            };
            let Some(event) = event else { break };
            for event in shown(event) {
                // That nobody listens is noticed above.
                let _ = out.send(event).await;
            }
        }
        drop(events);
        let _ = running.await;
    }
}

fn shown(event: RunnerEvent) -> Vec<Event> {
    let names = |missing: std::collections::BTreeSet<Dependency>| missing.iter().map(Dependency::to_string).collect();
    match event {
        RunnerEvent::Missing { missing, failures } => vec![Event::Missing { names: names(missing), failures }],
        RunnerEvent::First(all) | RunnerEvent::Changed(all) => all.into_iter().map(|one| Event::Rendered(one.text)).collect(),
        RunnerEvent::Failed { error, is_first, .. } => vec![Event::Failed { failure: error, is_first }],
        RunnerEvent::Warning(warning) => vec![Event::Warning { dependency: warning.dependency.to_string(), text: warning.text }],
        RunnerEvent::Recovered(dependency) => vec![Event::Recovered(dependency.to_string())],
    }
}

/// On whose behalf a person's template reads: the person's own tokens, the whole machine's files.
fn context(neighbourhood: &Neighbourhood, template: &Template) -> TaskContext {
    let [vault, consul, identity] = &neighbourhood.tokens;
    TaskContext {
        alloc_id: AllocId::from_random([0; 16]),
        region: neighbourhood.config.region.clone(),
        namespace: "default".into(),
        job_id: "".into(),
        group: "".into(),
        task: String::new(),
        task_dir: template.folder.clone(),
        disable_file_sandbox: true,
        kept: None,
        vault: Some(VaultUse::default()),
        vault_token: vault.subscribe(),
        consul: ConsulUse::default(),
        consul_token: consul.subscribe(),
        vault_doubt: Arc::default(),
        consul_doubt: Arc::default(),
        // A person sees what the servers show to people.
        variables: None,
        identity: identity.subscribe(),
    }
}
