//! The task's own Vault token: got before it starts, kept alive beside it, replaced when it ends, given back after it.

use std::{path::Path, sync::Arc, time::Duration};

use drover_integrations::{
    Token, Tokens,
    lease::keep_alive,
    secrets::Lease,
    tokens::{Login, Proof},
};
use drover_model::{
    job::{ChangeMode, Task, VaultUse, WorkloadIdentity},
    secret::SecretText,
};
use drover_template::{Ownership, read_beneath, write_beneath};

use super::HookError;
use crate::{
    identities, limits,
    parts::VaultPart,
    tasks::{Control, Scope, events, scope::Origin},
};

const TOKEN_FILE: &str = "secrets/vault_token";
const FILE_MODE: u32 = 0o600;
/// A token is some hundred bytes.
const TOKEN_BYTES: usize = 64 << 10;
const DEFAULT_SIGNAL: &str = "SIGHUP";

pub(super) async fn prepare(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    let Some((vault, part, tokens)) = source(scope, task)? else { return Ok(()) };
    let token = login(scope, task, &vault, &part, &tokens).await?;
    publish(scope, &vault, &part, &token.text)?;
    scope.beside(keep(Arc::clone(scope), vault, part, tokens, token.text, token.lease));
    Ok(())
}

/// Goes on with the token of the task that runs, if there is one and it is still good.
pub(super) async fn resume(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    let Some((vault, part, tokens)) = source(scope, task)? else { return Ok(()) };
    let kept = read_beneath(&scope.dirs.task, Path::new(TOKEN_FILE), TOKEN_BYTES).ok().flatten();
    let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| SecretText::new(text.trim()));
    let Some(token) = kept.filter(|token| !token.is_empty()) else { return prepare(scope, task).await };
    scope.vault_token.send_replace(token.clone());
    scope.add(Origin::Token, variables(&vault, &part, &token));
    // A token whose state is not known is used as long as it is accepted.
    let lease = match tokio::time::timeout(limits::TOKEN_CALL, tokens.lookup(&token)).await {
        Ok(Ok(info)) => Lease { duration: info.ttl, renewable: info.renewable },
        Ok(Err(error)) if !error.is_transient() => return prepare(scope, task).await,
        Ok(Err(_)) | Err(_) => Lease { duration: Duration::from_secs(60), renewable: true },
    };
    scope.beside(keep(Arc::clone(scope), vault, part, tokens, token, lease));
    Ok(())
}

/// Gives the token back.
pub(super) async fn stop(scope: &Scope) {
    let token = scope.vault_token.send_replace(SecretText::default());
    if token.is_empty() {
        return;
    }
    let Ok(Some((_, _, tokens))) = source(scope, &scope.task()) else { return };
    let revoked = tokio::time::timeout(limits::DEREGISTER, tokens.revoke(&token)).await;
    if !matches!(revoked, Ok(Ok(()))) {
        tracing::warn!(task = ?scope, "the Vault token of a task that has ended was not revoked; it ends with its lease");
    }
}

type Found = (VaultUse, VaultPart, Arc<dyn Tokens>);

/// None: the task needs no token.
fn source(scope: &Scope, task: &Task) -> Result<Option<Found>, HookError> {
    let Some(vault) = task.vault.clone() else { return Ok(None) };
    let name = if vault.cluster.is_empty() { "default" } else { &vault.cluster };
    let Some(part) = scope.shared.parts.vault.get(name).cloned() else {
        return Err(HookError::setup(scope, &format!("Vault cluster {name:?} is not configured on this node")));
    };
    let tokens = part.cluster.tokens();
    Ok(tokens.map(|tokens| (vault, part, tokens)))
}

/// A Vault that is away is waited for; one that refuses ends the attempt.
async fn login(scope: &Scope, task: &Task, vault: &VaultUse, part: &VaultPart, tokens: &Arc<dyn Tokens>) -> Result<Token, HookError> {
    let (mut pause, mut told) = (limits::TOKEN_RETRY_FIRST, false);
    loop {
        let login = Login {
            proof: proof(scope, task, vault, part).await?,
            role: if vault.role.is_empty() { part.default_role.clone() } else { vault.role.clone() },
            namespace: Some(vault.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            meta: [("AllocationID".to_owned(), scope.alloc_id.to_string()), ("Task".to_owned(), task.name.clone())].into(),
        };
        let text = match tokio::time::timeout(limits::TOKEN_CALL, tokens.login(&login)).await {
            Ok(Ok(token)) => return Ok(token),
            Ok(Err(error)) if !error.is_transient() => {
                return Err(HookError {
                    is_recoverable: true,
                    ..HookError::setup(scope, &format!("Vault: failed to derive a token: {error}"))
                });
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        tracing::warn!(task = ?scope, error = text, "no Vault token yet; another attempt follows");
        if !std::mem::replace(&mut told, true) {
            scope.event(events::hook_message(scope.now(), &format!("Vault: waiting for a token: {text}")));
        }
        tokio::time::sleep(pause + scope.shared.runtime.random.jitter(pause)).await;
        pause = (pause * 2).min(limits::TOKEN_RETRY_MOST);
    }
}

async fn proof(scope: &Scope, task: &Task, vault: &VaultUse, part: &VaultPart) -> Result<Proof, HookError> {
    let name = format!("vault_{}", if vault.cluster.is_empty() { "default" } else { &vault.cluster });
    let own = task.identities.iter().find(|identity| identity.name == name).cloned();
    let of_cluster = || {
        let login = part.login.as_ref()?;
        Some(WorkloadIdentity {
            name: name.clone(),
            audience: login.audience.clone().into(),
            ttl: login.ttl,
            ..WorkloadIdentity::default()
        })
    };
    let Some(identity) = own.or_else(of_cluster) else { return Ok(Proof::Policies(vault.policies.0.clone())) };
    let signed = identities::sign(&scope.shared, super::identity::request(scope, task, &identity)).await;
    let signed = signed.map_err(|error| HookError::setup(scope, &format!("Vault: failed to sign identity {name:?}: {error}")))?;
    Ok(Proof::Jwt(signed.jwt))
}

fn variables(vault: &VaultUse, _part: &VaultPart, token: &SecretText) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    if vault.env {
        variables.push(("VAULT_TOKEN".to_owned(), token.expose().to_owned()));
        if !vault.namespace.is_empty() {
            variables.push(("VAULT_NAMESPACE".to_owned(), vault.namespace.clone()));
        }
    }
    variables
}

fn publish(scope: &Scope, vault: &VaultUse, part: &VaultPart, token: &SecretText) -> Result<(), HookError> {
    scope.add(Origin::Token, variables(vault, part, token));
    scope.vault_token.send_replace(token.clone());
    if vault.disable_file || token.is_empty() {
        return Ok(());
    }
    let written = write_beneath(&scope.dirs.task, Path::new(TOKEN_FILE), token.expose().as_bytes(), FILE_MODE, Ownership::default());
    written.map(drop).map_err(|error| HookError::setup(scope, &format!("Vault: failed to write the token: {error}")))
}

/// Keeps the token alive, and gets another when it ends, which the task is told of as its `change_mode` says.
async fn keep(scope: Arc<Scope>, vault: VaultUse, part: VaultPart, tokens: Arc<dyn Tokens>, token: SecretText, lease: Lease) {
    let (mut token, mut lease) = (token, lease);
    while !token.is_empty() && !vault.allow_token_expiration {
        let lapse = keep_alive(Arc::clone(&tokens), token.clone(), lease, Arc::clone(&scope.shared.runtime.random)).await;
        tracing::info!(task = ?scope, ?lapse, "the Vault token of a task ends; another one is asked for");
        let mut pause = limits::TOKEN_RETRY_FIRST;
        let new = loop {
            let task = scope.task();
            match login(&scope, &task, &vault, &part, &tokens).await {
                Ok(new) => break new,
                Err(error) => {
                    // The task goes on with what it has.
                    scope.event(events::hook_failed(scope.now(), &error.event.display_message));
                    tokio::time::sleep(pause + scope.shared.runtime.random.jitter(pause)).await;
                    pause = (pause * 2).min(limits::TOKEN_RETRY_MOST);
                }
            }
        };
        (token, lease) = (new.text, new.lease);
        if let Err(error) = publish(&scope, &vault, &part, &token) {
            scope.event(events::hook_failed(scope.now(), &error.event.display_message));
        }
        tell(&scope, &vault).await;
    }
}

async fn tell(scope: &Scope, vault: &VaultUse) {
    const REASON: &str = "Vault: new Vault token acquired";
    let now = scope.now();
    let control = match vault.change_mode {
        ChangeMode::Restart => Control::Restart { event: events::restart_signaled(now, REASON), reply: None },
        ChangeMode::Signal => {
            let signal = if vault.change_signal.is_empty() { DEFAULT_SIGNAL.to_owned() } else { vault.change_signal.clone() };
            let event = events::signaling(now, &signal, REASON);
            Control::Signal { signal, event, reply: None }
        }
        ChangeMode::Noop | ChangeMode::Script | ChangeMode::Unset => return,
    };
    let _ = scope.control.send(control).await;
}
