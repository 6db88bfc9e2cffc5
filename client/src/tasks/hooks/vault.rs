//! The task's own Vault token, as its `vault` block asks for it.

use std::sync::Arc;

use drover_model::job::Task;

use super::{
    HookError,
    token::{Keeper, Peer},
};
use crate::tasks::Scope;

/// None: the task needs no token.
pub(super) fn keeper(scope: &Scope, task: &Task) -> Result<Option<Keeper>, HookError> {
    let Some(vault) = task.vault.clone() else { return Ok(None) };
    let cluster = if vault.cluster.is_empty() { "default" } else { &vault.cluster };
    let Some(part) = scope.shared.parts.vault.get(cluster) else {
        return Err(HookError::setup(scope, &format!("Vault cluster {cluster:?} is not configured on this node")));
    };
    let Some(tokens) = part.cluster.tokens() else { return Ok(None) };
    let name = format!("vault_{cluster}");
    let own = task.identities.iter().find(|identity| identity.name == name).cloned();
    let namespace = Some(vault.namespace.clone()).filter(|namespace| !namespace.is_empty());
    let beside = namespace.iter().filter(|_| vault.env).map(|namespace| ("VAULT_NAMESPACE".to_owned(), namespace.clone()));
    Ok(Some(Keeper {
        peer: Peer::Vault,
        tokens: Arc::clone(&tokens),
        identity: own.or_else(|| part.login.as_ref().map(|login| login.identity(&name))),
        policies: vault.policies.0.clone(),
        role: if vault.role.is_empty() { part.default_role.clone() } else { vault.role.clone() },
        beside: beside.collect(),
        namespace,
        variables: if vault.env { &["VAULT_TOKEN"] } else { &[] },
        file: !vault.disable_file,
        change_mode: vault.change_mode,
        change_signal: vault.change_signal.clone(),
        may_expire: vault.allow_token_expiration,
    }))
}
