//! One program of a group, and what it is given.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Affinity, Constraint, Resources, RestartPolicy, Service};
use crate::{
    json::{List, Map},
    spec,
    time::{nanos, nanos_option},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Task {
    pub name: String,
    pub driver: String,
    pub user: String,
    pub lifecycle: Option<Lifecycle>,
    /// The driver's own settings; checked by the driver on the node.
    pub config: Option<serde_json::Map<String, Value>>,
    pub constraints: List<Constraint>,
    pub affinities: List<Affinity>,
    pub env: Map<String>,
    pub services: List<Service>,
    pub resources: Resources,
    pub restart_policy: RestartPolicy,
    pub meta: Map<String>,
    #[serde(with = "nanos")]
    pub kill_timeout: Duration,
    pub kill_signal: String,
    pub log_config: LogConfig,
    pub artifacts: List<Artifact>,
    pub vault: Option<VaultUse>,
    pub consul: Option<ConsulUse>,
    pub templates: List<Template>,
    pub dispatch_payload: Option<DispatchPayload>,
    pub volume_mounts: List<VolumeMount>,
    #[serde(rename = "CSIPluginConfig")]
    pub csi_plugin_config: Option<spec::CsiPlugin>,
    /// When it is dead, the other tasks of the group are stopped.
    pub leader: bool,
    #[serde(with = "nanos")]
    pub shutdown_delay: Duration,
    pub scaling_policies: List<spec::Scaling>,
    pub kind: String,
    pub identity: Option<WorkloadIdentity>,
    pub identities: List<WorkloadIdentity>,
    pub actions: List<spec::Action>,
    pub schedule: Option<spec::Schedule>,
    pub secrets: List<spec::Secret>,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            name: String::new(),
            driver: String::new(),
            user: String::new(),
            lifecycle: None,
            config: None,
            constraints: List::default(),
            affinities: List::default(),
            env: Map::default(),
            services: List::default(),
            resources: Resources::default(),
            restart_policy: RestartPolicy::default(),
            meta: Map::default(),
            kill_timeout: Duration::from_secs(5),
            kill_signal: String::new(),
            log_config: LogConfig::default(),
            artifacts: List::default(),
            vault: None,
            consul: None,
            templates: List::default(),
            dispatch_payload: None,
            volume_mounts: List::default(),
            csi_plugin_config: None,
            leader: false,
            shutdown_delay: Duration::ZERO,
            scaling_policies: List::default(),
            kind: String::new(),
            identity: None,
            identities: List::default(),
            actions: List::default(),
            schedule: None,
            secrets: List::default(),
        }
    }
}

/// When a task runs relative to the group's main tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Lifecycle {
    pub hook: LifecycleHook,
    pub sidecar: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifecycleHook {
    #[default]
    Prestart,
    Poststart,
    Poststop,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    #[serde(rename = "MaxFiles")]
    pub max_files: u32,
    #[serde(rename = "MaxFileSizeMB")]
    pub max_file_size_mib: u32,
    #[serde(rename = "Disabled")]
    pub disabled: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { max_files: 10, max_file_size_mib: 10, disabled: false }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Artifact {
    pub getter_source: String,
    pub getter_options: Map<String>,
    pub getter_headers: Map<String>,
    pub getter_mode: String,
    pub getter_insecure: bool,
    pub relative_dest: String,
    pub chown: bool,
}

impl Task {
    /// Whether changes of some template wait for their allocation's turn.
    pub fn rolls_templates(&self) -> bool {
        self.templates.iter().any(|template| template.change_mode == ChangeMode::Rolling)
    }
}

/// What happens to a task when something rendered for it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeMode {
    #[default]
    Restart,
    Signal,
    Noop,
    Script,
    /// The servers let the change into the group's allocations in turn, and each restarts with it (templates only).
    Rolling,
    /// Not said (identities only): the same as `Noop`.
    #[serde(rename = "")]
    Unset,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    #[serde(rename = "SourcePath")]
    pub source_path: String,
    #[serde(rename = "DestPath")]
    pub dest_path: String,
    #[serde(rename = "EmbeddedTmpl")]
    pub embedded_tmpl: String,
    #[serde(rename = "ChangeMode")]
    pub change_mode: ChangeMode,
    #[serde(rename = "ChangeSignal")]
    pub change_signal: String,
    #[serde(rename = "ChangeScript")]
    pub change_script: Option<ChangeScript>,
    #[serde(rename = "Once")]
    pub once: bool,
    #[serde(rename = "Splay", with = "nanos")]
    pub splay: Duration,
    /// Octal.
    #[serde(rename = "Perms")]
    pub perms: String,
    #[serde(rename = "Uid")]
    pub uid: Option<i64>,
    #[serde(rename = "Gid")]
    pub gid: Option<i64>,
    #[serde(rename = "LeftDelim")]
    pub left_delim: String,
    #[serde(rename = "RightDelim")]
    pub right_delim: String,
    #[serde(rename = "Envvars")]
    pub envvars: bool,
    #[serde(rename = "VaultGrace", with = "nanos")]
    pub vault_grace: Duration,
    #[serde(rename = "Wait")]
    pub wait: Option<WaitConfig>,
    #[serde(rename = "ErrMissingKey")]
    pub err_missing_key: bool,
    /// The language of the text: `gotemplate` when empty, or `handlebars`. Printed only when given.
    #[serde(rename = "Engine", skip_serializing_if = "String::is_empty")]
    pub engine: String,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            source_path: String::new(),
            dest_path: String::new(),
            embedded_tmpl: String::new(),
            change_mode: ChangeMode::Restart,
            change_signal: String::new(),
            change_script: None,
            once: false,
            splay: Duration::from_secs(5),
            perms: "0644".to_owned(),
            uid: None,
            gid: None,
            left_delim: "{{".to_owned(),
            right_delim: "}}".to_owned(),
            envvars: false,
            vault_grace: Duration::ZERO,
            wait: None,
            err_missing_key: false,
            engine: String::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeScript {
    pub command: String,
    pub args: List<String>,
    #[serde(with = "nanos")]
    pub timeout: Duration,
    pub fail_on_error: bool,
    pub run_on_first_render: bool,
}

/// How long a template waits for more changes before it renders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitConfig {
    #[serde(with = "nanos_option")]
    pub min: Option<Duration>,
    #[serde(with = "nanos_option")]
    pub max: Option<Duration>,
}

/// A task's Vault token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VaultUse {
    pub role: String,
    pub policies: List<String>,
    pub namespace: String,
    pub cluster: String,
    pub env: bool,
    pub disable_file: bool,
    pub change_mode: ChangeMode,
    pub change_signal: String,
    pub allow_token_expiration: bool,
}

impl Default for VaultUse {
    fn default() -> Self {
        Self {
            role: String::new(),
            policies: List::default(),
            namespace: String::new(),
            cluster: "default".to_owned(),
            env: true,
            disable_file: false,
            change_mode: ChangeMode::Restart,
            change_signal: String::new(),
            allow_token_expiration: false,
        }
    }
}

/// Which Consul a group or task uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConsulUse {
    pub namespace: String,
    pub cluster: String,
    pub partition: String,
}

impl Default for ConsulUse {
    fn default() -> Self {
        Self { namespace: String::new(), cluster: "default".to_owned(), partition: String::new() }
    }
}

/// A signed statement of who a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkloadIdentity {
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Audience")]
    pub audience: List<String>,
    #[serde(rename = "ChangeMode")]
    pub change_mode: String,
    #[serde(rename = "ChangeSignal")]
    pub change_signal: String,
    #[serde(rename = "Env")]
    pub env: bool,
    #[serde(rename = "File")]
    pub file: bool,
    #[serde(rename = "Filepath")]
    pub filepath: String,
    #[serde(rename = "ServiceName")]
    pub service_name: String,
    #[serde(rename = "TTL", with = "nanos")]
    pub ttl: Duration,
    #[serde(rename = "ExtraClaims")]
    pub extra_claims: Map<String>,
}

impl WorkloadIdentity {
    /// What every task has, to speak to the servers with.
    pub fn default_identity() -> Self {
        Self { name: "default".to_owned(), audience: List(vec!["nomadproject.io".to_owned()]), ..Self::default() }
    }
}

/// Where a dispatched job's payload is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DispatchPayload {
    pub file: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeMount {
    #[serde(rename = "Volume")]
    pub volume: String,
    #[serde(rename = "Destination")]
    pub destination: String,
    #[serde(rename = "ReadOnly")]
    pub read_only: bool,
    #[serde(rename = "PropagationMode")]
    pub propagation_mode: String,
    #[serde(rename = "SELinuxLabel")]
    pub selinux_label: String,
}
