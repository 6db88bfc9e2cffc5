//! What servers and HTTP routes may ask of this client, by method.

use std::{collections::BTreeMap, sync::Arc};

use drover_model::{
    ids::AllocId,
    rpc::{
        Error,
        client::{
            AllocChecks, AllocCollect, AllocExec, AllocExecInput, AllocRestart, AllocSignal, AllocStats, Done, ExecFrame, FileFrame,
            FileInfo, FsList, FsRead, FsStat, HostStats, LogRead, NodeMeta, NodeMetaApply, NodeMetaGet,
        },
        volume::{VolumeMade, VolumeMake, VolumeRemove},
    },
};
use drover_runtime::rpc::{Caller, ItemSink, Router};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::{Handle, allocations::AllocCommand, fs, stats, tasks::Scope, volumes};

impl Handle {
    /// All of it as a table, for a connection or for the agent's own routes.
    pub fn router(&self) -> Router {
        macro_rules! method {
            ($router:expr, $message:ty, $call:ident) => {{
                let client = self.clone();
                $router.method(move |_: Caller, message: $message| {
                    let client = client.clone();
                    async move { client.$call(message).await }
                })
            }};
        }
        macro_rules! stream {
            ($router:expr, $message:ty, $call:ident, $item:ty) => {{
                let client = self.clone();
                $router.stream(move |_: Caller, message: $message, sink: ItemSink<$item>| {
                    let client = client.clone();
                    async move { client.$call(message, sink).await }
                })
            }};
        }
        let router = method!(Router::new(), AllocRestart, restart);
        let router = method!(router, AllocSignal, signal);
        let router = method!(router, AllocCollect, collect);
        let router = method!(router, AllocStats, alloc_stats);
        let router = method!(router, AllocChecks, alloc_checks);
        let router = method!(router, HostStats, host_stats);
        let router = method!(router, NodeMetaGet, meta);
        let router = method!(router, NodeMetaApply, apply_meta);
        let router = method!(router, VolumeMake, make_volume);
        let router = method!(router, VolumeRemove, remove_volume);
        let router = method!(router, FsList, list);
        let router = method!(router, FsStat, stat);
        let router = method!(router, AllocExecInput, exec_input);
        let router = stream!(router, AllocExec, exec, ExecFrame);
        let router = stream!(router, FsRead, read, FileFrame);
        stream!(router, LogRead, logs, FileFrame)
    }

    pub async fn restart(&self, message: AllocRestart) -> Result<Done, Error> {
        let (reply, answer) = oneshot::channel();
        let command = AllocCommand::Restart { task: message.task, all: message.all, reply };
        self.command(message.alloc_id, command, answer).await?.map_err(Error::internal)?;
        Ok(Done {})
    }

    pub async fn signal(&self, message: AllocSignal) -> Result<Done, Error> {
        let (reply, answer) = oneshot::channel();
        let command = AllocCommand::Signal { task: message.task, signal: message.signal, reply };
        self.command(message.alloc_id, command, answer).await?.map_err(Error::internal)?;
        Ok(Done {})
    }

    pub async fn collect(&self, message: AllocCollect) -> Result<Done, Error> {
        match message.alloc_id {
            None => self.collect_all(),
            Some(id) => {
                self.known(id)?;
                if !self.collect_one(id) {
                    return Err(Error::internal("alloc cannot be collected while its tasks run"));
                }
            }
        }
        Ok(Done {})
    }

    pub async fn alloc_stats(&self, message: AllocStats) -> Result<Value, Error> {
        let scopes = self.scopes(message.alloc_id).await?;
        let task = message.task.filter(|task| !task.is_empty());
        if let Some(task) = &task
            && !scopes.iter().any(|scope| scope.name == *task)
        {
            return Err(Error::bad_request(format!("unknown task name {task:?}")));
        }
        let wanted: Vec<Arc<Scope>> = scopes.into_iter().filter(|scope| task.as_ref().is_none_or(|task| scope.name == *task)).collect();
        Ok(stats::allocation(&self.inner.shared, &self.inner.samples, &wanted).await)
    }

    pub async fn alloc_checks(&self, message: AllocChecks) -> Result<BTreeMap<String, Value>, Error> {
        self.known(message.alloc_id)?;
        let states = self.inner.shared.registries.native_health(message.alloc_id);
        let allocation = self.inner.lock().get(&message.alloc_id).map(|held| held.allocation());
        let group = allocation.map(|allocation| allocation.task_group.to_string()).unwrap_or_default();
        let shown = |(id, state): (&String, &drover_integrations::registry::CheckState)| {
            let status = if state.status == drover_model::service::CheckStatus::Passing { "success" } else { "failure" };
            let value = json!({
                "ID": id, "Check": state.name, "Group": group, "Mode": "healthiness", "Output": state.output,
                "Service": state.service_name, "Status": status, "Task": "", "Timestamp": self.inner.shared.now().seconds(),
            });
            (id.clone(), value)
        };
        Ok(states.checks.iter().map(shown).collect())
    }

    pub async fn host_stats(&self, _: HostStats) -> Result<Value, Error> {
        Ok(stats::host(&self.inner.shared, &self.inner.samples))
    }

    pub async fn meta(&self, _: NodeMetaGet) -> Result<NodeMeta, Error> {
        Ok(self.labels())
    }

    pub async fn apply_meta(&self, message: NodeMetaApply) -> Result<NodeMeta, Error> {
        self.set_labels(message.meta)
    }

    pub async fn make_volume(&self, message: VolumeMake) -> Result<VolumeMade, Error> {
        let folder = self.inner.shared.config.host_volumes_dir.clone();
        blocking(move || volumes::make(&folder, &message)).await
    }

    pub async fn remove_volume(&self, message: VolumeRemove) -> Result<Done, Error> {
        let folder = self.inner.shared.config.host_volumes_dir.clone();
        blocking(move || volumes::remove(&folder, message.id)).await?;
        Ok(Done {})
    }

    pub async fn list(&self, message: FsList) -> Result<Vec<FileInfo>, Error> {
        let root = self.root(message.alloc_id)?;
        blocking(move || fs::list(&root, &message.path)).await
    }

    pub async fn stat(&self, message: FsStat) -> Result<FileInfo, Error> {
        let root = self.root(message.alloc_id)?;
        blocking(move || fs::stat(&root, &message.path)).await
    }

    pub async fn read(&self, message: FsRead, sink: ItemSink<FileFrame>) -> Result<(), Error> {
        fs::read(&self.root(message.alloc_id)?, &message, &sink).await
    }

    pub async fn logs(&self, message: LogRead, sink: ItemSink<FileFrame>) -> Result<(), Error> {
        let root = self.root(message.alloc_id)?;
        let allocation = self.inner.lock().get(&message.alloc_id).map(|held| held.allocation());
        let Some(allocation) = allocation else { return Err(unknown(message.alloc_id)) };
        if message.task.is_empty() {
            return Err(Error::bad_request("must provide task name"));
        }
        if allocation.group().is_none_or(|group| group.task(&message.task).is_none()) {
            return Err(Error::bad_request(format!("unknown task name {:?}", message.task)));
        }
        if !matches!(message.kind.as_str(), "stdout" | "stderr") {
            return Err(Error::bad_request("must provide log type (stdout/stderr)"));
        }
        let ended = self.inner.lock().get(&message.alloc_id).map(|held| held.ended());
        fs::logs(&root, &message, &sink, ended).await
    }

    fn known(&self, id: AllocId) -> Result<(), Error> {
        if self.inner.lock().contains_key(&id) { Ok(()) } else { Err(unknown(id)) }
    }

    fn root(&self, id: AllocId) -> Result<std::path::PathBuf, Error> {
        self.known(id)?;
        Ok(self.inner.shared.alloc_root(id))
    }

    async fn command<T>(&self, id: AllocId, command: AllocCommand, answer: oneshot::Receiver<T>) -> Result<T, Error> {
        let commands: mpsc::Sender<AllocCommand> = self.inner.lock().get(&id).map(|held| held.commands()).ok_or_else(|| unknown(id))?;
        let not_running = || Error::internal("Task not running");
        commands.send(command).await.map_err(|_| not_running())?;
        answer.await.map_err(|_| not_running())
    }

    pub(crate) async fn scopes(&self, id: AllocId) -> Result<Vec<Arc<Scope>>, Error> {
        self.known(id)?;
        let (reply, answer) = oneshot::channel();
        // One that has ended has no tasks to speak of.
        Ok(self.command(id, AllocCommand::Scopes { reply }, answer).await.unwrap_or_default())
    }
}

fn unknown(id: AllocId) -> Error {
    Error::not_found(format!("Unknown allocation \"{id}\""))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::internal(format!("the file could not be read: {error}"))))
}
