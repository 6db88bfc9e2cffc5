//! Where a task's templates get their data from, as the client sees it.

use std::{fmt, path::PathBuf, sync::Arc};

use drover_model::{
    ids::{AllocId, Name},
    job::{ConsulUse, VaultUse},
    secret::SecretText,
    variable::VariableReach,
};
use drover_template::Source;
use tokio::sync::{Notify, watch};

use crate::files::Folder;

/// Opens a data source for a task. Distinct dependencies of all tasks share their watchers behind it.
pub trait Sources: Send + Sync + fmt::Debug {
    fn open(&self, task: Arc<TaskContext>) -> Arc<dyn Source>;
}

/// The time of day as templates read it (`timestamp`).
pub fn clock(clock: Arc<dyn drover_runtime::Clock>) -> drover_template::runner::Clock {
    Arc::new(move || jiff::Timestamp::from_nanosecond(i128::from(clock.now().0)).unwrap_or_default())
}

/// On whose behalf a template reads.
#[derive(Clone, Debug)]
pub struct TaskContext {
    pub alloc_id: AllocId,
    pub region: String,
    pub namespace: Name,
    pub job_id: Name,
    pub group: Name,
    pub task: String,
    /// What `file` may read; relative paths start here.
    pub task_dir: PathBuf,
    pub disable_file_sandbox: bool,
    /// Where certificates and leases of the task outlive the agent; none: nobody comes back for them.
    pub kept: Option<Folder>,
    /// The task's `vault` block; without one it may not read secrets of a Vault.
    pub vault: Option<VaultUse>,
    /// The newest Vault token; empty when there is none.
    pub vault_token: watch::Receiver<SecretText>,
    pub consul: ConsulUse,
    /// The newest Consul token; empty when there is none.
    pub consul_token: watch::Receiver<SecretText>,
    /// To tell when either token was refused: whoever keeps it looks whether it is still good.
    pub vault_doubt: Arc<Notify>,
    pub consul_doubt: Arc<Notify>,
    /// Which variables it may read; none: whatever the servers show to whoever asks.
    pub variables: Option<VariableReach>,
    /// The task's own identity to the servers.
    pub identity: watch::Receiver<SecretText>,
}
