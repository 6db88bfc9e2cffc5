//! The task's own Consul token, where Consul's access control asks for one: got with a workload identity.

use std::sync::Arc;

use drover_model::job::{ChangeMode, Task};

use super::{
    HookError,
    token::{Keeper, Peer},
};
use crate::tasks::Scope;

/// None: the task needs no token, and what it reads is read with the agent's own.
pub(super) fn keeper(scope: &Scope, task: &Task) -> Result<Option<Keeper>, HookError> {
    let of_group = scope.allocation().group().and_then(|group| group.consul.clone());
    let block = task.consul.clone().or(of_group);
    let used = block.clone().unwrap_or_default();
    let cluster = if used.cluster.is_empty() { "default" } else { &used.cluster };
    let Some(part) = scope.shared.parts.consul.get(cluster) else {
        if block.is_none() {
            return Ok(None);
        }
        return Err(HookError::setup(scope, &format!("Consul cluster {cluster:?} is not configured on this node")));
    };
    let name = format!("consul_{cluster}");
    let own = task.identities.iter().find(|identity| identity.name == name).cloned();
    let reads = block.is_some() || !task.templates.is_empty();
    let identity = own.or_else(|| part.tasks.as_ref().filter(|_| reads).map(|login| login.identity(&name)));
    let (Some(identity), Some(tokens)) = (identity, part.cluster.tokens()) else { return Ok(None) };
    Ok(Some(Keeper {
        peer: Peer::Consul,
        tokens: Arc::clone(&tokens),
        identity: Some(identity),
        policies: Vec::new(),
        role: String::new(),
        // Consul without namespaces does not want to hear of the only one it has.
        namespace: Some(used.namespace.clone()).filter(|name| !matches!(name.as_str(), "" | "default")),
        variables: if block.is_some() { &["CONSUL_TOKEN", "CONSUL_HTTP_TOKEN"] } else { &[] },
        beside: Vec::new(),
        file: true,
        change_mode: ChangeMode::Noop,
        change_signal: String::new(),
        may_expire: false,
    }))
}
