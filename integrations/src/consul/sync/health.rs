//! Watches the checks of allocations, while somebody wants to know.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{super::agent::AgentCheck, Shared, State};
use crate::registry::{CheckState, Health};

/// The pause after a question that Consul did not answer.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Asks the agent for all checks, as often as the most impatient watcher wants, and tells each watcher of its own. Asks nothing while nobody watches.
pub(super) async fn keep_watched(shared: Arc<Shared>) {
    loop {
        let Some(every) = pace(&mut shared.state()) else {
            shared.watched.notified().await;
            continue;
        };
        let pause = match agent_checks(&shared).await {
            Ok(checks) => {
                if tell(&shared.state(), &checks) {
                    shared.changed.notify_one();
                }
                every
            }
            // The last known states stay: an outage of Consul says nothing about the services.
            Err(error) => {
                tracing::debug!(%error, "the state of checks is not known right now");
                PAUSE_AFTER_FAILURE.max(every)
            }
        };
        tokio::select! {
            () = shared.watched.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The checks of every namespace that something of ours is in.
async fn agent_checks(shared: &Shared) -> crate::Result<BTreeMap<String, AgentCheck>> {
    let namespaces = shared.state().wanted.namespaces();
    let mut checks = BTreeMap::new();
    for namespace in &namespaces {
        checks.extend(shared.consul.agent_checks(namespace).await?);
    }
    Ok(checks)
}

/// Forgets watchers that nobody listens to; none when no other is left.
fn pace(state: &mut State) -> Option<Duration> {
    state.watchers.retain(|_, watcher| watcher.health.receiver_count() > 0);
    state.watchers.values().map(|watcher| watcher.every).min()
}

/// Tells every watcher how its checks are. Says whether the agent has lost one.
fn tell(state: &State, checks: &BTreeMap<String, AgentCheck>) -> bool {
    let mut lost = false;
    for (allocation, watcher) in &state.watchers {
        let mut health = Health { registered: state.wanted.is_written(*allocation), checks: BTreeMap::new() };
        for service in state.wanted.services(*allocation) {
            for check in &service.checks {
                let Some(found) = checks.get(&check.id) else {
                    lost |= health.registered;
                    continue;
                };
                let known = CheckState {
                    name: found.name.clone(),
                    service_id: found.service_id.clone(),
                    service_name: found.service_name.clone(),
                    status: found.status,
                    output: found.output.clone(),
                };
                health.checks.insert(check.id.clone(), known);
            }
        }
        watcher.health.send_if_modified(|before| {
            let differs = **before != health;
            if differs {
                *before = Arc::new(health);
            }
            differs
        });
    }
    lost
}
