//! The task's workload identities: variables and files that hold a signed statement of who it is.

use std::{path::Path, sync::Arc};

use drover_model::{
    job::{Task, WorkloadIdentity},
    rpc::node::{IdentityRequest, SignedIdentity},
};
use drover_template::Ownership;

use super::HookError;
use crate::{
    identities,
    tasks::{Control, Scope, events, scope::Origin},
};

/// Who accepts the default identity.
const DEFAULT_NAME: &str = "default";
/// Only the task reads its identity.
const FILE_MODE: u32 = 0o600;

pub(super) async fn prepare(scope: &Arc<Scope>, task: &Task) -> Result<(), HookError> {
    let all = task.identity.iter().chain(task.identities.iter());
    // One that is neither shown to the task nor kept in a file is signed when somebody needs it.
    for identity in all.filter(|identity| identity.env || identity.file) {
        let signed = identities::sign(&scope.shared, request(scope, task, identity)).await;
        let signed =
            signed.map_err(|error| HookError::setup(scope, &format!("failed to sign identity {:?}: {error}", name_of(identity))))?;
        publish(scope, identity, &signed).await?;
        if let Some(first) = identities::renew_after(&scope.shared, &signed) {
            scope.beside(keep(Arc::clone(scope), identity.clone(), first));
        }
    }
    Ok(())
}

fn name_of(identity: &WorkloadIdentity) -> &str {
    if identity.name.is_empty() { DEFAULT_NAME } else { &identity.name }
}

pub(super) fn request(scope: &Scope, task: &Task, identity: &WorkloadIdentity) -> IdentityRequest {
    IdentityRequest {
        alloc_id: scope.alloc_id,
        task: task.name.clone(),
        service: String::new(),
        identity: name_of(identity).to_owned(),
        audience: identity.audience.0.clone(),
        ttl: identity.ttl,
    }
}

async fn publish(scope: &Scope, identity: &WorkloadIdentity, signed: &SignedIdentity) -> Result<(), HookError> {
    let name = name_of(identity);
    let is_default = name == DEFAULT_NAME;
    if is_default {
        scope.identity.send_replace(signed.jwt.clone());
    }
    if identity.env {
        let variable = if is_default { "NOMAD_TOKEN".to_owned() } else { format!("NOMAD_TOKEN_{}", crate::environment::clean(name)) };
        scope.add(Origin::Identity, [(variable, signed.jwt.expose().to_owned())]);
    }
    if !identity.file {
        return Ok(());
    }
    let environment = scope.environment();
    let path = match environment.interpolate(&identity.filepath) {
        path if !path.is_empty() => path,
        _ if is_default => "secrets/nomad_token".to_owned(),
        _ => format!("secrets/nomad_{name}.jwt"),
    };
    let relative = path.strip_prefix(&*scope.dirs.task.to_string_lossy()).unwrap_or(&path).trim_start_matches('/');
    let (folder, text) = (scope.folder(&scope.dirs.task), signed.jwt.expose().to_owned());
    let written = folder.write(Path::new(relative), text, FILE_MODE, Ownership::default()).await;
    written.map(drop).map_err(|error| HookError::setup(scope, &format!("failed to write identity {name:?}: {error}")))
}

/// Has it signed anew before it ends, for as long as the task lives.
async fn keep(scope: Arc<Scope>, identity: WorkloadIdentity, first: std::time::Duration) {
    let mut wait = first;
    loop {
        tokio::time::sleep(wait).await;
        let task = scope.task();
        match identities::sign(&scope.shared, request(&scope, &task, &identity)).await {
            Ok(signed) => {
                if let Err(error) = publish(&scope, &identity, &signed).await {
                    scope.event(events::hook_failed(scope.now(), &error.event.display_message));
                }
                let Some(next) = identities::renew_after(&scope.shared, &signed) else { return };
                wait = next;
                tell(&scope, &identity).await;
            }
            Err(error) => {
                scope.event(events::hook_failed(scope.now(), &format!("identity {:?} was not renewed: {error}", name_of(&identity))));
                wait *= 2;
            }
        }
    }
}

async fn tell(scope: &Scope, identity: &WorkloadIdentity) {
    let now = scope.now();
    let control = match identity.change_mode.as_str() {
        "restart" => Control::Restart { event: events::restart_signaled(now, "Identity renewed"), reply: None },
        "signal" => {
            let signal = identity.change_signal.clone();
            let event = events::signaling(now, &signal, "Identity renewed");
            Control::Signal { signal, event, reply: None }
        }
        _ => return,
    };
    let _ = scope.control.send(control).await;
}
